"""Close contact: two people near each other on the ground for long enough. Distances are in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incidents.rules.cumulative_contact import LIMITATION, CumulativeContact
from incidents.rules.episode import (
    Bools,
    Codes,
    Episodes,
    Finding,
    Ints,
    alert_times,
    apply_hysteresis,
    episodes,
    microseconds,
)
from incidents.rules.exposure import Exposure
from incidents.rules.mask import mask_state
from incidents.rules.pairs import Pairs, metric_rows, near_pairs
from incidents.rules.position import depth_in
from incidents.rules.rooms import door_exits
from incidents.rules.samples import ROLES, Samples, assessable_share, role_mask
from incidents.rules.severity import contact_severity
from vision.frames import SECOND
from zones.facility import Camera, Facility, Pair, Role, ZoneType

KIND = "contact"
SUBKINDS = (Pair.OUTSIDER_ANY, Pair.STAFF_RESIDENT, Pair.RESIDENT_RESIDENT)
WALKING_M_S = 1.4
"""Walking speed, m/s. Distances of a pair are computed up to this speed times half of the bridged gap beyond
`release_m`. A pair that parts and meets again within the gap then has samples apart, unlike a pair that was
out of sight. Project default (docs/defaults.md)."""
LEFT_APART, NOT_KNOWN = "left_apart", "unknown"
"""Why two residents in contact count as residents of different rooms. LEFT_APART: both were seen to leave
through a door, and not through the same one within `same_room_s`. NOT_KNOWN: one of them was not seen to
leave; they count as of different rooms if `unknown_rooms` is set."""

_STAFF = frozenset({Role.STAFF_PPE, Role.STAFF_NO_PPE})


@dataclass(frozen=True)
class Contacts:
    """Result of the contact rule.

    Attributes:
        findings: suspected violations.
        exposures: care at care stations, allowed or not.
        notices: sentences about what was not evaluated, and why.
    """

    findings: tuple[Finding, ...]
    exposures: tuple[Exposure, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _PlaceContacts:
    """Contacts at one place: at the care station `zone`, or anywhere else (None).

    Attributes:
        zone: id of the care station, or None.
        on: (P,) whether each pair is in contact at this place.
        found: episodes of `on`.
        groups: slices of `found` that make one incident each.
    """

    zone: str | None
    on: Bools
    found: Episodes
    groups: tuple[slice, ...]


def evaluate_contact(samples: Samples, facility: Facility, camera: Camera) -> Contacts:
    """Evaluate contact for the kinds of pairs that the camera watches.

    Contact begins under `distance_m`, ends over `release_m`, and must be held for `min_s`. Intervals at most
    `max_gap_s` apart are one contact: a loss of sight of that length counts as held, time seen apart does
    not. Staff in PPE with a resident at a care station are written to the exposure log. They are an incident
    only if the merged contacts are held for longer than `care_station_max_s`.

    Two outsiders are not a pair. Neither are residents who left through one door within `same_room_s`: they
    share a room. `unknown_rooms` decides about residents of whom one was not seen to leave through a door.

    A distance with a standard error over `max_distance_se_m` is not assessable, unless the pair is clearly
    apart. It counts as a loss of sight, and a notice states how many there were.

    The rule confidence is the mean probability that the true distance is under `distance_m`, given its
    standard error, times the smaller role confidence.
    """
    rule = facility.rules.contact
    if not camera.contact_pairs:
        return Contacts((), (), ())
    metric, reason = metric_rows(samples, camera, rule)
    notices = [f"camera {camera.id} is uncalibrated ({reason}): contact is not evaluated"] if reason else []
    table = _pair_table(camera)
    reach = rule.release_m + WALKING_M_S * rule.max_gap_s / 2
    watched = np.asarray((table >= 0).any(axis=1), dtype=np.bool_)
    pairs = near_pairs(samples, camera, metric & watched[samples.role], table >= 0, reach)
    uncertain = pairs.uncertain(rule.release_m, rule.max_distance_se_m)
    if uncertain.any():
        notices.append(
            f"camera {camera.id}: for {int(uncertain.sum())} of {len(pairs)} observations of two people "
            f"within {reach:.1f} m, the standard error of their distance is over "
            f"{rule.max_distance_se_m:g} m: contact is not evaluated there"
        )
        pairs = pairs.take(~uncertain)
    if len(pairs) == 0:
        return Contacts((), (), tuple(notices))
    subkind = table[samples.role[pairs.a], samples.role[pairs.b]]
    pair = samples.person[pairs.a] * (int(samples.person.max()) + 1) + samples.person[pairs.b]
    key = pair * len(SUBKINDS) + subkind
    order = np.lexsort((samples.t[pairs.a], key))
    pairs, key, subkind = pairs.take(order), key[order], subkind[order]
    known = np.ones(len(pairs), dtype=np.bool_)
    residents = subkind == SUBKINDS.index(Pair.RESIDENT_RESIDENT)
    if residents.any():
        exits = door_exits(samples, facility, camera)
        known = ~residents | exits.known(samples, pairs)
        keep = ~(residents & exits.same_room(samples, pairs, rule.same_room_s))
        if not rule.unknown_rooms:
            keep &= known
        pairs, key, known = pairs.take(keep), key[keep], known[keep]
    findings, exposures = _evaluate_pairs(samples, pairs, key, known, facility, camera)
    if findings:
        notices.append(f"camera {camera.id}: contact in {rule.long_window_s / 3600:g} h: {LIMITATION}")
    return Contacts(tuple(findings), tuple(exposures), tuple(notices))


def _evaluate_pairs(
    samples: Samples, pairs: Pairs, key: Ints, known: Bools, facility: Facility, camera: Camera
) -> tuple[list[Finding], list[Exposure]]:
    """Findings and exposures of pairs (P,), sorted by `key` (pair of persons, and subkind) and time."""
    rule, rules = facility.rules.contact, facility.rules
    t, gap_us = samples.t[pairs.a], microseconds(rule.max_gap_s)
    allowed_us = microseconds(rule.care_station_max_s)
    station = _care_station(samples, pairs, facility, camera)
    touches = episodes(
        key, t, pairs.distance < rule.touch_m, dwell_us=microseconds(rule.touch_s), max_gap_us=gap_us
    )
    under, over = pairs.distance < rule.distance_m, pairs.distance > rule.release_m
    contacts: list[_PlaceContacts] = []
    exposures: list[Exposure] = []
    for place in [-1, *np.unique(station[station >= 0]).tolist()]:
        # At any other place, the pair counts as apart here.
        elsewhere = station != place
        on = apply_hysteresis(key, t, under & ~elsewhere, over | elsewhere, gap_us)
        found = episodes(key, t, on, dwell_us=microseconds(rule.min_s), max_gap_us=gap_us, bridge_us=gap_us)
        groups = tuple(found.groups(microseconds(rules.merge_s)))
        zone = None if place < 0 else camera.zones[place].id
        if zone is not None:
            held = [int(found.held[group].sum()) for group in groups]
            exposures += [
                _exposure(samples, pairs.take(found.rows(group, on)), zone, us, allowed_us)
                for group, us in zip(groups, held, strict=True)
            ]
            groups = tuple(group for group, us in zip(groups, held, strict=True) if us > allowed_us)
        contacts.append(_PlaceContacts(zone, on, found, groups))
    totals = _totals(samples, pairs, key, t, contacts, gap_us)
    findings = []
    for item in contacts:
        for group in item.groups:
            rows = item.found.rows(group, item.on)
            pair, end = int(item.found.key[group.start]), int(t[rows[-1]])
            if item.zone is None:
                alerts = item.found.alerts(group, item.on, t, microseconds(rules.realert_s))
            else:
                late = _after(t, rows, allowed_us, gap_us)
                alerts = alert_times(t[rows[late:]], microseconds(rules.realert_s))
            near = pairs.take(rows)
            persons = int(samples.person[near.a[0]]), int(samples.person[near.b[0]])
            total = totals.longest(persons, end - microseconds(rule.long_window_s), end)
            facts = _ContactFacts(
                item.zone,
                alerts,
                touched=_overlaps(touches, pair, int(t[rows[0]]), end),
                cumulative_us=total,
                held_us=int(item.found.held[group].sum()),
                rooms=LEFT_APART if known[rows].all() else NOT_KNOWN,
            )
            findings.append(_finding(samples, near, facts, facility))
    return findings, exposures


def _totals(
    samples: Samples, pairs: Pairs, key: Ints, t: Ints, contacts: list[_PlaceContacts], gap_us: int
) -> CumulativeContact:
    """Contact of each person in incidents. Care that is allowed is logged and does not add up."""
    persons, start, end = [], [], []
    for item in contacts:
        for group in item.groups:
            rows = item.found.rows(group, item.on)
            fresh = np.flatnonzero((np.diff(rows, prepend=-2) > 1) | (np.diff(t[rows], prepend=0) > gap_us))
            last = np.append(fresh[1:], len(rows)) - 1
            for side in (pairs.a, pairs.b):
                persons.append(samples.person[side[rows[fresh]]])
                start.append(t[rows[fresh]])
                end.append(t[rows[last]])
    none = np.zeros(0, dtype=np.int64)
    columns = (np.concatenate([none, *parts]) for parts in (persons, start, end))
    return CumulativeContact.from_intervals(*columns)


def _after(t: Ints, rows: Ints, held_us: int, gap_us: int) -> int:
    """Index of the first of the rows (M,) in contact at which contact was held for more than `held_us`."""
    steps = np.diff(t[rows], prepend=t[rows[0]])
    counts = (np.diff(rows, prepend=rows[0] - 1) == 1) & (steps <= gap_us)
    return int(np.argmax(np.cumsum(np.where(counts, steps, 0)) > held_us))


def _people(samples: Samples, pairs: Pairs) -> tuple[tuple[int, ...], tuple[tuple[str, float], ...]]:
    """Track ids, sorted, and the roles of the one pair of people that all of `pairs` are."""
    people = sorted((int(samples.track[rows[0]]), samples.role_at(rows)) for rows in (pairs.a, pairs.b))
    return tuple(track for track, _ in people), tuple(role for _, role in people)


def _exposure(samples: Samples, pairs: Pairs, zone: str, held_us: int, allowed_us: int) -> Exposure:
    tracks, roles = _people(samples, pairs)
    return Exposure(
        zone=zone,
        tracks=tracks,
        roles=roles,
        start=int(samples.t[pairs.a[0]]),
        end=int(samples.t[pairs.a[-1]]),
        held_s=held_us / SECOND,
        distance_min=round(float(pairs.distance.min()), 4),
        distance_median=round(float(np.median(pairs.distance)), 4),
        exceeded=held_us > allowed_us,
    )


@dataclass(frozen=True)
class _ContactFacts:
    """What a finding needs beside the samples of the contact.

    Attributes:
        zone: id of the care station, or None.
        alerts: moments of the alerts, microseconds UTC.
        touched: whether the two may have touched each other.
        cumulative_us: the larger cumulative contact of the two in the long window.
        held_us: time that this contact was held.
        rooms: LEFT_APART or NOT_KNOWN.
    """

    zone: str | None
    alerts: tuple[int, ...]
    touched: bool
    cumulative_us: int
    held_us: int
    rooms: str


def _finding(samples: Samples, pairs: Pairs, facts: _ContactFacts, facility: Facility) -> Finding:
    rules = facility.rules
    rule = rules.contact
    start, end = int(samples.t[pairs.a[0]]), int(samples.t[pairs.a[-1]])
    tracks, roles = _people(samples, pairs)
    spans = [samples.span(int(samples.person[rows[0]]), start, end) for rows in (pairs.a, pairs.b)]
    states = [mask_state(samples, span, rules.mask) for span in spans]
    both = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    subkind = SUBKINDS[_subkind(samples.role[pairs.a[0]], samples.role[pairs.b[0]])]
    closeness = float(pairs.probability_under(rule.distance_m).mean())
    nearest = int(np.argmin(pairs.distance))
    thresholds: dict[str, float | str] = {
        "distance_m": rule.distance_m,
        "release_m": rule.release_m,
        "min_s": rule.min_s if facts.zone is None else rule.care_station_max_s,
        "max_gap_s": rule.max_gap_s,
        "max_calibration_error_m": rule.max_calibration_error_m,
        "max_distance_se_m": rule.max_distance_se_m,
        "touch_m": rule.touch_m,
        "touch_s": rule.touch_s,
        "long_s": rule.long_s,
        "long_window_s": rule.long_window_s,
        "merge_s": rules.merge_s,
        "realert_s": rules.realert_s,
        "role_confidence": rules.role_confidence,
    }
    if subkind is Pair.RESIDENT_RESIDENT:
        thresholds |= {"same_room_s": rule.same_room_s, "rooms": facts.rooms}
    if facts.cumulative_us > facts.held_us:
        thresholds["cumulative_limit"] = LIMITATION
    return Finding(
        kind=KIND,
        subkind=subkind.value,
        zone=facts.zone,
        tracks=tracks,
        roles=roles,
        start=start,
        end=end,
        severity=contact_severity(
            [name for name, _ in roles],
            unmasked="unmasked" in states,
            touched=facts.touched,
            long=facts.cumulative_us >= microseconds(rule.long_s),
        ),
        distance_min=round(float(pairs.distance[nearest]), 4),
        distance_median=round(float(np.median(pairs.distance)), 4),
        distance_se=round(float(pairs.se[nearest]), 4),
        mask_state=_worse_state(states),
        assessable_share=assessable_share(samples, both),
        detector_confidence=round(float(samples.score[both].mean()), 6),
        rule_confidence=round(closeness * min(confidence for _, confidence in roles), 6),
        thresholds=thresholds,
        alerts=facts.alerts,
        cumulative_s=facts.cumulative_us / SECOND,
    )


def _worse_state(states: list[str | None]) -> str | None:
    """The worse mask state of the two; masked only if both are known to be masked."""
    for state in ("unmasked", "incorrect"):
        if state in states:
            return state
    return "masked" if all(state == "masked" for state in states) else None


def _subkind(one: int, other: int) -> int:
    """Index into SUBKINDS of a pair of role codes, or -1 if the two are not a pair."""
    roles = {ROLES[one], ROLES[other]}
    if Role.OUTSIDER in roles:
        return SUBKINDS.index(Pair.OUTSIDER_ANY) if len(roles) == 2 else -1
    if roles == {Role.RESIDENT}:
        return SUBKINDS.index(Pair.RESIDENT_RESIDENT)
    return SUBKINDS.index(Pair.STAFF_RESIDENT) if Role.RESIDENT in roles and roles & _STAFF else -1


def _pair_table(camera: Camera) -> Codes:
    """(R, R) by role code: index into SUBKINDS of the pairs that the camera watches, else -1."""
    table = np.full((len(ROLES), len(ROLES)), -1, dtype=np.int8)
    for one in range(len(ROLES)):
        for other in range(len(ROLES)):
            subkind = _subkind(one, other)
            if subkind >= 0 and SUBKINDS[subkind] in camera.contact_pairs:
                table[one, other] = subkind
    return table


def _care_station(samples: Samples, pairs: Pairs, facility: Facility, camera: Camera) -> Ints:
    """Index (P,) of the care station zone in which both staff in PPE and a resident are, else -1."""
    station = np.full(len(pairs), -1, dtype=np.int64)
    resident, staff = role_mask(samples, Role.RESIDENT), role_mask(samples, Role.STAFF_PPE)
    care = (resident[pairs.a] & staff[pairs.b]) | (staff[pairs.a] & resident[pairs.b])
    for index, zone in enumerate(camera.zones):
        if zone.type is ZoneType.CARE_STATION and care.any():
            close = depth_in(samples, zone, camera, facility.rules.zone).close
            station[care & close[pairs.a] & close[pairs.b] & (station < 0)] = index
    return station


def _overlaps(touches: Episodes, key: int, start: int, end: int) -> bool:
    """Whether an episode of a key overlaps [start, end], microseconds."""
    low, high = np.searchsorted(touches.key, [key, key + 1]).tolist()
    return bool(((touches.start[low:high] <= end) & (touches.end[low:high] >= start)).any())
