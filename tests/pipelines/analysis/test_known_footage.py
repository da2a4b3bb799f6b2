"""Footage that the ledger knows already is named, and counts are those of the file that judged it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.footage import write_video
from tests.running import lazaretto_here

FACILITY = """schema: 2
facility: {code: LC-01, name: Test, managing_body: Test}
cameras:
  - id: yard
    places: [yard]
    default_role: resident
    zones:
      - {id: wall, name: Tường, type: staff_only, polygon: [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]}
  - {id: gate, places: [lobby]}
"""


@pytest.fixture
def facility(tmp_path: Path) -> Path:
    path = tmp_path / "facility.yaml"
    path.write_text(FACILITY, "utf-8")
    return path


def analyse(source: str, facility: Path, *more: str) -> tuple[Any, str]:
    home = facility.parent / "home"
    ran = lazaretto_here("analyze", source, "--facility", facility, "--home", home, "--json", *more)
    assert ran.code == 0, ran.err
    return ran.json["cameras"][0], " ".join(ran.err.split())


def test_a_recording_that_was_analysed_as_another_camera_or_time_is_named(
    facility: Path, tmp_path: Path
) -> None:
    clip = write_video(tmp_path / "20261124_080000.mp4", 20)
    analyse(f"yard={clip}", facility)
    _, err = analyse(f"gate={clip}", facility)
    assert f"{clip}: the same recording was analysed before as camera yard" in err
    _, err = analyse(f"yard={clip}", facility, "--start", "2026-11-24 09:00")
    assert f"{clip}: the same recording was analysed before as of 2026-11-24T01:00:00" in err
    _, err = analyse(f"yard={clip}", facility)
    assert "the same recording" not in err  # it is skipped


def test_footage_that_was_judged_under_another_file_keeps_its_counts_and_says_so(
    facility: Path, tmp_path: Path
) -> None:
    clip = write_video(tmp_path / "20261124_080000.mp4", 20)
    first, err = analyse(f"yard={clip}", facility)
    assert "was judged under" not in err
    facility.write_text(FACILITY.replace("id: wall", "id: fence"), "utf-8")
    second, err = analyse(f"yard={clip}", facility)
    assert "camera yard: footage that was analysed before was judged under facility version" in err
    assert "lazaretto replay shows what the new version raises" in err
    assert second["watched"] == first["watched"]
    shown = lazaretto_here("coverage", "--home", tmp_path / "home", "--camera", "yard")
    assert "wall" in shown.out and "fence" not in shown.out


def test_time_between_recordings_is_no_footage(facility: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("20261123_080000.mp4", "20261124_080000.mp4"):
        write_video(folder / name, 20)
    camera, _ = analyse(f"yard={folder}", facility)
    assert camera["analysed_share"] == 1.0
    home = tmp_path / "home"
    again = lazaretto_here("analyze", f"yard={folder}", "--facility", facility, "--home", home)
    row = next(line for line in again.out.splitlines() if line.startswith("│ yard"))
    assert [cell.strip() for cell in row.split("│")[2:6]] == ["4", "100.0%", "0.0", "-"]
    assert "of another 23 h 59 min in that time nothing is recorded" in " ".join(again.out.split())


def test_a_name_that_promises_more_than_the_file_holds_is_said(facility: Path, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "ch1_20261124080000_20261124081000.mp4", 20)
    camera, err = analyse(f"yard={clip}", facility)
    words = "the name states an end at 2026-11-24 08:10:00+07:00, and the file an end at 2026-11-24 08:00:02"
    assert words in err
    assert json.dumps(camera["coverage"]).count("analysed") == 1
