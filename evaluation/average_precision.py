"""Average precision of detections, in a form that a bootstrap over images can weight.

Defined as by COCO (Lin et al. 2014): in each image, detections in order of descending score take the free
true box of their class with the highest IoU, if that IoU reaches the threshold; precision is made
non-increasing and averaged at the 101 recalls 0, 0.01 ... 1. The matching of an image does not depend on
other images, so it is done once, and a bootstrap resample only changes how often each image counts.

supervision's `MeanAveragePrecision` gives the same values (a test compares them) but takes no weights per
image and no bands of box heights. Computing it anew for each resample would take 1500 times as long:
measured on 200 images with 34 detections each, 1.1 s against 0.7 ms per resample, with 1000 resamples per
class and band.

By size: true boxes outside a band of heights are ignored. So are detections matched with them, and unmatched
detections that are themselves outside the band. Ignored boxes are neither misses nor false positives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

IOU_THRESHOLDS = (np.arange(50, 100, 5) / 100).astype(np.float32)
"""IoU thresholds 0.50, 0.55 ... 0.95, in the precision of `supervision.box_iou_batch`: an IoU equal to a
threshold reaches it."""
RECALL_LEVELS: Floats = np.arange(101) / 100


@dataclass(frozen=True)
class ImageMatches:
    """Detections of one class in one image, in order of descending score; D detections, T IoU thresholds.

    Attributes:
        scores: (D,).
        correct: (T, D) whether the detection is a true positive.
        counted: (T, D) whether the detection counts; ignored detections do not.
        truths: number of true boxes that count.
    """

    scores: Floats
    correct: Bools
    counted: Bools
    truths: int


def match_image(
    detections: Floats, truth: Floats, height_band: tuple[float, float] | None = None
) -> ImageMatches:
    """Match the detections of one class in one image with the true boxes.

    Args:
        detections: (D, 5) x1, y1, x2, y2 (px), score.
        truth: (G, 4) x1, y1, x2, y2, px.
        height_band: heights, px, from the first to below the second; boxes of other heights are ignored.
    """
    from supervision import box_iou_batch  # late: it takes a second to import

    detections = detections[np.argsort(-detections[:, 4], kind="stable")]
    low, high = height_band or (0.0, np.inf)
    heights, true_heights = detections[:, 3] - detections[:, 1], truth[:, 3] - truth[:, 1]
    inside = (heights >= low) & (heights < high)
    wanted = (true_heights >= low) & (true_heights < high)
    shape = (len(IOU_THRESHOLDS), len(detections))
    correct, counted = np.zeros(shape, np.bool_), np.broadcast_to(inside, shape).copy()
    if len(truth) and len(detections):
        iou = box_iou_batch(detections[:, :4], truth)
        free = np.ones((len(IOU_THRESHOLDS), len(truth)), dtype=np.bool_)
        every = np.arange(len(IOU_THRESHOLDS))
        # A detection below the lowest threshold for every true box matches none at the higher ones.
        for d in np.flatnonzero(iou.max(axis=1) >= IOU_THRESHOLDS[0]).tolist():
            near = free & (iou[d] >= IOU_THRESHOLDS[:, None])
            # A counted true box is taken before an ignored one, whatever their IoU.
            best = np.where(near, iou[d] + 2.0 * wanted, -1.0).argmax(axis=1)
            taken = near[every, best]
            free[every[taken], best[taken]] = False
            correct[:, d] = taken & wanted[best]
            counted[:, d] = np.where(taken, wanted[best], inside[d])
    return ImageMatches(detections[:, 4], correct, counted, int(wanted.sum()))


class PooledMatches:
    """The matched detections of one class over a set of images, for average precision with image weights."""

    def __init__(self, images: Sequence[ImageMatches]) -> None:
        """Sort the detections of all images by descending score.

        Detections that are ignored at every threshold are dropped, and so are those after the last true
        positive: neither can change the precision at a recall that is reached.
        """
        self.truths = np.array([image.truths for image in images], dtype=np.int64)
        order = np.argsort(
            -np.concatenate([image.scores for image in images] or [np.zeros(0)]), kind="stable"
        )
        image = np.repeat(np.arange(len(images)), [len(item.scores) for item in images])
        none = np.zeros((len(IOU_THRESHOLDS), 0), np.bool_)
        correct = np.concatenate([item.correct for item in images] or [none], axis=1)
        counted = np.concatenate([item.counted for item in images] or [none], axis=1)
        order = order[counted[:, order].any(axis=0)]
        hits = np.flatnonzero(correct[:, order].any(axis=0))
        order = order[: hits[-1] + 1] if len(hits) else order[:0]
        self._image, self._correct = image[order], correct[:, order][:, hits].astype(np.int64)
        self._wrong = (counted & ~correct)[:, order].astype(np.int64)
        # Precision is needed at true positives only: wrong detections are summed from one to the next.
        self._hits, self._begins = hits, np.concatenate([[0], hits[:-1] + 1]) if len(hits) else hits

    def average_precision(self, weights: Ints | None = None) -> Floats:
        """Average precision (T,), NaN where there are no true boxes.

        Args:
            weights: how often each image counts; once if left out.
        """
        weights = np.ones(len(self.truths), dtype=np.int64) if weights is None else weights
        truths = int(weights @ self.truths)
        if truths == 0:
            return np.full(len(IOU_THRESHOLDS), np.nan)
        result = np.zeros(len(IOU_THRESHOLDS))
        if not len(self._hits):
            return result
        times = weights[self._image]
        correct = np.cumsum(self._correct * times[self._hits], axis=1)
        wrong = np.cumsum(np.add.reduceat(self._wrong * times, self._begins, axis=1), axis=1)
        precision = correct / np.maximum(correct + wrong, 1)
        # Precision at a recall is the highest at that recall or above.
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        # The least number of true positives that reaches each recall level.
        needed = np.ceil(RECALL_LEVELS * truths - 1e-9)
        for t in range(len(IOU_THRESHOLDS)):
            place = np.searchsorted(correct[t], needed, side="left")
            result[t] = precision[t, place[place < correct.shape[1]]].sum() / len(RECALL_LEVELS)
        return result
