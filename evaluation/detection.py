"""How well objects are detected in labelled images: mAP50 and mAP50-95, by class and by size.

Sizes are heights in px of the full image, as the mask rule counts them: a face under 20 px is never
assessed, one from 32 px is assessed by default, so the bands are < 20, 20 to 32, 32 to 64, and from 64 px.
The intervals come from a bootstrap over images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from evaluation.average_precision import Floats, ImageMatches, PooledMatches, match_image
from evaluation.bootstrap import RESAMPLES, SEED, bootstrap_estimate, resample_counts
from evaluation.formats import Labelled, TruthError, class_names, labelled_images, read_label
from evaluation.report import Report
from evaluation.setup import PerceptionRequest, Progress, ProgressBars, no_progress
from incidents.intervals import Estimate
from models.devices import Detector, Device
from models.registry import Weights, resolve
from vision.detection import PersonDetector
from vision.gate.planner import DetectionPlan, full_frame_scales
from vision.masks import STATES

Image = npt.NDArray[np.uint8]
Detect = Callable[[Image], npt.NDArray[np.float32]]
"""Detects objects in an image (H x W x 3 BGR): rows of x1, y1, x2, y2 (px), score, class index."""

HEIGHT_BAND_EDGES_PX = (20.0, 32.0, 64.0)
"""Heights between the bands of sizes. Project default (docs/defaults.md)."""
WHOLE_IMAGE_IMGSZ = 640
"""px of the longer side for a detector on whole images: ultralytics' default."""
ALL = "all"
MEAN = "mean"
MIN_SCORE = 0.001
"""Detections from this score on count, as in ultralytics' validation."""


@dataclass(frozen=True)
class AveragePrecision:
    """Average precision of one class in one band of sizes.

    Attributes:
        objects: number of true objects.
        ap50: at IoU 0.5.
        ap50_95: mean over IoU 0.50, 0.55 ... 0.95.
    """

    objects: int
    ap50: Estimate
    ap50_95: Estimate


@dataclass(frozen=True)
class DetectionAccuracy:
    """Average precision by class and band.

    Attributes:
        images: number of images.
        unknown_classes: classes of the labels that the detector does not have; they are left out.
        classes: class -> band -> average precision; the last class is `MEAN`, the mean over the classes, and
            the first band is `ALL`.
    """

    images: int
    unknown_classes: tuple[str, ...]
    classes: Mapping[str, Mapping[str, AveragePrecision]]


@dataclass(frozen=True)
class DetectionRequest:
    """An evaluation of a detector.

    Attributes:
        images: folder of images, searched with its subfolders.
        labels: folder of their YOLO labels.
        names: names of the label classes, see `formats.class_names`.
        weights: person, face or a .pt file.
        through_pipeline: detect faces as the pipeline does: people first, then faces in each head region,
            then the mask state; `weights` is not used then.
        as_analyzed: detect people as the pipeline does in a full-frame detection, at several scales.
        imgsz: px of the longer side; None = 640, or with the two above that of the pipeline.
        height_band_edges_px: see `height_bands`.
        device: auto, cpu, cuda or cuda:N.
        resamples, seed: of the bootstrap.
    """

    images: Path
    labels: Path
    names: str | None = None
    weights: str = "person"
    through_pipeline: bool = False
    as_analyzed: bool = False
    imgsz: int | None = None
    height_band_edges_px: Sequence[float] = HEIGHT_BAND_EDGES_PX
    device: str = "auto"
    resamples: int = RESAMPLES
    seed: int = SEED


@dataclass(frozen=True)
class DetectionEvaluation:
    """The result of a `DetectionRequest`."""

    accuracy: DetectionAccuracy
    report: Report


def evaluate_detection(
    request: DetectionRequest, progress_bars: ProgressBars = no_progress
) -> DetectionEvaluation:
    """Measure a detector on labelled images.

    Raises:
        TruthError: an image or label cannot be read, or no label is of a class of the detector.
        ModelError: weights or the device are not available.
    """
    items = labelled_images(request.images, request.labels)
    names = class_names(request.labels, request.names)
    height_bands(request.height_band_edges_px)
    if request.through_pipeline:
        imgsz = request.imgsz or PerceptionRequest.imgsz
        bundle = PerceptionRequest(imgsz=imgsz, device=request.device).load()
        detect: Detect = bundle.faces
        classes: tuple[str, ...] = STATES
        used: Mapping[str, Weights] = bundle.weights
    elif request.as_analyzed:
        imgsz = request.imgsz or PerceptionRequest.imgsz
        weights = resolve(request.weights)
        detector = PersonDetector(weights, Device.choose(request.device), imgsz, MIN_SCORE)
        detect, classes = partial(_at_all_scales, detector, imgsz), ("person",)
        used = {"detection": detector.weights}
    else:
        imgsz = request.imgsz or WHOLE_IMAGE_IMGSZ
        predictor = Detector(resolve(request.weights), Device.choose(request.device), imgsz, MIN_SCORE, None)
        detect, classes = lambda image: predictor([image])[0], predictor.classes
        used = {"detection": predictor.weights}
    with progress_bars("images") as progress:
        accuracy = detection_accuracy(
            *(items, detect, classes, names),
            height_band_edges_px=request.height_band_edges_px,
            resamples=request.resamples,
            seed=request.seed,
            progress=progress,
        )
    shown = {name: bands for name, bands in accuracy.classes.items() if name in shown_classes(accuracy)}
    report = Report(
        question="detection",
        settings={
            "images": str(request.images),
            "labels": str(request.labels),
            "names": list(names),
            "weights": None if request.through_pipeline else request.weights,
            "through_pipeline": request.through_pipeline,
            "as_analyzed": request.as_analyzed,
            "imgsz": imgsz,
            "bands": list(request.height_band_edges_px),
            "device": request.device,
        },
        weights=used,
        seed=request.seed,
        resamples=request.resamples,
        unit="image",
        units=accuracy.images,
        counts={
            "images": accuracy.images,
            "objects": {
                name: {band: item.objects for band, item in bands.items()} for name, bands in shown.items()
            },
        },
        figures={
            name: {band: {"map50": item.ap50, "map50_95": item.ap50_95} for band, item in bands.items()}
            for name, bands in shown.items()
        },
        notes=tuple(
            f"the weights do not know the class {name}: it is left out" for name in accuracy.unknown_classes
        ),
    )
    return DetectionEvaluation(accuracy, report)


def _at_all_scales(detector: PersonDetector, imgsz: int, image: Image) -> npt.NDArray[np.float32]:
    scales = full_frame_scales((image.shape[1], image.shape[0]), imgsz)
    rows, _ = detector.planned(image, DetectionPlan(scales=scales))
    return np.column_stack([rows, np.zeros(len(rows), np.float32)])


def shown_classes(accuracy: DetectionAccuracy) -> list[str]:
    """The classes to show: the mean over the classes only if there are several."""
    names = list(accuracy.classes)
    return names[:1] if len(names) == 2 else names


def height_bands(edges: Sequence[float]) -> dict[str, tuple[float, float] | None]:
    """Names and limits (from, to below; px) of the bands between edges, after `ALL`, which has no limits.

    Raises:
        TruthError: the edges do not increase from above 0.
    """
    limits = [0.0, *edges, np.inf]
    if any(low >= high for low, high in pairwise(limits)):
        given = ",".join(f"{v:g}" for v in edges)
        raise TruthError(f"expected heights in px that increase from above 0, got {given}")
    names = [f"< {edges[0]:g} px"] if edges else []
    names += [f"{low:g} to {high:g} px" for low, high in pairwise(edges)]
    names += [f">= {edges[-1]:g} px"] if edges else []
    return {ALL: None, **(dict(zip(names, pairwise(limits), strict=True)) if edges else {})}


def detection_accuracy(
    items: Sequence[Labelled],
    detect: Detect,
    classes: Sequence[str],
    names: Sequence[str],
    *,
    height_band_edges_px: Sequence[float] = HEIGHT_BAND_EDGES_PX,
    resamples: int,
    seed: int,
    progress: Progress = lambda *_: None,
) -> DetectionAccuracy:
    """Compare detections in labelled images with the labels.

    Args:
        items: the images with their labels.
        detect: the detector.
        classes: names of the detector's classes, by index.
        names: names of the label classes, by index.
        height_band_edges_px: see `height_bands`.
        resamples: bootstrap resamples.
        seed: of the bootstrap.
        progress: see `Progress`; it counts images.

    Raises:
        TruthError: an image or label cannot be read, no class is common to both, or no object is labelled.
    """
    common = [name for name in names if name in classes]
    if not common:
        raise TruthError(
            f"expected labels of a class that the detector knows ({', '.join(classes)}), "
            f"got {', '.join(names)}: --names gives the names of the label classes"
        )
    bands = height_bands(height_band_edges_px)
    matches: dict[tuple[str, str], list[ImageMatches]] = {(n, band): [] for n in common for band in bands}
    for detections, truth in _detections_and_truth(items, detect, len(names), progress):
        for name in common:
            of_class = detections[detections[:, 5] == classes.index(name)][:, :5]
            true = truth[truth[:, 4] == names.index(name)][:, :4]
            for band, limits in bands.items():
                matches[name, band].append(match_image(of_class, true, limits))
    if not any(image.truths for name in common for image in matches[name, ALL]):
        raise TruthError(f"expected labels of {', '.join(common)} in {len(items)} images, got none")
    counts = resample_counts(len(items), resamples, seed)
    by_class = _by_class_and_band(matches, common, list(bands), counts)
    return DetectionAccuracy(len(items), tuple(name for name in names if name not in classes), by_class)


def _detections_and_truth(
    items: Sequence[Labelled], detect: Detect, classes: int, progress: Progress
) -> Iterator[tuple[Floats, Floats]]:
    """Per image: detections (D, 6) with score and class, and true boxes (G, 5) with class."""
    for number, item in enumerate(items):
        image = cv2.imread(str(item.path), cv2.IMREAD_COLOR)
        if image is None:
            raise TruthError(f"{item.path}: expected an image, got one that cannot be read")
        truth = read_label(item.label, image.shape[1], image.shape[0], classes)
        yield detect(np.asarray(image, dtype=np.uint8)).astype(np.float64).reshape(-1, 6), truth
        progress(number + 1, len(items))


def _by_class_and_band(
    matches: Mapping[tuple[str, str], Sequence[ImageMatches]],
    classes: Sequence[str],
    bands: Sequence[str],
    counts: npt.NDArray[np.int64],
) -> dict[str, dict[str, AveragePrecision]]:
    result: dict[str, dict[str, AveragePrecision]] = {name: {} for name in (*classes, MEAN)}
    for band in bands:
        pools = [PooledMatches(matches[name, band]) for name in classes]
        values = np.array([pool.average_precision() for pool in pools])
        resampled = np.array([[pool.average_precision(weights) for pool in pools] for weights in counts])
        # The units of the bootstrap are the images that show such an object.
        shown = np.array([pool.truths > 0 for pool in pools])
        objects = [int(pool.truths.sum()) for pool in pools]
        for c, name in enumerate(classes):
            result[name][band] = _estimates(objects[c], values[c], resampled[:, c], int(shown[c].sum()))
        # A class without objects has no average precision: the mean is over the others.
        result[MEAN][band] = _estimates(
            sum(objects),
            _mean_of_defined(values, axis=0),
            _mean_of_defined(resampled, axis=1),
            int(shown.any(axis=0).sum()),
        )
    return result


def _estimates(objects: int, value: Floats, resampled: Floats, units: int) -> AveragePrecision:
    return AveragePrecision(
        objects,
        bootstrap_estimate(float(value[0]), resampled[:, 0], units),
        bootstrap_estimate(float(value.mean()), resampled.mean(axis=1), units),
    )


def _mean_of_defined(values: Floats, axis: int) -> Floats:
    defined = ~np.isnan(values)
    count = defined.sum(axis=axis)
    total = np.where(defined, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
