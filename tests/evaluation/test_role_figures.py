from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluation.formats import TruthError
from evaluation.roles import Read, Wearer, measure, read_wearers
from models.registry import Weights
from vision.roles.features import COLOUR_DIMENSION, RoleFeatures
from zones.facility import Role

ROLES = (Role.RESIDENT, Role.STAFF_PPE, Role.OUTSIDER)
SIZE = 3 + COLOUR_DIMENSION


class Nobody:
    """Names the features; the crops are made up."""

    dimension = 3
    weights = Weights("none", Path("none.pt"), "a" * 64, None, False)

    def read(self, people: object) -> np.ndarray:
        raise AssertionError("nothing is looked at")


def scene(apart: float) -> tuple[Read, list[Wearer]]:
    """Six tracks of each role, two of each person, eight crops each; classes `apart` from each other."""
    rng = np.random.default_rng(0)
    wearers, rows, owner = [], [], []
    for k, role in enumerate(ROLES):
        for track in range(6):
            centre = apart * (np.arange(SIZE) % 3 == k) + rng.normal(0, 1, SIZE)
            rows.append(centre + rng.normal(0, 0.3, (8, SIZE)))
            owner += [len(wearers)] * 8
            wearers.append(Wearer(len(wearers), f"{role}-{track // 2}", role))
    return Read(np.concatenate(rows).astype(np.float32), np.array(owner)), wearers


def test_roles_that_differ_are_told_and_those_that_do_not_are_left_unknown() -> None:
    far = measure(*scene(4.0), RoleFeatures(Nobody()), draws=3)
    near = measure(*scene(0.0), RoleFeatures(Nobody()), draws=3)
    assert far["other tracks"]["right"]["mean"] == 1.0
    assert far["other tracks"]["unknown"]["mean"] < 0.4
    assert near["other tracks"]["wrong"]["mean"] < 0.4 < near["other tracks"]["unknown"]["mean"]
    assert far["other tracks"]["tracks"] == 9.0


def test_the_same_seed_gives_the_same_figures() -> None:
    assert measure(*scene(5.0), RoleFeatures(Nobody()), draws=3, seed=4) == measure(
        *scene(5.0), RoleFeatures(Nobody()), draws=3, seed=4
    )


def test_more_tracks_than_there_are_cannot_be_labelled() -> None:
    with pytest.raises(TruthError, match="got 6 of 6 as resident"):
        measure(*scene(5.0), RoleFeatures(Nobody()), tracks=6)


def test_the_wearers_of_the_sample_footage_are_nineteen_tracks_of_ten_people() -> None:
    wearers = read_wearers(Path(__file__).parents[2] / "data" / "pets_clothes.csv")
    assert len(wearers) == 19 and len({item.person for item in wearers}) == 10
    assert all(len({w.role for w in wearers if w.person == item.person}) == 1 for item in wearers)


@pytest.mark.parametrize("content", ["", "track,role\n1,resident\n", "track,person,role\n1,A,unknown\n"])
def test_a_file_that_says_nothing_of_wearers_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "wearers.csv"
    file.write_text(content)
    with pytest.raises(TruthError, match="expected"):
        read_wearers(file)
