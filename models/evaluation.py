"""Accuracy of weights on held-out images: the figures of the cards."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import datasets
from models.appearance.evaluation import AppearanceFigures
from models.appearance.evaluation import evaluate as evaluate_appearance
from models.errors import ModelError
from models.faces.evaluation import MaskFigures, evaluate_mask, face_test_set
from models.offline import yolo
from models.registry import Weights, note_loaded


@dataclass(frozen=True)
class DetectionFigures:
    """Detection accuracy on one set, whole images.

    Attributes:
        data: what it was measured on.
        images: how many.
        imgsz: px of the longer side.
        map50: class -> average precision at IoU 0.5.
        map50_95: class -> mean of the average precision at IoU 0.50, 0.55 ... 0.95.
        best_f1_score: score at which F1, averaged over the classes, peaks.
    """

    data: str
    images: int
    imgsz: int
    map50: dict[str, float]
    map50_95: dict[str, float]
    best_f1_score: float


def evaluate(
    name: str, weights: Weights, data_root: Path, imgsz: int
) -> DetectionFigures | MaskFigures | AppearanceFigures:
    """Measure weights on the held-out images of a recipe, as the recipe's card states them.

    `face` and `mask`: the test split of face_mask, which comes from another source than the training
    images. `person`: human labels of the images held out of training (every eighth of four sources),
    without the teacher's additions. `appearance`: held-out people, and PETS 2009 where it is at hand.

    Raises:
        ModelError: unknown name, or data missing.
    """
    sources = datasets.Sources.under(data_root)
    with tempfile.TemporaryDirectory() as folder:
        if name == "mask":
            return evaluate_mask(weights, sources)
        if name == "appearance":
            return evaluate_appearance(weights, sources)
        if name == "face":
            data, text = face_test_set(Path(folder) / "set", sources), "face_mask/test, whole images"
        elif name == "person":
            data, text = datasets.build_person_held_out(Path(folder) / "set", sources), "held-out eighths"
        else:
            raise ModelError(f"expected person, face, mask or appearance, got {name!r}")
        return _measure(weights, data, text, imgsz)


def _measure(weights: Weights, data: Path, text: str, imgsz: int) -> DetectionFigures:
    model = yolo(weights.path)
    note_loaded(weights)
    people_only = None if len(model.names) == 1 else [0]
    result = model.val(
        data=str(data),
        split="val",
        imgsz=imgsz,
        batch=8,
        workers=1,
        device="cpu",
        plots=False,
        verbose=False,
        classes=people_only,
        project=str(data.parent),
        name="val",
    )
    box = result.box
    names = [model.names[int(index)] for index in box.ap_class_index]
    curve = np.mean(np.atleast_2d(box.f1_curve), axis=0)
    return DetectionFigures(
        text,
        len(list((data.parent / "images" / "val").iterdir())),
        imgsz,
        {n: round(float(v), 4) for n, v in zip(names, box.ap50, strict=True)},
        {n: round(float(v), 4) for n, v in zip(names, box.ap, strict=True)},
        round(float(box.px[int(curve.argmax())]), 3),
    )
