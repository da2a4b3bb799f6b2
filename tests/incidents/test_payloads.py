"""The JSON that leaves the program: its fields and values stay as they are, and its schemas describe it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from incidents.export import to_json
from incidents.ledger import Ledger
from incidents.payloads import ExposurePayload, IncidentPayload, IncidentWithHistoryPayload
from incidents.record import Evidence, Incident, Status, Track
from incidents.rule_record import RuleRecord
from incidents.rules.events import Basis, Measure, Person
from tests.incidents.ledger.ledger_samples import T0, facility, incident
from vision.frames import SECOND

CLIP = Evidence("clip", "evidence/yard/clip.mp4", "c" * 64, 1000, T0 + 1)
REVIEWED = replace(
    incident(alerts=(T0 + 10 * SECOND,), cumulative_s=12.5),
    opened=T0 + 10 * SECOND,
    ongoing=True,
    measure=Measure("held_s", 12.0, 10.0),
    tracks=(
        Track("00000000000004d2", "resident", None, "camera default"),
        Track("7fffffffffffffff", "staff_ppe", 0.75, "clothes"),
    ),
    run="1f",
    status=Status.CLOSED,
    reviewer="an",
    decision="confirmed",
    reason="seen clearly",
    decided_at=T0 + 60 * SECOND,
    facility_action="staff reminded",
    report_number="12/BC",
    evidence=(CLIP,),
    second_look="withdrawn: one person",
    replaced_by="0123456789abcdef",
    replaces=("fedcba9876543210",),
)
REVIEWED_JSON = {
    "id": "e7c2326741ee0017",
    "schema_version": 3,
    "status": "closed",
    "facility": {
        "code": "LC-01",
        "name": "Cơ sở cách ly Nậm Loỏng",
        "managing_body": "UBND thành phố Lai Châu",
        "version": facility().version,
    },
    "camera": "yard",
    "zone": None,
    "start": "2026-11-24T15:00:00.000000+07:00",
    "end": "2026-11-24T15:00:12.000000+07:00",
    "duration_s": 12.0,
    "opened": "2026-11-24T15:00:10.000000+07:00",
    "ongoing": True,
    "alerts": ["2026-11-24T15:00:10.000000+07:00"],
    "measure": {"name": "held_s", "value": 12.0, "threshold": 10.0},
    "kind": "contact",
    "subkind": "staff_resident",
    "severity": "high",
    "cause": "",
    "tracks": [
        {"id": "00000000000004d2", "role": "resident", "confidence": None, "basis": "camera default"},
        {"id": "7fffffffffffffff", "role": "staff_ppe", "confidence": 0.75, "basis": "clothes"},
    ],
    "distance_m": {"minimum": 0.9, "median": 1.4, "standard_error": 0.2},
    "cumulative_s": 12.5,
    "mask": {"state": "masked", "assessable_share": 0.5},
    "confidence": {"detector": 0.8, "rule": 0.7},
    "models": {
        "person": {"name": "yolo11n", "sha256": "a" * 64},
        "mask": {"name": "face-mask", "sha256": "b" * 64},
    },
    "rule_pack": "2026.1",
    "thresholds": {"distance_m": 2.0, "pair": "staff_resident"},
    "coverage_share": 0.75,
    "run": "1f",
    "evidence": {
        "clip": {
            "uri": "evidence/yard/clip.mp4",
            "sha256": "c" * 64,
            "bytes": 1000,
            "created": "2026-11-24T15:00:00.000001+07:00",
            "form": "original",
            "revision": 1,
        }
    },
    "viewing": {},
    "review": {
        "reviewer": "an",
        "decision": "confirmed",
        "reason": "seen clearly",
        "time": "2026-11-24T15:01:00.000000+07:00",
    },
    "facility_action": "staff reminded",
    "report_number": "12/BC",
    "second_look": "withdrawn: one person",
    "withdrawn_reason": None,
    "replaced_by": "0123456789abcdef",
    "replaces": ["fedcba9876543210"],
}
"""The record of schema version 3, field by field."""

# What ledgers hold of `REVIEWED`: any other text would make every incident look changed by the rules.
RULE_RECORD_TEXT = (
    '{"alerts": [1795507210000000], "assessable_share": 0.5, "camera": "yard", "cause": "", '
    '"coverage_share": 0.75, '
    '"cumulative_s": 12.5, "detector_confidence": 0.8, "distance_median": 1.4, "distance_min": 0.9, '
    '"distance_se": 0.2, "end": 1795507212000000, "facility_code": "LC-01", '
    '"facility_name": "Cơ sở cách ly Nậm Loỏng", "facility_version": "VERSION", '
    '"id": "e7c2326741ee0017", "kind": "contact", "managing_body": "UBND thành phố Lai Châu", '
    '"mask_state": "masked", "measure": ["held_s", 12.0, 10.0], "models": '
    '{"mask": {"name": "face-mask", "sha256": "MASK"}, '
    '"person": {"name": "yolo11n", "sha256": "PERSON"}}, "ongoing": true, "opened": 1795507210000000, '
    '"rule_confidence": 0.7, "rule_pack": "2026.1", "schema_version": 3, "severity": "high", '
    '"start": 1795507200000000, "subkind": "staff_resident", '
    '"thresholds": {"distance_m": 2.0, "pair": "staff_resident"}, "timezone": "Asia/Ho_Chi_Minh", '
    '"tracks": [["00000000000004d2", "resident", null, "camera default"], '
    '["7fffffffffffffff", "staff_ppe", 0.75, "clothes"]], "zone": null}'
)
for word, digest in (("VERSION", facility().version), ("MASK", "b" * 64), ("PERSON", "a" * 64)):
    RULE_RECORD_TEXT = RULE_RECORD_TEXT.replace(word, digest)

VARIANTS = [
    REVIEWED,
    incident(),
    incident(
        kind="zone_crossing",
        subkind="zone_entry",
        zone="door",
        people=(Person(1, "unknown", 0.0, Basis.CLOTHES),),
    ),
    incident(distance_min=None, distance_median=None, distance_se=None, mask_state=None, coverage_share=None),
    incident(thresholds={"x": None, "y": 1, "z": "masked"}),
]


def validator(mode: str = "serialization") -> Draft202012Validator:
    schema = IncidentPayload.model_json_schema(mode=mode)  # type: ignore[arg-type]
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_an_exported_record_has_the_fields_and_values_of_its_schema_version() -> None:
    exported = json.loads(to_json([REVIEWED]))
    assert exported == [REVIEWED_JSON]
    assert list(exported[0]) == list(REVIEWED_JSON)


@pytest.mark.parametrize("item", VARIANTS)
@pytest.mark.parametrize("mode", ["serialization", "validation"])
def test_exported_records_agree_with_the_schema_and_parse(item: Incident, mode: str) -> None:
    (exported,) = json.loads(to_json([item]))
    validator(mode).validate(exported)
    assert IncidentPayload.model_validate(exported).to_dict() == exported


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "parking"),
        ("status", "lost"),
        ("start", 1795507200000000),
        ("tracks", [{"id": "1"}]),
        ("review", None),
        ("name", "a field that the record does not have"),
    ],
)
def test_the_schema_refuses_another_record(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        validator().validate({**REVIEWED_JSON, field: value})


def test_the_schema_requires_every_field() -> None:
    for field in REVIEWED_JSON:
        with pytest.raises(ValidationError, match="is a required property"):
            validator().validate({name: value for name, value in REVIEWED_JSON.items() if name != field})


def test_the_text_of_a_rule_record_stays_the_same() -> None:
    assert REVIEWED.rule_record().to_json() == RULE_RECORD_TEXT
    stored = RuleRecord.model_validate_json(RULE_RECORD_TEXT)
    assert stored == REVIEWED.rule_record()
    assert stored.to_json() == RULE_RECORD_TEXT


@pytest.mark.parametrize("item", VARIANTS)
def test_the_text_of_a_rule_record_is_read_and_written_without_a_change(item: Incident) -> None:
    text = item.rule_record().to_json()
    assert RuleRecord.model_validate_json(text).to_json() == text


def test_history_and_exposures_have_schemas(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db", clock=lambda: T0) as ledger:
        run = ledger.runs.start(facility(), {}, {})
        ledger.incidents.record(incident(), run)
        ledger.workflow.transition(incident().id, Status.IN_REVIEW, "an", None, T0 + SECOND)
        found = ledger.incidents.get(incident().id)
        shown = IncidentWithHistoryPayload.with_history(
            found, ledger.incidents.history(found.id), ()
        ).to_dict()
    Draft202012Validator(IncidentWithHistoryPayload.model_json_schema(mode="serialization")).validate(shown)
    assert shown.pop("history") == [
        {
            "time": "2026-11-24T15:00:00.000000+07:00",
            "event": "added",
            "stream_time": None,
            "by": None,
            "reason": None,
            "run": run,
            "replaced_by": None,
        },
        {
            "time": "2026-11-24T15:00:01.000000+07:00",
            "event": "status",
            "stream_time": None,
            "by": "an",
            "reason": None,
            "run": None,
            "replaced_by": None,
        },
    ]
    assert shown == IncidentPayload.of(found).to_dict() | {"seals": []}
    Draft202012Validator.check_schema(ExposurePayload.model_json_schema())
