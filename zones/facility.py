"""What a facility is: cameras, zones, lines, rules and schedules, read from one YAML file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, Field, PrivateAttr, ValidationError, field_validator, model_validator

from zones.calibration.spec import CalibrationPoint, CalibrationSpec
from zones.camera import (
    Camera,
    Direction,
    Effect,
    Identifier,
    Line,
    Name,
    Pair,
    Place,
    Role,
    Rule,
    Zone,
    ZoneType,
    claim_id,
)
from zones.credentials import mentions_credentials
from zones.errors import FacilityError, Fault, FaultCode
from zones.fields import Point
from zones.loading import read_document
from zones.migrating import as_newest, schema_of, version_of, written_at
from zones.schedule import ALWAYS, Instants, Window, is_active
from zones.thresholds import ContactRule, EvidenceRule, GatheringRule, MaskRule, Rules, ZoneRule
from zones.validation import Model, describe, explain, refuse, suggest

# Callers need one import only: the parts of a facility are read from here.
__all__ = [
    "CalibrationPoint",
    "CalibrationSpec",
    "Camera",
    "ContactRule",
    "Direction",
    "Effect",
    "EvidenceRule",
    "Facility",
    "FacilityError",
    "GatheringRule",
    "Identity",
    "Line",
    "MaskRule",
    "Pair",
    "Place",
    "Point",
    "Role",
    "Rule",
    "Rules",
    "UnknownCamera",
    "Window",
    "Zone",
    "ZoneRule",
    "ZoneType",
    "json_schema",
    "load_facility",
    "parse_facility",
]

VIET_NAM = "Asia/Ho_Chi_Minh"
_OFFSET = r"(?i)(utc|gmt)? ?[+-]? ?\d{1,2}(:?\d\d)?"
"""UTC+7, GMT+7, +07:00: the offset of a zone, which no name of the list has with this sign."""
_OF_VIET_NAM = r"(?i)ha.?noi|viet.?nam|sai.?gon|hcm"
"""Parts of names that people give to the time zone of Viet Nam, and the list does not have."""
_CURFEW = Window.model_validate({"from": "22:00", "to": "05:00"})


class UnknownCamera(FacilityError):
    """A camera id that the facility does not have."""


def _timezone_hint(name: str) -> str:
    if re.fullmatch(_OFFSET, name):
        return f"an offset is no time zone; that of Viet Nam is {VIET_NAM}"
    near = VIET_NAM if re.search(_OF_VIET_NAM, name) else ""
    return f"did you mean {near!r}?" if near else suggest(name, available_timezones())


def _check_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        refuse(
            f"a time zone of the IANA list (such as {VIET_NAM})",
            describe(name),
            code=FaultCode.MALFORMED,
            hint=_timezone_hint(name),
        )
    return name


class Identity(Model):
    """The facility's code and name, and the body that runs it."""

    code: Identifier = Field(title="Code", description="Short code used in ids and reports.")
    name: Name = Field(min_length=1, title="Name", description="Full name.")
    managing_body: Name = Field(min_length=1, title="Managing body", description="The body that runs it.")


class Facility(Model):
    """A quarantine facility as its file describes it."""

    schema_version: Literal[2] = Field(
        default=2, alias="schema", title="Schema", description="Version of this format."
    )
    facility: Identity = Field(title="Facility", description="Code, name and managing body.")
    timezone: Annotated[str, AfterValidator(_check_timezone)] = Field(
        default=VIET_NAM,
        title="Time zone",
        description="IANA name; schedules and reports use it.",
    )
    schedules: dict[Identifier, Annotated[tuple[Window, ...], Field(min_length=1)]] = Field(
        default_factory=dict,
        validate_default=True,
        title="Schedules",
        description="Daily local windows by name; `curfew` is 22:00-05:00 unless given.",
    )
    cameras: tuple[Camera, ...] = Field(min_length=1, title="Cameras")
    rules: Rules = Field(default=Rules(), title="Rules", description="Thresholds; left out, the defaults.")
    _text: str = PrivateAttr(default="")

    @field_validator("schedules")
    @classmethod
    def _add_curfew(cls, schedules: dict[str, tuple[Window, ...]]) -> dict[str, tuple[Window, ...]]:
        if ALWAYS in schedules:
            refuse("another name", f"{ALWAYS!r}, which is predefined", ALWAYS, code=FaultCode.DUPLICATE)
        return {"curfew": (_CURFEW,), **schedules}

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        known = [ALWAYS, *self.schedules]
        seen: dict[str, str] = {}
        for c, camera in enumerate(self.cameras):
            claim_id(seen, camera.id, f"cameras[{c}]", "cameras", c, "id")
            for place, part in camera.parts():
                for r, rule in enumerate(part.rules):
                    if rule.schedule not in known:
                        refuse(
                            f"a schedule among {', '.join(known)}",
                            describe(rule.schedule),
                            *("cameras", c, *place, "rules", r, "schedule"),
                            code=FaultCode.UNKNOWN_REFERENCE,
                            hint=suggest(rule.schedule, known),
                        )
        return self

    @property
    def code(self) -> str:
        """The short code of the facility."""
        return self.facility.code

    @property
    def name(self) -> str:
        """The full name of the facility."""
        return self.facility.name

    @property
    def managing_body(self) -> str:
        """The body that runs the facility."""
        return self.facility.managing_body

    @property
    def tz(self) -> ZoneInfo:
        """The time zone of the facility."""
        return ZoneInfo(self.timezone)

    @property
    def text(self) -> str:
        """The source text; for a facility built in memory, JSON, which is YAML and reads back the same."""
        return self._text or self.model_dump_json(by_alias=True, indent=2)

    @property
    def version(self) -> str:
        """SHA-256 (hex) of the bytes of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def camera(self, camera_id: str) -> Camera:
        """The camera of that id; raises UnknownCamera."""
        for camera in self.cameras:
            if camera.id == camera_id:
                return camera
        known = [camera.id for camera in self.cameras]
        raise UnknownCamera(
            Fault(
                f"a camera of {self.code} ({', '.join(known)})",
                repr(camera_id),
                FaultCode.UNKNOWN_REFERENCE,
                suggest(camera_id, known),
            )
        )

    def active(self, schedule: str, t: Instants) -> npt.NDArray[np.bool_]:
        """Whether a schedule is active at each instant `t` (microseconds UTC, any shape); "always" always is.

        Raises:
            FacilityError: the facility has no such schedule.
        """
        if schedule == ALWAYS:
            return np.ones(np.shape(t), dtype=np.bool_)
        if schedule not in self.schedules:
            known = [ALWAYS, *self.schedules]
            raise FacilityError(
                Fault(
                    f"a schedule among {', '.join(known)}",
                    repr(schedule),
                    FaultCode.UNKNOWN_REFERENCE,
                    suggest(schedule, known),
                )
            )
        return is_active(self.schedules[schedule], t, self.tz)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy; once changed, it no longer carries the text (and version) of the file it came from."""
        copy = super().model_copy(update=update, deep=deep)
        if update:
            copy._text = ""
        return copy


def parse_facility(text: str, name: str = "<text>") -> Facility:
    """Read a facility from YAML text of any version of the format.

    Raises:
        FacilityError: with `name`, the line and the field.
    """
    document = read_document(text, name)
    version = version_of(document, name)
    try:
        facility = Facility.model_validate(as_newest(document, version, name), by_alias=True, by_name=False)
    except ValidationError as error:
        schema = schema_of(json_schema(), version)
        raise explain(error, name, document.line, schema, lambda loc: written_at(loc, version)) from None
    for number, line in enumerate(text.splitlines(), start=1):
        # The whole text is kept with each incident's version, comments included.
        if mentions_credentials(line):
            fault = Fault(
                "no credentials anywhere in the file",
                "a user, password or token in clear",
                FaultCode.CREDENTIALS,
            )
            raise FacilityError(fault, file=name, line=number)
    facility._text = text
    return facility


def load_facility(path: str | Path) -> Facility:
    """Read a facility file; raises FacilityError with one sentence for the first fault."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        fault = Fault("a facility file", error.strerror or str(error), FaultCode.UNREADABLE)
        raise FacilityError(fault, file=str(path)) from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fault = Fault("UTF-8 text", f"the byte 0x{data[error.start]:02x}", FaultCode.UNREADABLE)
        raise FacilityError(fault, file=str(path), line=line) from error
    return parse_facility(text, str(path))


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a facility file, for editors."""
    schema = Facility.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
