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
    # The share of one box that another covers is neither of the ratios that `sv.box_iou_batch` computes
    # (over the union, over the smaller box).
    covered = _intersections(boxes) / np.maximum(_areas(boxes), 1e-9)[:, None]
    nearer = boxes[None, :, 3] >= boxes[:, None, 3]
    occluded = (covered > np.where(nearer, MAX_COVERED_BY_NEARER, MAX_COVERED_BY_FARTHER)) & present
    np.fill_diagonal(occluded, False)
    return np.asarray(~occluded.any(axis=1), dtype=np.bool_)


def cut_off_edges(box: Floats, size: Size) -> Bools:
    """Which of the left, right, top and bottom edge of a box (4,) lie at the edge of the frame: (4,)."""
    width, height = size
    if not height:
        return np.zeros(4, dtype=np.bool_)
    x1, y1, x2, y2 = box
    margin = FRAME_EDGE_SHARE * height
    return np.array([x1 < margin, x2 > width - margin, y1 < margin, y2 > height - margin])


def near_exit(box: Floats, size: Size, heights: float) -> bool:
    """Whether a box (4,) is within `heights` of its own height of the left, right or lower frame edge.

    People do not leave the view through the upper edge; they only become small there.
    """
    width, height = size
    if not height:
        return False
    x1, y1, x2, y2 = box
    margin = heights * (y2 - y1)
    return bool(x1 < margin or x2 > width - margin or y2 > height - margin)


def _intersections(boxes: Floats) -> Floats:
    """Areas (N, N) that boxes share, px^2."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:4], boxes[None, :, 2:4])
    return np.asarray(np.prod(np.clip(high - low, 0, None), axis=2))


def _areas(boxes: Floats) -> Floats:
    return np.asarray(np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1))
