"""PersonBoxes of different heights who walk before a known pinhole camera, as boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zones.calibration.people import PersonBoxes

ASPECT = 16 / 9


@dataclass(frozen=True)
class Pinhole:
    """A camera `height` m above the floor, looking `pitch` down and turned by `roll` (degrees)."""

    focal: float = 1.5
    pitch: float = 22.0
    roll: float = 1.0
    height: float = 4.0

    def project(self, world: np.ndarray) -> np.ndarray:
        """Normalised image points (N, 2) of (N, 3), m; NaN behind the camera."""
        sin, cos = math.sin(math.radians(self.pitch)), math.cos(math.radians(self.pitch))
        right, ahead, up = world[:, 0], world[:, 1], world[:, 2] - self.height
        depth = cos * ahead - sin * up
        down = -sin * ahead - cos * up
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v = self.focal * right / depth, self.focal * down / depth
        turn, half = math.radians(self.roll), 0.5
        u, v = math.cos(turn) * u - math.sin(turn) * v, math.sin(turn) * u + math.cos(turn) * v
        image = np.column_stack([u / ASPECT + half, v + half])
        image[depth <= 0.1] = np.nan
        return image


def walk(
    camera: Pinhole,
    count: int,
    seed: int,
    mean: float = 1.65,
    sd: float = 0.08,
    noise: float = 0.03,
    x: tuple[float, float] = (-4.0, 4.0),
    y: tuple[float, float] = (5.0, 18.0),
) -> PersonBoxes:
    """`count` people who walk for 20 s each, to three places one after the other, seen five times a second.

    Both ends of a box are off by `noise` of its height (one standard deviation), the height of a person by
    `sd` from `mean`, their pace by a tenth.
    """
    generator = np.random.default_rng(seed)
    boxes, track, t = [], [], []
    for person in range(count):
        spots = np.column_stack([generator.uniform(*x, 4), generator.uniform(*y, 4)])
        legs = np.hypot(*np.diff(spots, axis=0).T)
        at = np.concatenate([[0], np.cumsum(legs)])
        when = np.arange(0, 20, 0.2)
        gone = np.minimum(np.cumsum(np.full(len(when), 0.2) * generator.normal(1.2, 0.12, len(when))), at[-1])
        place = np.column_stack([np.interp(gone, at, spots[:, i]) for i in (0, 1)])
        stature = generator.normal(mean, sd)
        foot = camera.project(np.column_stack([place, np.zeros(len(place))]))
        head = camera.project(np.column_stack([place, np.full(len(place), stature)]))
        centre, height = (foot[:, 0] + head[:, 0]) / 2, foot[:, 1] - head[:, 1]
        top, bottom = (
            end + generator.normal(0, noise, len(end)) * height for end in (head[:, 1], foot[:, 1])
        )
        half = 0.2 * height / ASPECT
        boxes.append(np.column_stack([centre - half, top, centre + half, bottom]))
        track.append(np.full(len(when), person))
        # One after the other, so that none hides another.
        t.append(((when + 30 * person) * 1e6).astype(np.int64))
    seen = np.concatenate(boxes)
    inside = np.isfinite(seen).all(axis=1)
    return PersonBoxes(seen[inside], np.concatenate(track)[inside], np.concatenate(t)[inside], ASPECT)
