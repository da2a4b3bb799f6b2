"""What a facility file may not say, each refused by one sentence with its line and field."""

from __future__ import annotations

import pytest

from tests.zones.facility_text import FILE, refused
from zones.facility import (
    FacilityError,
    Place,
    parse_facility,
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # Fields
        ("    places: [lobby]\n", "", "line 38: cameras[1].places: expected one of corridor, lobby, yard"),
        (
            "places: [lobby]",
            "plces: [lobby]",
            "line 39: cameras[1].plces: expected one of the fields id, name, places",
        ),
        (
            "places: [lobby]",
            "places: [lobby]\n    <<: {id: x}",
            "line 40: cameras[1].<<: expected one of the fields",
        ),
        ("places: [lobby]", "plces: [lobby]", "got 'plces'; did you mean 'places'?"),
        (
            "distance_m: 2",
            "distance: 2",
            "line 43: rules.contact.distance: expected one of the fields distance_m",
        ),
        ("rules:\n  mask", "rulez:\n  mask", "line 40: rulez: expected one of the fields schema, facility"),
        (
            "schema: 2",
            "schema: 3",
            "line 1: schema: expected at most 2, the newest that this program knows, got 3",
        ),
        ("schema: 2", "schema: 0", "line 1: schema: expected one of 1, 2, got 0"),
        ("schema: 2", "schema: true", "line 1: schema: expected one of 1, 2, got true"),
        ("code: LC-01", "code: 7", "line 2: facility.code: expected text, got 7 (put it in quotes)"),
        ("code: LC-01", "code: ../x", "line 2: facility.code: expected 1 to 64 of A-Z"),
        ("name: Cơ sở cách ly số 1", "name: ''", "line 2: facility.name: expected some text, got none"),
        (
            "min_face_px: 40",
            "min_face_px: 40.5",
            "line 41: rules.mask.min_face_px: expected a whole number, got 40.5",
        ),
        ("min_face_px: 40", "min_face_px: true", "rules.mask.min_face_px: expected a whole number, got true"),
        (
            "distance_m: 2",
            "distance_m: two",
            "line 43: rules.contact.distance_m: expected a number, got 'two'",
        ),
        ("distance_m: 2", "distance_m: .nan", "rules.contact.distance_m: expected a finite number, got nan"),
        ("distance_m: 2", "distance_m: 0", "rules.contact.distance_m: expected more than 0, got 0"),
        ("mask: {min_face_px: 40}", "mask: 3", "line 41: rules.mask: expected a mapping, got 3"),
        ("roles: [resident]", "roles: resident", "rules[0].roles: expected a list, got 'resident'"),
        (
            "roles: [resident]",
            "roles: []",
            "line 24: cameras[0].zones[0].rules[0].roles: expected at least 1 role",
        ),
        ("roles: [resident]", "roles: [residnt]", "rules[0].roles[0]: expected one of resident, staff_ppe"),
        ("roles: [resident]", "roles: [residnt]", "got 'residnt'; did you mean 'resident'?"),
        # Ids
        (
            "id: lobby",
            "id: yard",
            "line 38: cameras[1].id: expected a unique id, got 'yard', which cameras[0] has",
        ),
        ("id: lobby", "id: Yard", "got 'Yard', which cameras[0] has too"),
        (
            "id: staff",
            "id: door",
            "line 26: cameras[0].zones[1].id: expected a unique id, got 'door', which zones[0]",
        ),
        (
            "id: gate",
            "id: door",
            "line 34: cameras[0].lines[0].id: expected a unique id, got 'door', which zones[0]",
        ),
        # Schedules, time zone
        (
            "schedule: meal",
            "schedule: meals",
            "line 24: cameras[0].zones[0].rules[0].schedule: expected a schedule",
        ),
        (
            "schedule: meal",
            "schedule: meals",
            "among always, curfew, meal, got 'meals'; did you mean 'meal'?",
        ),
        ("  meal:\n", "  always:\n", "line 4: schedules.always: expected another name, got 'always'"),
        ("  meal:\n", "  bữa ăn:\n", "line 4: schedules.bữa ăn: expected 1 to 64 of A-Z"),
        ('to: "07:00"', 'to: "7:00"', 'line 5: schedules.meal[0].to: expected a local time "HH:MM"'),
        ('to: "07:00"', 'to: "06:00"', "line 5: schedules.meal[0].to: expected another time than `from`"),
        ('from: "06:00", ', "", "line 5: schedules.meal[0].from: expected a value, got nothing"),
        ("from:", "from_:", "line 5: schedules.meal[0].from_: expected one of the fields from, to, got"),
        ("schema: 2", "timezone: Asia/Hochiminh", "line 1: timezone: expected a time zone of the IANA list"),
        ("schema: 2", "timezone: Asia/Hochiminh", "got 'Asia/Hochiminh'; did you mean 'Asia/Ho_Chi_Minh'?"),
        (
            "schema: 2",
            "timezone: ../../etc/passwd",
            "line 1: timezone: expected a time zone of the IANA list",
        ),
        # Geometry
        (
            "[[0, 0], [0.5, 0], [0.5, 0.5]]",
            "[[0, 0], [0.5, 0]]",
            "polygon: expected at least 3 points, got 2",
        ),
        (
            "          - [1, 1]\n          - [0.5, 1]\n",
            "",
            "line 28: cameras[0].zones[1].polygon: expected at least 3",
        ),
        (
            "- [1, 1]",
            "- [1, 1.01]",
            "line 31: cameras[0].zones[1].polygon[2]: expected a point inside the frame",
        ),
        ("- [1, 1]", "- [1, 1.01]", "got [1.0, 1.01]"),
        ("- [1, 1]", "- [1, .inf]", "polygon[2][1]: expected a finite number, got inf"),
        ("- [1, 1]", "- [1]", "line 31: cameras[0].zones[1].polygon[2][1]: expected a value, got nothing"),
        ("- [1, 1]", "- [1, 1, 1]", "cameras[0].zones[1].polygon[2]: expected at most 2 values, got 3"),
        (
            "- [1, 0.5]\n          - [1, 1]",
            "- [1, 1]\n          - [1, 0.5]",
            "got sides [0]-[1] and [2]-[3] meeting",
        ),
        ("[0.5, 0.5]]", "[0.2, 0]]", "line 22: cameras[0].zones[0].polygon: expected a polygon with an area"),
        (
            "[0.5, 0.5]]",
            "[0.5, 0.5], [0, 0]]",
            "polygon[3]: expected each point once, got the first point again",
        ),
        (
            "[[0.1, 0.5], [0.9, 0.5]]",
            "[[0.1, 0.5], [0.1, 0.5]]",
            "line 36: cameras[0].lines[0].points: expected two",
        ),
        ("[[0.1, 0.5], [0.9, 0.5]]", "[[0, 0], [0, 1], [1, 1]]", "points: expected at most 2 points, got 3"),
        (
            "type: gate",
            "type: buffer",
            "line 35: cameras[0].lines[0].type: expected a type of line (room_door, one",
        ),
        (
            "schedule: meal",
            "direction: left_to_right",
            "zones[0].rules[0]: expected no direction in the rule of a z",
        ),
        # Calibration
        (
            "        - {image: [0.1, 0.9], ground: [0, 0]}\n",
            "",
            "line 14: cameras[0].calibration.points: expected at",
        ),
        (
            "[0, 9.5]",
            "[10, 0]",
            "calibration.points: expected 4 points of which no 3 lie on one line, got ground",
        ),
        (
            "[0.3, 0.3]",
            "[0.5, 0.9]",
            "calibration.points: expected 4 points of which no 3 lie on one line, got im",
        ),
        (
            "[0.3, 0.3]",
            "[0.9, 0.9]",
            "calibration.points: expected 4 points of which no 3 lie on one line, got im",
        ),
        # Thresholds
        (
            "distance_m: 2",
            "distance_m: 2.5",
            "line 42: rules.contact.release_m: expected at least distance_m (2.5), ",
        ),
        (
            "distance_m: 2",
            "release_m: 1.9",
            "line 43: rules.contact.release_m: expected at least distance_m (2), got",
        ),
        (
            "distance_m: 2",
            "touch_m: 2.1",
            "line 43: rules.contact.touch_m: expected at most distance_m (2), got 2.1",
        ),
        (
            "min_face_px: 40",
            "min_face_px: 19",
            "line 41: rules.mask.min_face_px: expected at least 20, got 19",
        ),
        (
            "min_face_px: 40",
            "min_samples: 50",
            "line 41: rules.mask.min_samples: expected at most 21, all that",
        ),
        (
            "min_face_px: 40",
            "min_span_s: 11",
            "rules.mask.min_span_s: expected at most window_s (10), got 11",
        ),
        ("min_face_px: 40", "share: 0.5", "rules.mask.share: expected more than 0.5, got 0.5"),
        (
            "mask: {min",
            "evidence: {max_s: 12}\n  mask: {min",
            "rules.evidence.max_s: expected at least before_s +",
        ),
    ],
)
def test_refuses_with_line_field_expected_and_got(old: str, new: str, message: str) -> None:
    text = refused(old, new)
    assert text.startswith("f.yaml: line ")
    assert message in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "places", ["room", "[toilet]", "[yard, bathroom]", "[Yard]", "[7]", "[[yard]]", "", "[~]"]
)
def test_a_camera_has_no_place_but_the_public_areas_of_the_order(places: str) -> None:
    text = refused("places: [lobby]", f"places: {places}")
    assert (
        "line 39: cameras[1].places" in text
        and ": expected one of the public areas corridor, lobby, yard" in text
    )
    assert "forbids cameras inside rooms, toilets and bathrooms" in text


def test_a_camera_sees_one_public_area_or_more() -> None:
    two = parse_facility(FILE.replace("places: [lobby]", "places: [lobby, corridor]"))
    assert two.camera("lobby").places == (Place.LOBBY, Place.CORRIDOR)
    assert "line 39: cameras[1].places: expected at least 1 place, got 0" in refused(
        "places: [lobby]", "places: []"
    )
    again = refused("places: [lobby]", "places: [lobby, yard, lobby]")
    assert "line 39: cameras[1].places[2]: expected each public area once, got 'lobby' again" in again
    assert "got 'lobby': put brackets around it" in refused("places: [lobby]", "places: lobby")


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
    text = refused("rtsp://${CAM_USER}:${CAM_PASSWORD}@10.0.0.5:554/main", source)
    assert "line 11: cameras[0].source: expected a source without credentials" in text
    assert "${NAME}" in text
    assert "hunter" not in text


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
    assert "hunter" not in refused(old, new)


def test_a_source_names_environment_variables_in_full() -> None:
    assert "cameras[0].source: expected environment variables as ${NAME}" in refused(
        ":554/main", ":554/$STREAM"
    )


def test_the_first_fault_is_the_first_by_line_and_the_others_are_counted() -> None:
    text = FILE.replace("min_face_px: 40", "min_face_px: 1").replace("type: staff_only", "type: staff")
    with pytest.raises(FacilityError) as caught:
        parse_facility(text.replace("places: [lobby]", "places: [lobby]\n    nme: x"))
    assert "line 27: cameras[0].zones[1].type: expected one of room_door" in str(caught.value)
    assert str(caught.value).endswith("got 'staff'; did you mean 'staff_only'? (and 2 more)")
