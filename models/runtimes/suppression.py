"""Non-maximum suppression in numpy, for networks that run without torch.

It gives what `ultralytics.utils.nms.non_max_suppression` gives, in the same f32 arithmetic: the weaker of two
boxes of one class that overlap is dropped, greedily from the highest score down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

NMS_IOU = 0.7
"""IoU above which the weaker of two boxes of a class is dropped: ultralytics' default."""
MAX_BOXES_PER_IMAGE = 300
"""Boxes kept per image, at most: ultralytics' default."""
MAX_CANDIDATES = 30_000
"""Boxes of an image that are compared, at most: ultralytics' default."""
CLASS_OFFSET_PX = 7680
"""Boxes of class n are moved by n times this, so that those of two classes part, as in ultralytics."""


def suppress(
    output: Floats,
    confidence: float,
    class_count: int,
    classes: list[int] | None = None,
    end2end: bool = False,
) -> list[Floats]:
    """Boxes of the raw output of a detector or a pose network.

    Args:
        output: (N, 4 + class_count + extra, boxes): centre x, centre y, width, height (px of the input), the
            score of each class, and extra values such as keypoints. Of an end-to-end network (N, boxes,
            6 + extra): x1, y1, x2, y2, score, class, extra values; its boxes do not overlap.
        confidence: boxes are kept whose score is above this.
        class_count: classes that the network tells apart.
        classes: class indices to keep; None keeps all.
        end2end: whether the network is such an end-to-end network.

    Returns:
        Per image, rows (n, 6 + extra) of x1, y1, x2, y2, score, class, extra values, highest score first, at
        most MAX_BOXES_PER_IMAGE.
    """
    if end2end or output.shape[-1] == 6:
        return [_confident(rows, confidence, classes)[:MAX_BOXES_PER_IMAGE] for rows in output]
    return [_suppressed(image, confidence, class_count, classes) for image in output]


def _confident(rows: Floats, confidence: float, classes: list[int] | None) -> Floats:
    kept = rows[:, 4] > np.float32(confidence)
    if classes is not None:
        kept &= np.isin(rows[:, 5], classes)
    return rows[kept]


def _suppressed(output: Floats, confidence: float, class_count: int, classes: list[int] | None) -> Floats:
    by_class = output[4 : 4 + class_count]
    best = by_class[0] if class_count == 1 else by_class.max(axis=0)
    candidates = np.flatnonzero(best > np.float32(confidence))
    chosen = output[:, candidates]
    rows = np.empty((len(candidates), 6 + len(output) - 4 - class_count), np.float32)
    half = chosen[2:4] / np.float32(2)
    rows[:, :2] = (chosen[:2] - half).T
    rows[:, 2:4] = (chosen[:2] + half).T
    rows[:, 4] = best[candidates]
    rows[:, 5] = chosen[4 : 4 + class_count].argmax(axis=0) if class_count > 1 else 0
    rows[:, 6:] = chosen[4 + class_count :].T
    if classes is not None:
        rows = rows[np.isin(rows[:, 5], classes)]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")[:MAX_CANDIDATES]]
    return rows[_greedy(rows[:, :4] + rows[:, 5:6] * np.float32(CLASS_OFFSET_PX))]


def _greedy(boxes: Floats) -> list[int]:
    """Numbers of the boxes (N, 4; highest score first) that no kept box before them overlaps by NMS_IOU."""
    x1, y1, x2, y2 = np.ascontiguousarray(boxes.T)
    areas = (x2 - x1) * (y2 - y1)
    kept: list[int] = []
    left = np.arange(len(boxes))
    while len(left) and len(kept) < MAX_BOXES_PER_IMAGE:
        first, left = int(left[0]), left[1:]
        kept.append(first)
        if not len(left):
            break
        wide = np.minimum(x2[first], x2[left]) - np.maximum(x1[first], x1[left])
        high = np.minimum(y2[first], y2[left]) - np.maximum(y1[first], y1[left])
        shared = np.maximum(wide, np.float32(0)) * np.maximum(high, np.float32(0))
        with np.errstate(invalid="ignore"):  # boxes without an area: no number, and no overlap
            overlap = shared / (areas[first] + areas[left] - shared)
        left = left[~(overlap > np.float32(NMS_IOU))]
    return kept
