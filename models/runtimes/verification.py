"""What an export loses against its source, and what it gains in time: same images, same code, in turns."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.runtimes.network import MOST, Image, Network, square

if TYPE_CHECKING:
    import supervision as sv

    from models.runtimes.examples import Examples

MOST_LOST = 0.01
"""An export that loses more of mAP50 (of top-1 accuracy, for a classifier) is refused: one point."""
LEAST_IMAGES = 20
"""Fewer labelled images say nothing about one point."""
LEAST_METRIC = 0.1
"""Where the source itself finds less, there is nothing to lose: the labels are of something else."""
LOW_SCORE = 0.001
"""Boxes from this score on count for average precision, as in ultralytics' validation."""
TURNS = 60
"""Timed calls of each form."""


@dataclass(frozen=True)
class Accuracy:
    """A metric (mAP50 or top-1) of several networks on the same images.

    Attributes:
        metric: its name.
        values: of each network, in the order given.
        images, objects: how many were looked at; a crop is one object.
    """

    metric: str
    values: tuple[float, ...]
    images: int
    objects: int


def accuracy(examples: Examples, networks: list[Network], imgsz: int) -> Accuracy:
    """Measure networks of one task on labelled images.

    Raises:
        ModelError: there are too few images, or the labels do not fit.
    """
    if networks[0].task == "classify":
        return _top1(examples, networks, imgsz)
    truths: list[sv.Detections] = []
    found: list[list[sv.Detections]] = [[] for _ in networks]
    for example in examples.read():
        truths.append(_detections(np.asarray(example.truth, np.float64).reshape(-1, 5)[:, [1, 2, 3, 4, 0]]))
        for network, into in zip(networks, found, strict=True):
            rows = network.boxes([example.image], imgsz, LOW_SCORE)[0]
            into.append(_detections(rows[:, [0, 1, 2, 3, 5]], rows[:, 4]))
    objects = sum(map(len, truths))
    _enough(examples, len(truths), objects)
    present = sorted({int(c) for truth in truths for c in np.asarray(truth.class_id)})
    return Accuracy("mAP50", tuple(_map50(f, truths, present) for f in found), len(truths), objects)


def _top1(examples: Examples, networks: list[Network], imgsz: int) -> Accuracy:
    right = [0] * len(networks)
    total = 0
    for example in examples.read():
        total += 1
        for n, network in enumerate(networks):
            said = network.shares([square(example.image)], imgsz)[0]
            right[n] += int(np.argmax(said)) == example.truth
    _enough(examples, total, total)
    return Accuracy("top-1", tuple(count / total for count in right), total, total)


def check(source: float, export: float, metric: str) -> None:
    """Refuse an export that lost more than a point.

    Raises:
        ModelError: it did, or the source itself finds next to nothing.
    """
    if source < LEAST_METRIC:
        raise ModelError(
            f"expected labelled images on which the source reaches {metric} {LEAST_METRIC}, got {source:.3f}"
            ": are the labels of its classes?"
        )
    if source - export > MOST_LOST + 1e-9:
        raise ModelError(
            f"the export is refused: expected to lose at most 1 point of {metric}, got {metric} "
            f"{export:.4f} after {source:.4f} of its source"
        )


def in_turns(plain: Network, export: Network, images: list[Image], imgsz: int, batch: int) -> Times:
    """Time one call of each form again and again, in turns, so that a busy machine slows both.

    Raises:
        ModelError: there are no images.
    """
    inputs = _inputs(images, imgsz, batch, export.task)
    for network in (plain, export):
        for blob in inputs[:3]:
            network.run(blob)
    times: list[tuple[float, float]] = []
    for turn in range(TURNS):
        blob = inputs[turn % len(inputs)]
        order = (plain, export) if turn % 2 else (export, plain)
        took = {id(network): _time(network, blob) for network in order}
        times.append((took[id(plain)], took[id(export)]))
    return Times(
        1e3 * median(p for p, _ in times), 1e3 * median(e for _, e in times), median(p / e for p, e in times)
    )


@dataclass(frozen=True)
class Times:
    """Median milliseconds of a call of the plain form and of the export, and the median of their ratios."""

    plain_ms: float
    export_ms: float
    speed: float


def processor(device: str) -> str:
    """The name of the processor behind a device as torch names it."""
    if device != "cpu":
        import torch

        return str(torch.cuda.get_device_name(device))
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _time(network: Network, blob: NDArray[np.uint8]) -> float:
    began = time.perf_counter()
    network.run(blob).cpu()
    return time.perf_counter() - began


def _inputs(images: Iterable[Image], imgsz: int, batch: int, task: str) -> list[NDArray[np.uint8]]:
    """Batches of one shape, as one camera gives them: 4:3, or square for a classifier."""
    shape = (imgsz, imgsz) if task == "classify" else (imgsz, max(32, round(imgsz * 0.75 / 32) * 32))
    fitted = [np.asarray(cv2.resize(image, shape), np.uint8) for image in images]
    if not fitted:
        raise ModelError("expected images to time an export with, got none")
    return [np.stack([fitted[(n + k) % len(fitted)] for k in range(batch)]) for n in range(len(fitted))]


def _enough(examples: Examples, images: int, objects: int) -> None:
    if images < LEAST_IMAGES or objects < LEAST_IMAGES:
        raise ModelError(
            f"expected at least {LEAST_IMAGES} labelled images with as many objects to verify an export, got "
            f"{images} with {objects} in {examples.text}"
        )


def _detections(rows: NDArray[Any], scores: NDArray[Any] | None = None) -> sv.Detections:
    import supervision as sv

    return sv.Detections(
        xyxy=np.asarray(rows[:, :4], np.float64).reshape(-1, 4),
        confidence=None if scores is None else np.asarray(scores, np.float64),
        class_id=rows[:, 4].astype(int),
    )


def _map50(found: list[sv.Detections], truths: list[sv.Detections], classes: list[int]) -> float:
    """Mean over the classes that occur of the COCO average precision at IoU 0.5."""
    from supervision.metrics import MeanAveragePrecision

    kept = [_only(item, classes) for item in found]
    metric = MeanAveragePrecision(max_detection_thresholds=(1, 10, MOST))
    return float(metric.update(kept, truths).compute().map50)


def _only(item: sv.Detections, classes: list[int]) -> sv.Detections:
    chosen = np.isin(np.asarray(item.class_id), classes)
    import supervision as sv

    return sv.Detections(
        np.asarray(item.xyxy)[chosen],
        confidence=np.asarray(item.confidence)[chosen],
        class_id=np.asarray(item.class_id)[chosen],
    )
