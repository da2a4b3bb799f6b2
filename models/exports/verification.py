"""How much accuracy an export loses against its source, and how fast it is, on the same images."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.exports.example_images import Examples
from models.exports.store import MAX_LOSS
from models.images import Image
from models.runtimes.network import Network, square
from models.runtimes.suppression import MAX_BOXES_PER_IMAGE

if TYPE_CHECKING:
    import supervision as sv

MIN_IMAGES = 20
"""Fewer labelled images (or objects) cannot show a loss of one point. Project default (docs/defaults.md)."""
MIN_SOURCE_METRIC = 0.1
"""A source below this metric shows that the labels do not fit. Project default (docs/defaults.md)."""
MIN_SCORE = 0.001
"""Score from which boxes count for average precision, as in ultralytics' validation."""
TIMED_CALLS = 60
"""Timed calls of each form. Project default (docs/defaults.md)."""
WARM_UP_CALLS = 3


@dataclass(frozen=True)
class Accuracy:
    """A metric (mAP50 or top-1) of several networks on the same images.

    Attributes:
        metric: its name.
        values: of each network, in the order given.
        images, objects: how many were evaluated; a crop is one object.
    """

    metric: str
    values: tuple[float, ...]
    images: int
    objects: int


@dataclass(frozen=True)
class Times:
    """Median milliseconds of a call of the plain form and of the export, and the median of their ratios."""

    plain_ms: float
    export_ms: float
    speed: float


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
        for network, detections in zip(networks, found, strict=True):
            rows = network.boxes([example.image], imgsz, MIN_SCORE)[0].astype(np.float64)
            detections.append(_detections(rows[:, [0, 1, 2, 3, 5]], rows[:, 4]))
    objects = sum(map(len, truths))
    _require_enough(examples, len(truths), objects)
    present = sorted({int(c) for truth in truths for c in np.asarray(truth.class_id)})
    return Accuracy("mAP50", tuple(_map50(f, truths, present) for f in found), len(truths), objects)


def _top1(examples: Examples, networks: list[Network], imgsz: int) -> Accuracy:
    right = [0] * len(networks)
    total = 0
    for example in examples.read():
        total += 1
        for n, network in enumerate(networks):
            probabilities = network.probabilities([square(example.image)], imgsz)[0]
            right[n] += int(np.argmax(probabilities)) == example.truth
    _require_enough(examples, total, total)
    return Accuracy("top-1", tuple(count / total for count in right), total, total)


def check(source: float, export: float, metric: str) -> None:
    """Refuse an export that lost more than MAX_LOSS.

    Args:
        source: the metric of the source.
        export: the metric of the export.
        metric: its name.

    Raises:
        ModelError: the export lost more, or the source itself is below MIN_SOURCE_METRIC.
    """
    if source < MIN_SOURCE_METRIC:
        raise ModelError(
            f"expected labelled images on which the source reaches {metric} {MIN_SOURCE_METRIC}, got "
            f"{source:.3f}: are the labels of its classes?"
        )
    if source - export > MAX_LOSS + 1e-9:
        raise ModelError(
            f"the export is refused: expected to lose at most 1 point of {metric}, got {metric} "
            f"{export:.4f} after {source:.4f} of its source"
        )


def time_in_turns(plain: Network, export: Network, images: list[Image], imgsz: int, batch: int) -> Times:
    """Time calls of both forms in turns, so that other load on the machine slows both alike.

    Raises:
        ModelError: there are no images.
    """
    inputs = _inputs(images, imgsz, batch, export.task)
    for network in (plain, export):
        for blob in inputs[:WARM_UP_CALLS]:
            network.run(blob)
    times: list[tuple[float, float]] = []
    for turn in range(TIMED_CALLS):
        blob = inputs[turn % len(inputs)]
        order = (plain, export) if turn % 2 else (export, plain)
        seconds = {id(network): _time(network, blob) for network in order}
        times.append((seconds[id(plain)], seconds[id(export)]))
    return Times(
        1e3 * median(p for p, _ in times), 1e3 * median(e for _, e in times), median(p / e for p, e in times)
    )


def _time(network: Network, blob: NDArray[np.uint8]) -> float:
    began = time.perf_counter()
    network.run(blob)
    return time.perf_counter() - began


def _inputs(images: Iterable[Image], imgsz: int, batch: int, task: str) -> list[NDArray[np.uint8]]:
    """Batches of one shape, as one camera gives them: 4:3, or square for a classifier."""
    shape = (imgsz, imgsz) if task == "classify" else (imgsz, max(32, round(imgsz * 0.75 / 32) * 32))
    fitted = [np.asarray(cv2.resize(image, shape), np.uint8) for image in images]
    if not fitted:
        raise ModelError("expected images to time an export with, got none")
    return [np.stack([fitted[(n + k) % len(fitted)] for k in range(batch)]) for n in range(len(fitted))]


def _require_enough(examples: Examples, images: int, objects: int) -> None:
    if images < MIN_IMAGES or objects < MIN_IMAGES:
        raise ModelError(
            f"expected at least {MIN_IMAGES} labelled images with as many objects to verify an export, got "
            f"{images} with {objects} in {examples.text}"
        )


def _detections(rows: NDArray[np.float64], scores: NDArray[np.float64] | None = None) -> sv.Detections:
    """Rows of x1, y1, x2, y2 (px), class as supervision takes them."""
    import supervision as sv

    return sv.Detections(xyxy=rows[:, :4].reshape(-1, 4), confidence=scores, class_id=rows[:, 4].astype(int))


def _map50(found: list[sv.Detections], truths: list[sv.Detections], classes: list[int]) -> float:
    """Mean of the COCO average precision at IoU 0.5 over the classes that occur in the truth."""
    from supervision.metrics import MeanAveragePrecision

    metric = MeanAveragePrecision(max_detection_thresholds=(1, 10, MAX_BOXES_PER_IMAGE))
    kept = [_of_classes(item, classes) for item in found]
    return float(metric.update(kept, truths).compute().map50)


def _of_classes(item: sv.Detections, classes: list[int]) -> sv.Detections:
    import supervision as sv

    chosen = np.isin(np.asarray(item.class_id), classes)
    return sv.Detections(
        np.asarray(item.xyxy)[chosen],
        confidence=np.asarray(item.confidence)[chosen],
        class_id=np.asarray(item.class_id)[chosen],
    )
