"""The training set of the appearance network: crops of people, and the vectors of a teacher for them.

Images of one person at two moments would be ideal. Without such data, a published re-identification network
(the teacher) gives the vector of each clean crop, and our network learns to give the same vector for the crop
degraded at random.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models import datasets
from models.errors import ModelError
from models.images import Image, read_image
from models.runtimes.openvino_core import openvino_core
from models.runtimes.openvino_network import compile_model

TEACHER = "person-reidentification-retail-0287.xml"
UNLABELLED_DETECTOR = "yolo11n_deq.pt"
"""The detector for images without labels of people."""
STORED_SIZE_PX = (192, 96)
"""Height and width of a stored crop, which extends beyond the box by SURROUND_SHARE on each side."""
SURROUND_SHARE = 0.15
"""Share of the box."""
MIN_PERSON_HEIGHT_PX = 64
"""Smaller people show too little clothing to learn from."""
UNLABELLED_IMAGES = 500
"""Number of images of the face_mask train split in which the detector finds people."""
COLOURINGS_PER_CROP = 3
"""Each crop is used in this many colourings, the first unchanged. The clothes differ on the same person, so
that neither the outline nor the background can replace the clothing."""


@dataclass(frozen=True)
class CropSet:
    """Crops of people.

    Attributes:
        crops: (N, *STORED_SIZE_PX, 3) BGR.
        source: (N,) number of the image that a crop was cut from.
        held_out: (N,) whether the crop is kept out of training.
        hues: (N, COLOURINGS_PER_CROP, 3) shift of hue (degrees), factors of saturation and value.
    """

    crops: Image
    source: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    hues: NDArray[np.float32]

    def coloured(self, number: int, colouring: int) -> Image:
        """A crop in one of its colourings."""
        return recolour(self.crops[number], self.hues[number, colouring])


def collect(sources: datasets.Sources, seed: int = 0) -> CropSet:
    """Cut the people out of all images.

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
    """Collect crops and compute the teacher's vectors of every colouring into `folder`, unless that was done.

    Raises:
        ModelError: data, the detector or the teacher is missing.
    """
    if (folder / "built.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(sources.weights / TEACHER)
    data = collect(sources, seed)
    np.savez(folder / "crops.npz", **vars(data))
    taught = [
        teacher([inner(data.coloured(number, c)) for c in range(COLOURINGS_PER_CROP)])
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
    """Read the result of `build`: the crops, and the teacher's unit vectors (N, COLOURINGS_PER_CROP, D)."""
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
        model = openvino_core().read_model(str(path))
        self._height, self._width = (int(v) for v in list(model.inputs[0].shape)[2:])
        model.reshape([-1, 3, self._height, self._width])
        self._net = compile_model(model, "f32")

    def __call__(self, crops: Sequence[Image]) -> NDArray[np.float32]:
        """Unit vectors (N, D) of crops of people (each H x W x 3 BGR)."""
        sized = [cv2.resize(crop, (self._width, self._height)) for crop in crops]
        vectors = np.asarray(self._net(np.stack(sized).transpose(0, 3, 1, 2).astype(np.float32))[0])
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def surround(image: Image, box: NDArray[np.float64]) -> Image:
    """The region around a person's box (x1, y1, x2, y2) in STORED_SIZE_PX, black beyond the image."""
    (x1, y1), (x2, y2) = box[:2], box[2:4]
    width, height = x2 - x1, y2 - y1
    corners = np.array(
        [
            [x1 - SURROUND_SHARE * width, y1 - SURROUND_SHARE * height],
            [x2 + SURROUND_SHARE * width, y1 - SURROUND_SHARE * height],
            [x1 - SURROUND_SHARE * width, y2 + SURROUND_SHARE * height],
        ]
    )
    size = np.array([[0, 0], [STORED_SIZE_PX[1], 0], [0, STORED_SIZE_PX[0]]], dtype=np.float32)
    # Shrunk in steps of two first: a warp samples points and would alias.
    while min(width / STORED_SIZE_PX[1], height / STORED_SIZE_PX[0]) > 2:
        image = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        corners, width, height = corners / 2, width / 2, height / 2
    warp = cv2.getAffineTransform(corners.astype(np.float32), size)
    return np.asarray(
        cv2.warpAffine(image, warp, STORED_SIZE_PX[::-1], flags=cv2.INTER_LINEAR), dtype=np.uint8
    )


def inner(crop: Image) -> Image:
    """The part of a stored crop that is the person's box."""
    share = SURROUND_SHARE / (1 + 2 * SURROUND_SHARE)
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
    shape = count, COLOURINGS_PER_CROP
    shift = rng.uniform(30, 330, shape)
    hues = np.stack([shift, rng.uniform(0.5, 1.6, shape), rng.uniform(0.6, 1.3, shape)], axis=2)
    hues[:, 0] = (0, 1, 1)
    return hues.astype(np.float32)


def _people(sources: datasets.Sources, seed: int) -> Iterable[tuple[Image, NDArray[np.float64], bool]]:
    """Images with the boxes of people in them, and whether they are held out."""
    for _, number, _, image, truth in datasets.person_images(sources):
        yield image, _large(truth[:, 1:]), number % datasets.HELD_OUT_EVERY == 0
    from models.offline import yolo

    detector = yolo(sources.weights / UNLABELLED_DETECTOR)
    crowd = sorted((sources.data / "face_mask" / "images" / "train").iterdir())
    for number, path in enumerate(random.Random(seed).sample(crowd, UNLABELLED_IMAGES)):
        image = read_image(path)
        found = detector.predict(image, imgsz=480, conf=0.6, classes=[0], verbose=False)[0].boxes
        yield image, _large(found.xyxy.numpy().astype(np.float64)), number % datasets.HELD_OUT_EVERY == 0


def _large(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    tall, wide = boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]
    return boxes[(tall >= MIN_PERSON_HEIGHT_PX) & (wide >= MIN_PERSON_HEIGHT_PX / 4)]
