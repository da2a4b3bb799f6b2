from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.evaluation import faces
from vision.masks import head_region

IMAGE = np.zeros((600, 800, 3), np.uint8)
IMAGE[95:130, 205:235] = 255  # a face


def looking(people: list[tuple[float, ...]], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any]]:
    """A detector through regions whose reader sees white patches, and the regions that it was shown."""
    shown: list[Any] = []

    def read(crops: list[np.ndarray]) -> list[np.ndarray]:
        shown.extend(crops)
        ys, xs = np.nonzero(crops[0][:, :, 0])
        if not len(ys):
            return [np.zeros((0, 6), np.float32)]
        row = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1, 0.5 + len(shown) / 100, 1)
        return [np.array([row], np.float32)]

    monkeypatch.setattr(faces, "Predictor", lambda *_: read)
    eyes = SimpleNamespace(
        masks=SimpleNamespace(weights=None),
        device=None,
        settings=SimpleNamespace(head_imgsz=192),
        detector=lambda frames: [np.array(people, np.float32).reshape(-1, 5)],
    )
    return faces.faces_of(eyes), shown  # type: ignore[arg-type]


def test_a_face_comes_back_in_the_coordinates_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    person = (180.0, 90.0, 260.0, 400.0, 0.9)
    detect, shown = looking([person], monkeypatch)
    assert detect(IMAGE).tolist() == [[205, 95, 235, 130, pytest.approx(0.51), 1]]
    x1, y1, x2, y2 = head_region(np.array(person[:4]), 800, 600)
    assert shown[0].shape == (y2 - y1, x2 - x1, 3)


def test_a_face_in_two_regions_is_one_and_a_face_of_nobody_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    close = [(180.0, 90.0, 260.0, 400.0, 0.9), (190.0, 85.0, 270.0, 390.0, 0.8)]
    detect, shown = looking(close, monkeypatch)
    assert len(detect(IMAGE)) == 1 and len(shown) == 2
    nobody, unseen = looking([], monkeypatch)
    assert nobody(IMAGE).shape == (0, 6) and not unseen
    elsewhere, _ = looking([(500.0, 100.0, 600.0, 500.0, 0.9)], monkeypatch)
    assert elsewhere(IMAGE).shape == (0, 6)


def test_people_too_small_for_any_assessment_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    detect, shown = looking([(205.0, 95.0, 225.0, 150.0, 0.9)], monkeypatch)
    assert detect(IMAGE).shape == (0, 6) and not shown
