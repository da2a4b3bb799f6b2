"""Boxes among boxes: overlap, who is in front of whom, and the edges of the frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

Size = tuple[int, int]
"""Width and height of a frame, px; (0, 0) where it is not known."""

MOST_COVERED = 0.15
"""Share of a box that a nearer person may cover before it no longer shows one person clearly [D]."""
MOST_BEHIND = 0.4
"""The same for somebody farther away, who is covered and covers nothing, but for the gaps of an outline."""
AT_EDGE = 0.01
"""A box this near to an edge of the frame, in frame heights, is cut off there."""


def overlap(one: Floats, other: Floats) -> Floats:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4), x1, y1, x2, y2."""
    common = _common(one, other)
    return common / np.maximum(_area(one)[:, None] + _area(other) - common, 1e-9)


def clear(boxes: Floats, present: Bools) -> Bools:
    """Which boxes (N, 4) show one person and hardly another: (N,); only those `present` (N,) cover any.

    Of two people, the one whose feet are lower in the frame is nearer to the camera.
    """
    covered = _common(boxes, boxes) / np.maximum(_area(boxes), 1e-9)[:, None]
    nearer = boxes[None, :, 3] >= boxes[:, None, 3]
    spoiled = (covered > np.where(nearer, MOST_COVERED, MOST_BEHIND)) & present
    np.fill_diagonal(spoiled, False)
    return np.asarray(~spoiled.any(axis=1), dtype=np.bool_)


def cut_off(box: Floats, size: Size) -> Bools:
    """Which of the left, right, top and bottom edge of a box (4,) lie at the edge of the frame: (4,)."""
    width, height = size
    if not height:
        return np.zeros(4, dtype=np.bool_)
    x1, y1, x2, y2 = box
    near = AT_EDGE * height
    return np.array([x1 < near, x2 > width - near, y1 < near, y2 > height - near])


def at_way_out(box: Floats, size: Size, heights: float) -> bool:
    """Whether a box (4,) is within so many of its own heights of the left, right or lower edge.

    Nobody leaves through the upper edge: there people only become small.
    """
    width, height = size
    if not height:
        return False
    x1, y1, x2, y2 = box
    near = heights * (y2 - y1)
    return bool(x1 < near or x2 > width - near or y2 > height - near)


def _common(one: Floats, other: Floats) -> Floats:
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:4], other[None, :, 2:4])
    return np.asarray(np.prod(np.clip(high - low, 0, None), axis=2))


def _area(boxes: Floats) -> Floats:
    return np.asarray(np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1))
