"""Is the face of a person masked: masked, unmasked, incorrect, or honestly not assessed.

Two small networks, at about 2 Hz per person: one finds the face and its landmarks in the head region, cut
from the full-resolution frame; the other says of a square around the face what is worn, with calibrated
probabilities. It may also say that this is no face at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.devices import Classifier, Device
from models.errors import ModelError
from models.faces.crops import square
from models.registry import Weights
from vision.heads import MIN_FACE_HEIGHT_PX, Face, FaceFinder, Head, best_face, face_bound, rejection_reason

STATES = ("masked", "unmasked", "incorrect")
NONE = "none"
"""The classifier's word for what the face finder took for a face and is none."""


SAME_FACE = 0.6
"""Boxes that share more than this of the smaller one are of the same face."""


@dataclass(frozen=True)
class MaskReading:
    """What one look at one head gave.

    Attributes:
        probabilities: of masked, unmasked, incorrect, summing to 1; None when not assessed.
        reason: why not assessed, else None.
        face_height: px of the full-resolution frame, None where no face was found.
        face: x1, y1, x2, y2 in the frame, px, None where no face was found.
        change: of the picture around the face since the look before, 0..1; None where not measured.
    """

    probabilities: tuple[float, float, float] | None
    reason: str | None
    face_height: float | None
    face: np.ndarray | None = None
    change: float | None = None


class MaskReader:
    """Looks at heads with face weights and mask weights."""

    def __init__(
        self, face: Weights, mask: Weights, device: Device, imgsz: int = 192, face_imgsz: int = 96
    ) -> None:
        """Load both; head regions are brought to `imgsz` px, the squares around faces to `face_imgsz`.

        Raises:
            ModelError: weights cannot be loaded, or are of another kind.
        """
        self._find = FaceFinder(face, device, imgsz)
        self._classify = Classifier(mask, device, face_imgsz)
        self._side = face_imgsz
        self.weights = (self._find.weights, self._classify.weights)
        if self._classify.classes != (*STATES, NONE):
            raise ModelError(
                f"{mask.name}: expected weights with the classes {', '.join((*STATES, NONE))}, "
                f"got {len(self._classify.classes)} classes, the first {self._classify.classes[0]!r}"
            )

    def read(self, heads: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[MaskReading]:
        """Look at heads, each an image (H x W x 3 BGR) and a person's box in it (x1, y1, x2, y2, px)."""
        readings: list[MaskReading | None] = [None] * len(heads)
        waiting: list[tuple[int, Head]] = []
        for number, (image, box) in enumerate(heads):
            head = Head.of(image, box)
            if face_bound(box) < MIN_FACE_HEIGHT_PX:
                readings[number] = MaskReading(None, "too_small", None)
            elif min(head.crop.shape[:2]) < MIN_FACE_HEIGHT_PX:
                readings[number] = MaskReading(None, "cut_off", None)
            else:
                waiting.append((number, head))
        fit: list[tuple[int, Head, Face]] = []
        found = self._find([head.crop for _, head in waiting])
        for (number, head), faces in zip(waiting, found, strict=True):
            face = best_face(faces, head)
            if face is None:
                readings[number] = MaskReading(None, "no_face", None)
            elif reason := rejection_reason(face, head.crop):
                readings[number] = MaskReading(None, reason, face.height, head.in_frame(face))
            else:
                fit.append((number, head, face))
        said = self._say([(head.image, head.in_frame(face)) for _, head, face in fit])
        for (number, head, face), probabilities in zip(fit, said, strict=True):
            readings[number] = _reading(probabilities, face.height, head.in_frame(face))
        return [reading for reading in readings if reading is not None]

    def faces(self, image: np.ndarray, people: np.ndarray) -> np.ndarray:
        """All faces in the head regions of people with the mask state of each, for evaluation.

        Args:
            image: H x W x 3 BGR.
            people: boxes (N, 4 or more): x1, y1, x2, y2, px.

        Returns:
            Rows x1, y1, x2, y2, score, class (float32): of each face one row for each of `STATES`, its
            score the face's (`Head.weight`) times the probability of the state. Of faces that share more
            than `SAME_FACE` of the smaller one the best counts: neighbours' regions show parts of them.
        """
        heads = [Head.of(image, box[:4]) for box in people if face_bound(box[:4]) >= MIN_FACE_HEIGHT_PX]
        heads = [head for head in heads if min(head.crop.shape[:2]) >= MIN_FACE_HEIGHT_PX]
        seen = [
            (head.weight(face), head.in_frame(face))
            for head, found in zip(heads, self._find([head.crop for head in heads]), strict=True)
            for face in found
            if face.height >= MIN_FACE_HEIGHT_PX
        ]
        kept: list[tuple[float, np.ndarray]] = []
        for weight, box in sorted(seen, key=lambda pair: -pair[0]):
            if all(_shared(box, other) < SAME_FACE for _, other in kept):
                kept.append((weight, box))
        rows = [
            [*box, weight * float(said[state]), state]
            for (weight, box), said in zip(kept, self._say([(image, box) for _, box in kept]), strict=True)
            for state in range(len(STATES))
        ]
        return np.array(rows, np.float32).reshape(-1, 6)

    def _say(self, faces: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        crops = [square(image, box, self._side) for image, box in faces]
        return self._classify(crops) if crops else np.zeros((0, len(STATES) + 1), np.float32)


def _reading(said: np.ndarray, height: float, face: np.ndarray) -> MaskReading:
    if int(np.argmax(said)) >= len(STATES):
        return MaskReading(None, "no_face", height, face)
    masked, unmasked, incorrect = (said[:3] / said[:3].sum()).tolist()
    return MaskReading((masked, unmasked, incorrect), None, height, face)


def _shared(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over the smaller of two boxes."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    areas = np.prod(one[2:] - one[:2]), np.prod(other[2:] - other[:2])
    return float(np.prod(np.clip(sides, 0, None)) / max(min(areas), 1e-9))
