"""Accuracy of the face detector and of the mask classifier, each alone, on a source not used for training.

Both together, through the head regions of the pipeline, are measured by `lazaretto evaluate detection
--through-pipeline`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import datasets
from models.faces.calibration import calibration_error
from models.faces.classifier import probabilities
from models.faces.crop_set import CLASSES, NONE
from models.faces.crops import MIN_FACE_PX, square
from models.offline import yolo
from models.registry import Weights


@dataclass(frozen=True)
class MaskFigures:
    """Figures of the classifier on labelled faces.

    Attributes:
        data: what it was measured on.
        faces: how many, at least `MIN_FACE_PX` high.
        accuracy: share classified correctly.
        recall: state -> share of its faces classified correctly.
        confusion: state -> number of its faces classified as each of the classes.
        calibration_error: expected calibration error of the probabilities of the three states.
    """

    data: str
    faces: int
    accuracy: float
    recall: dict[str, float]
    confusion: dict[str, dict[str, int]]
    calibration_error: float


def evaluate_mask(weights: Weights, sources: datasets.Sources) -> MaskFigures:
    """Measure mask weights on the labelled faces of the face_mask test split."""
    model = yolo(weights.path, task="classify").model.float().eval()
    side = int(model.args["imgsz"])
    crops, labels = [], []
    for _, image, boxes in datasets.labelled(sources.data / "face_mask", "test"):
        for row in boxes[boxes[:, 4] - boxes[:, 2] >= MIN_FACE_PX]:
            crops.append(square(image, row[1:], side))
            labels.append(int(row[0]))
    shares, truth = probabilities(model, np.stack(crops)), np.array(labels)
    states = shares[:, :NONE] / shares[:, :NONE].sum(axis=1, keepdims=True)
    predicted = shares.argmax(axis=1)
    return MaskFigures(
        data=f"face_mask/test (Kaggle 853), labelled faces of at least {MIN_FACE_PX} px",
        faces=len(truth),
        accuracy=round(float((predicted == truth).mean()), 4),
        recall={
            name: round(float((predicted == truth)[truth == state].mean()), 4)
            for state, name in enumerate(CLASSES[:NONE])
        },
        confusion={
            name: {other: int((predicted[truth == state] == n).sum()) for n, other in enumerate(CLASSES)}
            for state, name in enumerate(CLASSES[:NONE])
        },
        calibration_error=round(calibration_error(states, truth), 4),
    )


def face_test_set(folder: Path, sources: datasets.Sources) -> Path:
    """The face_mask test split as faces of one class without landmarks; returns its data.yaml."""
    writer = datasets.SetWriter(folder, ["face"])
    for name, image, boxes in datasets.labelled(sources.data / "face_mask", "test"):
        boxes[:, 0] = 0
        writer.add("val", name, image, boxes)
        label = folder / "labels" / "val" / f"{name}.txt"
        lines = [f"{line}{' 0' * 15}" for line in label.read_text().splitlines()]
        label.write_text("\n".join(lines))
    data = writer.finish({"sources": ["face_mask/test"]})
    with data.open("a") as file:
        file.write("kpt_shape: [5, 3]\nflip_idx: [1, 0, 2, 4, 3]\n")
    return data
