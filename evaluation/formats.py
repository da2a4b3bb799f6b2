"""Ground truth in the text formats that annotation tools write: MOT tracks and YOLO labels.

MOT text, one box per line, comma-separated: `frame,id,left,top,width,height[,conf[,class[,visibility]]]`;
frames from 1, px. A line with conf 0 or a class other than 1 (a person) is to be ignored: neither it nor
a detection that lies on it counts.

YOLO labels, a text file per image, of its name, one object per line: `class cx cy width height`, the
numbers as shares 0..1 of the image. An image without a file, or with an empty one, shows no object.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vision.sources.images import IMAGE_SUFFIXES, natural_key
from zones.errors import FacilityError, LazarettoError
from zones.loading import read_document
from zones.validation import describe

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MOT_LINE = "frame,id,left,top,width,height"
LABEL_LINE = "class cx cy width height"
PERSON = 1
"""The class of people in MOT text (MOTChallenge)."""
_SLACK = 1e-3
"""Labels are written with a few digits: a box may leave the image by this share."""


class TruthError(LazarettoError):
    """Ground truth that cannot be read: the text says where, what was expected and what came."""


@dataclass(frozen=True)
class Tracks:
    """Boxes of people over the frames of a video, in the order of the file.

    Attributes:
        frame: (N,) from 0.
        track: (N,) whose box it is.
        boxes: (N, 4) x1, y1, x2, y2, px.
        ignored: (N,) neither these nor what is found on them counts.
    """

    frame: Ints
    track: Ints
    boxes: Floats
    ignored: Bools

    def __len__(self) -> int:
        """How many boxes there are."""
        return len(self.frame)


@dataclass(frozen=True)
class Labelled:
    """An image and its true objects.

    Attributes:
        path: the image.
        label: the label file, which may be missing.
    """

    path: Path
    label: Path


def read_mot(path: Path) -> Tracks:
    """Read true tracks in MOT text.

    Raises:
        TruthError: the file cannot be read, holds no boxes, or a line is no MOT text.
    """
    rows: list[tuple[int, int, list[float], bool]] = []
    seen: dict[tuple[int, int], int] = {}
    for number, line in _lines(path):
        values = _numbers(path, number, line.split(","), 6, f"MOT text ({MOT_LINE}, ...)")
        frame, track = (_whole(path, number, name, values[i]) for i, name in enumerate(("frame", "id")))
        if frame < 1:
            raise TruthError(f"{path}: line {number}: frame: expected 1 or more, got {frame}")
        for name, value in zip(("width", "height"), values[4:6], strict=True):
            if value <= 0:
                raise TruthError(f"{path}: line {number}: {name}: expected more than 0 px, got {value:g}")
        if (frame, track) in seen:
            raise TruthError(
                f"{path}: line {number}: expected one box of id {track} in frame {frame}, got a second "
                f"(the first is at line {seen[frame, track]})"
            )
        seen[frame, track] = number
        ignored = (len(values) > 6 and values[6] == 0) or (len(values) > 7 and values[7] not in (PERSON, -1))
        left, top, width, height = values[2:6]
        rows.append((frame - 1, track, [left, top, left + width, top + height], ignored))
    if not rows:
        raise TruthError(f"{path}: expected boxes in MOT text ({MOT_LINE}), got none")
    frames, tracks, boxes, flags = zip(*rows, strict=True)
    return Tracks(
        np.array(frames, np.int64), np.array(tracks, np.int64), np.array(boxes, float), np.array(flags, bool)
    )


def labelled_images(images: Path, labels: Path) -> list[Labelled]:
    """The images of a folder, folders in it included, with the label file of each.

    Raises:
        TruthError: there are no images, or none has a label file (an image without is one that shows
            nothing, a set without any is a mistake).
    """
    for folder in (images, labels):
        if not folder.is_dir():
            raise TruthError(f"{folder}: expected a folder, got {'a file' if folder.exists() else 'none'}")
    found = sorted(
        (p for p in images.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()), key=natural_key
    )
    if not found:
        raise TruthError(f"{images}: expected images, got none")
    items = [Labelled(path, (labels / path.relative_to(images)).with_suffix(".txt")) for path in found]
    if not any(item.label.is_file() for item in items):
        raise TruthError(f"{labels}: expected label files such as {items[0].label.name}, got none")
    return items


def read_label(path: Path, width: int, height: int, classes: int) -> Floats:
    """Read the true objects of an image of `width` x `height` px: rows of x1, y1, x2, y2 (px), class.

    Args:
        path: the label file; none means no objects.
        width: px of the image.
        height: px of the image.
        classes: how many there are; a class at or above is an error.

    Raises:
        TruthError: a line is no label.
    """
    rows = []
    for number, line in _lines(path) if path.exists() else ():
        values = _numbers(path, number, line.split(), 5, f"a label ({LABEL_LINE})")
        if len(values) != 5:
            raise TruthError(
                f"{path}: line {number}: expected 5 numbers ({LABEL_LINE}), got {len(values)}"
                + (" (outlines are not boxes)" if len(values) > 5 else "")
            )
        kind = _whole(path, number, "class", values[0])
        if not 0 <= kind < classes:
            raise TruthError(f"{path}: line {number}: class: expected 0 to {classes - 1}, got {kind}")
        cx, cy, across, tall = values[1:]
        for name, value in (("width", across), ("height", tall)):
            if not 0 < value <= 1 + _SLACK:
                raise TruthError(f"{path}: line {number}: {name}: expected a share 0 to 1, got {value:g}")
        box = [cx - across / 2, cy - tall / 2, cx + across / 2, cy + tall / 2]
        if min(box) < -_SLACK or max(box) > 1 + _SLACK:
            raise TruthError(
                f"{path}: line {number}: expected a box inside the image (shares 0 to 1), "
                f"got {', '.join(f'{v:g}' for v in box)}"
            )
        rows.append([*(v * s for v, s in zip(box, (width, height, width, height), strict=True)), kind])
    return np.array(rows, dtype=np.float64).reshape(-1, 5)


def class_names(labels: Path, given: str | None) -> tuple[str, ...]:
    """The names of the classes of YOLO labels, by index.

    Args:
        labels: the folder of labels. Without names given, a file classes.txt in it or in one of the two
            folders above tells them.
        given: the names, separated by commas; or a file: classes.txt with one a line, or data.yaml.

    Raises:
        TruthError: there are no names, or one twice.
    """
    if given is None:
        above = (labels, labels.parent, labels.parent.parent)
        given = next((str(f / "classes.txt") for f in above if (f / "classes.txt").is_file()), None)
        if given is None:
            raise TruthError(
                f"{labels}: expected the names of the classes in a file classes.txt, or as --names, got none"
            )
    if given.endswith((".yaml", ".yml")):
        names = _yaml_names(Path(given))
    elif given.endswith(".txt"):
        names = [line for _, line in _lines(Path(given))]
    else:
        names = [name.strip() for name in given.split(",")]
    if not names or not all(names):
        raise TruthError(f"expected names of classes, got {given!r}")
    if twice := next((name for i, name in enumerate(names) if name in names[:i]), None):
        raise TruthError(f"expected the name of each class once, got {twice!r} twice in {given!r}")
    return tuple(names)


def _yaml_names(path: Path) -> list[str]:
    """`names` of a data.yaml: a list, or a mapping from 0, 1, ... to names."""
    text = "\n".join(line for _, line in _raw_lines(path))
    try:
        names = read_document(text, str(path)).data.get("names")
    except FacilityError as error:
        raise TruthError(str(error)) from None
    if isinstance(names, dict) and set(names) == {str(i) for i in range(len(names))}:
        return [str(names[str(i)]) for i in range(len(names))]
    if isinstance(names, list):
        return [str(name) for name in names]
    raise TruthError(f"{path}: names: expected a list, or a mapping from 0, 1, ..., got {describe(names)}")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, stripped, with their numbers from 1."""
    return ((number, line.strip()) for number, line in _raw_lines(path) if line.strip())


def _raw_lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TruthError(f"{path}: expected a text file, got: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise TruthError(f"{path}: expected a text file in UTF-8, got other bytes") from error
    return enumerate(text.splitlines(), start=1)


def _numbers(path: Path, number: int, parts: Sequence[str], least: int, what: str) -> list[float]:
    values = []
    # Tools end lines with the separator.
    parts = parts[:-1] if len(parts) > least and not parts[-1].strip() else parts
    if len(parts) < least:
        raise TruthError(f"{path}: line {number}: expected {what}, got {len(parts)} values")
    for part in parts:
        try:
            value = float(part)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise TruthError(f"{path}: line {number}: expected {what}, got {part.strip()[:40]!r}")
        values.append(value)
    return values


def _whole(path: Path, number: int, name: str, value: float) -> int:
    if value != int(value):
        raise TruthError(f"{path}: line {number}: {name}: expected a whole number, got {value:g}")
    return int(value)
