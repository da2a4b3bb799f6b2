from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from ledger_samples import MODELS, T0, facility, incident

from incidents.coverage import State
from incidents.ledger import Ledger, LedgerError
from incidents.ledger import file as ledger_file
from incidents.ledger.migrations import STEPS
from incidents.record import Status
from vision.frames import SECOND

WRITER = Path(__file__).with_name("ledger_writer.py")
ROOT = WRITER.parents[3]


def writer(path: Path, stream: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), str(path), stream, str(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "ledger.db"


def test_a_new_ledger_is_durable_checked_and_leaves_one_file(path: Path) -> None:
    with Ledger.open(path) as ledger:
        connection = ledger._file.db
        found = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
        assert found == ["wal", 2, 1, 30_000]
        assert ledger.faults() == ()
    assert [file.name for file in path.parent.iterdir()] == ["ledger.db"]
    with Ledger.open(path, create=False) as ledger:
        assert ledger.incidents.find() == ()


def test_a_path_with_signs_that_mean_something_in_a_url(tmp_path: Path) -> None:
    path = tmp_path / "Lai Châu 100% #1?mode=ro.db"
    with Ledger.open(path) as ledger:
        ledger.segments.mark_complete("s")
    assert path.is_file()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "expected a ledger, got no such file"),
        (b"", "expected a ledger, got an empty file"),
    ],
)
def test_nothing_is_made_unless_asked_for(path: Path, content: bytes | None, sentence: str) -> None:
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LedgerError, match=sentence):
        Ledger.open(path, create=False)
    assert path.exists() is (content is not None)


def test_what_is_not_a_ledger_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with pytest.raises(LedgerError, match="expected a ledger, got a folder"):
        Ledger.open(path.parent)
    path.write_text("yard.mp4, 12 incidents\n" * 100)
    with pytest.raises(LedgerError, match="got a file that is not an SQLite database"):
        Ledger.open(path)
    assert path.read_text() == "yard.mp4, 12 incidents\n" * 100
    path.unlink()
    with sqlite3.connect(path) as stranger:
        stranger.execute("CREATE TABLE songs (title TEXT)")
    stranger.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=r"another SQLite database .it has the table songs"):
        Ledger.open(path)
    assert path.read_bytes() == before


def test_a_ledger_of_a_newer_version_is_refused(path: Path) -> None:
    Ledger.open(path).close()
    with sqlite3.connect(path) as stranger:
        stranger.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "SELECT migration_set, '999_future', applied_at FROM _sqlite_migrations LIMIT 1"
        )
    stranger.close()
    with pytest.raises(LedgerError, match=f"newer version .*999_future; this one knows up to {STEPS[-1]}"):
        Ledger.open(path)


def test_a_damaged_ledger_says_so(path: Path) -> None:
    with Ledger.open(path) as ledger:
        run = ledger.runs.start(facility(), MODELS, {"filler": ["x"] * 20_000})
        ledger.incidents.record(incident(), run)
    data = bytearray(path.read_bytes())
    data[4096:] = random.Random(1).randbytes(len(data) - 4096)
    path.write_bytes(data)
    with (
        pytest.raises(LedgerError, match=r"is damaged .*from a copy"),
        Ledger.open(path) as ledger,
    ):
        ledger.incidents.find()


def test_a_folder_that_cannot_be_made_or_written(path: Path) -> None:
    path.parent.write_text("a file where the folder should be")
    with pytest.raises(LedgerError, match=r"folder .*home of the ledger cannot be created: File exists"):
        Ledger.open(path)


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder with a ledger that this process may read and not write, even when it is root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Ledger.open(folder / "ledger.db").close()
        (folder / "ledger.db").chmod(0o444)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_a_read_only_folder_is_named(read_only: Path) -> None:
    with pytest.raises(LedgerError, match=f"cannot be opened or created: is {read_only} a folder"):
        Ledger.open(read_only / "new.db")
    with (
        pytest.raises(LedgerError, match=r"read-only|cannot be opened"),
        Ledger.open(read_only / "ledger.db") as ledger,
    ):
        ledger.segments.mark_complete("s")


def test_a_full_disk_is_said_and_leaves_what_was_there(path: Path) -> None:
    with Ledger.open(path) as ledger:
        run = ledger.runs.start(facility(), MODELS, {})
        pages = ledger._file.db.execute("PRAGMA page_count").fetchone()[0]
        ledger._file.db.execute(f"PRAGMA max_page_count = {pages + 3}")
        done = 0
        with pytest.raises(LedgerError, match=r"the disk is full: .*what it held before stays"):
            for done in range(1000):
                ledger.incidents.record(incident(start=T0 + done), run)
        assert 0 < done == len(ledger.incidents.find())
        with pytest.raises(LedgerError, match="the disk is full"), ledger.transaction():
            ledger.segments.mark_complete("s")
            for extra in range(done, 1000):
                ledger.incidents.record(incident(start=T0 + extra), run)
        assert not ledger.segments.is_complete("s") and len(ledger.incidents.find()) == done
        ledger._file.db.execute("PRAGMA max_page_count = 100000")
        assert ledger.incidents.record(incident(start=T0 + done), run) == "added"
        assert ledger.faults() == ()


def test_a_transaction_that_sqlite_undid_by_itself_is_never_taken_for_done(path: Path) -> None:
    with Ledger.open(path) as ledger:
        with pytest.raises(LedgerError, match="undid a transaction"), ledger.transaction():
            ledger.segments.mark_complete("s")
            ledger._file.db.execute("ROLLBACK")  # as SQLite may do after a failed write
        assert not ledger.segments.is_complete("s")


def test_readers_see_what_is_committed_while_another_writes(path: Path) -> None:
    with Ledger.open(path) as first, Ledger.open(path) as second:
        run = first.runs.start(facility(), MODELS, {})
        with first.transaction():
            first.incidents.record(incident(), run)
            with Ledger.open(path) as third:  # opening needs no write lock
                assert second.incidents.find() == third.incidents.find() == ()
        assert len(second.incidents.find()) == 1


def test_a_ledger_that_stays_busy_is_given_up_in_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_file, "BUSY_S", 0.2)
    with Ledger.open(path) as first, Ledger.open(path) as second, first.transaction():
        begun = time.monotonic()
        with pytest.raises(LedgerError, match="being written by another process"):
            second.segments.mark_complete("s")
        assert 0.1 < time.monotonic() - begun < 5


def test_opening_waits_for_another_that_is_making_the_ledger(path: Path) -> None:
    path.parent.mkdir()
    maker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    maker.execute("BEGIN IMMEDIATE")  # SQLite would refuse a change of journal mode at once
    release = threading.Timer(0.2, maker.execute, ["COMMIT"])
    release.start()
    Ledger.open(path).close()
    release.join()
    maker.close()


def test_many_can_make_the_same_new_ledger_at_once(path: Path) -> None:
    for attempt in range(5):
        place, gate = path.with_name(f"{attempt}.db"), threading.Barrier(6)
        faults: list[Exception] = []

        def make(
            place: Path = place, gate: threading.Barrier = gate, faults: list[Exception] = faults
        ) -> None:
            gate.wait()
            try:
                with Ledger.open(place) as ledger:
                    ledger.runs.start(facility(), MODELS, {})
            except Exception as error:
                faults.append(error)

        threads = [threading.Thread(target=make) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        with Ledger.open(place, create=False) as ledger:
            assert ledger._file.rows("SELECT count(*) AS n FROM runs") == [{"n": 6}]


def test_two_processes_that_write_at_once_both_succeed(path: Path) -> None:
    streams = ("yard-1", "gate-1")
    writers = [writer(path, stream, 40) for stream in streams]
    for process in writers:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    with Ledger.open(path) as ledger:
        assert [len(ledger.segments.of_stream(stream)) for stream in streams] == [40, 40]
        assert len(ledger.incidents.find()) == 80
        assert ledger.faults() == ()


def test_a_kill_at_any_moment_leaves_each_transaction_whole_or_absent(path: Path) -> None:
    """SIGKILL at random moments, each time from where it stopped: nothing torn, lost or doubled."""
    chance, told = random.Random(4), set[int]()
    for _ in range(6):
        process = writer(path, "yard-1", 10_000)
        assert process.stdout is not None
        for _ in range(chance.randint(0, 12)):
            told.add(int(process.stdout.readline()))
        time.sleep(chance.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        told |= {int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")}
        with Ledger.open(path) as ledger:
            _check_whole(ledger, told)


def _check_whole(ledger: Ledger, told: set[int]) -> None:
    """`told` are the numbers of which a writer said that both transactions were committed."""
    assert ledger.faults() == ()
    segments, incidents = ledger.segments.of_stream("yard-1"), ledger.incidents.find()
    assert [s.seq for s in segments] == list(range(len(segments)))
    assert told <= set(range(len(segments)))
    assert [i.start for i in incidents] == [s.start for s in segments]
    for n, item in enumerate(incidents):
        reviewed = [entry.event for entry in ledger.incidents.history(item.id)] == ["added", "status"]
        assert reviewed == (item.status is Status.IN_REVIEW)
        assert reviewed or n not in told
    if segments:
        covered = ledger.coverage.of("yard", T0, T0 + len(segments) * SECOND)
        assert {item.state for item in covered} <= {State.ANALYSED, State.IDLE}
        assert all(left.state != right.state for left, right in pairwise(covered))
