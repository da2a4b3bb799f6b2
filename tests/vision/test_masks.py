from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.devices import Device
from models.errors import ModelError
from models.registry import resolve
from vision.masks import FLOOR_PX, MaskReader, blurred, face_bound, head_region


@pytest.fixture(scope="module")
def reader() -> MaskReader:
    return MaskReader(resolve("face_mask"), Device("cpu"))


@given(
    st.floats(-50, 700),
    st.floats(-50, 500),
    st.floats(1, 400),
    st.floats(1, 600),
    st.integers(64, 640),
    st.integers(64, 480),
)
def test_the_head_region_lies_in_the_frame(
    x: float, y: float, w: float, h: float, width: int, height: int
) -> None:
    x1, y1, x2, y2 = head_region(np.array([x, y, x + w, y + h]), width, height)
    assert x1 >= 0 and x2 <= width and y1 >= 0 and y2 <= height


def test_the_head_region_of_a_standing_person_is_the_top_of_the_box() -> None:
    x1, y1, x2, y2 = head_region(np.array([100.0, 100.0, 200.0, 400.0]), 640, 480)
    assert (x1, x2) == (90, 211)
    assert y1 < 100 and 200 <= y2 <= 215


def test_a_far_person_is_not_worth_a_look_and_a_near_one_is() -> None:
    assert face_bound(np.array([0.0, 0.0, 30.0, 80.0])) < FLOOR_PX
    assert face_bound(np.array([0.0, 0.0, 100.0, 300.0])) > FLOOR_PX
    assert face_bound(np.array([0.0, 0.0, 176.0, 144.0])) > 32


def test_far_people_are_not_assessed_with_the_reason(reader: MaskReader) -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    [reading] = reader.read([(image, np.array([10.0, 10.0, 40.0, 90.0]))])
    assert (reading.probabilities, reading.reason) == (None, "too_small")


def test_where_there_is_no_face_none_is_assessed(reader: MaskReader) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    grey = np.full((300, 300, 3), 128, np.uint8)
    box = np.array([50.0, 20.0, 250.0, 290.0])
    assert [r.reason for r in reader.read([(noise, box), (grey, box)])] == ["no_face", "no_face"]


def test_readings_keep_the_order_of_the_heads(reader: MaskReader) -> None:
    image = np.full((300, 300, 3), 128, np.uint8)
    near, far = np.array([50.0, 20.0, 250.0, 290.0]), np.array([10.0, 10.0, 40.0, 90.0])
    assert [r.reason for r in reader.read([(image, far), (image, near), (image, far)])] == [
        "too_small",
        "no_face",
        "too_small",
    ]
    assert reader.read([]) == []


def test_a_smooth_patch_is_blurred_and_a_textured_one_is_not() -> None:
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    checks = (np.indices((64, 64)).sum(0) // 4 % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    assert blurred(ramp) and not blurred(checks)


def test_weights_that_know_no_masks_are_refused() -> None:
    with pytest.raises(ModelError, match="expected weights with the classes masked, unmasked, incorrect"):
        MaskReader(resolve("person"), Device("cpu"))
