"""What a facility file may not say: each fault is refused with its line, field, code and value."""

from __future__ import annotations

import pytest

from tests.zones.facility_text import FILE, refused
from zones.errors import FaultCode as Code
from zones.facility import FacilityError, Place, parse_facility


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "code", "got"),
    [
        # Fields
        ("    places: [lobby]\n", "", 38, "cameras[1].places", Code.MISSING, "nothing"),
        ("places: [lobby]", "plces: [lobby]", 39, "cameras[1].plces", Code.UNKNOWN_FIELD, "'plces'"),
        ("places: [lobby]", "places: [lobby]\n    <<: {id: x}",
         40, "cameras[1].<<", Code.UNKNOWN_FIELD, "'<<'"),
        ("distance_m: 2", "distance: 2", 43, "rules.contact.distance", Code.UNKNOWN_FIELD, "'distance'"),
        ("rules:\n  mask", "rulez:\n  mask", 40, "rulez", Code.UNKNOWN_FIELD, "'rulez'"),
        ("schema: 2", "schema: 3", 1, "schema", Code.VERSION, "3"),
        ("schema: 2", "schema: 0", 1, "schema", Code.VERSION, "0"),
        ("schema: 2", "schema: true", 1, "schema", Code.VERSION, "true"),
        ("code: LC-01", "code: 7", 2, "facility.code", Code.WRONG_TYPE, "7"),
        ("code: LC-01", "code: ../x", 2, "facility.code", Code.MALFORMED, "'../x'"),
        ("name: Cơ sở cách ly số 1", "name: ''", 2, "facility.name", Code.TOO_FEW, "none"),
        ("min_face_px: 40", "min_face_px: 40.5", 41, "rules.mask.min_face_px", Code.WRONG_TYPE, "40.5"),
        ("min_face_px: 40", "min_face_px: true", 41, "rules.mask.min_face_px", Code.WRONG_TYPE, "true"),
        ("distance_m: 2", "distance_m: two", 43, "rules.contact.distance_m", Code.WRONG_TYPE, "'two'"),
        ("distance_m: 2", "distance_m: .nan", 43, "rules.contact.distance_m", Code.WRONG_TYPE, "nan"),
        ("distance_m: 2", "distance_m: 0", 43, "rules.contact.distance_m", Code.OUT_OF_RANGE, "0"),
        ("mask: {min_face_px: 40}", "mask: 3", 41, "rules.mask", Code.WRONG_TYPE, "3"),
        ("roles: [resident]", "roles: resident",
         24, "cameras[0].zones[0].rules[0].roles", Code.WRONG_TYPE, "'resident'"),
        ("roles: [resident]", "roles: []", 24, "cameras[0].zones[0].rules[0].roles", Code.TOO_FEW, "0"),
        ("roles: [resident]", "roles: [residnt]",
         24, "cameras[0].zones[0].rules[0].roles[0]", Code.NOT_A_CHOICE, "'residnt'"),
        # Ids
        ("id: lobby", "id: yard", 38, "cameras[1].id", Code.DUPLICATE, "'yard'"),
        ("id: lobby", "id: Yard", 38, "cameras[1].id", Code.DUPLICATE, "'Yard'"),
        ("id: staff", "id: door", 26, "cameras[0].zones[1].id", Code.DUPLICATE, "'door'"),
        ("id: gate", "id: door", 34, "cameras[0].lines[0].id", Code.DUPLICATE, "'door'"),
        # Schedules, time zone
        ("schedule: meal", "schedule: meals",
         24, "cameras[0].zones[0].rules[0].schedule", Code.UNKNOWN_REFERENCE, "'meals'"),
        ("  meal:\n", "  always:\n", 4, "schedules.always", Code.DUPLICATE, "'always'"),
        ("  meal:\n", "  bữa ăn:\n", 4, "schedules.bữa ăn", Code.MALFORMED, "'bữa ăn'"),
        ('to: "07:00"', 'to: "7:00"', 5, "schedules.meal[0].to", Code.MALFORMED, "'7:00'"),
        ('to: "07:00"', 'to: "06:00"', 5, "schedules.meal[0].to", Code.CONFLICT, "06:00"),
        ('from: "06:00", ', "", 5, "schedules.meal[0].from", Code.MISSING, "nothing"),
        ("from:", "from_:", 5, "schedules.meal[0].from_", Code.UNKNOWN_FIELD, "'from_'"),
        ("schema: 2", "timezone: Asia/Hochiminh", 1, "timezone", Code.MALFORMED, "'Asia/Hochiminh'"),
        ("schema: 2", "timezone: ../../etc/passwd", 1, "timezone", Code.MALFORMED, "'../../etc/passwd'"),
        # Geometry
        ("[[0, 0], [0.5, 0], [0.5, 0.5]]", "[[0, 0], [0.5, 0]]",
         22, "cameras[0].zones[0].polygon", Code.TOO_FEW, "2"),
        ("          - [1, 1]\n          - [0.5, 1]\n", "",
         28, "cameras[0].zones[1].polygon", Code.TOO_FEW, "2"),
        ("- [1, 1]", "- [1, 1.01]", 31, "cameras[0].zones[1].polygon[2]", Code.OUT_OF_RANGE, "[1.0, 1.01]"),
        ("- [1, 1]", "- [1, .inf]", 31, "cameras[0].zones[1].polygon[2][1]", Code.WRONG_TYPE, "inf"),
        ("- [1, 1]", "- [1]", 31, "cameras[0].zones[1].polygon[2][1]", Code.MISSING, "nothing"),
        ("- [1, 1]", "- [1, 1, 1]", 31, "cameras[0].zones[1].polygon[2]", Code.TOO_MANY, "3"),
        ("- [1, 0.5]\n          - [1, 1]", "- [1, 1]\n          - [1, 0.5]",
         28, "cameras[0].zones[1].polygon", Code.GEOMETRY, "[0]-[1] and [2]-[3]"),
        ("[0.5, 0.5]]", "[0.2, 0]]", 22, "cameras[0].zones[0].polygon", Code.GEOMETRY, "points on one line"),
        ("[0.5, 0.5]]", "[0.5, 0.5], [0, 0]]",
         22, "cameras[0].zones[0].polygon[3]", Code.DUPLICATE, "the first point again at the end"),
        ("[[0.1, 0.5], [0.9, 0.5]]", "[[0.1, 0.5], [0.1, 0.5]]",
         36, "cameras[0].lines[0].points", Code.GEOMETRY, "[0.1, 0.5] twice"),
        ("[[0.1, 0.5], [0.9, 0.5]]", "[[0, 0], [0, 1], [1, 1]]",
         36, "cameras[0].lines[0].points", Code.TOO_MANY, "3"),
        ("type: gate", "type: buffer", 35, "cameras[0].lines[0].type", Code.NOT_A_CHOICE, "'buffer'"),
        ("schedule: meal", "direction: left_to_right",
         24, "cameras[0].zones[0].rules[0]", Code.CONFLICT, "direction left_to_right"),
        # Calibration
        ("        - {image: [0.1, 0.9], ground: [0, 0]}\n", "",
         14, "cameras[0].calibration.points", Code.TOO_FEW, "3"),
        ("[0, 9.5]", "[10, 0]", 14, "cameras[0].calibration.points", Code.GEOMETRY, "ground"),
        ("[0.3, 0.3]", "[0.5, 0.9]", 14, "cameras[0].calibration.points", Code.GEOMETRY, "image"),
        ("[0.3, 0.3]", "[0.9, 0.9]", 14, "cameras[0].calibration.points", Code.GEOMETRY, "image"),
        # Thresholds
        ("distance_m: 2", "distance_m: 2.5", 42, "rules.contact.release_m", Code.CONFLICT, "2.3"),
        ("distance_m: 2", "release_m: 1.9", 43, "rules.contact.release_m", Code.CONFLICT, "1.9"),
        ("distance_m: 2", "touch_m: 2.1", 43, "rules.contact.touch_m", Code.CONFLICT, "2.1"),
        ("min_face_px: 40", "min_face_px: 19", 41, "rules.mask.min_face_px", Code.OUT_OF_RANGE, "19"),
        ("min_face_px: 40", "min_samples: 50", 41, "rules.mask.min_samples", Code.CONFLICT, "50"),
        ("min_face_px: 40", "min_span_s: 11", 41, "rules.mask.min_span_s", Code.CONFLICT, "11"),
        ("min_face_px: 40", "share: 0.5", 41, "rules.mask.share", Code.OUT_OF_RANGE, "0.5"),
        ("mask: {min", "evidence: {max_s: 12}\n  mask: {min",
         41, "rules.evidence.max_s", Code.CONFLICT, "12"),
    ],
)  # fmt: skip
def test_a_fault_has_its_line_field_code_and_value(
    old: str, new: str, line: int, field: str, code: Code, got: str
) -> None:
    error = refused(old, new)
    assert (error.file, error.line, error.field, error.code) == ("f.yaml", line, field, code)
    assert got in error.got


@pytest.mark.parametrize(
    ("old", "new", "known"),
    [
        ("places: [lobby]", "plces: [lobby]", "places"),
        ("distance_m: 2", "distance: 2", "distance_m"),
        ("rules:\n  mask", "rulez:\n  mask", "rules"),
        ("roles: [resident]", "roles: [residnt]", "resident"),
        ("schedule: meal", "schedule: meals", "meal"),
        ("from:", "from_:", "from"),
        ("schema: 2", "timezone: Asia/Hochiminh", "Asia/Ho_Chi_Minh"),
        ("schema: 2", "timezone: Asia/Hanoi", "Asia/Ho_Chi_Minh"),
        ("places: [lobby]", "places: [lobby]\n    role: resident", "default_role"),
    ],
)
def test_the_nearest_known_name_is_suggested(old: str, new: str, known: str) -> None:
    assert repr(known) in refused(old, new).fault.hint


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("schema: 2", "timezone: GMT+7", "an offset is no time zone; that of Viet Nam is Asia/Ho_Chi_Minh"),
        ("schema: 2", "timezone: '+07:00'", "an offset is no time zone"),
        ("- [1, 1]", "- [1920, 1080]", "points are shares of the picture, not pixels"),
        ("- [1, 1]", "- [1, 1.01]", ""),
        ("- [1, 1]", "- [0,45, 0,35]", "write decimals with a point, such as 0.45"),
        ("- [1, 1]", "- [1, 1, 1]", ""),
        (
            "places: [lobby]",
            "places: [lobby]\n    ignore: [[0.1, 0.1], [0.2, 0.1], [0.2, 0.3]]",
            "`ignore` is a list of polygons: put one more pair of brackets around it",
        ),
    ],
)
def test_a_usual_mistake_is_told_from_others(old: str, new: str, hint: str) -> None:
    found = refused(old, new).fault.hint
    assert hint in found and bool(hint) == bool(found)


@pytest.mark.parametrize(
    ("old", "new", "limits"),
    [
        ("    places: [lobby]\n", "", [*Place]),
        ("schema: 2", "schema: 3", ["2"]),
        ("schema: 2", "schema: 0", ["1", "2"]),
        ("roles: [resident]", "roles: []", ["at least 1"]),
        ("schedule: meal", "schedule: meals", ["always", "curfew", "meal"]),
        ("[[0, 0], [0.5, 0], [0.5, 0.5]]", "[[0, 0], [0.5, 0]]", ["at least 3 points"]),
        ("- [1, 1]", "- [1, 1, 1]", ["at most 2"]),
        ("distance_m: 2", "distance_m: 0", ["more than 0"]),
        ("distance_m: 2", "distance_m: 2.5", ["at least distance_m (2.5)"]),
        ("distance_m: 2", "touch_m: 2.1", ["at most distance_m (2)"]),
        ("min_face_px: 40", "min_face_px: 19", ["at least 20"]),
        ("min_face_px: 40", "min_samples: 50", ["at most 21"]),
        ("min_face_px: 40", "min_span_s: 11", ["at most window_s (10)"]),
        ("min_face_px: 40", "share: 0.5", ["more than 0.5"]),
    ],
)
def test_an_error_names_the_limit_or_the_choices(old: str, new: str, limits: list[str]) -> None:
    assert all(limit in refused(old, new).expected for limit in limits)


@pytest.mark.parametrize(
    "places", ["room", "[toilet]", "[yard, bathroom]", "[Yard]", "[7]", "[[yard]]", "", "[~]"]
)
def test_a_camera_has_no_place_but_the_public_areas_of_the_order(places: str) -> None:
    error = refused("places: [lobby]", f"places: {places}")
    assert (error.line, error.code) == (39, Code.FORBIDDEN_PLACE)
    assert error.field.startswith("cameras[1].places")
    assert all(place in error.expected for place in Place)
    assert "4403/CV-BCD" in error.fault.hint


def test_a_camera_sees_one_public_area_or_more() -> None:
    two = parse_facility(FILE.replace("places: [lobby]", "places: [lobby, corridor]"))
    assert two.camera("lobby").places == (Place.LOBBY, Place.CORRIDOR)
    none = refused("places: [lobby]", "places: []")
    assert (none.line, none.field, none.code) == (39, "cameras[1].places", Code.TOO_FEW)
    again = refused("places: [lobby]", "places: [lobby, yard, lobby]")
    assert (again.line, again.field, again.code) == (39, "cameras[1].places[2]", Code.DUPLICATE)
    bare = refused("places: [lobby]", "places: lobby")
    assert (bare.line, bare.field, bare.code) == (39, "cameras[1].places", Code.WRONG_TYPE)
    assert "brackets" in bare.fault.hint


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://admin:hunter2@10.0.0.5/main",
        "rtsp://admin:${CAM_PASSWORD}@10.0.0.5/main",
        "rtsp://10.0.0.5/user=x&password=hunter2&channel=1",
        "'rtsp://admin:hunter/2@10.0.0.5/main'",
        "admin:hunter2@10.0.0.5/main",
    ],
)
def test_credentials_in_a_source_are_refused_and_not_repeated(source: str) -> None:
    error = refused("rtsp://${CAM_USER}:${CAM_PASSWORD}@10.0.0.5:554/main", source)
    assert (error.line, error.field, error.code) == (11, "cameras[0].source", Code.CREDENTIALS)
    assert "${NAME}" in error.fault.hint
    assert "hunter" not in str(error)


def test_a_substream_is_checked_as_a_source() -> None:
    small = "rtsp://${CAM_USER}:${CAM_PASSWORD}@10.0.0.5:554/sub"
    kept = parse_facility(FILE.replace("places: [yard]", f"places: [yard]\n    substream: {small}"))
    assert kept.camera("yard").substream == small and kept.camera("lobby").substream is None
    secret = "places: [yard]\n    substream: rtsp://admin:hunter2@10.0.0.5/sub"
    error = refused("places: [yard]", secret)
    assert (error.line, error.field, error.code) == (11, "cameras[0].substream", Code.CREDENTIALS)
    assert "hunter" not in str(error)
    error = refused("places: [yard]", "places: [yard]\n    substream: rtsp://10.0.0.5/$STREAM")
    assert (error.field, error.code) == ("cameras[0].substream", Code.MALFORMED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("schema: 2", "schema: 2  # was rtsp://admin:hunter2@10.0.0.5/main"),
        ("name: Sân", "name: rtsp://admin:hunter2@10.0.0.5/main"),
        ("places: [lobby]", "places: rtsp://admin:hunter2@10.0.0.5/main"),
        ("places: [lobby]", "surce: rtsp://admin:hunter2@10.0.0.5/main"),
        ("places: [lobby]", "id: rtsp://admin:hunter2@10.0.0.5/main"),
        ("schema: 2", "schema: rtsp://admin:hunter2@10.0.0.5/main"),
        ("distance_m: 2", "distance_m: rtsp://admin:hunter2@10.0.0.5/main"),
    ],
)
def test_credentials_elsewhere_are_refused_and_not_repeated(old: str, new: str) -> None:
    assert "hunter" not in str(refused(old, new))


def test_a_source_names_environment_variables_in_full() -> None:
    error = refused(":554/main", ":554/$STREAM")
    assert (error.line, error.field, error.code) == (11, "cameras[0].source", Code.MALFORMED)


def test_the_first_fault_by_line_is_reported_and_the_others_are_counted() -> None:
    text = FILE.replace("min_face_px: 40", "min_face_px: 1").replace("type: staff_only", "type: staff")
    with pytest.raises(FacilityError) as caught:
        parse_facility(text.replace("places: [lobby]", "places: [lobby]\n    nme: x"))
    error = caught.value
    assert (error.line, error.field, error.code) == (27, "cameras[0].zones[1].type", Code.NOT_A_CHOICE)
    assert error.others == 2 and str(error).endswith(" (and 2 more)")
