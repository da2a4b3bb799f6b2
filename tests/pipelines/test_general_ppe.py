from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import ModelError
from models.registry import Weights, resolve, sha256
from pipelines.teaching.ppe import SOURCES, train_general_model
from pipelines.teaching.role_model import GENERAL_MODEL_FILE
from vision.roles.features import RoleFeatures
from vision.roles.model import RoleClassifier, read_model
from zones.facility import Role

ORANGE, GREY = (20, 120, 250), (90, 95, 100)


class MeanColour:
    """Stands in for the embedding network: the mean colour, as a unit vector."""

    dimension = 3
    weights = Weights("plain", Path("plain.pt"), "a" * 64, None, False)

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        means = []
        for image, box in people:
            x1, y1, x2, y2 = box.astype(int)
            means.append(image[y1:y2, x1:x2].reshape(-1, 3).mean(axis=0) + 1)
        return (np.array(means) / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)


def source(folder: Path, seed: int) -> None:
    """Ten images, each with a person in an orange vest (labelled) and a person in grey."""
    rng = np.random.default_rng(seed)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    (folder / "classes.txt").write_text("Person\nVest\n")
    for n in range(10):
        image = cv2.resize(rng.integers(0, 255, (8, 9, 3), np.uint8), (200, 160))
        cv2.rectangle(image, (20, 20), (70, 140), ORANGE, -1)
        cv2.rectangle(image, (120, 20), (170, 140), GREY, -1)
        cv2.imwrite(str(folder / "images" / f"{seed}-{n}.png"), image)
        boxes = [(0, 45, 80, 50, 120), (0, 145, 80, 50, 120), (1, 45, 70, 40, 50)]
        lines = [f"{c} {x / 200} {y / 160} {w / 200} {h / 160}" for c, x, y, w, h in boxes]
        (folder / "labels" / f"{seed}-{n}.txt").write_text("\n".join(lines))


def test_garments_are_assigned_to_people_and_learned(tmp_path: Path) -> None:
    for seed, name in enumerate(SOURCES):
        source(tmp_path / name, seed)
    model, figures = train_general_model(tmp_path, RoleFeatures(MeanColour()))
    assert (figures["people"], figures["pictures"]) == (40, 20)
    assert figures["groups"] > 10
    held_out = figures["held out by group"]
    assert held_out["vest"]["people"] == 20 and held_out["vest"]["likelier than not"] == 1
    assert held_out["plain"]["staff_ppe at 0.7"] == 0
    assert model.facility is None and model.guard is None and model.classes[0] == (Role.STAFF_PPE,)


def test_near_duplicate_images_are_one_group(tmp_path: Path) -> None:
    for seed, name in enumerate(SOURCES):
        source(tmp_path / name, seed)
    folder = tmp_path / SOURCES[0]
    before = train_general_model(tmp_path, RoleFeatures(MeanColour()))[1]
    for n in range(5):
        (folder / "images" / f"copy{n}.png").write_bytes((folder / "images" / "0-0.png").read_bytes())
        (folder / "labels" / f"copy{n}.txt").write_bytes((folder / "labels" / "0-0.txt").read_bytes())
    after = train_general_model(tmp_path, RoleFeatures(MeanColour()))[1]
    assert after["people"] == before["people"] + 10 and after["groups"] == before["groups"]


def test_the_error_names_a_missing_data_set(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected a data set at .*ppe_syook"):
        train_general_model(tmp_path, RoleFeatures(MeanColour()))


def test_the_shipped_model_fits_the_shipped_appearance_weights_and_recognises_only_staff_in_ppe() -> None:
    model = read_model(GENERAL_MODEL_FILE)
    assert model.features.appearance == resolve("appearance").sha256, "train it anew: lazaretto roles ppe"
    classifier = RoleClassifier(model)
    shares = classifier.roles(np.random.default_rng(0).normal(size=(200, model.features.dimension)) * 3)
    assert shares.sum(axis=1) == pytest.approx(1)
    assert shares[:, [0, 2, 3]].max() <= 1 / 3 + 1e-9


def test_the_card_states_the_checksums_of_the_model_and_its_weights() -> None:
    card = (GENERAL_MODEL_FILE.parents[1] / "cards" / "ppe.md").read_text()
    assert sha256(GENERAL_MODEL_FILE) in card and read_model(GENERAL_MODEL_FILE).features.appearance in card
