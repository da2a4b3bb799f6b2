from __future__ import annotations

import numpy as np

from vision.roles.grouping import group_by_appearance, split_in_two


def crops(clothes: list[int], per_track: int = 4) -> tuple[np.ndarray, list[str]]:
    """Features of tracks, each in one kind of clothes: four columns of appearance, five of colour."""
    rng = np.random.default_rng(0)
    rows, tracks = [], []
    for number, kind in enumerate(clothes):
        for _ in range(per_track):
            rows.append(np.concatenate([np.eye(4)[kind], np.eye(5)[kind + 1]]) + rng.normal(0, 0.05, 9))
            tracks.append(f"t{number}")
    return np.array(rows), tracks


def test_tracks_in_the_same_clothes_are_one_group_and_the_largest_comes_first() -> None:
    groups = group_by_appearance(*crops([0, 1, 0, 2, 0, 1]), dimension=4)
    assert groups == [["t0", "t2", "t4"], ["t1", "t5"], ["t3"]]


def test_a_group_with_two_kinds_of_clothes_is_split_between_them() -> None:
    assert sorted(split_in_two(*crops([0, 1, 0]), dimension=4)) == [["t0", "t2"], ["t1"]]


def test_one_track_or_none_can_be_grouped() -> None:
    assert group_by_appearance(*crops([0]), dimension=4) == [["t0"]]
    assert split_in_two(*crops([0]), dimension=4) == [["t0"]]
    assert group_by_appearance(np.zeros((0, 9)), [], dimension=4) == []


def test_single_crops_are_grouped_too() -> None:
    assert group_by_appearance(*crops([0, 0, 1], per_track=1), dimension=4) == [["t0", "t1"], ["t2"]]
