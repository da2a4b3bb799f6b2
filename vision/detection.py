"""Person detection in frames."""

from __future__ import annotations

from collections.abc import Sequence

import supervision as sv

from models.devices import Detector, Device
from models.errors import ModelError
from models.registry import Weights
from vision.frames import Frame
from vision.tracking.protocol import PERSON_CLASS, person_detections

MIN_CANDIDATE_SCORE = 0.1
"""Least score of a detection that reaches the tracker, which lets weak detections continue tracks but not
begin them (the low threshold of ByteTrack, Zhang et al. 2022)."""


class PersonDetector:
    """Finds people; the scores are the network's, uncalibrated.

    Attributes:
        batch: frames per call that suit the device.
        weights: in use.
    """

    def __init__(self, weights: Weights, device: Device, imgsz: int = 416) -> None:
        """Load `weights` on `device` for frames scaled to `imgsz` px on the longer side.

        Raises:
            ModelError: the weights cannot be loaded, or their class 0 is not a person.
        """
        self.batch = device.batch
        self._predict = Detector(weights, device, imgsz, MIN_CANDIDATE_SCORE, [PERSON_CLASS])
        self.weights = self._predict.weights
        if self._predict.classes[PERSON_CLASS] != "person":
            raise ModelError(
                f"{weights.name}: expected weights whose class 0 is 'person', "
                f"got {self._predict.classes[PERSON_CLASS]!r}"
            )

    def __call__(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        """The people of each frame, with the size of the frame; see `person_detections`."""
        found = self._predict([frame.image for frame in frames])
        return [
            person_detections(rows, (frame.image.shape[1], frame.image.shape[0]))
            for frame, rows in zip(frames, found, strict=True)
        ]
