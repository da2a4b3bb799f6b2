"""Plane to plane by a 3 x 3 matrix: applying it, and fitting it to pairs of points."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from zones.errors import LazarettoError

Array = npt.NDArray[np.float64]

MIN_SINGULAR_RATIO = 1e-4
"""Least ratio of the eighth to the first singular value of the (normalised) equations. Below it more than one
homography solves them. Four to ten marks spread over a yard give 0.03 to 0.3; three of four on a line, 0."""
MAX_CONDITION = 1e5
"""Largest condition number of a (normalised) homography. A larger one maps the floor onto a line; 3 to 5 is
usual."""
MIN_SCALE = 1e-9
"""Least homogeneous scale, relative to that of the marks; a point with less lies on the horizon."""


class CalibrationError(LazarettoError):
    """The measurements do not determine the ground plane."""


def pairs(value: npt.ArrayLike) -> Array:
    """Points as an array (N, 2); raises ValueError for another shape."""
    points = np.asarray(value, dtype=np.float64)
    if points.size == 0:
        return np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"expected points of shape (N, 2), got {points.shape}")
    return points


def apply(homography: Array, points: Array) -> tuple[Array, Array]:
    """Homogeneous image of points (N, 2): numerators (N, 2) and scale (N,).

    The image of a point does not depend on the other points: a matrix product may use another routine for
    another number of rows, and round otherwise.
    """
    x, y = points[:, 0], points[:, 1]
    mapped = [x * row[0] + y * row[1] + row[2] for row in homography]
    return np.column_stack(mapped[:2]), mapped[2]


def project(homography: Array, points: Array) -> Array:
    """Image (N, 2) of points (N, 2); NaN where the scale is not positive."""
    numerator, scale = apply(homography, points)
    visible = scale > MIN_SCALE
    out = np.full(points.shape, np.nan)
    out[visible] = numerator[visible] / scale[visible, None]
    return out


def jacobian(homography: Array, points: Array, position: Array) -> Array:
    """Derivatives (N, 2, 2) of `position` (N, 2), the image of points (N, 2): axis, then coordinate."""
    scale = apply(homography, points)[1]
    # d(X/w)/du = (h_X - (X/w) h_w) / w, for both ground axes X and both image axes u.
    rows = homography[None, :2, :2] - position[:, :, None] * homography[None, 2:, :2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(rows / scale[:, None, None], dtype=np.float64)


def solve(source: Array, target: Array, sigma: float) -> tuple[Array, Array]:
    """Homography (3, 3) from source to target by the normalised direct linear transform (Hartley 1997).

    The second result is a factor F (9, 8) of the covariance F F' of its elements, row by row, for a standard
    deviation `sigma` of every source coordinate, to first order. A common factor of all elements has no
    meaning.

    Raises:
        CalibrationError: the pairs determine no single homography, or map the plane onto a line.
    """
    if len(source) < 4:
        raise CalibrationError(f"expected at least 4 calibration points, got {len(source)}")
    to_source, to_target = _normaliser(source), _normaliser(target)
    u = source @ to_source[:2, :2].T + to_source[:2, 2]
    x = target @ to_target[:2, :2].T + to_target[:2, 2]
    ones, zeros = np.ones(len(u)), np.zeros((len(u), 3))
    homogeneous = np.column_stack([u, ones])
    rows = np.concatenate(
        [
            np.hstack([homogeneous, zeros, -x[:, :1] * homogeneous]),
            np.hstack([zeros, homogeneous, -x[:, 1:] * homogeneous]),
        ]
    )
    left, singular, right = np.linalg.svd(rows)
    solution = np.asarray(right[-1].reshape(3, 3), dtype=np.float64)
    if singular[7] < MIN_SINGULAR_RATIO * singular[0] or np.linalg.cond(solution) > MAX_CONDITION:
        raise CalibrationError("expected 4 calibration points of which no 3 lie on one line, got fewer")
    # A shift du of a mark changes the residual of its two equations by (h_X - X h_w) du; the pseudo-inverse
    # of the equations gives the change of the solution.
    change = (solution[None, :2, :2] - x[:, :, None] * solution[None, 2:, :2]) * (sigma * to_source[0, 0])
    inverse = (right[:8].T / singular[:8]) @ left[:, :8].T
    count = len(u)
    moved = inverse[:, :count, None] * change[None, :, 0] + inverse[:, count:, None] * change[None, :, 1]
    undo = np.kron(np.linalg.inv(to_target), to_source.T)
    spread = undo @ moved.reshape(9, -1)
    # The same covariance in the least number of columns.
    shape, size, _ = np.linalg.svd(spread, full_matrices=False)
    homography = np.linalg.inv(to_target) @ solution @ to_source
    return np.asarray(homography, dtype=np.float64), np.asarray(shape[:, :8] * size[:8], dtype=np.float64)


def _normaliser(points: Array) -> Array:
    """Similarity (3, 3) that centres points and gives them a mean distance of sqrt(2) (Hartley 1997)."""
    centre = points.mean(axis=0)
    distance = float(np.hypot(*(points - centre).T).mean())
    if distance == 0:
        raise CalibrationError("expected calibration points at different positions, got all at one")
    scale = math.sqrt(2) / distance
    return np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]])
