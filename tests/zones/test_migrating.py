"""Files of older versions: they load as they always did, and are rewritten with every comment kept."""

from __future__ import annotations

import difflib
import hashlib
import re

import pytest
from pydantic import ValidationError

from tests.zones.facility_text import refused
from zones.editing import add_part, migrate_facility
from zones.editing.migration import TEXT_STEPS
from zones.errors import FaultCode as Code
from zones.facility import Place, parse_facility
from zones.migrating import NEWEST, OLDEST, STEPS
from zones.thresholds import MASK_CHECK_HZ, MaskRule

FIRST = """\
# Ours.
schema: 1   # the first
facility: {code: LC-01, name: Cơ sở, managing_body: Ban}
cameras:
  # the yard
  - id: yard
    place: yard # and the gate?
    name: Sân
  - {"id": "gate", "place": "gate", "name": "Cổng"}
  - place:   'corridor'
    id: hall
"""
SECOND = """\
# Ours.
schema: 2   # the first
facility: {code: LC-01, name: Cơ sở, managing_body: Ban}
cameras:
  # the yard
  - id: yard
    places: [yard] # and the gate?
    name: Sân
  - {"id": "gate", "places": ["gate"], "name": "Cổng"}
  - places:   ['corridor']
    id: hall
"""


def test_every_step_is_there_for_values_and_for_text() -> None:
    assert [step.to for step in STEPS] == list(range(OLDEST + 1, NEWEST + 1)) == sorted(TEXT_STEPS)


def test_a_file_of_the_first_version_loads_and_keeps_its_version() -> None:
    facility = parse_facility(FIRST)
    assert [camera.places for camera in facility.cameras] == [(Place.YARD,), (Place.GATE,), (Place.CORRIDOR,)]
    assert facility.version == hashlib.sha256(FIRST.encode()).hexdigest()
    assert facility.model_dump() == parse_facility(SECOND).model_dump()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text.rstrip("\n"),
        lambda text: re.sub(r"'(corridor)'", r"&p \1", text),
    ],
)
def test_it_is_rewritten_and_nothing_else_changes(change) -> None:  # type: ignore[no-untyped-def]
    assert migrate_facility(change(FIRST)) == change(SECOND)
    assert migrate_facility(change(SECOND)) == change(SECOND)


def test_a_file_that_does_not_say_its_version() -> None:
    bare = FIRST.replace("schema: 1   # the first\n", "")
    assert parse_facility(bare).camera("yard").places == (Place.YARD,)
    assert migrate_facility(bare) == SECOND.replace("schema: 2   # the first\n", "").replace(
        "facility:", "schema: 2\nfacility:"
    )
    assert parse_facility(SECOND.replace("schema: 2   # the first\n", "")).camera("yard").places == (
        Place.YARD,
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "code", "expected"),
    [
        ("place: yard", "place: toilet", 7, "cameras[0].place", Code.FORBIDDEN_PLACE, "corridor"),
        ("place: yard", "place: [yard]", 7, "cameras[0].place", Code.FORBIDDEN_PLACE, "corridor"),
        ("place: yard", "", 6, "cameras[0].place", Code.MISSING, "corridor, lobby, yard"),
        ("place: yard", "plce: yard", 7, "cameras[0].plce", Code.UNKNOWN_FIELD, "id, name, place, "),
        ("place: yard", "places: [yard]", 7, "cameras[0].places", Code.VERSION, "schema 2"),
        ("schema: 1", "schema: 9", 2, "schema", Code.VERSION, "at most 2"),
        ("schema: 1", "schema: 2", 7, "cameras[0].place", Code.UNKNOWN_FIELD, "id, name, places, "),
        ("schema: 1", "schema: one", 2, "schema", Code.VERSION, "1, 2"),
        ("Cơ sở, ", "Cơ sở, nme: x, ", 3, "facility.nme", Code.UNKNOWN_FIELD, "code, name"),
    ],
)
def test_errors_name_the_fields_of_the_version_of_the_file(
    old: str, new: str, line: int, field: str, code: Code, expected: str
) -> None:
    error = refused(old, new, FIRST)
    assert (error.file, error.line, error.field, error.code) == ("f.yaml", line, field, code)
    assert expected in error.expected


RATED = "rules:\n  mask:\n    sample_hz: 5.0  # no effect\n    min_samples: 4\n"


@pytest.mark.parametrize("text", [FIRST, SECOND, SECOND.replace("schema: 2   # the first\n", "")])
def test_a_setting_that_never_had_an_effect_may_stay_and_is_taken_out_when_a_file_is_migrated(
    text: str,
) -> None:
    assert parse_facility(text + RATED).rules == parse_facility(text).rules.model_copy(
        update={"mask": MaskRule(min_samples=4)}
    )
    migrated = migrate_facility(text + RATED)
    assert "sample_hz" not in migrated and migrated.endswith("rules:\n  mask:\n    min_samples: 4\n")
    only = "rules: {mask: {sample_hz: often}}\n"
    assert parse_facility(migrate_facility(text + only)).rules == parse_facility(text).rules


def test_the_rate_of_mask_assessments_bounds_the_samples_asked_for() -> None:
    most = int(10 * MASK_CHECK_HZ) + 1
    assert MaskRule(window_s=10.0, min_samples=most).min_samples == most
    with pytest.raises(ValidationError, match=f"expected at most {most}, "):
        MaskRule(window_s=10.0, min_samples=most + 1)


def test_a_file_of_the_first_version_is_edited_in_its_own_terms() -> None:
    part = {"id": "new", "type": "common", "polygon": [[0, 0], [1, 0], [1, 1]]}
    after = add_part(FIRST, "yard", "zones", part)
    assert parse_facility(after).camera("yard").zones[0].id == "new"
    gone = [line for line in difflib.ndiff(FIRST.splitlines(), after.splitlines()) if line[0] in "-?"]
    assert not gone and "place: yard # and the gate?\n    name: Sân\n    zones:\n" in after
