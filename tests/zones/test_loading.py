"""YAML documents: their values, their lines, and the sentence for each way of being none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zones.facility import FacilityError
from zones.loading import MAX_DEPTH, read_document

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
    ("text", "message"),
    [
        ("", "f: expected a facility in YAML, got an empty file"),
        ("\ufeff \n\n", "f: expected a facility in YAML, got an empty file"),
        ("# only a comment\n", "f: expected a facility in YAML, got an empty file"),
        ("\n- 1\n", "f: line 2: expected a mapping with the key 'facility', got a list"),
        ("hello", "f: line 1: expected a mapping with the key 'facility', got a single value"),
        ("a: 1\nb: 2\na: secret\n", "f: line 3: expected each key once, got 'a' again (first at line 1)"),
        (
            "a: {b: 1}\nc:\n  d: 1\n  d: 2\n",
            "f: line 4: expected each key once, got 'd' again (first at line 3)",
        ),
        (
            "a: 1\nb: [1, 2\nc: 3\n",
            "f: line 3: expected valid YAML, got a fault (while parsing a flow sequence",
        ),
        ("a: 1\nb: [1, 2\nc: 3\n", "that begins at line 2"),
        ("a:\n\tb: 1\n", "f: line 2: expected valid YAML, got a fault"),
        ("a:\n\tb: 1\n", "a tab: indent with spaces"),
        ("a: b: c\n", "f: line 1: expected valid YAML, got a fault (mapping values are not allowed here)"),
        (
            "a: 1\nb: *nowhere\n",
            "f: line 2: expected valid YAML, got a fault (found undefined alias 'nowhere')",
        ),
        ("a: 1\n---\nb: 1\n", "f: line 2: expected one YAML document, got a second"),
        ("a: 1\nb: \x00\n", "f: line 2: expected printable text, got the character U+0000"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "f: line 1: expected a plain value, got one with the tag",
        ),
        ("a: 1\nb: !secret x\n", "f: line 2: expected a plain value, got one with the tag !secret"),
        ("? [1, 2]\n: 3\n", "f: line 1: expected text as a key, got a list or mapping"),
        (
            "a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
            "f: line 1: expected at most 40 levels of nesting",
        ),
        ("- " * 2000 + "x", "f: expected at most 40 levels of nesting, got more"),
        ("a: &x [*x]\n", "f: line 1: expected at most 40 levels of nesting, got more"),
    ],
)
def test_a_text_that_is_no_document_gets_one_sentence(text: str, message: str) -> None:
    with pytest.raises(FacilityError) as caught:
        read_document(text, "f")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret'" not in str(caught.value)


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(FacilityError, match=r"expected at most 200000 values, got more"):
        read_document("\n".join(lines), "f")


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(TEXT)), st.text(st.sampled_from("ab:-[]{}#&*!|>'\"%@`,?\n\t 0~.<=é\x07"), max_size=6)
)
def test_any_damage_is_read_or_refused_but_never_breaks(at: int, extra: str) -> None:
    try:
        read_document(TEXT[:at] + extra + TEXT[at:], "f")
    except FacilityError as error:
        assert str(error).startswith("f: ")
        assert "\n" not in str(error)
