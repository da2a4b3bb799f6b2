"""`lazaretto bench` on small footage: all workloads, a set that was built, its curve, and mistakes."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.footage import write_video
from tests.running import FACILITY, YARD, lazaretto_here, one_sentence

WORKLOADS = ("decode", "track", "supervision", "gate", "pipeline")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of two cameras, built by the command from a small recording with facts."""
    folder = tmp_path_factory.mktemp("bench")
    videos = folder / "media" / "videos"
    videos.mkdir(parents=True)
    write_video(videos / "room_one_by_one.mp4", 200, fps=10, size=(320, 180))
    facts = {"fps": 10, "presence_intervals_frames": [[20, 60], [110, 150]]}
    (videos / "facts.json").write_text(json.dumps({"room_one_by_one.mp4": facts}))
    target = folder / "sets"
    options = ("--media", folder / "media", "--samples", folder, "--seconds", "4", "--cameras", "2")
    ran = lazaretto_here("bench", "--build", target, *options)
    assert ran.code == 0, ran.err
    assert ran.out.strip() == f"lazaretto bench {target / 'mixed'}"
    return target / "mixed"


@pytest.mark.slow
def test_all_workloads_run_on_a_video_and_are_set_side_by_side(tmp_path: Path) -> None:
    video = write_video(tmp_path / "20261124T080000Z.mp4", 30)
    tracks = tmp_path / "truth.txt"
    tracks.write_text("".join(f"{frame},1,60,40,20,60\n" for frame in range(1, 31)))
    ran = lazaretto_here(
        *("bench", video, "--facility", FACILITY, "--camera", "yard", "--truth-tracks", tracks),
        *("--loop-imgsz", "320", "--repeats", "1", "--json", "--output", tmp_path / "out"),
    )
    assert ran.code == 0, ran.err
    rows = {row["workload"]: row for row in ran.json["workloads"]}
    assert tuple(rows) == WORKLOADS
    assert [rows[name]["frames"] for name in WORKLOADS] == [30, 30, 15, 15, 15]
    assert rows["track"]["times_track"] == rows["decode"]["times_decoding"] == 1
    for name, row in rows.items():
        assert row["speed"] > 0 and row["cpu_s"] > 0 and row["peak_mb"] > 20
        assert row["footage_s"] == 3
        assert (row["event_accuracy"] is None) == (name == "decode")
    assert rows["gate"]["counts"]["regions"] > 0
    assert ran.json["bars"] == []  # of the project's own footage alone
    assert ran.json["machine"]["cores"] >= 1
    assert json.loads((tmp_path / "out" / f"{video.stem}.json").read_text()) == ran.json


def test_a_set_that_was_built_is_timed_with_a_curve(built: Path, tmp_path: Path) -> None:
    options = ("--workload", "decode", "--repeats", "2", "--curve", "--output", tmp_path)
    ran = lazaretto_here("bench", built, *options)
    assert ran.code == 0, ran.err
    assert "mixed: 2 cameras, medians of 2" in ran.out and "2 cameras: facts noted by a person" in ran.out
    result = json.loads((tmp_path / "mixed.json").read_text())
    [decode] = result["workloads"]
    assert decode["frames"] == 120 and decode["footage_s"] == 8 and len(decode["runs"]) == 2
    assert [point["cameras"] for point in result["curve"]["decode"]["points"]] == [1, 2]
    assert result["curve"]["decode"]["mb_per_further_camera"] is not None
    drawing = ET.parse(tmp_path / "mixed-curve.svg").getroot()
    assert sum(item.tag.endswith("circle") for item in drawing.iter()) == 6  # two points in three panels


def test_seconds_cut_the_footage_at_the_next_key_frame(built: Path) -> None:
    ran = lazaretto_here(
        "bench", built, "--workload", "decode", "--repeats", "1", "--seconds", "0.5", "--json"
    )
    assert ran.code == 0, ran.err
    assert ran.json["workloads"][0]["frames"] == 60  # a key frame every two seconds, 15 frames/s


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "expected a VIDEO, the folder of a set, or --build FOLDER, got none"),
        ((YARD,), "expected --facility and --camera beside a VIDEO"),
        (("--build", "there"), "expected --media"),
        (("--build", "there", "--media", "nowhere"), "nowhere: expected videos/ with facts.json"),
        ((YARD, "--facility", FACILITY, "--camera", "hall"), "expected a camera of SAMPLE-01"),
        (
            (YARD, "--facility", FACILITY, "--camera", "yard", "--workload", "fast"),
            "expected a workload among",
        ),
        (
            (YARD, "--facility", FACILITY, "--camera", "yard", "--truth-tracks", "none.txt"),
            "none.txt: expected a file, got none",
        ),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str | Path, ...], said: str) -> None:
    ran = lazaretto_here("bench", *arguments)
    assert ran.code == 2 and said in one_sentence(ran)


def test_a_folder_without_a_set_and_a_set_with_a_camera_are_refused(built: Path, tmp_path: Path) -> None:
    ran = lazaretto_here("bench", tmp_path)
    assert ran.code == 2 and "expected a folder with bench.json" in one_sentence(ran)
    ran = lazaretto_here("bench", built, "--camera", "yard")
    assert ran.code == 2 and "expected the folder of a set alone" in one_sentence(ran)
    (tmp_path / "bench.json").write_text('{"schema": 1, "name": "x", "facility": "f.yaml", "cameras": []}')
    ran = lazaretto_here("bench", tmp_path)
    assert ran.code == 2 and "bench.json: cameras" in one_sentence(ran)


def test_what_a_workload_failed_on_is_one_sentence(built: Path) -> None:
    ran = lazaretto_here("bench", built, "--workload", "track", "--person", "no-such-weights.pt")
    assert ran.code == 2 and "bench track: " in ran.err and "no-such-weights.pt" in ran.err
    assert "Traceback" not in ran.err
