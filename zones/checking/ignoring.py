"""Areas where people are ignored: too much of the picture, or whole zones and lines."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from zones.camera import Camera, Zone
from zones.checking.findings import Check, Remarks, warn
from zones.checking.overlap import grid
from zones.geometry import signed_distance
from zones.validation import Loc

Polygons = tuple[tuple[tuple[float, float], ...], ...]
MAX_IGNORED_SHARE = 0.5
"""Share of the picture that a camera may ignore without a warning: an area that is ignored is not watched.
Project default (docs/defaults.md)."""
_STEPS = 200
"""Rows and columns of the points of the picture, and points of a line, that are tested."""


def ignored(camera: Camera, loc: Loc) -> Remarks:
    """Warnings on a camera that ignores much of its picture, and on places that lie in what it ignores."""
    if not camera.ignore:
        return
    share = ignored_share(camera)
    if share > MAX_IGNORED_SHARE:
        yield warn(
            Check.IGNORES_MUCH,
            camera.id,
            (*loc, "ignore"),
            f"people are ignored in {share:.0%} of the picture: what is ignored is not watched",
        )
    hidden = wholly_ignored(camera)
    for below, part in camera.parts():
        if part.id in hidden:
            yield warn(
                Check.IGNORED_PLACE,
                camera.id,
                (*loc, *below),
                f"{part.id!r} lies in areas where people are ignored: it can raise nothing",
            )


def ignored_share(camera: Camera) -> float:
    """Share of the picture, 0..1, in which people are ignored, by a grid of points; 1 = nowhere watched."""
    return _share(camera.ignore) if camera.ignore else 0.0


@lru_cache(maxsize=64)
def _share(polygons: Polygons) -> float:
    steps = (np.arange(_STEPS) + 0.5) / _STEPS
    picture = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    return float(_inside(polygons, picture).mean())


def wholly_ignored(camera: Camera) -> frozenset[str]:
    """Ids of the zones and lines that lie wholly in areas where people are ignored."""
    if not camera.ignore:
        return frozenset()
    found = []
    for _, part in camera.parts():
        inside = grid(part) if isinstance(part, Zone) else np.linspace(part.points[0], part.points[1], _STEPS)
        if len(inside) and in_ignored(camera, inside).all():
            found.append(part.id)
    return frozenset(found)


def in_ignored(camera: Camera, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether points (N, 2), normalised, lie in an area of the camera where people are ignored.

    A point on the edge of such an area lies in it.
    """
    return _inside(camera.ignore, points)


def _inside(polygons: Polygons, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(points), dtype=np.bool_)
    for polygon in polygons:
        ring = np.asarray(polygon)
        near = np.flatnonzero(((points >= ring.min(axis=0)) & (points <= ring.max(axis=0))).all(axis=1))
        inside[near] |= signed_distance(points[near], ring) >= 0
    return inside
