"""Ground truth in JSON files of ours, which a person can write by hand for a new camera.

True events (`lazaretto evaluate events --events FILE`), every one that happened on the cameras named:

    {
     "schema": 1,
     "cameras": [
      {
       "camera": "corridor",
       "start": "2026-11-24T08:00:00+07:00",
       "until": "10:00",
       "events": [
        {"kind": "zone_crossing", "zone": "stairs", "start": "1:12", "note": "man in grey"},
        {"kind": "contact", "start": 95.5, "end": "2:10"}
       ]
      }
     ]
    }

A moment is a number of seconds, or text such as "1:12" or "1:02:03.5", counted from the camera's `start`
(the first frame of a video that is evaluated, where `start` is left out); or a time with an offset. `from`
and `until` bound the time in which every event was noted: alarms outside are not judged. `kinds` beside
`cameras` lists the kinds that were noted, should some be left out: alarms of others are not judged either.
Without a `zone`, an alarm in any zone finds the event.

True states of masks (`lazaretto evaluate masks --truth FILE`), person by person:

    {
     "schema": 1,
     "clips": [
      {"clip": "lobby.mp4", "people": [
       {"state": "masked", "from": 0, "until": "0:09", "box": [0.1, 0.1, 0.6, 1.0]}
      ]}
     ]
    }

`clip` is the name of the file. `from` and `until`, counted from its first frame, bound the time in which
the state holds; `box` (x1, y1, x2, y2 as shares of the frame) is where the person is all that time. Both
are needed only where the clip shows others too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import AfterValidator, Field, PlainValidator, ValidationError, WithJsonSchema, model_validator

from evaluation.formats import TruthError
from vision.frames import SECOND, from_iso
from zones.errors import FacilityError
from zones.loading import read_document
from zones.validation import Loc, Model, describe, explain, refuse

Kind = Literal["mask_absent", "mask_incorrect", "zone_crossing", "contact", "gathering"]
State = Literal["masked", "unmasked", "incorrect"]
_CLOCK = r"(?:(\d{1,3}):)?(\d{1,3}):(\d{2}(?:\.\d+)?)"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment: microseconds after the start of a camera's time, or, if `absolute`, microseconds UTC."""

    us: int
    absolute: bool

    def at(self, start: int | None) -> int | None:
        """Microseconds UTC, given that start; None where it is needed and not known."""
        if self.absolute:
            return self.us
        return None if start is None else start + self.us


def _moment(value: object) -> Moment:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return Moment(round(value * SECOND), False)
    if isinstance(value, str):
        if clock := re.fullmatch(_CLOCK, value):
            hours, minutes, seconds = int(clock[1] or 0), int(clock[2]), float(clock[3])
            if seconds < 60 and (clock[1] is None or minutes < 60):
                return Moment(round((hours * 3600 + minutes * 60 + seconds) * SECOND), False)
        elif "T" in value:
            return Moment(_iso(value), True)
    expected = 'seconds, or text such as "1:12", "1:02:03.5" or "2026-11-24T08:00:00+07:00"'
    refuse(expected, describe(value))


def _iso(text: str) -> int:
    try:
        return from_iso(text)
    except ValueError:
        refuse("a time with an offset from UTC, such as 2026-11-24T08:00:00+07:00", describe(text))


def _start(value: object) -> int:
    if not isinstance(value, str):
        refuse("a time such as 2026-11-24T08:00:00+07:00", describe(value))
    return _iso(value)


def _box(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        refuse("x1, y1, x2, y2 with 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1", str(list(box)))
    return box


AnyMoment = Annotated[
    Moment,
    PlainValidator(_moment),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}),
]
Start = Annotated[int, PlainValidator(_start), WithJsonSchema({"type": "string", "format": "date-time"})]
Number = Annotated[float, Field(strict=True)]
Box = Annotated[tuple[Number, Number, Number, Number], AfterValidator(_box)]


def _in_order(first: Moment | None, last: Moment | None, name: str) -> None:
    if first and last and first.absolute == last.absolute and last.us < first.us:
        before_s = (first.us - last.us) / SECOND
        refuse("a moment after the one it begins with", f"{before_s:g} s before", name)


class TrueEvent(Model):
    """A true event."""

    kind: Kind = Field(title="Kind", description="Kind of the event.")
    zone: str | None = Field(
        default=None,
        title="Zone",
        description="Id of the zone or line; without it, any counts.",
    )
    start: AnyMoment = Field(title="Start", description="Start of the event.")
    end: AnyMoment | None = Field(default=None, title="End", description="End of the event; not scored.")
    note: str = Field(default="", max_length=1000, title="Note", description="Remark for readers.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _in_order(self.start, self.end, "end")
        return self


class CameraEvents(Model):
    """All true events of one camera in a period of time."""

    camera: str = Field(min_length=1, title="Camera", description="Id in the facility file.")
    start: Start | None = Field(
        default=None,
        title="Start",
        description="Time with offset from which seconds count; without it, the first frame.",
    )
    first: AnyMoment | None = Field(
        default=None, alias="from", title="From", description="Start of the time in which events were noted."
    )
    until: AnyMoment | None = Field(
        default=None, title="Until", description="End of the time in which events were noted."
    )
    events: tuple[TrueEvent, ...] = Field(title="Events", description="All events; the list may be empty.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _in_order(self.first, self.until, "until")
        return self


class EventsFile(Model):
    """True events of one or more cameras."""

    schema_version: Literal[1] = Field(alias="schema", title="Schema", description="Version of this format.")
    kinds: tuple[Kind, ...] = Field(
        default=get_args(Kind), min_length=1, title="Kinds", description="The kinds that were noted."
    )
    cameras: tuple[CameraEvents, ...] = Field(min_length=1, title="Cameras")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        names = [item.camera for item in self.cameras]
        for c, item in enumerate(self.cameras):
            if item.camera in names[:c]:
                refuse("each camera once", f"{item.camera!r} again", "cameras", c, "camera")
            for e, event in enumerate(item.events):
                if event.kind not in self.kinds:
                    known = ", ".join(self.kinds)
                    expected = f"one of the kinds of this file ({known})"
                    refuse(expected, repr(event.kind), "cameras", c, "events", e, "kind")
        return self


class PersonTruth(Model):
    """A person with a known mask state."""

    state: State = Field(title="State", description="Mask state.")
    first: AnyMoment | None = Field(
        default=None, alias="from", title="From", description="Start of the time in which the state holds."
    )
    until: AnyMoment | None = Field(
        default=None, title="Until", description="End of the time in which the state holds."
    )
    box: Box | None = Field(
        default=None, title="Box", description="Box: x1, y1, x2, y2, shares of the frame."
    )
    note: str = Field(default="", max_length=1000, title="Note", description="Remark for readers.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name, moment in (("from", self.first), ("until", self.until)):
            if moment is not None and moment.absolute:
                refuse("a moment counted from the first frame of the clip", "a time of day", name)
        _in_order(self.first, self.until, "until")
        return self


class ClipTruth(Model):
    """The people in a clip."""

    clip: str = Field(min_length=1, title="Clip", description="Name of the video file.")
    people: tuple[PersonTruth, ...] = Field(min_length=1, title="People")


class MasksFile(Model):
    """True mask states in one or more clips."""

    schema_version: Literal[1] = Field(alias="schema", title="Schema", description="Version of this format.")
    clips: tuple[ClipTruth, ...] = Field(min_length=1, title="Clips")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        names = [item.clip for item in self.clips]
        for c, name in enumerate(names):
            if name in names[:c]:
                refuse("each clip once", f"{name!r} again", "clips", c, "clip")
        return self


AnyFile = TypeVar("AnyFile", EventsFile, MasksFile)


def read_events(path: Path) -> EventsFile:
    """Read a file of true events.

    Raises:
        TruthError: it cannot be read, or says something that cannot be.
    """
    return _read(path, EventsFile)


def read_masks(path: Path) -> MasksFile:
    """Read a file of true mask states.

    Raises:
        TruthError: it cannot be read, or says something that cannot be.
    """
    return _read(path, MasksFile)


def json_schema(form: Literal["events", "masks"]) -> dict[str, Any]:
    """The JSON Schema of either truth file, for editors."""
    schema = (EventsFile if form == "events" else MasksFile).model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _read(path: Path, form: type[AnyFile]) -> AnyFile:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TruthError(f"{path}: expected a JSON file, got: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise TruthError(f"{path}: expected a JSON file in UTF-8, got other bytes") from error
    try:
        data = json.loads(text, object_pairs_hook=_unique)
    except _TwiceError as error:
        raise TruthError(f"{path}: expected each field of an object once, got {error} twice") from None
    except (json.JSONDecodeError, RecursionError) as error:
        where = f"line {error.lineno}: " if isinstance(error, json.JSONDecodeError) else ""
        what = error.msg if isinstance(error, json.JSONDecodeError) else "too many levels of nesting"
        raise TruthError(f"{path}: {where}expected JSON, got a fault ({what})") from None
    if not isinstance(data, dict):
        raise TruthError(f"{path}: line 1: expected an object with the field 'schema', got {describe(data)}")
    try:
        return form.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        schema = form.model_json_schema(by_alias=True)
        raise TruthError(str(explain(error, str(path), _Places(text, str(path)).line, schema))) from None


class _TwiceError(Exception):
    """An object has the same field twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in pairs:
        if name in table:
            raise _TwiceError(repr(name))
        table[name] = value
    return table


class _Places:
    """The lines of the parts of a JSON text, found by reading it as the YAML that it also is."""

    def __init__(self, text: str, name: str) -> None:
        # Tabs are white space in JSON and none in YAML.
        self._text, self._name = text.replace("\t", " "), name

    def line(self, loc: Loc) -> int:
        try:
            return read_document(self._text, self._name).line(loc)
        except FacilityError as error:
            raise TruthError(str(error)) from None
