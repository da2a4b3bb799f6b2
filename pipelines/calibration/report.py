"""The report on a calibration: its errors over the image, residuals and warnings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vision.ground import FOOT_SIGMA
from zones.calibration import Calibration, calibrate
from zones.calibration.marks import rectangle_marks
from zones.calibration.plane import REFERENCE_DISTANCE_M
from zones.calibration.spec import CalibrationSpec
from zones.calibration.survey import ACCEPTED_SE_M, Survey, survey
from zones.geometry import extents
from zones.thresholds import ContactRule

Size = tuple[int, int]
"""Width and height of a frame, px."""

MIN_MARK_EXTENT_RATIO = 0.15
"""Marks whose shortest extent is less than this share of their longest lie nearly on one line.

Project default (docs/defaults.md).
"""
MAX_EXTRAPOLATED_SHARE = 0.5
"""Share of the floor in view beyond the marks above which there is a warning.

Project default (docs/defaults.md).
"""


@dataclass(frozen=True)
class Report:
    """The errors of a calibration.

    Attributes:
        spec: the calibration.
        plane: its ground plane.
        size: width and height of the frames, px.
        coarse: errors in 8 x 6 cells of the image.
        fine: errors in 64 x 48 cells.
        residuals: distance, m, of each mark from where the calibration puts it; of a rectangle's check
            lengths, found less measured; None for walking people.
        warnings: sentences.
    """

    spec: CalibrationSpec
    plane: Calibration
    size: Size
    coarse: Survey
    fine: Survey
    residuals: tuple[float, ...] | None
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report, ready for JSON; errors by row of the image, null where no floor is in view."""

        def grid(values: npt.NDArray[np.float64]) -> list[list[float | None]]:
            return [[round(v, 4) if math.isfinite(v) else None for v in row] for row in values.tolist()]

        error = self.plane.check_error
        return {
            "calibration": self.spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
            "check_error_m": round(error, 4) if math.isfinite(error) else None,
            "residuals_m": None if self.residuals is None else [round(value, 4) for value in self.residuals],
            "distance_m": REFERENCE_DISTANCE_M,
            "good_m": ACCEPTED_SE_M,
            "floor_share": round(self.fine.floor_share, 4),
            "good_share": round(self.fine.good_share, 4),
            "extrapolated_share": round(self.fine.extrapolated_share, 4),
            "position_se_m": grid(self.coarse.position_se),
            "distance_se_m": grid(self.coarse.distance_se),
            "calibration_se_m": grid(self.coarse.calibration_se),
            "warnings": list(self.warnings),
        }


def report(spec: CalibrationSpec, size: Size, more: tuple[str, ...] = ()) -> Report:
    """Report on a calibration for frames of `size`, px; `more` are warnings from the fit.

    Raises:
        CalibrationError: the calibration does not determine the ground plane.
    """
    plane = calibrate(spec, size[0] / size[1])
    marks = mark_points(spec)
    coarse, fine = survey(plane, FOOT_SIGMA, marks), survey(plane, FOOT_SIGMA, marks, 64, 48)
    warnings = [*more, *_warnings(spec, plane, fine)]
    return Report(spec, plane, size, coarse, fine, _residuals(spec, plane), tuple(warnings))


def mark_points(spec: CalibrationSpec) -> npt.NDArray[np.float64] | None:
    """Normalised image points (N, 2) of the marks or corners; None for walking people."""
    if spec.points is not None:
        return np.array([mark.image for mark in spec.points], dtype=np.float64)
    return rectangle_marks(spec.rectangle)[0] if spec.rectangle is not None else None


def _residuals(spec: CalibrationSpec, plane: Calibration) -> tuple[float, ...] | None:
    if spec.points is not None:
        found = plane.ground([mark.image for mark in spec.points])
        offset = found - np.array([mark.ground for mark in spec.points])
        return tuple(np.hypot(offset[:, 0], offset[:, 1]).tolist())
    if spec.rectangle is None:
        return None
    lengths = spec.rectangle.check
    ends = [plane.ground(np.array([length.image[i] for length in lengths])) for i in (0, 1)]
    apart = np.hypot(*(ends[1] - ends[0]).T) if lengths else np.zeros(0)
    return tuple((apart - np.array([length.length for length in lengths])).tolist())


def _warnings(spec: CalibrationSpec, plane: Calibration, fine: Survey) -> list[str]:
    found = []
    limit = ContactRule().max_calibration_error_m
    if not math.isfinite(plane.check_error):
        needed = "a length measured on the floor" if spec.rectangle else "check marks, or a fifth mark"
        found.append(f"the error is not checked: add {needed}; until then no contact is evaluated")
    elif plane.check_error > limit:
        found.append(
            f"the check error of {plane.check_error:.2f} m is over {limit:.2f} m: no contact is evaluated "
            "(unless the facility's rules allow more)"
        )
    if spec.points is not None:
        for name in ("image", "ground"):
            long, short = extents([getattr(mark, name) for mark in spec.points])
            if short < MIN_MARK_EXTENT_RATIO * long:
                found.append(
                    f"the marks lie nearly on one line ({name}): positions across it have large errors"
                )
                break
    if fine.extrapolated_share > MAX_EXTRAPOLATED_SHARE:
        found.append(
            f"{fine.extrapolated_share:.0%} of the floor in view lies beyond the marks, where errors that "
            "the marks do not show (lens, slope) grow: put the marks further apart"
        )
    return found


def summary(result: Report) -> list[str]:
    """The figures as sentences."""
    lines = []
    error = result.plane.check_error
    lines.append("Check error: " + (f"{error:.3f} m" if math.isfinite(error) else "unknown"))
    if result.residuals:
        if result.spec.rectangle is not None:
            listed = ", ".join(f"{value:+.3f}" for value in result.residuals)
            lines.append(f"Check lengths, found less measured, m: {listed}")
        else:
            worst = int(np.argmax(result.residuals))
            mean = float(np.mean(result.residuals))
            lines.append(
                f"Residual of the marks: {mean:.3f} m on average, at most {result.residuals[worst]:.3f} m "
                f"(mark {worst + 1})"
            )
    lines.append(
        f"The standard error of a distance of {REFERENCE_DISTANCE_M:g} m is at most {ACCEPTED_SE_M:g} m on "
        f"{result.fine.good_share:.0%} of the image; floor is visible on {result.fine.floor_share:.0%}"
    )
    if not result.coarse.inside.all():
        lines.append("* beyond the marks")
    return lines
