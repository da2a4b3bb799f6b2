"""Zone crossings: people in a zone, or across a line, where their role is not allowed at that time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from incidents.rules.episode import (
    MIN_SAMPLES,
    Bools,
    Codes,
    Episodes,
    Finding,
    Ints,
    apply_hysteresis,
    episodes,
    last_true_row,
    microseconds,
    run_starts,
    separated_times,
)
from incidents.rules.one_way import walks_wrong_way
from incidents.rules.permission import denied
from incidents.rules.position import Depth, depth_in, sides_of, uncertain_position
from incidents.rules.samples import Samples
from incidents.rules.severity import OPEN_TYPES, zone_severity
from vision.ground import Foot
from zones.facility import Camera, Direction, Effect, Facility, Line, Role, Zone, ZoneRule, ZoneType
from zones.geometry import signed_distance
from zones.permission import can_deny

KIND = "zone_crossing"
SHORT_DWELL = frozenset({ZoneType.GATE, ZoneType.PERIMETER, ZoneType.ROOM_DOOR})
"""Types with the shorter dwell, because people pass them instead of staying there."""


@dataclass(frozen=True)
class CrossingDetails:
    """What the zone or line adds to one finding.

    Attributes:
        subkind: zone_entry, wrong_way or line_crossing.
        thresholds: the thresholds of the place that were applied, by name.
        leaves_room: whether the person came out of the room behind this door.
    """

    subkind: str
    thresholds: dict[str, float | str]
    leaves_room: bool


@dataclass(frozen=True)
class Crossings:
    """Crossings of a line, sorted by (person, time); arrays have shape (C,).

    Attributes:
        row: first sample that is beyond the line by the hysteresis.
        done: sample at which the person had been on the far side for the dwell.
        direction: +1 left to right, -1 right to left.
        beyond: (N,) whether each sample is away from the line by the hysteresis.
        hysteresis: the threshold that was applied, by name.
    """

    row: Ints
    done: Ints
    direction: Codes
    beyond: Bools
    hysteresis: dict[str, float]


def evaluate_zones(samples: Samples, facility: Facility, camera: Camera) -> list[Finding]:
    """Findings of all zones and lines of a camera.

    A sample with hidden feet that cannot be placed counts as a loss of sight. A sample with an uncertain
    position (`position.uncertain_position`) cannot bring a person into a zone, but keeps a person there.

    The rule confidence is the share of samples away from the edge by the hysteresis, times the confidence of
    the role.
    """
    findings: list[Finding] = []
    placed = samples.found != Foot.UNPLACED
    if not placed.all():
        samples = samples.take(np.flatnonzero(placed))
    for zone in camera.zones:
        if can_deny(zone):
            findings += _evaluate_zone(samples, zone, facility, camera)
    for line in camera.lines:
        if can_deny(line):
            findings += _evaluate_line(samples, line, facility, camera)
    return findings


def zone_notices(camera: Camera) -> list[str]:
    """A sentence for each zone or line that can never raise an incident, although its type is meant to."""
    places: tuple[Zone | Line, ...] = (*camera.zones, *camera.lines)
    return [
        f"camera {camera.id}: {place.id} ({place.type}) denies no role anything: it never raises an incident"
        for place in places
        if place.type not in (ZoneType.EXEMPT, ZoneType.CARE_STATION) and not can_deny(place)
    ]


def begins_in_zone(samples: Samples, zone: Zone) -> Ints:
    """First rows of the persons whose track begins in a zone. In the zone of a door, they came out of it."""
    begins = np.flatnonzero(np.diff(samples.person, prepend=-1))
    return begins[signed_distance(samples.foot[begins], np.asarray(zone.polygon)) >= 0]


def dwell_of(kind: ZoneType, rule: ZoneRule) -> float:
    """Shortest stay in a zone of this type, or beyond a line of this type, that counts, s."""
    return rule.dwell_gate_s if kind in SHORT_DWELL else rule.dwell_s


def occupied(samples: Samples, depth: Depth, rule: ZoneRule) -> Bools:
    """Whether each sample (N,) is of a person in a zone.

    A person is in the zone from the first sample that is inside by the hysteresis to the last one before a
    sample outside. Jitter of less than the hysteresis therefore does not bring a person in, and brings a
    person out once at most.
    """
    return apply_hysteresis(
        samples.person, samples.t, depth.deep, depth.outside, microseconds(rule.max_gap_s)
    )


def crossings(samples: Samples, line: Line, camera: Camera, rule: ZoneRule) -> Crossings:
    """Crossings of a line.

    A person is on a side from the first sample that is away from the line by the hysteresis until the first
    such sample on the other side. After a loss of sight longer than `max_gap_s`, the person is on no side.

    A crossing counts when all of these hold:
    - the person stays on the far side for the dwell;
    - the person stayed on the near side for the dwell, or appeared there, for MIN_SAMPLES samples;
    - the path crosses the line segment once more in this direction than back.

    Jitter about the line, a step across and back within the dwell, and a walk around the end of the line are
    therefore not crossings.
    """
    sides = sides_of(samples, line, camera, rule)
    if len(samples) == 0:
        none = np.zeros(0, np.int64)
        return Crossings(none, none, none.astype(np.int8), none.astype(np.bool_), sides.hysteresis)
    dwell_us = microseconds(dwell_of(line.type, rule))
    fresh = run_starts(samples.person, samples.t, microseconds(rule.max_gap_s))
    last = last_true_row(fresh | (sides.side != 0))
    state = sides.side[last]
    turn = np.flatnonzero(fresh | (state != np.roll(state, 1)))
    ticks = separated_times(samples.person, samples.t, dwell_us)
    done = np.maximum(np.searchsorted(ticks, ticks[turn] + dwell_us), turn + MIN_SAMPLES - 1)
    end = np.append(turn[1:], len(samples)) - 1
    # Stays on a known side, without those that are too short to count.
    known = state[turn] != 0
    turn, done, end = turn[known], done[known], end[known]
    sight = np.cumsum(fresh)[turn]
    lasting = (done <= end) | ((np.diff(sight, prepend=-1) != 0) & (end - turn >= MIN_SAMPLES - 1))
    turn, done, end, sight = turn[lasting], done[lasting], end[lasting], sight[lasting]
    through = np.cumsum(np.where(fresh, 0, sides.step).astype(np.int64))
    net = through[turn[1:]] - through[last[end[:-1]]]
    way = state[turn[1:]]
    crossed = (sight[1:] == sight[:-1]) & (way != state[turn[:-1]]) & (net * way > 0)
    return Crossings(turn[1:][crossed], done[1:][crossed], way[crossed], sides.side != 0, sides.hysteresis)


def _evaluate_zone(samples: Samples, zone: Zone, facility: Facility, camera: Camera) -> list[Finding]:
    rule = facility.rules.zone
    depth = depth_in(samples, zone, camera, rule)
    depth = replace(depth, deep=depth.deep & ~uncertain_position(samples, rule))
    inside, subkind, used = occupied(samples, depth, rule), "zone_entry", depth.hysteresis
    if zone.toward is not None:
        wrong, used = walks_wrong_way(samples, zone, camera, rule, inside)
        inside, subkind = inside & wrong, "wrong_way"
    rows = np.flatnonzero(inside)
    # A curfew that begins while a person is in the zone starts the episode.
    on = np.zeros(len(samples), dtype=np.bool_)
    on[rows] = denied(zone, facility, samples.role[rows], samples.t[rows])
    dwell_s = dwell_of(zone.type, rule)
    found = episodes(
        samples.person, samples.t, on, dwell_us=microseconds(dwell_s), max_gap_us=microseconds(rule.max_gap_s)
    )
    thresholds: dict[str, float | str] = {"dwell_s": dwell_s, **used}
    came_out = samples.person[begins_in_zone(samples, zone)]

    def details(first: int) -> CrossingDetails:
        leaves_room = zone.type is ZoneType.ROOM_DOOR and bool(np.isin(samples.person[first], came_out))
        return CrossingDetails(subkind, thresholds, leaves_room)

    return _findings(samples, zone, details, found, on, depth.deep, facility)


def _evaluate_line(samples: Samples, line: Line, facility: Facility, camera: Camera) -> list[Finding]:
    rule = facility.rules.zone
    found = crossings(samples, line, camera, rule)
    t, row, done = samples.t, found.row, found.done
    wrong = denied(line, facility, samples.role[row], t[row], found.direction)
    row, done = row[wrong], done[wrong]
    stays = Episodes(samples.person[row], row, done, done, t[row], t[done], t[done] - t[row])
    names = dict(zip(row.tolist(), found.direction[wrong].tolist(), strict=True))

    # The facility file denies the direction that leads out of a room.
    out_of_room = {line.denied, *(item.direction for item in line.rules if item.effect is Effect.DENY)}

    def details(first: int) -> CrossingDetails:
        direction = Direction.LEFT_TO_RIGHT if names[first] > 0 else Direction.RIGHT_TO_LEFT
        used = {"dwell_s": dwell_of(line.type, rule), **found.hysteresis, "direction": direction.value}
        return CrossingDetails("line_crossing", used, leaves_room=direction in out_of_room)

    on = np.ones(len(samples), dtype=np.bool_)
    return _findings(samples, line, details, stays, on, found.beyond, facility)


def _subkind(place: Zone | Line, role: str, details: CrossingDetails) -> str:
    """Subkind of a finding: entry from outside and leaving a room have their own."""
    if role == Role.OUTSIDER and place.type in OPEN_TYPES:
        return "outsider_entry"
    if role == Role.RESIDENT and place.type is ZoneType.ROOM_DOOR and details.leaves_room:
        return "left_room"
    return details.subkind


def _findings(
    samples: Samples,
    place: Zone | Line,
    details: Callable[[int], CrossingDetails],
    found: Episodes,
    on: Bools,
    clear: Bools,
    facility: Facility,
) -> list[Finding]:
    findings = []
    rules = facility.rules
    for group in found.groups(microseconds(rules.merge_s)):
        rows = found.rows(group, on)
        role, confidence = samples.role_at(rows)
        about = details(int(rows[0]))
        findings.append(
            Finding(
                kind=KIND,
                subkind=_subkind(place, role, about),
                zone=place.id,
                tracks=(int(samples.track[rows[0]]),),
                roles=((role, confidence),),
                start=int(samples.t[rows[0]]),
                end=int(samples.t[rows[-1]]),
                severity=zone_severity(place.type, role),
                distance_min=None,
                distance_median=None,
                distance_se=None,
                mask_state=None,
                assessable_share=None,
                detector_confidence=round(float(samples.score[rows].mean()), 6),
                rule_confidence=round(float(clear[rows].mean()) * confidence, 6),
                thresholds={
                    **about.thresholds,
                    "max_gap_s": rules.zone.max_gap_s,
                    "max_position_se_m": rules.zone.max_position_se_m,
                    "merge_s": rules.merge_s,
                    "role_confidence": rules.role_confidence,
                    "zone_type": place.type.value,
                    "realert_s": rules.realert_s,
                },
                alerts=found.alerts(group, on, samples.t, microseconds(rules.realert_s)),
            )
        )
    return findings
