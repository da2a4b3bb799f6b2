"""What counts as motion: people, and neither noise, light nor rain."""

from __future__ import annotations

import numpy as np
import pytest

from vision.frames import SECOND
from vision.gate.motion import FUTILE_COUNT, FutileMotion, MotionDetector, reduced_size

SIZE = (1920, 1080)
NONE = np.zeros((0, 4))
START = 10**15
rng = np.random.default_rng(0)
SCENE = np.clip(rng.normal(110, 35, (108, 192)), 0, 255)


def noisy(scene: np.ndarray, sigma: float) -> np.ndarray:
    return np.clip(scene + rng.normal(0, sigma, scene.shape), 0, 255).astype(np.uint8)


def boxes_over(frames: list[np.ndarray], detector: MotionDetector, people: np.ndarray = NONE) -> list[int]:
    """How many moving boxes each frame has; frames come five times a second."""
    found = []
    for number, grey in enumerate(frames):
        motion = detector.detect(grey, SIZE, START + number * SECOND // 5, people)
        found.append(-1 if motion.whole else len(motion.boxes))
    return found


def test_the_first_frame_has_nothing_to_compare() -> None:
    assert MotionDetector().detect(noisy(SCENE, 2), SIZE, START, NONE).whole


@pytest.mark.parametrize("sigma", [1.0, 3.0, 6.0])
def test_noise_is_no_motion_once_its_level_is_known(sigma: float) -> None:
    found = boxes_over([noisy(SCENE, sigma) for _ in range(150)], MotionDetector())
    # The first seconds teach the level of the noise.
    assert sum(n != 0 for n in found[50:]) <= 2


def test_a_person_who_walks_is_found_where_the_person_is() -> None:
    detector = MotionDetector()
    boxes_over([noisy(SCENE, 2) for _ in range(50)], detector)
    for step in range(10):
        scene = SCENE.copy()
        x = 40 + 6 * step
        scene[50:62, x : x + 4] = 30
        t = START + (50 + step) * SECOND // 5
        found = detector.detect(noisy(scene, 2), SIZE, t, NONE).boxes
        centre = np.array([(x + 2) * 10, 56 * 10])
        assert any((box[:2] <= centre).all() and (box[2:] >= centre).all() for box in found), found


@pytest.mark.parametrize("shift", [-60, -25, 25, 60])
def test_light_that_is_switched_does_not_last_as_motion(shift: int) -> None:
    detector = MotionDetector()
    boxes_over([noisy(SCENE, 2) for _ in range(50)], detector)
    lit = np.clip(SCENE + shift, 0, 255)
    found = boxes_over([noisy(lit, 2) for _ in range(150)], detector)
    assert sum(n != 0 for n in found[-50:]) <= 2


def test_slow_light_is_no_motion() -> None:
    frames = [noisy(np.clip(SCENE * (1 - 0.3 * n / 300), 0, 255), 2) for n in range(300)]
    found = boxes_over(frames, MotionDetector())
    assert sum(n != 0 for n in found[50:]) <= 10


def test_the_background_does_not_take_in_a_person_in_view() -> None:
    person = np.array([[400.0, 300.0, 500.0, 600.0]])
    standing = SCENE.copy()
    standing[30:60, 40:50] = 20
    detector = MotionDetector()
    boxes_over([noisy(SCENE, 2) for _ in range(25)], detector)
    for n in range(25, 600):  # two minutes
        detector.detect(noisy(standing, 2), SIZE, START + n * SECOND // 5, person)
    # As soon as no person is known there, the place differs from the background.
    assert len(detector.detect(noisy(standing, 2), SIZE, START + 120 * SECOND, NONE).boxes)


def test_a_state_gives_the_same_motion_again() -> None:
    frames = [noisy(SCENE, 4) for _ in range(40)]
    whole, first, second = MotionDetector(), MotionDetector(), MotionDetector()
    boxes_over(frames[:20], whole)
    boxes_over(frames[:20], first)
    second.restore(first.state())
    for n, grey in enumerate(frames[20:], 20):
        t = START + n * SECOND // 5
        one, other = whole.detect(grey, SIZE, t, NONE), second.detect(grey, SIZE, t, NONE)
        assert np.array_equal(one.boxes, other.boxes)


def test_a_reduced_picture_keeps_its_shape() -> None:
    assert reduced_size((1920, 1080)) == (192, 108)
    assert reduced_size((1080, 1920)) == (108, 192)
    assert reduced_size((8, 8)) == (8, 8)


def test_motion_without_a_person_becomes_futile_and_a_person_ends_it() -> None:
    futile, clock = FutileMotion(), np.array([[0.0, 0.0, 300.0, 40.0]])
    for n in range(int(FUTILE_COUNT) + 1):
        assert not futile.at(clock, SIZE).all()
        futile.enter(clock, NONE, SIZE, START + n * SECOND // 5)
    assert futile.at(clock, SIZE).all()
    assert not futile.at(np.array([[0.0, 0.0, 1000.0, 800.0]]), SIZE).any()
    futile.enter(NONE, np.array([[0.0, 0.0, 400.0, 400.0]]), SIZE, START + 2 * SECOND)
    assert not futile.at(clock, SIZE).any()
