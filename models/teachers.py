"""Teachers: pretrained networks that label training images where human labels are missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from models import datasets
from models.images import Image
from models.offline import yolo

PERSON_TEACHERS = ("yolov8n_deq.pt", "yolo26n_deq.pt", "yolo11n_deq.pt")
FACE_TEACHER = "yolov8n-face_deq.pt"
SAME_PERSON_IOU = 0.6
"""Boxes of several detectors that overlap by more are of the same person."""

Faces = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Boxes (N, 4) px, scores (N,), landmarks (N, 5, 3): x, y px and confidence."""
FaceTeacher = Callable[[Image, int, float], Faces]
"""Finds faces in an image: (image, px of the longer side, minimum score)."""
PersonTeacher = Callable[[Image], NDArray[np.float64]]
"""Finds people in an image: boxes (N, 4) px."""


def people_by_vote(sources: datasets.Sources, imgsz: int = 640, agree: float = 0.4) -> datasets.Labeller:
    """People found by three pretrained detectors together: boxes and scores averaged.

    A box is kept from the mean score `agree` on. A detector without a box there counts as 0, so that a false
    box of one detector is not enough.
    """
    detectors = [yolo(sources.weights / name) for name in PERSON_TEACHERS]

    def label(image: Image) -> datasets.Boxes:
        found = []
        for detector in detectors:
            boxes = detector.predict(image, imgsz=imgsz, conf=0.15, classes=[0], verbose=False)[0].boxes
            found.append(np.column_stack([boxes.conf.numpy(), boxes.xyxy.numpy()]))
        rows = np.vstack(found)
        rows = rows[np.argsort(-rows[:, 0])]
        merged = []
        while len(rows):
            same = sv.box_iou_batch(rows[:, 1:], rows[:1, 1:])[:, 0] > SAME_PERSON_IOU
            group, rows = rows[same], rows[~same]
            if group[:, 0].sum() / len(detectors) >= agree:
                merged.append(np.r_[0.0, np.average(group[:, 1:], axis=0, weights=group[:, 0])])
        return np.array(merged).reshape(-1, 5)

    return label


def people(weights: Path, confidence: float) -> PersonTeacher:
    """People found by one detector whose class 0 is a person: boxes (N, 4), px."""
    detector = yolo(weights)

    def find(image: Image) -> NDArray[np.float64]:
        found = detector.predict(image, imgsz=640, conf=confidence, classes=[0], verbose=False)[0].boxes
        return np.asarray(found.xyxy.numpy(), np.float64)

    return find


def faces(sources: datasets.Sources) -> FaceTeacher:
    """Faces and landmarks found by a pretrained face detector, highest score first."""
    detector = yolo(sources.weights / FACE_TEACHER, task="pose")

    def find(image: Image, imgsz: int, confidence: float) -> Faces:
        found = detector.predict(image, imgsz=imgsz, conf=confidence, verbose=False)[0]
        if not len(found.boxes):
            return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 3))
        return (
            np.asarray(found.boxes.xyxy.numpy(), np.float64),
            np.asarray(found.boxes.conf.numpy(), np.float64),
            np.asarray(found.keypoints.data.numpy(), np.float64),
        )

    return find
