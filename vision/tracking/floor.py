"""The scale of the floor where a person stands: from the calibration, or from the height of the person's box.

Without calibration, the box of a person is taken to be NOMINAL_HEIGHT_M high. That underestimates distances
along the line of sight, so a limit on walking speed stays an upper limit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vision.ground import calibration_of
from vision.tracking.boxes import Size
from zones.calibration import Calibration, CalibrationError
from zones.facility import CalibrationSpec
from zones.people import NOMINAL_HEIGHT_M

Floats = npt.NDArray[np.float64]

DERIVATIVE_STEP = 1e-3
"""Step of the numerical derivative of the floor's scale, in frame heights."""
MAX_SCALE_RATIO = 3.0
"""Largest factor between the calibrated scale and the scale from the person's height. Beyond it the
calibration is not used: the foot point is outside the marks or near the horizon.
Project default (docs/defaults.md)."""
MAX_HEIGHT_RATIO = 2.0
"""Largest factor by which a person's height may change between two frames; beyond it the calibration is not
used, for the same reason. Project default (docs/defaults.md)."""


class Floor:
    """The floor as a camera sees it in frames of one size."""

    def __init__(self, spec: CalibrationSpec | None, size: Size) -> None:
        """Take the calibration of the camera (None without one) and the size of its frames, px.

        A calibration that fixes no plane counts as none. `vision.ground` reports it; tracking goes on.
        """
        self.size = size
        self._calibration: Calibration | None = None
        if spec is not None and size[1]:
            try:
                self._calibration = calibration_of(spec, size[0] / size[1])
            except CalibrationError:
                self._calibration = None

    def px_per_metre(self, feet: Floats, heights: Floats) -> Floats:
        """Matrices (N, 2, 2) from metres on the floor to px.

        Args:
            feet: (N, 2) foot points, px.
            heights: (N,) of the boxes, px.
        """
        by_height = (heights / NOMINAL_HEIGHT_M)[:, None, None] * np.eye(2)
        if self._calibration is None:
            return by_height
        metres = self._metres_per_px(feet)
        # Of an upright person, the height in px over the height in metres is about the number of px per
        # metre across the view.
        ratio = np.linalg.norm(metres[:, :, 0], axis=1) * heights / NOMINAL_HEIGHT_M
        with np.errstate(invalid="ignore"):
            usable = np.isfinite(metres).all(axis=(1, 2))
            usable &= (ratio > 1 / MAX_SCALE_RATIO) & (ratio < MAX_SCALE_RATIO)
            usable &= np.abs(np.linalg.det(np.where(usable[:, None, None], metres, 0.0))) > 0
        invertible = np.where(usable[:, None, None], metres, np.eye(2))
        return np.asarray(np.where(usable[:, None, None], np.linalg.inv(invertible), by_height))

    def distances(self, one: Floats, other: Floats, heights: Floats) -> Floats:
        """Metres (N,) between foot points (N, 2) of people whose boxes are `heights` (N,) px high."""
        by_height = np.hypot(*(one - other).T) * NOMINAL_HEIGHT_M / heights
        if self._calibration is None:
            return np.asarray(by_height)
        metres = np.hypot(*(self._ground(one) - self._ground(other)).T)
        return np.asarray(np.where(np.isfinite(metres), metres, by_height))

    def height_ratios(self, start: Floats, end: Floats) -> Floats:
        """Factor (N,) by which a person's height in px changes from foot points `start` to `end` (N, 2).

        1 without calibration. Under a homography with the scale w, the height of an upright object in px is
        proportional to w, and areas of the floor in px to w cubed.
        """
        ones = np.ones(len(start))
        if self._calibration is None:
            return ones
        metres = self._metres_per_px(np.concatenate([start, end]))
        areas = np.abs(np.linalg.det(np.nan_to_num(metres))).reshape(2, -1)
        known = (areas[0] > 0) & (areas[1] > 0)
        ratio = np.divide(areas[0], areas[1], out=ones.copy(), where=known) ** (1 / 3)
        usable = (ratio < MAX_HEIGHT_RATIO) & (ratio > 1 / MAX_HEIGHT_RATIO)
        return np.asarray(np.where(usable, ratio, ones))

    def _metres_per_px(self, feet: Floats) -> Floats:
        step = DERIVATIVE_STEP * self.size[1]
        moved = feet + step * np.array([[[0.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]]])
        here, right, below = self._ground(moved.reshape(-1, 2)).reshape(3, -1, 2)
        return np.asarray(np.stack([right - here, below - here], axis=2) / step)

    def _ground(self, feet: Floats) -> Floats:
        assert self._calibration is not None
        return np.asarray(self._calibration.ground(feet / self.size))
