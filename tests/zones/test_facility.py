"""What a facility file may say, how it is read, and which version it is."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.zones.facility_text import FILE, assert_one_sentence
from zones.errors import FaultCode, LazarettoError
from zones.facility import (
    Direction,
    Facility,
    FacilityError,
    Pair,
    Place,
    Role,
    Rule,
    UnknownCamera,
    ZoneType,
    json_schema,
    load_facility,
    parse_facility,
)


def test_reads_every_part() -> None:
    facility = parse_facility(FILE)
    assert (facility.code, facility.schema_version) == ("LC-01", 2)
    assert facility.name == "Cơ sở cách ly số 1"
    assert facility.managing_body == "Bộ CHQS tỉnh"
    yard = facility.camera("yard")
    assert (yard.places, yard.default_role) == ((Place.YARD,), Role.RESIDENT)
    assert yard.contact_pairs == (Pair.STAFF_RESIDENT, Pair.OUTSIDER_ANY)
    assert yard.zones[0].rules[0].roles == (Role.RESIDENT,)
    assert yard.zones[0].rules[1].roles is None
    assert yard.zones[1].polygon[1] == (1.0, 0.5)
    assert (yard.lines[0].type, yard.lines[0].denied) == (ZoneType.GATE, Direction.LEFT_TO_RIGHT)
    assert facility.rules.mask.min_face_px == 40
    assert facility.camera("lobby").calibration is None


def with_aspect_ratio(written: str) -> str:
    return FILE.replace("    name: Sân\n", f"    name: Sân\n    aspect_ratio: {written}\n")


@pytest.mark.parametrize("written", ["16:9", "'16:9'", "1920:1080"])
def test_a_camera_may_state_the_aspect_ratio_of_its_picture(written: str) -> None:
    facility = parse_facility(with_aspect_ratio(written))
    assert facility.camera("yard").picture_aspect == Fraction(16, 9)
    assert facility.camera("lobby").picture_aspect is None
    again = parse_facility(facility.model_copy(update={"timezone": "UTC"}).text)
    assert again.camera("yard").picture_aspect == Fraction(16, 9)


@pytest.mark.parametrize("written", ["0:9", "16:0", "1.78", "16/9", "1:100", "wide", "-16:9", "[16, 9]"])
def test_an_aspect_ratio_that_no_picture_has_is_refused(written: str) -> None:
    with pytest.raises(FacilityError) as refused:
        parse_facility(with_aspect_ratio(written))
    assert_one_sentence(refused.value)
    assert (refused.value.line, refused.value.field) == (10, "cameras[0].aspect_ratio")


def test_the_defaults_are_those_of_the_domain() -> None:
    facility = parse_facility(FILE)
    assert facility.timezone == "Asia/Ho_Chi_Minh"
    assert [(w.from_, w.to) for w in facility.schedules["curfew"]] == [("22:00", "05:00")]
    rules = facility.rules
    assert (rules.contact.release_m, rules.contact.min_s, rules.contact.max_calibration_error_m) == (
        2.3,
        10,
        0.25,
    )
    assert (rules.zone.dwell_s, rules.zone.dwell_gate_s, rules.zone.hysteresis_frame) == (2, 1, 0.02)
    assert (rules.mask.min_samples, rules.mask.window_s, rules.mask.min_span_s, rules.mask.share) == (
        8,
        10,
        5,
        0.6,
    )
    assert (rules.gathering.min_people, rules.gathering.min_s) == (3, 60)
    assert (rules.evidence.before_s, rules.evidence.after_s, rules.evidence.max_s) == (5, 10, 60)
    assert (rules.merge_s, rules.realert_s, rules.role_confidence) == (60, 600, 0.7)


def test_the_curfew_can_be_moved() -> None:
    facility = parse_facility(FILE.replace("  meal:", '  curfew: [{from: "21:00", to: "04:30"}]\n  meal:'))
    assert [(w.from_, w.to) for w in facility.schedules["curfew"]] == [("21:00", "04:30")]


def test_the_version_is_the_hash_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "facility.yaml"
    data = b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode()
    path.write_bytes(data)
    facility = load_facility(path)
    assert facility.version == hashlib.sha256(data).hexdigest()
    assert facility.text.encode() == data
    assert parse_facility(facility.text).version == facility.version


def test_a_changed_copy_is_a_new_version_that_reads_back_the_same() -> None:
    facility = parse_facility(FILE)
    same = facility.model_copy()
    assert (same.text, same.version) == (facility.text, facility.version)
    changed = facility.model_copy(update={"timezone": "UTC"})
    assert changed.version != facility.version
    assert parse_facility(changed.text).model_dump() == changed.model_dump()


def test_an_unknown_camera_is_named_with_those_that_exist() -> None:
    facility = parse_facility(FILE)
    with pytest.raises(UnknownCamera) as caught:
        facility.camera("yrd")
    error = caught.value
    assert (error.code, error.got) == (FaultCode.UNKNOWN_REFERENCE, "'yrd'")
    assert "yard, lobby" in error.expected and "'yard'" in error.fault.hint
    assert_one_sentence(error)
    assert isinstance(caught.value, FacilityError)
    assert isinstance(caught.value, LazarettoError)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for missing, reason in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(FacilityError) as caught:
            load_facility(missing)
        error = caught.value
        assert (error.file, error.line, error.code) == (str(missing), None, FaultCode.UNREADABLE)
        assert reason in error.got
        assert_one_sentence(error)
    path = tmp_path / "latin.yaml"
    path.write_bytes(FILE.encode().replace("Sân".encode(), b"S\xe2n"))
    with pytest.raises(FacilityError) as caught:
        load_facility(path)
    assert (caught.value.line, caught.value.code) == (9, FaultCode.UNREADABLE)
    assert "0xe2" in caught.value.got


def test_a_facility_cannot_be_changed_in_place() -> None:
    facility = parse_facility(FILE)
    with pytest.raises(ValidationError, match="frozen"):
        facility.rules.contact.distance_m = 1.0


def test_parts_built_in_code_are_checked_alike() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        Rule(roles=(), effect="deny")  # type: ignore[arg-type]
    assert Facility.model_validate(parse_facility(FILE).model_dump()).code == "LC-01"


def test_the_json_schema_describes_the_file() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == {"schema", "facility", "timezone", "schedules", "cameras", "rules"}
    assert schema["required"] == ["facility", "cameras"]
    assert schema["additionalProperties"] is False
    zone = schema["$defs"]["Zone"]["properties"]
    assert zone["polygon"]["minItems"] == 3
    assert zone["polygon"]["items"]["prefixItems"][0] == {"maximum": 1, "minimum": 0, "type": "number"}
    assert schema["$defs"]["Line"]["properties"]["type"]["enum"] == [
        "room_door",
        "one_way",
        "gate",
        "perimeter",
    ]
    assert schema["$defs"]["MaskRule"]["properties"]["min_face_px"]["minimum"] == 20
    for part in schema["$defs"].values():
        for field in part.get("properties", {}).values():
            assert "title" in field or "$ref" in field
