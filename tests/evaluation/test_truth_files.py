from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.formats import TruthError
from evaluation.truth import json_schema, read_events, read_masks
from incidents.rule_record import KINDS
from vision.frames import SECOND, from_iso

EVENTS: dict[str, Any] = {
    "schema": 1,
    "cameras": [
        {
            "camera": "corridor",
            "start": "2026-11-24T08:00:00+07:00",
            "from": 5,
            "until": "10:00",
            "events": [
                {"kind": "zone_crossing", "zone": "stairs", "start": "1:12", "note": "man in grey"},
                {"kind": "contact", "start": 95.5, "end": "2:10"},
                {"kind": "gathering", "start": "2026-11-24T08:04:00+07:00"},
            ],
        }
    ],
}
MASKS: dict[str, Any] = {
    "schema": 1,
    "clips": [
        {
            "clip": "lobby.mp4",
            "people": [{"state": "masked", "from": 0, "until": "0:09", "box": [0.1, 0.1, 0.6, 1.0]}],
        }
    ],
}


def write(folder: Path, content: object) -> Path:
    path = folder / "truth.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return path


def changed(form: dict[str, Any], value: object, *at: int | str) -> dict[str, Any]:
    """A copy with the part at a place replaced; `...` removes it."""
    result = copy.deepcopy(form)
    part: Any = result
    for step in at[:-1]:
        part = part[step]
    if value is ...:
        del part[at[-1]]
    else:
        part[at[-1]] = value
    return result


def test_the_documented_events_file_is_read(tmp_path: Path) -> None:
    read = read_events(write(tmp_path, EVENTS))
    (camera,) = read.cameras
    start = from_iso("2026-11-24T01:00:00Z")
    assert camera.start == start
    moments = [event.start.at(camera.start) for event in camera.events]
    assert moments == [start + 72 * SECOND, start + round(95.5 * SECOND), start + 240 * SECOND]
    assert camera.first is not None and camera.first.at(None) is None
    assert camera.events[2].start.at(None) == start + 240 * SECOND
    assert camera.until is not None and camera.until.at(0) == 600 * SECOND
    assert read.kinds == tuple(kind for kind in KINDS if kind != "camera_health")  # no event to be noted


def test_the_documented_masks_file_is_read(tmp_path: Path) -> None:
    (clip,) = read_masks(write(tmp_path, MASKS)).clips
    (person,) = clip.people
    assert clip.clip == "lobby.mp4" and person.state == "masked"
    assert person.box == (0.1, 0.1, 0.6, 1.0)


def test_tabs_are_white_space_as_json_has_it(tmp_path: Path) -> None:
    text = json.dumps(changed(EVENTS, "barn", "cameras", 0, "events", 0, "kind"), indent="\t")
    with pytest.raises(TruthError, match=r"line 11: cameras\[0\].events\[0\].kind: expected one of"):
        read_events(write(tmp_path, text))


FIRST = ("cameras", 0, "events", 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", r"line 1: expected JSON, got a fault"),
        ("[]", r"expected an object with the field 'schema', got a list of 0"),
        ('{"schema": 1, "schema": 1}', r"expected each field of an object once, got 'schema' twice"),
        (changed(EVENTS, ..., "schema"), r"schema: expected .*, got nothing"),
        (changed(EVENTS, 2, "schema"), r"line 2: schema: expected one of 1, got 2"),
        (changed(EVENTS, [], "cameras"), r"cameras: expected at least 1 camera, got 0"),
        (changed(EVENTS, "loitering", *FIRST, "kind"), r"kind: expected one of .*, got 'loitering'"),
        (
            changed(EVENTS, "soon", *FIRST, "start"),
            r"line 13: cameras\[0\].events\[0\].start: expected seconds",
        ),
        (changed(EVENTS, -1, *FIRST, "start"), r"start: expected seconds, or text such as .*, got -1"),
        (changed(EVENTS, "1:72", *FIRST, "start"), r"start: expected seconds, or text such as"),
        (changed(EVENTS, True, *FIRST, "start"), r"start: expected seconds, .*, got true"),
        (changed(EVENTS, "2026-11-24T08:00:00", *FIRST, "start"), r"start: expected a time with an offset"),
        (changed(EVENTS, ..., *FIRST, "start"), r"start: expected a value, got nothing"),
        (changed(EVENTS, 1, *FIRST, "end"), r"end: expected a moment after the one it begins with"),
        (
            changed(EVENTS, "x", *FIRST, "zome"),
            r"expected one of the fields kind, .*, got 'zome'; did you mean",
        ),
        (changed(EVENTS, 7, "cameras", 0, "start"), r"start: expected a time such as .*, got 7"),
        (changed(EVENTS, 1, "cameras", 0, "until"), r"until: expected a moment after"),
        (changed(EVENTS, ["contact"], "kinds"), r"kind: expected one of the kinds of this file \(contact\)"),
        (
            changed(EVENTS, EVENTS["cameras"] * 2, "cameras"),
            r"cameras\[1\].camera: expected each camera once, got 'corridor' again",
        ),
    ],
)
def test_a_fault_in_an_events_file_is_one_sentence(tmp_path: Path, content: object, said: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(TruthError, match=said) as caught:
        read_events(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


ONE = ("clips", 0, "people", 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            changed(MASKS, "bare", *ONE, "state"),
            r"state: expected one of masked, unmasked, incorrect, got 'bare'",
        ),
        (changed(MASKS, [0.5, 0, 0.4, 1], *ONE, "box"), r"box: expected x1, y1, x2, y2 with"),
        (changed(MASKS, [0, 0, 1], *ONE, "box"), r"box\[3\]: expected a value, got nothing"),
        (
            changed(MASKS, "2026-11-24T08:00:00+07:00", *ONE, "until"),
            r"until: expected a moment counted from",
        ),
        (changed(MASKS, [], "clips", 0, "people"), r"people: expected at least 1 people, got 0"),
        (changed(MASKS, MASKS["clips"] * 2, "clips"), r"clips\[1\].clip: expected each clip once"),
    ],
)
def test_a_fault_in_a_masks_file_is_one_sentence(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(TruthError, match=said):
        read_masks(write(tmp_path, content))


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match="expected a JSON file, got: No such file"):
        read_events(tmp_path / "none.json")
    (tmp_path / "truth.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(TruthError, match="UTF-8"):
        read_events(tmp_path / "truth.json")


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_a_clock_reads_hours_minutes_and_seconds(hours: int, minutes: int, seconds: int) -> None:
    from evaluation.truth import TrueEvent

    text = f"{hours}:{minutes:02d}:{seconds:02d}"
    read = TrueEvent.model_validate({"kind": "contact", "start": text})
    assert read.start.at(0) == (hours * 3600 + minutes * 60 + seconds) * SECOND


def test_the_schemas_describe_both_files() -> None:
    assert set(json_schema("events")["properties"]) == {"schema", "kinds", "cameras"}
    assert set(json_schema("masks")["properties"]) == {"schema", "clips"}
