"""The bars that the shipped weights must keep, on data they have never seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.running import ROOT, YARD, lazaretto

SHARED = ROOT.parent / "shared"
PETS = SHARED / "data" / "pets2009"
needs_shared = pytest.mark.skipif(
    not PETS.is_dir(), reason="the evaluation data are not beside this checkout"
)


@needs_shared
def test_people_are_followed_through_the_yard_at_five_frames_a_second_or_fewer() -> None:
    how = ("--source-fps", "7", "--resamples", "20", "--json", "-")
    ran = lazaretto("evaluate", "tracking", PETS / "vtest.avi", "--truth", PETS / "gt_mot.txt", *how)
    assert ran.code == 0, ran.err
    counts, figures = ran.json["counts"], ran.json["figures"]
    assert counts["frames"] == 398 and counts["frames_per_second"] <= 5
    assert figures["mota"]["value"] >= 0.82
    assert figures["idf1"]["value"] >= 0.75


@needs_shared
def test_masked_and_bare_faces_are_told_apart_on_another_source() -> None:
    ran = lazaretto("models", "evaluate", "mask", "--data", SHARED)
    assert ran.code == 0, ran.err
    figures = ran.json
    assert figures["faces"] == 1192 and figures["accuracy"] >= 0.94
    assert figures["recall"]["masked"] >= 0.95 and figures["recall"]["unmasked"] >= 0.86
    assert figures["recall"]["incorrect"] >= 0.7 and figures["calibration_error"] <= 0.03


def test_truth_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "truth.txt").write_text("no,numbers,here\n")
    ran = lazaretto("evaluate", "tracking", YARD, "--truth", tmp_path / "truth.txt")
    assert ran.code == 2 and "truth.txt: line 1: expected MOT text" in ran.err


def test_bench_prints_each_workload_and_its_ratio_to_the_loop(tmp_path: Path) -> None:
    from tests.footage import write_video
    from tests.pipelines.running import FACILITY

    video = write_video(tmp_path / "20261124T080000Z.mp4", 30)
    ran = lazaretto(
        "bench", video, "--facility", FACILITY, "--camera", "yard", "--loop-imgsz", "320", "--json"
    )
    assert ran.code == 0, ran.err
    rows = {row["workload"]: row for row in ran.json}
    assert set(rows) == {"decode", "loop", "pipeline"}
    assert rows["loop"]["times_the_loop"] == 1
    assert [rows[name]["frames"] for name in ("decode", "loop", "pipeline")] == [30, 30, 15]
    assert all(row["speed"] > 0 and row["peak_mb"] > 50 for row in ran.json)
