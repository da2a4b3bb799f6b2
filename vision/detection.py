"""People in frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.devices import Device, Predictor
from models.errors import ModelError
from models.registry import Weights
from vision.frames import Frame

CANDIDATE_SCORE = 0.1
"""Detections from this score on reach the tracker, whose second pass revives tracks with weak ones (the
low threshold of ByteTrack, Zhang et al. 2022)."""
PERSON = 0
"""Index of the person class in our weights and in every COCO model."""


class PersonDetector:
    """Finds people; scores are the detector's, uncalibrated."""

    def __init__(self, weights: Weights, device: Device, imgsz: int = 416) -> None:
        """Load `weights` on `device` for frames brought to `imgsz` px on the longer side.

        Raises:
            ModelError: the weights cannot be loaded, or their class 0 is not a person.
        """
        self.batch = device.batch
        self._predict = Predictor(weights, device, imgsz, CANDIDATE_SCORE, [PERSON])
        self.weights = self._predict.weights
        if self._predict.classes[PERSON] != "person":
            raise ModelError(
                f"{weights.name}: expected weights whose class 0 is 'person', "
                f"got {self._predict.classes[PERSON]!r}"
            )

    def __call__(self, frames: Sequence[Frame]) -> list[np.ndarray]:
        """Per frame, the people found: float32 rows of x1, y1, x2, y2 (px), score."""
        return [rows[:, :5] for rows in self._predict([frame.image for frame in frames])]
