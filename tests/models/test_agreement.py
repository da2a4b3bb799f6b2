from __future__ import annotations

import numpy as np
import pytest

from models.agreement import (
    F16,
    TOLERANCES,
    compare_embeddings,
    compare_poses,
    compare_probabilities,
    pairs,
)
from models.devices import Poses


def poses(boxes: list[list[float]]) -> list[Poses]:
    """Faces in one image, each with its landmarks in the middle of the box."""
    rows = np.array(boxes, np.float32).reshape(-1, 5)
    centres = (rows[:, None, :2] + rows[:, None, 2:4]) / 2
    landmarks = np.concatenate([np.repeat(centres, 5, axis=1), np.ones((len(rows), 5, 1))], axis=2)
    return [Poses(rows, landmarks.astype(np.float32))]


FACES = [[10.0, 10.0, 40.0, 50.0, 0.9], [60.0, 10.0, 90.0, 50.0, 0.5]]
LIMIT = TOLERANCES["cuda", F16]


def faults(found: list[list[float]]) -> tuple[str, ...]:
    image = np.zeros((100, 100, 3), np.uint8)
    _, _, sentences = compare_poses(poses(FACES), poses(found), [image], 100, 0.05, LIMIT)
    return tuple(sentences)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, None),
        ({(0, 2): 40.5}, None),
        ({(0, 2): 44.0}, "edges of boxes"),
        ({(0, 4): 0.8}, "scores"),
        ({(1, 0): 64.0}, "landmarks"),
    ],
)
def test_differences_beyond_a_tolerance_are_named(
    change: dict[tuple[int, int], float], expected: str | None
) -> None:
    found = [list(row) for row in FACES]
    for (row, column), value in change.items():
        found[row][column] = value
    sentences = faults(found)
    assert (sentences == ()) if expected is None else any(expected in item for item in sentences)


def test_a_missing_detection_counts_unless_its_score_is_at_the_threshold() -> None:
    assert any("on one device only, got 1 of 2" in item for item in faults(FACES[:1]))
    at_threshold = [70.0, 60.0, 90.0, 90.0, 0.06]
    assert faults([*FACES, at_threshold]) == ()


def test_boxes_are_paired_one_to_one_by_overlap() -> None:
    one = np.array([[0.0, 0, 10, 10], [0, 0, 10, 12]])
    other = np.array([[0.0, 0, 10, 12], [50, 50, 60, 60]])
    assert pairs(one, other) == [(1, 0)]


def test_probabilities_and_embeddings_are_compared_row_by_row() -> None:
    one = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert compare_probabilities(one, one, LIMIT)[1] == ()
    measures, sentences = compare_probabilities(one, one[::-1], LIMIT)
    assert measures["other_class"] == 2 and "class probabilities" in sentences[0]
    unit = np.eye(3)
    assert compare_embeddings(unit, unit, LIMIT)[1] == ()
    assert "cosine" in compare_embeddings(unit, np.roll(unit, 1, axis=0), LIMIT)[1][0]
    assert compare_embeddings(unit, np.full((3, 3), np.nan), LIMIT)[1], "not a number is no agreement"
