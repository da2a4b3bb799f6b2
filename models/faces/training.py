"""The recipe of the mask classifier: crops, training, calibration; resumable after every epoch."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models import datasets, teachers
from models.errors import ModelError
from models.faces import calibration, classifier
from models.faces.classifier import ClassifierSettings
from models.faces.crop_set import Crops, collect

if TYPE_CHECKING:
    from torch.nn import Module


def train(data_root: Path, work: Path, settings: ClassifierSettings | None = None) -> Path:
    """Run the recipe, or resume it; returns a checkpoint for `publish`.

    `work/mask` has the crops, the checkpoint and log of the training, and `calibration.json`.

    Raises:
        ModelError: data or the initialisation is missing.
    """
    settings = settings or ClassifierSettings()
    sources = datasets.Sources.under(data_root)
    initial = sources.weights / teachers.FACE_TEACHER
    if not initial.is_file():
        raise ModelError(f"expected the initialisation {initial}, found none")
    folder = work / "mask"
    final = folder / "mask.pt"
    if (folder / "finished.json").is_file():
        return final
    folder.mkdir(parents=True, exist_ok=True)
    stored = folder / "crops.npz"
    if not stored.is_file():
        collect(
            sources,
            teachers.faces(sources),
            teachers.people(sources.weights / teachers.PERSON_TEACHERS[0], 0.4),
        ).save(stored)
    crops = Crops.load(stored)
    checkpoint = classifier.train(crops, initial, folder, settings)
    model = classifier.load(checkpoint, initial)
    figures = _calibrate(model, crops, settings)
    (folder / "calibration.json").write_text(json.dumps(figures, indent=1))
    _save(model, final, settings)
    (folder / "finished.json").write_text(json.dumps({"recipe": "mask", **asdict(settings)}, indent=1))
    return final


def _calibrate(model: Module, crops: Crops, settings: ClassifierSettings) -> dict[str, object]:
    """Fold into the model the scaling that fits the val split, at its own size and shrunk."""
    views = classifier.validation_views(crops, settings)
    labels = np.tile(classifier.validation_labels(crops), len(views))
    before = _stacked(model, views)
    scaling = calibration.fit(np.log(np.maximum(before, 1e-12)), labels)
    calibration.fold(model, scaling)
    after = _stacked(model, views)
    return {
        "temperature": round(scaling.temperature, 4),
        "shift": scaling.shift.round(4).tolist(),
        "accuracy": [round(float((p.argmax(axis=1) == labels).mean()), 4) for p in (before, after)],
        "calibration_error": [round(calibration.calibration_error(p, labels), 4) for p in (before, after)],
    }


def _stacked(model: Module, views: dict[str, NDArray[np.uint8]]) -> NDArray[np.float64]:
    return np.concatenate([classifier.probabilities(model, images) for images in views.values()])


def _save(model: Module, path: Path, settings: ClassifierSettings) -> None:
    import torch

    torch.save({"model": model, "train_args": {"task": "classify", "imgsz": settings.side}}, path)
