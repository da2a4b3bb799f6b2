from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.bench.motion_gate import (
    REGION_PX,
    SETTLING_FRAMES,
    Box,
    MotionDetector,
    cut_off,
    regions_around,
)

RANDOM = np.random.default_rng(3)


def picture(*boxes: tuple[int, int, int, int], light: int = 90) -> np.ndarray:
    """A noisy grey picture, 480 x 640, with bright boxes."""
    image = RANDOM.normal(light, 2, (480, 640))
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = 220
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture
def settled() -> MotionDetector:
    detector = MotionDetector()
    for _ in range(SETTLING_FRAMES):
        assert detector(picture()) == []
    assert not detector.settling
    return detector


def test_noise_is_no_motion_and_a_person_is(settled: MotionDetector) -> None:
    assert settled(picture()) == []
    [box] = settled(picture((200, 100, 260, 300)))
    assert np.allclose(box, (200, 100, 260, 300), atol=15)


def test_a_change_of_the_light_is_no_motion_and_settles_again(settled: MotionDetector) -> None:
    assert settled(picture(light=180)) == []
    assert settled.settling
    for _ in range(2 * SETTLING_FRAMES):
        settled(picture(light=180))
    assert not settled.settling and settled(picture(light=180)) == []


SIDE = st.integers(1, 300)


@st.composite
def boxes(draw: st.DrawFn) -> list[Box]:
    found: list[Box] = []
    for _ in range(draw(st.integers(0, 8))):
        w, h = draw(SIDE), draw(SIDE)
        x, y = draw(st.integers(0, 1280 - w)), draw(st.integers(0, 720 - h))
        found.append((float(x), float(y), float(x + w), float(y + h)))
    return found


@given(boxes())
def test_every_box_is_whole_in_a_region_within_the_frame(found: list[Box]) -> None:
    regions = regions_around(found, 1280, 720)
    assert len(regions) <= len(found)
    for x1, y1, x2, y2 in regions:
        assert 0 <= x1 < x2 <= 1280 and 0 <= y1 < y2 <= 720
        assert x2 - x1 == y2 - y1 >= REGION_PX
    for box in found:
        assert any(
            x1 <= box[0] + 1 and y1 <= box[1] + 1 and box[2] <= x2 + 1 and box[3] <= y2 + 1
            for x1, y1, x2, y2 in regions
        )


def test_near_boxes_share_a_region_and_far_ones_do_not() -> None:
    assert len(regions_around([(100, 100, 150, 200), (200, 120, 240, 220)], 1280, 720)) == 1
    assert len(regions_around([(100, 100, 150, 200), (900, 120, 940, 220)], 1280, 720)) == 2
    assert regions_around([(0, 0, 10, 10)], 300, 200) == [(0, 0, 300, 200)]


def test_a_box_is_cut_off_by_its_region_and_not_by_the_frame() -> None:
    region = (0, 100, 320, 420)
    assert not cut_off((0, 150, 50, 300), region, 1280, 720)
    assert cut_off((10, 101, 50, 300), region, 1280, 720)
    assert cut_off((300, 150, 319, 300), region, 1280, 720)
