"""What a facility file may say and is not likely to mean; and that good files are left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.rules.permission import denied
from incidents.rules.samples import ROLES
from zones.checking import Finding, Severity, check_facility
from zones.checking.placement import forbidden
from zones.facility import Direction, Facility, Line, Role, Zone, ZoneType, parse_facility
from zones.permission import minutes, verdicts

SAMPLES = Path(__file__).parents[2] / "data"
HEAD = """\
schema: 2
facility: {code: T-1, name: T, managing_body: T}
schedules:
  meal: [{from: "11:00", to: "12:00"}]
cameras:
  - id: cam
    places: [corridor, lobby, yard, bathroom_outside, gate, other_public]
    default_role: resident
    contact_pairs: []
"""
SCHEDULED = """\
      - {id: m, type: gate, polygon: [[0, 0], [0.2, 0], [0, 1]], rules: [{schedule: meal, effect: allow}]}
"""
FAR = """\
    calibration:
      points:
        - {image: [0.2, 0.9], ground: [0, 0]}
        - {image: [0.8, 0.9], ground: [4, 0]}
        - {image: [0.6, 0.5], ground: [4, 12]}
        - {image: [0.4, 0.5], ground: [0, 12]}
        - {image: [0.5, 0.9], ground: [2, 0]}
"""


def zone(name: str, kind: str, box: tuple[float, float, float, float], more: str = "") -> str:
    x, y, x2, y2 = box
    ring = f"[[{x}, {y}], [{x2}, {y}], [{x2}, {y2}], [{x}, {y2}]]"
    return f"      - {{id: {name}, type: {kind}, polygon: {ring}{more}}}\n"


def found(*zones: str, lines: str = "", head: str = HEAD) -> list[Finding]:
    text = head + ("    zones:\n" + "".join(zones) if zones else "") + lines
    return [finding for finding in check_facility(text) if "follows the schedule" not in finding.sentence]


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


BOX = (0.1, 0.1, 0.5, 0.5)


def test_good_files_have_notes_only() -> None:
    for name in ("facility.yaml", "yard-grid.yaml"):
        findings = check_facility((SAMPLES / name).read_text("utf-8"))
        assert findings and all(finding.severity is Severity.NOTE for finding in findings), findings
    assert found(zone("a", "staff_only", BOX), zone("b", "staff_only", (0.5, 0.1, 0.9, 0.5))) == []
    way = zone("b", "one_way", (0, 0, 1, 1), ", toward: [0.9, 0.5]")
    assert found(zone("a", "staff_only", BOX), way) == []
    assert (
        found(zone("a", "common", (0, 0, 1, 1)), zone("b", "exempt", BOX), zone("c", "care_station", BOX))
        == []
    )
    floor = zone("floor", "common", (0, 0, 1, 1), ", rules: [{effect: allow}]")
    assert found(floor, zone("a", "staff_only", BOX)) == []


@pytest.mark.parametrize(
    ("first", "second", "severity", "words"),
    [
        (
            zone("a", "resident_only", BOX),
            zone("b", "staff_only", (0.3, 0.1, 0.9, 0.5)),
            Severity.WARNING,
            "'a' lies with 50% of it in 'b': there, one denies residents and the other staff",
        ),
        (
            zone("a", "common", BOX, ", rules: [{roles: [resident], effect: allow}]"),
            zone("b", "staff_only", (0, 0, 1, 1)),
            Severity.WARNING,
            "'a' lies with 100% of it in 'b': there, this rule of 'a' allows what 'b' denies to resident",
        ),
        (
            zone("a", "staff_only", BOX),
            zone("b", "staff_only", (0, 0, 1, 1)),
            Severity.WARNING,
            "which denies all that it denies: every stay in it is reported twice",
        ),
        (
            zone("a", "staff_only", BOX),
            zone("b", "staff_only", (0.4, 0.1, 0.9, 0.5)),
            Severity.NOTE,
            "'a' lies with 25% of it in 'b': there, both report outsider, resident, unknown",
        ),
    ],
)
def test_overlaps(first: str, second: str, severity: Severity, words: str) -> None:
    for zones in ((first, second), (second, first)):
        finding = only([finding for finding in found(*zones) if "lies with" in finding.sentence])
        assert finding.severity is severity and words in finding.sentence
        assert finding.line in (11, 12) and finding.field.startswith("cameras[0].zones[")


@pytest.mark.parametrize(
    ("zones", "lines", "words", "line"),
    [
        (zone("a", "staff_only", (0.1, 0.1, 0.9, 0.13)), "", "'a' is narrower than the hysteresis: ", 11),
        (zone("a", "one_way", BOX), "", "(one_way without `toward`) denies nobody anything", 11),
        (
            zone("a", "gate", BOX, ", rules: [{effect: allow}]"),
            "",
            "'a' (gate) denies nobody anything",
            11,
        ),
        (
            zone(
                "a",
                "gate",
                BOX,
                ", rules: [{roles: [resident], effect: deny},"
                " {roles: [resident], schedule: meal, effect: allow}, {effect: allow}]",
            ),
            "",
            "this rule of 'a' never decides: rule rules[0] before it matches",
            11,
        ),
        (zone("a", "room_door", (0, 0, 0.8, 0.8)), "", "the room door 'a' covers 64% of the picture", 11),
        (zone("toilet", "common", BOX), "    name: trong phòng\n", "'trong phòng' tells of a room", 12),
        (
            "",
            "    lines:\n      - {id: g, type: gate, points: [[0.5, 0.5], [0.505, 0.5]]}\n",
            "'g' is 0.0089 of the frame height long, less than the hysteresis",
            11,
        ),
        (
            "",
            "    default_role_confidence: 0.4\n",
            "has a confidence of 0.4, under rules.role_confidence (0.7)",
            10,
        ),
        (
            zone("a", "common", BOX, ", origin_role: staff_ppe, origin_confidence: 0.3"),
            "",
            "the role of origin 'staff_ppe' has a confidence of 0.3",
            11,
        ),
    ],
)
def test_warnings(zones: str, lines: str, words: str, line: int) -> None:
    warnings = [f for f in found(*([zones] if zones else []), lines=lines) if f.severity is Severity.WARNING]
    finding = only(warnings)
    assert words in finding.sentence
    assert (finding.line, finding.camera) == (line, "cam")


@pytest.mark.parametrize(
    ("zones", "words"),
    [
        (
            zone("a", "resident_only", BOX),
            "'a' denies only outsider, staff_no_ppe, and no default role or origin",
        ),
        (
            zone("a", "staff_only", BOX, ", rules: [{roles: [resident], effect: deny}]"),
            "this rule of 'a' changes nothing: without it the same is denied",
        ),
    ],
)
def test_notes(zones: str, words: str) -> None:
    finding = only(found(zones))
    assert finding.severity is Severity.NOTE and words in finding.sentence


def test_what_lies_above_the_horizon() -> None:
    # The marks' sides meet at y = 0.3: nothing above it is floor.
    head = HEAD.replace("contact_pairs: []", "contact_pairs: [resident_resident]") + FAR
    lines = "    lines:\n      - {id: g, type: gate, points: [[0.1, 0.1], [0.9, 0.1]]}\n"
    findings = found(
        zone("sky", "staff_only", (0.1, 0.05, 0.9, 0.25)),
        zone("a", "staff_only", (0.3, 0.1, 0.7, 0.6)),
        lines=lines,
        head=head,
    )
    assert "nobody can enter 'sky'" in findings[0].sentence and findings[0].severity is Severity.WARNING
    high = next(f for f in findings if "'a' lies above" in f.sentence)
    assert high.severity is Severity.NOTE and int(high.sentence.split("%")[0]) in range(37, 44)
    assert any("nobody can cross 'g'" in finding.sentence for finding in findings)


def test_contact_needs_metres() -> None:
    plain = only(found(head=HEAD.replace("    contact_pairs: []\n", "")))
    assert (plain.severity, plain.line) == (Severity.NOTE, 6) and "no contact is judged" in plain.sentence
    asked = only(found(head=HEAD.replace("contact_pairs: []", "contact_pairs: [outsider_any]")))
    assert (asked.severity, asked.line) == (Severity.WARNING, 9)
    bad = FAR.replace("ground: [2, 0]", "ground: [2, 3]")
    worse = only(found(head=HEAD.replace("    contact_pairs: []\n", "") + bad))
    assert worse.severity is Severity.WARNING and "at most 0.25 m is accepted" in worse.sentence
    four = "\n".join(FAR.splitlines()[:-1]) + "\n"
    untold = only(found(head=HEAD.replace("    contact_pairs: []\n", "") + four))
    assert "the check error of the calibration cannot be told" in untold.sentence


def test_kinds_of_public_area_without_a_camera_and_schedules_without_a_rule() -> None:
    text = HEAD.replace("[corridor, lobby, yard, bathroom_outside, gate, other_public]", "[gate]")
    notes = [finding.sentence for finding in check_facility(text)]
    assert len([note for note in notes if "no camera sees the kind" in note]) == 5
    assert "no rule follows the schedule 'meal'" in notes
    assert "no rule follows the schedule 'meal'" not in [
        finding.sentence for finding in check_facility(HEAD + "    zones:\n" + SCHEDULED)
    ]
    # In the terms of a file of the first version, with its lines.
    old = text.replace("schema: 2", "schema: 1").replace("places: [gate]", "place: gate")
    assert [(f.line, f.sentence) for f in check_facility(old)] == [
        (f.line, f.sentence) for f in check_facility(text)
    ]


@pytest.mark.parametrize(
    ("text", "outside", "expected"),
    [
        ("toilet", False, True),
        ("toilet", True, False),
        ("Bathroom inside", True, True),
        ("Phòng tắm tầng 2", False, True),
        ("nhà vệ sinh", False, True),
        ("nha-ve-sinh-2", False, True),
        ("Cửa phòng tắm", False, False),
        ("Trong phòng 203", True, True),
        ("WC", False, True),
        ("Sân trong", False, False),
        ("Cửa phòng 203", False, False),
        ("inside-yard", False, False),
        ("Phòng ngủ", True, True),
        ("west-corridor", False, False),
    ],
)
def test_names_that_tell_of_forbidden_places(text: str, outside: bool, expected: bool) -> None:
    assert forbidden(text, outside) is expected


_RULES = st.lists(
    st.fixed_dictionaries(
        {"effect": st.sampled_from(["allow", "deny"])},
        optional={
            "roles": st.lists(st.sampled_from([role.value for role in Role]), min_size=1, max_size=2),
            "schedule": st.sampled_from(["always", "curfew", "meal", "late"]),
        },
    ),
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(_RULES, st.sampled_from(list(ZoneType)), st.sampled_from([None, *Direction]), st.booleans())
def test_the_verdicts_are_those_of_the_rules(
    rules: list[dict[str, object]], kind: ZoneType, against: Direction | None, line: bool
) -> None:
    facility = parse_facility(
        HEAD.replace(
            "  meal:", '  late: [{from: "23:30", to: "00:00"}, {from: "11:30", to: "24:00"}]\n  meal:'
        )
    )
    place: Zone | Line
    if line and kind.value in ("room_door", "one_way", "gate", "perimeter"):
        place = Line.model_validate(
            {"id": "p", "type": kind, "points": [[0, 0], [1, 1]], "rules": rules, "denied": against}
        )
    else:
        place = Zone.model_validate(
            {"id": "p", "type": kind, "polygon": [[0, 0], [1, 0], [1, 1]], "rules": rules}
        )
    day = 1_700_000_000_000_000 // 86_400_000_000 * 86_400_000_000 - 7 * 3_600_000_000
    assert set(minutes(facility)) >= {0, 300, 660, 690, 720, 1320, 1410}
    for (role, minute, direction), verdict in verdicts(place, facility).items():
        sign = (
            None
            if direction is None
            else np.array([1 if direction is Direction.LEFT_TO_RIGHT else -1], np.int8)
        )
        t = np.array([day + minute * 60_000_000])
        assert denied(place, facility, np.array([ROLES.index(role)], np.int8), t, sign)[0] == verdict.denied


def test_a_facility_is_not_changed_by_a_check() -> None:
    text = (SAMPLES / "facility.yaml").read_text("utf-8")
    before: Facility = parse_facility(text)
    check_facility(text)
    assert parse_facility(text) == before
