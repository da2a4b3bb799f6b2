"""A home on a read-only disk: every command that reads works, and creates no file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import polars as pl
import pytest

from incidents.ledger import Ledger, LedgerError
from tests.incidents.ledger.ledger_samples import facility, incident
from tests.incidents.rules.rule_scenes import long_log
from tests.logs import log_home
from tests.running import lazaretto_here as lazaretto

PLACE = facility()
INCIDENT = incident()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a log of some minutes and an incident."""
    home = tmp_path_factory.mktemp("written") / "home"
    run = log_home(home, PLACE, {"yard": long_log(0.02).with_columns(camera=pl.lit("yard"))})
    with Ledger.open(home / "ledger.db") as ledger:
        ledger.incidents.record(INCIDENT, run)
    return home


@contextmanager
def read_only(disk: Path, home: Path) -> Iterator[Path]:
    """A copy of a home on a disk that cannot be written, not even by the administrator."""
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        shutil.copytree(home, disk / "home")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        yield disk / "home"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_commands_that_read_work_and_create_no_file(written: Path, tmp_path: Path) -> None:
    plan = tmp_path / "facility.yaml"
    plan.write_text(PLACE.text)
    with read_only(tmp_path / "disk", written) as home:
        before = sorted(home.rglob("*"))
        at = ("--home", home)
        for command, said in (
            (("incidents", "list", "--json", *at), INCIDENT.id),
            (("incidents", "show", INCIDENT.id[:6], *at), INCIDENT.id),
            (("incidents", "exposures", *at), "logged"),
            (("observations", "show", *at), "yard"),
            (("observations", "compact", "--dry-run", *at), "would be merged"),
            (("observations", "purge", "--dry-run", *at), "would be removed"),
            (("replay", "--facility", plan, "--json", *at), "camera_hours"),
            (("zones", "diff", plan, plan, "--json", *at), "{"),
        ):
            ran = lazaretto(*command)
            assert ran.code == 0, (command, ran.err)
            assert said in ran.out, command
        assert sorted(home.rglob("*")) == before


def test_commands_that_write_say_that_they_cannot(written: Path, tmp_path: Path) -> None:
    with read_only(tmp_path / "disk", written) as home:
        for command in (
            ("incidents", "decide", INCIDENT.id, "confirmed", "--by", "An", "--reason", "seen"),
            ("observations", "purge"),
        ):
            ran = lazaretto(*command, "--home", home)
            assert ran.code == 2 and len(ran.err.strip().splitlines()) == 1, ran.err
            assert "read-only" in ran.err.lower(), ran.err


def test_a_ledger_of_an_older_schema_is_read_without_changing_it(written: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(written, old)
    with closing(sqlite3.connect(old / "ledger.db")) as ledger, ledger:
        ledger.execute("DROP TABLE recordings")
        ledger.execute("DELETE FROM _sqlite_migrations WHERE name = '007_recordings'")
    with read_only(tmp_path / "disk", old) as home:
        digest = (home / "ledger.db").read_bytes()
        with Ledger.open(home / "ledger.db", create=False) as opened:
            assert opened.incidents.get(INCIDENT.id).id == INCIDENT.id
            assert opened.recordings.between("yard", 0, 1) == ()
            with pytest.raises(LedgerError, match="read-only"):
                opened.segments.mark_complete("s")
        assert (home / "ledger.db").read_bytes() == digest


@pytest.mark.parametrize("with_shared_memory", [True, False])
def test_changes_that_wait_in_the_write_ahead_log_are_read_or_missed_aloud(
    written: Path, tmp_path: Path, with_shared_memory: bool
) -> None:
    killed = tmp_path / "killed"
    shutil.copytree(written, killed)
    with Ledger.open(killed / "ledger.db") as ledger:
        ledger.segments.mark_complete("waiting")
        copied = tmp_path / "copied"
        shutil.copytree(killed, copied)  # as a kill would leave it
    assert os.path.getsize(copied / "ledger.db-wal") > 0
    if not with_shared_memory:
        (copied / "ledger.db-shm").unlink()
    with read_only(tmp_path / "disk", copied) as home:
        if with_shared_memory:
            with Ledger.open(home / "ledger.db", create=False) as opened:
                assert opened.segments.is_complete("waiting")
        else:
            with pytest.raises(LedgerError, match=r"changes in ledger\.db-wal that were not yet entered"):
                Ledger.open(home / "ledger.db", create=False)
