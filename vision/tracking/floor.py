"""How large a metre is where somebody stands: from the calibration, or from the person's own height.

Without calibration a person serves as the yardstick: upright people are about STATURE high. That
understates how far apart people are along the line of sight, so bounds on walking speed stay bounds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vision.ground import calibration_of
from vision.tracking.boxes import Size
from zones.calibration import Calibration, CalibrationError
from zones.facility import CalibrationSpec

Floats = npt.NDArray[np.float64]

STATURE = 1.7
"""m: mean height of adults with shoes [D]."""
STEP = 1e-3
"""Frame heights over which the scale of the floor is differentiated."""
FAR = 3.0
"""A calibrated scale that differs from the person's own yardstick by more than this factor is not
believed: the foot point is beyond the marks or near the horizon."""
MOST_GROWTH = 2.0
"""A change of height between two frames beyond this factor is not believed, for the same reason."""


class Floor:
    """The floor as a camera sees it in frames of one size."""

    def __init__(self, spec: CalibrationSpec | None, size: Size) -> None:
        """Take the calibration of the camera, None without one, and the size (px) of its frames.

        A calibration that fixes no plane counts as none: locating people says so, following them goes on.
        """
        self.size = size
        self._calibration: Calibration | None = None
        if spec is not None and size[1]:
            try:
                self._calibration = calibration_of(spec, size[0] / size[1])
            except CalibrationError:
                self._calibration = None

    def px_per_metre(self, foot: Floats, tall: Floats) -> Floats:
        """Matrices (N, 2, 2) from metres on the floor to px, at feet (N, 2) of boxes `tall` (N,) px."""
        own = (tall / STATURE)[:, None, None] * np.eye(2)
        if self._calibration is None:
            return own
        metres = self._metres_per_px(foot)
        # A stature is about as many px high as a metre across the view is wide, times the stature.
        across = np.linalg.norm(metres[:, :, 0], axis=1) * tall / STATURE
        with np.errstate(invalid="ignore"):
            sane = np.isfinite(metres).all(axis=(1, 2)) & (across > 1 / FAR) & (across < FAR)
            sane &= np.abs(np.linalg.det(np.where(sane[:, None, None], metres, 0.0))) > 0
        safe = np.where(sane[:, None, None], metres, np.eye(2))
        return np.asarray(np.where(sane[:, None, None], np.linalg.inv(safe), own))

    def apart(self, one: Floats, other: Floats, tall: Floats) -> Floats:
        """Metres (N,) between foot points (N, 2) of people whose boxes are `tall` (N,) px."""
        own = np.hypot(*(one - other).T) * STATURE / tall
        if self._calibration is None:
            return np.asarray(own)
        metres = np.hypot(*(self._ground(one) - self._ground(other)).T)
        return np.asarray(np.where(np.isfinite(metres), metres, own))

    def growth(self, start: Floats, end: Floats) -> Floats:
        """Factor (N,) by which a person's height in px changes from foot points `start` to `end` (N, 2).

        1 without calibration. Under a homography, whose scale w falls with the distance as the height of an
        upright object does, areas of the floor change by a constant over w cubed.
        """
        ones = np.ones(len(start))
        if self._calibration is None:
            return ones
        areas = [np.abs(np.linalg.det(np.nan_to_num(self._metres_per_px(at)))) for at in (start, end)]
        known = (areas[0] > 0) & (areas[1] > 0)
        ratio = np.divide(areas[0], areas[1], out=ones.copy(), where=known) ** (1 / 3)
        return np.asarray(np.where((ratio < MOST_GROWTH) & (ratio > 1 / MOST_GROWTH), ratio, ones))

    def _metres_per_px(self, foot: Floats) -> Floats:
        step = STEP * self.size[1]
        here = self._ground(foot)
        beside, below = (self._ground(foot + np.array(offset)) for offset in ((step, 0.0), (0.0, step)))
        return np.asarray(np.stack([beside - here, below - here], axis=2) / step)

    def _ground(self, foot: Floats) -> Floats:
        assert self._calibration is not None
        return np.asarray(self._calibration.ground(foot / self.size))
