"""The plane of the floor as one camera sees it: positions, distances, and the error of both in metres."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zones.calibration.homography import Array, apply, jacobian, pairs, project

REFERENCE_DISTANCE_M = 2.0
"""The distance for which the error of a calibration is stated: that of the contact rule, m."""
BLOCK_ROWS = 4096
"""Points that are computed at once, so that their matrices stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """The ground plane of one camera, from marks, a rectangle or walking people.

    Image points are normalised: x and y from 0 to 1, x right, y down. `aspect` (width over height of the
    frame) gives both axes the same unit. Ground points are in metres, in the axes of the marks.

    The error of a ground position has three parts: that of the foot point (given with it); that of the
    calibration, which all positions share, so that it affects a distance only as far as it stretches it; and,
    where the error at check points is larger than both explain, the rest, which is taken as independent.
    """

    homography: Array
    """(3, 3): (x * aspect, y, 1) to the ground, with a scale that is positive below the horizon."""
    inverse: Array
    """(3, 3): ground to image, with a scale that is positive before the camera."""
    aspect: float
    check_error: float
    """m. Of marks: the mean error at check points; without check points, each mark is predicted by the
    others. Of a rectangle: the mean error of the check lengths. Of walking people: the expected error
    of a distance of 2 m among them (see `zones.calibration.walking`). Infinite when it is unknown (four marks
    or a rectangle without a check): such a camera counts as uncalibrated."""
    factor: Array = field(default_factory=lambda: np.zeros((9, 0)))
    """(9, K): F F' is the covariance of the elements of `homography`, row by row."""
    unexplained: float = 0.0
    """m: the error at check points beyond the covariance (lens distortion, uneven floor)."""

    def ground(self, points: npt.ArrayLike) -> Array:
        """Ground position (N, 2), m, of normalised image points (N, 2); NaN at or above the horizon."""
        return project(self.homography, pairs(points) * (self.aspect, 1))

    def image(self, ground: npt.ArrayLike) -> Array:
        """Normalised image position (N, 2) of ground points (N, 2), m; NaN for points behind the camera.

        Points before the camera but out of its view come out beyond 0..1.
        """
        return project(self.inverse, pairs(ground)) / (self.aspect, 1)

    def locate(self, points: npt.ArrayLike, sigma: npt.ArrayLike) -> tuple[Array, Array]:
        """Ground position (N, 2), m, and its standard error (N,), m, of normalised image points (N, 2).

        `sigma` (N, 2) is the standard deviation of the image points, normalised, x and y independent. It is
        carried through the Jacobian J of the homography to first order, and so is the covariance of the
        homography; the standard error is the root mean square distance from the true position.
        Too small close to the horizon, where the ground is far from linear in the image. NaN above it.
        """
        image = pairs(points) * (self.aspect, 1)
        deviation = np.broadcast_to(np.asarray(sigma, dtype=np.float64), image.shape)
        position, error = np.empty(image.shape), np.empty(len(image))
        for rows in _blocks(len(image)):
            position[rows], foot, own = self._errors(image[rows], deviation[rows])
            square = (foot**2).sum(axis=(1, 2)) + (own**2).sum(axis=(1, 2))
            error[rows] = np.sqrt(square + self.unexplained**2)
        error[np.isnan(position[:, 0])] = np.nan
        return position, error

    def distances(
        self, one: npt.ArrayLike, other: npt.ArrayLike, sigma_one: npt.ArrayLike, sigma_other: npt.ArrayLike
    ) -> tuple[Array, Array]:
        """Distance (N,), m, and its standard error (N,), m, between image points `one` and `other` (N, 2).

        Arguments as those of `locate`. The error is that along the line between the two: of both foot
        points, independent, and of the calibration, which moves both together. Between points at one
        place, which have no line between them, it is the mean over all directions. NaN above the horizon.
        """
        ends = [pairs(points) * (self.aspect, 1) for points in (one, other)]
        sigmas = [
            np.broadcast_to(np.asarray(sigma, dtype=np.float64), end.shape)
            for end, sigma in zip(ends, (sigma_one, sigma_other), strict=True)
        ]
        distance, error = np.empty((2, len(ends[0])))
        for rows in _blocks(len(distance)):
            distance[rows], error[rows] = self._distances(
                *((end[rows], sigma[rows]) for end, sigma in zip(ends, sigmas, strict=True))
            )
        return distance, error

    def _distances(self, one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
        """Distances (N,) and their errors (N,) between points (x * aspect, y), each with its deviations."""
        (a, foot_a, own_a), (b, foot_b, own_b) = (self._errors(*end) for end in (one, other))
        offset = b - a
        distance = np.hypot(offset[:, 0], offset[:, 1])
        apart = np.concatenate([foot_a, foot_b, own_b - own_a], axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            along = offset / distance[:, None]
        moved = np.einsum("ni,nij->nj", along, apart)
        square = np.einsum("nj,nj->n", moved, moved)
        every = np.einsum("nij,nij->n", apart, apart) / 2
        square = np.where(distance > 0, square, every)
        # Of an independent error, half lies along any line; two positions have it.
        error = np.sqrt(square + self.unexplained**2)
        error[np.isnan(distance)] = np.nan
        return np.asarray(distance, dtype=np.float64), error

    def _errors(self, image: Array, sigma: npt.ArrayLike) -> tuple[Array, Array, Array]:
        """Positions (N, 2) of points (x * aspect, y), and their shifts by one standard deviation.

        The shifts are those of each coordinate of the foot point (N, 2, 2), and of each
        direction of `factor` (N, 2, K).
        """
        deviation = np.broadcast_to(np.asarray(sigma, dtype=np.float64), image.shape) * (self.aspect, 1)
        position = project(self.homography, image)
        foot = jacobian(self.homography, image, position) * deviation[:, None, :]
        own = shifts(self.homography, self.factor, image, position)
        return position, foot, own


def _blocks(count: int) -> Iterator[slice]:
    """Slices of `count` rows, small enough to stay in the processor's cache."""
    return (slice(first, first + BLOCK_ROWS) for first in range(0, count, BLOCK_ROWS))


def shifts(homography: Array, factor: Array, image: Array, position: Array) -> Array:
    """How far (N, 2, K) each column of a factor of the covariance of a homography moves `position` (N, 2)."""
    scale = apply(homography, image)[1]
    point = np.column_stack([image, np.ones(len(image))])
    moved = np.matmul(point, factor.reshape(3, 3, -1))  # (3, N, K)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.stack(
            [(moved[axis] - position[:, axis, None] * moved[2]) / scale[:, None] for axis in (0, 1)], axis=1
        )
    return np.asarray(own, dtype=np.float64)
