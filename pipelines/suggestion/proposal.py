"""Proposals for a camera from its observation log: floor, doors, dwells, and a draft of the facility file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import cv2
import numpy as np

from incidents.coverage import WATCHED
from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.suggestion.doors import Door, Doors, find_doors
from pipelines.suggestion.draft import (
    RuleProposal,
    ZoneProposal,
    door_zone,
    floor_zone,
    free_names,
    with_proposals,
)
from pipelines.suggestion.dwells import (
    MIN_WATCHED_HOURS,
    Dwell,
    rule_proposals,
    suggest_dwells,
    zone_findings,
)
from pipelines.suggestion.floor import Floor, find_floor
from pipelines.suggestion.trajectories import Trajectories, read_trajectories
from vision import observations
from vision.frames import SECOND, to_iso
from zones.errors import LazarettoError
from zones.facility import Camera, Facility, Zone, ZoneType
from zones.geometry import signed_distance

DEFAULT_FALSE_ALARMS_PER_DAY = 0.2
"""Accepted false alarms per camera-day of each zone.

Project default (docs/defaults.md).
"""
DAY_US = 24 * 3600 * SECOND
SAME_FLOOR_IOU = 0.8
"""Least IoU at which a proposed floor is the same as a zone of the file.

Project default (docs/defaults.md).
"""
KNOWN_DOOR_DISTANCE_M = 0.5
"""A door within this distance of a zone through which people come and go is in the file already.

Project default (docs/defaults.md).
"""
_PASSAGE_TYPES = (ZoneType.ROOM_DOOR, ZoneType.GATE, ZoneType.PERIMETER)


@dataclass(frozen=True)
class Suggestion:
    """Proposals for a camera, with their evidence.

    Attributes:
        facility: the facility that they are for.
        camera: the camera that they are for.
        window: the part of the log that was used, [start, end), microseconds UTC.
        trajectories: how people moved in it, and for how long the camera was watched.
        floor, doors, dwells: what was found, whether or not the file has it already.
        zones, rules: what the draft adds and changes.
        alarms: number of alarms that each proposed door would have raised in the window, by id.
        rate: accepted false alarms per camera-day of each zone.
        notices: what is not proposed and why, and cautions.
    """

    facility: Facility
    camera: Camera
    window: tuple[int, int]
    trajectories: Trajectories
    floor: Floor | None
    doors: Doors
    dwells: tuple[Dwell, ...]
    zones: tuple[ZoneProposal, ...]
    rules: tuple[RuleProposal, ...]
    alarms: dict[str, int]
    rate: float
    notices: tuple[str, ...]

    def draft(self, name: str = "<text>") -> str | None:
        """The facility file with the proposals in it; None when there is nothing to change."""
        if not self.zones and not self.rules:
            return None
        return with_proposals(self.facility.text, self.camera.id, self.zones, self.rules, name)

    def to_dict(self) -> dict[str, Any]:
        """The proposals, ready for JSON."""
        return {
            "camera": self.camera.id,
            "facility_version": self.facility.version,
            "from": to_iso(self.window[0]),
            "to": to_iso(self.window[1]),
            "hours_watched": round(self.trajectories.watched_hours, 4),
            "tracks": self.trajectories.tracks,
            "people": self.trajectories.walker_count,
            "zones": [
                {
                    **json.loads(item.zone.model_dump_json(exclude_defaults=True)),
                    "evidence": item.evidence,
                    "alarms": self.alarms.get(item.zone.id, 0),
                }
                for item in self.zones
            ],
            "passages": [vars(passage) for passage in self.doors.passages],
            "rules": [vars(rule) for rule in self.rules],
            "rate": self.rate,
            "dwells": [dwell.to_dict() for dwell in self.dwells],
            "notices": list(self.notices),
        }


def suggest(
    home: Home,
    ledger: Ledger,
    facility: Facility,
    camera_id: str,
    window: tuple[int | None, int | None] = (None, None),
    rate: float = DEFAULT_FALSE_ALARMS_PER_DAY,
) -> Suggestion:
    """Propose floor, doors and dwells of a camera from its observation log.

    Args:
        home: the home folder with the observation log.
        ledger: has the coverage of the camera and the verdicts of reviewers.
        facility: the present facility file.
        camera_id: id of the camera.
        window: [start, end), microseconds UTC; None = the end of the log, and one day before the end.
        rate: accepted false alarms per camera-day of each zone or line.

    Raises:
        LazarettoError: the camera is unknown, the window is empty, or the log has no rows in it.
    """
    camera = facility.camera(camera_id)
    if not 0 < rate < np.inf:
        raise LazarettoError(f"expected a rate of false alarms per day above 0, got {rate:g}")
    span = _window(home, ledger, camera_id, window)
    seen = observations.read(home.path, camera_id, *span)
    if seen.is_empty():
        raise LazarettoError(
            f"{home.path}: expected observations of camera {camera_id!r} from {to_iso(span[0])} to "
            f"{to_iso(span[1])}, got none: analyse some of its footage first"
        )
    trajectories = read_trajectories(seen, facility, camera, _watched(ledger, camera_id, span))
    when = format_window(span, facility)
    floor, why = find_floor(trajectories)
    doors = find_doors(trajectories)
    recorded = ledger.incidents.find(*span, cameras=[camera_id])
    hours = trajectories.watched_hours
    dwells = suggest_dwells(seen, facility, camera, recorded, hours, rate)
    notices = [*_warnings(trajectories), *([why] if why else []), *doors.notices]
    new_floors, floor_notices = _floors(camera, floor, when)
    new_doors, door_notices = _doors(camera, trajectories, doors, when)
    rules, dwell_notices = rule_proposals(facility, dwells, when, hours, rate)
    alarms = dict.fromkeys((item.zone.id for item in new_doors), 0)
    if new_doors:
        for finding in zone_findings(seen, facility, _with_zones(camera, new_doors)):
            if finding.zone in alarms:
                alarms[finding.zone] += 1
        if sum(alarms.values()):
            door_notices.append(
                f"the proposed doors would have raised {sum(alarms.values())} alarm(s) in this time (staff "
                "without PPE and outsiders at any time, residents at curfew): check whether that is intended"
            )
    return Suggestion(
        facility=facility,
        camera=camera,
        window=span,
        trajectories=trajectories,
        floor=floor,
        doors=doors,
        dwells=dwells,
        zones=(*new_floors, *new_doors),
        rules=rules,
        alarms=alarms,
        rate=rate,
        notices=(*notices, *floor_notices, *door_notices, *dwell_notices),
    )


def format_window(window: tuple[int, int], facility: Facility) -> str:
    """A window in the facility's time zone, for people: 2026-11-24 08:00-20:00."""
    start, end = (datetime.fromtimestamp(t / SECOND, facility.tz) for t in window)
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M}-{until}" if until != f"{start:%H:%M}" else f"{start:%Y-%m-%d %H:%M}"


def _window(
    home: Home, ledger: Ledger, camera: str, requested: tuple[int | None, int | None]
) -> tuple[int, int]:
    held = observations.span(home.path, camera)
    if held is None:
        known = ", ".join(observations.cameras(home.path)) or "none"
        raise LazarettoError(
            f"{home.path}: expected observations of camera {camera!r}, got none (the log holds cameras: "
            f"{known}): analyse some of its footage first"
        )
    # Time in which the camera saw no person counts too, before the first row and after the last.
    around = _watched(ledger, camera, (held[0] - DAY_US, held[1] + DAY_US))
    low, high = (min(held[0], around[0][0]), max(held[1], around[-1][1])) if around else held
    end = min(requested[1] or high, high)
    start = max(requested[0] or end - DAY_US, low)
    if start >= end:
        raise LazarettoError(
            f"expected a time in which camera {camera!r} was watched ({to_iso(low)} to {to_iso(high)}), "
            "got none of it"
        )
    return start, end


def _watched(ledger: Ledger, camera: str, span: tuple[int, int]) -> list[tuple[int, int]]:
    intervals: list[tuple[int, int]] = []
    for item in ledger.coverage.of(camera, *span):
        if item.state not in WATCHED:
            continue
        if intervals and intervals[-1][1] == item.start:
            intervals[-1] = (intervals[-1][0], item.end)
        else:
            intervals.append((item.start, item.end))
    return intervals


def _warnings(trajectories: Trajectories) -> list[str]:
    found = []
    if trajectories.watched_hours < MIN_WATCHED_HOURS:
        found.append(
            f"the camera was watched for {trajectories.watched_hours:.2g} h only: the proposals do not show "
            "what people do at other times"
        )
    if not trajectories.ground.calibrated:
        found.append(
            "the camera is not calibrated: lengths are estimated from the height of people in the image, too "
            "short far from the camera and too long near it"
        )
    return found


def _floors(camera: Camera, floor: Floor | None, when: str) -> tuple[list[ZoneProposal], list[str]]:
    if floor is None:
        return [], []
    drawn = [zone for zone in camera.zones if zone.type is ZoneType.COMMON]
    new, notices = [], []
    for polygon in floor.polygons:
        same = next((zone for zone in drawn if polygon_iou(zone.polygon, polygon) >= SAME_FLOOR_IOU), None)
        if same is None:
            new.append(polygon)
        else:
            notices.append(f"the floor found is in the file already: zone {same.id}")
    names = free_names(camera, "floor", len(new))
    evidence = (
        f"walkable floor, suggested from {when}: {floor.people} people walked, and {floor.time_inside:.0%} "
        "of all time was spent inside; this zone denies no role anything"
    )
    return [
        ZoneProposal(floor_zone(n, polygon), evidence) for n, polygon in zip(names, new, strict=True)
    ], notices


def _doors(
    camera: Camera, trajectories: Trajectories, doors: Doors, when: str
) -> tuple[list[ZoneProposal], list[str]]:
    new, notices = [], []
    for door in doors.doors:
        known = _known(camera, trajectories, door)
        x, y = door.image_position
        if known is None:
            new.append(door)
        else:
            notices.append(
                f"a door found at [{x:.2f}, {y:.2f}], used by {door.tracks} "
                f"tracks, is in the file already: {known}"
            )
    names = free_names(camera, "door", len(new))
    return [
        ZoneProposal(
            door_zone(name, door.polygon),
            f"suggested from {when}: {door.tracks} of {doors.people} tracks began or ended here "
            f"({door.exits} came out, {door.entries} went in), expected by chance: {door.expected:.0f}",
        )
        for name, door in zip(names, new, strict=True)
    ], notices


def _known(camera: Camera, trajectories: Trajectories, door: Door) -> str | None:
    """The id of a zone or line through which people come and go at the door; None where there is none."""
    centre = np.asarray(door.position)[None]
    for zone in camera.zones:
        if zone.type in _PASSAGE_TYPES or zone.origin_role is not None:
            ring = trajectories.ground.to_floor(zone.polygon)
            if np.isfinite(ring).all() and signed_distance(centre, ring)[0] >= -KNOWN_DOOR_DISTANCE_M:
                return zone.id
    for line in camera.lines:
        ends = trajectories.ground.to_floor(line.points)
        if not np.isfinite(ends).all():
            continue
        if signed_distance(centre, ends[[0, 1, 1]])[0] >= -2 * KNOWN_DOOR_DISTANCE_M:
            return line.id
    return None


def _with_zones(camera: Camera, zones: Sequence[ZoneProposal]) -> Camera:
    added: tuple[Zone, ...] = tuple(item.zone for item in zones)
    return camera.model_copy(update={"zones": (*camera.zones, *added)})


def polygon_iou(one: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> float:
    """Intersection over union of two polygons, normalised, on a raster of 500 x 500."""
    sides = []
    for polygon in (one, other):
        corners = np.round(np.asarray(polygon, dtype=np.float64) * 500).astype(np.int32)
        sides.append(np.asarray(cv2.fillPoly(np.zeros((500, 500), np.uint8), [corners], 1)) > 0)
    return float((sides[0] & sides[1]).sum() / max((sides[0] | sides[1]).sum(), 1))
