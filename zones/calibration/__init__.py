"""From image to ground with the error in metres, by marks, a known rectangle or walking people."""

from __future__ import annotations

from zones.calibration.fitting import calibrate
from zones.calibration.homography import CalibrationError
from zones.calibration.plane import Calibration

__all__ = ["Calibration", "CalibrationError", "calibrate"]
