"""Mask state of a person's face: masked, unmasked, incorrect, or not assessed with a reason.

Two small networks run about twice a second for each person. One finds the face and its landmarks in the head
region, cut from the full-resolution frame. The other classifies a square around the face, with calibrated
probabilities; it can also find that there is no face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import supervision as sv

from models.devices import Classifier, Device
from models.errors import ModelError
from models.faces.crops import square
from models.registry import Weights
from vision.heads import (
    MIN_FACE_HEIGHT_PX,
    Face,
    FaceFinder,
    Head,
    best_face,
    max_face_height,
    rejection_reason,
)

STATES = ("masked", "unmasked", "incorrect")
NO_FACE_CLASS = "none"
"""The classifier's class for what the face finder took for a face and is none."""
SAME_FACE_OVERLAP = 0.6
"""Boxes whose intersection is at least this share of the smaller box are of the same face.
Project default (docs/defaults.md)."""


@dataclass(frozen=True)
class MaskReading:
    """Result of one check of one head.

    Attributes:
        probabilities: of masked, unmasked, incorrect, summing to 1; None when not assessed.
        reason: why not assessed, else None.
        face_height: px of the full-resolution frame, None where no face was found.
        face: x1, y1, x2, y2 in the frame, px, None where no face was found.
        change: of the picture around the face since the check before, 0..1; None where not measured.
    """

    probabilities: tuple[float, float, float] | None
    reason: str | None
    face_height: float | None
    face: np.ndarray | None = None
    change: float | None = None


class MaskReader:
    """Reads mask states with face weights and mask weights."""

    def __init__(
        self, face: Weights, mask: Weights, device: Device, imgsz: int = 128, face_imgsz: int = 96
    ) -> None:
        """Load both; head regions are scaled to `imgsz` px, the squares around faces to `face_imgsz` px.

        Raises:
            ModelError: weights cannot be loaded, or are of another kind.
        """
        self._find = FaceFinder(face, device, imgsz)
        self._classifier = Classifier(mask, device, face_imgsz)
        self._side = face_imgsz
        self.weights = (self._find.weights, self._classifier.weights)
        expected = (*STATES, NO_FACE_CLASS)
        if self._classifier.classes != expected:
            raise ModelError(
                f"{mask.name}: expected weights with the classes {', '.join(expected)}, "
                f"got {len(self._classifier.classes)} classes, the first {self._classifier.classes[0]!r}"
            )

    def read(self, heads: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[MaskReading]:
        """Check heads, each an image (H x W x 3 BGR) and a person's box in it (x1, y1, x2, y2, px)."""
        readings: list[MaskReading | None] = [None] * len(heads)
        large_enough: list[tuple[int, Head]] = []
        for number, (image, box) in enumerate(heads):
            head = Head.of(image, box)
            if max_face_height(box) < MIN_FACE_HEIGHT_PX:
                readings[number] = MaskReading(None, "too_small", None)
            elif min(head.crop.shape[:2]) < MIN_FACE_HEIGHT_PX:
                readings[number] = MaskReading(None, "cut_off", None)
            else:
                large_enough.append((number, head))
        accepted: list[tuple[int, Head, Face]] = []
        found = self._find([head.crop for _, head in large_enough])
        for (number, head), faces in zip(large_enough, found, strict=True):
            face = best_face(faces, head)
            if face is None:
                readings[number] = MaskReading(None, "no_face", None)
            elif reason := rejection_reason(face, head.crop):
                readings[number] = MaskReading(None, reason, face.height, head.in_frame(face))
            else:
                accepted.append((number, head, face))
        classified = self._classify([(head.image, head.in_frame(face)) for _, head, face in accepted])
        for (number, head, face), probabilities in zip(accepted, classified, strict=True):
            readings[number] = _reading(probabilities, face.height, head.in_frame(face))
        return [reading for reading in readings if reading is not None]

    def faces(self, image: np.ndarray, people: np.ndarray) -> np.ndarray:
        """All faces in the head regions of people with the mask state of each, for evaluation.

        Faces lower than MIN_FACE_HEIGHT_PX are left out. Of boxes of the same face (SAME_FACE_OVERLAP), the
        one with the highest score counts: the head regions of neighbours show parts of each other's faces.

        Args:
            image: H x W x 3 BGR.
            people: boxes (N, 4): x1, y1, x2, y2, px.

        Returns:
            Rows x1, y1, x2, y2, score, class (float32): for each face one row for each of STATES, with the
            score of the face (`Head.weighted_score`) times the probability of the state.
        """
        heads = [Head.of(image, box) for box in people if max_face_height(box) >= MIN_FACE_HEIGHT_PX]
        heads = [head for head in heads if min(head.crop.shape[:2]) >= MIN_FACE_HEIGHT_PX]
        scored = [
            (head.weighted_score(face), head.in_frame(face))
            for head, found in zip(heads, self._find([head.crop for head in heads]), strict=True)
            for face in found
            if face.height >= MIN_FACE_HEIGHT_PX
        ]
        kept: list[tuple[float, np.ndarray]] = []
        for score, box in sorted(scored, key=lambda pair: -pair[0]):
            others = np.array([other for _, other in kept]).reshape(-1, 4)
            overlap = sv.box_iou_batch(box[None], others, sv.OverlapMetric.IOS)
            if (overlap < SAME_FACE_OVERLAP).all():
                kept.append((score, box))
        classified = self._classify([(image, box) for _, box in kept])
        rows = [
            [*box, score * float(probabilities[state]), state]
            for (score, box), probabilities in zip(kept, classified, strict=True)
            for state in range(len(STATES))
        ]
        return np.array(rows, np.float32).reshape(-1, 6)

    def _classify(self, faces: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Probabilities (N, 4) of STATES and NO_FACE_CLASS of faces, each an image and a box in it."""
        crops = [square(image, box, self._side) for image, box in faces]
        return self._classifier(crops) if crops else np.zeros((0, len(STATES) + 1), np.float32)


def _reading(probabilities: np.ndarray, height: float, face: np.ndarray) -> MaskReading:
    if int(np.argmax(probabilities)) >= len(STATES):
        return MaskReading(None, "no_face", height, face)
    masked, unmasked, incorrect = (probabilities[:3] / probabilities[:3].sum()).tolist()
    return MaskReading((masked, unmasked, incorrect), None, height, face)
