"""A home of every earlier version is read, backed up, verified and written to by this one."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from incidents.ledger import Ledger, Recording, Unread, UnreadReason
from incidents.ledger.migrations import STEPS
from incidents.record import Status
from incidents.rules.exposure import Exposure
from incidents.watched.hour import HourCounts
from pipelines.home import Home
from tests.incidents.ledger.ledger_samples import MODELS, NURSE, RESIDENT, T0, facility, incident
from tests.incidents.ledger.old_ledgers import write_down
from tests.incidents.rules.rule_scenes import observe, stay
from tests.logs import log_home
from tests.running import lazaretto_here as lazaretto
from tests.sealed_home import FILES, seal
from vision.frames import SECOND
from vision.sources.fingerprint import FileMark

PLACE = facility()
OPEN = incident(alerts=(T0 + 10 * SECOND,))
DECIDED = incident(start=T0 + 60 * SECOND, end=T0 + 72 * SECOND)
CARE = Exposure(
    zone="swab",
    people=(RESIDENT, NURSE),
    start=T0,
    end=T0 + 300 * SECOND,
    held_s=290.5,
    distance_min=0.6,
    distance_median=0.9,
    exceeded=False,
)


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of this version with a row in every table, and with the files that the rows speak of."""
    home = Home(tmp_path_factory.mktemp("newest"))
    seen = observe([stay(1, 3, 6, 0, 60), stay(2, 9, 6, 0, 100)], start=T0, camera="yard")
    log_home(home.path, PLACE, {"yard": seen})
    with Ledger.open(home.ledger) as ledger:
        run = ledger.runs.start(PLACE, MODELS, {"fps": 5.0})
        for one in (OPEN, DECIDED):
            ledger.incidents.record(one, run)
            for kind, name in FILES.items():
                seal(home, ledger, one, kind, name, (one.id + name).encode())
        ledger.workflow.transition(DECIDED.id, Status.IN_REVIEW, "an", None, T0)
        ledger.workflow.transition(DECIDED.id, Status.CONFIRMED, "an", "seen", T0)
        ledger.publications.publish(PLACE, "An", "first", None, None)
        ledger.exposures.record([CARE], "yard", PLACE.version, run)
        mark = FileMark(1000, T0, "f" * 64)
        ledger.recordings.enter(Recording("s", "yard", Path("/nvr/1.mp4"), T0, T0 + 60 * SECOND, None, mark))
        ledger.unread.enter([Unread("yard", Path("/nvr/2.mp4"), T0, UnreadReason.PARTLY)])
        counts = HourCounts.model_validate(
            {name: 0.0 for name, field in HourCounts.model_fields.items() if field.annotation is float}
            | {"camera": "yard", "start": "2026-11-24T08:00:00Z", "facility_version": PLACE.version}
            | {"abilities": (), "tracks": 0, "tracks_assessed": 0, "min_samples": 8, "notices": ()}
        )
        ledger.hours.keep(counts, "inputs")
        window = ledger.maintenance.announce(["yard"], None, ledger.clock() + SECOND, "lens", "An")
        ledger.maintenance.end(window.id, "An")
        ledger.runs.finish(run, "complete")
    return home.path


@pytest.fixture(params=STEPS)
def old(request: pytest.FixtureRequest, newest: Path, tmp_path: Path) -> tuple[Home, dict[str, int]]:
    """A home whose ledger has the schema of an earlier version, and the number of its rows by table."""
    home = Home(tmp_path / "home")
    shutil.copytree(newest, home.path)
    home.ledger.unlink()
    counts = write_down(newest / "ledger.db", home.ledger, request.param)
    assert all(counts.values()), "every table of that version has a row"
    return home, counts


def rows_by_table(ledger: Path) -> dict[str, int]:
    with closing(sqlite3.connect(ledger)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def steps_of(ledger: Path) -> list[str]:
    with closing(sqlite3.connect(ledger)) as database:
        return [name for (name,) in database.execute("SELECT name FROM _sqlite_migrations ORDER BY name")]


def test_a_home_of_an_earlier_version_is_read_and_written(old: tuple[Home, dict[str, int]]) -> None:
    home, before = old
    at = ("--home", home.path)
    listed = lazaretto("incidents", "list", "--json", *at)
    assert listed.code == 0, listed.err
    assert {one["id"]: one["status"] for one in listed.json} == {OPEN.id: "new", DECIDED.id: "confirmed"}
    assert all(len(one["evidence"]) == 3 for one in listed.json)
    after = rows_by_table(home.ledger)
    assert {name: after[name] for name in before} == before, "no row was lost or doubled"
    verified = lazaretto("verify", *at)
    assert verified.code == 0 and "6 intact; 0 unsealed" in verified.out, verified.out
    shown = lazaretto("incidents", "show", DECIDED.id, *at)
    assert shown.code == 0 and "confirmed" in shown.out, shown.err
    plan = home.path / "facility.yaml"
    plan.write_text(PLACE.text)
    replay = ("replay", "--facility", plan, "--json")
    for command in (("coverage", "--json"), ("observations", "show"), replay):
        ran = lazaretto(*command, *at)
        assert ran.code == 0 and "yard" in ran.out, (command, ran.err)
    exposures = lazaretto("incidents", "exposures", *at)
    assert ("1 contact in care" in exposures.out) == ("exposures" in before), exposures.out
    with Ledger.open(home.ledger, create=False) as ledger:
        run = ledger.runs.start(PLACE, MODELS, {})
        assert ledger.incidents.record(replace(OPEN, end=OPEN.end + SECOND), run) == "updated"
        seal(home, ledger, OPEN, "clip", "2/clip.mp4", b"longer")
        ledger.workflow.transition(OPEN.id, Status.IN_REVIEW, "an", None, T0)
        ledger.maintenance.announce(None, None, ledger.clock() + SECOND, "lens", "An")
        assert ledger.faults() == ()
    assert lazaretto("verify", *at).code == 0
    assert steps_of(home.ledger) == list(STEPS)


def test_a_backup_before_the_upgrade_keeps_the_old_schema(
    old: tuple[Home, dict[str, int]], tmp_path: Path
) -> None:
    """So that the older version can go on from it."""
    home, before = old
    schema, digest = steps_of(home.ledger), hashlib.sha256(home.ledger.read_bytes()).hexdigest()
    folder = tmp_path / "backups"
    folder.mkdir()
    made = lazaretto("backup", folder, "--home", home.path)
    assert made.code == 0, made.err
    checked = lazaretto("backup", folder, "--verify")
    assert checked.code == 0, checked.out
    again = Home(tmp_path / "again")
    assert lazaretto("restore", folder, "--home", again.path).code == 0
    for ledger in (home.ledger, again.ledger):
        assert steps_of(ledger) == schema
        found = {"segments" if n == "stretches" else n: count for n, count in rows_by_table(ledger).items()}
        assert {name: found[name] for name in before} == before
    assert hashlib.sha256(home.ledger.read_bytes()).hexdigest() == digest
    assert lazaretto("verify", "--home", again.path).code == 0
