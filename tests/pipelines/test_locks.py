"""Locks of hours: who excludes whom, in processes of their own, and what a killed one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.locks import InUseError, Use, holders
from pipelines.log_upkeep import DAY, compact_log, purge_log
from pipelines.recover_observations import recover_log
from tests.observing import rows
from tests.running import ROOT
from vision.frames import from_iso
from vision.observations import ALL_TIME, HOUR, read, stored_hours, write_part
from vision.observations.log import hour_folder
from vision.observations.upkeep import clean_leftovers
from zones.errors import LazarettoError

NOON = from_iso("2026-11-24T12:00:00Z")
NOW = NOON + 40 * DAY
HOLDER = """
import sys, time
from pathlib import Path
from pipelines.home import Home
from pipelines.locks import Use
camera, task, start, end, reads = sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7])
with Home(Path(sys.argv[1])).lock(Use(camera, task, start, end, reads_from=reads)):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def held_elsewhere(
    home: Path, task: str, start: int, end: int, reads: int | None = None, camera: str = "yard"
) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds hours until it is killed."""
    numbers = [str(value) for value in (start, end, start if reads is None else reads)]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home), camera, task, *numbers],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A log of two parts in each of three hours, of two cameras."""
    for camera in ("gate", "yard"):
        for hour in range(3):
            for minute in range(2):
                start = NOON + hour * HOUR + minute * 60_000_000
                write_part(tmp_path, rows([start], camera), camera, start)
    Ledger.open(tmp_path / "ledger.db").close()
    return Home(tmp_path)


def files(home: Home, camera: str = "yard") -> list[int]:
    """Number of files in each hour of the log."""
    return [
        len(list(hour_folder(home.path, camera, hour).iterdir())) for hour in stored_hours(home.path, camera)
    ]


def test_a_refusal_names_camera_task_process_and_command(home: Home) -> None:
    with held_elsewhere(home.path, "watch", NOON, NOON + HOUR) as other:
        with pytest.raises(InUseError) as refused, home.lock(Use("yard", "analysis", NOON, NOON + 1)):
            pass
        text = str(refused.value)
        assert text.startswith(
            "camera yard: expected no other process at work on the hours of this analysis, got the watch of "
            f"process {other.pid} (-c {home.path} yard watch"
        )
        [holder] = holders(home.path / "locks")
        assert (holder.pid, holder.use) == (
            other.pid,
            Use("yard", "watch", NOON, NOON + HOUR, reads_from=NOON),
        )


def test_other_cameras_and_other_hours_go_on_beside(home: Home) -> None:
    with (
        held_elsewhere(home.path, "watch", NOON + HOUR, NOON + 2 * HOUR, NOON),
        home.lock(Use("gate", "analysis", NOON), Use("yard", "analysis", NOON, NOON + HOUR)) as held,
    ):
        assert set(held) == {"gate", "yard"}


def test_a_killed_process_holds_nothing_and_its_file_is_removed(home: Home) -> None:
    with held_elsewhere(home.path, "watch", NOON, NOON + HOUR) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert len(list((home.path / "locks").glob("*.lock"))) == 1
        with home.lock(Use("yard", "analysis", NOON, NOON + HOUR)):
            assert len(list((home.path / "locks").glob("*.lock"))) == 1
    assert list((home.path / "locks").glob("*.lock")) == []


def test_all_cameras_are_held_or_none(home: Home) -> None:
    with held_elsewhere(home.path, "watch", NOON, NOON + HOUR):
        with pytest.raises(InUseError), home.lock(Use("gate", "watch", NOON), Use("yard", "watch", NOON)):
            pass
        with home.lock(Use("gate", "watch", NOON)):
            pass


def test_a_watch_that_moves_on_frees_the_hours_behind_it(home: Home) -> None:
    with home.lock(Use("yard", "watch", NOON)) as held, home.lock(Use("yard", "purge", NOON - HOUR, NOON)):
        held["yard"].move(NOON + 2 * HOUR, reads_from=NOON + HOUR)
        with home.lock(Use("yard", "purge", NOON, NOON + HOUR, removes=True)):
            pass
        with (
            pytest.raises(InUseError, match="got the watch"),
            home.lock(Use("yard", "purge", NOON + HOUR, NOON + 2 * HOUR, removes=True)),
        ):
            pass
        with home.lock(Use("yard", "compaction", NOON, NOON + HOUR)):
            with pytest.raises(InUseError, match="got the compaction"):
                held["yard"].move(NOON)
            assert held["yard"].use.start == NOON + 2 * HOUR


@given(
    hours=st.lists(st.integers(0, 6), min_size=6, max_size=6), removes=st.tuples(st.booleans(), st.booleans())
)
def test_exclusion_is_mutual_and_writers_of_an_hour_always_exclude(
    hours: list[int], removes: tuple[bool, bool]
) -> None:
    def use(one: list[int], removes: bool) -> Use:
        reads, start, end = sorted(one)
        return Use("yard", "x", start * HOUR, end * HOUR + 1, reads * HOUR, removes)

    one, other = use(hours[:3], removes[0]), use(hours[3:], removes[1])

    assert one.excludes(other) == other.excludes(one)
    writes, more = (set(range(u.start, u.end, HOUR)) for u in (one, other))
    reads, also = (set(range(u.reads_from or 0, u.end, HOUR)) for u in (one, other))
    assert one.excludes(other) == bool(
        writes & more or (one.removes and writes & also) or (other.removes and more & reads)
    )


def test_compaction_goes_on_beside_a_watch_and_leaves_its_hour_alone(home: Home) -> None:
    with held_elsewhere(home.path, "watch", NOON + 2 * HOUR, NOW, NOON):
        done = compact_log(home, now=NOW)

        assert (done.parts, done.hours) == (10, 5)
        assert files(home) == [1, 1, 2] and files(home, "gate") == [1, 1, 1]
        [said] = done.in_use
        assert said.startswith("2026-11-24T14Z: camera yard: expected no other process") and "watch" in said
    assert compact_log(home, now=NOW).in_use == () and files(home) == [1, 1, 1]


def test_a_purge_of_hours_that_are_read_is_refused_and_removes_nothing(home: Home) -> None:
    with held_elsewhere(home.path, "analysis", NOON + 4 * HOUR, NOON + 5 * HOUR, NOON + 2 * HOUR):
        with pytest.raises(InUseError, match="hours of this purge, got the analysis"):
            purge_log(home, 30, now=NOW)
        assert files(home) == files(home, "gate") == [2, 2, 2]
        assert purge_log(home, 30, ["gate"], now=NOW).hours == 3
        # A dry run changes nothing, so it asks for no lock.
        assert purge_log(home, 30, dry_run=True, now=NOW).hours == 3
    assert purge_log(home, 30, now=NOW).hours == 3 and files(home) == []


def test_a_purge_goes_on_beside_a_watch_of_later_hours(home: Home) -> None:
    with held_elsewhere(home.path, "watch", NOON + 26 * HOUR, NOW, NOON + 2 * HOUR):
        assert purge_log(home, 30, now=NOON + 30 * DAY + 2 * HOUR).hours == 4
        assert files(home) == files(home, "gate") == [2]


def test_recovery_holds_only_the_hours_of_torn_files(home: Home) -> None:
    part = next(hour_folder(home.path, "yard", NOON).iterdir())
    part.write_bytes(b"torn")
    with held_elsewhere(home.path, "watch", NOON + HOUR, NOW, NOON):
        assert len(recover_log(home)) == 1
        assert recover_log(home) == []
    part.write_bytes(b"torn")
    with (
        held_elsewhere(home.path, "watch", NOON, NOW),
        pytest.raises(InUseError, match="hours of this recovery, got the watch"),
    ):
        recover_log(home)
    assert part.exists()


WRITER = """
import sys
from pathlib import Path
from tests.observing import rows
from vision.observations import write_part
print("ready", flush=True)
t = int(sys.argv[2])
while True:
    t += 1 if t % 50 else -49
    write_part(Path(sys.argv[1]), rows([t], "yard"), "yard", t)
"""


def test_cleaning_stops_no_live_process_and_takes_what_a_killed_one_left(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), str(NOON)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        deadline = time.monotonic() + 30
        while len(list(tmp_path.rglob("*.parquet"))) < 50 and time.monotonic() < deadline:
            # It may take a file that the writer has yet to hold, and then opens again.
            clean_leftovers(tmp_path, "yard")
            assert process.poll() is None, process.communicate()[1]
    finally:
        process.kill()
        _, errors = process.communicate()
    assert errors == ""
    files = list(tmp_path.rglob("*.parquet"))
    assert len(files) == 50 and len(read(tmp_path, "yard", *ALL_TIME)) == 50, "every write arrived"
    left = hour_folder(tmp_path, "yard", NOON) / ".x.parquet.tmp"
    left.write_bytes(b"half")
    assert clean_leftovers(tmp_path, "yard") >= 1 and not list(tmp_path.rglob(".*.tmp"))


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("in the way")
    with (
        pytest.raises(LazarettoError, match="expected a folder for locks that can be written, got"),
        Home(tmp_path).lock(Use("yard", "analysis", NOON)),
    ):
        pass
    assert os.listdir(tmp_path) == ["locks"]
