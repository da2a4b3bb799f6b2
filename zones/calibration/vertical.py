"""Heights above the floor from a calibration of the floor: where heads are, and how tall people are.

The floor alone gives two of the three columns of the camera's matrix that belong to directions. With square
pixels and the principal point at the centre of the frame, the two fix the focal length, and with it the
third, which is the vertical (Zhang 2000: the constraints of one plane). A camera that looks straight down
sees both directions without perspective: its focal length, and with it every height, stays unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zones.calibration.homography import Array, apply, jacobian, project
from zones.calibration.plane import Calibration

MAX_FOCAL_SE = 0.2
"""Largest relative standard error of the focal length at which heights count as known.

Project default (docs/defaults.md).
"""


@dataclass(frozen=True, eq=False)
class _Camera:
    """Ground (X, Y, 1) and Z metres above it are seen at `base` (X, Y, 1) + Z `up`, (x * aspect, y, 1)."""

    base: Array
    up: Array
    focal: float

    def at_height(self, metres: float) -> Array:
        """(3, 3): from image points of things at a height above the floor to the ground below them."""
        raised = self.base.copy()
        raised[:, 2] += metres * self.up
        return np.asarray(np.linalg.inv(raised), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Vertical:
    """The heights above the floor of a calibration; see `vertical`."""

    plane: Calibration
    camera: _Camera
    others: tuple[_Camera, ...]
    """The cameras after a shift of one standard deviation in each direction of the covariance."""

    def heads(self, boxes: Array) -> Array:
        """Normalised image points (N, 2) of the heads of people in boxes (N, 4: left, top, right, bottom).

        The axis of an upright person points to the vanishing point of verticals. It passes through the centre
        of the box and meets the top of the box at the head.
        """
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2 * (self.plane.aspect, 1)
        axis = self.camera.up[:2] - centre * self.camera.up[2]
        with np.errstate(divide="ignore", invalid="ignore"):
            across = centre[:, 0] + (boxes[:, 1] - centre[:, 1]) * axis[:, 0] / axis[:, 1]
        return np.column_stack([across / self.plane.aspect, boxes[:, 1]])

    def below(self, heads: Array, sigma: Array, height_m: float, height_sd_m: float) -> tuple[Array, Array]:
        """Ground position (N, 2), m, below heads seen at normalised image points (N, 2), and its error (N,).

        The standard error is the root mean square distance from the true position: of the image points, by
        `sigma` (N, 2), normalised; of how tall people are, by `height_sd_m`; of the calibration. NaN where
        a head of that height cannot be seen at that point.
        """
        image = heads * (self.plane.aspect, 1)
        matrix = self.camera.at_height(height_m)
        position = project(matrix, image)
        seen = jacobian(matrix, image, position) * (sigma * (self.plane.aspect, 1))[:, None, :]
        square = np.einsum("nij,nij->n", seen, seen) + self.plane.unexplained**2
        taller = project(self.camera.at_height(height_m + height_sd_m), image)
        square += ((taller - position) ** 2).sum(axis=1)
        for other in self.others:
            square += ((project(other.at_height(height_m), image) - position) ** 2).sum(axis=1)
        return position, np.sqrt(square)

    def statures(self, ground: Array, tops: Array) -> Array:
        """Height (N,), m, of people at `ground` (N, 2), m, with heads at `tops` (N,), 0..1 of the frame."""
        numerator, scale = apply(self.camera.base, ground)
        up = self.camera.up
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((tops * scale - numerator[:, 1]) / (up[1] - tops * up[2]), dtype=np.float64)


def vertical(plane: Calibration) -> Vertical | None:
    """The heights above the floor of a calibration, or None where it does not determine them."""
    camera = _camera(plane.homography, plane.aspect)
    if camera is None:
        return None
    others = []
    for column in plane.factor.T:
        other = _camera(plane.homography + column.reshape(3, 3), plane.aspect)
        if other is None:
            return None
        others.append(other)
    spread = math.sqrt(sum(math.log(other.focal / camera.focal) ** 2 for other in others))
    return Vertical(plane, camera, tuple(others)) if spread <= MAX_FOCAL_SE else None


def _camera(homography: Array, aspect: float) -> _Camera | None:
    base = np.asarray(np.linalg.inv(homography), dtype=np.float64)
    centred = base - np.outer((aspect / 2, 0.5, 0.0), base[2])
    (x, y), (u, v) = centred[0, :2], centred[1, :2]
    ahead = base[2, :2]
    # Directions on the floor are at right angles and of one length: with w = 1 / focal^2, a w + b = 0, twice.
    a = np.array([x * y + u * v, (x**2 + u**2 - y**2 - v**2) / 2])
    b = np.array([ahead[0] * ahead[1], (ahead[0] ** 2 - ahead[1] ** 2) / 2])
    inverse_square = -float(a @ b) / max(float(a @ a), 1e-300)
    if not inverse_square > 1e-4:
        return None  # a focal length of over 100 frame heights: there is no perspective
    focal = inverse_square**-0.5
    rays = centred / np.array([[focal], [focal], [1.0]])
    length = math.sqrt(float(np.linalg.norm(rays[:, 0]) * np.linalg.norm(rays[:, 1])))
    third = np.cross(rays[:, 0], rays[:, 1]) / length
    # The camera is above the floor, for left- and right-handed ground axes.
    centre = -np.linalg.solve(np.column_stack([rays[:, :2], third]), rays[:, 2])
    third = third * math.copysign(1.0, centre[2])
    up = np.array([third[0] * focal + aspect / 2 * third[2], third[1] * focal + third[2] / 2, third[2]])
    return _Camera(base, up, focal)
