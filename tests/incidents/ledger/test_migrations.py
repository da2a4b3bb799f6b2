"""A ledger written by an earlier version opens, is migrated, reads as before, and takes new entries."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_samples import MODELS, T0, facility, incident
from sqlite_utils import Database, Migrations

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from incidents.ledger.migrations import MIGRATIONS, STEPS
from incidents.record import Status
from vision.frames import SECOND

PLACE = facility()
END = T0 + 60 * SECOND
RECORDED = incident(alerts=(T0 + 10 * SECOND,))


def test_the_steps_are_named_in_order() -> None:
    assert STEPS == ("001_ledger", "002_publications", "003_exposures", "004_segments", "005_rule_record")


@contextmanager
def database_of(path: Path, last_step: str) -> Iterator[Database]:
    """A ledger whose schema ends with a step, to be filled with rows."""
    earlier = Migrations(MIGRATIONS.name)
    for step in MIGRATIONS.pending(Database(memory=True)):
        if step.name <= last_step:
            earlier(name=step.name)(step.fn)
    connection = sqlite3.connect(path)
    database = Database(connection)
    earlier.apply(database)
    with connection:
        yield database
    connection.close()


def insert(database: Database, table: str, row: Mapping[str, str | int | None]) -> None:
    columns = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    database.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})", dict(row))


def fill(database: Database, segments: str, rule_record: str) -> None:
    """One row in each table of a ledger, as versions up to 004 wrote them."""
    insert(
        database,
        "facilities",
        {
            "code": PLACE.code,
            "name": PLACE.name,
            "managing_body": PLACE.managing_body,
            "timezone": "Asia/Ho_Chi_Minh",
        },
    )
    insert(
        database,
        "facility_versions",
        {
            "sha256": PLACE.version,
            "facility": PLACE.code,
            "text": PLACE.text,
            "first_used": T0,
            "last_used": T0,
        },
    )
    insert(
        database,
        "cameras",
        {"facility_version": PLACE.version, "position": 0, "id": "yard", "name": "Sân", "place": "yard"},
    )
    insert(
        database,
        "runs",
        {
            "id": "run",
            "facility_version": PLACE.version,
            "models": json.dumps(MODELS),
            "settings": '{"fps": 5.0}',
            "started": T0,
            "finished": END,
            "status": "complete",
        },
    )
    insert(database, "streams", {"key": "s", "completed": END})
    insert(
        database,
        segments,
        {
            "stream": "s",
            "seq": 0,
            "camera": "yard",
            "source": "yard.mp4",
            "started": T0,
            "ended": END,
            "frames": 300,
            "part": "observations/0.parquet",
            "coverage": json.dumps([[T0, END, "analysed", ""]]),
            "run": "run",
        },
    )
    insert(
        database,
        "coverage",
        {"camera": "yard", "started": T0, "ended": END, "state": "analysed", "cause": ""},
    )
    insert(
        database,
        "incidents",
        {
            "id": RECORDED.id,
            "facility": PLACE.code,
            "facility_version": PLACE.version,
            "camera": "yard",
            "kind": RECORDED.kind,
            "severity": RECORDED.severity,
            "started": RECORDED.start,
            "ended": RECORDED.end,
            "judgement": rule_record,
            "run": "run",
            "added": END,
            "status": "new",
        },
    )
    insert(
        database,
        "incident_history",
        {"incident": RECORDED.id, "at": END, "event": "added", "run": "run", "detail": rule_record},
    )


@pytest.mark.parametrize(
    ("last_step", "segments"), [("003_exposures", "stretches"), ("004_segments", "segments")]
)
def test_a_ledger_of_an_earlier_version_reads_as_before_and_takes_entries(
    tmp_path: Path, last_step: str, segments: str
) -> None:
    path = tmp_path / "ledger.db"
    with database_of(path, last_step) as database:
        fill(database, segments, RECORDED.rule_record().to_json())
    with Ledger.open(path, create=False) as ledger:
        (segment,) = ledger.segments.of_stream("s")
        assert (segment.start, segment.end, segment.frames, segment.run_id) == (T0, END, 300, "run")
        assert segment.coverage == (Interval("yard", T0, END, State.ANALYSED),)
        assert ledger.segments.within("yard", T0, END) == (segment,)
        assert ledger.segments.is_complete("s")
        assert ledger.runs.get("run").models == MODELS
        (found,) = ledger.incidents.find()
        assert found == replace(RECORDED, run="run")
        (entry,) = ledger.incidents.history(found.id)
        assert entry.detail == RECORDED.rule_record()

        run = ledger.runs.start(PLACE, MODELS, {})
        assert ledger.incidents.record(RECORDED, run) == "unchanged"
        later = Interval("yard", END, END + SECOND, State.IDLE)
        assert ledger.segments.commit("s", "yard", 1, "yard.mp4", later.start, later.end, 5, "", [later], run)
        ledger.workflow.transition(found.id, Status.IN_REVIEW, "an", None, END)
        assert ledger.faults() == ()
    with Ledger.open(path, create=False) as ledger:
        assert len(ledger.segments.of_stream("s")) == 2


def test_an_incident_without_alerts_is_read_and_updated(tmp_path: Path) -> None:
    """Records of schema version 1 have neither `alerts` nor `cumulative_s`."""
    old = json.loads(RECORDED.rule_record().to_json())
    del old["alerts"], old["cumulative_s"]
    old["schema_version"] = 1
    path = tmp_path / "ledger.db"
    with database_of(path, "002_publications") as database:
        fill(database, "stretches", json.dumps(old, sort_keys=True))
    with Ledger.open(path, create=False) as ledger:
        (record,) = ledger.incidents.find()
        assert (record.schema_version, record.alerts, record.cumulative_s) == (1, (), None)
        assert ledger.exposures.find() == ()
        run = ledger.runs.start(PLACE, MODELS, {})
        assert ledger.incidents.record(RECORDED, run) == "updated"
        assert ledger.incidents.find()[0].alerts == RECORDED.alerts
