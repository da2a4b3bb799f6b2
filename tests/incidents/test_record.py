from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.export import COLUMNS, row_of
from incidents.payloads import IncidentPayload
from incidents.record import (
    DECIDED,
    NEXT,
    VERDICTS,
    Evidence,
    Incident,
    RecordError,
    Status,
    Track,
    incident_from,
    track_id,
)
from incidents.rule_record import RuleRecord
from incidents.rules.events import Basis, Measure, Person
from tests.incidents.ledger.event_samples import FINDING, NURSE, RESIDENT, event, record_of
from tests.incidents.ledger.ledger_samples import MODELS, T0, facility, finding, incident
from vision.frames import SECOND, from_iso

CLIP = Evidence("clip", "evidence/yard/clip.mp4", "c" * 64, 1000, T0)


def test_holds_everything_the_department_of_health_asks_for() -> None:
    record = IncidentPayload.of(
        replace(
            incident(alerts=(T0 + 10 * SECOND,), cumulative_s=12.5),
            status=Status.CLOSED,
            reviewer="reviewer1",
            decision="confirmed",
            reason="seen clearly",
            decided_at=T0 + 60 * SECOND,
            facility_action="staff reminded",
            report_number="12/BC",
            evidence=(CLIP, replace(CLIP, kind="keyframe", path="evidence/yard/key.jpg")),
        )
    ).to_dict()
    assert record["schema_version"] == 3
    assert record["facility"] == {
        "code": "LC-01",
        "name": "Cơ sở cách ly Nậm Loỏng",
        "managing_body": "UBND thành phố Lai Châu",
        "version": facility().version,
    }
    assert (record["camera"], record["zone"]) == ("yard", None)
    assert record["start"] == "2026-11-24T15:00:00.000000+07:00"
    assert record["end"] == "2026-11-24T15:00:12.000000+07:00"
    assert record["duration_s"] == 12.0
    assert record["alerts"] == ["2026-11-24T15:00:10.000000+07:00"]
    assert record["cumulative_s"] == 12.5
    assert (record["kind"], record["subkind"], record["severity"]) == ("contact", "staff_resident", "high")
    assert record["tracks"] == [
        {"id": "00000000000004d2", "role": "resident", "confidence": 0.9, "basis": "zone of origin"},
        {"id": "7fffffffffffffff", "role": "staff_ppe", "confidence": 0.75, "basis": "clothes"},
    ]
    assert record["distance_m"] == {"minimum": 0.9, "median": 1.4, "standard_error": 0.2}
    assert record["mask"] == {"state": "masked", "assessable_share": 0.5}
    assert record["confidence"] == {"detector": 0.8, "rule": 0.7}
    assert record["models"] == MODELS
    assert record["rule_pack"] == facility().rules.pack
    assert record["thresholds"] == {"distance_m": 2.0, "pair": "staff_resident"}
    assert record["coverage_share"] == 0.75
    assert record["evidence"]["clip"]["uri"] == "evidence/yard/clip.mp4"
    assert record["evidence"]["keyframe"]["sha256"] == "c" * 64
    assert record["review"] == {
        "reviewer": "reviewer1",
        "decision": "confirmed",
        "reason": "seen clearly",
        "time": "2026-11-24T15:01:00.000000+07:00",
    }
    assert (record["facility_action"], record["report_number"]) == ("staff reminded", "12/BC")
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_has_no_field_for_a_name_a_face_or_an_embedding_of_the_people_seen() -> None:
    names = {item.name for item in fields(Incident)} | set(COLUMNS)
    assert not {name for name in names if "face" in name or "embedding" in name or "person" in name}
    assert {name for name in names if "name" in name} == {"facility_name"}
    assert set(IncidentPayload.of(incident()).to_dict()["tracks"][0]) == {"id", "role", "confidence", "basis"}


def test_the_same_footage_gives_the_same_id_and_another_key_another() -> None:
    assert incident().id == incident(end=T0 + 99 * SECOND, severity="low").id == finding().id
    others = [
        incident(camera="gate"),
        incident(kind="gathering"),
        incident(zone="door"),
        incident(identity=(1, 2)),
        incident(start=T0 + 1),
    ]
    assert len({incident().id, *(other.id for other in others)}) == 6


def test_times_follow_the_offset_of_the_facility_at_that_moment() -> None:
    paris = facility("timezone: Europe/Paris\n")
    start = from_iso("2026-10-25T00:59:59.5Z")  # half a second before the clocks go back
    record = IncidentPayload.of(incident(at=paris, start=start, end=start + SECOND)).to_dict()
    assert record["start"] == "2026-10-25T02:59:59.500000+02:00"
    assert record["end"] == "2026-10-25T02:00:00.500000+01:00"


numbers = st.one_of(
    st.none(), st.floats(width=32), st.sampled_from([float("nan"), float("inf"), float("-inf")])
)


@settings(max_examples=60, deadline=None)
@given(numbers, numbers, numbers, numbers)
def test_what_is_not_known_is_null_and_json_never_holds_nan(
    least: float | None, share: float | None, confidence: float | None, threshold: float | None
) -> None:
    value = None if share is None else np.float32(share)
    record = incident(
        distance_min=least,
        assessable_share=value,
        detector_confidence=confidence,
        people=(
            replace(RESIDENT, confidence=confidence),
            replace(NURSE, role="unknown", confidence=share),
        ),
        thresholds={"x": threshold},
        coverage_share=share,
    )
    text = json.dumps(IncidentPayload.of(record).to_dict(), allow_nan=False)
    assert "NaN" not in text and "Infinity" not in text
    assert not any(value != value for value in row_of(record).values())
    stored = RuleRecord.model_validate_json(record.rule_record().to_json())
    assert Incident.from_rule_record(stored, run="run") == record


def test_row_is_flat_and_keeps_the_order_of_the_columns() -> None:
    row = row_of(replace(incident(alerts=(T0, T0 + 600 * SECOND)), evidence=(CLIP,)))
    assert row["alerts"] == "2026-11-24T15:00:00.000000+07:00; 2026-11-24T15:10:00.000000+07:00"
    assert tuple(row) == COLUMNS
    assert all(value is None or isinstance(value, (str, int, float)) for value in row.values())
    assert row["tracks"] == (
        "00000000000004d2 resident 0.90 (zone of origin); 7fffffffffffffff staff_ppe 0.75 (clothes)"
    )
    assert row["models_sha256"] == f"person: {'a' * 64}; mask: {'b' * 64}"
    assert row["thresholds"] == "distance_m=2.0; pair=staff_resident"
    assert (row["clip_uri"], row["keyframe_uri"]) == ("evidence/yard/clip.mp4", None)
    assert row["viewing_clip_uri"] is None
    blurred = replace(CLIP, form="viewing", path="evidence/yard/blurred.mp4", sha256="e" * 64)
    row = row_of(replace(incident(), evidence=(CLIP,), viewing=(blurred,)))
    assert (row["clip_uri"], row["viewing_clip_uri"]) == (CLIP.path, blurred.path)
    assert (row["clip_sha256"], row["viewing_clip_sha256"]) == ("c" * 64, "e" * 64)


def test_judgement_is_what_the_rules_said_and_nothing_else() -> None:
    record = incident()
    same = replace(record, run="another", status=Status.CONFIRMED, reviewer="r", evidence=(CLIP,))
    assert same.rule_record() == record.rule_record()
    assert replace(record, end=record.end + 1).rule_record() != record.rule_record()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"end": T0 - 1}, "expected an end at or after"),
        ({"kind": "mask"}, "expected a kind among .*got 'mask'"),
        ({"severity": "urgent"}, "expected a severity among .*got 'urgent'"),
        ({"timezone": "Mars/Base"}, "expected a time zone such as .*got 'Mars/Base'"),
        ({"id": "xyz"}, "expected 16 hexadecimal digits, got 'xyz'"),
    ],
)
def test_refuses_what_cannot_be_true(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecordError, match=sentence):
        replace(incident(), **changes)  # type: ignore[arg-type]


def test_an_incident_of_one_moment_is_allowed() -> None:
    assert incident(end=T0).duration_s == 0


@pytest.mark.parametrize("track", [-1, 1 << 63])
def test_a_track_is_a_number_of_63_bits(track: int) -> None:
    with pytest.raises(RecordError, match="63 bits"):
        track_id(track)


def test_workflow_reaches_closed_from_everywhere_and_reports_only_what_was_confirmed() -> None:
    assert [status for status in Status if Status.REPORTED in NEXT[status]] == [Status.CONFIRMED]
    assert NEXT[Status.CLOSED] == NEXT[Status.WITHDRAWN] == frozenset()
    for status in set(Status) - {Status.WITHDRAWN}:
        reached = {status}
        for _ in Status:
            reached |= {after for before in reached for after in NEXT[before]}
        assert Status.CLOSED in reached
    assert {status for status in Status if Status.IN_REVIEW in NEXT[status]} == {Status.NEW}
    assert NEXT[Status.IN_REVIEW] == VERDICTS


def test_the_record_of_an_event_has_what_the_finding_has() -> None:
    happened = event("closed", 60, people=(RESIDENT, replace(NURSE, track=7)), cause="", alerts=(T0 + 5,))
    record = record_of(happened)
    finding = happened.finding
    assert record.id == finding.id == happened.incident
    assert (record.start, record.end, record.opened, record.alerts) == (
        *(finding.start, finding.end, finding.opened),
        (T0 + 5,),
    )
    assert record.tracks == (
        Track("00000000000004d2", "resident", None, "camera default"),
        Track("0000000000000007", "staff_ppe", 0.93, "clothes"),
    )
    assert (record.measure, record.ongoing, record.schema_version) == (Measure("held_s", 2.4, 2.0), False, 3)
    assert (record.facility_version, record.rule_pack) == (facility().version, facility().rules.pack)
    made = incident_from(
        finding,
        facility=facility(),
        camera=facility().camera("yard"),
        run="",
        models=MODELS,
        coverage_share=0.75,
        ongoing=True,
    )
    assert made == replace(record, ongoing=True)
    stored = RuleRecord.model_validate_json(record.rule_record().to_json())
    assert Incident.from_rule_record(stored) == record


def test_the_record_of_an_event_is_of_its_camera() -> None:
    with pytest.raises(RecordError, match=f"incident {FINDING.id}: expected camera yard, got gate"):
        incident_from(
            FINDING,
            facility=facility(),
            camera=facility().camera("gate"),
            run="",
            models={},
            coverage_share=None,
            ongoing=True,
        )


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_measure_that_is_not_known_is_none(wrong: float) -> None:
    for measure in (Measure("held_s", wrong, 2.0), Measure("held_s", 2.0, wrong)):
        assert replace(incident(), measure=measure).measure is None


@pytest.mark.parametrize(
    ("person", "text"),
    [
        (RESIDENT, "resident (camera default)"),
        (NURSE, "staff_ppe 0.93 (clothes)"),
        (Person(0x4D2, "outsider", 0.8, Basis.ORIGIN), "outsider 0.80 (zone of origin)"),
        (Person(0x4D2, "unknown", None, Basis.NONE), "unknown"),
        (Person(0x4D2, "unknown", 0.41, Basis.NONE), "unknown 0.41"),
    ],
)
def test_a_row_says_what_a_role_rests_on(person: Person, text: str) -> None:
    row = row_of(record_of(event("opened", 2, people=(person,))))
    assert row["tracks"] == f"00000000000004d2 {text}"


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        (Measure("held_s", 2.4, 2.0), "held 2.4 s, threshold 2.0 s"),
        (Measure("agreeing_share", 0.75, 0.6), "agreeing share 75%, threshold 60%"),
        (Measure("lasted_s", 61.0, 60.0), "lasted 61.0 s, threshold 60.0 s"),
        (Measure("people", 4.0, 3.0), "people 4, threshold 3"),
    ],
)
def test_a_row_says_why_the_incident_was_raised_and_with_what_margin(measure: Measure, text: str) -> None:
    assert row_of(record_of(event("opened", 2, measure=measure)))["measure"] == text


@pytest.mark.parametrize("status", Status)
def test_a_second_look_is_for_what_a_person_has_decided_on(status: Status) -> None:
    marked = replace(incident(), status=status, second_look="withdrawn: one person")
    extra = marked.next_statuses - NEXT[status]
    assert extra == ({Status.IN_REVIEW} if marked.status in DECIDED else set())
    assert replace(marked, second_look=None).next_statuses == NEXT[status]
