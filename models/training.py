"""Recipes: how each of our weights came to be, as code that anyone with the data can run again.

Both detectors start from published pretrained networks whose head is *grafted*, not thrown away:
the class outputs that already mean what we need are copied into the new head, so that training
refines a working detector instead of learning one anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import datasets
from models.errors import ModelError
from models.runtime import quiet_ultralytics, yolo

TEACHERS = ("yolov8n_deq.pt", "yolo26n_deq.pt", "yolo11n_deq.pt")
FACE_INIT = "yolov8n-face_deq.pt"


@dataclass(frozen=True)
class Recipe:
    """One training, reproducible from its fields.

    Attributes:
        name: of the weights that it makes.
        names: classes, in order.
        init: file of the initialisation below the weights folder.
        architecture: ultralytics model file that the head is built for.
        head_classes: classes of the initialisation whose outputs the new classes start from.
        build: makes the data set; see `datasets`.
        settings: ultralytics' training arguments.
    """

    name: str
    names: tuple[str, ...]
    init: str
    architecture: str
    head_classes: tuple[int, ...]
    build: Callable[[Path, datasets.Sources], Path]
    settings: dict[str, Any] = field(default_factory=dict)


COMMON = {
    # ultralytics' own choice of optimizer and its default bias warm-up (0.1) wreck a pretrained head.
    "optimizer": "AdamW",
    "warmup_bias_lr": 0.0,
    "warmup_epochs": 0.3,
    "cos_lr": True,
    "seed": 0,
    "deterministic": True,
    "batch": 8,
    # A step for every batch: the default collects 64 images for one, too few steps for so few epochs.
    "nbs": 8,
    "workers": 1,
    "amp": False,
    "plots": False,
    "translate": 0.1,
    "hsv_v": 0.4,
}

RECIPES: dict[str, Recipe] = {
    "person": Recipe(
        "person",
        ("person",),
        "yolo11n_deq.pt",
        "yolo11n.yaml",
        (0,),
        lambda folder, sources: datasets.build_person(folder, sources, person_teacher(sources)),
        {"epochs": 1, "imgsz": 480, "lr0": 1e-4, "lrf": 0.05, "mosaic": 0.3, "close_mosaic": 0, "scale": 0.5},
    ),
    "face_mask": Recipe(
        "face_mask",
        datasets.MASK_CLASSES,
        FACE_INIT,
        "yolov8n.yaml",
        (0, 0, 0),
        lambda folder, sources: datasets.build_face_mask(folder, sources, face_teacher(sources)),
        {"epochs": 2, "imgsz": 320, "lr0": 8e-4, "lrf": 0.1, "mosaic": 0.4, "close_mosaic": 1, "scale": 0.5},
    ),
}


def recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        ModelError: there is none; the message lists those that exist.
    """
    if name not in RECIPES:
        raise ModelError(f"expected a recipe among {', '.join(RECIPES)}, got {name!r}")
    return RECIPES[name]


def train(name: str, data_root: Path, work: Path) -> Path:
    """Run a recipe, or go on with it where it was interrupted; returns the half-precision weights.

    `work/NAME` holds the data set, the checkpoints and ultralytics' log (`results.csv`).

    Raises:
        ModelError: unknown recipe, or data missing.
    """
    chosen = recipe(name)
    sources = datasets.Sources.under(data_root)
    folder = work / name
    data = datasets.built(folder / "data") or chosen.build(folder / "data", sources)
    last = folder / "run" / "weights" / "last.pt"
    best = folder / "run" / "weights" / "best.pt"
    trainer = grafting_trainer(chosen)
    if (folder / "finished.json").is_file():
        return best
    if last.is_file():
        yolo(last).train(trainer=trainer, resume=True)
    else:
        initial = sources.weights / chosen.init
        if not initial.is_file():
            raise ModelError(f"expected the initialisation {initial}, found none")
        trainer.initial = initial
        model = yolo(chosen.architecture)
        arguments = {**COMMON, **chosen.settings, "data": str(data), "device": "cpu"}
        model.train(
            trainer=trainer, project=str(folder), name="run", exist_ok=True, pretrained=False, **arguments
        )
    settings = {"recipe": name, "init": chosen.init, **COMMON, **chosen.settings}
    (folder / "finished.json").write_text(json.dumps(settings, indent=1))
    return best


def grafting_trainer(chosen: Recipe) -> Any:
    """A trainer class whose model starts as the initialisation with its class outputs rearranged."""
    quiet_ultralytics()
    from ultralytics.models.yolo.detect import DetectionTrainer

    class GraftingTrainer(DetectionTrainer):  # type: ignore[misc]  # ultralytics has no types
        initial: Path | None = None

        def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
            if weights is not None:  # going on from a checkpoint of ours
                return deepcopy(weights).float().requires_grad_(True)
            if self.initial is None:
                raise ModelError("expected an initialisation to graft from, got none")
            return graft(self.initial, chosen)

    return GraftingTrainer


def graft(initial: Path, chosen: Recipe) -> Any:
    """Build the recipe's detector and fill it from an initialisation, class outputs rearranged.

    The hidden layers of an ultralytics head are as wide as its number of classes asks; they are kept
    as wide as the initialisation has them, so that all of its weights carry over.

    Raises:
        ModelError: the initialisation does not fit the architecture.
    """
    import torch
    from ultralytics.nn.tasks import DetectionModel

    source = yolo(initial).model
    head = source.model[-1]
    model = DetectionModel(chosen.architecture, nc=head.nc, verbose=False)
    ours = model.state_dict()
    theirs = {k: v for k, v in source.float().state_dict().items() if k in ours and v.shape == ours[k].shape}
    if missing := [k for k in ours if k not in theirs]:
        raise ModelError(
            f"{initial.name} does not fit {chosen.architecture}: {missing[0]} is missing or of another shape"
        )
    model.load_state_dict(theirs)
    target = model.model[-1]
    noise = torch.Generator().manual_seed(chosen.settings.get("seed", COMMON["seed"]))
    index = list(chosen.head_classes)
    for branch in target.cv3:
        old = branch[-1]
        new: Any = torch.nn.Conv2d(old.in_channels, len(index), 1)
        with torch.no_grad():
            rows = old.weight[index]
            if len(set(index)) < len(index):
                # Classes that start as the same output would send no gradient that tells them apart to the
                # layers below, which a face detector has taught to ignore masks: noise breaks the tie.
                rows = rows + torch.randn(rows.shape, generator=noise) * old.weight.std()
            new.weight.copy_(rows)
            new.bias[:] = old.bias[index]
        branch[-1] = new
    target.nc = model.nc = len(index)
    target.no = target.nc + 4 * target.reg_max
    model.yaml["nc"] = target.nc
    model.names = dict(enumerate(chosen.names))
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return model


def person_teacher(sources: datasets.Sources, imgsz: int = 640, agree: float = 0.4) -> datasets.Labeller:
    """People found by three pretrained detectors together: boxes and scores averaged.

    A box is kept from the mean score `agree` on; a detector that sees nothing there counts as 0, so that
    one detector's fancy is not enough.
    """
    detectors = [yolo(sources.weights / name) for name in TEACHERS]

    def label(image: NDArray[np.uint8]) -> datasets.Boxes:
        found = []
        for detector in detectors:
            boxes = detector.predict(image, imgsz=imgsz, conf=0.15, classes=[0], verbose=False)[0].boxes
            found.append(np.column_stack([boxes.conf.numpy(), boxes.xyxy.numpy()]))
        rows = np.vstack(found)
        rows = rows[np.argsort(-rows[:, 0])]
        merged = []
        while len(rows):
            same = datasets.iou(rows[:, 1:], rows[0, 1:]) > 0.6
            group, rows = rows[same], rows[~same]
            if group[:, 0].sum() / len(detectors) >= agree:
                merged.append(np.r_[0.0, np.average(group[:, 1:], axis=0, weights=group[:, 0])])
        return np.array(merged).reshape(-1, 5)

    return label


def face_teacher(sources: datasets.Sources, imgsz: int = 640, confidence: float = 0.4) -> datasets.Labeller:
    """Faces found by a pretrained face detector, class 0, best first."""
    detector = yolo(sources.weights / FACE_INIT, task="pose")

    def label(image: NDArray[np.uint8]) -> datasets.Boxes:
        boxes = detector.predict(image, imgsz=imgsz, conf=confidence, verbose=False)[0].boxes
        return np.column_stack([np.zeros(len(boxes)), boxes.xyxy.numpy()]).astype(np.float64)

    return label
