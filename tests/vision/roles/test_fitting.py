from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vision.roles.fitting import Labelled, calibration_error, fit
from vision.roles.model import FeatureIdentity, RoleClassifier, RoleError, RoleModel, read_model
from zones.facility import Role

SIZE = 12
CLASSES = ((Role.RESIDENT,), (Role.STAFF_PPE,), (Role.OUTSIDER,))
IDENTITY = FeatureIdentity(appearance="a" * 64, colour="test", dimension=SIZE)
PLACES = np.eye(3, SIZE) * 4


def people(
    per_class: int, crops: int = 5, seed: int = 0, noise: float = 1.0, places: np.ndarray = PLACES
) -> Labelled:
    """Crops of simulated people: crops of a person are close, people of a class a little less."""
    rng = np.random.default_rng(seed)
    rows, classes, tracks = [], [], []
    for k, place in enumerate(places):
        for person in range(per_class):
            centre = place + noise * rng.normal(size=SIZE)
            rows.append(centre + 0.3 * noise * rng.normal(size=(crops, SIZE)))
            classes += [k] * crops
            tracks += [f"{k}-{person}"] * crops
    return Labelled(np.concatenate(rows), np.array(classes), tracks)


def model(labelled: Labelled, **fields: object) -> RoleModel:
    given = {"facility": "T-1", "made": "2026-11-24T00:00:00Z", **fields}
    return fit(labelled, CLASSES, IDENTITY, **given)  # type: ignore[arg-type]


def test_different_classes_are_distinguished_on_new_people() -> None:
    trained = model(people(6))
    new = people(20, seed=1)
    shares = RoleClassifier(trained).classes(new.features)
    known = shares.sum(axis=1) > 0
    assert known.mean() > 0.7
    assert (shares.argmax(axis=1) == new.classes)[known].mean() > 0.95
    assert trained.held_out.track_accuracy == 1.0
    assert [count.tracks for count in trained.counts] == [6, 6, 6]


def test_random_labels_leave_people_unknown() -> None:
    trained = model(people(8, places=np.zeros((3, SIZE))))
    assert trained.held_out.tracks_wrong < 0.25
    shares = RoleClassifier(trained).classes(people(20, seed=1, places=np.zeros((3, SIZE))).features)
    assert np.median(shares.max(axis=1)) < 0.7


def test_probabilities_of_overlapping_classes_are_calibrated() -> None:
    overlap = PLACES / 3
    trained = model(people(60, crops=3, places=overlap), guarded=False)
    new = people(150, crops=1, seed=5, places=overlap)
    shares = RoleClassifier(trained).classes(new.features)
    assert calibration_error(shares.max(axis=1), shares.argmax(axis=1) == new.classes) < 0.08


def test_a_person_unlike_all_labelled_people_gets_zeros_if_there_is_a_guard() -> None:
    stranger = np.full((1, SIZE), -9.0)
    assert not RoleClassifier(model(people(6))).classes(stranger).any()
    assert RoleClassifier(model(people(6), guarded=False)).classes(stranger).sum() == pytest.approx(1)


def test_training_is_deterministic_and_the_model_survives_its_file(tmp_path: Path) -> None:
    trained = model(people(4))
    assert trained == model(people(4))
    file = tmp_path / "roles.json"
    file.write_text(trained.to_json())
    assert read_model(file) == trained


def test_crops_of_one_person_are_never_in_both_training_and_test() -> None:
    """Classes that do not differ can only be predicted from the same person's other crops."""
    alike = people(8, crops=10, places=np.zeros((3, SIZE)))
    assert model(alike).held_out.crop_accuracy < 0.65


@pytest.mark.parametrize(
    ("labelled", "sentence"),
    [
        (people(1), "at least 2 people as resident, got 1"),
        (
            Labelled(np.zeros((4, SIZE)), np.array([0, 0, 1, 2]), ["a", "b", "a", "c"]),
            "resident and staff_ppe for track a",
        ),
    ],
)
def test_labels_that_cannot_be_cross_validated_are_refused(labelled: Labelled, sentence: str) -> None:
    with pytest.raises(RoleError, match=sentence):
        model(labelled)


def test_a_class_of_several_roles_shares_its_probability_among_them() -> None:
    pair = people(6)
    two = Labelled(pair.features, np.minimum(pair.classes, 1), pair.tracks)
    others = (Role.RESIDENT, Role.STAFF_NO_PPE, Role.OUTSIDER)
    trained = fit(two, ((Role.STAFF_PPE,), others), IDENTITY, facility=None, made="now", guarded=False)
    classifier = RoleClassifier(trained)
    (ppe, rest), roles = classifier.classes(pair.features[:1])[0], classifier.roles(pair.features[:1])[0]
    assert roles.sum() == pytest.approx(1)
    assert roles[1] == pytest.approx(ppe / (ppe + 3 * rest))
    assert roles[0] == roles[2] == roles[3]


def test_roles_without_labels_are_nan() -> None:
    roles = RoleClassifier(model(people(6))).roles(people(1).features)
    assert np.isnan(roles[:, 2]).all() and not np.isnan(roles[:, [0, 1, 3]]).any()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"format": "lazaretto-roles-1"', '"format": "else"', "format"),
        ('"temperature":', '"temperature": 0, "was":', "temperature"),
        ('"dimension": 12', '"dimension": 13', "mean: expected 13 values, got 12"),
        ('"outsider"', '"resident"', "each once"),
        ("{", "[", "JSON"),
    ],
)
def test_a_file_that_is_not_a_role_model_is_refused(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    file = tmp_path / "roles.json"
    file.write_text(model(people(3)).to_json().replace(old, new, 1))
    with pytest.raises(RoleError, match=sentence):
        read_model(file)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    assert calibration_error(np.array([0.95] * 4), np.array([True] * 3 + [False])) == pytest.approx(0.2)
    assert calibration_error(np.zeros(3), np.zeros(3, bool)) == 0
