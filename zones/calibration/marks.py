"""A calibration from marks on the floor, or from the four corners of a known rectangle."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from zones.calibration.homography import MIN_SCALE, Array, CalibrationError, apply, project, solve
from zones.calibration.plane import Calibration
from zones.calibration.spec import CalibrationSpec, MeasuredLength, RectangleSpec

MARK_SIGMA = 0.002
"""Standard deviation of a mark in the image, in frame heights: about one pixel of 576. Where the residuals of
the marks are larger, they determine it.

Project default (docs/defaults.md).
"""


def fit_marks(spec: CalibrationSpec, aspect: float) -> Calibration:
    """Fit the marks or the rectangle of a specification, and compute the error at its check marks or lengths.

    Raises:
        CalibrationError: they do not determine the plane.
    """
    if spec.rectangle is not None:
        image, ground = rectangle_marks(spec.rectangle)
        homography, inverse, factor = _plane(image * (aspect, 1), ground)
        unchecked = Calibration(homography, inverse, aspect, math.inf, factor)
        return _checked_by_lengths(unchecked, spec.rectangle.check)
    points = spec.points or ()
    image = np.array([mark.image for mark in points], dtype=np.float64).reshape(-1, 2) * (aspect, 1)
    ground = np.array([mark.ground for mark in points], dtype=np.float64).reshape(-1, 2)
    homography, inverse, factor = _plane(image, ground)
    if spec.check:
        at = np.array([mark.image for mark in spec.check], dtype=np.float64)
        true = np.array([mark.ground for mark in spec.check], dtype=np.float64)
        missed = _distance(project(homography, at * (aspect, 1)), true)
    else:
        at, missed = image / (aspect, 1), leave_one_out(image, ground)
    known = len(missed) > 0 and bool(np.isfinite(missed).all())
    error = float(missed.mean()) if known else math.inf
    own = Calibration(homography, inverse, aspect, error, factor).locate(
        at, (MARK_SIGMA / aspect, MARK_SIGMA)
    )[1]
    return Calibration(homography, inverse, aspect, error, factor, _unexplained(error, own))


def rectangle_marks(rectangle: RectangleSpec) -> tuple[Array, Array]:
    """The corners as marks: image (4, 2), normalised, and ground (4, 2), m, the first corner at (0, 0)."""
    width, length = rectangle.width, rectangle.length
    ground = np.array([(0, 0), (width, 0), (width, length), (0, length)], dtype=np.float64)
    return np.array(rectangle.corners, dtype=np.float64), ground


def leave_one_out(image: Array, ground: Array) -> Array:
    """Distance (K,), m, of each mark from where the others put it; K < N where the others fix no plane."""
    missed = []
    for i in range(len(image)):
        rest = np.arange(len(image)) != i
        try:
            homography, _, _ = _plane(image[rest], ground[rest])
        except CalibrationError:
            continue
        missed.append(float(_distance(project(homography, image[i : i + 1]), ground[i : i + 1])[0]))
    return np.array(missed, dtype=np.float64)


def _plane(image: Array, ground: Array) -> tuple[Array, Array, Array]:
    """Homography, inverse and factor from marks (x * aspect, y) and m."""
    homography, factor = solve(image, ground, MARK_SIGMA)
    scale = apply(homography, image)[1]
    # The sign of a homography is arbitrary. If the scale changes sign between marks, some are above the
    # horizon.
    sign = np.sign(scale.sum())
    homography, factor, scale = homography * sign, factor * sign, scale * sign
    if not (scale > MIN_SCALE * scale.max()).all():
        first = int(np.argmin(scale))
        raise CalibrationError(
            f"expected all calibration points on one side of the horizon, got points[{first}] beyond it "
            "(are two points swapped?)"
        )
    homography, factor = homography / scale.max(), factor / scale.max()
    inverse = np.linalg.inv(homography)
    inverse = inverse / apply(inverse, ground)[1].max()
    return homography, inverse, factor * _sigma_ratio(inverse, image, ground)


def _sigma_ratio(inverse: Array, image: Array, ground: Array) -> float:
    """Standard deviation of the marks in units of MARK_SIGMA, from their image residuals; at least 1."""
    spare = 2 * len(image) - 8
    if spare <= 0:
        return 1.0
    residual = project(inverse, ground) - image
    return max(1.0, math.sqrt(float((residual**2).sum()) / spare) / MARK_SIGMA)


def _checked_by_lengths(plane: Calibration, lengths: tuple[MeasuredLength, ...]) -> Calibration:
    if not lengths:
        return replace(plane, unexplained=math.inf)
    ends = np.array([length.image for length in lengths], dtype=np.float64)
    sigma = (MARK_SIGMA / plane.aspect, MARK_SIGMA)
    found, own = plane.distances(ends[:, 0], ends[:, 1], sigma, sigma)
    missed = np.abs(found - np.array([length.length for length in lengths]))
    error = float(missed.mean()) if np.isfinite(missed).all() else math.inf
    return replace(plane, check_error=error, unexplained=_unexplained(error, own))


def _distance(found: Array, true: Array) -> Array:
    offset = found - true
    return np.asarray(np.hypot(offset[:, 0], offset[:, 1]), dtype=np.float64)


def _unexplained(error: float, own: Array) -> float:
    """The part of a mean error that the known errors (K,) of the same points do not explain."""
    if not math.isfinite(error):
        return math.inf
    known = float(np.mean(own**2)) if np.isfinite(own).all() else 0.0
    return math.sqrt(max(0.0, error**2 - known))
