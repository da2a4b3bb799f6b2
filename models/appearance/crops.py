"""What the appearance network learns from: people cut from public images, and what a teacher says of them.

Images of one person at two moments would be ideal; without such data, a published re-identification
network (the teacher) supplies what it learned from them, and we supply the cameras: every crop is
degraded at random while the student must still say what the teacher says of the clean one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models import datasets
from models.errors import ModelError

TEACHER = "person-reidentification-retail-0287.xml"
FINDER = "yolo11n_deq.pt"
"""Finds people in images without labels of people."""
KEPT = (192, 96)
"""Height and width, px, at which crops are kept; they show SURROUND of the box beyond each of its sides."""
SURROUND = 0.15
LEAST_HEIGHT = 64
"""px: what is smaller in the source shows too little cloth to teach."""
UNLABELLED = 500
"""Images of the face_mask train split in which people are found by the detector."""
COLOURS = 3
"""Each crop is learned in so many colourings, the first its own: other clothes on the same person, so
that neither the person's outline nor the background can stand in for what is worn."""

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class CropSet:
    """Crops of people.

    Attributes:
        crops: (N, *KEPT, 3) BGR.
        source: (N,) number of the image that a crop was cut from.
        held_out: (N,) not learned from.
        hues: (N, COLOURS, 3) shift of hue (degrees), factors of saturation and value.
    """

    crops: Image
    source: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    hues: NDArray[np.float32]

    def coloured(self, number: int, colouring: int) -> Image:
        """A crop in one of its colourings."""
        return recolour(self.crops[number], self.hues[number, colouring])


def gather(sources: datasets.Sources, seed: int = 0) -> CropSet:
    """Cut people from the images.

    Raises:
        ModelError: data or the detector is missing.
    """
    crops, source, held_out = [], [], []
    for number, (image, boxes, kept_apart) in enumerate(_people(sources, seed)):
        for box in boxes:
            crops.append(surround(image, box))
            source.append(number)
            held_out.append(kept_apart)
    return CropSet(np.array(crops), np.array(source), np.array(held_out), _hues(len(crops), seed))


def build(folder: Path, sources: datasets.Sources, seed: int = 0) -> None:
    """Gather crops and ask the teacher about each colouring, unless that was done; `folder` holds the result.

    Raises:
        ModelError: data, the detector or the teacher is missing.
    """
    if (folder / "built.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(sources.weights / TEACHER)
    data = gather(sources, seed)
    np.savez(folder / "crops.npz", **vars(data))
    taught = [
        teacher([inner(data.coloured(number, c)) for c in range(COLOURS)])
        for number in range(len(data.crops))
    ]
    np.save(folder / "taught.npy", np.array(taught, dtype=np.float32))
    record = {
        "seed": seed,
        "people": len(data.crops),
        "held out": int(data.held_out.sum()),
        "teacher": TEACHER,
    }
    (folder / "built.json").write_text(json.dumps(record, indent=1))


def read(folder: Path) -> tuple[CropSet, NDArray[np.float32]]:
    """Read what `build` made: the crops, and the unit vectors (N, COLOURS, D) that the teacher gave them."""
    with np.load(folder / "crops.npz") as kept:
        data = CropSet(**{name: kept[name] for name in ("crops", "source", "held_out", "hues")})
    return data, np.load(folder / "taught.npy")


class Teacher:
    """A published re-identification network, run by OpenVINO."""

    def __init__(self, path: Path) -> None:
        """Load it.

        Raises:
            ModelError: it is missing.
        """
        if not path.is_file():
            raise ModelError(f"expected the teacher at {path}, found none")
        import openvino

        core = openvino.Core()
        model = core.read_model(str(path))
        self._height, self._width = (int(v) for v in list(model.inputs[0].shape)[2:])
        model.reshape([-1, 3, self._height, self._width])
        self._net: Any = core.compile_model(model, "CPU")

    def __call__(self, crops: Sequence[Image]) -> NDArray[np.float32]:
        """Unit vectors (N, D) of crops of people (each H x W x 3 BGR)."""
        sized = [cv2.resize(crop, (self._width, self._height)) for crop in crops]
        vectors = np.asarray(self._net(np.stack(sized).transpose(0, 3, 1, 2).astype(np.float32))[0])
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def surround(image: Image, box: NDArray[np.float64]) -> Image:
    """The region around a person's box (x1, y1, x2, y2), black where the image ends, at the size KEPT."""
    (x1, y1), (x2, y2) = box[:2], box[2:4]
    width, height = x2 - x1, y2 - y1
    corners = np.array(
        [
            [x1 - SURROUND * width, y1 - SURROUND * height],
            [x2 + SURROUND * width, y1 - SURROUND * height],
            [x1 - SURROUND * width, y2 + SURROUND * height],
        ]
    )
    size = np.array([[0, 0], [KEPT[1], 0], [0, KEPT[0]]], dtype=np.float32)
    # Shrunk in steps of two first: a warp samples points and would alias.
    while min(width / KEPT[1], height / KEPT[0]) > 2:
        image = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        corners, width, height = corners / 2, width / 2, height / 2
    warp = cv2.getAffineTransform(corners.astype(np.float32), size)
    return np.asarray(cv2.warpAffine(image, warp, KEPT[::-1], flags=cv2.INTER_LINEAR), dtype=np.uint8)


def inner(crop: Image) -> Image:
    """The part of a kept crop that is the person's box."""
    share = SURROUND / (1 + 2 * SURROUND)
    down, across = round(share * crop.shape[0]), round(share * crop.shape[1])
    return crop[down : crop.shape[0] - down, across : crop.shape[1] - across]


def recolour(crop: Image, hue: NDArray[np.float32]) -> Image:
    """A crop with its hue shifted (degrees) and saturation and value multiplied."""
    if hue[0] == 0 and hue[1] == 1 and hue[2] == 1:
        return crop
    hsv = cv2.cvtColor(crop, cv2.COLOR_BGR2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + hue[0] / 2) % 180
    hsv[..., 1:] = np.clip(hsv[..., 1:] * hue[1:], 0, 255)
    return np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR), dtype=np.uint8)


def _hues(count: int, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    shape = count, COLOURS
    shift = rng.uniform(30, 330, shape)
    hues = np.stack([shift, rng.uniform(0.5, 1.6, shape), rng.uniform(0.6, 1.3, shape)], axis=2)
    hues[:, 0] = (0, 1, 1)
    return hues.astype(np.float32)


def _people(sources: datasets.Sources, seed: int) -> Iterable[tuple[Image, NDArray[np.float64], bool]]:
    """Images with the boxes of people in them, and whether they are held out."""
    for _, number, _, image, truth in datasets.people(sources):
        yield image, _large(truth[:, 1:]), number % datasets.HELD_OUT == 0
    from models.offline import yolo

    finder = yolo(sources.weights / FINDER)
    crowd = sorted((sources.data / "face_mask" / "images" / "train").iterdir())
    for number, path in enumerate(random.Random(seed).sample(crowd, UNLABELLED)):
        image = datasets.read_image(path)
        found = finder.predict(image, imgsz=480, conf=0.6, classes=[0], verbose=False)[0].boxes
        yield image, _large(found.xyxy.numpy().astype(np.float64)), number % datasets.HELD_OUT == 0


def _large(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    tall, wide = boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]
    return boxes[(tall >= LEAST_HEIGHT) & (wide >= LEAST_HEIGHT / 4)]
