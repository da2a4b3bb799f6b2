"""Backups of the observation log and of a home that is written meanwhile: each row once, nothing half."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from incidents.coverage import Interval
from incidents.ledger import Ledger
from pipelines.backup import copying
from pipelines.backup.checking import check_backup
from pipelines.backup.making import BackupRequest, make_backup
from pipelines.backup.manifest import whole_backups
from pipelines.backup.restoring import restore_home
from pipelines.home import Home
from pipelines.verify import verify
from tests.incidents.ledger.ledger_samples import T0
from tests.observing import rows
from tests.running import ROOT
from tests.sealed_home import Sealed, last_bytes_cut
from vision.frames import SECOND
from vision.observations import ALL_TIME, AppendLog, known_until, read, read_hours, write_part
from vision.observations.append_file import scan
from vision.observations.log import append_log_files, hour_folder
from vision.observations.upkeep import compact, torn_files

WRITER = Path(__file__).with_name("home_writer.py")


@contextlib.contextmanager
def writer(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that writes to the home meanwhile."""
    with subprocess.Popen(
        [sys.executable, WRITER, home],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "0\n"
            yield process
        finally:
            process.kill()


def times(home: Path, camera: str) -> list[int]:
    seen = [rows["t"].dt.timestamp("us") for _, rows in read_hours(home, camera, *ALL_TIME)]
    return [t for hour in seen for t in hour.to_list()]


def counts(home: Path) -> tuple[int, tuple[Interval, ...], int, int]:
    """Incidents, coverage, sealed files and segments that a ledger holds."""
    with Ledger.open(home / "ledger.db", create=False) as ledger:
        return (
            len(ledger.incidents.find()),
            ledger.coverage.recorded("yard") + ledger.coverage.recorded("gate"),
            sum(map(len, ledger.incidents.sealed_files().values())),
            len(ledger.segments.of_stream("yard-live")),
        )


def test_backups_beside_a_process_that_writes_are_whole(tmp_path: Path, folder: Path) -> None:
    home = Home(tmp_path / "home")
    with writer(home.path) as process:
        assert process.stdin is not None and process.stdout is not None
        for _ in range(6):
            made = make_backup(BackupRequest(home, folder))
            assert made.faults == ()
            for _ in range(25):  # so that hours end, and are merged, between and within backups
                process.stdout.readline()
        process.stdin.write("stop\n")
        process.stdin.flush()
        process.stdout.read()
        assert process.wait(60) == 0
    last = make_backup(BackupRequest(home, folder))
    backups = whole_backups(folder)
    assert len(backups) == 7 and last.path == backups[-1]
    before = 0
    for number, backup in enumerate(backups):
        assert check_backup(backup).faults == ()
        restored = Home(tmp_path / f"restored-{number}")
        restore_home(backup, restored)
        assert verify(restored).sound
        incidents, coverage, files, segments = counts(restored.path)
        assert incidents * 3 == files and segments == incidents > before
        before = incidents
        told = {one.end for one in coverage}
        for camera in ("yard", "gate"):
            assert list(torn_files(restored.path, camera)) == []
            found = times(restored.path, camera)
            assert len(found) == len(set(found)), "each row once"
            # All rows that the ledger tells of; those of the minute after may be there already.
            assert [t for t in found if t < max(told)] == [T0 + n * 5 * SECOND for n in range(incidents * 12)]
        until = known_until(restored.path, "gate")
        assert until is not None and until >= max(told)
        with AppendLog(restored.path, "gate") as log:
            assert log.losses == (), "a record that was being written is not taken"
    assert counts(home.path) == counts(restored.path)
    assert [times(home.path, c) for c in ("yard", "gate")] == [
        times(restored.path, c) for c in ("yard", "gate")
    ]


def test_a_torn_append_log_and_a_purged_hour_do_not_stop_a_backup(sealed: Sealed, folder: Path) -> None:
    home, _ = sealed
    with AppendLog(home.path, "yard") as log:
        log.append(rows([T0]), T0 + SECOND)
        log.append(rows([T0 + SECOND]), T0 + 2 * SECOND)
    [path] = append_log_files(home.path, "yard")
    last_bytes_cut(path)
    (path.parent.with_name(f".{path.parent.name}.purged")).mkdir()
    made = make_backup(BackupRequest(home, folder))
    copy = made.path / path.relative_to(home.path)
    found = scan(copy)
    assert found.intact == found.size and found.until == T0 + SECOND
    restore_home(made.path, Home(home.path.with_name("again")))
    assert read(home.path.with_name("again"), "yard", *ALL_TIME).height == 1
    assert not any(path.name.startswith(".") for path in made.path.rglob("*"))


def test_what_is_merged_while_it_is_copied_is_copied_once(
    sealed: Sealed, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hour is merged after its first part was copied: the second is gone when its turn comes."""
    home, _ = sealed
    for n in range(2):
        write_part(home.path, rows([T0 + n * SECOND]), "yard", T0 + n * SECOND)
    plain, merged = copying.copy_file, []

    def copy_and_merge(source: Path, target: Path, limit: int | None = None) -> copying.BackupFile:
        taken = plain(source, target, limit)
        if source.suffix == ".parquet" and not merged:
            merged.append(compact(home.path, "yard", T0))
        return taken

    monkeypatch.setattr(copying, "copy_file", copy_and_merge)
    assert_rows_of_hour(make_backup(BackupRequest(home, folder)).path)
    assert merged == [2]


def test_what_is_merged_while_it_is_listed_is_copied(
    sealed: Sealed, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing is no snapshot: it may miss parts that are gone, and the hour file that was not there yet."""
    home, _ = sealed
    for n in range(2):
        write_part(home.path, rows([T0 + n * SECOND]), "yard", T0 + n * SECOND)
    plain, merged = os.scandir, []

    def list_and_merge(path: Path) -> Iterator[os.DirEntry[str]]:
        if path == hour_folder(home.path, "yard", T0) and not merged:
            merged.append(0)
            merged[0] = compact(home.path, "yard", T0)
            return iter([])
        return plain(path)

    monkeypatch.setattr(os, "scandir", list_and_merge)
    assert_rows_of_hour(make_backup(BackupRequest(home, folder)).path)
    assert merged == [2]


def assert_rows_of_hour(backup: Path) -> None:
    assert [path.name for path in backup.rglob("*.parquet")] == ["hour.parquet"]
    assert read(backup, "yard", *ALL_TIME).height == 2
    assert check_backup(backup).faults == ()
