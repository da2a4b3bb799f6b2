"""The walkable floor: where several people walked, as one or a few simple polygons."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from incidents.rules.machines.plan import Bools, Floats, Ints
from pipelines.suggestion.trajectories import Trajectories
from zones.camera import MIN_AREA_SHARE
from zones.geometry import area, is_simple, signed_distance

CELL_M = 0.15
"""Side of a grid cell: at 5 samples per second a walking person has one in every cell or two.

Project default (docs/defaults.md).
"""
BODY_RADIUS_M = 0.3
"""Radius around a foot point that a person occupies.

Project default (docs/defaults.md).
"""
MIN_PEOPLE = 2
"""Fewest people who walked on a cell of the floor; a cell with fewer is a detection error.

Project default (docs/defaults.md).
"""
KEPT_VISIT_SHARE = 0.995
"""Share of all visits to cells that is kept; the least visited cells with the remaining visits are dropped.

Project default (docs/defaults.md).
"""
CLOSING_RADIUS_M = 0.8
"""Radius of the morphological closing: narrower gaps between cells are floor that was not used by chance.

Project default (docs/defaults.md).
"""
OPENING_RADIUS_M = 0.3
"""Radius of the morphological opening: narrower branches are paths of single people.

Project default (docs/defaults.md).
"""
MIN_PIECE_SHARE = 0.02
"""Least share of the visits of a connected piece of the floor.

Project default (docs/defaults.md).
"""
MIN_WALKERS = 5
"""Fewest people who walked for a floor to be proposed.

Project default (docs/defaults.md).
"""
RASTER_HEIGHT = 540
"""Rows of the raster in which the outline is found: one is 0.2 % of the height of the image."""
OUTLINE_TOLERANCE = 0.006
"""Tolerance of the simplified outline, in frame heights.

Project default (docs/defaults.md).
"""
MAX_CORNERS = 24
"""Most corners of a polygon: an engineer has to be able to move them.

Project default (docs/defaults.md).
"""


@dataclass(frozen=True)
class Floor:
    """A walkable floor.

    Attributes:
        polygons: each (K, 2), normalised, simple; largest first. Holes are not cut out.
        time_inside: share of the time of all people that was spent inside, 0..1.
        people: number of people who walked.
    """

    polygons: tuple[tuple[tuple[float, float], ...], ...]
    time_inside: float
    people: int


def find_floor(trajectories: Trajectories) -> tuple[Floor | None, str | None]:
    """The floor that people walked on; or None and the reason, as a sentence."""
    if trajectories.walker_count < MIN_WALKERS:
        got = trajectories.walker_count
        return None, f"no floor is proposed: expected at least {MIN_WALKERS} people who walked, got {got}"
    cell, visits, low = _visits(trajectories)
    kept = _kept(visits)
    grid = _pieces(kept, visits)
    if not grid.any():
        return None, f"no floor is proposed: no cell was walked on by {MIN_PEOPLE} people or more"
    polygons = _outlines(grid, low, cell, trajectories)
    if not polygons:
        return None, "no floor is proposed: the part of the image that was walked on is too small"
    return _floor(trajectories, polygons), None


def _visits(trajectories: Trajectories) -> tuple[float, Ints, Floats]:
    """Side of a cell, m; number of people (rows, columns) who walked on each cell; corner of the grid, m."""
    rows = np.flatnonzero(trajectories.walking_rows())
    position, person = trajectories.position[rows], trajectories.samples.person[rows]
    # Between two consecutive samples a person walked on the cells in between, too.
    joined = (np.diff(rows) == 1) & (trajectories.duration_s[rows[:-1]] > 0) & (np.diff(person) == 0)
    step = np.where(joined, np.hypot(*np.diff(position, axis=0).T), 0.0)
    count = np.append(np.clip(np.ceil(step / CELL_M), 1, 20).astype(np.int64), 1)
    share = (np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)) / np.repeat(count, count)
    onward = np.append(np.where(joined[:, None], np.diff(position, axis=0), 0.0), np.zeros((1, 2)), axis=0)
    position = np.repeat(position, count, axis=0) + np.repeat(onward, count, axis=0) * share[:, None]
    person = np.repeat(person, count)
    # A position far from all others must not enlarge the grid: a hundredth of a percent is left out.
    low, high = np.percentile(position, [0.01, 99.99], axis=0)
    inside = ((position >= low) & (position <= high)).all(axis=1)
    cell = max(CELL_M, float((high - low).max()) / 2000)
    low = low - (BODY_RADIUS_M + CLOSING_RADIUS_M + 2 * cell)
    shape = np.ceil((high - low + BODY_RADIUS_M + CLOSING_RADIUS_M + 2 * cell) / cell).astype(np.int64)[::-1]
    column, row = ((position[inside] - low) // cell).astype(np.int64).T
    radius = round(BODY_RADIUS_M / cell)
    around = np.arange(-radius, radius + 1)
    disc = [(r, c) for r in around for c in around if np.hypot(r, c) * cell <= BODY_RADIUS_M + 1e-9]
    code = np.unique(person[inside] * shape.prod() + row * shape[1] + column)
    spread = np.concatenate([code + r * shape[1] + c for r, c in disc])
    visits = np.bincount(np.unique(spread) % shape.prod(), minlength=shape.prod())
    return cell, visits.reshape(shape), low


def _kept(visits: Ints) -> Bools:
    """Cells of several people, without the least visited of them."""
    count = np.sort(visits[visits >= MIN_PEOPLE])[::-1]
    if not len(count):
        return np.zeros(visits.shape, dtype=np.bool_)
    held = np.cumsum(count)
    least = count[np.searchsorted(held, KEPT_VISIT_SHARE * held[-1])]
    return np.asarray(visits >= max(MIN_PEOPLE, int(least)))


def _pieces(kept: Bools, visits: Ints) -> Bools:
    """The kept cells, with narrow gaps closed, and without narrow branches and small pieces."""
    grid = kept.astype(np.uint8)
    for operation, metres in ((cv2.MORPH_CLOSE, CLOSING_RADIUS_M), (cv2.MORPH_OPEN, OPENING_RADIUS_M)):
        reach = 2 * round(metres / CELL_M) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        grid = np.asarray(cv2.morphologyEx(grid, operation, disc), dtype=np.uint8)
    count, label = cv2.connectedComponents(grid, connectivity=4)
    held = np.bincount(label.ravel(), weights=visits.ravel(), minlength=count)
    held[0] = 0
    return np.asarray((held >= MIN_PIECE_SHARE * max(held.sum(), 1))[label] & (label > 0))


def _outlines(grid: Bools, low: Floats, cell: float, trajectories: Trajectories) -> list[Floats]:
    """Simple polygons (K, 2), normalised, around the cells; found in the image, so that they stay in it."""
    size = np.array([round(RASTER_HEIGHT * trajectories.ground.aspect), RASTER_HEIGHT])
    pixels = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in size)), axis=-1).reshape(-1, 2) / size
    where = (trajectories.ground.to_floor(pixels) - low) / cell
    known = np.isfinite(where).all(axis=1) & (where >= 0).all(axis=1) & (where < grid.shape[::-1]).all(axis=1)
    column, row = where[known].astype(np.int64).T
    walked = np.zeros(len(pixels), dtype=np.uint8)
    walked[known] = grid[row, column]
    # An outline that touches itself is not simple: parts that are connected at a corner only are cut off.
    raster = cv2.morphologyEx(walked.reshape(RASTER_HEIGHT, -1), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(raster, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for contour in sorted(contours, key=cv2.contourArea, reverse=True):
        near = OUTLINE_TOLERANCE * RASTER_HEIGHT
        ring = np.asarray(cv2.approxPolyDP(contour, near, True))[:, 0]
        while len(ring) > 3 and (len(ring) > MAX_CORNERS or not is_simple(ring)):
            near *= 1.25
            ring = np.asarray(cv2.approxPolyDP(contour, near, True))[:, 0]
        polygon = np.round((ring + 0.5) / size, 4)
        if len(polygon) >= 3 and is_simple(polygon) and area(polygon) >= 10 * MIN_AREA_SHARE:
            found.append(polygon)
    return found


def _floor(trajectories: Trajectories, polygons: list[Floats]) -> Floor:
    foot = trajectories.samples.foot
    inside = np.any([signed_distance(foot, polygon) >= 0 for polygon in polygons], axis=0)
    duration_s = trajectories.duration_s
    return Floor(
        polygons=tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in polygons),
        time_inside=float(duration_s[inside].sum() / max(duration_s.sum(), 1e-9)),
        people=trajectories.walker_count,
    )
