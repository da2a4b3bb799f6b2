from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.degradation import CLEAN, PICTURE_PX, degrade, kinds, reduce
from models.errors import ModelError

SCENE = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8).repeat(24, 0).repeat(24, 1)
"""Patches of 24 px, 192 x 144 px."""


@pytest.mark.parametrize("kind", kinds())
def test_a_degradation_repeats_with_its_seed_and_leaves_the_picture_alone(kind: str) -> None:
    before = SCENE.copy()
    one, same = degrade(SCENE, kind, 3), degrade(SCENE, kind, 3)
    assert np.array_equal(SCENE, before)
    assert one.shape == SCENE.shape and one.dtype == np.uint8
    assert np.array_equal(one, same)
    assert not np.array_equal(one, SCENE)
    drawn = [not np.array_equal(one, degrade(SCENE, kind, seed)) for seed in range(4, 12)]
    assert any(drawn) == (kind != "compression"), "only compression draws nothing"


def test_each_kind_does_what_its_name_says() -> None:
    scene = SCENE.astype(float)

    def edges(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image.astype(float), axis=1)).max(axis=2).mean())

    infrared = degrade(SCENE, "infrared", 0)
    assert (infrared[..., 0] == infrared[..., 1]).all() and (infrared[..., 0] == infrared[..., 2]).all()
    middle, corner = infrared[48:96, 72:120].mean(), infrared[:24, :24].mean()
    flat = degrade(np.full_like(SCENE, 128), "infrared", 0)
    assert flat[60:84, 84:108].mean() > flat[:12, :12].mean() + 30, (middle, corner)
    assert degrade(SCENE, "dark", 0).mean() < 0.65 * scene.mean()
    assert abs(degrade(SCENE, "noise", 0).mean() - scene.mean()) < 5
    assert edges(degrade(SCENE, "noise", 0)) > edges(SCENE)
    assert abs(degrade(SCENE, "motion", 0).mean() - scene.mean()) < 3
    assert edges(degrade(SCENE, "motion", 0)) <= edges(SCENE)
    dropped = (degrade(SCENE, "drops", 0) != SCENE).any(axis=2).mean()
    assert 0.01 < dropped < 0.5, "drops hide a part of the picture"


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(kinds()), st.integers(0, 2**31))
def test_pictures_of_every_shape_can_be_degraded(width: int, height: int, kind: str, seed: int) -> None:
    image = np.full((height, width, 3), 255, np.uint8)
    assert degrade(image, kind, seed).shape == image.shape


@pytest.mark.parametrize(
    ("size", "expected"),
    [((640, 480), (640, 480)), ((1920, 1080), (640, 360)), ((480, 1280), (240, 640)), ((3000, 1), (640, 1))],
)
def test_larger_pictures_are_reduced(size: tuple[int, int], expected: tuple[int, int]) -> None:
    reduced = reduce(np.zeros((size[1], size[0], 3), np.uint8))
    assert (reduced.shape[1], reduced.shape[0]) == expected
    assert max(reduced.shape[:2]) <= PICTURE_PX


def test_other_kinds_are_refused() -> None:
    assert np.array_equal(degrade(SCENE, CLEAN, 0), SCENE)
    with pytest.raises(ModelError, match=r"among clean, infrared, dark, .* got 'fog'"):
        degrade(SCENE, "fog", 0)
