from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from evaluation.degradation import DegradationRequest, degraded_accuracy, evaluate_degradation
from evaluation.formats import TruthError
from models.degradation import CLEAN
from models.errors import ModelError

BOX = (100.0, 60.0, 180.0, 300.0)


def pictures(count: int, width: int = 400) -> list[tuple[np.ndarray, np.ndarray]]:
    """A coloured picture each, with one object of class 2 of the labels."""
    factor = width / 400
    truth = np.array([[*(v * factor for v in BOX), 2.0]])
    return [(np.full((width, width, 3), (200, 60, 20), np.uint8), truth) for _ in range(count)]


def colour_detector(image: np.ndarray) -> np.ndarray:
    """Finds the object, as its class 0, as long as the picture is coloured."""
    coloured = np.ptp(image.astype(float).mean(axis=(0, 1))) > 20
    scale = image.shape[1] / 400
    score = 0.9 if coloured else 0.2
    shift = 0.0 if coloured else 300.0
    return np.array([[*(v * scale + shift for v in BOX), score, 0.0]], np.float32)


def test_what_a_degradation_costs_is_measured_against_the_same_pictures() -> None:
    found, images, objects = degraded_accuracy(
        iter(pictures(8)), colour_detector, [(0, 2)], ["infrared", "compression"], resamples=50, seed=0
    )
    assert (images, objects) == (8, 8)
    assert list(found) == [CLEAN, "infrared", "compression"]
    assert found[CLEAN].ap50.value == 1.0 and found[CLEAN].change.value is None
    assert found["infrared"].ap50.value == 0.0 and found["infrared"].change.value == -1.0
    assert found["compression"].change.value == 0.0


def test_truth_is_reduced_with_its_picture() -> None:
    found, _, _ = degraded_accuracy(
        iter(pictures(2, width=1600)), colour_detector, [(0, 2)], [], resamples=20, seed=0
    )
    assert found[CLEAN].ap50.value == 1.0


def test_an_interval_of_the_change_is_that_of_the_difference() -> None:
    """Half of the pictures cannot be found in either form: the change is 0 in every resample."""
    calls = iter(range(1000))

    def half(image: np.ndarray) -> np.ndarray:
        rows = colour_detector(image)
        return rows if next(calls) // 2 % 2 else rows[:0]

    found, _, _ = degraded_accuracy(iter(pictures(20)), half, [(0, 2)], ["compression"], resamples=50, seed=1)
    assert found[CLEAN].ap50.low is not None and found[CLEAN].ap50.high is not None
    assert found[CLEAN].ap50.low < found[CLEAN].ap50.high
    change = found["compression"].change
    assert change.value == 0.0 and change.low is None


def test_faults_of_a_request_are_named(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "one.txt").touch()
    cv2.imwrite(str(tmp_path / "one.png"), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(TruthError, match="expected a folder of images or --data"):
        evaluate_degradation(DegradationRequest())
    with pytest.raises(TruthError, match="expected --labels"):
        evaluate_degradation(DegradationRequest(images=tmp_path))
    with pytest.raises(TruthError, match="expected labelled objects in 1 images, got none"):
        evaluate_degradation(DegradationRequest(images=tmp_path, labels=tmp_path / "labels", names="person"))
    with pytest.raises(TruthError, match=r"the detector knows \(person\), got dog"):
        evaluate_degradation(DegradationRequest(images=tmp_path, labels=tmp_path / "labels", names="dog"))
    (tmp_path / "labels" / "one.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    request = DegradationRequest(
        images=tmp_path, labels=tmp_path / "labels", names="person", degradations=["fog"]
    )
    with pytest.raises(ModelError, match="got 'fog'"):
        evaluate_degradation(request)
