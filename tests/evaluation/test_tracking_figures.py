from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.formats import TruthError
from evaluation.tracking import align, estimates, tracking_accuracy
from tests.evaluation.scenes import Boxes, true_tracks, watched

FRAMES = 100


def walk(tracks: int = 3, frames: int = FRAMES) -> dict[tuple[int, int], tuple[float, float, float, float]]:
    return {
        (f, track): (10 + 2 * f, 200 * track, 60 + 2 * f, 200 * track + 120)
        for track in range(1, tracks + 1)
        for f in range(frames)
    }


def test_perfect_tracks_have_perfect_estimates_and_no_interval() -> None:
    found = tracking_accuracy(watched(walk(), FRAMES), true_tracks(walk()), block_s=4, resamples=20, seed=0)
    assert (found.frames, found.truth, found.people, found.blocks) == (100, 300, 3, 5)
    assert found.rate == pytest.approx(5.0)
    for name in ("hota", "det_a", "ass_a", "mota", "idf1"):
        estimate = found.estimates[name]
        assert (estimate.value, estimate.low, estimate.high) == (1.0, None, None), name
    assert [found.estimates[n].value for n in ("switches", "false_positives", "misses")] == [0, 0, 0]


def messy(seed: int) -> tuple[Boxes, Boxes]:
    """True boxes, and found ones that miss, invent, wander and swap ids."""
    rng = np.random.default_rng(seed)
    truth, found = walk(4), {}
    for (frame, track), box in truth.items():
        if rng.random() < 0.85:
            name = track if frame < 40 or track > 2 else 3 - track
            name = name if rng.random() < 0.97 else 90 + track
            found[frame, name] = tuple(np.array(box) + rng.normal(0, 6, 4))
        if rng.random() < 0.05:
            found[frame, 1000 + frame] = (900.0, 100.0, 950.0, 200.0)
    return truth, found


def test_estimates_are_those_of_the_package_on_files(tmp_path: Path) -> None:
    from trackers.eval import evaluate_mot_sequence

    truth, found = messy(0)
    for name, boxes in (("truth", truth), ("found", found)):
        lines = [
            f"{frame + 1},{track},{x1},{y1},{x2 - x1},{y2 - y1},1,1,1\n"
            for (frame, track), (x1, y1, x2, y2) in boxes.items()
        ]
        (tmp_path / f"{name}.txt").write_text("".join(lines))
    theirs = evaluate_mot_sequence(
        tmp_path / "truth.txt", tmp_path / "found.txt", ["CLEAR", "Identity", "HOTA"]
    )
    ours = tracking_accuracy(
        watched(found, FRAMES), true_tracks(truth), block_s=4, resamples=20, seed=0
    ).estimates
    assert ours["mota"].value == pytest.approx(theirs.CLEAR.MOTA)
    assert ours["idf1"].value == pytest.approx(theirs.Identity.IDF1)
    assert ours["hota"].value == pytest.approx(theirs.HOTA.HOTA, abs=1e-6)
    assert ours["switches"].value == theirs.CLEAR.IDSW > 5
    assert ours["false_positives"].value == theirs.CLEAR.CLR_FP > 0
    assert ours["misses"].value == theirs.CLEAR.CLR_FN > 0


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([2.0, 7.0, 60.0]))
def test_counts_add_up_over_blocks_of_any_length(seed: int, block_s: float) -> None:
    truth, found = messy(seed)
    scene = align(watched(found, FRAMES), true_tracks(truth), block_s)
    assert scene.blocks == -(-20 // block_s)
    whole = align(watched(found, FRAMES), true_tracks(truth), 1000.0)
    one, many = estimates(whole, 1, 0), estimates(scene, 1, 0)
    assert {name: e.value for name, e in one.items()} == {name: e.value for name, e in many.items()}
    assert all(estimate.interval is None for estimate in one.values())  # one block gives no interval


def test_intervals_hold_the_values_and_depend_on_the_seed_alone() -> None:
    truth, found = messy(1)
    one, same, other = (
        tracking_accuracy(
            watched(found, FRAMES), true_tracks(truth), block_s=2, resamples=20, seed=seed
        ).estimates
        for seed in (5, 5, 6)
    )
    assert one == same and one != other
    for name in ("mota", "switches", "false_positives", "misses"):
        low, value, high = one[name].low, one[name].value, one[name].high
        assert low is not None and value is not None and high is not None and low <= value <= high
        assert low < high


def test_neither_an_ignored_box_nor_what_lies_on_it_counts() -> None:
    boxes = walk(2)
    ignored = frozenset(key for key in boxes if key[1] == 2)
    with_both = tracking_accuracy(watched(boxes, FRAMES), true_tracks(boxes, ignored), resamples=20, seed=0)
    without = {key: box for key, box in boxes.items() if key[1] == 1}
    with_one = tracking_accuracy(watched(without, FRAMES), true_tracks(boxes, ignored), resamples=20, seed=0)
    for found in (with_both, with_one):
        assert found.truth == 100 and found.estimates["mota"].value == 1.0
        assert found.estimates["false_positives"].value == found.estimates["misses"].value == 0


def test_undetected_people_are_missed_and_truth_of_other_frames_is_an_error() -> None:
    found = tracking_accuracy(watched({}, FRAMES), true_tracks(walk()), resamples=20, seed=0)
    assert found.estimates["misses"].value == 300 and found.estimates["mota"].value == 0.0
    late = {(frame + 500, track): box for (frame, track), box in walk().items()}
    with pytest.raises(TruthError, match="expected truth of the 100 analysed frames, got none"):
        tracking_accuracy(watched(walk(), FRAMES), true_tracks(late), resamples=20, seed=0)
