"""The face crops that the mask classifier learns from: where each comes from, in one file.

Four classes: masked, unmasked, incorrect, and none, the back of a head or anything else that a face
detector may take for a face. No test split is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models import datasets
from models.faces.crops import Image, warp

CLASSES = ("masked", "unmasked", "incorrect", "none")
MASKED, UNMASKED, INCORRECT, NONE = range(4)
SIDE = 176
"""px of a stored crop."""
CONTEXT = 2.2
"""Its side over the longer side of the face: room to shift, turn and scale."""
LEAST_FACE_PX = 10

Faces = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Boxes (N, 4) px, scores (N,), landmarks (N, 5, 3): x, y px and confidence."""
FaceTeacher = Callable[[Image, int, float], Faces]
"""Finds faces in an image: (image, px of the longer side, least score)."""
PersonTeacher = Callable[[Image], NDArray[np.float64]]
"""Finds people in an image: boxes (N, 4) px."""


@dataclass
class Crops:
    """N face crops.

    Attributes:
        split: `train` or `val`, (N,).
        source: folder and file, (N,).
        label: index into CLASSES, (N,).
        height: of the face in its image, px, (N,).
        image: (N, SIDE, SIDE, 3) BGR uint8.
        box: face in the crop, px, (N, 4).
        landmarks: in the crop, px, with confidence, (N, 5, 3); confidence -1 where none were found.
    """

    split: NDArray[np.str_]
    source: NDArray[np.str_]
    label: NDArray[np.int64]
    height: NDArray[np.float64]
    image: NDArray[np.uint8]
    box: NDArray[np.float64]
    landmarks: NDArray[np.float64]

    def save(self, path: Path) -> None:
        """Write to an .npz file, whole or not at all."""
        temporary = path.with_suffix(".tmp.npz")
        np.savez(temporary, **self.__dict__)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Crops:
        """Read what `save` wrote."""
        with np.load(path) as stored:
            return cls(**{name: stored[name] for name in stored.files})


@dataclass
class _Gatherer:
    rows: list[tuple[str, str, int, float, Image, NDArray[np.float64], NDArray[np.float64]]] = field(
        default_factory=list
    )

    def add(
        self,
        split: str,
        source: str,
        image: Image,
        box: NDArray[np.float64],
        label: int,
        landmarks: NDArray[np.float64] | None = None,
    ) -> None:
        centre = (box[:2] + box[2:]) / 2
        across = CONTEXT * float(max(box[2:] - box[:2]))
        scale, origin = SIDE / across, centre - across / 2
        inside = ((box.reshape(2, 2) - origin) * scale).reshape(4)
        marks = np.full((5, 3), -1.0)
        if landmarks is not None:
            marks[:, :2] = (landmarks[:, :2] - origin) * scale
            marks[:, 2] = landmarks[:, 2]
        crop = warp(image, centre, across, SIDE)
        self.rows.append((split, source, label, float(box[3] - box[1]), crop, inside, marks))

    def crops(self) -> Crops:
        split, source, label, height, image, box, marks = zip(*self.rows, strict=True)
        return Crops(
            np.array(split),
            np.array(source),
            np.array(label),
            np.array(height),
            np.stack(image),
            np.stack(box),
            np.stack(marks),
        )


def gather(sources: datasets.Sources, faces: FaceTeacher, people: PersonTeacher) -> Crops:
    """Collect the crops of all sources.

    Labelled faces (face_mask, mask_crops) get landmarks from the face teacher where it finds the same
    face (IoU > 0.4). Photographs of people without masks (COCO, PennFudan) give unmasked faces that the
    teacher is sure of (score > 0.55). Heads of people around which the teacher finds no face at all,
    not even a doubtful one, are `none`.
    """
    out = _Gatherer()
    data = sources.data
    for split in ("train", "val"):
        for name, image, boxes in datasets.labelled(data / "face_mask", split):
            found = faces(image, 640, 0.25)
            for row in boxes:
                if row[4] - row[2] >= LEAST_FACE_PX:
                    marks = _same(found, row[1:])
                    out.add(split, f"face_mask/{name}", image, row[1:], int(row[0]), marks)
    for folder, label in (("with_mask", MASKED), ("without_mask", UNMASKED)):
        for path in sorted((data / "mask_crops" / folder).iterdir()):
            _single_face(out, path, label, faces)
    for source in datasets.PEOPLE:
        bare = source in ("coco128", "pennfudan")
        for name, image, _ in datasets.labelled(data / source):
            found = faces(image, 960 if max(image.shape) > 900 else 640, 0.1)
            if bare:
                for box, score, marks in zip(*found, strict=True):
                    if score > 0.55 and box[3] - box[1] >= 12:
                        out.add("train", f"{source}/{name}", image, box, UNMASKED, marks)
            for head in _turned_heads(people(image), found[0]):
                out.add("train", f"{source}/{name}", image, head, NONE)
    return out.crops()


def _same(found: Faces, box: NDArray[np.float64]) -> NDArray[np.float64] | None:
    if not len(found[0]):
        return None
    overlap = datasets.iou(found[0], box)
    best = int(overlap.argmax())
    return found[2][best] if overlap[best] > 0.4 else None


def _single_face(out: _Gatherer, path: Path, label: int, faces: FaceTeacher) -> None:
    image = datasets.read_image(path)
    border = 32
    framed = np.asarray(cv2.copyMakeBorder(image, *(border,) * 4, cv2.BORDER_REPLICATE), np.uint8)
    boxes, _, marks = faces(framed, 224, 0.25)
    source = f"mask_crops/{path.name}"
    if len(boxes):
        out.add("train", source, framed, boxes[0], label, marks[0])
        return
    height, width = image.shape[:2]
    usual = np.array([0.1 * width, 0.08 * height, 0.9 * width, 0.95 * height]) + border
    out.add("train", source, framed, usual, label)


def _turned_heads(people: NDArray[np.float64], faces: NDArray[np.float64]) -> Iterable[NDArray[np.float64]]:
    """Where the heads of people are near whom no face was found (boxes of heads, px)."""
    for x1, y1, x2, y2 in people:
        width, height = x2 - x1, y2 - y1
        head = min(width * 0.8, height / 6.5) if height > 2 * width else width * 0.45
        if height < 60 or y1 < 2 or head < 14:
            continue
        middle = (x1 + x2) / 2
        box = np.array([middle - head * 0.42, y1, middle + head * 0.42, y1 + head * 1.1])
        apart = (faces[:, :2] >= box[2:] + head) | (faces[:, 2:] <= box[:2] - head)
        if bool(apart.any(axis=1).all()):
            yield box
