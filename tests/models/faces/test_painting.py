from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.faces.degradation import degrade
from models.faces.painting import Wear, paint

LANDMARKS = np.array([[70.0, 70], [106, 70], [88, 92], [74, 112], [102, 112]])


def skin() -> np.ndarray:
    return np.full((176, 176, 3), (120, 150, 200), np.uint8)


def changed(wear: Wear, seed: int) -> np.ndarray:
    painted = paint(skin(), LANDMARKS, wear, np.random.default_rng(seed))
    assert painted is not None
    return np.asarray(np.abs(painted.astype(int) - skin().astype(int)).sum(axis=2) > 12)


@pytest.mark.parametrize(
    ("wear", "nose", "mouth", "chin"),
    [("masked", True, True, True), ("nose", False, True, True), ("chin", False, False, True)],
)
def test_a_painted_mask_covers_what_it_should(wear: Wear, nose: bool, mouth: bool, chin: bool) -> None:
    covered = np.mean([changed(wear, seed) for seed in range(12)], axis=0)
    assert bool(covered[90, 88] > 0.6) is nose
    assert bool(covered[112, 88] > 0.6) is mouth
    assert bool(covered[128, 88] > 0.6) is chin
    assert covered[60, 88] == 0, "never the eyes"


def test_no_mask_is_painted_where_landmarks_coincide() -> None:
    assert paint(skin(), np.full((5, 2), 88.0), "masked", np.random.default_rng(0)) is None


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(12, 140))
def test_a_degraded_face_keeps_its_size_and_depends_on_the_seed_alone(seed: int, side: int) -> None:
    image = np.random.default_rng(seed).integers(0, 255, (side, side, 3)).astype(np.uint8)
    once, again = (degrade(image, np.random.default_rng(seed)) for _ in range(2))
    assert once.shape == image.shape and once.dtype == np.uint8 and (once == again).all()
