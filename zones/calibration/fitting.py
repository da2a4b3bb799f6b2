"""The ground plane of a camera from its calibration in the facility file."""

from __future__ import annotations

import math

from zones.calibration import pinhole
from zones.calibration.homography import CalibrationError
from zones.calibration.marks import fit_marks
from zones.calibration.plane import Calibration
from zones.calibration.spec import CalibrationSpec


def calibrate(spec: CalibrationSpec, frame_aspect: float = 4 / 3) -> Calibration:
    """The ground plane of a camera whose frames have the given width over height.

    Raises:
        CalibrationError: the specification does not determine a plane.
    """
    if not (math.isfinite(frame_aspect) and frame_aspect > 0):
        raise CalibrationError(f"expected a frame aspect above 0, got {frame_aspect:g}")
    if spec.walking is not None:
        return pinhole.plane(spec.walking, frame_aspect)
    return fit_marks(spec, frame_aspect)
