"""Recordings as real recorders write them: no time is lost in silence."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.footage import write_video
from tests.running import ROOT, lazaretto

CASES = ROOT.parent / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the recordings in ../shared/cases are not here")


def analyse(source: Path, home: Path, facility: Path | None = None, code: int = 0) -> tuple[Any, str]:
    """What the command says of the camera `yard`, and its warnings."""
    ran = lazaretto(
        *("analyze", f"yard={source}", "--facility", facility or CASES / "facility.yaml"),
        *("--home", home, "--json"),
    )
    assert ran.code == code, ran.err
    return ran.json["cameras"][0], ran.err


def spans(camera: Any) -> list[tuple[str, str, str]]:
    """Start, end and state of the coverage, as times of day UTC to the hundredth of a second."""
    return [(item["start"][11:22], item["end"][11:22], item["state"]) for item in camera["coverage"]]


@needs_cases
@pytest.mark.parametrize(
    ("case", "frames", "end", "said"),
    [
        ("inflated_duration", 105, "01:00:30.00", "the file states 10 h of footage and holds 10 s"),
        ("ts_clock_jump", 105, "01:00:30.00", "jumps ahead by 3 h 0 min"),
        ("overlap_preroll", 112, "01:00:32.00", "8 s of 1 file were left out: that time"),
        ("phantom_gaps", None, "01:00:12.00", ""),
        ("dup_timestamps", None, "01:00:19.9", "equal timestamps"),
    ],
)
def test_all_footage_is_analysed_once(
    case: str, frames: int | None, end: str, said: str, tmp_path: Path
) -> None:
    camera, err = analyse(CASES / case, tmp_path / "home")
    [(start, until, state)] = spans(camera)
    assert (start, state) == ("01:00:00.00", "analysed") and end <= until <= end + "9"
    assert frames is None or camera["frames"] == frames
    assert said in err and (said or "lazaretto: " not in err)


@needs_cases
def test_a_file_that_is_still_being_written_goes_on_where_it_was_left(tmp_path: Path) -> None:
    file = tmp_path / "yard_20261124_080000.ts"
    shutil.copy(CASES / "growing" / "half.ts", file)
    first, _ = analyse(file, tmp_path / "home")
    shutil.copy(CASES / "growing" / "full.ts", file)
    second, _ = analyse(file, tmp_path / "home")
    assert spans(first)[-1][1].startswith("01:00:14.")
    assert {state for _, _, state in spans(second)} == {"analysed"} and spans(second)[-1][1] > "01:00:28"
    # 30 s at 3.5 frames per second; the sampling begins anew where it goes on.
    assert 104 <= first["frames"] + second["frames"] <= 106


FACILITY = """schema: 2
facility: {code: LC-01, name: Test, managing_body: Test}
cameras:
  - {id: yard, places: [yard]}
"""


@pytest.fixture
def facility(tmp_path: Path) -> Path:
    path = tmp_path / "facility.yaml"
    path.write_text(FACILITY)
    return path


def test_a_claimed_loss_keeps_no_later_footage_out(facility: Path, tmp_path: Path) -> None:
    """A pause of nine minutes within a file, in which another file lies."""
    folder = tmp_path / "day"
    folder.mkdir()
    times = [*range(0, 3000, 100), *range(540_000, 543_000, 100)]
    write_video(folder / "20261124T010000Z.mp4", 60, times_ms=times)
    write_video(folder / "20261124T010100Z.mp4", 30, first=100)
    camera, _ = analyse(folder, tmp_path / "home", facility)
    assert spans(camera) == [
        ("01:00:00.00", "01:00:02.90", "analysed"),
        ("01:00:02.90", "01:01:00.00", "offline"),
        ("01:01:00.00", "01:01:03.00", "analysed"),
        ("01:01:03.00", "01:09:00.00", "offline"),
        ("01:09:00.00", "01:09:03.00", "analysed"),
    ]


def test_a_file_without_a_picture_is_a_fault_and_tried_again(facility: Path, tmp_path: Path) -> None:
    file = tmp_path / "20261124T010000Z.mp4"
    write_video(file, 30)
    data = file.read_bytes()
    file.write_bytes(data[:200])
    for _ in range(2):
        ran = lazaretto("analyze", f"yard={file}", "--facility", facility, "--home", tmp_path / "h")
        assert ran.code == 2 and file.name in ran.err


def test_a_file_named_before_the_end_of_the_one_before_is_analysed_from_there(
    facility: Path, tmp_path: Path
) -> None:
    """The clock of the recorder drifts: the second file is named 1.5 s too early."""
    folder = tmp_path / "day"
    folder.mkdir()
    write_video(folder / "20261124T010000Z.mp4", 60)
    write_video(folder / "20261124T010004.500Z.mp4", 60, first=100)
    camera, _ = analyse(folder, tmp_path / "home", facility)
    assert spans(camera) == [("01:00:00.00", "01:00:10.50", "analysed")]


def test_a_clock_that_restarts_below_its_first_value_loses_no_picture_and_each_restart_is_named(
    facility: Path, tmp_path: Path
) -> None:
    parts = [
        write_video(tmp_path / f"{n}.ts", 20, offset_ms=offset, first=20 * n)
        for n, offset in enumerate((60_000, 30_000, 0))
    ]
    joined = tmp_path / "20261124_080000.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    camera, err = analyse(joined, tmp_path / "home", facility)
    assert spans(camera) == [("01:00:00.00", "01:00:06.00", "analysed")]
    assert err.count("its clock goes back by 31.9 s") == 2


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
@pytest.mark.parametrize("ahead_ms", [60_000, 3_600_000])
def test_a_last_picture_that_is_stamped_far_ahead_costs_itself_only(
    suffix: str, ahead_ms: int, facility: Path, tmp_path: Path
) -> None:
    times = [100 * n for n in range(40)]
    times[-1] += ahead_ms
    clip = write_video(tmp_path / f"20261124_080000.{suffix}", 40, times_ms=times)
    camera, err = analyse(clip, tmp_path / "home", facility)
    assert "one picture is stamped" in err and "is left out" in err
    assert spans(camera)[0] == ("01:00:00.00", "01:00:03.80", "analysed")
    assert spans(camera)[-1][1] <= "01:00:04.10"
