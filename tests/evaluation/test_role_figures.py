from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluation.formats import TruthError
from evaluation.roles import TrackCrops, TrackRole, read_track_roles, role_accuracy
from models.registry import Weights
from vision.roles.features import COLOUR_DIMENSION, RoleFeatures
from zones.facility import Role

ROLES = (Role.RESIDENT, Role.STAFF_PPE, Role.OUTSIDER)
SIZE = 3 + COLOUR_DIMENSION


class NamedFeatures:
    """Names the features; the crops are made up."""

    dimension = 3
    weights = Weights("none", Path("none.pt"), "a" * 64, None, False)

    def read(self, people: object) -> np.ndarray:
        raise AssertionError("no crop is read")


def scene(apart: float) -> tuple[TrackCrops, list[TrackRole]]:
    """Six tracks of each role, two of each person, eight crops each; classes `apart` from each other."""
    rng = np.random.default_rng(0)
    track_roles, rows, owner = [], [], []
    for k, role in enumerate(ROLES):
        for track in range(6):
            centre = apart * (np.arange(SIZE) % 3 == k) + rng.normal(0, 1, SIZE)
            rows.append(centre + rng.normal(0, 0.3, (8, SIZE)))
            owner += [len(track_roles)] * 8
            track_roles.append(TrackRole(len(track_roles), f"{role}-{track // 2}", role))
    return TrackCrops(np.concatenate(rows).astype(np.float32), np.array(owner)), track_roles


def test_roles_that_differ_are_recognised_and_those_that_do_not_are_left_unknown() -> None:
    far = role_accuracy(*scene(4.0), RoleFeatures(NamedFeatures()), repeats=3)
    near = role_accuracy(*scene(0.0), RoleFeatures(NamedFeatures()), repeats=3)
    assert far["other tracks"]["correct"]["mean"] == 1.0
    assert far["other tracks"]["unknown"]["mean"] < 0.4
    assert near["other tracks"]["wrong"]["mean"] < 0.4 < near["other tracks"]["unknown"]["mean"]
    assert far["other tracks"]["tracks"] == 9.0


def test_the_same_seed_gives_the_same_accuracy() -> None:
    assert role_accuracy(*scene(5.0), RoleFeatures(NamedFeatures()), repeats=3, seed=4) == role_accuracy(
        *scene(5.0), RoleFeatures(NamedFeatures()), repeats=3, seed=4
    )


def test_more_tracks_than_there_are_cannot_be_labelled() -> None:
    with pytest.raises(TruthError, match="got 6 of 6 as resident"):
        role_accuracy(*scene(5.0), RoleFeatures(NamedFeatures()), tracks_per_role=6)


def test_the_track_roles_of_the_sample_footage_are_nineteen_tracks_of_ten_people() -> None:
    track_roles = read_track_roles(Path(__file__).parents[2] / "data" / "pets_clothes.csv")
    assert len(track_roles) == 19 and len({item.person for item in track_roles}) == 10
    assert all(len({w.role for w in track_roles if w.person == item.person}) == 1 for item in track_roles)


@pytest.mark.parametrize("content", ["", "track,role\n1,resident\n", "track,person,role\n1,A,unknown\n"])
def test_a_file_without_known_roles_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "track_roles.csv"
    file.write_text(content)
    with pytest.raises(TruthError, match="expected"):
        read_track_roles(file)
