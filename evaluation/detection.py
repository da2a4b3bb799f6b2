"""How well objects are found in labelled images: mAP50 and mAP50-95, by class and by size.

Sizes are heights in px of the full image, as the mask rule counts them: a face under 20 px is never
assessed, one from 32 px is by default, so the bands are < 20, 20 to 32, 32 to 64, and from 64 px on.
Images are drawn anew for the intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from evaluation.bootstrap import draws, figure
from evaluation.formats import Labelled, TruthError, read_label
from evaluation.precision import Floats, Matched, Pool, match_image
from incidents.intervals import Estimate

Image = npt.NDArray[np.uint8]
Detect = Callable[[Image], npt.NDArray[np.float32]]
"""Looks at an image (H x W x 3 BGR) and returns rows of x1, y1, x2, y2 (px), score, class (index)."""
Progress = Callable[[int, int], None]
"""Told, as images are looked at: how many are done, and of how many."""

BAND_EDGES = (20.0, 32.0, 64.0)
ALL = "all"
MEAN = "mean"
LOWEST_SCORE = 0.001
"""Detections from this score on are asked for, as ultralytics' own validation does."""


@dataclass(frozen=True)
class Cell:
    """Average precision of one class in one band of sizes; see `average_precision`.

    Attributes:
        objects: true ones.
        ap50: at IoU 0.5; ap50_95: mean over IoU 0.50, 0.55 ... 0.95.
    """

    objects: int
    ap50: Estimate
    ap50_95: Estimate


@dataclass(frozen=True)
class DetectionFigures:
    """Average precision by class (and `MEAN`, the mean over the classes) and band (first `ALL`).

    Attributes:
        images: how many.
        unknown: classes of the labels that the detector does not have, left out.
        cells: class -> band -> figures.
    """

    images: int
    unknown: tuple[str, ...]
    cells: Mapping[str, Mapping[str, Cell]]


def bands(edges: Sequence[float]) -> dict[str, tuple[float, float] | None]:
    """Names and limits (from, to below; px) of the bands between edges, with `ALL` before them.

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


def measure(
    items: Sequence[Labelled],
    detect: Detect,
    classes: Sequence[str],
    names: Sequence[str],
    *,
    edges: Sequence[float] = BAND_EDGES,
    resamples: int,
    seed: int,
    progress: Progress = lambda *_: None,
) -> DetectionFigures:
    """Measure a detector on labelled images.

    Args:
        items: the images.
        detect: the detector.
        classes: the names of its classes, by index.
        names: the names of the classes of the labels, by index.
        edges: see `bands`.
        resamples: draws for the intervals.
        seed: of the draws.
        progress: see `Progress`.

    Raises:
        TruthError: an image or label cannot be read, no class is common to both, or no object is labelled.
    """
    common = [name for name in names if name in classes]
    if not common:
        raise TruthError(
            f"expected labels of a class that the detector knows ({', '.join(classes)}), "
            f"got {', '.join(names)}: say with --names which is which"
        )
    groups = bands(edges)
    matched: dict[tuple[str, str], list[Matched]] = {(n, band): [] for n in common for band in groups}
    for found, truth in _looks(items, detect, len(names), progress):
        for name in common:
            here = found[found[:, 5] == classes.index(name)][:, :5]
            true = truth[truth[:, 4] == names.index(name)][:, :4]
            for band, limits in groups.items():
                matched[name, band].append(match_image(here, true, limits))
    if not any(image.truths for name in common for image in matched[name, ALL]):
        raise TruthError(f"expected labels of {', '.join(common)} in {len(items)} images, got none")
    cells = _cells(matched, common, list(groups), draws(len(items), resamples, seed))
    return DetectionFigures(len(items), tuple(name for name in names if name not in classes), cells)


def _looks(
    items: Sequence[Labelled], detect: Detect, classes: int, progress: Progress
) -> Iterator[tuple[Floats, Floats]]:
    for number, item in enumerate(items):
        image = cv2.imread(str(item.path), cv2.IMREAD_COLOR)
        if image is None:
            raise TruthError(f"{item.path}: expected an image, got one that cannot be read")
        truth = read_label(item.label, image.shape[1], image.shape[0], classes)
        yield detect(np.asarray(image, dtype=np.uint8)).astype(np.float64).reshape(-1, 6), truth
        progress(number + 1, len(items))


def _cells(
    matched: Mapping[tuple[str, str], Sequence[Matched]],
    classes: Sequence[str],
    groups: Sequence[str],
    drawn: npt.NDArray[np.int64],
) -> dict[str, dict[str, Cell]]:
    result: dict[str, dict[str, Cell]] = {name: {} for name in (*classes, MEAN)}
    for band in groups:
        pools = {name: Pool(matched[name, band]) for name in classes}
        values = np.array([pool.average_precision() for pool in pools.values()])
        resampled = np.array([[p.average_precision(weights) for p in pools.values()] for weights in drawn])
        # Images that show none of it cannot tell how well it is found.
        shown = np.array([pool.truths > 0 for pool in pools.values()])
        objects = [int(pool.truths.sum()) for pool in pools.values()]
        for c, name in enumerate(classes):
            result[name][band] = _cell(objects[c], values[c], resampled[:, c], int(shown[c].sum()))
        # A class without objects has no average precision: the mean is over the others.
        result[MEAN][band] = _cell(
            sum(objects), _mean(values, axis=0), _mean(resampled, axis=1), int(shown.any(axis=0).sum())
        )
    return result


def _cell(objects: int, value: Floats, resampled: Floats, units: int) -> Cell:
    return Cell(
        objects,
        figure(float(value[0]), resampled[:, 0], units),
        figure(float(value.mean()), resampled.mean(axis=1), units),
    )


def _mean(values: Floats, axis: int) -> Floats:
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
