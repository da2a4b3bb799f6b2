"""A ledger written by an earlier version opens, is migrated, reads as before, and takes new entries."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from event_samples import event, record_of
from ledger_samples import MODELS, T0, facility, incident
from old_ledgers import database_of, insert
from sqlite_utils import Database

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from incidents.ledger.migrations import STEPS
from incidents.record import Evidence, Status
from vision.frames import SECOND

PLACE = facility()
END = T0 + 60 * SECOND
RECORDED = incident(alerts=(T0 + 10 * SECOND,))
WITHDRAWN = event(
    "withdrawn",
    30,
    reason="one person",
    kind="contact",
    subkind="staff_resident",
    zone=None,
    identity=(0x4D2, 0x7FFFFFFFFFFFFFFF),
)


def test_the_steps_are_named_in_order() -> None:
    assert (
        *("001_ledger", "002_publications", "003_exposures", "004_segments", "005_rule_record"),
        "006_incident_events",
        *("007_recordings", "008_evidence_forms", "009_withdrawn_exposures"),
        *("010_hour_counts", "011_recording_clocks", "012_uncounted"),
        "013_maintenance",
    ) == STEPS


def fill(database: Database, segments: str, rule_record: str, column: str = "judgement") -> None:
    """One row in each table of a ledger, as versions up to 005 wrote them."""
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
            column: rule_record,
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


def test_reviewed_incidents_of_the_schema_before_events_are_kept_and_take_events(tmp_path: Path) -> None:
    """Up to 005 records were of schema version 2: no moment of opening, no measure, no basis of a role."""
    old = json.loads(RECORDED.rule_record().to_json())
    for name in ("opened", "ongoing", "measure", "cause"):
        del old[name]
    old["tracks"] = [track[:3] for track in old["tracks"]]
    old["schema_version"] = 2
    text = json.dumps(old, sort_keys=True, ensure_ascii=False)
    path = tmp_path / "ledger.db"
    with database_of(path, "005_rule_record") as database:
        fill(database, "segments", text, column="rule_record")
        database.execute(
            "UPDATE incidents SET status = 'confirmed', reviewer = 'an', decision = 'confirmed', "
            "reason = 'seen'"
        )
        insert(
            database,
            "incident_history",
            {
                "incident": RECORDED.id,
                "at": END,
                "event": "status",
                "from_status": "in_review",
                "to_status": "confirmed",
                "by": "an",
                "reason": "seen",
            },
        )
    with Ledger.open(path, create=False) as ledger:
        (found,) = ledger.incidents.find()
        assert found == replace(
            RECORDED, schema_version=2, run="run", status=Status.CONFIRMED, reviewer="an",
            decision="confirmed", reason="seen", opened=None, measure=None,
            tracks=tuple(replace(track, basis="") for track in RECORDED.tracks),
        )  # fmt: skip
        assert (found.opened, found.measure, found.ongoing, found.cause) == (None, None, False, "")
        assert {track.basis for track in found.tracks} == {""}
        assert (found.second_look, found.withdrawn_reason, found.replaced_by) == (None, None, None)
        entries = ledger.incidents.history(found.id)
        assert [(entry.event, entry.t, entry.replaced_by) for entry in entries] == [
            ("added", None, None),
            ("status", None, None),
        ]
        assert entries[0].detail == found.rule_record()

        run = ledger.runs.start(PLACE, MODELS, {})
        assert WITHDRAWN.incident == found.id
        assert ledger.incidents.record_event(WITHDRAWN, record_of(WITHDRAWN), run) == "second_look"
        marked = ledger.incidents.get(found.id)
        assert marked == replace(found, second_look="withdrawn: one person")
        assert ledger.incidents.history(found.id)[:2] == entries
        assert ledger.faults() == ()


def test_evidence_of_the_schema_before_forms_is_original_with_its_revisions(tmp_path: Path) -> None:
    clips = [
        {"kind": "clip", "path": f"e/{n}.mp4", "sha256": f"{n}" * 64, "bytes": n, "created": END + n}
        for n in (1, 2)
    ]
    boxes = {**clips[0], "kind": "boxes", "path": "e/boxes.json"}
    unnamed = {**clips[0], "kind": "keyframe", "path": "e/key.jpg"}
    path = tmp_path / "ledger.db"
    with database_of(path, "007_recordings") as database:
        fill(database, "segments", RECORDED.rule_record().to_json(), column="rule_record")
        for item in (*clips, boxes):
            insert(
                database,
                "incident_history",
                {"incident": RECORDED.id, "at": END, "event": "evidence", "detail": json.dumps(item)},
            )
        for item in (clips[1], boxes, unnamed):  # The history has lost the key frame.
            insert(database, "evidence", {"incident": RECORDED.id, **item})
    with Ledger.open(path, create=False) as ledger:
        found = ledger.incidents.get(RECORDED.id)
        assert found.evidence == (
            Evidence(**boxes),
            Evidence(**clips[1], revision=2),
            Evidence(**unnamed),
        )
        assert found.viewing == ()
        assert ledger.incidents.evidence_revisions(RECORDED.id)[1:3] == (
            Evidence(**clips[0]),
            Evidence(**clips[1], revision=2),
        )
        details = [entry.detail for entry in ledger.incidents.history(found.id)[1:]]
        assert details == [Evidence(**item) for item in (*clips, boxes)]
        assert ledger.faults() == ()


def test_an_incident_without_alerts_is_read_and_updated(tmp_path: Path) -> None:
    """Records of schema version 1 have neither `alerts` nor `cumulative_s`."""
    old = json.loads(RECORDED.rule_record().to_json())
    for name in ("alerts", "cumulative_s", "opened", "ongoing", "measure", "cause"):
        del old[name]
    old["tracks"] = [track[:3] for track in old["tracks"]]
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


def test_segments_of_streams_that_were_not_complete_are_not_evaluated(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with database_of(path, "011_recording_clocks") as database:
        fill(database, "segments", RECORDED.rule_record().to_json(), column="rule_record")
        insert(database, "streams", {"key": "killed", "completed": None})
        segment = {
            "camera": "yard",
            "source": "b.mp4",
            "frames": 5,
            "part": "",
            "coverage": "[]",
            "run": "run",
        }
        place = {"stream": "killed", "seq": 0, "started": END, "ended": END + SECOND}
        insert(database, "segments", {**place, **segment})
    with Ledger.open(path, create=False) as ledger:
        [found] = ledger.segments.not_evaluated("yard", 0, END + SECOND)
        assert (found.stream_key, found.start, found.end) == ("killed", END, END + SECOND)
        ledger.segments.mark_evaluated("yard", END, END + SECOND)
        assert ledger.segments.not_evaluated("yard", 0, END + SECOND) == ()
        assert ledger.faults() == ()
