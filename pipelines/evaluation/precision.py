"""Average precision of detections, in a form that can be drawn anew over images.

As COCO counts it (Lin et al. 2014): per image, detections take the best true box of their class that is
still free and overlaps by at least the threshold, in order of score; precision is made non-increasing and
averaged over the 101 recalls 0, 0.01 ... 1. Matching does not depend on other images, so it is done once;
a bootstrap draw only changes how often each image counts.

By size: true boxes outside a band of heights are ignored, and so is what is found on them, and what is
found on nothing and is itself outside the band: neither misses nor false alarms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

THRESHOLDS: Floats = np.arange(50, 100, 5) / 100
"""IoU thresholds 0.50, 0.55 ... 0.95."""
RECALLS: Floats = np.arange(101) / 100


@dataclass(frozen=True)
class Matched:
    """Detections of one class in one image, by descending score; D detections.

    Attributes:
        score: (D,).
        right: (T, D) whether it found a true box, by IoU threshold.
        counts: (T, D) whether it counts at all: ignored ones do not.
        truths: number of true boxes that count.
    """

    score: Floats
    right: Bools
    counts: Bools
    truths: int


def overlaps(boxes: Floats, others: Floats) -> Floats:
    """Intersection over union of boxes (N, 4) with others (M, 4), all x1, y1, x2, y2: (N, M)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), np.prod(others[:, 2:] - others[:, :2], axis=1)
    union = areas[0][:, None] + areas[1][None, :] - common
    return np.asarray(common / np.maximum(union, 1e-12), dtype=np.float64)


def match_image(found: Floats, truth: Floats, band: tuple[float, float] | None = None) -> Matched:
    """Match the detections of one class in one image.

    Args:
        found: (D, 5) x1, y1, x2, y2, score, px.
        truth: (G, 4) x1, y1, x2, y2, px.
        band: heights, px, from the first to below the second; others are ignored.
    """
    found = found[np.argsort(-found[:, 4], kind="stable")]
    low, high = band or (0.0, np.inf)
    tall, true_tall = found[:, 3] - found[:, 1], truth[:, 3] - truth[:, 1]
    inside, wanted = (tall >= low) & (tall < high), (true_tall >= low) & (true_tall < high)
    shape = (len(THRESHOLDS), len(found))
    right, counts = np.zeros(shape, np.bool_), np.broadcast_to(inside, shape).copy()
    if len(truth) and len(found):
        iou = overlaps(found[:, :4], truth)
        free = np.ones((len(THRESHOLDS), len(truth)), dtype=np.bool_)
        every = np.arange(len(THRESHOLDS))
        # What overlaps nothing enough for the lowest threshold needs no look at the higher ones.
        for d in np.flatnonzero(iou.max(axis=1) >= THRESHOLDS[0]).tolist():
            near = free & (iou[d] >= THRESHOLDS[:, None])
            # A wanted box is taken before an ignored one, however well that one fits.
            best = np.where(near, iou[d] + 2.0 * wanted, -1.0).argmax(axis=1)
            taken = near[every, best]
            free[every[taken], best[taken]] = False
            right[:, d] = taken & wanted[best]
            counts[:, d] = np.where(taken, wanted[best], inside[d])
    return Matched(found[:, 4], right, counts, int(wanted.sum()))


class Pool:
    """The matched detections of one class over a set of images, ready to be counted with weights."""

    def __init__(self, images: Sequence[Matched]) -> None:
        """Sort the detections of all images by descending score."""
        self.truths = np.array([image.truths for image in images], dtype=np.int64)
        score = np.concatenate([image.score for image in images] or [np.zeros(0)])
        order = np.argsort(-score, kind="stable")
        self.score = score[order]
        self._image = np.repeat(np.arange(len(images)), [len(image.score) for image in images])[order]
        empty = np.zeros((len(THRESHOLDS), 0), np.bool_)
        self._right = np.concatenate([image.right for image in images] or [empty], axis=1)[:, order]
        counts = np.concatenate([image.counts for image in images] or [empty], axis=1)[:, order]
        self._wrong = counts & ~self._right

    def average_precision(self, weights: Ints | None = None) -> Floats:
        """Average precision (T,) when image i counts `weights[i]` times (once each, where left out).

        NaN where there are no true boxes to be found.
        """
        weights = np.ones(len(self.truths), dtype=np.int64) if weights is None else weights
        truths = int(weights @ self.truths)
        if truths == 0:
            return np.full(len(THRESHOLDS), np.nan)
        if not len(self._image):
            return np.zeros(len(THRESHOLDS))
        times = weights[self._image]
        drawn = times > 0
        times = times[drawn]
        right = np.cumsum(self._right[:, drawn] * times, axis=1)
        wrong = np.cumsum(self._wrong[:, drawn] * times, axis=1)
        if right.shape[1] == 0:
            return np.zeros(len(THRESHOLDS))
        precision = right / np.maximum(right + wrong, 1)
        # From the right: precision at a recall is the best at that recall or a higher one.
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        result = np.zeros(len(THRESHOLDS))
        # The smallest number found whose recall is at least each of RECALLS.
        needed = np.ceil(RECALLS * truths - 1e-9)
        for t in range(len(THRESHOLDS)):
            place = np.searchsorted(right[t], needed, side="left")
            reached = place < right.shape[1]
            result[t] = precision[t, place[reached]].sum() / len(RECALLS)
        return result

    def operating_point(self, score: float) -> tuple[int, int]:
        """How many of the true boxes are found at IoU 0.5 from a score on, and how many false ones are."""
        kept = self.score >= score
        return int(self._right[0, kept].sum()), int(self._wrong[0, kept].sum())
