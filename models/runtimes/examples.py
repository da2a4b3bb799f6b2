"""Labelled pictures: what an export is held against, and what calibrates it if no footage is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from models import datasets
from models.errors import ModelError
from models.faces.crops import square
from models.faces.evaluation import LEAST_PX
from models.runtimes.calibration import IMAGES
from models.runtimes.network import Image


@dataclass(frozen=True)
class Example:
    """A picture (H x W x 3 BGR) and its truth: rows of class, x1, y1, x2, y2 (px), or the class of a crop."""

    image: Image
    truth: datasets.Boxes | int


@dataclass(frozen=True)
class Examples:
    """A set of labelled pictures.

    Attributes:
        text: what it is, for records.
        read: opens it anew, example by example.
        folder: where the user's own lie; None for the held-out images of a recipe.
    """

    text: str
    read: Callable[[], Iterator[Example]]
    folder: Path | None = None


def held_out(name: str, root: Path) -> Examples:
    """The images that the recipe of our weights `name` holds out of training, below `root`.

    Raises:
        ModelError: there is no such recipe, or its data is missing.
    """
    sources = datasets.Sources.under(root)
    if name not in _HELD_OUT:
        raise ModelError(
            f"expected --images with labelled images of your own for {name!r}: --data holds some for "
            f"{' and '.join(sorted(_HELD_OUT))} alone"
        )
    text, pictures = _HELD_OUT[name]
    return Examples(text, lambda: iter(pictures(sources)))


def training(name: str, root: Path, count: int) -> list[Image]:
    """At most `count` images, evenly spread, of those that the recipe of our weights `name` trains on.

    Raises:
        ModelError: there is no such recipe, or its data is missing.
    """
    sources = datasets.Sources.under(root)
    if name not in _TRAINING:
        raise ModelError(f"expected --calibration with footage for {name!r}: --data holds none for it")
    every = _TRAINING[name](sources)
    total = sum(1 for _ in _TRAINING[name](sources))
    step = max(1, total // count)
    return [example.image for example in islice(every, 0, step * count, step)]


def own(images: Path, labels: Path | None, classes: tuple[str, ...], task: str) -> Examples:
    """A user's labelled images.

    For a detector `images` is a folder of pictures and `labels` one of YOLO text files (class cx cy w h,
    shares of the picture) of the same names; a picture without a file shows none. For a classifier
    `images` has a folder of pictures per class, named as the class.

    Raises:
        ModelError: a folder is missing or empty, or has other classes.
    """
    if not images.is_dir():
        raise ModelError(f"expected a folder of labelled images, got {images}")
    if task == "classify":
        missing = [name for name in classes if not (images / name).is_dir()]
        if missing:
            raise ModelError(
                f"expected a folder of pictures per class in {images}, found none for {missing[0]}"
            )
        return Examples(images.name, lambda: _by_folder(images, classes), images)
    if labels is None or not labels.is_dir():
        raise ModelError(f"expected --labels, a folder of YOLO text files for {images}, got {labels}")
    if not any(labels.rglob("*.txt")):
        raise ModelError(f"expected YOLO text files in {labels}, found none")
    return Examples(images.name, lambda: _by_file(images, labels, len(classes)), images)


Pictures = Callable[[datasets.Sources], Iterable[Example]]


def _people(wanted: Callable[[int], bool]) -> Pictures:
    return lambda sources: (
        Example(image, truth) for _, n, _, image, truth in datasets.people(sources) if wanted(n)
    )


def _head_regions(split: str) -> Pictures:
    """What the face finder is shown: what is around each face, here cut by the label, with all its faces."""

    def pictures(sources: datasets.Sources) -> Iterator[Example]:
        for image, boxes in _faces(sources, split):
            height, width = image.shape[:2]
            for box in boxes:
                middle, half = (box[:2] + box[2:]) / 2, 1.2 * max(box[2:] - box[:2])
                x1, y1 = (int(max(0, v)) for v in middle - half)
                x2, y2 = (int(v) for v in np.minimum(middle + half, [width, height]))
                low, high = np.maximum(boxes[:, :2], [x1, y1]), np.minimum(boxes[:, 2:], [x2, y2])
                share = np.prod(np.clip(high - low, 0, None), axis=1) / np.prod(
                    boxes[:, 2:] - boxes[:, :2], axis=1
                )
                seen = np.hstack([low, high])[share >= 0.5] - [x1, y1, x1, y1]
                yield Example(image[y1:y2, x1:x2], np.column_stack([np.zeros(len(seen)), seen]))

    return pictures


def _face_crops(split: str) -> Pictures:
    """What the mask classifier is shown: the square around each face."""

    def pictures(sources: datasets.Sources) -> Iterator[Example]:
        for _, image, rows in datasets.labelled(sources.data / "face_mask", split):
            for row in rows[rows[:, 4] - rows[:, 2] >= LEAST_PX]:
                yield Example(square(image, row[1:], CROP), int(row[0]))

    return pictures


def _faces(sources: datasets.Sources, split: str) -> Iterator[tuple[Image, datasets.Boxes]]:
    for _, image, rows in datasets.labelled(sources.data / "face_mask", split):
        yield image, rows[rows[:, 4] - rows[:, 2] >= LEAST_PX, 1:]


CROP = 96
"""px of a crop for the mask classifier before it is brought to the size asked for."""
_HELD_OUT: dict[str, tuple[str, Pictures]] = {
    "person": ("person, held-out eighths", _people(lambda number: number % datasets.HELD_OUT == 0)),
    "face": ("face_mask/test, around each face", _head_regions("test")),
    "mask": ("face_mask/test, labelled faces", _face_crops("test")),
}
_TRAINING: dict[str, Pictures] = {
    "person": _people(lambda number: number % datasets.HELD_OUT != 0),
    "face": _head_regions("train"),
    "mask": _face_crops("train"),
}


def _by_file(images: Path, labels: Path, classes: int) -> Iterator[Example]:
    for path in sorted(p for p in images.rglob("*") if p.suffix.lower() in IMAGES):
        image = datasets.read_image(path)
        file = (labels / path.relative_to(images)).with_suffix(".txt")
        try:
            truth = datasets.read_labels(file, image.shape[1], image.shape[0])
        except ValueError as error:
            raise ModelError(f"{file}: expected lines of class cx cy w h, got {error}") from error
        if len(truth) and not 0 <= truth[:, 0].min() <= truth[:, 0].max() < classes:
            raise ModelError(f"{file}: expected classes from 0 to {classes - 1}, got {truth[:, 0].max():g}")
        yield Example(image, truth)


def _by_folder(images: Path, classes: tuple[str, ...]) -> Iterator[Example]:
    for index, name in enumerate(classes):
        for path in sorted(p for p in (images / name).rglob("*") if p.suffix.lower() in IMAGES):
            yield Example(np.asarray(datasets.read_image(path)), index)
