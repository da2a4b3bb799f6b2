"""The expected error of a calibration, cell by cell of the image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zones.calibration.homography import Array, jacobian
from zones.calibration.plane import REFERENCE_DISTANCE_M, Calibration
from zones.geometry import signed_distance
from zones.people import NOMINAL_HEIGHT_M

Bools = npt.NDArray[np.bool_]

MAX_STRETCH_RATIO = 10.0
"""Largest ratio of the longest to the shortest ground length of a pixel in a cell that counts as floor.
Beyond it, close below the horizon, a pixel is metres long and first-order errors are too small."""
ACCEPTED_SE_M = 0.25
"""Largest standard error of a distance of REFERENCE_DISTANCE_M that the contact rule can use, m.

Project default (docs/defaults.md).
"""


@dataclass(frozen=True)
class Survey:
    """Expected errors over a grid of R x C cells of the image; NaN where no floor is in view.

    Attributes:
        centres: (R, C, 2) normalised image points.
        position_se: (R, C) standard error of the ground position of a person, m.
        distance_se: (R, C) standard error of a distance of REFERENCE_DISTANCE_M between two people, m, over
            all directions on the ground.
        calibration_se: (R, C) the same for exact foot points.
        inside: (R, C) whether a cell lies within the hull of the marks; all true where there are no marks.
    """

    centres: Array
    position_se: Array
    distance_se: Array
    calibration_se: Array
    inside: Bools

    @property
    def floor_share(self) -> float:
        """Share of the image in which floor is visible and its error can be computed."""
        return float(np.isfinite(self.distance_se).mean())

    @property
    def good_share(self) -> float:
        """Share of the image in which the error of REFERENCE_DISTANCE_M is at most ACCEPTED_SE_M."""
        return float((self.distance_se <= ACCEPTED_SE_M).mean())

    @property
    def extrapolated_share(self) -> float:
        """Share of the floor in view that lies outside the hull of the marks."""
        floor = np.isfinite(self.distance_se)
        return float((floor & ~self.inside).sum() / max(1, floor.sum()))


def survey(
    plane: Calibration, foot_share: float, marks: Array | None = None, columns: int = 8, rows: int = 6
) -> Survey:
    """Survey a calibration.

    Args:
        plane: the calibration.
        foot_share: standard deviation of a foot point, as a share of the height of a person's box.
        marks: (N, 2) normalised image points that the calibration was fitted to.
        columns: C of the grid.
        rows: R of the grid.
    """
    x, y = (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows
    centres = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    ground = plane.ground(centres)
    stretch = _singular(plane, centres, ground)
    near = np.isfinite(stretch).all(axis=1) & (stretch[:, 0] <= MAX_STRETCH_RATIO * stretch[:, 1])
    position = np.full(len(centres), np.nan)
    position[near] = plane.locate(centres[near], _feet(plane, centres[near], foot_share))[1]
    with_feet, alone = np.full((2, len(centres)), np.nan)
    with_feet[near] = _distance_se(plane, ground[near], foot_share)
    alone[near] = _distance_se(plane, ground[near], 0.0)
    inside = np.ones(len(centres), dtype=np.bool_)
    if marks is not None:
        inside = signed_distance(centres, hull(marks)) >= 0
    shape = (rows, columns)
    return Survey(
        centres.reshape(rows, columns, 2),
        position.reshape(shape),
        with_feet.reshape(shape),
        alone.reshape(shape),
        inside.reshape(shape),
    )


def hull(points: npt.ArrayLike) -> Array:
    """The convex hull (M, 2) of points (N, 2), by monotone chain (Andrew 1979)."""
    ordered = sorted({(float(x), float(y)) for x, y in np.asarray(points)})
    if len(ordered) < 3:
        return np.array(ordered, dtype=np.float64)

    def chain(ordered: list[tuple[float, float]]) -> list[tuple[float, float]]:
        kept: list[tuple[float, float]] = []
        for point in ordered:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], point) <= 0:
                kept.pop()
            kept.append(point)
        return kept[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]), dtype=np.float64)


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _singular(plane: Calibration, points: Array, ground: Array) -> Array:
    """Largest and smallest length on the ground (N, 2), m, of one frame height at image points (N, 2)."""
    slope = jacobian(plane.homography, points * (plane.aspect, 1), ground)
    out = np.full((len(points), 2), np.nan)
    known = np.isfinite(slope).all(axis=(1, 2))
    if known.any():
        out[known] = np.linalg.svd(slope[known], compute_uv=False)
    return out


def _feet(plane: Calibration, points: Array, foot_share: float) -> Array:
    """Standard deviation (N, 2), normalised, of the foot points of people who stand at image points.

    A person is about as high in the image as a rod of the same length that lies across the view.
    """
    across = _singular(plane, points, plane.ground(points))[:, 1]
    sigma = foot_share * NOMINAL_HEIGHT_M / across
    return np.column_stack([sigma / plane.aspect, sigma])


def _distance_se(plane: Calibration, ground: Array, foot_share: float) -> Array:
    """Root mean square error (N,), m, of a distance of REFERENCE_DISTANCE_M about ground points (N, 2)."""
    square = []
    for angle in np.arange(4) * math.pi / 4:
        half = np.array([math.cos(angle), math.sin(angle)]) * REFERENCE_DISTANCE_M / 2
        ends = [plane.image(ground + side * half) for side in (-1, 1)]
        sigma = [_feet(plane, end, foot_share) for end in ends]
        square.append(plane.distances(ends[0], ends[1], sigma[0], sigma[1])[1] ** 2)
    return np.asarray(np.sqrt(np.mean(square, axis=0)), dtype=np.float64)
