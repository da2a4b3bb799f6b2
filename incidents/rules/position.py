"""Where foot points are relative to zones and lines, with a hysteresis against jitter.

On a calibrated camera, depths are metres on the ground, so that the far end of a corridor counts like the
near end. Otherwise they are shares of the frame height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from incidents.rules.episode import Bools, Codes, Floats
from incidents.rules.samples import Samples
from vision.ground import Foot, calibration_of
from zones.facility import Camera, Facility, Line, Zone, ZoneRule
from zones.geometry import inradius, is_simple, line_offset, segments_cross, signed_distance


@dataclass(frozen=True)
class Depth:
    """Position of each sample relative to a zone; arrays have shape (N,).

    Attributes:
        deep: inside by at least the hysteresis.
        outside: outside the polygon. A sample that is neither deep nor outside keeps the previous state.
        close: inside, or outside by no more than the hysteresis.
        hysteresis: the threshold that was applied, by name.
    """

    deep: Bools
    outside: Bools
    close: Bools
    hysteresis: dict[str, float]


@dataclass(frozen=True)
class Sides:
    """Position of each sample relative to a line; arrays have shape (N,).

    Attributes:
        side: +1 right of the line by at least the hysteresis, -1 left of it by as much, 0 nearer.
        step: +1 where the step from the previous row crosses the line from left to right, -1 from right to
            left.
        hysteresis: the threshold that was applied, by name.
    """

    side: Codes
    step: Codes
    hysteresis: dict[str, float]


def depth_in(samples: Samples, zone: Zone, camera: Camera, rule: ZoneRule) -> Depth:
    """Compare every foot point with a zone.

    The hysteresis is at most half of the polygon's inradius: otherwise no sample could be deep in a zone
    narrower than twice the configured hysteresis. On a calibrated camera, a polygon that reaches the horizon
    has no outline on the ground and is compared in the frame. Foot points without a ground position are above
    the horizon, and outside all other zones.
    """
    deep, close = np.zeros((2, len(samples)), dtype=np.bool_)
    outside = np.ones(len(samples), dtype=np.bool_)
    used: dict[str, float] = {}
    for aspect in samples.aspects():
        rows = np.flatnonzero(samples.aspect == aspect)
        ring = on_ground(zone.polygon, camera, aspect)
        if ring is not None and is_simple(ring):
            points, name, wanted = samples.ground.take(rows, axis=0), "hysteresis_m", rule.hysteresis_m
        else:
            points = samples.isotropic().take(rows, axis=0)
            name, wanted = "hysteresis_frame", rule.hysteresis_frame
            ring = np.asarray(zone.polygon) * (aspect, 1.0)
        margin = min(wanted, inradius(ring) / 2)
        # Exact distances only within the bounding box of the zone: most people are far from most zones.
        (left, top), (right, bottom) = ring.min(axis=0) - margin, ring.max(axis=0) + margin
        x, y = points.T
        near = np.flatnonzero((x >= left) & (x <= right) & (y >= top) & (y <= bottom))
        rows, depth = rows[near], signed_distance(points.take(near, axis=0), ring)
        deep[rows], outside[rows], close[rows] = depth >= margin, depth < 0, depth >= -margin
        used[name] = round(margin, 6)
    return Depth(deep, outside, close, used)


def uncertain_position(samples: Samples, rule: ZoneRule) -> Bools:
    """Rows (N,) whose position is too uncertain to enter a zone or cross a line.

    These are samples whose feet are hidden and cannot be placed, or may be hidden and are placed with a
    standard error over `max_position_se_m` and over the hysteresis. Feet that are seen are never uncertain
    here: a zone is drawn in the image, so an error of the calibration moves the zone and the people in it
        alike.
    """
    limit = max(rule.hysteresis_m, rule.max_position_se_m)
    vague = (samples.found != Foot.SEEN) & ~(samples.ground_se <= limit)
    return np.asarray(vague, dtype=np.bool_)


def position_notices(samples: Samples, facility: Facility, camera: Camera) -> list[str]:
    """Sentences about observations in which feet were not seen."""
    hidden = int(np.isin(samples.found, (Foot.INFERRED, Foot.UNPLACED)).sum())
    lost = int((samples.found == Foot.UNPLACED).sum())
    vague = int(uncertain_position(samples, facility.rules.zone).sum()) - lost
    notices = []
    if hidden:
        notices.append(
            f"camera {camera.id}: feet were hidden in {hidden} of {len(samples)} observations, by the lower "
            f"edge of the frame or furniture: {hidden - lost} placed by the head, {lost} not assessable"
            f"{': zones, lines and contact are not evaluated for those' if lost else ''}"
        )
    if vague:
        notices.append(
            f"camera {camera.id}: in {vague} of {len(samples)} observations, a person is partly hidden, sits "
            f"or is small, and the standard error of the position is over "
            f"{facility.rules.zone.max_position_se_m:g} m: those do not count as entering a zone"
        )
    return notices


def sides_of(samples: Samples, line: Line, camera: Camera, rule: ZoneRule) -> Sides:
    """Compare every foot point, and every step from the previous row, with a line.

    Left and right are those of the image. On a calibrated camera the distance from the line is in metres. A
    foot point without a ground position on a calibrated camera is on neither side; nor is an uncertain
    position.
    """
    a, b = np.asarray(line.points, dtype=np.float64)
    offset = np.full(len(samples), np.nan)
    far = np.zeros(len(samples), dtype=np.bool_)
    used: dict[str, float] = {}
    for aspect in samples.aspects():
        rows = np.flatnonzero(samples.aspect == aspect)
        scale = np.array([aspect, 1.0])
        offset[rows] = line_offset(samples.foot[rows] * scale, a * scale, b * scale)
        ends = on_ground(line.points, camera, aspect)
        if ends is not None:
            distance, name, wanted = (
                line_offset(samples.ground[rows], *ends),
                "hysteresis_m",
                rule.hysteresis_m,
            )
        else:
            distance, name, wanted = offset[rows], "hysteresis_frame", rule.hysteresis_frame
        far[rows] = np.abs(distance) >= wanted
        used[name] = wanted
    far &= ~uncertain_position(samples, rule)
    step = np.zeros(len(samples), dtype=np.int8)
    step[1:] = segments_cross(samples.foot[:-1], samples.foot[1:], a, b)
    return Sides(np.where(far, np.sign(offset), 0).astype(np.int8), step, used)


def on_ground(points: npt.ArrayLike, camera: Camera, aspect: float) -> Floats | None:
    """Normalised image points (K, 2) on the ground, m; None if any of them has no place there."""
    if camera.calibration is None:
        return None
    plane = calibration_of(camera.calibration, aspect)
    ground = np.asarray(plane.ground(np.asarray(points, dtype=np.float64)), dtype=np.float64)
    # A calibration whose error could not be checked is not used.
    return ground if np.isfinite(plane.check_error) and np.isfinite(ground).all() else None
