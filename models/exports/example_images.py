"""Images for exports: labelled ones to verify them with, and frames to calibrate INT8 with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np

from models import datasets
from models.errors import ModelError
from models.faces.crops import MIN_FACE_PX, square
from models.images import IMAGE_SUFFIXES, Image, read_image

VIDEO_SUFFIXES = {".mp4", ".avi", ".mkv", ".mov", ".ts", ".m4v", ".webm"}
MASK_CROP_PX = 96
"""Side of a crop for the mask classifier, before it is brought to the size at which the export runs."""
HEAD_REGION_FACES = 1.2
"""Half the side of a head region cut around a labelled face, over the longer side of the face."""
MIN_VISIBLE_SHARE = 0.5
"""A face counts as in a region from this share of its area on."""


@dataclass(frozen=True)
class Example:
    """An image and its truth: rows of class, x1, y1, x2, y2 (px), or the class of a crop."""

    image: Image
    truth: datasets.Boxes | int


@dataclass(frozen=True)
class Examples:
    """A set of labelled images.

    Attributes:
        text: what it is, for records.
        read: reads it from the start, example by example.
        folder: the user's own folder; None for the held-out images of a recipe.
    """

    text: str
    read: Callable[[], Iterator[Example]]
    folder: Path | None = None


def held_out(name: str, root: Path) -> Examples:
    """The images below `root` that the recipe of our weights `name` holds out of training.

    Raises:
        ModelError: there is no such recipe, or its data is missing.
    """
    sources = datasets.Sources.under(root)
    if name not in _HELD_OUT:
        raise ModelError(
            f"expected --images with labelled images of your own for {name!r}: --data has held-out images "
            f"for {', '.join(sorted(_HELD_OUT))} only"
        )
    text, read = _HELD_OUT[name]
    return Examples(text, lambda: iter(read(sources)))


def training_images(name: str, root: Path, count: int) -> list[Image]:
    """At most `count` images, evenly spread, of those that the recipe of our weights `name` trains on.

    Raises:
        ModelError: there is no such recipe, or its data is missing.
    """
    sources = datasets.Sources.under(root)
    if name not in _TRAINING:
        raise ModelError(f"expected --calibration with footage for {name!r}: --data has none for it")
    total = sum(1 for _ in _TRAINING[name](sources))
    step = max(1, total // count)
    return [example.image for example in islice(_TRAINING[name](sources), 0, step * count, step)]


def own_images(images: Path, labels: Path | None, classes: tuple[str, ...], task: str) -> Examples:
    """A user's labelled images.

    For a detector `images` is a folder of images and `labels` one of YOLO text files (class cx cy w h, as
    shares of the image) of the same names; an image without a file has no objects. For a classifier
    `images` has a folder of images per class, named as the class.

    Raises:
        ModelError: a folder is missing or empty, or has other classes.
    """
    if not images.is_dir():
        raise ModelError(f"expected a folder of labelled images, got {images}")
    if task == "classify":
        missing = [name for name in classes if not (images / name).is_dir()]
        if missing:
            raise ModelError(
                f"expected a folder of images per class in {images}, found none for {missing[0]}"
            )
        return Examples(images.name, lambda: _by_folder(images, classes), images)
    if labels is None or not labels.is_dir():
        raise ModelError(f"expected --labels, a folder of YOLO text files for {images}, got {labels}")
    if not any(labels.rglob("*.txt")):
        raise ModelError(f"expected YOLO text files in {labels}, found none")
    return Examples(images.name, lambda: _by_file(images, labels, len(classes)), images)


ReadExamples = Callable[[datasets.Sources], Iterable[Example]]


def _people(wanted: Callable[[int], bool]) -> ReadExamples:
    return lambda sources: (
        Example(image, truth) for _, n, _, image, truth in datasets.person_images(sources) if wanted(n)
    )


def _head_regions(split: str) -> ReadExamples:
    """Regions as the face detector gets them: a square around each labelled face, with all faces in it."""

    def read(sources: datasets.Sources) -> Iterator[Example]:
        for image, boxes in _faces(sources, split):
            height, width = image.shape[:2]
            for box in boxes:
                middle, half = (box[:2] + box[2:]) / 2, HEAD_REGION_FACES * max(box[2:] - box[:2])
                x1, y1 = (int(max(0, v)) for v in middle - half)
                x2, y2 = (int(v) for v in np.minimum(middle + half, [width, height]))
                low, high = np.maximum(boxes[:, :2], [x1, y1]), np.minimum(boxes[:, 2:], [x2, y2])
                share = np.prod(np.clip(high - low, 0, None), axis=1) / np.prod(
                    boxes[:, 2:] - boxes[:, :2], axis=1
                )
                visible = np.hstack([low, high])[share >= MIN_VISIBLE_SHARE] - [x1, y1, x1, y1]
                yield Example(image[y1:y2, x1:x2], np.column_stack([np.zeros(len(visible)), visible]))

    return read


def _face_crops(split: str) -> ReadExamples:
    """Crops as the mask classifier gets them: the square around each face."""

    def read(sources: datasets.Sources) -> Iterator[Example]:
        for _, image, rows in datasets.labelled(sources.data / "face_mask", split):
            for row in rows[rows[:, 4] - rows[:, 2] >= MIN_FACE_PX]:
                yield Example(square(image, row[1:], MASK_CROP_PX), int(row[0]))

    return read


def _faces(sources: datasets.Sources, split: str) -> Iterator[tuple[Image, datasets.Boxes]]:
    for _, image, rows in datasets.labelled(sources.data / "face_mask", split):
        yield image, rows[rows[:, 4] - rows[:, 2] >= MIN_FACE_PX, 1:]


_HELD_OUT: dict[str, tuple[str, ReadExamples]] = {
    "person": ("person, held-out eighths", _people(lambda number: number % datasets.HELD_OUT_EVERY == 0)),
    "face": ("face_mask/test, around each face", _head_regions("test")),
    "mask": ("face_mask/test, labelled faces", _face_crops("test")),
}
_TRAINING: dict[str, ReadExamples] = {
    "person": _people(lambda number: number % datasets.HELD_OUT_EVERY != 0),
    "face": _head_regions("train"),
    "mask": _face_crops("train"),
}


def _by_file(images: Path, labels: Path, classes: int) -> Iterator[Example]:
    for path in sorted(p for p in images.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES):
        image = read_image(path)
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
        for path in sorted(p for p in (images / name).rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES):
            yield Example(read_image(path), index)


def footage_files(sources: Sequence[Path]) -> list[Path]:
    """Every image and video among files and below folders, in the order given, then by name.

    Raises:
        ModelError: a source is missing or of another kind, or there is no image and no video.
    """
    found: list[Path] = []
    wanted = IMAGE_SUFFIXES | VIDEO_SUFFIXES
    for source in sources:
        if source.is_dir():
            found += sorted(p for p in source.rglob("*") if p.suffix.lower() in wanted)
        elif source.is_file() and source.suffix.lower() in wanted:
            found.append(source)
        else:
            raise ModelError(
                f"expected calibration frames in images, videos or folders of them, got {source}"
            )
    if not found:
        listed = ", ".join(map(str, sources)) or "nothing"
        raise ModelError(f"expected calibration frames, found no image and no video in {listed}")
    return found


def sample_footage(sources: Sequence[Path], count: int) -> list[Image]:
    """At most `count` images, evenly spread over the files, and over the length of each video.

    Raises:
        ModelError: a file cannot be read, or contains no image.
    """
    found = footage_files(sources)
    videos = [p for p in found if p.suffix.lower() in VIDEO_SUFFIXES]
    images = [p for p in found if p.suffix.lower() in IMAGE_SUFFIXES]
    if len(images) > count:
        images = [images[int(n)] for n in np.linspace(0, len(images) - 1, count)]
    per_video = max(1, (count - len(images)) // len(videos)) if videos else 0
    frames = [read_image(path) for path in images]
    for path in videos:
        frames += _video_frames(path, per_video)
    return frames[:count]


def with_regions(frames: Sequence[Image], side: int, seed: int = 0) -> list[Image]:
    """The frames, every second one reduced to a square part of it of `side` px, at a random place.

    The pipeline shows a detector whole frames and such regions; INT8 has to be calibrated with both. A frame
    that is no larger stays whole.
    """
    rng = np.random.default_rng(seed)
    shown = []
    for number, frame in enumerate(frames):
        room = np.array(frame.shape[:2]) - side
        if number % 2 and (room > 0).all():
            top, left = (int(v) for v in rng.integers(0, room + 1))
            frame = frame[top : top + side, left : left + side]
        shown.append(frame)
    return shown


def _video_frames(path: Path, count: int) -> Iterator[Image]:
    """Frames at the middles of `count` equal parts of a video; undecodable ones are left out."""
    decoded = 0
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            length_s = float(container.duration or 0) / 1e6
            first_s = float(stream.start_time or 0) * float(stream.time_base or 1)
            for number in range(count):
                wanted_s = first_s + length_s * (number + 0.5) / count
                container.seek(round(wanted_s * 1e6), backward=True)
                for frame in container.decode(stream):
                    if frame.time is None or frame.time >= wanted_s - 0.001:
                        yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
                        decoded += 1
                        break
    except (av.FFmpegError, IndexError) as error:
        raise ModelError(f"{path}: expected a video to take calibration frames from, got {error}") from error
    if not decoded:
        raise ModelError(f"{path}: expected a video to take calibration frames from, no frame can be decoded")
