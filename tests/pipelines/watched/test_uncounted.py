"""What a count leaves out stands beside it: footage of analyses that did not end, and recordings not read."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from incidents.ledger import Ledger, Unread, UnreadReason
from tests.footage import truncate, write_video
from tests.running import ROOT, Ran, lazaretto, lazaretto_here
from vision.frames import SECOND
from vision.observations import HOUR

NO_COMPILING = {"NUMBA_DISABLE_JIT": "1"}
PAUSED = """
import signal, sys
from cli.main import main
from pipelines.analysis import checkpoint
keep_only = checkpoint.keep_only
def kept(*args):
    keep_only(*args)
    print("kept", flush=True)
    sys.stdin.readline()
checkpoint.keep_only = kept
signal.signal(signal.SIGINT, signal.default_int_handler)  # It is ignored in what a shell runs beside.
main()
"""
"""The command line, which waits each time that a segment was kept."""
NOT_EVALUATED = "did not end"
T0 = 1_795_680_000_000_000 // HOUR * HOUR


@pytest.fixture
def facility(tmp_path: Path) -> Path:
    path = tmp_path / "facility.yaml"
    path.write_text(
        "schema: 2\nfacility: {code: T-1, name: Test, managing_body: Test}\n"
        "cameras:\n  - {id: cam, places: [corridor]}\n  - {id: gate, places: [gate]}\n"
    )
    return path


def counts(home: Path, facility: Path, *arguments: str) -> dict[str, Ran]:
    """Every command that prints a count, with what it said."""
    return {
        "list": lazaretto_here("incidents", "list", "--home", home, *arguments),
        "list --json": lazaretto_here("incidents", "list", "--home", home, "--json", *arguments),
        "export": lazaretto_here("incidents", "export", home.parent / "x.csv", "--home", home, *arguments),
        "coverage": lazaretto_here("coverage", "--home", home, *arguments),
        "replay": lazaretto_here("replay", "--facility", facility, "--home", home, *arguments),
    }


def said(ran: Ran) -> str:
    """All that a command printed, as one line: tables and sentences are folded."""
    return " ".join((ran.out + ran.err).split())


def exported(home: Path) -> list[list[str]]:
    """The rows of the coverage that the last export of `counts` has written, with the header."""
    with (home.parent / "x.coverage.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def interrupted(facility: Path, clip: Path, home: Path, how: signal.Signals) -> tuple[int, dict[str, Ran]]:
    """Analyse until a segment was kept, and end it; the process, and the counts while it was at work."""
    with subprocess.Popen(
        [sys.executable, "-c", PAUSED, *analysis(facility, clip, home)],
        cwd=ROOT,
        env={**os.environ, **NO_COMPILING},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        try:
            assert run.stdout is not None
            assert any(line.strip() == "kept" for line in run.stdout)
            at_work = counts(home, facility)
            run.send_signal(how)
            if run.stdin is not None:
                run.stdin.close()
            run.wait(60)
        finally:
            run.kill()
    return run.pid, at_work


def analysis(facility: Path, clip: Path, home: Path) -> list[str]:
    return ["analyze", f"cam={clip}", "--facility", str(facility), "--home", str(home)]


def test_ctrl_c_is_said_too(facility: Path, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "20261124T075958Z.mp4", 30)
    interrupted(facility, clip, tmp_path / "home", signal.SIGINT)
    assert NOT_EVALUATED in said(lazaretto_here("incidents", "list", "--home", tmp_path / "home"))


def test_an_analysis_that_did_not_end_is_said_beside_every_count_until_it_is_continued(
    facility: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    # The minute ends after 2 s of the clip: what is before it is kept as a segment.
    clip = write_video(tmp_path / "20261124T075958Z.mp4", 50)
    pid, at_work = interrupted(facility, clip, home, signal.SIGKILL)
    for name, ran in at_work.items():
        text = said(ran)
        assert ran.code == 0, name
        assert text.count(f"cam: is being analysed by process {pid} (") == 1, name
        assert NOT_EVALUATED not in text, name

    for name, ran in counts(home, facility).items():
        text = said(ran)
        assert ran.code == 0, name
        assert text.count("cam: an analysis that began at 20") == 1, name
        share = "2 s of footage, of 5 s that it was given (40.0 %),"
        assert f"did not end: the incidents of {share} from 2026-11-24 14:59:58 to" in text, name
        assert "2026-11-24 15:00:00 (20261124T075958Z.mp4) are not" in text, name
        missing = "not in the ledger yet" if name == "replay" else "not evaluated yet"
        assert f"are {missing}; the same command continues it." in text, name
        assert "is being analysed" not in text, name
    header, *rows = exported(home)
    assert {len(row) for row in rows} == {len(header)}
    assert [NOT_EVALUATED in row[header.index("uncounted")] for row in rows] == [True, False]
    watches = lazaretto_here("coverage", "--home", home, "--json").json
    assert [len(item["uncounted"]) for item in watches] == [1, 0]
    assert NOT_EVALUATED not in said(lazaretto_here("coverage", "--home", home, "--camera", "gate"))
    assert NOT_EVALUATED not in said(
        lazaretto_here("incidents", "list", "--home", home, "--since", "2026-11-24T09:00:00Z")
    )

    # What an earlier version of the program recorded does not say what it was given.
    with closing(sqlite3.connect(home / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE runs SET settings = json_remove(settings, '$.given_us')")
    assert "the incidents of 2 s of footage from 2026" in said(
        lazaretto_here("incidents", "list", "--home", home)
    )

    done = lazaretto(*analysis(facility, clip, home), **NO_COMPILING)
    assert done.code == 0, done.err
    assert NOT_EVALUATED not in said(done)
    for name, ran in counts(home, facility).items():
        assert NOT_EVALUATED not in said(ran), name
    header, *rows = exported(home)
    assert {len(row) for row in rows} == {len(header)}
    assert not any(row[header.index("uncounted")] for row in rows)


def bad_files(folder: Path) -> Sequence[Path]:
    """Recordings of one camera that cannot be read, each of another kind; the last one states no time."""
    whole = write_video(folder / "20261124T080000Z.mp4", 20)
    cut = truncate(write_video(folder / "20261124T081000Z.mp4", 20), 0.5)
    (folder / "20261124T082000Z.mkv").write_bytes(b"")
    (folder / "20261124T100000Z.avi").write_text("no video")
    (folder / "clip.mp4").write_bytes(whole.read_bytes()[:600])
    return cut, *(folder / name for name in ("20261124T082000Z.mkv", "20261124T100000Z.avi", "clip.mp4"))


def test_recordings_that_cannot_be_read_are_said_beside_every_later_count_until_they_are_read(
    facility: Path, tmp_path: Path
) -> None:
    home, folder = tmp_path / "home", tmp_path / "footage"
    folder.mkdir()
    bad = bad_files(folder)
    arguments = ("analyze", f"cam={folder}", "--facility", facility, "--home", home, "--accept-file-dates")
    sentence = (
        "cam: 4 recordings could not be read: 20261124T081000Z.mp4, 20261124T082000Z.mkv, "
        "20261124T100000Z.avi and 1 more; that footage counts as not watched until a run reads it."
    )
    for _ in range(2):
        assert lazaretto_here(*arguments).code == 3
        for name, ran in counts(home, facility).items():
            assert said(ran).count(sentence) == (1 if name != "replay" else 0), name
            assert said(ran).count("could not be read") == 1, name
        header, *rows = exported(home)
        assert [row[header.index("uncounted")] for row in rows] == [sentence, ""]
    # By their names, two are of the hour from 8:00 on and one is of a later hour; the fourth may be of any.
    since = lazaretto_here("incidents", "list", "--home", home, "--since", "2026-11-24T10:30:00Z")
    assert "cam: 2 recordings could not be read: 20261124T100000Z.avi, clip.mp4;" in said(since)
    until = lazaretto_here("coverage", "--home", home, "--until", "2026-11-24T08:30:00Z", "--json")
    assert "cam: 3 recordings could not be read" in json.dumps(until.json[0]["uncounted"])

    # Two are copied anew where they were, one elsewhere, and the last one by its file's date.
    elsewhere = folder / "copied anew"
    elsewhere.mkdir()
    bad[2].unlink()
    for number, path in enumerate((bad[0], bad[1], elsewhere / bad[2].name, bad[3])):
        path.unlink(missing_ok=True)
        write_video(path, 20, first=100 * (1 + number), codec="mpeg4")
    assert lazaretto_here(*arguments, "--one-camera").code == 0
    for name, ran in counts(home, facility).items():
        assert "could not be read" not in said(ran), name


def test_a_run_that_can_read_nothing_leaves_its_trace(facility: Path, tmp_path: Path) -> None:
    home, empty = tmp_path / "home", tmp_path / "20261124T080000Z.mp4"
    empty.write_bytes(b"")
    undated = write_video(tmp_path / "undated.mp4", 5)
    for path in (empty, undated):
        arguments = ("analyze", f"gate={path}", "--facility", facility, "--home", home)
        assert lazaretto_here(*arguments).code == 2
    listed = said(lazaretto_here("incidents", "list", "--home", home))
    assert "gate: nothing was watched in that time. gate: 1 recording could not be read: 2026" in listed
    assert "gate: 1 recording could not be placed in time: undated.mp4; that footage" in listed


def test_an_unread_recording_is_kept_once_and_forgotten_by_path_or_by_name_and_time(tmp_path: Path) -> None:
    one = Unread("cam", Path("/a/1.mp4"), T0, UnreadReason.UNREADABLE)
    other = Unread("cam", Path("/b/1.mp4"), T0 + HOUR, UnreadReason.PARTLY)
    undated = Unread("cam", Path("/a/2.mp4"), None, UnreadReason.NO_TIME)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        for _ in range(2):
            ledger.unread.enter([one, other, undated])
        assert ledger.unread.find("cam") == (one, undated, other)
        assert ledger.unread.find("gate") == ()
        assert ledger.unread.find("cam", T0 + HOUR, T0 + HOUR + SECOND) == (undated, other)
        assert ledger.unread.find("cam", T0 + HOUR - SECOND, T0 + HOUR) == (one, undated)
        ledger.unread.forget("gate", {one.path: T0})
        ledger.unread.forget("cam", {Path("/c/1.mp4"): T0 + SECOND, Path("/c/2.mp4"): None})
        assert ledger.unread.find("cam") == (one, undated, other)
        ledger.unread.forget("cam", {Path("/c/1.mp4"): T0, undated.path: None})
        assert ledger.unread.find("cam") == (other,)
        assert ledger.unread.cameras() == ("cam",)
