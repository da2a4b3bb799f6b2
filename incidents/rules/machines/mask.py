"""Masks that are absent or worn incorrectly, by votes over time. Faces that were not assessed do not vote."""

from __future__ import annotations

import math

from incidents.rules.compiling import compiled
from incidents.rules.machines.plan import Floats
from incidents.rules.machines.rows import INCORRECT, MASKED, UNMASKED
from incidents.rules.machines.signals import MASKS
from incidents.rules.machines.tables import FOREVER, NEVER, ROWS, SCORE, TRIED, VOTES, Ints, Table
from incidents.rules.machines.zone import add_signal, depth_in

MILLION = 1_000_000


@compiled
def step_mask(
    settings: Table,
    plan_zones: Table,
    corners: Floats,
    row: Table,
    p: int,
    person: Table,
    counts: Ints,
    zones: Table,
    votes: Table,
    masks: Table,
    signals: Table,
    n: Ints,
) -> None:
    """Take a row of person p to the mask rule.

    A window of `window_s` ends at each assessed sample. A state is found when the window has at least
    `min_samples` assessed samples, they span at least `min_span_s`, and at least `share` of them agree. The
    incident runs from the first to the last agreeing sample of such windows. Time without assessed samples
    counts neither for nor against the state.

    A window finds nothing if the picture around the face changed by at least `min_change` in fewer than
    `min_changing_share` of the assessments that measured a change: the face is painted or printed.

    Samples in or near an exempt zone do not vote, nor do silent ones, of which only the place counts. A
    person who is not staff may be unmasked at a care station for `swab_s` after arriving; the machines of
    staff count these samples.
    """
    exempt, swab = _exempt(settings, plan_zones, corners, row, person, zones)
    if row.silent == 1:
        return
    counts[ROWS] += 1
    counts[SCORE] += row.score
    if row.tried:
        counts[TRIED] += 1
        person.tried += 1
    if row.vote < 0:
        return
    counts[VOTES + row.vote] += 1
    person.assessed += 1
    kept = person.votes
    if exempt or (kept > 0 and row.t - votes[kept - 1].t < settings.mask_vote_interval):
        return
    drop = 0
    while drop < kept and (row.t - votes[drop].t > settings.mask_window or kept - drop >= len(votes)):
        drop += 1
    if drop > 0:
        for k in range(kept - drop):
            votes[k] = votes[k + drop]
        kept -= drop
    v = votes[kept]
    v.t = row.t
    v.track = row.track
    v.state = row.vote
    v.measured = 0 if math.isnan(row.change) else 1
    # The log holds 32-bit numbers: a value equal to the threshold must not fail by rounding.
    v.changing = 1 if row.change >= settings.mask_min_change - 1e-6 else 0
    v.swab = 1 if swab else 0
    v.score = row.score
    v.tried = person.tried
    v.assessed = person.assessed
    person.tried = 0
    person.assessed = 0
    person.votes = kept + 1
    for machine in range(4):
        if _step(settings, machine, person, votes, masks[machine]):
            add_signal(signals, n, MASKS, row.t, p, machine)


@compiled
def _exempt(
    settings: Table, plan_zones: Table, corners: Floats, row: Table, person: Table, zones: Table
) -> tuple[bool, bool]:
    """Whether a row is in or near an exempt zone, and whether it is during a swab."""
    exempt, swab = False, False
    for z in range(len(plan_zones)):
        zone = plan_zones[z]
        if not zone.exempt and zone.care < 0:
            continue
        depth = depth_in(settings.aspect, zone, corners, row)
        if zone.exempt:
            exempt = exempt or depth >= -zone.margin
            continue
        state = zones[z]
        was = 0 if row.t - person.last > settings.zone_gap else state.care
        now = was
        if depth >= zone.margin:
            now = 1
        elif depth < 0:
            now = 0
        if now == 1 and was != 1:
            state.arrived = row.t
        state.care = now
        swab = swab or (now == 1 and row.t - state.arrived <= settings.swab)
    return exempt, swab


@compiled
def _step(settings: Table, machine: int, person: Table, votes: Table, m: Table) -> bool:
    """Evaluate the window that ends at the newest vote of a person; returns whether that is to be signalled.

    Machines 0 and 1 are those of absent masks, 2 and 3 of incorrect ones; the odd ones are for staff.
    """
    state = UNMASKED if machine < 2 else INCORRECT
    staff = machine % 2 == 1
    newest = person.votes - 1
    if votes[newest].swab == 1 and not staff:
        return False
    t = votes[newest].t
    among, agreeing, measured, changing = 0, 0, 0, 0
    first, last, oldest = -1, -1, -1
    for k in range(newest + 1):
        v = votes[k]
        if v.swab == 1 and not staff:
            continue
        if oldest < 0:
            oldest = k
        among += 1
        measured += v.measured
        changing += v.changing
        if v.state == state:
            agreeing += 1
            last = k
            if first < 0:
                first = k
    if m.open == 1:
        m.p_voting += 1
        m.p_tried += votes[newest].tried
        m.p_assessed += votes[newest].assessed
    if not (
        agreeing > 0
        and among >= settings.mask_min_samples
        # A share that is reached exactly must not fail by a rounding error.
        and agreeing >= settings.mask_share * among - 1e-9
        and t - votes[oldest].t >= settings.mask_span
        and (measured == 0 or changing >= settings.mask_changing_share * measured - 1e-9)
    ):
        return False
    opened = m.open == 0 or votes[first].t - m.end > settings.merge
    if opened:
        m.open = 1
        m.start = votes[first].t
        m.end = NEVER
        m.opened = t
        m.track = votes[first].track
        m.alert_at = FOREVER
        m.agreeing = 0
        m.voting = 0
        m.tried = 0
        m.assessed = 0
        m.score = 0
        m.p_voting = 0
        m.p_tried = 0
        m.p_assessed = 0
        for k in range(first, newest + 1):
            v = votes[k]
            if v.swab == 0 or staff:
                m.p_voting += 1
                # What was tried before the first vote is not part of the incident.
                m.p_tried += 1 if k == first else v.tried
                m.p_assessed += 1 if k == first else v.assessed
    m.share = agreeing * MILLION // among
    if votes[last].t > m.end:
        # What came after the last agreeing vote is not part of the incident yet.
        voting, tried, assessed = 0, 0, 0
        for k in range(newest + 1):
            v = votes[k]
            if v.swab == 1 and not staff:
                continue
            if k > last:
                voting += 1
                tried += v.tried
                assessed += v.assessed
            elif v.state == state and v.t > m.end and v.t >= m.start:
                m.agreeing += 1
                m.score += v.score
        m.voting += m.p_voting - voting
        m.tried += m.p_tried - tried
        m.assessed += m.p_assessed - assessed
        m.p_voting = voting
        m.p_tried = tried
        m.p_assessed = assessed
        m.end = votes[last].t
    return opened or t >= m.alert_at


def mask_state(min_samples: int, share: float, votes: tuple[int, int, int]) -> int:
    """The state on which enough of a person's votes (masked, incorrect, unmasked) agree, or -1."""
    among = sum(votes)
    if among < min_samples:
        return -1
    for state in (MASKED, INCORRECT, UNMASKED):
        if votes[state] > 0 and votes[state] >= share * among - 1e-9:
            return state
    return -1
