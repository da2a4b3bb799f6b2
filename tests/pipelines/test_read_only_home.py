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
from pipelines.home import Home
from tests.incidents.ledger.ledger_samples import facility, incident
from tests.incidents.rules.rule_scenes import long_log
from tests.logs import log_home
from tests.other_user import another_user, open_to_others
from tests.running import lazaretto_here as lazaretto
from tests.sealed_home import seal
from tests.small_disk import small_disk

PLACE = facility()
INCIDENT = incident()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a log of some minutes and an incident."""
    home = tmp_path_factory.mktemp("written") / "home"
    run = log_home(home, PLACE, {"yard": long_log(0.02).with_columns(camera=pl.lit("yard"))})
    with Ledger.open(home / "ledger.db") as ledger:
        ledger.incidents.record(INCIDENT, run)
        seal(Home(home), ledger, INCIDENT, "clip", "clip.mp4", b"clip")
    return home


def commands_that_read(home: Path, elsewhere: Path) -> list[tuple[tuple[str | Path, ...], str]]:
    """Commands, and what each says; `elsewhere` is a folder that can be written."""
    plan = elsewhere / "facility.yaml"
    backups = elsewhere / "backups"
    backups.mkdir()
    backups.chmod(0o777)
    at = ("--home", home)
    return [
        (("incidents", "list", "--json", *at), INCIDENT.id),
        (("incidents", "show", INCIDENT.id[:6], *at), INCIDENT.id),
        (("incidents", "exposures", *at), "logged"),
        (("incidents", "export", elsewhere / "out.csv", *at), "1 incident in"),
        (("verify", *at), "1 incident, 1 sealed file: 1 intact; 0 unsealed"),
        (("coverage", *at), "yard"),
        (("observations", "show", *at), "yard"),
        (("observations", "compact", "--dry-run", *at), "would be merged"),
        (("observations", "purge", "--dry-run", *at), "would be removed"),
        (("replay", "--facility", plan, "--json", *at), "camera_hours"),
        (("zones", "diff", plan, plan, "--json", *at), "{"),
        (("backup", backups, *at), "files"),
    ]


@contextmanager
def read_only(disk: Path, home: Path) -> Iterator[Path]:
    """A copy of a home on a disk that cannot be written, not even by the administrator."""
    with small_disk(disk, "20m"):
        shutil.copytree(home, disk / "home")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        yield disk / "home"


def test_commands_that_read_work_and_create_no_file(written: Path, tmp_path: Path) -> None:
    (tmp_path / "facility.yaml").write_text(PLACE.text)
    with read_only(tmp_path / "disk", written) as home:
        before = sorted(home.rglob("*"))
        for command, said in commands_that_read(home, tmp_path):
            ran = lazaretto(*command)
            assert ran.code == 0, (command, ran.err)
            assert said in ran.out, command
        assert sorted(home.rglob("*")) == before


def test_a_user_without_the_right_to_write_reads_the_home_of_another(written: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(written, home)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    (elsewhere / "facility.yaml").write_text(PLACE.text)
    open_to_others(home)
    before = sorted(home.rglob("*"))
    with another_user():
        for command, said in commands_that_read(home, elsewhere):
            ran = lazaretto(*command)
            assert ran.code == 0, (command, ran.err)
            assert said in ran.out, command
        with (
            Ledger.open(home / "ledger.db", create=False) as opened,
            pytest.raises(LedgerError, match="read-only"),
        ):
            opened.segments.mark_complete("s")
    assert sorted(home.rglob("*")) == before


def test_while_another_user_writes_the_home_is_read_as_it_is_now(written: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(written, home)
    open_to_others(home)
    with Ledger.open(home / "ledger.db") as writing:
        writing.segments.mark_complete("just now")
        with another_user(), Ledger.open(home / "ledger.db", create=False) as reading:
            assert reading.segments.is_complete("just now")


def test_a_home_that_cannot_even_be_read_is_one_sentence(written: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(written, home)
    open_to_others(home)
    home.chmod(0o700)
    with another_user():
        for command in (("incidents", "list"), ("verify",)):
            ran = lazaretto(*command, "--home", home)
            assert ran.code == 2 and len(ran.err.strip().splitlines()) == 1, ran.err
            assert "expected a ledger that can be read, got: Permission denied" in ran.err


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
def test_changes_that_wait_in_the_write_ahead_log_are_read(
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
        before = {path.name: path.read_bytes() for path in home.glob("ledger.db*")}
        with Ledger.open(home / "ledger.db", create=False) as opened:
            assert opened.segments.is_complete("waiting")
            with pytest.raises(LedgerError, match="read-only"):
                opened.segments.mark_complete("more")
        assert {path.name: path.read_bytes() for path in home.glob("ledger.db*")} == before
