"""Training of the mask classifier: a detector's backbone, a new head, and randomly degraded crops.

The network is ultralytics' YOLOv8n classifier. Its first nine layers start from those of a face detector,
which was trained to find faces with and without masks alike.
"""

from __future__ import annotations

import copy
import json
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from models.faces.crop_set import CLASSES, INCORRECT, MASKED, NONE, UNMASKED, Crops
from models.faces.crops import CONTEXT, warp
from models.faces.degradation import degrade
from models.faces.painting import Wear, paint
from models.images import Image
from models.offline import quiet_ultralytics, yolo

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

ARCHITECTURE = "yolov8n-cls.yaml"
SHARED_LAYERS = 9
"""Layers 0 to 8 of the classifier are those of the YOLOv8n detector."""
BATCH_SIZE = 64


class ViewFigures(TypedDict):
    """Figures of one view of the val split (see `validation_views`); recall by class."""

    accuracy: float
    recall: list[float]


@dataclass(frozen=True)
class ClassifierSettings:
    """One training.

    Attributes:
        side: px of the network's input.
        context: side of a crop over the longer side of the face.
        epochs: of `per_epoch` crops each.
        per_epoch: crops drawn per epoch, before those with painted masks.
        shares: share of each class among them; incorrect masks are drawn more often than they occur.
        painted: number of crops with painted masks, over `per_epoch`.
        learning_rate: of the head, at its peak; the backbone's is half.
        smoothing: label smoothing, because some labels are wrong.
        seed: random seed.
    """

    side: int = 96
    context: float = CONTEXT
    epochs: int = 16
    per_epoch: int = 7000
    shares: tuple[float, float, float, float] = (0.33, 0.33, 0.22, 0.12)
    painted: float = 0.12
    learning_rate: float = 1e-3
    smoothing: float = 0.03
    seed: int = 0


def train(
    crops: Crops,
    initial: Path,
    work: Path,
    settings: ClassifierSettings,
    report: Callable[[str], object] = print,
) -> Path:
    """Train, or resume after the last finished epoch; returns the checkpoint in `work`.

    Args:
        crops: both splits.
        initial: weights of a YOLOv8n detector or pose network.
        work: folder for `last.pt` and `log.jsonl` (per epoch: loss and figures on the val split).
        settings: see `ClassifierSettings`.
        report: called with a line per epoch.
    """
    import torch

    torch.manual_seed(settings.seed)
    cv2.setNumThreads(1)  # crops are made on a thread beside the training
    work.mkdir(parents=True, exist_ok=True)
    model = _network(initial)
    drawer = _Drawer(crops, settings)
    steps = settings.epochs * drawer.batches
    optimizer = torch.optim.AdamW(_groups(model, settings.learning_rate), weight_decay=0.02)
    rates = [settings.learning_rate / 2, settings.learning_rate]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps + 1, pct_start=0.12)
    average = copy.deepcopy(model).eval()
    step = first = 0
    last = work / "last.pt"
    if last.is_file():
        state = torch.load(last, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        step, first = state["step"], state["epoch"] + 1
    for epoch in range(first, settings.epochs):
        model.train()
        losses = []
        for images, labels in drawer.epoch(epoch):
            if step >= steps:
                break
            output = model(as_input(images))
            loss = torch.nn.functional.cross_entropy(
                output, torch.from_numpy(labels), label_smoothing=settings.smoothing
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            step += 1
            losses.append(float(loss.detach()))
            _blend(average, model, min(0.998, (1 + step) / (10 + step)))
        figures = validate(average, crops, settings)
        line = json.dumps({"epoch": epoch, "loss": round(float(np.mean(losses)), 4), **figures})
        with (work / "log.jsonl").open("a") as log:
            log.write(line + "\n")
        report(line)
        temporary = last.with_suffix(".tmp")
        torch.save(
            {
                "model": model.state_dict(),
                "average": average.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "step": step,
                "epoch": epoch,
                "settings": asdict(settings),
            },
            temporary,
        )
        temporary.replace(last)
    return last


def load(checkpoint: Path, initial: Path) -> Module:
    """The averaged network of a checkpoint of `train`, for evaluation."""
    import torch

    model = _network(initial)
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    return model.eval()


def as_input(images: NDArray[np.uint8]) -> Tensor:
    """Crops (N, S, S, 3) BGR as the network's input: (N, 3, S, S) RGB float tensor, 0..1."""
    import torch

    planes = np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2))
    return torch.from_numpy(planes).float().div_(255)


def probabilities(model: Module, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Class probabilities of crops (N, S, S, 3): (N, 4), rows sum to 1."""
    import torch

    parts = []
    with torch.no_grad():
        for first in range(0, len(images), 128):
            output = model(as_input(images[first : first + 128]))
            # In evaluation mode the head gives (probabilities, logits).
            parts.append(output[1].double().softmax(1).numpy())
    return np.concatenate(parts)


def validation_views(crops: Crops, settings: ClassifierSettings) -> dict[str, NDArray[np.uint8]]:
    """The val split twice: faces at their own size, and shrunk to at most 24 px height."""
    rows = np.flatnonzero((crops.split == "val") & (crops.height >= 16)).tolist()
    return {
        "as_is": np.stack([_view(crops, row, settings, None) for row in rows]),
        "24px": np.stack([_view(crops, row, settings, 24.0) for row in rows]),
    }


def validation_labels(crops: Crops) -> NDArray[np.int64]:
    """The labels of `validation_views`."""
    return np.asarray(crops.label[(crops.split == "val") & (crops.height >= 16)])


def validate(model: Module, crops: Crops, settings: ClassifierSettings) -> dict[str, ViewFigures]:
    """Accuracy and recall by class on the val split, at its own size and shrunk."""
    labels = validation_labels(crops)
    figures: dict[str, ViewFigures] = {}
    for name, images in validation_views(crops, settings).items():
        predicted = probabilities(model, images).argmax(axis=1)
        figures[name] = {
            "accuracy": round(float((predicted == labels).mean()), 4),
            "recall": [round(float((predicted == c)[labels == c].mean()), 3) for c in (0, 1, 2)],
        }
    return figures


class _Drawer:
    """Draws the crops of an epoch; the same epoch and seed give the same crops."""

    def __init__(self, crops: Crops, settings: ClassifierSettings) -> None:
        self._crops, self._settings = crops, settings
        usable = (crops.split == "train") & (crops.height >= 12)
        self._rows = [np.flatnonzero(usable & (crops.label == c)) for c in range(len(CLASSES))]
        bare = self._rows[UNMASKED]
        seen = crops.landmarks[bare, :, 2].min(axis=1) > 0.5
        self._paintable = bare[seen & (crops.height[bare] >= 36)]
        drawn = sum(int(settings.per_epoch * share) for share in settings.shares)
        self.batches = -(-(drawn + int(settings.per_epoch * settings.painted)) // BATCH_SIZE)

    def epoch(self, number: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """Batches of crops (B, S, S, 3) and labels (B,), made on a thread beside the training."""
        settings = self._settings
        rng = np.random.default_rng((settings.seed, number))
        plan: list[tuple[int, int, Wear | None]] = []
        for label in (MASKED, UNMASKED, INCORRECT, NONE):
            count = int(settings.per_epoch * settings.shares[label])
            plan += [(int(row), label, None) for row in rng.choice(self._rows[label], count)]
        for row in rng.choice(self._paintable, int(settings.per_epoch * settings.painted)):
            wear: Wear = get_args(Wear)[rng.choice(3, p=[0.25, 0.5, 0.25])]
            plan.append((int(row), MASKED if wear == "masked" else INCORRECT, wear))
        order = rng.permutation(len(plan))
        made: queue.Queue[tuple[NDArray[np.uint8], NDArray[np.int64]] | Exception | None] = queue.Queue(4)

        def make() -> None:
            try:
                for first in range(0, len(order), BATCH_SIZE):
                    rows = [plan[n] for n in order[first : first + BATCH_SIZE]]
                    images = [self._draw(row, wear, rng) for row, _, wear in rows]
                    kept = [
                        (image, row[1]) for image, row in zip(images, rows, strict=True) if image is not None
                    ]
                    made.put((np.stack([image for image, _ in kept]), np.array([label for _, label in kept])))
                made.put(None)
            except Exception as error:  # raised in the training, which would wait for ever
                made.put(error)

        threading.Thread(target=make, daemon=True).start()
        while (batch := made.get()) is not None:
            if isinstance(batch, Exception):
                raise batch
            yield batch

    def _draw(self, row: int, wear: Wear | None, rng: np.random.Generator) -> Image | None:
        crops, settings = self._crops, self._settings
        image, box = crops.image[row], crops.box[row]
        if wear is not None:
            painted = paint(image, crops.landmarks[row, :, :2], wear, rng)
            if painted is None:
                return None
            image = painted
        longer = float(max(box[2:] - box[:2]))
        across = settings.context * longer * float(np.exp(rng.uniform(-0.16, 0.22)))
        centre = (box[:2] + box[2:]) / 2 + rng.uniform(-0.1, 0.1, 2) * longer
        side = settings.side
        if rng.random() < 0.6:  # faces in CCTV are small: 12 px to the size in the image
            high = min(float(crops.height[row]), 110.0)
            face = float(np.exp(rng.uniform(np.log(min(12.0, 0.9 * high)), np.log(high))))
            side = int(np.clip(round(across * face / (box[3] - box[1])), 12, 1.5 * settings.side))
        cut = warp(image, centre, across, side, float(rng.normal(0, 8)))
        if rng.random() < 0.5:
            cut = np.ascontiguousarray(cut[:, ::-1])
        if rng.random() < 0.85:
            cut = degrade(cut, rng)
        return resize(cut, settings.side)


def resize(image: Image, side: int) -> Image:
    """Resize a square crop to side x side px."""
    if image.shape[0] == side:
        return image
    interpolation = cv2.INTER_LINEAR if image.shape[0] < side else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, (side, side), interpolation=interpolation), np.uint8)


def _view(crops: Crops, row: int, settings: ClassifierSettings, face_px: float | None) -> Image:
    box = crops.box[row]
    across = settings.context * float(max(box[2:] - box[:2]))
    side = settings.side
    if face_px is not None:
        face = min(face_px, float(crops.height[row]))
        side = max(12, round(across * face / float(box[3] - box[1])))
    return resize(warp(crops.image[row], (box[:2] + box[2:]) / 2, across, side), settings.side)


def _network(initial: Path) -> Module:
    quiet_ultralytics()
    from ultralytics.nn.tasks import ClassificationModel

    model: Any = ClassificationModel(ARCHITECTURE, nc=len(CLASSES), verbose=False)
    own = model.state_dict()
    source = yolo(initial).model.float().state_dict()
    shared = {
        name: value
        for name, value in source.items()
        if name in own and own[name].shape == value.shape and int(name.split(".")[1]) < SHARED_LAYERS
    }
    model.load_state_dict(shared, strict=False)
    model.names = dict(enumerate(CLASSES))
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    network: Module = model
    return network


def _groups(model: Module, rate: float) -> list[dict[str, Any]]:
    head = f"model.{SHARED_LAYERS}."
    parameters = list(model.named_parameters())
    return [
        {"params": [p for name, p in parameters if not name.startswith(head)], "lr": rate / 2},
        {"params": [p for name, p in parameters if name.startswith(head)], "lr": rate},
    ]


def _blend(average: Module, model: Module, keep: float) -> None:
    import torch

    with torch.no_grad():
        for mean, now in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.mul_(keep).add_(now, alpha=1 - keep)
            else:
                mean.copy_(now)
