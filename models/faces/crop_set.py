"""The set of face crops that the mask classifier is trained on, collected from all sources.

Four classes: masked, unmasked, incorrect, and none (the back of a head, or anything else that a face detector
may take for a face). No test split is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from models import datasets
from models.faces.crops import warp
from models.images import Image, read_image
from models.teachers import Faces, FaceTeacher, PersonTeacher

CLASSES = ("masked", "unmasked", "incorrect", "none")
MASKED, UNMASKED, INCORRECT, NONE = range(4)
STORED_SIDE_PX = 176
"""Side of a stored crop."""
STORED_CONTEXT = 2.2
"""Side of a stored crop over the longer side of the face; leaves room to shift, turn and scale."""
MIN_FACE_PX = 10
"""Lower labelled faces are left out."""
SAME_FACE_IOU = 0.4
"""From this IoU on two boxes are of the same face."""


@dataclass
class Crops:
    """N face crops.

    Attributes:
        split: `train` or `val`, (N,).
        source: folder and file, (N,).
        label: index into CLASSES, (N,).
        height: of the face in its image, px, (N,).
        image: (N, STORED_SIDE_PX, STORED_SIDE_PX, 3) BGR uint8.
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
        """Read a file written by `save`."""
        with np.load(path) as stored:
            return cls(**{name: stored[name] for name in stored.files})


@dataclass
class _Collector:
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
        across = STORED_CONTEXT * float(max(box[2:] - box[:2]))
        scale, origin = STORED_SIDE_PX / across, centre - across / 2
        inside = ((box.reshape(2, 2) - origin) * scale).reshape(4)
        marks = np.full((5, 3), -1.0)
        if landmarks is not None:
            marks[:, :2] = (landmarks[:, :2] - origin) * scale
            marks[:, 2] = landmarks[:, 2]
        crop = warp(image, centre, across, STORED_SIDE_PX)
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


def collect(sources: datasets.Sources, faces: FaceTeacher, people: PersonTeacher) -> Crops:
    """Collect the crops of all sources.

    Labelled faces (face_mask, mask_crops) get landmarks from the face teacher where it finds the same
    face (IoU > SAME_FACE_IOU). Photographs of people without masks (COCO, PennFudan) give unmasked faces,
    where the teacher's score is above 0.55. Heads of people around which the teacher finds no face of any
    score are `none`.
    """
    out = _Collector()
    data = sources.data
    for split in ("train", "val"):
        for name, image, boxes in datasets.labelled(data / "face_mask", split):
            found = faces(image, 640, 0.25)
            for row in boxes:
                if row[4] - row[2] >= MIN_FACE_PX:
                    marks = _same(found, row[1:])
                    out.add(split, f"face_mask/{name}", image, row[1:], int(row[0]), marks)
    for folder, label in (("with_mask", MASKED), ("without_mask", UNMASKED)):
        for path in sorted((data / "mask_crops" / folder).iterdir()):
            _single_face(out, path, label, faces)
    for source in datasets.PERSON_SOURCES:
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
    overlap = sv.box_iou_batch(found[0], box[None])[:, 0]
    best = int(overlap.argmax())
    return found[2][best] if overlap[best] > SAME_FACE_IOU else None


def _single_face(out: _Collector, path: Path, label: int, faces: FaceTeacher) -> None:
    image = read_image(path)
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
    """Boxes (px) of the heads of people near whom no face was found."""
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
