"""Zones and lines that nobody can enter or cross, and contact without metres."""

from __future__ import annotations

import numpy as np

from zones.calibration import Calibration, CalibrationError, calibrate
from zones.camera import Camera, Line, Zone
from zones.checking.findings import Remarks, note, warn
from zones.checking.overlap import grid
from zones.facility import Facility
from zones.geometry import inradius, is_simple
from zones.validation import Loc

HIGH = 0.2
"""Part of a zone above the horizon that is worth a note [D]."""
_STEPS = 80


def shapes(facility: Facility, camera: Camera, loc: Loc, aspect: float) -> Remarks:
    """Remarks on the geometry of a camera whose picture has the given width over height."""
    plane: Calibration | None = None
    if camera.calibration is not None:
        try:
            plane = calibrate(camera.calibration, aspect)
        except CalibrationError as error:
            yield warn(camera.id, (*loc, "calibration"), f"the calibration fixes no plane: {error}")
    yield from _contact(facility, camera, plane, loc)
    # As the rules do: an error that could not be checked counts as no calibration.
    ground = plane if plane is not None and np.isfinite(plane.check_error) else None
    for i, zone in enumerate(camera.zones):
        yield from _zone(facility, camera, zone, (*loc, "zones", i, "polygon"), ground, aspect)
    for i, line in enumerate(camera.lines):
        yield from _line(facility, camera, line, (*loc, "lines", i, "points"), ground, aspect)


def _contact(facility: Facility, camera: Camera, plane: Calibration | None, loc: Loc) -> Remarks:
    if not camera.contact_pairs:
        return
    if plane is None:
        asked = "contact_pairs" in camera.model_fields_set
        say = warn if asked else note
        yield say(
            camera.id,
            (*loc, "contact_pairs") if asked else loc,
            "no contact is judged: the camera has no calibration (lazaretto calibrate)",
        )
        return
    most = facility.rules.contact.max_calibration_error_m
    if plane.check_error > most:
        got = f"is {plane.check_error:.2f} m" if np.isfinite(plane.check_error) else "cannot be told"
        yield warn(
            camera.id,
            (*loc, "calibration"),
            f"no contact is judged: the check error of the calibration {got}, "
            f"and at most {most:g} m is accepted",
        )


def _zone(
    facility: Facility, camera: Camera, zone: Zone, loc: Loc, ground: Calibration | None, aspect: float
) -> Remarks:
    rule = facility.rules.zone
    ring = np.asarray(zone.polygon) * (aspect, 1.0)
    wanted, unit = rule.hysteresis_frame, "of the frame height"
    if ground is not None:
        inside = grid(zone)
        lost = float(np.isnan(ground.ground(inside)[:, 0]).mean()) if len(inside) else 0.0
        if lost == 1.0:
            sentence = f"nobody can enter {zone.id!r}: all of it lies above the horizon of the calibration"
            yield warn(camera.id, loc, sentence)
            return
        if lost > HIGH:
            yield note(
                camera.id, loc, f"{lost:.0%} of {zone.id!r} lies above the horizon, where nobody can stand"
            )
        corners = np.asarray(ground.ground(zone.polygon), dtype=np.float64)
        if np.isfinite(corners).all() and is_simple(corners):
            ring, wanted, unit = corners, rule.hysteresis_m, "m"
    radius = inradius(ring)
    if radius < wanted:
        yield warn(
            camera.id,
            loc,
            f"{zone.id!r} is narrower than the hysteresis: no spot in it is further than {radius:.2g} {unit} "
            f"from its edge, and {wanted:g} are wanted: jitter of the foot point can enter it",
        )


def _line(
    facility: Facility, camera: Camera, line: Line, loc: Loc, ground: Calibration | None, aspect: float
) -> Remarks:
    rule = facility.rules.zone
    ends = np.asarray(line.points) * (aspect, 1.0)
    wanted, unit = rule.hysteresis_frame, "of the frame height"
    if ground is not None:
        on_floor = np.asarray(ground.ground(line.points), dtype=np.float64)
        along = np.linspace(line.points[0], line.points[1], _STEPS)
        lost = float(np.isnan(ground.ground(along)[:, 0]).mean())
        if lost == 1.0:
            sentence = f"nobody can cross {line.id!r}: all of it lies above the horizon of the calibration"
            yield warn(camera.id, loc, sentence)
            return
        if lost > HIGH:
            yield note(
                camera.id, loc, f"{lost:.0%} of {line.id!r} lies above the horizon, where nobody can walk"
            )
        if np.isfinite(on_floor).all():
            ends, wanted, unit = on_floor, rule.hysteresis_m, "m"
    length = float(np.hypot(*(ends[1] - ends[0])))
    if length < wanted:
        yield warn(
            camera.id,
            loc,
            f"{line.id!r} is {length:.2g} {unit} long, less than the hysteresis ({wanted:g}): "
            "hardly any path crosses it",
        )
