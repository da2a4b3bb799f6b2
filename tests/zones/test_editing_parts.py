"""Zones, lines and values in a facility file: put in, changed, taken out, and every other byte stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zones.facility_text import assert_one_sentence
from zones.editing import add_part, remove_part, replace_part, set_value
from zones.errors import FaultCode as Code
from zones.facility import FacilityError, UnknownCamera, parse_facility
from zones.loading import read_document
from zones.validation import Loc

SAMPLE = (Path(__file__).parents[2] / "data" / "facility.yaml").read_text("utf-8")
PART = {"id": "new", "type": "staff_only", "polygon": [(0.1, 0.123456), (0.5, 0.1), (0.5, 0.5)]}
LINES = """\
      - id: new
        type: staff_only
        polygon: [[0.1, 0.1235], [0.5, 0.1], [0.5, 0.5]]
"""
FLOW = """\
facility: {code: A, name: n, managing_body: m}
cameras: [{id: a, place: yard}, {"id": "b", "place": "gate"}] # two
"""


def added(before: str, after: str) -> str:
    """The one stretch of text that was put in; fails when more has changed."""
    start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
    end = len(after) - len(before) + start
    assert after[:start] + after[end:] == before
    return after[start:end]


def test_a_part_comes_behind_the_others_with_its_comment() -> None:
    after = add_part(SAMPLE, "yard", "zones", PART, "seen in the log\nby hand")
    assert after == SAMPLE.replace(
        "    lines:\n", "      # seen in the log\n      # by hand\n" + LINES + "    lines:\n"
    )


def test_a_camera_without_zones_gets_them() -> None:
    after = add_part(SAMPLE, "lobby", "zones", PART, "first")
    assert after == SAMPLE + "    zones:\n      # first\n" + LINES
    assert add_part(SAMPLE.rstrip("\n"), "lobby", "zones", PART, "first") == after.rstrip("\n")
    line = {"id": "out", "type": "gate", "points": [[0.1, 0.5], [0.9, 0.5]], "denied": "left_to_right"}
    assert parse_facility(add_part(after, "lobby", "lines", line)).camera("lobby").lines[0].id == "out"


@pytest.mark.parametrize("empty", ["zones: []  # none yet", "zones: [ ]  # none yet"])
def test_an_empty_list_becomes_a_block(empty: str) -> None:
    after = add_part(SAMPLE + f"    {empty}\n", "lobby", "zones", PART)
    assert after == SAMPLE + "    zones:  # none yet\n" + LINES


def test_flow_stays_flow_and_a_comment_comes_above_its_line() -> None:
    after = add_part(FLOW, "a", "zones", PART, "why")
    assert after == FLOW.replace("cameras", "# why\ncameras").replace(
        "place: yard",
        "place: yard, zones: [{id: new, type: staff_only, polygon: [[0.1, 0.1235], [0.5, 0.1], [0.5, 0.5]]}]",
    )
    quoted = add_part(FLOW, "b", "zones", PART)
    assert added(FLOW, quoted).startswith(', "zones": [{"id": "new", "type": "staff_only", "polygon": [[0.1,')
    twice = add_part(after, "a", "zones", {**PART, "id": "other"})
    assert [zone.id for zone in parse_facility(twice).camera("a").zones] == ["new", "other"]
    assert remove_part(twice, "a", "zones", "other") == after
    alone = remove_part(after, "a", "zones", "new")
    assert alone == after.replace(after[after.index("[{id: new") : after.index("]}]}") + 3], "[]")
    assert added(alone, add_part(alone, "a", "zones", PART)).startswith("{id: new, ")


def test_json_stays_json() -> None:
    import json

    facility = parse_facility(SAMPLE).model_copy(update={"timezone": "UTC"})
    after = add_part(facility.text, "lobby", "zones", PART)
    assert json.loads(after)["cameras"][1]["zones"][0]["id"] == "new"
    assert added(facility.text, after)


def test_a_part_takes_the_form_of_its_neighbours() -> None:
    text = (
        FLOW.replace("# two", "# two\n")
        .replace(
            "cameras: [{id: a, place: yard}, ",
            "cameras:\n- id: a\n  place: yard\n  zones:\n"
            "  - {id: z, type: exempt, polygon: [[0, 0], [1, 0], [1, 1]]} # z\n- ",
        )
        .replace("}] # two", "} # two")
    )
    after = add_part(text, "a", "zones", PART)
    assert added(text, after).strip().startswith("- {id: new, type: staff_only, ")


def test_replacing_touches_only_what_differs() -> None:
    part = {
        "id": "lawn",
        "name": "Bãi cỏ: mới",
        "type": "staff_only",
        "polygon": [[0.02, 0.55], [0.30, 0.60], [0.55, 0.78], [0.80, 0.90], [0.02, 0.98]],
        "rules": [{"roles": ["resident"], "effect": "allow"}],
    }
    text = SAMPLE.replace("type: staff_only", "type: staff_only # mowed by staff")
    after = replace_part(text, "yard", "zones", "lawn", part)
    expected = text.replace("name: Bãi cỏ khu kỹ thuật", 'name: "Bãi cỏ: mới"').replace(
        "[0.80, 0.98], [0.02, 0.98]]",
        "[0.80, 0.9], [0.02, 0.98]]\n        rules:\n          - {roles: [resident], effect: allow}",
    )
    assert after == expected
    assert replace_part(after, "yard", "zones", "lawn", part) == after
    del part["rules"], part["name"]
    assert replace_part(after, "yard", "zones", "lawn", part) == re.sub(
        '        name: "Bãi cỏ: mới"\n|        rules:\n          - {roles: .*\n', "", after
    )


def test_rules_keep_the_comments_of_those_that_stay() -> None:
    rules = """\
        rules:
          # by day
          - {roles: [resident], effect: allow} # one
          - effect: deny # two
"""
    text = SAMPLE.replace("    lines:\n", rules + "    lines:\n")
    part = parse_facility(text).camera("yard").zones[1].model_dump(mode="json", exclude_defaults=True)
    part["rules"] = [part["rules"][0], {"roles": ["outsider"], "effect": "deny"}, part["rules"][1]]
    after = replace_part(text, "yard", "zones", "lawn", part)
    assert (
        added(text, after) == "          - {roles: [outsider], effect: deny}\n"
        or added(text, after).count("\n") == 1
    )
    part["rules"] = part["rules"][2:]
    assert replace_part(after, "yard", "zones", "lawn", part) == text.replace(
        "          - {roles: [resident], effect: allow} # one\n", ""
    )
    del part["rules"]
    assert replace_part(text, "yard", "zones", "lawn", part) == text.replace(rules, "")


def test_removing_takes_the_part_and_its_own_comments() -> None:
    after = remove_part(SAMPLE, "yard", "zones", "service-door")
    assert after == re.sub(r"      - id: service-door\n(?:        .*\n)+", "", SAMPLE)
    empty = remove_part(after.replace("zones:", "zones: # all"), "yard", "zones", "lawn")
    assert "    zones: [] # all\n    lines:\n" in empty
    assert "# Walked from its upper" in remove_part(SAMPLE, "yard", "lines", "west-gate")


@pytest.mark.parametrize(
    ("loc", "value", "line"),
    [
        (("rules", "zone", "dwell_s"), 3.5, "rules:\n  zone:\n    dwell_s: 3.5\n"),
        (("cameras", "lobby", "default_role"), "unknown", None),
        (("cameras", 1, "source"), "rtsp://${A}:${B}@h/1", '    source: "rtsp://${A}:${B}@h/1"\n'),
        (
            ("schedules", "meal"),
            [{"from": "11:00", "to": "12:00"}],
            'schedules:\n  meal:\n    - {from: "11:00", to: "12:00"}\n',
        ),
    ],
)
def test_values_are_set_where_they_belong(loc: Any, value: Any, line: str | None) -> None:
    after = set_value(SAMPLE, loc, value)
    if line is not None:
        assert line in after and after.replace(line, "") == SAMPLE
        assert set_value(after, loc, None).count("\n") <= after.count("\n")
    else:
        assert after == SAMPLE[: -len("resident\n")] + "unknown\n"
    assert set_value(after, loc, value) == after


def test_set_beside_what_is_there() -> None:
    text = SAMPLE + "rules:\n  # how long\n  zone: {dwell_s: 2} # s\n  merge_s: 60\n"
    assert set_value(text, ("rules", "zone", "dwell_s"), 4) == text.replace("dwell_s: 2}", "dwell_s: 4}")
    assert set_value(text, ("rules", "zone", "max_gap_s"), 4) == text.replace("2}", "2, max_gap_s: 4}")
    assert set_value(text, ("rules", "contact"), {"distance_m": 1.5}) == text.replace(
        "  merge_s", "  contact:\n    distance_m: 1.5\n  merge_s"
    )
    assert set_value(text, ("rules", "merge_s"), None) == text.replace("  merge_s: 60\n", "")


@pytest.mark.parametrize(
    ("change", "field", "code", "got"),
    [
        (lambda: add_part(SAMPLE, "yrd", "zones", PART), "", Code.UNKNOWN_REFERENCE, "'yrd'"),
        (
            lambda: add_part(SAMPLE, "yard", "zones", {**PART, "id": "lawn"}),
            "cameras[0].zones[2].id",
            Code.DUPLICATE,
            "'lawn'",
        ),
        (
            lambda: add_part(SAMPLE, "yard", "zones", {**PART, "colour": 1}),
            "cameras[0].zones[2].colour",
            Code.UNKNOWN_FIELD,
            "'colour'",
        ),
        (lambda: add_part(SAMPLE, "yard", "zones", PART, "rtsp://a:b@c/"), "", Code.CREDENTIALS, "password"),
        (
            lambda: remove_part(SAMPLE, "yard", "zones", "lwn"),
            "cameras[0].zones",
            Code.UNKNOWN_REFERENCE,
            "'lwn'",
        ),
        (
            lambda: remove_part(SAMPLE, "lobby", "lines", "x"),
            "cameras[1].lines",
            Code.UNKNOWN_REFERENCE,
            "'x'",
        ),
        (
            lambda: set_value(SAMPLE, ("rules", "zone", "dwell"), 1),
            "rules.zone.dwell",
            Code.UNKNOWN_FIELD,
            "'dwell'",
        ),
        (
            lambda: set_value(SAMPLE, ("cameras", "none", "name"), "x"),
            "cameras.none.name",
            Code.UNKNOWN_REFERENCE,
            "none",
        ),
        (lambda: set_value(SAMPLE, ("rules", "zone"), None), "rules.zone", Code.UNKNOWN_REFERENCE, "none"),
        (lambda: set_value("a: 1", ("rules", "zone"), None), "facility", Code.MISSING, "nothing"),
    ],
)
def test_a_change_that_makes_no_facility_file_is_refused(
    change: Callable[[], str], field: str, code: Code, got: str
) -> None:
    with pytest.raises(FacilityError) as caught:
        change()
    assert (caught.value.field, caught.value.code) == (field, code)
    assert isinstance(caught.value, UnknownCamera) == (got == "'yrd'")
    assert got in caught.value.got
    assert_one_sentence(caught.value)


def test_an_error_after_a_change_has_the_line_of_the_changed_text() -> None:
    with pytest.raises(FacilityError) as caught:
        add_part(SAMPLE, "yard", "zones", {**PART, "id": "lawn"})
    error = caught.value
    assert error.file.endswith("after the change") and error.line is not None
    good = add_part(SAMPLE, "yard", "zones", PART).splitlines()
    assert good[error.line - 1].strip() == "- id: new"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: remove_part(text, "yard", "zones", "lawn"),
        lambda text: remove_part(text, "lobby", "zones", "lawn"),
        lambda text: add_part(text, "lobby", "zones", PART),
    ],
)
def test_what_others_share_is_not_touched(change: Callable[[str], str]) -> None:
    shared = SAMPLE.replace("    zones:\n", "    zones: &z\n") + "    zones: *z\n"
    with pytest.raises(FacilityError) as caught:
        change(shared)
    assert caught.value.code is Code.NOT_EDITABLE and "by hand" in caught.value.fault.hint
    assert_one_sentence(caught.value)


# Generated files: every part may be a block or on one line, quoted or not, with comments anywhere.

_TEXTS = st.text(st.sampled_from("aạ đ'\"#:,-[]{}&*!|>%@`0.~ \\"), min_size=1, max_size=8).map(
    lambda t: "x" + t
)
_COMMENTS = st.sampled_from(["", "", " # c", "  #: {[", " # đ' \"", " #"])
_SHARES = st.integers(1, 99).map(lambda n: n / 100)


@st.composite
def _zone(draw: st.DrawFn, number: int) -> dict[str, Any]:
    x, y = draw(_SHARES) / 2, draw(_SHARES) / 2
    zone: dict[str, Any] = {
        "id": f"z{number}",
        "type": draw(st.sampled_from(["common", "staff_only", "exempt"])),
    }
    zone["polygon"] = [[round(a, 3), round(b, 3)] for a, b in ((x, y), (x + 0.3, y), (x + 0.3, y + 0.3))]
    if draw(st.booleans()):
        zone["name"] = draw(_TEXTS)
    if draw(st.booleans()):
        zone["rules"] = [
            {"roles": [role], "effect": "deny"}
            for role in draw(st.lists(st.sampled_from(["resident", "outsider"]), max_size=3))
        ]
    return zone


@st.composite
def _facilities(draw: st.DrawFn) -> dict[str, Any]:
    cameras = []
    for c in range(draw(st.integers(1, 3))):
        camera: dict[str, Any] = {"id": f"c{c}", "place": "yard", "name": draw(_TEXTS)}
        if draw(st.booleans()):
            camera["zones"] = [draw(_zone(z)) for z in range(draw(st.integers(0, 3)))]
        if draw(st.booleans()):
            camera["default_role"] = "resident"
        cameras.append(dict(draw(st.permutations(list(camera.items())))))
    top: dict[str, Any] = {
        "facility": {"code": "A", "name": draw(_TEXTS), "managing_body": "m"},
        "cameras": cameras,
    }
    if draw(st.booleans()):
        top["rules"] = {"zone": {"dwell_s": 2}}
    return top


class _Writer:
    """Writes a value as YAML in a form that is drawn at every turn."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.step = draw(st.integers(1, 4))
        self.compact = draw(st.booleans())

    def scalar(self, value: Any) -> str:
        if not isinstance(value, str):
            return str(value)
        if re.fullmatch("[a-z_0-9]+", value) and not self.draw(st.booleans()):
            return value
        if self.draw(st.booleans()):
            return "'" + value.replace("'", "''") + "'"
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def flow(self, value: Any) -> str:
        gap = self.draw(st.sampled_from(["", " "]))
        if isinstance(value, dict):
            return (
                "{"
                + gap
                + ", ".join(f"{self.scalar(k)}: {self.flow(v)}" for k, v in value.items())
                + gap
                + "}"
            )
        if isinstance(value, list):
            tail = "," if value and self.draw(st.booleans()) else ""
            return "[" + gap + ", ".join(map(self.flow, value)) + tail + gap + "]"
        return self.scalar(value)

    def between(self, margin: str) -> list[str]:
        return self.draw(st.sampled_from([[], [], [""], [f"{margin}# above - : [", ""], ["# left"]]))

    def lines(self, value: Any, margin: str) -> list[str]:
        out = []
        pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
        for key, item in pairs:
            out += self.between(margin)
            head = margin + ("-" if key is None else self.scalar(key) + ":")
            comment = self.draw(_COMMENTS)
            if not item or not isinstance(item, (dict, list)) or self.draw(st.booleans()):
                out.append(f"{head} {self.flow(item)}{comment}")
                continue
            inner = margin + " " * (0 if self.compact and isinstance(item, list) and key else self.step)
            below = self.lines(item, inner)
            if key is None and isinstance(item, dict) and self.draw(st.booleans()):
                start = next(
                    (i for i, line in enumerate(below) if line.strip() and not line.lstrip().startswith("#"))
                )
                inner = margin + "  "
                below = self.lines(item, inner)
                start = next(
                    (i for i, line in enumerate(below) if line.strip() and not line.lstrip().startswith("#"))
                )
                if start == 0:
                    out += [f"{head} {below[0].lstrip()}", *below[1:]]
                    continue
            out += [head + comment, *below]
        return out


@st.composite
def _texts(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    facility = draw(_facilities())
    text = "\n".join([*_Writer(draw).lines(facility, ""), *draw(st.sampled_from([[], ["# end"]]))])
    text += draw(st.sampled_from(["", "\n", "\n\n"]))
    text = draw(st.sampled_from(["", "\ufeff"])) + text
    return (text.replace("\n", "\r\n") if draw(st.booleans()) else text), facility


def _comments(text: str) -> int:
    """How many comments the writer put into a text."""
    return sum(text.count(mark) for mark in ("# c", "#: {[", "# đ' \"", "# above - : [", "# left", "# end"))


@settings(max_examples=25, deadline=None)
@given(_texts(), st.data())
def test_every_other_byte_stays(written: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    text, facility = written
    camera = data.draw(st.sampled_from(facility["cameras"]))
    zones = camera.get("zones", [])
    breaks = "\r\n" if "\r\n" in text else "\n"
    new = data.draw(_zone(9))
    after = add_part(text, camera["id"], "zones", new)
    put = parse_facility(after).camera(camera["id"]).zones[-1]
    assert put.id == "z9" and put.name == new.get("name", "")
    assert _comments(after) == _comments(text)
    assert after.count("\n") == after.count(breaks)
    if zones:
        # What was put in comes out again, and nothing but it.
        assert remove_part(after, camera["id"], "zones", "z9") == text or text[-1] not in "\r\n"
        added(text, after)
        chosen = data.draw(st.sampled_from(zones))
        same = replace_part(text, camera["id"], "zones", chosen["id"], chosen)
        assert same == text
        other = {**data.draw(_zone(8)), "id": chosen["id"]}
        changed = replace_part(text, camera["id"], "zones", chosen["id"], other)
        assert parse_facility(changed).camera(camera["id"]).zones[zones.index(chosen)].name == other.get(
            "name", ""
        )
        line_of = read_document(text, "f").line
        at: Loc = ("cameras", facility["cameras"].index(camera), "zones", zones.index(chosen))
        lines, now = text.split(breaks), changed.split(breaks)
        first = line_of(at) - 1
        assert now[:first] == lines[:first]
        if chosen is not zones[-1] and (after_it := line_of((*at[:-1], int(at[-1]) + 1))) > first + 1:
            rest = len(lines) - after_it
            assert now[len(now) - rest :] == lines[len(lines) - rest :]
    longer = set_value(text, ("rules", "zone", "dwell_s"), 7.25)
    assert parse_facility(longer).rules.zone.dwell_s == 7.25
    assert _comments(longer) == _comments(text)
    if "rules" in facility:
        assert re.sub(r"7\.25", "2", longer) == text
    else:
        added(text, longer)
