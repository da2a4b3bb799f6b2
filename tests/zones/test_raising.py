"""Cameras that can raise little are named, and cameras that have the name of a room."""

from __future__ import annotations

import pytest

from tests.zones.facility_text import refused
from zones.checking import Check, Finding, Severity, check_facility

HEAD = """\
schema: 2
facility: {code: T-1, name: T, managing_body: T}
cameras:
"""
METRES = """\
    calibration:
      points:
        - {image: [0.2, 0.9], ground: [0, 0]}
        - {image: [0.8, 0.9], ground: [4, 0]}
        - {image: [0.6, 0.5], ground: [4, 12]}
        - {image: [0.4, 0.5], ground: [0, 12]}
        - {image: [0.5, 0.9], ground: [2, 0]}
"""
LINE = "    lines:\n      - {id: a, type: TYPE, points: [[0.1, 0.5], [0.9, 0.5]]MORE}\n"


def camera(places: str = "gate", name: str = "", more: str = "") -> str:
    return f"{HEAD}  - id: cam\n    name: {name!r}\n    places: [{places}]\n{more}"


def line(kind: str, more: str = "") -> str:
    return LINE.replace("TYPE", kind).replace("MORE", more)


def found(text: str, *checks: Check) -> list[Finding]:
    return [finding for finding in check_facility(text) if finding.check in checks]


@pytest.mark.parametrize(
    ("places", "more", "named"),
    [
        ("gate", "", True),
        ("gate", line("one_way", ", denied: left_to_right"), True),
        ("gate", line("gate", ", rules: [{effect: allow}]"), True),
        ("lobby, gate", METRES, True),
        ("gate", line("gate"), False),
        ("gate", line("perimeter"), False),
        ("gate", "    zones:\n      - {id: a, type: gate, polygon: [[0, 0], [0.5, 0], [0, 0.5]]}\n", False),
        ("lobby", "", False),
    ],
)
def test_a_camera_that_sees_a_gate_and_has_no_line_is_named(places: str, more: str, named: bool) -> None:
    findings = found(camera(places, more=more), Check.GATE_WITHOUT_LINE)
    assert [(f.severity, f.camera, f.field) for f in findings] == (
        [(Severity.WARNING, "cam", "cameras[0].places")] if named else []
    )


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("", True),
        (line("one_way"), True),
        (METRES.replace("ground: [2, 0]", "ground: [2, 3]"), True),
        (line("gate"), False),
        (METRES, False),
    ],
)
def test_a_camera_without_zones_and_metres_is_named(more: str, named: bool) -> None:
    findings = found(camera("lobby", more=more), Check.ONLY_MASKS)
    assert [finding.severity for finding in findings] == ([Severity.NOTE] if named else [])


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("Phòng 101", True),
        ("phòng số 5", True),
        ("PHONG 12A", True),
        ("Room 7", True),
        ("Buồng 3", True),
        ("Cửa phòng 101", False),
        ("Hành lang phòng 101-110", False),
        ("Corridor, rooms 101 to 110", False),
        ("Trước phòng 3", False),
        ("Phòng họp", False),
        ("Sân 2", False),
    ],
)
def test_a_camera_with_the_name_of_a_room_is_named(name: str, named: bool) -> None:
    findings = found(camera("corridor", name), Check.FORBIDDEN_PLACE)
    assert [finding.field for finding in findings] == (["cameras[0].name"] if named else [])


def test_a_door_may_have_the_name_of_its_room() -> None:
    corners = "[[0, 0], [0.2, 0], [0, 0.5]]"
    door = f"    zones:\n      - {{id: d, name: Phòng 101, type: room_door, polygon: {corners}}}\n"
    assert found(camera("corridor", more=door), Check.FORBIDDEN_PLACE) == []


@pytest.mark.parametrize(
    ("written", "hint"),
    [("Phòng 101", "phong-101"), ("Cổng Đông", "cong-dong"), ("west gate", "west-gate"), ("...", "")],
)
def test_an_id_that_is_none_is_refused_with_how_to_write_it(written: str, hint: str) -> None:
    error = str(refused("id: cam", f"id: {written!r}", camera()))
    assert ("write " in error) == bool(hint)
    assert hint in error
