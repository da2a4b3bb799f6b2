from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models import datasets
from models.devices import Device
from models.errors import ModelError
from models.registry import resolve
from vision.masks import STATES, MaskReader

SHARED = Path(__file__).parents[2].parent / "shared"


@pytest.fixture(scope="module")
def reader() -> MaskReader:
    return MaskReader(resolve("face"), resolve("mask"), Device("cpu"))


def test_far_people_are_not_assessed_with_the_reason(reader: MaskReader) -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    [reading] = reader.read([(image, np.array([10.0, 10.0, 40.0, 90.0]))])
    assert (reading.probabilities, reading.reason) == (None, "too_small")


def test_without_a_face_the_reason_is_no_face(reader: MaskReader) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    grey = np.full((300, 300, 3), 128, np.uint8)
    box = np.array([50.0, 20.0, 250.0, 290.0])
    assert [r.reason for r in reader.read([(noise, box), (grey, box)])] == ["no_face", "no_face"]
    assert reader.faces(grey, box[None]).shape == (0, 6)


def test_readings_keep_the_order_of_the_heads(reader: MaskReader) -> None:
    image = np.full((300, 300, 3), 128, np.uint8)
    near, far = np.array([50.0, 20.0, 250.0, 290.0]), np.array([10.0, 10.0, 40.0, 90.0])
    assert [r.reason for r in reader.read([(image, far), (image, near), (image, far)])] == [
        "too_small",
        "no_face",
        "too_small",
    ]
    assert reader.read([]) == []


def test_weights_without_mask_classes_are_refused() -> None:
    with pytest.raises(ModelError, match="expected weights of the kind classify"):
        MaskReader(resolve("face"), resolve("person"), Device("cpu"))


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the labelled images are not beside this checkout")
def test_single_faces_of_validation_images_are_read_as_labelled(reader: MaskReader) -> None:
    right = total = 0
    for _, image, boxes in datasets.labelled(SHARED / "data" / "face_mask", "val"):
        if len(boxes) != 1 or boxes[0, 4] - boxes[0, 2] < 40:
            continue
        # A bust around the face: what a person detector would give.
        x1, y1, x2, y2 = boxes[0, 1:]
        wide, tall = x2 - x1, y2 - y1
        bust = np.array([x1 - 0.8 * wide, y1 - 0.3 * tall, x2 + 0.8 * wide, y2 + 1.5 * tall])
        [reading] = reader.read([(image, np.clip(bust, 0, [*image.shape[1::-1]] * 2))])
        if reading.probabilities is None:
            continue
        assert sum(reading.probabilities) == pytest.approx(1, abs=1e-5)
        total += 1
        right += int(np.argmax(reading.probabilities)) == int(boxes[0, 0])
    assert total > 80 and right >= 0.88 * total, f"{right} of {total}"


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the labelled images are not beside this checkout")
def test_evaluation_counts_a_face_in_two_head_regions_once(reader: MaskReader) -> None:
    name, image, boxes = next(
        item
        for item in datasets.labelled(SHARED / "data" / "face_mask", "val")
        if len(item[2]) == 1 and item[2][0, 4] - item[2][0, 2] > 90
    )
    image = np.asarray(cv2.copyMakeBorder(image, *(200,) * 4, cv2.BORDER_REPLICATE), np.uint8)
    x1, y1, x2, y2 = boxes[0, 1:] + 200
    wide, tall = x2 - x1, y2 - y1
    person = np.array([x1 - wide, y1 - 0.3 * tall, x2 + wide, y2 + 4 * tall])
    neighbour = person + np.array([0.8 * wide, 0, 0.8 * wide, 0])
    rows = reader.faces(image, np.stack([person, neighbour]))
    strong = rows[rows[:, 4] > 0.3]
    assert len(strong) == 1, name
    assert int(strong[0, 5]) == int(boxes[0, 0]) and set(rows[:, 5]) == set(range(len(STATES)))
