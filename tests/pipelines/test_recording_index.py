"""The index of recordings that an analysis keeps, and the evidence that is cut by it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from incidents.ledger import Ledger, Recording
from tests.running import FACILITY, LOBBY, YARD, lazaretto
from vision.sources.files import open_source, source_span

Analysed = tuple[Path, dict[str, Any]]


def indexed(home: Path, camera: str) -> tuple[Recording, ...]:
    with Ledger.open(home / "ledger.db", create=False) as ledger:
        return ledger.recordings.between(camera, 0, 2**62)


def test_an_analysis_enters_each_recording_with_its_span(analysed: Analysed) -> None:
    for camera, path in (("yard", YARD), ("lobby", LOBBY)):
        [found] = indexed(analysed[0], camera)
        info = open_source(path, camera).info
        assert found.path == path.absolute() and found.start == info.start_us
        assert found.mark.fingerprint == info.fingerprint
        assert (found.mark.bytes, found.mark.modified) == (
            path.stat().st_size,
            path.stat().st_mtime_ns // 1000,
        )
        # A recording reaches to the end of its last picture; containers round what they state.
        span = source_span(path, None)
        assert span is not None and abs(found.start + span - found.end) <= 1_000


def test_a_home_without_an_index_gets_one_for_the_files_of_the_run(
    analysed: Analysed, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(analysed[0], home)
    before = indexed(home, "yard")
    with closing(sqlite3.connect(home / "ledger.db")) as ledger, ledger:
        ledger.execute("DELETE FROM recordings")

    again = lazaretto("analyze", f"yard={YARD}", "--facility", FACILITY, "--home", home, "--json")

    assert again.code == 0, again.err
    assert indexed(home, "yard") == before and indexed(home, "lobby") == ()

    moved = tmp_path / "moved.mp4"
    shutil.copy(YARD, moved)
    once_more = lazaretto("analyze", f"yard={moved}", "--facility", FACILITY, "--home", home, "--json")

    assert once_more.code == 0, once_more.err
    [found] = indexed(home, "yard")
    assert (found.path, found.start, found.end) == (moved, before[0].start, before[0].end)
