"""Zones that no foot point can enter, lines that none can cross, and cameras without usable metres."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zones.calibration import Calibration, CalibrationError, calibrate
from zones.camera import Camera, Line, Zone
from zones.checking.findings import Check, Remarks, note, warn
from zones.checking.overlap import grid
from zones.facility import Facility
from zones.geometry import inradius, is_simple
from zones.validation import Loc

MIN_NOTED_SHARE_ABOVE_HORIZON = 0.2
"""Least share of a zone or line above the horizon that is worth a note.

Project default (docs/defaults.md).
"""
_LINE_STEPS = 80
"""Points of a line that are tested."""


def shapes(facility: Facility, camera: Camera, loc: Loc, aspect: float) -> Remarks:
    """Remarks on the geometry of a camera whose image has the given width over height."""
    plane: Calibration | None = None
    if camera.calibration is not None:
        try:
            plane = calibrate(camera.calibration, aspect)
        except CalibrationError as error:
            sentence = f"the calibration determines no ground plane: {error}"
            yield warn(Check.NO_PLANE, camera.id, (*loc, "calibration"), sentence)
    yield from _contact(facility, camera, plane, loc)
    # A calibration whose error is unknown counts as none, as in the rules.
    ground = plane if plane is not None and np.isfinite(plane.check_error) else None
    for i, zone in enumerate(camera.zones):
        yield from _zone(facility, camera, zone, (*loc, "zones", i, "polygon"), ground, aspect)
    for i, line in enumerate(camera.lines):
        yield from _line(facility, camera, line, (*loc, "lines", i, "points"), ground, aspect)


def above_horizon(camera: Camera, aspect: float) -> frozenset[str]:
    """Ids of the zones and lines that lie wholly above the horizon: no person can enter or cross them.

    Empty for a camera without a usable calibration. `aspect` is the width over the height of the image.
    """
    if camera.calibration is None:
        return frozenset()
    try:
        plane = calibrate(camera.calibration, aspect)
    except CalibrationError:
        return frozenset()
    if not np.isfinite(plane.check_error):
        return frozenset()
    return frozenset(part.id for _, part in camera.parts() if _share_above(plane, _points_of(part)) == 1.0)


def _points_of(part: Zone | Line) -> npt.NDArray[np.float64]:
    """Points (N, 2) within a zone or along a line, evenly spaced in the image."""
    if isinstance(part, Zone):
        return grid(part)
    return np.linspace(part.points[0], part.points[1], _LINE_STEPS)


def _share_above(plane: Calibration, points: npt.NDArray[np.float64]) -> float:
    """The share of the points at or above the horizon; 0 of none."""
    return float(np.isnan(plane.ground(points)[:, 0]).mean()) if len(points) else 0.0


def _contact(facility: Facility, camera: Camera, plane: Calibration | None, loc: Loc) -> Remarks:
    if not camera.contact_pairs:
        return
    if plane is None:
        sentence = "no contact is evaluated: the camera has no calibration (lazaretto calibrate)"
        if "contact_pairs" in camera.model_fields_set:
            yield warn(Check.NO_CONTACT, camera.id, (*loc, "contact_pairs"), sentence)
        else:
            yield note(Check.NO_CONTACT, camera.id, loc, sentence)
        return
    accepted = facility.rules.contact.max_calibration_error_m
    if plane.check_error > accepted:
        error = f"{plane.check_error:.2f} m" if np.isfinite(plane.check_error) else "unknown"
        yield warn(
            Check.NO_CONTACT,
            camera.id,
            (*loc, "calibration"),
            f"no contact is evaluated: the check error of the calibration is {error}, "
            f"and at most {accepted:g} m is accepted",
        )


def _zone(
    facility: Facility, camera: Camera, zone: Zone, loc: Loc, ground: Calibration | None, aspect: float
) -> Remarks:
    rule = facility.rules.zone
    ring = np.asarray(zone.polygon) * (aspect, 1.0)
    wanted, unit = rule.hysteresis_frame, "of the frame height"
    if ground is not None:
        above = _share_above(ground, _points_of(zone))
        if above == 1.0:
            sentence = f"no person can enter {zone.id!r}: all of it lies above the horizon of the calibration"
            yield warn(Check.ABOVE_HORIZON, camera.id, loc, sentence)
            return
        if above > MIN_NOTED_SHARE_ABOVE_HORIZON:
            sentence = f"{above:.0%} of {zone.id!r} lies above the horizon, where no person can stand"
            yield note(Check.ABOVE_HORIZON, camera.id, loc, sentence)
        corners = np.asarray(ground.ground(zone.polygon), dtype=np.float64)
        if np.isfinite(corners).all() and is_simple(corners):
            ring, wanted, unit = corners, rule.hysteresis_m, "m"
    radius = inradius(ring)
    if radius < wanted:
        yield warn(
            Check.TOO_SMALL,
            camera.id,
            loc,
            f"{zone.id!r} is narrower than the hysteresis: no point of it is more than {radius:.2g} {unit} "
            f"from its edge, and {wanted:g} are required, so jitter of a foot point can enter it",
        )


def _line(
    facility: Facility, camera: Camera, line: Line, loc: Loc, ground: Calibration | None, aspect: float
) -> Remarks:
    rule = facility.rules.zone
    ends = np.asarray(line.points) * (aspect, 1.0)
    wanted, unit = rule.hysteresis_frame, "of the frame height"
    if ground is not None:
        on_floor = np.asarray(ground.ground(line.points), dtype=np.float64)
        above = _share_above(ground, _points_of(line))
        if above == 1.0:
            sentence = f"no person can cross {line.id!r}: all of it lies above the horizon of the calibration"
            yield warn(Check.ABOVE_HORIZON, camera.id, loc, sentence)
            return
        if above > MIN_NOTED_SHARE_ABOVE_HORIZON:
            sentence = f"{above:.0%} of {line.id!r} lies above the horizon, where no person can walk"
            yield note(Check.ABOVE_HORIZON, camera.id, loc, sentence)
        if np.isfinite(on_floor).all():
            ends, wanted, unit = on_floor, rule.hysteresis_m, "m"
    length = float(np.hypot(*(ends[1] - ends[0])))
    if length < wanted:
        yield warn(
            Check.TOO_SMALL,
            camera.id,
            loc,
            f"{line.id!r} is {length:.2g} {unit} long, less than the hysteresis ({wanted:g}): "
            "hardly any path crosses it",
        )
