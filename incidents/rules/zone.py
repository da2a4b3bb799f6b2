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
"""Types judged by the shorter dwell: people pass them, they do not stay."""


@dataclass(frozen=True)
class CrossingDetails:
    """What a place says of one finding: what was seen, by which thresholds, and whether out of a room."""

    subkind: str
    thresholds: dict[str, float | str]
    out: bool


@dataclass(frozen=True)
class Crossings:
    """Crossings of a line, sorted by (person, time); arrays have shape (C,).

    Attributes:
        row: first sample beyond the line by the hysteresis.
        done: sample at which the far side had been kept for the dwell.
        direction: +1 left to right, -1 right to left.
        beyond: (N,) the samples that are clear of the line.
        hysteresis: the threshold used, by name.
    """

    row: Ints
    done: Ints
    direction: Codes
    beyond: Bools
    hysteresis: dict[str, float]


def evaluate_zones(samples: Samples, facility: Facility, camera: Camera) -> list[Finding]:
    """Findings of all zones and lines of a camera.

    Feet that are hidden and cannot be placed are a loss of sight; by those placed too roughly nobody gets in,
    though somebody inside stays there (`position.uncertain_position`).

    Rule confidence: the share of samples clear of the edge by the hysteresis, times the confidence of
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
    """A sentence for each zone or line that can never raise an incident although its type is meant to."""
    places: tuple[Zone | Line, ...] = (*camera.zones, *camera.lines)
    return [
        f"camera {camera.id}: {place.id} ({place.type}) denies nobody anything: it never raises an incident"
        for place in places
        if place.type not in (ZoneType.EXEMPT, ZoneType.CARE_STATION) and not can_deny(place)
    ]


def begins_in_zone(samples: Samples, zone: Zone) -> Ints:
    """Rows at which somebody's track begins in a zone: whoever begins in that of a door came out of it."""
    begins = np.flatnonzero(np.diff(samples.person, prepend=-1))
    return begins[signed_distance(samples.foot[begins], np.asarray(zone.polygon)) >= 0]


def dwell_of(kind: ZoneType, rule: ZoneRule) -> float:
    """Seconds that a stay in a zone, or beyond a line, of this type must last."""
    return rule.dwell_gate_s if kind in SHORT_DWELL else rule.dwell_s


def occupied(samples: Samples, depth: Depth, rule: ZoneRule) -> Bools:
    """Whether each person is in a zone (N,): from the first sample inside by the hysteresis to one outside.

    Somebody outside whose foot point jitters by less than the hysteresis never gets in, and somebody
    inside does not get out by it more often than once.
    """
    return apply_hysteresis(
        samples.person, samples.t, depth.deep, depth.outside, microseconds(rule.max_gap_s)
    )


def crossings(samples: Samples, line: Line, camera: Camera, rule: ZoneRule) -> Crossings:
    """Crossings of a line.

    A person is on a side from the first sample that is clear of the line there (by at least the
    hysteresis) to the last before one that is clear of it on the other side; out of sight for longer
    than the bridged gap, they are on none. A crossing counts when the far side is kept for the dwell,
    the near side was kept for it too or is where the person first appeared (for MIN_SAMPLES samples),
    and the path between them leads through the segment: as often in this direction as back, and once
    more. So neither flicker about the line, nor a step across and back within the dwell, nor a walk
    round the end of the line is one; the return from such a step is none either.
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
    # Stretches on a known side, without those too short to count between others.
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
    # A curfew that begins around a person who is there already begins their episode.
    on = np.zeros(len(samples), dtype=np.bool_)
    on[rows] = denied(zone, facility, samples.role[rows], samples.t[rows])
    dwell_s = dwell_of(zone.type, rule)
    found = episodes(
        samples.person, samples.t, on, dwell_us=microseconds(dwell_s), max_gap_us=microseconds(rule.max_gap_s)
    )
    thresholds: dict[str, float | str] = {"dwell_s": dwell_s, **used}
    out = (
        samples.person[begins_in_zone(samples, zone)]
        if zone.type is ZoneType.ROOM_DOOR
        else samples.person[:0]
    )

    def said(first: int) -> CrossingDetails:
        return CrossingDetails(subkind, thresholds, out=bool(np.isin(samples.person[first], out)))

    return _findings(samples, zone, said, found, on, depth.deep, facility)


def _evaluate_line(samples: Samples, line: Line, facility: Facility, camera: Camera) -> list[Finding]:
    rule = facility.rules.zone
    found = crossings(samples, line, camera, rule)
    t, row, done = samples.t, found.row, found.done
    wrong = denied(line, facility, samples.role[row], t[row], found.direction)
    row, done = row[wrong], done[wrong]
    stays = Episodes(samples.person[row], row, done, done, t[row], t[done], t[done] - t[row])
    names = dict(zip(row.tolist(), found.direction[wrong].tolist(), strict=True))

    # Which way is out of a room, only the facility file can say.
    out = {line.denied, *(item.direction for item in line.rules if item.effect is Effect.DENY)}

    def said(first: int) -> CrossingDetails:
        direction = Direction.LEFT_TO_RIGHT if names[first] > 0 else Direction.RIGHT_TO_LEFT
        used = {"dwell_s": dwell_of(line.type, rule), **found.hysteresis, "direction": direction.value}
        return CrossingDetails("line_crossing", used, out=direction in out)

    on = np.ones(len(samples), dtype=np.bool_)
    return _findings(samples, line, said, stays, on, found.beyond, facility)


def _subkind(place: Zone | Line, role: str, said: CrossingDetails) -> str:
    """Entry from outside and leaving a room have names of their own; else what was seen."""
    if role == Role.OUTSIDER and place.type in OPEN_TYPES:
        return "outsider_entry"
    if role == Role.RESIDENT and place.type is ZoneType.ROOM_DOOR and said.out:
        return "left_room"
    return said.subkind


def _findings(
    samples: Samples,
    place: Zone | Line,
    said: Callable[[int], CrossingDetails],
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
        seen = said(int(rows[0]))
        findings.append(
            Finding(
                kind=KIND,
                subkind=_subkind(place, role, seen),
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
                    **seen.thresholds,
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
