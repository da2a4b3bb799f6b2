"""What a valid facility file contains that is probably not meant; files without faults get notes only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.rules.machines.plan import COLUMNS, MINUTES, plan_camera
from zones.checking import Check, Finding, Severity, check_facility
from zones.checking.placement import means_forbidden_place
from zones.facility import Direction, FacilityError, Line, Role, Zone, ZoneType, parse_facility
from zones.permission import permissions, schedule_minutes

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
    return [finding for finding in check_facility(text) if finding.check not in ELSEWHERE]


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


ELSEWHERE = (Check.UNUSED_SCHEDULE, Check.GATE_WITHOUT_LINE, Check.ONLY_MASKS)
"""Checks that other tests are about: test_raising.py."""
OVERLAPS = (Check.CONTRADICTION, Check.REPORTED_TWICE)
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
    ("first", "second", "severity", "check", "share"),
    [
        (
            zone("a", "resident_only", BOX),
            zone("b", "staff_only", (0.3, 0.1, 0.9, 0.5)),
            Severity.WARNING,
            Check.CONTRADICTION,
            "50%",
        ),
        (
            zone("a", "common", BOX, ", rules: [{roles: [resident], effect: allow}]"),
            zone("b", "staff_only", (0, 0, 1, 1)),
            Severity.WARNING,
            Check.CONTRADICTION,
            "100%",
        ),
        (
            zone("a", "staff_only", BOX),
            zone("b", "staff_only", (0, 0, 1, 1)),
            Severity.WARNING,
            Check.REPORTED_TWICE,
            "100%",
        ),
        (
            zone("a", "staff_only", BOX),
            zone("b", "staff_only", (0.4, 0.1, 0.9, 0.5)),
            Severity.NOTE,
            Check.REPORTED_TWICE,
            "25%",
        ),
    ],
)
def test_overlaps(first: str, second: str, severity: Severity, check: Check, share: str) -> None:
    for zones in ((first, second), (second, first)):
        findings = found(*zones)
        finding = only([finding for finding in findings if finding.check in OVERLAPS])
        assert (finding.severity, finding.check) == (severity, check)
        # The finding is about the smaller zone.
        index = next(i for i, zone_text in enumerate(zones) if "id: a" in zone_text)
        assert finding.line == 11 + index and finding.field.startswith(f"cameras[0].zones[{index}]")
        assert share in finding.sentence and "'a'" in finding.sentence and "'b'" in finding.sentence


@pytest.mark.parametrize(
    ("zones", "lines", "check", "line", "field", "words"),
    [
        (zone("a", "staff_only", (0.1, 0.1, 0.9, 0.13)), "", Check.TOO_SMALL, 11, "zones[0].polygon", "'a'"),
        (zone("a", "one_way", BOX), "", Check.DENIES_NOTHING, 11, "zones[0]", "`toward`"),
        (
            zone("a", "gate", BOX, ", rules: [{effect: allow}]"),
            "",
            Check.DENIES_NOTHING,
            11,
            "zones[0]",
            "gate",
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
            Check.UNREACHABLE_RULE,
            11,
            "zones[0].rules[1]",
            "rules[0]",
        ),
        (
            zone("a", "room_door", (0, 0, 0.8, 0.8)),
            "",
            Check.FORBIDDEN_PLACE,
            11,
            "zones[0].polygon",
            "64%",
        ),
        (
            zone("toilet", "common", BOX),
            "    name: trong phòng\n",
            Check.FORBIDDEN_PLACE,
            12,
            "name",
            "'trong phòng'",
        ),
        (
            "",
            "    lines:\n      - {id: g, type: gate, points: [[0.5, 0.5], [0.505, 0.5]]}\n",
            Check.TOO_SMALL,
            11,
            "lines[0].points",
            "0.0089",
        ),
        (
            "",
            "    default_role_confidence: 0.4\n",
            Check.LOW_CONFIDENCE,
            10,
            "default_role_confidence",
            "0.4",
        ),
        (
            zone("a", "common", BOX, ", origin_role: staff_ppe, origin_confidence: 0.3"),
            "",
            Check.LOW_CONFIDENCE,
            11,
            "zones[0].origin_confidence",
            "0.3",
        ),
    ],
)
def test_warnings(zones: str, lines: str, check: Check, line: int, field: str, words: str) -> None:
    warnings = [f for f in found(*([zones] if zones else []), lines=lines) if f.severity is Severity.WARNING]
    finding = only(warnings)
    assert (finding.check, finding.line, finding.field) == (check, line, f"cameras[0].{field}")
    assert finding.camera == "cam" and words in finding.sentence


@pytest.mark.parametrize(
    ("zones", "check", "field", "words"),
    [
        (
            zone("a", "resident_only", BOX),
            Check.ROLE_NOT_GIVEN,
            "cameras[0].zones[0]",
            "outsider, staff_no_ppe",
        ),
        (
            zone("a", "staff_only", BOX, ", rules: [{roles: [resident], effect: deny}]"),
            Check.REDUNDANT_RULE,
            "cameras[0].zones[0].rules[0]",
            "denied",
        ),
    ],
)
def test_notes(zones: str, check: Check, field: str, words: str) -> None:
    finding = only(found(zones))
    assert (finding.severity, finding.check, finding.field) == (Severity.NOTE, check, field)
    assert words in finding.sentence


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
    above = [finding for finding in findings if finding.check is Check.ABOVE_HORIZON]
    assert [(finding.field.partition(".")[2], finding.severity) for finding in above] == [
        ("zones[0].polygon", Severity.WARNING),
        ("zones[1].polygon", Severity.NOTE),
        ("lines[0].points", Severity.WARNING),
    ]
    # 40 % of the zone is above y = 0.3; the grid that is tested has 80 rows.
    assert int(above[1].sentence.split("%")[0]) in range(37, 44)


def test_contact_needs_metres() -> None:
    plain = only(found(head=HEAD.replace("    contact_pairs: []\n", "")))
    assert (plain.severity, plain.check, plain.line) == (Severity.NOTE, Check.NO_CONTACT, 6)
    asked = only(found(head=HEAD.replace("contact_pairs: []", "contact_pairs: [outsider_any]")))
    assert (asked.severity, asked.check, asked.line) == (Severity.WARNING, Check.NO_CONTACT, 9)
    bad = FAR.replace("ground: [2, 0]", "ground: [2, 3]")
    worse = only(found(head=HEAD.replace("    contact_pairs: []\n", "") + bad))
    assert (worse.severity, worse.check) == (Severity.WARNING, Check.NO_CONTACT)
    assert "0.25 m" in worse.sentence
    four = "\n".join(FAR.splitlines()[:-1]) + "\n"
    unknown = only(found(head=HEAD.replace("    contact_pairs: []\n", "") + four))
    assert (unknown.severity, unknown.check) == (Severity.WARNING, Check.NO_CONTACT)
    assert "unknown" in unknown.sentence


def test_kinds_of_public_area_without_a_camera_and_schedules_without_a_rule() -> None:
    text = HEAD.replace("[corridor, lobby, yard, bathroom_outside, gate, other_public]", "[gate]")
    checks = [finding.check for finding in check_facility(text)]
    assert checks.count(Check.UNSEEN_PLACE) == 5
    (unused,) = [finding for finding in check_facility(text) if finding.check is Check.UNUSED_SCHEDULE]
    assert (unused.field, unused.line) == ("schedules.meal", 4)
    used = check_facility(HEAD + "    zones:\n" + SCHEDULED)
    assert Check.UNUSED_SCHEDULE not in [finding.check for finding in used]
    # A file of the first version gives the same findings, with its lines.
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
def test_names_that_mean_forbidden_places(text: str, outside: bool, expected: bool) -> None:
    assert means_forbidden_place(text, outside) is expected


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
def test_the_permissions_are_those_that_the_rules_evaluate(
    rules: list[dict[str, object]], kind: ZoneType, against: Direction | None, line: bool
) -> None:
    facility = parse_facility(
        HEAD.replace(
            "  meal:", '  late: [{from: "23:30", to: "00:00"}, {from: "11:30", to: "24:00"}]\n  meal:'
        )
    )
    part: Zone | Line
    if line and kind.value in ("room_door", "one_way", "gate", "perimeter"):
        part = Line.model_validate(
            {"id": "p", "type": kind, "points": [[0, 0], [1, 1]], "rules": rules, "denied": against}
        )
    else:
        part = Zone.model_validate(
            {"id": "p", "type": kind, "polygon": [[0, 0], [1, 0], [1, 1]], "rules": rules}
        )
    camera = facility.cameras[0].model_copy(
        update={"lines": (part,)} if isinstance(part, Line) else {"zones": (part,)}
    )
    planned = plan_camera(facility, camera, 16 / 9)
    minutes = schedule_minutes(facility)
    assert set(minutes) >= {0, 300, 660, 690, 720, 1320, 1410}
    for (role, minute, direction), permission in permissions(part, facility).items():
        column = 0 if direction is None else COLUMNS[direction]
        own = [
            planned.plan.denied[number, column]
            for number, machine in enumerate(planned.machines)
            if role in machine.roles
        ]
        # A role that has no machine is denied nothing.
        assert len(own) <= 1
        denied = own[0] if own else np.zeros(MINUTES, np.bool_)
        later = [item for item in minutes if item > minute]
        until = later[0] if later else MINUTES
        assert (denied[minute:until] == permission.denied).all()


def test_a_facility_is_not_changed_by_a_check() -> None:
    text = (SAMPLES / "facility.yaml").read_text("utf-8")
    before = parse_facility(text)
    check_facility(text)
    assert parse_facility(text) == before


def ignoring(*boxes: tuple[float, float, float, float]) -> str:
    rings = ", ".join(f"[[{x}, {y}], [{x2}, {y}], [{x2}, {y2}], [{x}, {y2}]]" for x, y, x2, y2 in boxes)
    return HEAD + f"    ignore: [{rings}]\n"


def test_a_camera_that_ignores_most_of_its_picture_is_warned_of() -> None:
    assert found(head=ignoring((0, 0, 1, 0.49))) == []
    # Areas that overlap count once.
    assert found(head=ignoring((0, 0, 1, 0.49), (0, 0.1, 1, 0.49))) == []
    much = only(found(head=ignoring((0, 0, 1, 0.3), (0, 0.6, 1, 0.9))))
    assert (much.severity, much.check) == (Severity.WARNING, Check.IGNORES_MUCH)
    assert (much.line, much.field) == (10, "cameras[0].ignore") and "60%" in much.sentence


def test_a_place_that_is_wholly_ignored_is_warned_of() -> None:
    inside, outside = (
        zone("a", "staff_only", (0.1, 0.1, 0.3, 0.3)),
        zone("b", "staff_only", (0.2, 0.2, 0.5, 0.5)),
    )
    lines = "    lines:\n      - {id: l, type: gate, points: [[0.12, 0.12], [0.35, 0.35]]}\n"
    findings = found(inside, outside, lines=lines, head=ignoring((0.05, 0.05, 0.4, 0.4)))
    ignored = [finding for finding in findings if finding.check is Check.IGNORED_PLACE]
    assert [finding.field for finding in ignored] == ["cameras[0].zones[0]", "cameras[0].lines[0]"]
    assert all(finding.severity is Severity.WARNING for finding in ignored)


def test_an_ignored_area_is_a_polygon_and_optional() -> None:
    assert parse_facility(HEAD).cameras[0].ignore == ()
    assert len(parse_facility(ignoring((0, 0, 0.5, 0.5))).cameras[0].ignore) == 1
    crossed = HEAD + "    ignore: [[[0, 0], [1, 1], [1, 0], [0, 1]]]\n"
    with pytest.raises(FacilityError, match="a polygon that does not cross itself"):
        parse_facility(crossed)


def test_a_substream_needs_a_source_of_which_it_is_a_smaller_form() -> None:
    small = "    substream: rtsp://10.0.0.5/sub\n"
    alone = only([one for one in found(head=HEAD + small) if one.check is Check.SUBSTREAM])
    assert alone.severity is Severity.WARNING and alone.field == "cameras[0].substream"
    assert alone.line == len(HEAD.splitlines()) + 1
    both = HEAD + small + "    source: rtsp://10.0.0.5/main\n"
    assert Check.SUBSTREAM not in {one.check for one in found(head=both)}
    same = only([one for one in found(head=both.replace("/main", "/sub")) if one.check is Check.SUBSTREAM])
    assert same.severity is Severity.NOTE
