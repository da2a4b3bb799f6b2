"""Our non-maximum suppression against that of ultralytics, on random outputs of networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ultralytics.utils.nms import non_max_suppression

from models.runtimes.suppression import MAX_BOXES_PER_IMAGE, NMS_IOU, suppress

THEIR_SECONDS = 60.0
"""Time limit of ultralytics' function per image, so that a slow machine does not cut its result."""


def theirs(
    output: np.ndarray, confidence: float, class_count: int, classes: list[int] | None, end2end: bool = False
) -> list[np.ndarray]:
    found = non_max_suppression(
        torch.from_numpy(output.copy()),
        confidence,
        NMS_IOU,
        classes,
        nc=class_count,
        max_det=MAX_BOXES_PER_IMAGE,
        max_time_img=THEIR_SECONDS,
        end2end=end2end,
    )
    return [rows.numpy() for rows in found]


def made_output(
    seed: int, images: int, boxes: int, class_count: int, extra: int, crowding: float
) -> np.ndarray:
    """Boxes around a few places, as a network gives them; scores all differ, as ties have no order."""
    rng = np.random.default_rng(seed)
    output = np.empty((images, 4 + class_count + extra, boxes), np.float32)
    places = rng.uniform(0, 400, (max(1, int(boxes * (1 - crowding))), 2))
    for image in output:
        image[:2] = (places[rng.integers(0, len(places), boxes)] + rng.normal(0, 4, (boxes, 2))).T
        image[2:4] = rng.uniform(20, 60, (2, boxes))
        image[4 : 4 + class_count] = rng.permutation(class_count * boxes).reshape(class_count, boxes)
        image[4 : 4 + class_count] /= class_count * boxes
        image[4 + class_count :] = rng.uniform(0, 400, (extra, boxes))
    return output


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    images=st.integers(1, 3),
    boxes=st.integers(7, 500),
    class_count=st.sampled_from([1, 2, 80]),
    extra=st.sampled_from([0, 15]),
    crowding=st.floats(0, 0.99),
    confidence=st.sampled_from([0.0, 0.001, 0.1, 0.5, 0.95, 1.0]),
    chosen=st.sampled_from([None, [0], [1, 0], []]),
)
def test_the_boxes_are_exactly_those_of_ultralytics(
    seed: int,
    images: int,
    boxes: int,
    class_count: int,
    extra: int,
    crowding: float,
    confidence: float,
    chosen: list[int] | None,
) -> None:
    output = made_output(seed, images, boxes, class_count, extra, crowding)
    expected = theirs(output, confidence, class_count, chosen)
    found = suppress(output, confidence, class_count, chosen)
    assert len(found) == images
    for rows, others in zip(found, expected, strict=True):
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, others)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    boxes=st.integers(1, 400),
    extra=st.sampled_from([0, 15]),
    confidence=st.sampled_from([0.0, 0.25, 0.9]),
    chosen=st.sampled_from([None, [0], [2, 5]]),
)
def test_the_boxes_of_an_end_to_end_network_are_those_of_ultralytics(
    seed: int, boxes: int, extra: int, confidence: float, chosen: list[int] | None
) -> None:
    rng = np.random.default_rng(seed)
    output = rng.uniform(0, 1, (2, boxes, 6 + extra)).astype(np.float32)
    output[..., :4] *= 400
    output[..., 5] = rng.integers(0, 7, (2, boxes))
    expected = theirs(output, confidence, 7, chosen, end2end=True)
    found = suppress(output, confidence, 7, chosen, end2end=True)
    for rows, others in zip(found, expected, strict=True):
        np.testing.assert_array_equal(rows, others)


@pytest.mark.parametrize("apart", [0.0, 9.0, 10.0, 17.0, 18.0, 100.0])
def test_of_two_overlapping_boxes_of_a_class_the_stronger_is_kept(apart: float) -> None:
    # Boxes 100 px wide and high, beside each other: their IoU is (100 - apart) / (100 + apart), and 0.7 at
    # 17.65 px.
    output = np.zeros((1, 6, 8), np.float32)
    output[0, :4, :2] = [[200, 200 + apart], [200, 200], [100, 100], [100, 100]]
    output[0, 4, :2] = [0.6, 0.8]
    [rows] = suppress(output, 0.25, 2)
    assert len(rows) == (1 if apart < 17.65 else 2)
    assert rows[0, 4] == pytest.approx(0.8)
    output[0, 4:, 1] = [0, 0.8]  # of another class
    assert len(suppress(output, 0.25, 2)[0]) == 2
    assert len(suppress(output, 0.25, 2, [1])[0]) == 1


def test_boxes_without_an_area_are_kept() -> None:
    output = np.zeros((1, 5, 7), np.float32)
    output[0, 4] = np.linspace(0.5, 0.9, 7)
    [rows] = suppress(output, 0.25, 1)
    np.testing.assert_array_equal(rows, theirs(output, 0.25, 1, None)[0])
