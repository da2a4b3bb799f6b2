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
    return Examples(text, lambda: (Example(image, truth) for image, truth in pictures(sources)))


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
    return [image for image, _ in islice(every, 0, step * count, step)]


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


Labelled = tuple[Image, datasets.Boxes | int]


def _people(sources: datasets.Sources, wanted: Callable[[int], bool]) -> Iterable[Labelled]:
    return ((image, truth) for _, n, _, image, truth in datasets.people(sources) if wanted(n))


def _faces(sources: datasets.Sources, split: str) -> Iterable[Labelled]:
    for _, image, truth in datasets.labelled(sources.data / "face_mask", split):
        truth[:, 0] = 0
        yield image, truth


def _worn(sources: datasets.Sources, split: str) -> Iterable[Labelled]:
    """Squares around labelled faces, and what is worn."""
    for _, image, truth in datasets.labelled(sources.data / "face_mask", split):
        for row in truth[truth[:, 4] - truth[:, 2] >= LEAST_PX]:
            yield square(image, row[1:], 96), int(row[0])


_HELD_OUT: dict[str, tuple[str, Callable[[datasets.Sources], Iterable[Labelled]]]] = {
    "person": (
        "person, held-out eighths",
        lambda sources: _people(sources, lambda number: number % datasets.HELD_OUT == 0),
    ),
    "face": ("face_mask/test, faces", lambda sources: _faces(sources, "test")),
    "mask": ("face_mask/test, squares around faces", lambda sources: _worn(sources, "test")),
}
_TRAINING: dict[str, Callable[[datasets.Sources], Iterable[Labelled]]] = {
    "person": lambda sources: _people(sources, lambda number: number % datasets.HELD_OUT != 0),
    "face": lambda sources: _faces(sources, "train"),
    "mask": lambda sources: _worn(sources, "train"),
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
