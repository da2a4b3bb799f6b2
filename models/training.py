"""Training recipes of our weights; with the data, each can be run again.

The person detector starts from a published pretrained network. Of the classes in its head, the one that we
need is copied into the new head (*grafting*), so that training refines a working detector.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import datasets, registry, teachers
from models.appearance import training as appearance_training
from models.errors import ModelError
from models.faces import region_set
from models.faces import training as mask_training
from models.offline import quiet_ultralytics, yolo


@dataclass(frozen=True)
class Recipe:
    """One training, reproducible from its fields.

    Attributes:
        name: name of the resulting weights.
        names: classes, in order.
        init: file of the initialisation below the weights folder.
        architecture: ultralytics model file that the head is built for.
        head_class: class of the initialisation whose output the only class starts from; None where the
            initialisation already has the classes wanted.
        build: makes the data set; see `datasets`.
        settings: ultralytics' training arguments.
        task: what ultralytics calls the kind of network: detect or pose.
        keep: share of the initialisation in the weights that are kept; see `blend`.
    """

    name: str
    names: tuple[str, ...]
    init: str
    architecture: str
    head_class: int | None
    build: Callable[[Path, datasets.Sources], Path]
    settings: dict[str, Any] = field(default_factory=dict)
    task: str = "detect"
    keep: float = 0.0


COMMON_SETTINGS = {
    # ultralytics' automatic optimizer and its default bias warm-up (0.1) damage a pretrained head.
    "optimizer": "AdamW",
    "warmup_bias_lr": 0.0,
    "warmup_epochs": 0.3,
    "cos_lr": True,
    "seed": 0,
    "deterministic": True,
    "batch": 8,
    # One step per batch. The default collects 64 images per step: too few steps for so few epochs.
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
        0,
        lambda folder, sources: datasets.build_person(folder, sources, teachers.people_by_vote(sources)),
        {"epochs": 1, "imgsz": 480, "lr0": 1e-4, "lrf": 0.05, "mosaic": 0.3, "close_mosaic": 0, "scale": 0.5},
    ),
    "face": Recipe(
        "face",
        ("face",),
        teachers.FACE_TEACHER,
        "yolov8n-pose.yaml",
        None,
        lambda folder, sources: region_set.build(
            folder,
            sources,
            teachers.faces(sources),
            teachers.people(registry.resolve("person").path, 0.15),
        ),
        {
            "epochs": 4,
            "imgsz": 192,
            "batch": 16,
            "nbs": 16,
            "lr0": 2e-4,
            "lrf": 0.05,
            "warmup_epochs": 0.2,
            "mosaic": 0.3,
            "close_mosaic": 1,
            "scale": 0.4,
        },
        "pose",
        keep=0.5,
    ),
}
OTHERS: dict[str, Callable[[Path, Path], Path]] = {
    "mask": mask_training.train,
    "appearance": appearance_training.train,
}
"""Recipes that do not use ultralytics' trainer; called with the data folder and the work folder."""


def recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        ModelError: there is none; the message lists those that exist.
    """
    if name not in RECIPES:
        raise ModelError(f"expected a recipe among {', '.join((*RECIPES, *OTHERS))}, got {name!r}")
    return RECIPES[name]


def train(name: str, data_root: Path, work: Path) -> Path:
    """Run a recipe, or resume an interrupted one; returns the half-precision weights.

    `work/NAME` holds the data set, the checkpoints and ultralytics' log (`results.csv`).

    Raises:
        ModelError: unknown recipe, or data missing.
    """
    if name in OTHERS:
        return OTHERS[name](data_root, work)
    chosen = recipe(name)
    sources = datasets.Sources.under(data_root)
    folder = work / name
    data = datasets.built(folder / "data") or chosen.build(folder / "data", sources)
    last = folder / "run" / "weights" / "last.pt"
    best = folder / "run" / "weights" / "best.pt"
    final = best if not chosen.keep else folder / "blended.pt"
    if (folder / "finished.json").is_file():
        return final
    trainer = None if chosen.head_class is None else grafting_trainer(chosen)
    if last.is_file():
        yolo(last, task=chosen.task).train(trainer=trainer, resume=True)
    else:
        initial = sources.weights / chosen.init
        if not initial.is_file():
            raise ModelError(f"expected the initialisation {initial}, found none")
        arguments = {**COMMON_SETTINGS, **chosen.settings, "data": str(data), "device": "cpu"}
        arguments |= {"project": str(folder), "name": "run", "exist_ok": True}
        if trainer is None:
            yolo(initial, task=chosen.task).train(**arguments)
        else:
            trainer.initial = initial
            yolo(chosen.architecture).train(trainer=trainer, pretrained=False, **arguments)
    if chosen.keep:
        blend(best, sources.weights / chosen.init, chosen, final)
    settings = {"recipe": name, "init": chosen.init, "keep": chosen.keep}
    settings |= {**COMMON_SETTINGS, **chosen.settings}
    (folder / "finished.json").write_text(json.dumps(settings, indent=1))
    return final


def blend(checkpoint: Path, initial: Path, chosen: Recipe, target: Path) -> None:
    """Write a checkpoint whose weights lie between those of a training and its initialisation.

    This keeps most of what a short training on few images adds, and loses less of what the initialisation
    learned from many (Wortsman et al. 2022, robust fine-tuning by weight averaging).
    """
    import torch

    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    model = (content.get("ema") or content["model"]).float()
    start = yolo(initial, task=chosen.task).model if chosen.head_class is None else graft(initial, chosen)
    before = start.float().state_dict()
    after = model.state_dict()
    mixed = {
        name: (1 - chosen.keep) * value + chosen.keep * before[name]
        if value.dtype.is_floating_point
        else value
        for name, value in after.items()
    }
    model.load_state_dict(mixed)
    torch.save({**content, "model": model.half(), "ema": None}, target)


def grafting_trainer(chosen: Recipe) -> Any:
    """A trainer class whose model starts from the initialisation, reduced to the recipe's class."""
    quiet_ultralytics()
    from ultralytics.models.yolo.detect import DetectionTrainer

    class GraftingTrainer(DetectionTrainer):  # type: ignore[misc]  # ultralytics has no types
        initial: Path | None = None

        def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
            if weights is not None:  # resumed from a checkpoint
                return deepcopy(weights).float().requires_grad_(True)
            if self.initial is None:
                raise ModelError("expected an initialisation to graft from, got none")
            return graft(self.initial, chosen)

    return GraftingTrainer


def graft(initial: Path, chosen: Recipe) -> Any:
    """Build the recipe's detector from an initialisation, reduced to the recipe's class.

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
    index = [chosen.head_class]
    for branch in target.cv3:
        old = branch[-1]
        new: Any = torch.nn.Conv2d(old.in_channels, len(index), 1)
        with torch.no_grad():
            new.weight.copy_(old.weight[index])
            new.bias[:] = old.bias[index]
        branch[-1] = new
    target.nc = model.nc = len(index)
    target.no = target.nc + 4 * target.reg_max
    model.yaml["nc"] = target.nc
    model.names = dict(enumerate(chosen.names))
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return model
