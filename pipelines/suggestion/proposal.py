"""What a day of tracks suggests for a camera: floor, doors, dwells, and the draft that holds them."""

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
from incidents.rules.zone import evaluate_zones
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
from pipelines.suggestion.floor import Floor, find_floor
from pipelines.suggestion.thresholds import SHORT_H, Dwell, find_dwells, rule_proposals
from pipelines.suggestion.walks import Walks, walks
from vision import observations
from vision.frames import SECOND, to_iso
from zones.errors import LazarettoError
from zones.facility import Camera, Facility, Zone, ZoneType
from zones.geometry import signed_distance

RATE = 0.2
"""False alarms per camera-day of a zone that are borne [D]: the target of domain.md for zones."""
DAY = 24 * 3600 * SECOND
SAME = 0.8
"""Overlap (IoU) from which a floor proposed is one that is drawn already [D]."""
NEAR_M = 0.5
"""A door this near to a zone where people are known to come and go is drawn already [D]."""
_PASSED = (ZoneType.ROOM_DOOR, ZoneType.GATE, ZoneType.PERIMETER)


@dataclass(frozen=True)
class Suggestion:
    """What is proposed for a camera, with its evidence.

    Attributes:
        facility, camera: what it is proposed for.
        window: of the log that it rests on, [start, end), microseconds UTC.
        walk: how people moved in it, and for how long the camera was watched.
        floor, doors, dwells: what was found, drawn already or not.
        zones, rules: what the draft adds and changes.
        alarms: how many alarms the proposed doors would have given in this time, by id.
        rate: false alarms per camera-day that were allowed to each zone.
        notices: what is not proposed and why, and what to beware of.
    """

    facility: Facility
    camera: Camera
    window: tuple[int, int]
    walk: Walks
    floor: Floor | None
    doors: Doors
    dwells: tuple[Dwell, ...]
    zones: tuple[ZoneProposal, ...]
    rules: tuple[RuleProposal, ...]
    alarms: dict[str, int]
    rate: float
    notices: tuple[str, ...]

    def draft(self, name: str = "<text>") -> str | None:
        """The facility file with the proposals in it; None when there is nothing to change in it."""
        if not self.zones and not self.rules:
            return None
        return with_proposals(self.facility.text, self.camera.id, self.zones, self.rules, name)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "camera": self.camera.id,
            "facility_version": self.facility.version,
            "from": to_iso(self.window[0]),
            "to": to_iso(self.window[1]),
            "hours_watched": round(self.walk.hours, 4),
            "tracks": self.walk.tracks,
            "people": self.walk.walkers,
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
    rate: float = RATE,
) -> Suggestion:
    """Propose floor, doors and dwells of a camera from its observation log.

    Args:
        home: its log is read.
        ledger: it tells when the camera was watched, and what reviewers decided.
        facility: the file as it is.
        camera_id: the camera.
        window: [start, end), microseconds UTC; None = the end of the log, and a day before that.
        rate: false alarms per camera-day allowed to each zone or line.

    Raises:
        LazarettoError: an unknown camera, an empty window, a log without rows in it or that cannot be read.
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
    walk = walks(seen, facility, camera, _watched(ledger, camera_id, span))
    when = spoken(span, facility)
    floor, why = find_floor(walk)
    doors = find_doors(walk)
    recorded = ledger.incidents.find(*span, cameras=[camera_id])
    dwells = find_dwells(walk.samples, facility, camera, recorded, walk.hours, rate)
    notices = [*_warnings(walk), *([why] if why else []), *doors.notices]
    floors, said = _floors(camera, floor, when)
    fresh, more = _doors(camera, walk, doors, when)
    rules, last = rule_proposals(facility, dwells, when, walk.hours, rate)
    proposed = Facility.model_copy(facility, update={"cameras": (_with(camera, fresh),)})
    alarms = dict.fromkeys((item.zone.id for item in fresh), 0)
    if fresh:
        for finding in evaluate_zones(walk.samples, proposed, proposed.cameras[0]):
            if finding.zone in alarms:
                alarms[finding.zone] += 1
        if sum(alarms.values()):
            last = [
                f"the proposed doors would have raised {sum(alarms.values())} alarm(s) in this time (staff "
                "without PPE and outsiders at any time, residents at curfew): see whether that is meant",
                *last,
            ]
    return Suggestion(
        facility=facility,
        camera=camera,
        window=span,
        walk=walk,
        floor=floor,
        doors=doors,
        dwells=dwells,
        zones=(*floors, *fresh),
        rules=rules,
        alarms=alarms,
        rate=rate,
        notices=(*notices, *said, *more, *last),
    )


def spoken(window: tuple[int, int], facility: Facility) -> str:
    """A stretch of time as people of the facility say it: 2026-11-24 08:00-20:00."""
    start, end = (datetime.fromtimestamp(t / SECOND, facility.tz) for t in window)
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M}-{until}" if until != f"{start:%H:%M}" else f"{start:%Y-%m-%d %H:%M}"


def _window(home: Home, ledger: Ledger, camera: str, asked: tuple[int | None, int | None]) -> tuple[int, int]:
    held = observations.span(home.path, camera)
    if held is None:
        known = ", ".join(observations.cameras(home.path)) or "none"
        raise LazarettoError(
            f"{home.path}: expected observations of camera {camera!r}, got none (the log holds cameras: "
            f"{known}): analyse some of its footage first"
        )
    # Watching with nobody in view counts too, before the first row and after the last.
    around = _watched(ledger, camera, (held[0] - DAY, held[1] + DAY))
    low, high = (min(held[0], around[0][0]), max(held[1], around[-1][1])) if around else held
    end = min(asked[1] or high, high)
    start = max(asked[0] or end - DAY, low)
    if start >= end:
        raise LazarettoError(
            f"expected a time in which camera {camera!r} was watched ({to_iso(low)} to {to_iso(high)}), "
            "got none of it"
        )
    return start, end


def _watched(ledger: Ledger, camera: str, span: tuple[int, int]) -> list[tuple[int, int]]:
    stretches: list[tuple[int, int]] = []
    for item in ledger.coverage.of(camera, *span):
        if item.state not in WATCHED:
            continue
        if stretches and stretches[-1][1] == item.start:
            stretches[-1] = (stretches[-1][0], item.end)
        else:
            stretches.append((item.start, item.end))
    return stretches


def _warnings(walk: Walks) -> list[str]:
    found = []
    if walk.hours < SHORT_H:
        found.append(
            f"the camera was watched for {walk.hours:.2g} h only: what people do at other times is not in it"
        )
    if not walk.surface.calibrated:
        found.append(
            "the camera is not calibrated: lengths are guessed from the height of people in the picture, too "
            "short far from the camera and too long near it"
        )
    return found


def _floors(camera: Camera, floor: Floor | None, when: str) -> tuple[list[ZoneProposal], list[str]]:
    if floor is None:
        return [], []
    drawn = [zone for zone in camera.zones if zone.type is ZoneType.COMMON]
    fresh, notices = [], []
    for polygon in floor.polygons:
        same = next((zone for zone in drawn if overlap(zone.polygon, polygon) >= SAME), None)
        if same is None:
            fresh.append(polygon)
        else:
            notices.append(f"the floor found is drawn already: zone {same.id}")
    names = free_names(camera, "floor", len(fresh))
    evidence = (
        f"walkable floor, suggested from {when}: {floor.samples_inside:.0%} of the time of {floor.walkers} "
        "people who walked was spent inside; it denies nobody anything"
    )
    return [
        ZoneProposal(floor_zone(n, polygon), evidence) for n, polygon in zip(names, fresh, strict=True)
    ], notices


def _doors(camera: Camera, walk: Walks, doors: Doors, when: str) -> tuple[list[ZoneProposal], list[str]]:
    fresh, notices = [], []
    for door in doors.doors:
        known = _known(camera, walk, door)
        if known is None:
            fresh.append(door)
        else:
            notices.append(
                f"a door found at [{door.middle[0]:.2f}, {door.middle[1]:.2f}], used by {door.tracks} "
                f"tracks, is drawn already: {known}"
            )
    names = free_names(camera, "door", len(fresh))
    return [
        ZoneProposal(
            door_zone(name, door.polygon),
            f"suggested from {when}: {door.tracks} of {doors.paths} tracks began or ended here "
            f"({door.exits} came out, {door.entries} went in), chance would give {door.expected:.0f}",
        )
        for name, door in zip(names, fresh, strict=True)
    ], notices


def _known(camera: Camera, walk: Walks, door: Door) -> str | None:
    """The id of a zone or line that stands for people coming and going where the door is."""
    middle = np.asarray(door.place)[None]
    for zone in camera.zones:
        if zone.type in _PASSED or zone.origin_role is not None:
            ring = walk.surface.to_floor(zone.polygon)
            if np.isfinite(ring).all() and signed_distance(middle, ring)[0] >= -NEAR_M:
                return zone.id
    for line in camera.lines:
        ends = walk.surface.to_floor(line.points)
        if np.isfinite(ends).all() and signed_distance(middle, ends[[0, 1, 1]])[0] >= -2 * NEAR_M:
            return line.id
    return None


def _with(camera: Camera, zones: Sequence[ZoneProposal]) -> Camera:
    added: tuple[Zone, ...] = tuple(item.zone for item in zones)
    return camera.model_copy(update={"zones": (*camera.zones, *added)})


def overlap(one: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> float:
    """Intersection over union of two polygons, normalised, on a raster of 500 x 500."""
    sides = []
    for polygon in (one, other):
        corners = np.round(np.asarray(polygon, dtype=np.float64) * 500).astype(np.int32)
        sides.append(np.asarray(cv2.fillPoly(np.zeros((500, 500), np.uint8), [corners], 1)) > 0)
    return float((sides[0] & sides[1]).sum() / max((sides[0] | sides[1]).sum(), 1))
