"""Training sets, built from folders of public images with labels.

A set is built once into a work folder in YOLO layout (images/SPLIT, labels/SPLIT, data.yaml). The same
sources and seed give the same files. No test split is used.

Labels are text lines `class cx cy w h`, normalised to 0..1.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from models.errors import ModelError
from models.images import Image, read_image

SAME_PERSON_IOU = 0.5
"""From this IoU on a box of the teacher and a human label are of the same person."""
MAX_STORED_PX = 800
"""Longer side of a stored image."""

Boxes = NDArray[np.float64]
"""Rows of (class, x1, y1, x2, y2), pixels."""

Labeller = Callable[[Image], Boxes]


@dataclass(frozen=True)
class Sources:
    """The folders of the public data.

    Attributes:
        data: folder with face_mask/, mask_crops/, pennfudan/, coco128/, ppe_syook/, ppe_rqnu9/.
        weights: folder with the initialisations.
    """

    data: Path
    weights: Path

    @classmethod
    def under(cls, root: Path) -> Sources:
        """The sources below `root`, with `data/` and `weights/` in it.

        Raises:
            ModelError: one of the two is missing.
        """
        for name in ("data", "weights"):
            if not (root / name).is_dir():
                raise ModelError(f"expected a folder {name}/ below {root}, found none")
        return cls(root / "data", root / "weights")


class SetWriter:
    """Writes images and labels of a set; `finish` completes it."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """Begin a set in `folder`, which is emptied, with class `names`."""
        shutil.rmtree(folder, ignore_errors=True)
        self.folder = folder
        self.names = list(names)
        self.counts: dict[str, int] = {}

    def add(self, split: str, name: str, image: Image, boxes: Boxes, quality: int = 95) -> None:
        """Add an image (H x W x 3 BGR) with its boxes to a split."""
        height, width = image.shape[:2]
        for kind in ("images", "labels"):
            (self.folder / kind / split).mkdir(parents=True, exist_ok=True)
        target = self.folder / "images" / split / f"{name}.jpg"
        if not cv2.imwrite(str(target), image, [cv2.IMWRITE_JPEG_QUALITY, quality]):
            raise ModelError(f"cannot write {target}")
        lines = [_label(row, width, height) for row in boxes]
        (self.folder / "labels" / split / f"{name}.txt").write_text("".join(lines))
        self.counts[split] = self.counts.get(split, 0) + 1

    def finish(self, recipe: dict[str, object]) -> Path:
        """Write data.yaml and the record of what the set was built from; returns data.yaml."""
        names = "".join(f"  {i}: {name}\n" for i, name in enumerate(self.names))
        data = self.folder / "data.yaml"
        data.write_text(
            f"path: {self.folder.resolve()}\ntrain: images/train\nval: images/val\nnames:\n{names}"
        )
        (self.folder / "built.json").write_text(json.dumps({**recipe, "images": self.counts}, indent=1))
        return data


def built(folder: Path) -> Path | None:
    """The data.yaml of a set that was built completely, else None."""
    return folder / "data.yaml" if (folder / "built.json").is_file() else None


def read_labels(path: Path, width: int, height: int) -> Boxes:
    """Read YOLO labels as boxes in pixels; a missing file means no objects."""
    if not path.is_file() or not (text := path.read_text().split()):
        return np.zeros((0, 5))
    rows = np.array(text, dtype=np.float64).reshape(-1, 5)
    centre, half = rows[:, 1:3], rows[:, 3:5] / 2
    scale = np.array([width, height, width, height])
    return np.column_stack([rows[:, 0], np.hstack([centre - half, centre + half]) * scale])


def labelled(folder: Path, split: str | None = None) -> Iterable[tuple[str, Image, Boxes]]:
    """Every image of a YOLO folder, in the order of names, with its boxes."""
    images = folder / "images" / split if split else folder / "images"
    labels = folder / "labels" / split if split else folder / "labels"
    for path in sorted(images.rglob("*")):
        if path.suffix.lower() not in {".jpg", ".jpeg", ".png"}:
            continue
        image = read_image(path)
        label = (labels / path.relative_to(images)).with_suffix(".txt")
        yield path.stem, image, read_labels(label, image.shape[1], image.shape[0])


HELD_OUT_EVERY = 8
"""One image in this many of each source of people is held out of training."""


def build_person(folder: Path, sources: Sources, teacher: Labeller, seed: int = 0) -> Path:
    """Build the set of the person detector: human labels, completed by those of the teacher.

    A box of the teacher that overlaps no human label (IoU < SAME_PERSON_IOU) is added; otherwise unlabelled
    people would be trained as background. One image in eight is held out for validation.
    """
    writer = SetWriter(folder, ["person"])
    rng = random.Random(seed)
    for source, number, name, image, truth in person_images(sources):
        both = _complete(truth, teacher(image))
        split = "train" if number % HELD_OUT_EVERY else "val"
        writer.add(split, f"{source}_{name}", _limit(image), _fit(both, image))
    crowd = list(labelled(sources.data / "face_mask", "train"))
    for name, image, _ in rng.sample(crowd, 700):
        writer.add("train", f"face_mask_{name}", image, teacher(image))
    return writer.finish(
        {"seed": seed, "sources": [*PERSON_SOURCES, "face_mask/train (700, teacher's labels)"]}
    )


def build_person_held_out(folder: Path, sources: Sources) -> Path:
    """The held-out images of `build_person` with human labels alone, as the split `val`."""
    writer = SetWriter(folder, ["person"])
    for source, number, name, image, truth in person_images(sources):
        if number % HELD_OUT_EVERY == 0:
            writer.add("val", f"{source}_{name}", image, truth)
    return writer.finish({"sources": list(PERSON_SOURCES)})


PERSON_SOURCES = ("pennfudan", "coco128", "ppe_syook", "ppe_rqnu9")


def person_images(sources: Sources) -> Iterable[tuple[str, int, str, Image, Boxes]]:
    """Every image with human labels of people: source, number in it, name, image, boxes (class 0)."""
    for source in PERSON_SOURCES:
        folder = sources.data / source
        listed = (folder / "classes.txt").is_file()
        index = _class_index(folder, "person") if listed else 0  # COCO and PennFudan: person is class 0
        for number, (name, image, boxes) in enumerate(labelled(folder)):
            truth = boxes[boxes[:, 0] == index]
            truth[:, 0] = 0
            yield source, number, name, image, truth


def _class_index(folder: Path, name: str) -> int:
    names = (folder / "classes.txt").read_text().lower().split("\n")
    if name not in names:
        raise ModelError(f"expected a class {name!r} in {folder / 'classes.txt'}, got {names}")
    return names.index(name)


def _label(row: NDArray[np.float64], width: int, height: int) -> str:
    x1, x2 = np.clip(row[[1, 3]] / width, 0, 1)
    y1, y2 = np.clip(row[[2, 4]] / height, 0, 1)
    return f"{int(row[0])} {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}\n"


def _limit(image: Image, side: int = MAX_STORED_PX) -> Image:
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _fit(boxes: Boxes, image: Image, side: int = MAX_STORED_PX) -> Boxes:
    scale = min(1.0, side / max(image.shape[:2]))
    return np.column_stack([boxes[:, :1], boxes[:, 1:] * scale])


def _complete(truth: Boxes, proposed: Boxes) -> Boxes:
    if not len(truth):
        return proposed
    overlaps = sv.box_iou_batch(truth[:, 1:], proposed[:, 1:]).max(axis=0, initial=0.0)
    return np.vstack([truth, proposed[overlaps < SAME_PERSON_IOU]])
