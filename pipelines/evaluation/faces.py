"""Faces in a whole image, found the way the pipeline finds them: people first, then each head region.

A face of nobody who was found as a person is missed, as it would be on a camera. The boxes of all regions
are brought back into the image, and a face that two regions show is one face.
"""

from __future__ import annotations

import numpy as np

from models.devices import Predictor
from pipelines.evaluation.detection import LOWEST_SCORE, Detect, Image, merge_regions
from vision.frames import Frame
from vision.masks import FLOOR_PX, STATES, face_bound, head_region
from vision.perception import Eyes

CLASSES = STATES
"""What the rows' classes stand for."""


def faces_of(eyes: Eyes) -> Detect:
    """A detector of masked, unmasked and incorrect faces that looks where the eyes look.

    The regions are those of the people found, at the size at which the pipeline reads them; those of people
    too small for any assessment are not looked at.

    Raises:
        ModelError: the face-mask weights cannot be loaded.
    """
    read = Predictor(eyes.masks.weights, eyes.device, eyes.settings.head_imgsz, LOWEST_SCORE, None)

    def detect(image: Image) -> np.ndarray:
        height, width = image.shape[:2]
        found = [np.zeros((0, 6), np.float32)]
        for person in eyes.detector([Frame(image, 0, 0, "")])[0]:
            x1, y1, x2, y2 = head_region(person[:4], width, height)
            if face_bound(person[:4]) < FLOOR_PX or min(x2 - x1, y2 - y1) < FLOOR_PX:
                continue
            rows = read([np.ascontiguousarray(image[y1:y2, x1:x2])])[0].copy()
            rows[:, :4] += (x1, y1, x1, y1)
            found.append(rows)
        return merge_regions(np.concatenate(found))

    return detect
