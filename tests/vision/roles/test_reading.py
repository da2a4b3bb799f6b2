from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.registry import Weights
from vision.roles.features import RoleFeatures, colour_statistics
from vision.roles.fitting import Labelled, fit
from vision.roles.model import RoleError
from vision.roles.reading import RoleReader, clothes_visible
from zones.facility import Role

FILE = Weights("roles", Path("home/roles/T-1.json"), "f" * 64, None, False)
BOX = np.array([10.0, 10.0, 50.0, 130.0])


class MeanColour:
    """Stands in for the appearance network: the mean colour, as a unit vector."""

    dimension = 3

    def __init__(self, digest: str = "a" * 64) -> None:
        self.weights = Weights("plain", Path("plain.pt"), digest, None, False)

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        means = np.array([image.reshape(-1, 3).mean(axis=0) + 1 for image, _ in people])
        return (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)


def person(coat: tuple[int, int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    image = np.full((140, 60, 3), 128, np.uint8)
    cv2.rectangle(image, (10, 10), (50, 130), coat, -1)
    return cv2.add(image, np.random.default_rng(seed).integers(0, 25, image.shape, np.uint8)), BOX


WHITE, NAVY = (235, 235, 235), (90, 30, 20)


def reader(digest: str = "a" * 64) -> RoleReader:
    features = RoleFeatures(MeanColour())
    people = [person(coat, n) for n, coat in enumerate([WHITE, NAVY] * 8)]
    labelled = Labelled(features.read(people), np.array([0, 1] * 8), [f"{n // 4}-{n % 2}" for n in range(16)])
    model = fit(
        labelled,
        [(Role.STAFF_PPE,), (Role.RESIDENT,)],
        features.identity,
        facility="T-1",
        made="now",
        guarded=False,
    )
    return RoleReader(model, FILE, MeanColour(digest))


def test_clothes_give_probabilities_of_the_labelled_roles() -> None:
    white, navy = reader().read([person(WHITE, 99), person(NAVY, 98)])
    assert white[1] > 0.7 > white[0] and navy[0] > 0.7 > navy[1]
    assert np.isnan(white[2:]).all()


def test_no_people_give_no_rows() -> None:
    assert reader().read([]).shape == (0, 4)


def test_a_model_trained_on_other_features_is_refused() -> None:
    with pytest.raises(RoleError, match=r"T-1\.json: expected a role model trained on the features in use"):
        reader("b" * 64)


def test_colour_histograms_distinguish_coat_and_trousers() -> None:
    image = np.zeros((100, 40, 3), np.uint8)
    image[:50], image[50:] = (0, 0, 200), (200, 0, 0)
    upside_down = image[::-1].copy()
    box = np.array([0.0, 0.0, 40.0, 100.0])
    assert not np.allclose(colour_statistics(image, box), colour_statistics(upside_down, box))
    assert np.isclose((colour_statistics(image, box) ** 2).sum(), 6)


@pytest.mark.parametrize("box", [[-30, -30, 5, 5], [58, 138, 90, 190], [20, 20, 20, 20]])
def test_boxes_at_the_edge_of_the_frame_have_colours(box: list[float]) -> None:
    assert np.isfinite(colour_statistics(person(WHITE)[0], np.array(box, dtype=float))).all()


def test_small_and_hidden_people_are_not_read_and_people_in_front_are() -> None:
    boxes = np.array(
        [
            [0, 0, 40, 100, 0.9],  # half hidden by the next person, who is in front
            [15, 10, 55, 120, 0.9],
            [200, 0, 240, 100, 0.9],  # alone
            [300, 0, 315, 40, 0.9],  # small
        ],
        dtype=np.float32,
    )
    assert clothes_visible(boxes).tolist() == [False, True, True, False]
    assert clothes_visible(boxes[:0]).tolist() == []
