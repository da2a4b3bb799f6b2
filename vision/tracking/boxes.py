"""Geometry of boxes in a frame: occlusion between boxes, and boxes at the edges of the frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zones.people import FRAME_EDGE_SHARE

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

Size = tuple[int, int]
"""Width and height of a frame, px; (0, 0) where it is not known."""

MAX_COVERED_BY_NEARER = 0.15
"""Share of a box that the box of a nearer person may cover while the box still counts as unoccluded.
Project default (docs/defaults.md)."""
MAX_COVERED_BY_FARTHER = 0.4
"""Share of a box that the box of a person farther away may cover. It is larger, because only the background
between the outline of a person and the box can show the other. Project default (docs/defaults.md)."""


def unoccluded(boxes: Floats, present: Bools) -> Bools:
    """Which boxes (N, 4) show one person and hardly another: (N,). Only boxes `present` (N,) cover others.

    Of two people, the one whose feet are lower in the frame is nearer to the camera.
    """
    covered = _intersections(boxes, boxes) / np.maximum(_areas(boxes), 1e-9)[:, None]
    nearer = boxes[None, :, 3] >= boxes[:, None, 3]
    occluded = (covered > np.where(nearer, MAX_COVERED_BY_NEARER, MAX_COVERED_BY_FARTHER)) & present
    np.fill_diagonal(occluded, False)
    return np.asarray(~occluded.any(axis=1), dtype=np.bool_)


def cut_off_edges(boxes: Floats, size: Size) -> Bools:
    """Which of the left, right, top and bottom edge of boxes (N, 4) lie at the edge of the frame: (N, 4)."""
    width, height = size
    if not height:
        return np.zeros((len(boxes), 4), dtype=np.bool_)
    x1, y1, x2, y2 = boxes.T
    margin = FRAME_EDGE_SHARE * height
    return np.stack([x1 < margin, x2 > width - margin, y1 < margin, y2 > height - margin], axis=1)


def near_exit(box: Floats, size: Size, heights: float) -> bool:
    """Whether a box (4,) is within `heights` of its own height of the left, right or lower frame edge.

    People do not leave the view through the upper edge; they only become small there.
    """
    width, height = size
    if not height:
        return False
    x1, y1, x2, y2 = box.tolist()  # numbers of Python: arithmetic on single numbers of numpy is slow
    margin = heights * (y2 - y1)
    return bool(x1 < margin or x2 > width - margin or y2 > height - margin)


def overlaps(boxes: Floats, others: Floats) -> Floats:
    """IoU (N, M) of boxes (N, 4) with others (M, 4); 0 where neither has an area."""
    shared = _intersections(boxes, others)
    union = _areas(boxes)[:, None] + _areas(others) - shared
    return np.asarray(shared / np.where(union > 0, union, 1.0))


def _intersections(boxes: Floats, others: Floats) -> Floats:
    """Areas (N, M) that boxes (N, 4) share with others (M, 4), px^2."""
    x1, y1, x2, y2 = boxes.T[:, :, None]
    left, top, right, bottom = others.T
    wide = np.minimum(x2, right) - np.maximum(x1, left)
    high = np.minimum(y2, bottom) - np.maximum(y1, top)
    return np.asarray(np.maximum(wide, 0) * np.maximum(high, 0))


def _areas(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
