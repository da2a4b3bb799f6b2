"""A camera of a facility file as numbers, in the form in which the machines read it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from incidents.rules.compiling import records
from incidents.rules.machines.tables import Sizes, Table
from vision.frames import SECOND
from vision.ground import calibration_of
from zones.facility import Camera, Direction, Facility, Line, Pair, Role, Zone, ZoneRule, ZoneType
from zones.geometry import inradius, is_simple
from zones.people import FRAME_EDGE_SHARE
from zones.permission import can_deny, permissions

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]

ROLES = tuple(Role)
"""The order behind the role codes of the machines."""
UNKNOWN = ROLES.index(Role.UNKNOWN)
SHORT_DWELL = frozenset({ZoneType.GATE, ZoneType.PERIMETER, ZoneType.ROOM_DOOR})
"""Types with the shorter dwell, because people pass them instead of staying there."""
MINUTES = 1440
COLUMNS = {Direction.LEFT_TO_RIGHT: 0, Direction.RIGHT_TO_LEFT: 1}
"""Column of `Plan.denied` of each direction."""
MIN_SAMPLES = 3
"""Fewest samples of an episode at which its condition holds. Two samples are noise, even on either side of a
gap that is short enough to be bridged. Project default (docs/defaults.md)."""
WALKING_M_S = 1.4
"""Walking speed, m/s. Distances of a pair are computed up to this speed times half of the bridged gap beyond
`release_m`. A pair that parts and meets again within the gap then has samples apart, unlike a pair that was
out of sight. Project default (docs/defaults.md)."""
MIN_STEP_BACK = 3.0
"""How far a person must have moved in the wrong direction of a one-way zone, in units of the hysteresis: 0.9
m by default, more than a step aside. Project default (docs/defaults.md)."""
LINK_DELAY_US = 1 * SECOND
"""Time from the start of a track to the decision whether it continues another one, microseconds: that of the
velocity from which the decision is taken. Project default (docs/defaults.md)."""
MIN_VOTE_INTERVAL_US = SECOND // 10
"""A mask vote sooner than this after the one before is of the same view of the face, and is not counted.
Project default (docs/defaults.md)."""


SETTINGS = np.dtype(
    [
        ("aspect", "f8"),
        ("metric", "i1"),  # distances between people are accurate enough
        ("unexplained", "f8"),  # of the calibration, m
        ("default_role", "i8"),
        ("default_confidence", "f8"),
        ("known_from", "f8"),
        # Times in microseconds, lengths in metres or frame heights.
        ("merge", "i8"),
        ("zone_gap", "i8"),
        ("max_position_se", "f8"),
        ("edge", "f8"),
        ("link_delay", "i8"),
        ("min_samples", "i8"),
        ("mask_min_samples", "i8"),
        ("mask_window", "i8"),
        ("mask_span", "i8"),
        ("mask_share", "f8"),
        ("mask_min_change", "f8"),
        ("mask_changing_share", "f8"),
        ("mask_vote_interval", "i8"),
        ("swab", "i8"),
        ("contact", "i1"),
        ("reach", "f8"),
        ("distance", "f8"),
        ("release", "f8"),
        ("contact_dwell", "i8"),
        ("contact_gap", "i8"),
        ("max_distance_se", "f8"),
        ("touch", "f8"),
        ("touch_dwell", "i8"),
        ("gathering_distance", "f8"),
        ("gathering_people", "i8"),
        ("gathering_dwell", "i8"),
        ("gathering_gap", "i8"),
        ("retention", "i8"),
    ]
)
ZONE = np.dtype(
    [
        ("low", "i8"),  # its corners are those from `low` to `high` - 1
        ("high", "i8"),
        ("ground", "i1"),  # compared on the ground, m, not in frame heights
        ("margin", "f8"),  # hysteresis
        ("left", "f8"),  # its bounding box, with the margin
        ("top", "f8"),
        ("right", "f8"),
        ("bottom", "f8"),
        ("watched", "i1"),  # it has machines
        ("exempt", "i1"),  # of masks
        ("care", "i8"),  # number of the care station, or -1
        ("door", "i8"),  # number of the door, or -1
        ("origin_role", "i8"),  # or -1
        ("origin_confidence", "f8"),
        ("way", "i8"),  # number of the one-way zone, or -1
        ("way_x", "f8"),  # unit vector of the way that is allowed
        ("way_y", "f8"),
        ("way_ground", "i1"),
        ("step_back", "f8"),
    ]
)
LINE_PLAN = np.dtype(
    [
        ("ax", "f8"),  # ends, normalised
        ("ay", "f8"),
        ("bx", "f8"),
        ("by", "f8"),
        ("ground", "i1"),
        ("gax", "f8"),  # ends on the ground, m
        ("gay", "f8"),
        ("gbx", "f8"),
        ("gby", "f8"),
        ("hysteresis", "f8"),
        ("dwell", "i8"),
        ("door", "i8"),  # number of the door from left to right, the next one is the other way; or -1
    ]
)
MACHINE = np.dtype([("zone", "i8"), ("line", "i8"), ("wrong_way", "i1"), ("dwell", "i8")])
"""For the roles that a zone or line treats alike; zone or line is -1."""


class Plan(NamedTuple):
    """The numbers: Z zones, L lines, M machines, R corners of all zones, K columns."""

    settings: Table  # (1,)
    homography: Floats  # (3, 3)
    factor: Floats  # (9, K)
    corners: Floats  # (R, 4) in metres or frame heights, and normalised
    zones: Table  # (Z,)
    lines: Table  # (L,)
    machines: Table  # (M,) in the order of their zones, then of their lines
    denied: Bools  # (M, 2, MINUTES) from left to right or in a zone, from right to left; by local minute


@dataclass(frozen=True)
class Machine:
    """A machine of a zone or line for the roles that it treats alike.

    Attributes:
        place: the zone or line.
        roles: the roles that it denies at some time of the day.
        wrong_way: whether it holds for people who walk the wrong way through a one-way zone.
    """

    place: Zone | Line
    roles: frozenset[Role]
    wrong_way: bool


@dataclass(frozen=True)
class CameraPlan:
    """A camera's plan for one aspect of the frame, and what its numbers stand for.

    Attributes:
        plan: the numbers.
        machines: the machines of zones and lines, by their number.
        care: the care stations, by their number.
        sizes: of the tables.
        reason: why distances are not measured, or None.
        hysteresis: for each zone and line, the name and the value of its hysteresis.
    """

    plan: Plan
    machines: tuple[Machine, ...]
    care: tuple[Zone, ...]
    sizes: Sizes
    reason: str | None
    hysteresis: dict[str, tuple[str, float]]


def microseconds(seconds: float) -> int:
    """Seconds as a whole number of microseconds."""
    return round(seconds * SECOND)


def dwell_of(kind: ZoneType, rule: ZoneRule) -> float:
    """Shortest stay in a zone of this type, or beyond a line of this type, that counts, s."""
    return rule.dwell_gate_s if kind in SHORT_DWELL else rule.dwell_s


def plan_camera(facility: Facility, camera: Camera, aspect: float) -> CameraPlan:
    """The plan of a camera whose frames have an aspect (width / height).

    Raises:
        CalibrationError: the calibration points of the camera do not determine the ground plane.
    """
    rules = facility.rules
    machines = _machines(facility, camera)
    care = tuple(zone for zone in camera.zones if zone.type is ZoneType.CARE_STATION)
    plane = None if camera.calibration is None else calibration_of(camera.calibration, aspect)
    metric, reason = _metric(camera, aspect, rules.contact.max_calibration_error_m)
    checked = plane is not None and math.isfinite(plane.check_error)

    def on_ground(points: npt.ArrayLike) -> Floats | None:
        if plane is None or not checked:
            return None
        ground = np.asarray(plane.ground(np.asarray(points, dtype=np.float64)), dtype=np.float64)
        return ground if np.isfinite(ground).all() else None

    hysteresis: dict[str, tuple[str, float]] = {}
    rings: list[Floats] = []
    zones = np.zeros(len(camera.zones), ZONE)
    corner = door = ways = 0
    for number, zone in enumerate(camera.zones):
        polygon = np.asarray(zone.polygon, dtype=np.float64)
        ring = on_ground(polygon)
        metres = ring is not None and is_simple(ring)
        if ring is None or not metres:
            ring = polygon * (aspect, 1.0)
        name, wanted = _hysteresis(metres, rules.zone)
        # Otherwise no sample could be deep in a zone narrower than twice the configured hysteresis.
        margin = min(wanted, inradius(ring) / 2)
        hysteresis[zone.id] = name, round(margin, 6)
        rings.append(np.column_stack([ring, polygon]))
        item = zones[number]
        item["low"], item["high"] = corner, corner + len(ring)
        corner += len(ring)
        item["ground"], item["margin"] = metres, margin
        item["left"], item["top"] = ring.min(axis=0) - margin
        item["right"], item["bottom"] = ring.max(axis=0) + margin
        item["watched"] = can_deny(zone)
        item["exempt"] = zone.type is ZoneType.EXEMPT
        item["care"] = care.index(zone) if zone in care else -1
        item["door"] = door if zone.type is ZoneType.ROOM_DOOR else -1
        door += zone.type is ZoneType.ROOM_DOOR
        origin = zone.origin_role if zone.type is not ZoneType.EXEMPT else None
        item["origin_role"] = -1 if origin is None else ROLES.index(origin)
        item["origin_confidence"] = zone.origin_confidence
        item["way"] = -1
        if zone.toward is not None:
            arrow = np.vstack([polygon.mean(axis=0), zone.toward])
            ends = on_ground(arrow)
            item["way"], item["way_ground"] = ways, ends is not None
            ways += 1
            step = _hysteresis(ends is not None, rules.zone)[1]
            if ends is None:
                ends = arrow * (aspect, 1.0)
            item["way_x"], item["way_y"] = (ends[1] - ends[0]) / math.hypot(*(ends[1] - ends[0]))
            item["step_back"] = MIN_STEP_BACK * step

    lines = np.zeros(len(camera.lines), LINE_PLAN)
    for number, line in enumerate(camera.lines):
        ends = on_ground(line.points)
        hysteresis[line.id] = _hysteresis(ends is not None, rules.zone)
        item = lines[number]
        (item["ax"], item["ay"]), (item["bx"], item["by"]) = line.points
        item["ground"] = ends is not None
        if ends is not None:
            item["gax"], item["gay"], item["gbx"], item["gby"] = ends.ravel()
        item["hysteresis"] = hysteresis[line.id][1]
        item["dwell"] = microseconds(dwell_of(line.type, rules.zone))
        item["door"] = door if line.type is ZoneType.ROOM_DOOR else -1
        door += 2 * (line.type is ZoneType.ROOM_DOOR)

    table = np.zeros(len(machines), MACHINE)
    denied = np.zeros((len(machines), 2, MINUTES), dtype=np.bool_)
    for number, machine in enumerate(machines):
        item = table[number]
        item["zone"] = camera.zones.index(machine.place) if isinstance(machine.place, Zone) else -1
        item["line"] = -1 if isinstance(machine.place, Zone) else camera.lines.index(machine.place)
        item["wrong_way"] = machine.wrong_way
        item["dwell"] = microseconds(dwell_of(machine.place.type, rules.zone))
        for direction, column in COLUMNS.items():
            denied[number, column] = _denied_minutes(machine, facility, direction)

    contact, mask, gathering = rules.contact, rules.mask, rules.gathering
    gap = max(rules.zone.max_gap_s, contact.max_gap_s, gathering.max_gap_s, mask.window_s)
    settings = np.zeros(1, SETTINGS)
    values = {
        "aspect": aspect,
        "metric": metric,
        "unexplained": 0.0 if plane is None else plane.unexplained,
        "default_role": ROLES.index(camera.default_role),
        "default_confidence": camera.default_role_confidence,
        "known_from": rules.role_confidence,
        "merge": microseconds(rules.merge_s),
        "zone_gap": microseconds(rules.zone.max_gap_s),
        "max_position_se": max(rules.zone.hysteresis_m, rules.zone.max_position_se_m),
        "edge": FRAME_EDGE_SHARE,
        "link_delay": LINK_DELAY_US,
        "min_samples": MIN_SAMPLES,
        "mask_min_samples": mask.min_samples,
        "mask_window": microseconds(mask.window_s),
        "mask_span": microseconds(mask.min_span_s),
        "mask_share": mask.share,
        "mask_min_change": mask.min_change,
        "mask_changing_share": mask.min_changing_share,
        "mask_vote_interval": MIN_VOTE_INTERVAL_US,
        "swab": microseconds(mask.swab_s),
        "contact": bool(camera.contact_pairs),
        "reach": contact.release_m + WALKING_M_S * contact.max_gap_s / 2,
        "distance": contact.distance_m,
        "release": contact.release_m,
        "contact_dwell": microseconds(contact.min_s),
        "contact_gap": microseconds(contact.max_gap_s),
        "max_distance_se": contact.max_distance_se_m,
        "touch": contact.touch_m,
        "touch_dwell": microseconds(contact.touch_s),
        "gathering_distance": gathering.distance_m,
        "gathering_people": gathering.min_people,
        "gathering_dwell": microseconds(gathering.min_s),
        "gathering_gap": microseconds(gathering.max_gap_s),
        "retention": microseconds(2 * gap + rules.merge_s) + 60 * SECOND,
    }
    for name, value in values.items():
        settings[name] = value
    plan = Plan(
        settings=records(settings),
        homography=np.zeros((3, 3)) if plane is None else np.ascontiguousarray(plane.homography),
        factor=np.zeros((9, 0)) if plane is None else np.ascontiguousarray(plane.factor),
        corners=np.ascontiguousarray(np.concatenate(rings)) if rings else np.zeros((0, 4)),
        zones=records(zones),
        lines=records(lines),
        machines=records(table),
        denied=denied,
    )
    sizes = Sizes(
        machines=len(machines),
        zones=len(zones),
        lines=len(lines),
        one_way=ways,
        doors=door,
        votes=int(mask.window_s * SECOND / MIN_VOTE_INTERVAL_US) + 2,
        contacts=1 if not care else 2 + len(care),
        bins=math.ceil(contact.release_m * 100) + 1,
        gathering_bins=math.ceil(gathering.distance_m * 100) + 1,
    )
    return CameraPlan(plan, machines, care, sizes, reason, hysteresis)


def _hysteresis(metres: bool, rule: ZoneRule) -> tuple[str, float]:
    """Name and value of the hysteresis, in metres or frame heights."""
    return ("hysteresis_m", rule.hysteresis_m) if metres else ("hysteresis_frame", rule.hysteresis_frame)


def pair_subkinds(camera: Camera) -> Mapping[frozenset[Role], Pair]:
    """The pairs of roles that the camera watches, with their subkind. One role alone is a pair of it."""
    return _pair_subkinds(camera.contact_pairs)


@lru_cache(maxsize=64)
def _pair_subkinds(watched: tuple[Pair, ...]) -> Mapping[frozenset[Role], Pair]:
    staff = {Role.STAFF_PPE, Role.STAFF_NO_PPE}
    found: dict[frozenset[Role], Pair] = {}
    for one in Role:
        for other in Role:
            roles = frozenset({one, other})
            if Role.OUTSIDER in roles:
                # Two outsiders are not a pair.
                kind = Pair.OUTSIDER_ANY if len(roles) == 2 else None
            elif roles == {Role.RESIDENT}:
                kind = Pair.RESIDENT_RESIDENT
            else:
                kind = Pair.STAFF_RESIDENT if Role.RESIDENT in roles and roles & staff else None
            if kind is not None and kind in watched:
                found[roles] = kind
    return found


def _machines(facility: Facility, camera: Camera) -> tuple[Machine, ...]:
    places: tuple[Zone | Line, ...] = (*camera.zones, *camera.lines)
    return tuple(
        Machine(place, roles, isinstance(place, Zone) and place.toward is not None)
        for place in places
        if can_deny(place)
        for roles in _classes(place, facility)
    )


def _classes(place: Zone | Line, facility: Facility) -> list[frozenset[Role]]:
    """The roles that a place denies at some time, grouped by the times and directions at which it does."""
    denials: dict[Role, list[tuple[int, Direction | None]]] = {role: [] for role in Role}
    for case, permission in permissions(place, facility).items():
        if permission.denied:
            denials[case.role].append((case.minute, case.direction))
    groups: dict[frozenset[tuple[int, Direction | None]], set[Role]] = {}
    for role, denied in denials.items():
        if denied:
            groups.setdefault(frozenset(denied), set()).add(role)
    return [frozenset(roles) for roles in groups.values()]


def _denied_minutes(machine: Machine, facility: Facility, direction: Direction) -> Bools:
    """Whether the machine's roles are denied a zone, or a line in a direction; (MINUTES,) by minute of the
    local day."""
    role = next(iter(machine.roles))
    result = np.zeros(MINUTES, dtype=np.bool_)
    changes = sorted(
        (case.minute, permission.denied)
        for case, permission in permissions(machine.place, facility).items()
        if case.role is role and case.direction in (None, direction)
    )
    # Schedules change at these minutes only, of which midnight is one.
    for minute, denied in changes:
        result[minute:] = denied
    return result


def _metric(camera: Camera, aspect: float, limit_m: float) -> tuple[bool, str | None]:
    """Whether distances are accurate enough, and the reason why they are not."""
    if camera.calibration is None:
        return False, "no calibration points"
    error = calibration_of(camera.calibration, aspect).check_error
    if error <= limit_m:
        return True, None
    if math.isfinite(error):
        return False, f"check error {error:.2f} m, expected at most {limit_m:.2f} m"
    return False, (
        "check error not known: expected check points, or more than four calibration points, "
        "or check lengths beside a rectangle"
    )
