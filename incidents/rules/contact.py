"""Close contact: two people near each other on the ground for long enough, in metres or not at all."""

from __future__ import annotations

import numpy as np

from incidents.rules.episode import Bools, Codes, Episodes, Finding, Ints, episodes, microseconds, schmitt
from incidents.rules.mask import worn
from incidents.rules.pairs import Pairs, metric_rows, near_pairs
from incidents.rules.position import depth_in
from incidents.rules.samples import ROLES, Samples, assessable_share, role_mask
from incidents.rules.severity import contact_severity
from incidents.rules.zone import crossings
from zones.facility import Camera, Facility, Pair, Role, ZoneType
from zones.geometry import signed_distance

KIND = "contact"
SUBKINDS = (Pair.OUTSIDER_ANY, Pair.STAFF_RESIDENT, Pair.RESIDENT_RESIDENT)
WALKING_M_S = 1.4
"""Walking speed [D]. A pair is followed this far beyond release, so that one that parts and meets
again within the bridged gap is seen to part, which an unobserved gap is not."""
LONG_S = 900.0
"""Contact of this length in all within LONG_WINDOW_S is high even with masks (11042/BYT-DP)."""
LONG_WINDOW_S = 86_400.0
SAME_ROOM_S = 60.0
"""Residents who leave one door within this time live in one room [D]."""

_STAFF = frozenset({Role.STAFF_PPE, Role.STAFF_NO_PPE})


def judge_contact(samples: Samples, facility: Facility, camera: Camera) -> tuple[list[Finding], list[str]]:
    """Findings of contact for the pairs that the camera watches, and notices of what is not judged.

    Contact begins under `distance_m`, ends over `release_m`, and must be held for `min_s`; stretches at
    most `max_gap_s` apart are one contact. A loss of sight that short counts as held, a time seen apart
    does not. Staff in PPE with a resident within a care station are held against `care_station_max_s`
    instead, which must be exceeded. Two outsiders are no pair; residents who came out of one door within
    SAME_ROOM_S are none either.

    A pair whose distance has a standard error over `max_distance_se_m` is not assessable at that instant,
    unless it is clearly apart: that instant counts as a loss of sight, and a notice says how many there were.

    Rule confidence: the mean probability that the true distance is under `distance_m`, given its
    standard error, times the smaller role confidence.
    """
    rule = facility.rules.contact
    if not camera.contact_pairs:
        return [], []
    metric, reason = metric_rows(samples, camera, rule)
    notices = [f"camera {camera.id} is uncalibrated ({reason}): contact is not judged"] if reason else []
    table = _pair_table(camera)
    reach = rule.release_m + WALKING_M_S * rule.max_gap_s / 2
    watched = np.asarray((table >= 0).any(axis=1), dtype=np.bool_)
    pairs = near_pairs(samples, camera, metric & watched[samples.role], table >= 0, reach)
    unsure = pairs.unsure(rule.release_m, rule.max_distance_se_m)
    if unsure.any():
        notices.append(
            f"camera {camera.id}: {int(unsure.sum())} of {len(pairs)} times that two people were seen within "
            f"{reach:.1f} m, their distance was not known to within {rule.max_distance_se_m:g} m: "
            "not assessable, contact is not judged then"
        )
        pairs = pairs.take(~unsure)
    if len(pairs) == 0:
        return [], notices
    subkind = table[samples.role[pairs.a], samples.role[pairs.b]]
    code = samples.path[pairs.a] * (int(samples.path.max()) + 1) + samples.path[pairs.b]
    key = code * len(SUBKINDS) + subkind
    order = np.lexsort((samples.t[pairs.a], key))
    pairs, key, subkind = pairs.take(order), key[order], subkind[order]
    apart = (subkind == SUBKINDS.index(Pair.RESIDENT_RESIDENT)) & _same_room(samples, pairs, facility, camera)
    if apart.any():
        pairs, key = pairs.take(~apart), key[~apart]
    return _judge(samples, pairs, key, facility, camera), notices


def _judge(samples: Samples, pairs: Pairs, key: Ints, facility: Facility, camera: Camera) -> list[Finding]:
    rule, merge_us = facility.rules.contact, microseconds(facility.rules.merge_s)
    t, gap_us = samples.t[pairs.a], microseconds(rule.max_gap_s)
    station = _care_station(samples, pairs, facility, camera)
    touching = pairs.distance < rule.touch_m
    touches = episodes(key, t, touching, dwell_us=microseconds(rule.touch_s), max_gap_us=gap_us)
    under, over = pairs.distance < rule.distance_m, pairs.distance > rule.release_m
    findings = []
    for place in [-1, *np.unique(station[station >= 0]).tolist()]:
        # What happens elsewhere is, for this place, a pair apart.
        elsewhere = station != place
        on = schmitt(key, t, under & ~elsewhere, over | elsewhere, gap_us)
        min_s = rule.min_s if place < 0 else rule.care_station_max_s
        found = episodes(key, t, on, dwell_us=microseconds(min_s), max_gap_us=gap_us, bridge_us=gap_us)
        if place >= 0:
            found = found.select(found.held > microseconds(min_s))
        zone = None if place < 0 else camera.zones[place].id
        for group in found.groups(merge_us):
            rows = found.rows(group, on)
            long = _held_within(found, group) >= microseconds(LONG_S)
            touched = _overlaps(touches, int(found.key[group.start]), int(t[rows[0]]), int(t[rows[-1]]))
            findings.append(_finding(samples, pairs.take(rows), zone, min_s, touched, long, facility))
    return findings


def _finding(
    samples: Samples,
    pairs: Pairs,
    zone: str | None,
    min_s: float,
    touched: bool,
    long: bool,
    facility: Facility,
) -> Finding:
    rules = facility.rules
    rule = rules.contact
    start, end = int(samples.t[pairs.a[0]]), int(samples.t[pairs.a[-1]])
    people = sorted((int(samples.track[rows[0]]), samples.role_at(rows)) for rows in (pairs.a, pairs.b))
    roles = tuple(role for _, role in people)
    spans = [samples.span(int(samples.path[rows[0]]), start, end) for rows in (pairs.a, pairs.b)]
    masks = [worn(samples, span, rules.mask) for span in spans]
    both = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    subkind = SUBKINDS[_subkind(samples.role[pairs.a[0]], samples.role[pairs.b[0]])]
    closeness = float(pairs.closeness(rule.distance_m).mean())
    nearest = int(np.argmin(pairs.distance))
    return Finding(
        kind=KIND,
        subkind=subkind.value,
        zone=zone,
        tracks=tuple(track for track, _ in people),
        roles=roles,
        start=start,
        end=end,
        severity=contact_severity(
            [name for name, _ in roles], unmasked="unmasked" in masks, touched=touched, long=long
        ),
        distance_min=round(float(pairs.distance[nearest]), 4),
        distance_median=round(float(np.median(pairs.distance)), 4),
        distance_se=round(float(pairs.se[nearest]), 4),
        mask_state=_together(masks),
        assessable_share=assessable_share(samples, both),
        detector_confidence=round(float(samples.score[both].mean()), 6),
        rule_confidence=round(closeness * min(confidence for _, confidence in roles), 6),
        thresholds={
            "distance_m": rule.distance_m,
            "release_m": rule.release_m,
            "min_s": min_s,
            "max_gap_s": rule.max_gap_s,
            "max_calibration_error_m": rule.max_calibration_error_m,
            "max_distance_se_m": rule.max_distance_se_m,
            "touch_m": rule.touch_m,
            "touch_s": rule.touch_s,
            "merge_s": rules.merge_s,
            "role_confidence": rules.role_confidence,
        },
    )


def _together(masks: list[str | None]) -> str | None:
    """The worst state of the two; masked only when both are known to be."""
    for state in ("unmasked", "incorrect"):
        if state in masks:
            return state
    return "masked" if all(state == "masked" for state in masks) else None


def _subkind(one: int, other: int) -> int:
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
    """(P,) index of the care station at which staff in PPE and a resident both are, else -1."""
    station = np.full(len(pairs), -1, dtype=np.int64)
    resident, staff = role_mask(samples, Role.RESIDENT), role_mask(samples, Role.STAFF_PPE)
    care = (resident[pairs.a] & staff[pairs.b]) | (staff[pairs.a] & resident[pairs.b])
    for index, zone in enumerate(camera.zones):
        if zone.type is ZoneType.CARE_STATION and care.any():
            close = depth_in(samples, zone, camera, facility.rules.zone).close
            station[care & close[pairs.a] & close[pairs.b] & (station < 0)] = index
    return station


def _same_room(samples: Samples, pairs: Pairs, facility: Facility, camera: Camera) -> Bools:
    """(P,) whether both came out of one door within SAME_ROOM_S: began in its zone, or crossed its line."""
    exits: list[tuple[Ints, Ints]] = []
    begins = np.flatnonzero(np.diff(samples.path, prepend=-1))
    for zone in camera.zones:
        if zone.type is ZoneType.ROOM_DOOR:
            inside = signed_distance(samples.foot[begins], np.asarray(zone.polygon)) >= 0
            exits.append((samples.path[begins[inside]], samples.t[begins[inside]]))
    for line in camera.lines:
        if line.type is ZoneType.ROOM_DOOR:
            found = crossings(samples, line, camera, facility.rules.zone)
            for direction in (1, -1):
                rows = found.row[found.direction == direction]
                exits.append((samples.path[rows], samples.t[rows]))
    together = np.zeros(len(pairs), dtype=np.bool_)
    for path, t in exits:
        # Of several exits by one door, the first is the one that tells the room.
        when = np.full(int(samples.path.max()) + 1, np.nan)
        when[path[::-1]] = t[::-1]
        apart = np.abs(when[samples.path[pairs.a]] - when[samples.path[pairs.b]])
        together |= apart <= microseconds(SAME_ROOM_S)
    return together


def _overlaps(touches: Episodes, key: int, start: int, end: int) -> bool:
    low, high = np.searchsorted(touches.key, [key, key + 1]).tolist()
    return bool(((touches.start[low:high] <= end) & (touches.end[low:high] >= start)).any())


def _held_within(found: Episodes, group: slice) -> int:
    """Microseconds that a pair was in contact within LONG_WINDOW_S up to the end of a group."""
    end = int(found.end[group.stop - 1])
    low = int(np.searchsorted(found.key, found.key[group.start]))
    recent = found.end[low : group.stop] > end - microseconds(LONG_WINDOW_S)
    return int(found.held[low : group.stop][recent].sum())
