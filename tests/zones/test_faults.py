"""Each kind of mistake in each field of a facility file gives one sentence with line and field.

The JSON Schema has to agree: it accepts what loads, and rejects what is wrong in structure.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zones.facility_text import assert_one_sentence
from zones.errors import FaultCode
from zones.facility import FacilityError, json_schema, parse_facility
from zones.loading import read_document
from zones.migrating import schema_of_any
from zones.validation import Loc, describe, path_of

DATA = Path(__file__).parents[2] / "data"
SCHEMA = schema_of_any(json_schema())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RULES = """\
rules:
  mask: {min_face_px: 40, share: 0.7}
  zone: {dwell_s: 3}
  contact: {distance_m: 2.0}
  evidence: {before_s: 5}
  merge_s: 60
  pack: "2026.1"
schedules:
  meal: [{from: "06:00", to: "07:00"}]
"""
SAMPLE: dict[str, Any] = read_document((DATA / "facility.yaml").read_text("utf-8") + RULES, "f").data
SAMPLE["cameras"][0]["zones"][0]["rules"] = [{"roles": ["resident"], "schedule": "meal", "effect": "allow"}]
OLD = copy.deepcopy(SAMPLE)
OLD["schema"] = 1
for camera in OLD["cameras"]:
    camera["place"] = camera.pop("places")[0]


def text_of(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1)


def places(value: Any, loc: Loc = ()) -> Iterator[Loc]:
    """Every place of a document, but only of the first item of a list."""
    if loc:
        yield loc
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        if not isinstance(step, int) or step < 1:
            yield from places(item, (*loc, step))


def holder(data: Any, loc: Loc) -> Any:
    for step in loc[:-1]:
        data = data[step]
    return data


WRONG: dict[str, Any] = {
    "nothing": None,
    "text": "xyz",
    "empty": "",
    "number": -7.5,
    "huge": 10**30,
    "yes": True,
    "list": [],
    "nested": [[["x"]]],
    "mapping": {},
    "unknown": {"unknown": 1},
}
VALUE_FAULTS = (FaultCode.WRONG_TYPE, FaultCode.OUT_OF_RANGE, FaultCode.NOT_A_CHOICE)
PLACES = [(sample, loc) for sample in (SAMPLE, OLD) for loc in places(sample)]


def error_of(data: Any) -> FacilityError | None:
    """The error of a document, None when it loads; the schema has to agree as far as it can."""
    accepted = VALIDATOR.is_valid(data)
    try:
        parse_facility(text_of(data), "f.yaml")
    except FacilityError as error:
        assert_one_sentence(error)
        assert (error.file, error.line is not None) == ("f.yaml", True)
        return error
    assert accepted, next(VALIDATOR.iter_errors(data))
    return None


def test_the_samples_load_and_fit_the_schema() -> None:
    assert error_of(SAMPLE) is error_of(OLD) is None
    for path in set(DATA.glob("*.yaml")) - {DATA / "notifications.yaml"}:
        text = path.read_text("utf-8")
        parse_facility(text)
        VALIDATOR.validate(read_document(text, "f").data)
    bare = {key: value for key, value in OLD.items() if key != "schema"}
    assert error_of(bare) is None


@pytest.mark.parametrize("sample", [SAMPLE, OLD], ids=["newest", "oldest"])
def test_an_unknown_key_anywhere_is_named_and_rejected(sample: Any) -> None:
    for loc in [loc for loc in places(sample) if isinstance(loc[-1], str)]:
        data = copy.deepcopy(sample)
        holder(data, loc)["unknown"] = 1
        if loc[:-1] == ("schedules",):
            continue  # any name may be there
        error = error_of(data)
        assert error is not None, loc
        assert (error.code, error.got) == (FaultCode.UNKNOWN_FIELD, "'unknown'"), loc
        assert error.field == path_of((*loc[:-1], "unknown"))
        assert not VALIDATOR.is_valid(data), loc


@pytest.mark.parametrize("sample", [SAMPLE, OLD], ids=["newest", "oldest"])
def test_a_missing_key_is_named_and_rejected(sample: Any) -> None:
    missing = set()
    for loc in [loc for loc in places(sample) if isinstance(loc[-1], str)]:
        data = copy.deepcopy(sample)
        del holder(data, loc)[loc[-1]]
        if (error := error_of(data)) is not None and error.code is FaultCode.MISSING:
            assert error.field == path_of(loc)
            missing.add(loc[-1])
            assert not VALIDATOR.is_valid(data), loc
    place = "places" if sample is SAMPLE else "place"
    assert missing >= {
        "facility",
        "code",
        "name",
        "managing_body",
        "cameras",
        "id",
        place,
        "type",
        "polygon",
        "points",
    }
    assert missing >= {"effect", "from", "to", "image", "ground"}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(sorted(WRONG)))
def test_a_wrong_value_anywhere_is_one_sentence(place: tuple[Any, Loc], kind: str) -> None:
    sample, loc = place
    data = copy.deepcopy(sample)
    old = holder(data, loc)[loc[-1]]
    holder(data, loc)[loc[-1]] = copy.deepcopy(WRONG[kind])
    error = error_of(data)
    if kind == "nested" or (isinstance(old, (dict, list)) and kind in ("text", "number", "yes")):
        # A wrong type is a matter of structure.
        assert error is not None and not VALIDATOR.is_valid(data)
    if error is not None and error.code in VALUE_FAULTS:
        # These faults show the value itself: that at the line and field which the error names.
        value = read_document(text_of(data), "f").data
        for step in re.findall(r"[^.\[\]]+", error.field):
            value = value[int(step) if isinstance(value, list) else step]
        # A point is shown as a whole.
        assert isinstance(value, list) or describe(value) in error.got
