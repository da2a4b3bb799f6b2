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
        """Sort the detections of all images by descending score.

        What is ignored at every threshold is dropped, and so is what comes after the last right one:
        neither can change precision at any recall that is reached.
        """
        self.truths = np.array([image.truths for image in images], dtype=np.int64)
        order = np.argsort(-np.concatenate([image.score for image in images] or [np.zeros(0)]), kind="stable")
        image = np.repeat(np.arange(len(images)), [len(item.score) for item in images])
        none = np.zeros((len(THRESHOLDS), 0), np.bool_)
        right = np.concatenate([item.right for item in images] or [none], axis=1)
        counts = np.concatenate([item.counts for item in images] or [none], axis=1)
        order = order[counts[:, order].any(axis=0)]
        hits = np.flatnonzero(right[:, order].any(axis=0))
        order = order[: hits[-1] + 1] if len(hits) else order[:0]
        self._image, self._right = image[order], right[:, order][:, hits].astype(np.int64)
        self._wrong = (counts & ~right)[:, order].astype(np.int64)
        # Precision matters where something right is found; each of these ends a stretch of detections.
        self._hits, self._begins = hits, np.concatenate([[0], hits[:-1] + 1]) if len(hits) else hits

    def average_precision(self, weights: Ints | None = None) -> Floats:
        """Average precision (T,) when image i counts `weights[i]` times (once each, where left out).

        NaN where there are no true boxes to be found.
        """
        weights = np.ones(len(self.truths), dtype=np.int64) if weights is None else weights
        truths = int(weights @ self.truths)
        if truths == 0:
            return np.full(len(THRESHOLDS), np.nan)
        result = np.zeros(len(THRESHOLDS))
        if not len(self._hits):
            return result
        times = weights[self._image]
        right = np.cumsum(self._right * times[self._hits], axis=1)
        wrong = np.cumsum(np.add.reduceat(self._wrong * times, self._begins, axis=1), axis=1)
        precision = right / np.maximum(right + wrong, 1)
        # From the right: precision at a recall is the best at that recall or a higher one.
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        # The smallest number of right ones whose recall is at least each of RECALLS.
        needed = np.ceil(RECALLS * truths - 1e-9)
        for t in range(len(THRESHOLDS)):
            place = np.searchsorted(right[t], needed, side="left")
            result[t] = precision[t, place[place < right.shape[1]]].sum() / len(RECALLS)
        return result
