"""The set of head regions that the face detector is trained on, cut as the pipeline cuts them.

YOLO pose layout: `0 cx cy w h` and five points `x y v`, normalised; v is 2 where the point is seen.
"""

from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from models import datasets
from models.faces.crop_set import SAME_FACE_IOU
from models.faces.crops import head_region
from models.faces.degradation import degrade
from models.images import Image
from models.teachers import Faces, FaceTeacher, PersonTeacher

MIN_PERSON_HEIGHT_PX = 50
"""The faces of lower people are too small to be assessed."""
MAX_REGION_PX = 320
"""Longer side of a stored region."""

Labelled = list[tuple[NDArray[np.float64], NDArray[np.float64] | None]]
"""Faces: box (4,) and landmarks (5, 3), or None where no teacher found them."""


def build(
    folder: Path, sources: datasets.Sources, faces: FaceTeacher, people: PersonTeacher, seed: int = 0
) -> Path:
    """Build the set in `folder`; returns its data.yaml. No test split is used.

    Boxes are the human labels where there are any (face_mask), completed by faces of the teacher with a
    score above 0.5, because not every face of a crowd is labelled. Landmarks are the teacher's, found in the
    undegraded image. Most regions are then shrunk to the size of faces in CCTV, and degraded.
    """
    writer = _Writer(folder, seed)
    for split in ("val", "train"):
        for name, image, boxes in datasets.labelled(sources.data / "face_mask", split):
            found = _complete(boxes[:, 1:], faces(image, _size(image), 0.3))
            writer.regions(split, name, image, found, people(image), 3)
            if split == "train" and writer.rng.random() < 0.35:
                writer.add(split, f"{name}_whole", image, found, (0, 0))
    for source in datasets.PERSON_SOURCES:
        for name, image, _ in datasets.labelled(sources.data / source):
            found = _complete(np.zeros((0, 4)), faces(image, _size(image), 0.3))
            writer.regions("train", f"{source}_{name}", image, found, people(image), 2)
    return writer.finish()


def _size(image: Image) -> int:
    return 960 if max(image.shape[:2]) > 900 else 640


def _complete(truth: NDArray[np.float64], taught: Faces) -> Labelled:
    boxes, scores, marks = taught
    out: Labelled = []
    used: set[int] = set()
    overlaps = sv.box_iou_batch(truth, boxes)
    for box, overlap in zip(truth, overlaps, strict=True):
        best = int(overlap.argmax()) if len(overlap) else -1
        if best >= 0 and overlap[best] > SAME_FACE_IOU:
            used.add(best)
            out.append((box, marks[best]))
        else:
            out.append((box, None))
    out += [(boxes[n], marks[n]) for n in range(len(boxes)) if n not in used and scores[n] > 0.5]
    return out


class _Writer:
    def __init__(self, folder: Path, seed: int) -> None:
        self._set = datasets.SetWriter(folder, ["face"])
        self._seed = seed
        self.rng = random.Random(seed)
        self._noise = np.random.default_rng(seed)

    def regions(
        self, split: str, name: str, image: Image, faces: Labelled, people: NDArray[np.float64], most: int
    ) -> None:
        """Add the head regions of at most `most` people."""
        height, width = image.shape[:2]
        tall = people[people[:, 3] - people[:, 1] >= MIN_PERSON_HEIGHT_PX]
        order = list(range(len(tall)))
        self.rng.shuffle(order)
        for number in order[:most]:
            x1, y1, x2, y2 = head_region(tall[number, :4], width, height)
            if min(x2 - x1, y2 - y1) >= 24:
                self.add(split, f"{name}_r{number}", image[y1:y2, x1:x2], faces, (x1, y1))

    def add(self, split: str, name: str, region: Image, faces: Labelled, origin: tuple[int, int]) -> None:
        """Add a region whose top left corner lies at `origin` of the image that the faces are of."""
        height, width = region.shape[:2]
        scale = 1.0
        if split == "train" and self.rng.random() < 0.6:
            largest = max((float(box[3] - box[1]) for box, _ in faces), default=0.4 * max(height, width))
            scale = min(1.0, float(np.exp(self.rng.uniform(np.log(14), np.log(80)))) / largest)
        scale = min(scale, MAX_REGION_PX / max(height, width))
        picture = region
        if scale < 1:
            size = (max(16, round(width * scale)), max(16, round(height * scale)))
            picture = np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_AREA), np.uint8)
        if split == "train" and self.rng.random() < 0.7:
            picture = degrade(picture, self._noise)
        lines = [line for face in faces if (line := _line(face, origin, width, height))]
        self._set.add(split, name, picture, np.zeros((0, 5)))
        (self._set.folder / "labels" / split / f"{name}.txt").write_text("\n".join(lines))

    def finish(self) -> Path:
        """Complete the set."""
        data = self._set.finish({"seed": self._seed, "sources": ["face_mask", *datasets.PERSON_SOURCES]})
        with data.open("a") as file:
            # Mirrored, the left eye is the right one, and so are the corners of the mouth.
            file.write("kpt_shape: [5, 3]\nflip_idx: [1, 0, 2, 4, 3]\n")
        return data


def _line(
    face: tuple[NDArray[np.float64], NDArray[np.float64] | None],
    origin: tuple[int, int],
    width: int,
    height: int,
) -> str | None:
    """The label of a face, or None where less than half of it lies in the region."""
    box, marks = face
    moved = box - np.array([*origin, *origin])
    x1, y1, x2, y2 = np.clip(moved, 0, [width, height, width, height])
    whole = float((moved[2] - moved[0]) * (moved[3] - moved[1]))
    if (x2 - x1) * (y2 - y1) < 0.5 * max(whole, 1e-6):
        return None
    values = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height]
    text = ["0", *(f"{v:.5f}" for v in values)]
    for number in range(5):
        if marks is not None:
            x, y = (marks[number, 0] - origin[0]) / width, (marks[number, 1] - origin[1]) / height
            if marks[number, 2] > 0.5 and 0 < x < 1 and 0 < y < 1:
                text.append(f"{x:.5f} {y:.5f} 2")
                continue
        text.append("0 0 0")
    return " ".join(text)
