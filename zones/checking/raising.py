"""Cameras that can raise little or nothing: a gate without a line, or neither zones nor metres."""

from __future__ import annotations

from zones.calibration import CalibrationError, calibrate
from zones.camera import Camera, Place, ZoneType
from zones.checking.findings import Check, Remarks, note, warn
from zones.facility import Facility
from zones.permission import denies_anything
from zones.validation import Loc

GATE_TYPES = (ZoneType.GATE, ZoneType.PERIMETER)
"""Types of zone and line that report who passes a gate."""
NO_GATE = (
    "the camera sees a gate, but has no line or zone of type gate or perimeter: passing it raises nothing"
)


def lacks_gate(facility: Facility, camera: Camera) -> bool:
    """Whether a camera sees a gate and has nothing that reports who passes it."""
    return Place.GATE in camera.places and not any(
        part.type in GATE_TYPES and denies_anything(part, facility) for _, part in camera.parts()
    )


def little_raised(facility: Facility, camera: Camera, loc: Loc, aspect: float) -> Remarks:
    """Remarks on a camera that can raise little: a gate without a line, or masks alone.

    Whether faces can be assessed is known only from footage. `aspect` is the width over the height of the
    image.
    """
    if lacks_gate(facility, camera):
        yield warn(Check.GATE_WITHOUT_LINE, camera.id, (*loc, "places"), NO_GATE)
    if not any(denies_anything(part, facility) for _, part in camera.parts()) and not _metric(
        facility, camera, aspect
    ):
        yield note(
            Check.ONLY_MASKS,
            camera.id,
            loc,
            "the camera has no zone or line that denies anything, and no place in metres: it can raise "
            "nothing but mask violations, of people whose faces are at least "
            f"{facility.rules.mask.min_face_px} px high",
        )


def _metric(facility: Facility, camera: Camera, aspect: float) -> bool:
    """Whether places are known in metres, as accurately as the rules for contact ask for."""
    if camera.calibration is None:
        return False
    try:
        error = calibrate(camera.calibration, aspect).check_error
    except CalibrationError:
        return False
    return bool(error <= facility.rules.contact.max_calibration_error_m)
