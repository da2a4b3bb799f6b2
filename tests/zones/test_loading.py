"""YAML documents: their values, their lines, and the fault of a text that is no document."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zones.facility_text import assert_one_sentence
from zones.errors import FacilityError
from zones.errors import FaultCode as Code
from zones.loading import MAX_DEPTH, MAX_VALUES, read_document

TEXT = """\
# a comment
name: Cơ sở

cameras:
  - id: a     # line 5
    polygon: [[0, 1],
              [2, 3]]
  -
    id: b
shared: &anchor {x: 1}
again:
  y: *anchor
"""


def test_every_part_knows_its_line() -> None:
    document = read_document(TEXT, "f")
    assert document.data["cameras"][0]["polygon"] == [[0, 1], [2, 3]]
    assert document.data["again"] == {"y": {"x": 1}}
    assert document.line(("name",)) == 2
    assert document.line(("cameras",)) == 4
    assert document.line(("cameras", 0)) == 5
    assert document.line(("cameras", 0, "polygon", 1, 0)) == 7
    assert document.line(("cameras", 1, "id")) == 9
    assert document.line(("again", "y")) == 12


def test_a_part_that_is_not_there_has_the_line_of_what_would_hold_it() -> None:
    document = read_document(TEXT, "f")
    assert document.line(("cameras", 1, "place")) == 9
    assert document.line(("cameras", 7, "x")) == 4
    assert document.line(("nothing",)) == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("06:00", "06:00"),
        ("2024-13-45", "2024-13-45"),
        ("2024-01-02", "2024-01-02"),
        ("no", "no"),
        ("True", True),
        ("~", None),
        ("", None),
        ("007", 7),
        ("0x1F", 31),
        ("-1_000", -1000),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ('"1"', "1"),
        ("!!str 1", "1"),
        ("!!int x", "x"),
        ("!!float Hà Nội", "Hà Nội"),
        ("!!bool x", "x"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    found = read_document(f"a: {text}\n", "f").data["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "code", "got"),
    [
        ("", None, Code.MISSING, "empty"),
        ("\ufeff \n\n", None, Code.MISSING, "empty"),
        ("# only a comment\n", None, Code.MISSING, "empty"),
        ("\n- 1\n", 2, Code.WRONG_TYPE, "list"),
        ("hello", 1, Code.WRONG_TYPE, "single value"),
        ("a: 1\nb: 2\na: secret\n", 3, Code.DUPLICATE, "'a' again (first at line 1)"),
        ("a: {b: 1}\nc:\n  d: 1\n  d: 2\n", 4, Code.DUPLICATE, "'d' again (first at line 3)"),
        ("a: 1\nb: [1, 2\nc: 3\n", 3, Code.SYNTAX, "begins at line 2"),
        ("a:\n\tb: 1\n", 2, Code.SYNTAX, "'\\t'"),
        ("a: b: c\n", 1, Code.SYNTAX, "mapping values are not allowed here"),
        ("a: 1\nb: *nowhere\n", 2, Code.SYNTAX, "'nowhere'"),
        ("a: 1\n---\nb: 1\n", 2, Code.SYNTAX, "second"),
        ("a: 1\nb: \x00\n", 2, Code.SYNTAX, "U+0000"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, Code.WRONG_TYPE, "python/object"),
        ("a: 1\nb: !secret x\n", 2, Code.WRONG_TYPE, "!secret"),
        ("? [1, 2]\n: 3\n", 1, Code.WRONG_TYPE, "list or mapping"),
        ("a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), 1, Code.TOO_MANY, "more"),
        ("- " * 2000 + "x", None, Code.TOO_MANY, "more"),
        ("a: &x [*x]\n", 1, Code.TOO_MANY, "more"),
    ],
)
def test_a_text_that_is_no_document_is_refused_with_its_line(
    text: str, line: int | None, code: Code, got: str
) -> None:
    with pytest.raises(FacilityError) as caught:
        read_document(text, "f")
    error = caught.value
    assert (error.file, error.line, error.code) == ("f", line, code)
    assert got in error.got
    assert_one_sentence(error)
    assert "secret'" not in str(error)


def test_a_tab_is_answered_with_the_advice_to_use_spaces() -> None:
    with pytest.raises(FacilityError) as caught:
        read_document("a:\n\tb: 1\n", "f")
    assert "spaces" in caught.value.fault.hint


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(FacilityError) as caught:
        read_document("\n".join(lines), "f")
    assert caught.value.code is Code.TOO_MANY and str(MAX_VALUES) in caught.value.expected


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(TEXT)), st.text(st.sampled_from("ab:-[]{}#&*!|>'\"%@`,?\n\t 0~.<=é\x07"), max_size=6)
)
def test_any_damage_is_read_or_refused_but_never_breaks(at: int, extra: str) -> None:
    try:
        read_document(TEXT[:at] + extra + TEXT[at:], "f")
    except FacilityError as error:
        assert error.file == "f"
        assert_one_sentence(error)
