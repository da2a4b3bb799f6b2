"""The walkable floor: where the feet of several people were, as one or a few simple polygons."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from incidents.rules.episode import Bools, Floats, Ints
from pipelines.suggestion.walks import Walks
from zones.camera import MIN_AREA_SHARE
from zones.geometry import area, is_simple, signed_distance

CELL_M = 0.15
"""Side of a cell of the floor [D]: a walker at 5 samples a second leaves one in every cell or two."""
BODY_M = 0.3
"""Somebody whose foot point is at a place needs the floor this far around it [D]."""
PEOPLE = 2
"""A cell that fewer walked on is no floor, but a detection gone astray [D]."""
MASS = 0.995
"""Of all visits of walkers to cells, the least visited cells that hold the rest are dropped [D]."""
CLOSE_M = 0.8
"""Gaps narrower than twice this, between where people walked, are floor that nobody happened to use [D]."""
OPEN_M = 0.3
"""Whiskers narrower than twice this are paths of single people astray [D]."""
PIECE = 0.02
"""A piece that holds less than this share of the visits is dropped [D]."""
FEWEST = 5
"""Walkers below which no floor is proposed [D]."""
LINES = 540
"""Lines of the raster in which the outline is drawn: one is 0.2 % of the picture's height."""
SMOOTH = 0.006
"""The outline is drawn with as few corners as keep it this near, in frame heights [D] ..."""
CORNERS = 24
"""... and no more than these: a person will want to move them."""


@dataclass(frozen=True)
class Floor:
    """A walkable floor.

    Attributes:
        polygons: each (K, 2), normalised, simple; largest first. Holes in it are not cut out.
        samples_inside: share of the time that people were seen for, 0..1.
        walkers_inside: share of the walkers who were inside for nine tenths of that time, 0..1.
        walkers: how many there were; hours: of watching.
        area_m2: of the polygons on the floor, where the camera is calibrated.
    """

    polygons: tuple[tuple[tuple[float, float], ...], ...]
    samples_inside: float
    walkers_inside: float
    walkers: int
    hours: float
    area_m2: float | None


def find_floor(walk: Walks) -> tuple[Floor | None, str | None]:
    """The floor that people walked on; or None, and a sentence that says why."""
    if walk.walkers < FEWEST:
        return None, f"no floor is proposed: {walk.walkers} people walked, expected at least {FEWEST}"
    cell, visits, low = _visits(walk)
    kept = _kept(visits)
    grid = _pieces(kept, visits)
    if not grid.any():
        return None, f"no floor is proposed: no place was walked on by {PEOPLE} people or more"
    polygons = _outlines(grid, low, cell, walk)
    if not polygons:
        return None, "no floor is proposed: what was walked on is too small in the picture to draw"
    return _floor(walk, polygons), None


def _visits(walk: Walks) -> tuple[float, Ints, Floats]:
    """Side of a cell, m; how many walkers (rows, columns) came by each cell; and the grid's corner, m."""
    rows = np.flatnonzero(walk.of_walkers())
    place, path = walk.place[rows], walk.samples.person[rows]
    # Between samples less than a stride apart people were in between, too.
    joined = (np.diff(rows) == 1) & (walk.seconds[rows[:-1]] > 0) & (np.diff(path) == 0)
    step = np.where(joined, np.hypot(*np.diff(place, axis=0).T), 0.0)
    count = np.append(np.clip(np.ceil(step / CELL_M), 1, 20).astype(np.int64), 1)
    share = (np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)) / np.repeat(count, count)
    onward = np.append(np.where(joined[:, None], np.diff(place, axis=0), 0.0), np.zeros((1, 2)), axis=0)
    place = np.repeat(place, count, axis=0) + np.repeat(onward, count, axis=0) * share[:, None]
    path = np.repeat(path, count)
    # A place far from all others must not make the grid large: a hundredth of a percent is left out.
    low, high = np.percentile(place, [0.01, 99.99], axis=0)
    inside = ((place >= low) & (place <= high)).all(axis=1)
    cell = max(CELL_M, float((high - low).max()) / 2000)
    low = low - (BODY_M + CLOSE_M + 2 * cell)
    shape = np.ceil((high - low + BODY_M + CLOSE_M + 2 * cell) / cell).astype(np.int64)[::-1]
    column, row = ((place[inside] - low) // cell).astype(np.int64).T
    reach = round(BODY_M / cell)
    around = np.arange(-reach, reach + 1)
    disc = [(r, c) for r in around for c in around if np.hypot(r, c) * cell <= BODY_M + 1e-9]
    code = np.unique(path[inside] * shape.prod() + row * shape[1] + column)
    spread = np.concatenate([code + r * shape[1] + c for r, c in disc])
    visits = np.bincount(np.unique(spread) % shape.prod(), minlength=shape.prod())
    return cell, visits.reshape(shape), low


def _kept(visits: Ints) -> Bools:
    """Cells of several people, less those that hold the last of the visits."""
    count = np.sort(visits[visits >= PEOPLE])[::-1]
    if not len(count):
        return np.zeros(visits.shape, dtype=np.bool_)
    held = np.cumsum(count)
    least = count[np.searchsorted(held, MASS * held[-1])]
    return np.asarray(visits >= max(PEOPLE, int(least)))


def _pieces(kept: Bools, visits: Ints) -> Bools:
    """The kept cells closed over narrow gaps, without whiskers and small pieces."""
    grid = kept.astype(np.uint8)
    for operation, metres in ((cv2.MORPH_CLOSE, CLOSE_M), (cv2.MORPH_OPEN, OPEN_M)):
        reach = 2 * round(metres / CELL_M) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        grid = np.asarray(cv2.morphologyEx(grid, operation, disc), dtype=np.uint8)
    count, label = cv2.connectedComponents(grid, connectivity=4)
    held = np.bincount(label.ravel(), weights=visits.ravel(), minlength=count)
    held[0] = 0
    return np.asarray((held >= PIECE * max(held.sum(), 1))[label] & (label > 0))


def _outlines(grid: Bools, low: Floats, cell: float, walk: Walks) -> list[Floats]:
    """Simple polygons (K, 2), normalised, around the cells, drawn in the picture so that they stay in it."""
    size = np.array([round(LINES * walk.surface.aspect), LINES])
    pixels = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in size)), axis=-1).reshape(-1, 2) / size
    where = (walk.surface.to_floor(pixels) - low) / cell
    known = np.isfinite(where).all(axis=1) & (where >= 0).all(axis=1) & (where < grid.shape[::-1]).all(axis=1)
    column, row = where[known].astype(np.int64).T
    walked = np.zeros(len(pixels), dtype=np.uint8)
    walked[known] = grid[row, column]
    # An outline that touches itself is no polygon: what hangs by a corner is cut off.
    raster = cv2.morphologyEx(walked.reshape(LINES, -1), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(raster, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for contour in sorted(contours, key=cv2.contourArea, reverse=True):
        near = SMOOTH * LINES
        ring = np.asarray(cv2.approxPolyDP(contour, near, True))[:, 0]
        while len(ring) > 3 and (len(ring) > CORNERS or not is_simple(ring)):
            near *= 1.25
            ring = np.asarray(cv2.approxPolyDP(contour, near, True))[:, 0]
        polygon = np.round((ring + 0.5) / size, 4)
        if len(polygon) >= 3 and is_simple(polygon) and area(polygon) >= 10 * MIN_AREA_SHARE:
            found.append(polygon)
    return found


def _floor(walk: Walks, polygons: list[Floats]) -> Floor:
    foot = walk.samples.foot
    inside = np.any([signed_distance(foot, polygon) >= 0 for polygon in polygons], axis=0)
    time = np.add.reduceat(walk.seconds, walk.first)
    within = np.add.reduceat(walk.seconds * inside, walk.first)
    mostly = (within >= 0.9 * time)[walk.walker]
    metres = sum(area(walk.surface.to_floor(polygon)) for polygon in polygons)
    return Floor(
        polygons=tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in polygons),
        samples_inside=float(within.sum() / max(time.sum(), 1e-9)),
        walkers_inside=float(mostly.mean()),
        walkers=walk.walkers,
        hours=walk.hours,
        area_m2=round(metres, 1) if walk.surface.calibrated else None,
    )
