"""Pairs of people near each other: in contact, touching, and for how long."""

from __future__ import annotations

import math

from incidents.rules.compiling import compiled
from incidents.rules.machines.episode import reset_episode, step_episode
from incidents.rules.machines.geometry import distance_error, is_vague, probability_under
from incidents.rules.machines.plan import Floats
from incidents.rules.machines.signals import CONTACT
from incidents.rules.machines.tables import (
    BEFORE,
    COUNTS,
    END,
    INTERVAL,
    NEVER,
    ROWS,
    SCORE,
    TRIED,
    VOTES,
    Ints,
    Table,
)
from incidents.rules.machines.totals import add_contact
from incidents.rules.machines.zone import add_signal, depth_in
from vision.ground import FOOT_SIGMA, Foot

ANYWHERE, ELSEWHERE, STATION = 0, 1, 2
"""The machines of a pair: contact at any place; not at a care station; and from STATION on, at each care
station. Without care stations there is the first one only."""
_SEEN = int(Foot.SEEN)
FAR_MM = 1 << 40


@compiled
def pair_slot(pairs: Table, a: int, b: int) -> int:
    """The slot of a pair of persons, or -1."""
    for q in range(len(pairs)):
        pair = pairs[q]
        if pair.used == 1 and ((pair.a == a and pair.b == b) or (pair.a == b and pair.b == a)):
            return q
    return -1


@compiled
def distance_between(
    settings: Table, homography: Floats, factor: Floats, one: Table, other: Table
) -> tuple[float, float]:
    """Distance and its standard error, m, of two rows.

    Where feet were not seen, the whole error of the position is added, as if it were along the line between
    the two persons. This is an upper bound.
    """
    distance = math.hypot(one.gx - other.gx, one.gy - other.gy)
    # A deviation is equal in both directions in frame heights.
    sigma_one = FOOT_SIGMA * (one.y2 - one.y1) if one.found == _SEEN else 0.0
    sigma_other = FOOT_SIGMA * (other.y2 - other.y1) if other.found == _SEEN else 0.0
    error = distance_error(
        homography,
        factor,
        settings.unexplained,
        (one.x * settings.aspect, one.y, one.gx, one.gy, sigma_one),
        (other.x * settings.aspect, other.y, other.gx, other.gy, sigma_other),
    )
    vague_one = 0.0 if one.found == _SEEN else one.gse
    vague_other = 0.0 if other.found == _SEEN else other.gse
    return distance, math.sqrt(error * error + vague_one * vague_one + vague_other * vague_other)


@compiled
def station_of(aspect: float, zones: Table, corners: Floats, one: Table, other: Table) -> int:
    """Number of the first care station in or near which both rows are, or -1."""
    for z in range(len(zones)):
        zone = zones[z]
        if (
            zone.care >= 0
            and depth_in(aspect, zone, corners, one) >= -zone.margin
            and depth_in(aspect, zone, corners, other) >= -zone.margin
        ):
            return zone.care
    return -1


@compiled
def step_pair(
    settings: Table,
    zones: Table,
    corners: Floats,
    one: Table,
    other: Table,
    a: int,
    b: int,
    distance: float,
    error: float,
    clock: Table,
    persons: Table,
    counts: Ints,
    pasts: Table,
    pairs: Table,
    contacts: Table,
    episodes: Table,
    sides: Ints,
    bins: Ints,
    signals: Table,
    n: Ints,
) -> None:
    """Take two rows, of persons a and b at one instant, to the contact rule.

    Contact begins under `distance_m` and ends over `release_m`. A distance that is not assessable counts as a
    loss of sight.
    """
    clock.near += 1
    if is_vague(distance, error, settings.release, settings.max_distance_se):
        clock.near_vague += 1
        return
    t = one.t
    q = pair_slot(pairs, a, b)
    if q < 0:
        if distance >= settings.distance:
            return  # the pair was never near
        q = _new_pair(clock, pairs, contacts, episodes, a, b, t)
    pair = pairs[q]
    before = pair.last
    step = t - before if t - before <= settings.contact_gap else -1
    _step_touch(settings, pair, t, distance < settings.touch, step)
    station = -1
    if contacts.shape[1] > 1:
        station = station_of(settings.aspect, zones, corners, one, other)
    millimetres, error_mm = round(distance * 1000), round(error * 1000)
    close = round(probability_under(settings.distance, distance, error) * 1_000_000)
    for h in range(contacts.shape[1]):
        here = h == ANYWHERE or (station < 0 if h == ELSEWHERE else station == h - STATION)
        c, e = contacts[q, h], episodes[q, h]
        if step < 0:
            c.state = 0
        if distance < settings.distance and here:
            c.state = 1
        elif distance > settings.release or not here:
            c.state = 0
        was_on, was_lasting, start = e.on == 1, e.lasting == 1, e.start
        counted = e.held_on == 1 and step >= 0
        signal = step_episode(
            e,
            t,
            c.state == 1,
            before,
            settings.contact_dwell,
            settings.contact_gap,
            settings.contact_gap,
            settings.min_samples,
            settings.merge,
            0,
            0,
            0,
        )
        if c.state == 1:
            fresh = not was_on or e.start != start
            if fresh:
                c.close = 0
                c.nearest = FAR_MM
                bins[q, h, 0, :] = 0
                _counts_before(sides[q, h, INTERVAL, 0], counts[pair.a], one if pair.a == a else other)
                _counts_before(sides[q, h, INTERVAL, 1], counts[pair.b], one if pair.b == a else other)
            c.close += close
            if millimetres < c.nearest:
                c.nearest = millimetres
                c.nearest_se = error_mm
            centimetres = min(millimetres // 10, bins.shape[3] - 1)
            bins[q, h, 0, centimetres] += 1
            if e.lasting == 1:
                if signal & 1:
                    begin_contact(c, sides[q, h], bins[q, h])
                if was_lasting and not fresh:
                    c.g_close += close
                    if millimetres < c.g_nearest:
                        c.g_nearest = millimetres
                        c.g_nearest_se = error_mm
                    bins[q, h, 1, centimetres] += 1
                else:
                    add_interval(c, bins[q, h])
                for k in range(COUNTS):
                    sides[q, h, END, 0, k] = counts[pair.a, k]
                    sides[q, h, END, 1, k] = counts[pair.b, k]
            if e.counted == 1 and counted:
                add_contact(persons[a], pasts[a], before, t, t - before)
                add_contact(persons[b], pasts[b], before, t, t - before)
        if signal != 0 and signal != 2:
            add_signal(signals, n, CONTACT, t, q, h)
    pair.last = t


@compiled
def _new_pair(clock: Table, pairs: Table, contacts: Table, episodes: Table, a: int, b: int, t: int) -> int:
    q = 0
    while pairs[q].used == 1:
        q += 1
    pair = pairs[q]
    clock.uid += 1
    pair.used = 1
    pair.uid = clock.uid
    pair.a = a
    pair.b = b
    pair.first = t
    pair.last = NEVER
    pair.t_on = 0
    pair.touched = NEVER
    for h in range(contacts.shape[1]):
        contacts[q, h].state = 0
        reset_episode(episodes[q, h])
    return q


@compiled
def _step_touch(settings: Table, pair: Table, t: int, near: bool, step: int) -> None:
    """Continue a touch: nearer than `touch_m` for `touch_s`. `step` is the time since the last sample, or
    -1."""
    if not near:
        pair.t_on = 0
        return
    if pair.t_on == 0 or step < 0:
        pair.t_on = 1
        pair.t_held = 0
        pair.t_n = 0
        step = 0
    pair.t_held += step
    pair.t_n += 1
    if pair.t_held >= settings.touch_dwell and pair.t_n >= settings.min_samples:
        pair.touched = t


@compiled
def _counts_before(target: Ints, counts: Ints, row: Table) -> None:
    """The counts (COUNTS,) of a person before a row, which the mask rule has already added."""
    for k in range(COUNTS):
        target[k] = counts[k]
    target[ROWS] -= 1
    target[SCORE] -= row.score
    if row.tried:
        target[TRIED] -= 1
    if row.vote >= 0:
        target[VOTES + row.vote] -= 1


@compiled
def begin_contact(c: Table, sides: Ints, bins: Ints) -> None:
    """Begin the incident of a machine with nothing in it; `sides` (3, 2, COUNTS) and `bins` (2, B)."""
    c.g_close = 0
    c.g_nearest = FAR_MM
    bins[1, :] = 0
    for side in range(2):
        for k in range(COUNTS):
            sides[BEFORE, side, k] = sides[INTERVAL, side, k]


@compiled
def add_interval(c: Table, bins: Ints) -> None:
    """Add the interval so far to the incident of a machine; `bins` (2, B)."""
    c.g_close += c.close
    if c.nearest < c.g_nearest:
        c.g_nearest = c.nearest
        c.g_nearest_se = c.nearest_se
    for k in range(bins.shape[1]):
        bins[1, k] += bins[0, k]


@compiled
def is_over(settings: Table, t: int, pair: Table, episodes: Table) -> bool:
    """Whether nothing of a pair can go on or be merged any more.

    A new track may still turn out to be one of the two persons. Care that is being entered in the exposure
    log is kept longer.
    """
    longest_gap = settings.contact_gap + settings.link_delay
    if t - pair.last <= longest_gap:
        return False
    for h in range(len(episodes)):
        e = episodes[h]
        if e.open == 1 and (h >= STATION or t - e.g_end <= settings.merge + longest_gap):
            return False
    return True


@compiled
def release_pair(pair: Table, episodes: Table) -> None:
    """Free the slot of a pair."""
    pair.used = 0
    for h in range(len(episodes)):
        reset_episode(episodes[h])
