"""From image to ground: a homography fitted to marks on the floor, with its error in metres."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from zones.camera import CalibrationPoint, CalibrationSpec
from zones.errors import LazarettoError

Array = npt.NDArray[np.float64]

# Least ratio of the eighth to the first singular value of the (normalised) equations; below it they leave
# more than one homography. Four to ten marks spread over a yard give 0.03 to 0.3; three of four on a line, 0.
MIN_CONDITION = 1e-4
# A (normalised) homography worse conditioned than this squeezes the floor onto a line; 3 to 5 is usual.
MAX_CONDITION = 1e5
# A point whose scale is this small beside that of the marks lies on the horizon, save for rounding.
HORIZON = 1e-9


class CalibrationError(LazarettoError):
    """Calibration points that do not fix the ground plane."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """The plane of the floor as one camera sees it.

    Image points are normalised: x and y from 0 to 1, x right, y down. `aspect` (width over height of the
    frame) gives both axes the same unit in the fit. Ground points are in metres, in the axes of the marks.
    """

    homography: Array
    """(3, 3): (x * aspect, y, 1) to the ground, with a scale that is positive below the horizon."""
    inverse: Array
    """(3, 3): ground to image, with a scale that is positive before the camera."""
    aspect: float
    check_error: float
    """Mean distance, m, by which check points are missed; without any, each mark is predicted by the others.
    Infinite when neither is possible (four marks, no check points): such a camera counts as uncalibrated."""

    @classmethod
    def from_spec(cls, spec: CalibrationSpec, frame_aspect: float = 4 / 3) -> Self:
        """Fit the marks of a camera; raises CalibrationError when they do not fix the plane."""
        if not (math.isfinite(frame_aspect) and frame_aspect > 0):
            raise CalibrationError(f"expected a frame aspect above 0, got {frame_aspect:g}")
        fitted = cls._fit(spec.points, frame_aspect)
        missed = fitted._miss(spec.check) if spec.check else cls._leave_one_out(spec.points, frame_aspect)
        known = len(missed) > 0 and bool(np.isfinite(missed).all())
        return replace(fitted, check_error=float(missed.mean()) if known else math.inf)

    @classmethod
    def _fit(cls, marks: tuple[CalibrationPoint, ...], aspect: float) -> Self:
        image = np.array([mark.image for mark in marks], dtype=np.float64).reshape(-1, 2) * (aspect, 1)
        ground = np.array([mark.ground for mark in marks], dtype=np.float64).reshape(-1, 2)
        homography = _solve(image, ground)
        scale = _apply(homography, image)[1]
        # The sign of a homography is free; a scale that changes its sign puts marks beyond the horizon.
        homography = homography * np.sign(scale.sum())
        scale = scale * np.sign(scale.sum())
        if not (scale > HORIZON * scale.max()).all():
            first = int(np.argmin(scale))
            raise CalibrationError(
                f"expected all calibration points on one side of the horizon, got points[{first}] beyond it "
                "(are two points swapped?)"
            )
        homography = homography / scale.max()
        inverse = np.linalg.inv(homography)
        return cls(homography, inverse / _apply(inverse, ground)[1].max(), aspect, math.inf)

    @classmethod
    def _leave_one_out(cls, marks: tuple[CalibrationPoint, ...], aspect: float) -> Array:
        """Distance (K,) of each mark from where the others put it; K < N where some others cannot."""
        missed = []
        for i, mark in enumerate(marks):
            try:
                fitted = cls._fit(marks[:i] + marks[i + 1 :], aspect)
            except CalibrationError:
                continue
            missed.append(float(fitted._miss((mark,))[0]))
        return np.array(missed, dtype=np.float64)

    def _miss(self, marks: tuple[CalibrationPoint, ...]) -> Array:
        found = self.ground(np.array([mark.image for mark in marks], dtype=np.float64))
        offset = found - np.array([mark.ground for mark in marks], dtype=np.float64)
        return np.asarray(np.hypot(offset[:, 0], offset[:, 1]), dtype=np.float64)

    def ground(self, points: npt.ArrayLike) -> Array:
        """Ground position (N, 2), m, of normalised image points (N, 2); NaN at or above the horizon."""
        return _project(self.homography, _pairs(points) * (self.aspect, 1))

    def image(self, ground: npt.ArrayLike) -> Array:
        """Normalised image position (N, 2) of ground points (N, 2), m; NaN for points behind the camera.

        Points before the camera but out of its view come out beyond 0..1.
        """
        return _project(self.inverse, _pairs(ground)) / (self.aspect, 1)

    def locate(self, points: npt.ArrayLike, sigma: npt.ArrayLike) -> tuple[Array, Array]:
        """Ground position (N, 2), m, and its standard error (N,), m, of normalised image points (N, 2).

        `sigma` (N, 2) is the standard deviation of the image points, normalised, x and y independent. It is
        carried through the Jacobian J of the homography to first order; the standard error is the root mean
        square distance sqrt(trace(J S J')) from the true position, with `check_error` added in quadrature.
        Too small close to the horizon, where the ground is far from linear in the image. NaN above it.
        """
        image = _pairs(points) * (self.aspect, 1)
        deviation = np.broadcast_to(np.asarray(sigma, dtype=np.float64), image.shape) * (self.aspect, 1)
        position = _project(self.homography, image)
        h = self.homography
        scale = _apply(h, image)[1]
        # d(X/w)/du = (h_X - (X/w) h_w) / w, for both ground axes X and both image axes u.
        rows = [(h[axis, :2] - position[:, axis, None] * h[2, :2]) * deviation for axis in (0, 1)]
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = np.sqrt(sum(np.einsum("ij,ij->i", row, row) for row in rows)) / scale
        error = np.hypot(noise, self.check_error)
        error[np.isnan(position[:, 0])] = np.nan
        return position, error


def _pairs(value: npt.ArrayLike) -> Array:
    points = np.asarray(value, dtype=np.float64)
    if points.size == 0:
        return np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"expected points of shape (N, 2), got {points.shape}")
    return points


def _apply(homography: Array, points: Array) -> tuple[Array, Array]:
    """Homogeneous image of points (N, 2): numerators (N, 2) and scale (N,)."""
    mapped = points @ homography[:, :2].T + homography[:, 2]
    return mapped[:, :2], mapped[:, 2]


def _project(homography: Array, points: Array) -> Array:
    numerator, scale = _apply(homography, points)
    visible = scale > HORIZON
    out = np.full(points.shape, np.nan)
    out[visible] = numerator[visible] / scale[visible, None]
    return out


def _normaliser(points: Array) -> Array:
    """Similarity (3, 3) that centres points and gives them a mean distance of sqrt(2) (Hartley 1997)."""
    centre = points.mean(axis=0)
    distance = float(np.hypot(*(points - centre).T).mean())
    if distance == 0:
        raise CalibrationError("expected calibration points at different places, got all at one")
    scale = math.sqrt(2) / distance
    return np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]])


def _solve(image: Array, ground: Array) -> Array:
    """Homography (3, 3) from image to ground by the normalised direct linear transform (Hartley 1997)."""
    if len(image) < 4:
        raise CalibrationError(f"expected at least 4 calibration points, got {len(image)}")
    to_image, to_ground = _normaliser(image), _normaliser(ground)
    u = image @ to_image[:2, :2].T + to_image[:2, 2]
    x = ground @ to_ground[:2, :2].T + to_ground[:2, 2]
    ones, zeros = np.ones(len(u)), np.zeros((len(u), 3))
    homogeneous = np.column_stack([u, ones])
    rows = np.concatenate(
        [
            np.hstack([homogeneous, zeros, -x[:, :1] * homogeneous]),
            np.hstack([zeros, homogeneous, -x[:, 1:] * homogeneous]),
        ]
    )
    _, singular, right = np.linalg.svd(rows)
    solution = np.asarray(right[-1].reshape(3, 3), dtype=np.float64)
    if singular[7] < MIN_CONDITION * singular[0] or np.linalg.cond(solution) > MAX_CONDITION:
        raise CalibrationError("expected 4 calibration points of which no 3 lie on one line, got none such")
    return np.asarray(np.linalg.inv(to_ground) @ solution @ to_image, dtype=np.float64)
