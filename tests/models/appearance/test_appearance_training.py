"""The recipe of the appearance network, on crops made up here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.appearance import crop_set, network, sizes, training
from models.appearance.degradation import degrade
from models.appearance.evaluation import auc, log_odds
from models.errors import ModelError


def people(count: int = 60, seed: int = 0) -> tuple[crop_set.CropSet, np.ndarray]:
    """Blocks of colour, twelve to an image, a quarter held out; a teacher who knows the colours."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(30, 225, (count, 2, 3))
    images = np.repeat(
        np.repeat(colours, crop_set.STORED_SIZE_PX[0] // 2, axis=1)[:, :, None],
        crop_set.STORED_SIZE_PX[1],
        axis=2,
    )
    hues = np.tile(np.array([0, 1, 1], np.float32), (count, crop_set.COLOURINGS_PER_CROP, 1))
    taught = rng.normal(size=(count, crop_set.COLOURINGS_PER_CROP, 160)).astype(np.float32)
    number = np.arange(count)
    data = crop_set.CropSet(images.astype(np.uint8), number // 12, number % 4 == 0, hues)
    return data, taught / np.linalg.norm(taught, axis=2, keepdims=True)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("data", "weights"):
        (tmp_path / "shared" / name).mkdir(parents=True)
    monkeypatch.setattr(crop_set, "build", lambda *_: None)
    monkeypatch.setattr(crop_set, "read", lambda _: people())
    return tmp_path / "shared"


RECIPE = training.Recipe(epochs=3, batch=45)


def test_an_interrupted_training_ends_with_the_same_weights(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "broken"):
        (tmp_path / name / "appearance").mkdir(parents=True)
    whole = network.load(training.train(sources, tmp_path / "whole", RECIPE))
    measure, calls = training.held_out_auc, []

    def interrupt(*arguments: object) -> float:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "held_out_auc", interrupt)
    with pytest.raises(KeyboardInterrupt):
        training.train(sources, tmp_path / "broken", RECIPE)
    resumed = network.load(training.train(sources, tmp_path / "broken", RECIPE))
    log = (tmp_path / "broken" / "appearance" / "results.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == ["1", "2", "3"]
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    before = (tmp_path / "broken" / "appearance" / "appearance.pt").stat().st_mtime_ns
    assert training.train(sources, tmp_path / "broken", RECIPE).stat().st_mtime_ns == before, "it is finished"


def test_missing_data_or_teacher_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected a folder data/ below"):
        training.train(tmp_path, tmp_path)
    with pytest.raises(ModelError, match="expected the teacher at"):
        crop_set.Teacher(tmp_path / "teacher.xml")


def test_reduced_vectors_keep_their_cosines() -> None:
    _, taught = people(200, seed=1)
    short = training.reduce(taught, np.ones(len(taught), bool))
    assert short.shape == (200, crop_set.COLOURINGS_PER_CROP, sizes.DIMENSION)
    assert np.allclose(np.linalg.norm(short, axis=2), 1, atol=1e-5)
    before, after = taught[:, 0] @ taught[:, 0].T, short[:, 0] @ short[:, 0].T
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.95
    with pytest.raises(ModelError, match="expected at least 128 crops of people, got"):
        training.reduce(taught, np.arange(len(taught)) < 5)


def test_a_stored_crop_has_the_box_and_its_surroundings() -> None:
    image = np.zeros((400, 300, 3), np.uint8)
    image[100:300, 100:200] = (10, 200, 30)
    kept = crop_set.surround(image, np.array([100.0, 100, 200, 300]))
    assert kept.shape == (*crop_set.STORED_SIZE_PX, 3)
    assert (crop_set.inner(kept)[4:-4, 4:-4] == (10, 200, 30)).all()
    assert kept[2, 2].max() == 0, "beyond the box"


def test_degradation_changes_the_image_and_keeps_the_person() -> None:
    data, _ = people()
    rng = np.random.default_rng(0)
    for number in range(20):
        spoiled = degrade(data.crops[number], data.crops[number - 1], rng)
        assert spoiled.shape == (sizes.HEIGHT, sizes.WIDTH, 3) and spoiled.dtype == np.uint8
    shifted = crop_set.recolour(data.crops[0], np.array([120, 1, 1], np.float32))
    assert not np.array_equal(shifted, data.crops[0])


def test_auc_is_the_probability_that_a_same_pair_scores_higher() -> None:
    assert auc(np.array([0.9, 0.8]), np.array([0.1, 0.2, 0.3])) == 1
    assert auc(np.array([0.5]), np.array([0.5, 0.5])) == 0.5
    rng = np.random.default_rng(0)
    same, other = rng.normal(1, 1, 300), rng.normal(0, 1, 400)
    assert np.isclose(auc(same, other), (same[:, None] > other).mean())


def test_log_odds_recover_the_slope_that_generated_the_pairs() -> None:
    rng = np.random.default_rng(0)
    same, other = rng.normal(0.7, 0.2, 20_000), rng.normal(0.4, 0.2, 5_000)
    slope, even = log_odds(same, other)
    assert np.isclose(slope, (0.7 - 0.4) / 0.2**2, rtol=0.05) and np.isclose(even, 0.55, atol=0.01)
