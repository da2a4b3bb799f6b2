from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.frames import SECOND, SEGMENT
from vision.liveness import MAX_GAP_US, Liveness

FACE = np.array([100.0, 80.0, 140.0, 130.0])


def picture(seed: int = 0) -> np.ndarray:
    """A frame with structure of about the size of eyes and mouths, contrast about 40."""
    coarse = np.random.default_rng(seed).normal(128, 45, (30, 40, 1)).clip(0, 255)
    return np.kron(coarse, np.ones((8, 8, 1))).repeat(3, axis=2).astype(np.uint8)


def noisy(image: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 8), st.floats(0.7, 1.3), st.floats(-20, 20))
def test_noise_and_light_do_not_count_as_change(seed: int, sigma: float, gain: float, shift: float) -> None:
    liveness = Liveness()
    image = picture(seed).clip(50, 190)
    assert liveness.change(1, 0, noisy(image, sigma, seed), FACE) is None, "nothing to compare with yet"
    lit = (image * gain + shift).clip(0, 255)
    change = liveness.change(1, SECOND // 2, noisy(lit.astype(np.uint8), sigma, seed + 1), FACE)
    assert change is not None and change < 0.01


def test_a_head_that_moves_by_a_few_pixels_changes() -> None:
    liveness, image = Liveness(), picture()
    liveness.change(1, 0, image, FACE)
    moved = np.roll(image, 3, axis=1)
    change = liveness.change(1, SECOND // 2, moved, FACE + np.array([3, 0, 3, 0]))
    assert change is not None and change > 0.02


@pytest.mark.parametrize(
    ("first", "second", "comparable"),
    [
        (0, MAX_GAP_US, True),
        (0, MAX_GAP_US + 1, False),
        (SEGMENT - 1, SEGMENT, False),
        (SEGMENT, SEGMENT + 1, True),
    ],
)
def test_only_pictures_of_one_segment_that_are_near_in_time_are_compared(
    first: int, second: int, comparable: bool
) -> None:
    liveness, image = Liveness(), picture()
    liveness.change(1, first, image, FACE)
    assert (liveness.change(1, second, image, FACE) is not None) is comparable


def test_tracks_are_compared_separately_and_a_lost_face_is_dropped() -> None:
    liveness, image = Liveness(), picture()
    liveness.change(1, 0, image, FACE)
    assert liveness.change(2, 1, image, FACE) is None
    assert liveness.change(1, 2, image, None) is None
    assert liveness.change(1, 3, image, FACE) is None
    liveness.drop_before(10 * SECOND)
    assert liveness.change(2, 10 * SECOND, image, FACE) is None


def test_without_contrast_or_outside_the_frame_no_change_is_measured() -> None:
    liveness = Liveness()
    grey = np.full((240, 320, 3), 90, np.uint8)
    outside = np.array([400.0, 10.0, 440.0, 60.0])
    assert [liveness.change(1, t, grey, FACE) for t in (0, 1)] == [None, None]
    assert [liveness.change(1, t, picture(), outside) for t in (2, 3)] == [None, None]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100), st.integers(0, 1000))
def test_a_restored_state_gives_the_same_changes(seed: int, later: int) -> None:
    liveness, restored = Liveness(), Liveness()
    for track in range(3):
        liveness.change(track, track, noisy(picture(seed), 5, track), FACE + track)
    restored.restore(liveness.state())
    image = noisy(picture(seed), 8, later)
    for track in range(4):
        change = liveness.change(track, SECOND, image, FACE)
        assert restored.change(track, SECOND, image, FACE) == change
        assert (change is None) is (track == 3)
