"""How much a detector loses on degraded pictures: at night, in noise, compressed, blurred, through wet glass.

Every labelled picture is reduced to `models.degradation.PICTURE_PX`, measured as it is, and degraded in each
way and measured again. The intervals come from a bootstrap over images; what is lost is compared within each
resample, so that its interval does not contain how much the pictures differ among themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from evaluation.average_precision import Floats, ImageMatches, PooledMatches, match_image
from evaluation.bootstrap import RESAMPLES, SEED, bootstrap_estimate, resample_counts
from evaluation.formats import Labelled, TruthError, class_names, labelled_images, read_label
from evaluation.report import Report
from evaluation.setup import Progress, ProgressBars, no_progress
from incidents.intervals import Estimate
from models.degradation import CLEAN, PICTURE_PX, degrade, kinds, reduce
from models.devices import Detector, Device
from models.exports.example_images import held_out
from models.registry import resolve

Image = npt.NDArray[np.uint8]
Detect = Callable[[Image], npt.NDArray[np.float32]]
"""Detects objects in an image (H x W x 3 BGR): rows of x1, y1, x2, y2 (px), score, class index."""
Picture = tuple[Image, Floats]
"""A picture as the user has it, and its true boxes: x1, y1, x2, y2 (px), class index."""

MIN_SCORE = 0.001
"""Detections from this score on count, as in ultralytics' validation."""
LIMIT = 0.05
"""Loss of mAP50 from which a degradation is stated as a limit of the weights. Project default
(docs/defaults.md)."""


@dataclass(frozen=True)
class DegradationRequest:
    """An evaluation of a detector on degraded pictures.

    Attributes:
        images: folder of images, searched with its subfolders; None with `data`.
        labels: folder of their YOLO labels.
        names: names of the label classes, see `formats.class_names`.
        data: folder of the public sources, whose held-out pictures of the weights are used; None with
            `images`.
        weights: person, face or a .pt file.
        degradations: names of `models.degradation.kinds`.
        imgsz: px of the longer side for the detector.
        device: auto, cpu, cuda or cuda:N.
        resamples, seed: of the bootstrap; the seed also draws what is random in the degradations.
    """

    images: Path | None = None
    labels: Path | None = None
    names: str | None = None
    data: Path | None = None
    weights: str = "person"
    degradations: Sequence[str] = kinds()
    imgsz: int = PICTURE_PX
    device: str = "auto"
    resamples: int = RESAMPLES
    seed: int = SEED


@dataclass(frozen=True)
class DegradedAccuracy:
    """Accuracy on pictures of one kind.

    Attributes:
        ap50: average precision at IoU 0.5, mean over the classes.
        change: of it from that on clean pictures; negative if less is found. Without value for `CLEAN`.
    """

    ap50: Estimate
    change: Estimate


@dataclass(frozen=True)
class DegradationEvaluation:
    """The result of a `DegradationRequest`: accuracy by kind, `CLEAN` first, and the report."""

    accuracy: Mapping[str, DegradedAccuracy]
    report: Report


def evaluate_degradation(
    request: DegradationRequest, progress_bars: ProgressBars = no_progress
) -> DegradationEvaluation:
    """Measure a detector on labelled pictures as they are, and degraded.

    Raises:
        TruthError: neither or both of images and data are given, an image or label cannot be read, or no
            label is of a class of the detector.
        ModelError: weights, the device or the data are not available, or there is no such degradation.
    """
    weights = resolve(request.weights)
    detector = Detector(weights, Device.choose(request.device), request.imgsz, MIN_SCORE, None)
    pictures, count, names = _pictures(request, detector.classes)
    common = [name for name in names if name in detector.classes]
    if not common:
        raise TruthError(
            f"expected labels of a class that the detector knows ({', '.join(detector.classes)}), "
            f"got {', '.join(names)}: --names gives the names of the label classes"
        )
    classes = [(detector.classes.index(name), names.index(name)) for name in common]
    with progress_bars("images") as progress:
        accuracy, images, objects = degraded_accuracy(
            *(pictures, lambda image: detector([image])[0], classes, request.degradations),
            resamples=request.resamples,
            seed=request.seed,
            progress=lambda done, _: progress(done, count),
        )
    beyond = [name for name, item in accuracy.items() if (item.change.value or 0) < -LIMIT]
    report = Report(
        question="degradation",
        settings={
            "images": str(request.images) if request.images else None,
            "labels": str(request.labels) if request.labels else None,
            "data": str(request.data) if request.data else None,
            "weights": request.weights,
            "degradations": list(request.degradations),
            "picture_px": PICTURE_PX,
            "imgsz": request.imgsz,
            "device": request.device,
        },
        weights={"detection": detector.weights},
        seed=request.seed,
        resamples=request.resamples,
        unit="image",
        units=images,
        counts={"images": images, "objects": objects},
        figures={name: {"map50": item.ap50, "change": item.change} for name, item in accuracy.items()},
        notes=tuple(f"{name}: loses more than {100 * LIMIT:g} points of mAP50" for name in beyond),
    )
    return DegradationEvaluation(accuracy, report)


def degraded_accuracy(
    pictures: Iterator[Picture],
    detect: Detect,
    classes: Sequence[tuple[int, int]],
    degradations: Sequence[str],
    *,
    resamples: int,
    seed: int,
    progress: Progress = lambda *_: None,
) -> tuple[dict[str, DegradedAccuracy], int, int]:
    """Measure a detector on pictures as they are and degraded.

    Args:
        pictures: the pictures with their true boxes.
        detect: the detector.
        classes: index of each class that is measured, among the detector's and among the labels'.
        degradations: see `models.degradation.degrade`.
        resamples, seed: see `DegradationRequest`.
        progress: see `Progress`; it counts pictures.

    Returns:
        The accuracy by kind, `CLEAN` first; how many pictures there were, and how many true boxes.

    Raises:
        TruthError: there is no true box.
        ModelError: there is no such degradation.
    """
    shown = (CLEAN, *degradations)
    matches: dict[str, list[list[ImageMatches]]] = {kind: [[] for _ in classes] for kind in shown}
    images = 0
    for images, (whole, truth) in enumerate(pictures, start=1):
        picture = reduce(whole)
        scale = np.array([picture.shape[1] / whole.shape[1], picture.shape[0] / whole.shape[0]] * 2)
        for kind in shown:
            found = detect(degrade(picture, kind, seed + images)).astype(np.float64).reshape(-1, 6)
            for (own, true), kept in zip(classes, matches[kind], strict=True):
                of_class = truth[truth[:, 4] == true][:, :4] * scale
                kept.append(match_image(found[found[:, 5] == own][:, :5], of_class))
        progress(images, 0)
    objects = sum(image.truths for kept in matches[CLEAN] for image in kept)
    if not objects:
        raise TruthError(f"expected labelled objects in {images} images, got none")
    counts = resample_counts(images, resamples, seed)
    values = {kind: _mean_ap50([PooledMatches(kept) for kept in matches[kind]], counts) for kind in shown}
    clean = values[CLEAN]
    accuracy = {
        kind: DegradedAccuracy(
            bootstrap_estimate(float(value[0]), value[1:], images),
            Estimate(None)
            if kind == CLEAN
            else bootstrap_estimate(float(value[0] - clean[0]), value[1:] - clean[1:], images),
        )
        for kind, value in values.items()
    }
    return accuracy, images, objects


def _mean_ap50(pools: Sequence[PooledMatches], counts: npt.NDArray[np.int64]) -> Floats:
    """mAP50 on all images, then in each resample (1 + R,); NaN where no class has an object."""
    rows = []
    for weights in (None, *counts):
        values = np.array([pool.average_precision(weights)[0] for pool in pools])
        defined = values[~np.isnan(values)]
        rows.append(float(defined.mean()) if len(defined) else np.nan)
    return np.array(rows)


def _pictures(
    request: DegradationRequest, classes: tuple[str, ...]
) -> tuple[Iterator[Picture], int, tuple[str, ...]]:
    """The pictures, how many there are (0 = not known), and the names of the label classes."""
    if (request.images is None) == (request.data is None):
        raise TruthError("expected a folder of images or --data, got both or neither")
    if request.data is not None:
        examples = held_out(request.weights, request.data)
        rows = ((item.image, np.asarray(item.truth, np.float64)) for item in examples.read())
        return ((image, truth[:, [1, 2, 3, 4, 0]]) for image, truth in rows), 0, classes
    if request.images is None or request.labels is None:
        raise TruthError(f"expected --labels, a folder of YOLO labels of {request.images}, got none")
    items = labelled_images(request.images, request.labels)
    names = class_names(request.labels, request.names)
    return _read(items, len(names)), len(items), names


def _read(items: Sequence[Labelled], classes: int) -> Iterator[Picture]:
    for item in items:
        image = cv2.imread(str(item.path), cv2.IMREAD_COLOR)
        if image is None:
            raise TruthError(f"{item.path}: expected an image, got one that cannot be read")
        yield np.asarray(image, np.uint8), read_label(item.label, image.shape[1], image.shape[0], classes)
