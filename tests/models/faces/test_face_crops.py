from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.faces.crops import CONTEXT, square


@pytest.mark.parametrize("face", [20.0, 60.0, 200.0])
def test_the_face_lies_in_the_middle_of_the_crop_at_the_stated_share(face: float) -> None:
    image = np.zeros((600, 600, 3), np.uint8)
    low, high = round(300 - face / 2), round(300 + face / 2)
    image[low:high, low:high] = 255
    crop = square(image, np.array([low, low, high, high], float), 96)
    lit = crop[:, :, 0] > 127
    assert lit.sum() == pytest.approx((96 / CONTEXT) ** 2, rel=0.06)
    assert np.argwhere(lit).mean(axis=0) == pytest.approx([47.5, 47.5], abs=0.6)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-100, 200),
    st.floats(-100, 200),
    st.floats(1, 150),
    st.floats(1, 150),
    st.sampled_from([64, 96]),
)
def test_any_box_gives_a_crop_even_beyond_the_edge(x: float, y: float, w: float, h: float, side: int) -> None:
    image = np.random.default_rng(0).integers(0, 255, (100, 120, 3)).astype(np.uint8)
    crop = square(image, np.array([x, y, x + w, y + h]), side)
    assert crop.shape == (side, side, 3) and crop.dtype == np.uint8


def test_shrinking_averages_instead_of_skipping() -> None:
    checks = (np.indices((400, 400)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    crop = square(checks, np.array([100.0, 100.0, 300.0, 300.0]), 64)
    assert abs(int(crop[20:44, 20:44].mean()) - 127) < 4 and crop[20:44, 20:44].std() < 30
