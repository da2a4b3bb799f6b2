"""Is the face of a person masked: masked, unmasked, incorrect, or honestly not assessed.

A small face-mask detector looks at the head region, cut from the full-resolution frame. Not assessed
is an answer with a reason, never a kind of compliance: a head turned away has no face to judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from models.devices import Device, Predictor
from models.errors import ModelError
from models.registry import Weights

STATES = ("masked", "unmasked", "incorrect")
FLOOR_PX = 20
"""Faces lower than this are never assessed [D]; the rule asks for more (32 px by default)."""
FACE_SCORE = 0.25
"""A face counts from this score on: ultralytics' default, not tuned."""
SAME_FACE_IOU = 0.5
FACE_OF_STANDING = ((2.2, 0.16), (1.8, 0.22))
"""Upper bounds of face height over box height, for boxes at least so many times as high as wide. A head is
about 1/7.5 of the stature (the classical canon); a box that slender shows at least 0.85 of a standing body,
one of 1.8 at least 0.6 of it [D]."""
FACE_OF_WIDTH = 0.75
"""Upper bound of face height over box width for a bust or seated person, whose shoulders are wider than
the face is high [D]."""


@dataclass(frozen=True)
class MaskReading:
    """What one look at one head gave.

    Attributes:
        probabilities: of masked, unmasked, incorrect; None when not assessed.
        reason: why not assessed, else None.
        face_height: px of the full-resolution frame, None where no face was found.
    """

    probabilities: tuple[float, float, float] | None
    reason: str | None
    face_height: float | None


def head_region(box: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """The region of a frame (width x height px) that holds the head of a person in `box` (x1, y1, x2, y2).

    The top third of a standing person, most of a bust: as high as the box is wide, but at least 0.35 of
    its height, with a margin for a detector's tight boxes.
    """
    x1, y1, x2, y2 = (float(v) for v in box)
    across, tall = x2 - x1, y2 - y1
    bottom = y1 + min(tall, max(0.35 * tall, 1.1 * across))
    left, right = x1 - 0.1 * across, x2 + 0.1 * across
    top = y1 - 0.06 * tall
    return max(0, int(left)), max(0, int(top)), min(width, int(right) + 1), min(height, int(bottom) + 1)


def face_bound(box: np.ndarray) -> float:
    """The most px that the face of a person in `box` can be high: too little saves a look."""
    x1, y1, x2, y2 = (float(v) for v in box)
    across, tall = x2 - x1, y2 - y1
    for aspect, share in FACE_OF_STANDING:
        if tall >= aspect * across:
            return share * tall
    return min(FACE_OF_WIDTH * across, tall)


class MaskReader:
    """Looks at heads with face-mask weights."""

    def __init__(self, weights: Weights, device: Device, imgsz: int = 192) -> None:
        """Load `weights` on `device`; head regions are brought to `imgsz` px.

        Raises:
            ModelError: the weights cannot be loaded, or their classes are not masked, unmasked, incorrect.
        """
        self._batch = device.batch
        # Low scores are read too: the probability of a state is its share among the scores of one face.
        self._predict = Predictor(weights, device, imgsz, 0.02, None)
        self.weights = self._predict.weights
        if self._predict.classes != STATES:
            raise ModelError(
                f"{weights.name}: expected weights with the classes {', '.join(STATES)}, "
                f"got {len(self._predict.classes)} classes, the first {self._predict.classes[0]!r}"
            )

    def read(self, heads: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[MaskReading]:
        """Look at heads, each an image (H x W x 3 BGR) and a person's box in it (x1, y1, x2, y2, px)."""
        readings: list[MaskReading | None] = [None] * len(heads)
        waiting: list[tuple[int, np.ndarray, np.ndarray]] = []
        for number, (image, box) in enumerate(heads):
            if face_bound(box) < FLOOR_PX:
                readings[number] = MaskReading(None, "too_small", None)
                continue
            x1, y1, x2, y2 = head_region(box, image.shape[1], image.shape[0])
            crop = image[y1:y2, x1:x2]
            if min(crop.shape[:2]) < FLOOR_PX:
                readings[number] = MaskReading(None, "cut_off", None)
                continue
            waiting.append((number, np.ascontiguousarray(crop), np.array([x1, y1, x2, y2])))
        for first in range(0, len(waiting), self._batch):
            part = waiting[first : first + self._batch]
            for (number, crop, _), rows in zip(part, self._predict([c for _, c, _ in part]), strict=True):
                readings[number] = _judge(crop, rows)
        return [reading for reading in readings if reading is not None]


def _judge(crop: np.ndarray, rows: np.ndarray) -> MaskReading:
    height, width = crop.shape[:2]
    if not len(rows) or rows[:, 4].max() < FACE_SCORE:
        return MaskReading(None, "no_face", None)
    # Of several faces in the region, the one that is most likely this person's: strong, high up and central.
    centre = (rows[:, 0] + rows[:, 2]) / 2 / width
    middle = (rows[:, 1] + rows[:, 3]) / 2 / height
    fit = rows[:, 4] * (1 - np.abs(centre - 0.5)) * (1 - 0.5 * middle) * (rows[:, 4] >= FACE_SCORE)
    best = rows[int(np.argmax(fit))]
    tall = float(best[3] - best[1])
    if tall < FLOOR_PX:
        return MaskReading(None, "too_small", tall)
    if best[1] <= 0 and (best[3] - best[1]) < 0.9 * (best[2] - best[0]):
        return MaskReading(None, "cut_off", tall)
    if blurred(crop[int(best[1]) : int(best[3]) + 1, int(best[0]) : int(best[2]) + 1]):
        return MaskReading(None, "blurred", tall)
    scores = np.zeros(len(STATES))
    for row in rows[_overlap(rows[:, :4], best[:4]) >= SAME_FACE_IOU]:
        scores[int(row[5])] = max(scores[int(row[5])], float(row[4]))
    shares = scores / scores.sum()
    return MaskReading((float(shares[0]), float(shares[1]), float(shares[2])), None, tall)


BLUR_BELOW = 0.02
"""Faces whose fine detail is below this share of their contrast are blurred; see `blurred`."""


def blurred(face: np.ndarray) -> bool:
    """Whether a face (H x W x 3 BGR) is too blurred to judge.

    The variance of the Laplacian (Pech-Pacheco et al. 2000) of the face brought to 32 px, over its
    grey variance, so that a dark face is not called blurred for its low contrast.
    """
    grey = cv2.cvtColor(cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    detail = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    return detail < BLUR_BELOW * (float(grey.var()) + 1.0)


def _overlap(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    union = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2]) - common
    return np.asarray(common / np.maximum(union, 1e-9))
