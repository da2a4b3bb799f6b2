"""The recipe of the appearance network; it takes minutes on a CPU and resumes after every epoch."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models import datasets
from models.appearance import crop_set, network
from models.appearance.degradation import degrade
from models.appearance.evaluation import held_out_auc
from models.appearance.sizes import DIMENSION
from models.errors import ModelError
from models.registry import FOLDER


@dataclass(frozen=True)
class Recipe:
    """One training, reproducible from its fields.

    Attributes:
        init: detector whose first stages it starts from, below models/weights/.
        epochs: passes over all crops in all colourings.
        batch: crops per step.
        rate: learning rate of the projection; the stages, which are pretrained, get a third.
        temperature: of the contrast between a crop's own teacher vector and those of the batch.
        contrast, relation: weights of those losses beside the cosine to the teacher's vector.
        seed: random seed.
    """

    init: str = "person.pt"
    epochs: int = 8
    batch: int = 96
    rate: float = 1.5e-3
    temperature: float = 0.1
    contrast: float = 0.1
    relation: float = 5.0
    seed: int = 0


def train(data_root: Path, work: Path, recipe: Recipe | None = None) -> Path:
    """Run the recipe, or resume it after the last complete epoch; returns the half-precision weights.

    `work/appearance` holds the crops, the checkpoint and the log (`results.csv`).

    Raises:
        ModelError: data, the initialisation or the teacher is missing.
    """
    recipe = recipe or Recipe()
    sources = datasets.Sources.under(data_root)
    folder = work / "appearance"
    final = folder / "appearance.pt"
    if (folder / "finished.json").is_file():
        return final
    crop_set.build(folder / "data", sources, recipe.seed)
    data, taught = crop_set.read(folder / "data")
    targets = reduce(taught, ~data.held_out)
    net = network.from_detector(FOLDER / recipe.init, recipe.seed)
    optimizer = torch.optim.AdamW(
        [
            {"params": net.project.parameters(), "lr": recipe.rate},
            {"params": net.stages.parameters(), "lr": recipe.rate / 3},
        ],
        weight_decay=0.01,
    )
    checkpoint = folder / "checkpoint.pt"
    done = 0
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["epochs"]
    for epoch in range(done, recipe.epochs):
        began = time.monotonic()
        losses = _epoch(net, optimizer, data, targets, recipe, epoch)
        auc = held_out_auc(net, data, recipe.seed)
        line = (
            f"{epoch + 1},{','.join(f'{v:.4f}' for v in losses)},{auc:.4f},{time.monotonic() - began:.0f}\n"
        )
        with (folder / "results.csv").open("a") as log:
            log.write(line)
        temporary = checkpoint.with_suffix(".tmp")
        torch.save(
            {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epochs": epoch + 1}, temporary
        )
        temporary.replace(checkpoint)
        network.save(net, final)
    (folder / "finished.json").write_text(json.dumps(asdict(recipe), indent=1))
    return final


def reduce(taught: NDArray[np.float32], learned: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Reduce the teacher's vectors (N, C, D) to DIMENSION; unit length, cosines nearly unchanged.

    The projection is on the leading right singular vectors of the training crops, which of all projections
    keeps inner products best.

    Raises:
        ModelError: there are fewer training crops than dimensions.
    """
    flat = taught[learned].reshape(-1, taught.shape[2]).astype(np.float64)
    axes = np.linalg.svd(flat, full_matrices=False)[2][:DIMENSION]
    if len(axes) < DIMENSION:
        raise ModelError(f"expected at least {DIMENSION} crops of people, got {len(axes)}")
    short = taught @ axes.T
    return np.asarray(short / np.linalg.norm(short, axis=2, keepdims=True), dtype=np.float32)


def _epoch(
    net: network.AppearanceNet,
    optimizer: torch.optim.Optimizer,
    data: crop_set.CropSet,
    targets: NDArray[np.float32],
    recipe: Recipe,
    epoch: int,
) -> tuple[float, float, float]:
    net.train()
    rng = np.random.default_rng((recipe.seed, epoch))
    items = _order(data, rng)
    steps = len(items) // recipe.batch
    total = np.zeros(3)
    top = (recipe.rate, recipe.rate / 3)
    for step in range(steps):
        progress = (epoch + step / steps) / recipe.epochs
        warm = min(1.0, (epoch * steps + step + 1) / 30)
        for group, rate in zip(optimizer.param_groups, top, strict=True):
            group["lr"] = rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        part = items[step * recipe.batch : (step + 1) * recipe.batch]
        others = rng.permutation(len(part))
        images = [
            degrade(data.coloured(*item), data.coloured(*part[other]), rng)
            for item, other in zip(part, others, strict=True)
        ]
        wanted = torch.from_numpy(np.stack([targets[item] for item in part]))
        losses = _losses(net(torch.from_numpy(np.stack(images))), wanted, recipe.temperature)
        loss = losses[0] + recipe.contrast * losses[1] + recipe.relation * losses[2]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        total += [float(v.detach()) for v in losses]
    first, second, third = (total / steps).tolist()
    return first, second, third


def _losses(ours: Tensor, wanted: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """Losses: cosine to the teacher, contrast within the batch, and error of the mutual cosines."""
    cosine = 1 - (ours * wanted).sum(1).mean()
    contrast = nn.functional.cross_entropy(ours @ wanted.T / temperature, torch.arange(len(ours)))
    relation = ((ours @ ours.T - wanted @ wanted.T) ** 2).mean()
    return cosine, contrast, relation


def _order(data: crop_set.CropSet, rng: np.random.Generator) -> list[tuple[int, int]]:
    """All (crop, colouring) of an epoch, with those of one image and colouring near each other.

    People in one image share light and background, so within a batch only their clothes differ.
    """
    learned = np.flatnonzero(~data.held_out)
    images = rng.permutation(data.source.max() + 1)
    items = [(int(n), c) for n in learned for c in range(crop_set.COLOURINGS_PER_CROP)]
    keys = [(images[data.source[n]] + rng.integers(-2, 3), rng.random()) for n, _ in items]
    return [items[i] for i in sorted(range(len(items)), key=lambda i: keys[i])]
