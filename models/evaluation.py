"""How good weights are on images they have not seen: the figures of the cards."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import datasets
from models.errors import ModelError
from models.runtime import yolo


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


def evaluate(name: str, weights: Path, data_root: Path, imgsz: int) -> DetectionFigures:
    """Measure weights on the held-out images of a recipe, as the recipe's card states them.

    `face_mask`: the test split, which comes from another source than the training images. `person`:
    human labels of the images held out of training (every eighth of four sources), without the
    teacher's additions.

    Raises:
        ModelError: unknown name, or data missing.
    """
    sources = datasets.Sources.under(data_root)
    with tempfile.TemporaryDirectory() as folder:
        if name == "face_mask":
            data, text = _face_mask_test(Path(folder), sources), "face_mask/test (Kaggle 853), whole images"
        elif name == "person":
            data, text = datasets.build_person_held_out(Path(folder) / "set", sources), "held-out eighths"
        else:
            raise ModelError(f"expected face_mask or person, got {name!r}")
        return _measure(weights, data, text, imgsz)


def _measure(weights: Path, data: Path, text: str, imgsz: int) -> DetectionFigures:
    model = yolo(weights)
    people_only = None if len(model.names) <= len(datasets.MASK_CLASSES) else [0]
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


def _face_mask_test(folder: Path, sources: datasets.Sources) -> Path:
    # Copied, not linked: ultralytics writes a cache beside the labels, and the source may be read-only.
    for kind in ("images", "labels"):
        shutil.copytree(sources.data / "face_mask" / kind / "test", folder / kind / "val")
    names = "".join(f"  {i}: {name}\n" for i, name in enumerate(datasets.MASK_CLASSES))
    data = folder / "data.yaml"
    data.write_text(f"path: {folder}\ntrain: images/val\nval: images/val\nnames:\n{names}")
    return data
