"""What a check of a facility file says of one part of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from zones.validation import Loc


class Severity(StrEnum):
    """How much a finding matters."""

    WARNING = "warning"
    """Supervision is likely to miss something, or to say what is not so."""
    NOTE = "note"
    """Worth knowing; nothing needs to be done."""


@dataclass(frozen=True)
class Remark:
    """A finding whose line is not known yet; `camera` is empty for the facility as a whole."""

    severity: Severity
    camera: str
    loc: Loc
    sentence: str


@dataclass(frozen=True)
class Finding:
    """One sentence about one part of a facility file."""

    severity: Severity
    camera: str
    field: str
    line: int
    sentence: str


Remarks = Iterator[Remark]


def warn(camera: str, loc: Loc, sentence: str) -> Remark:
    """A remark that something should be changed."""
    return Remark(Severity.WARNING, camera, loc, sentence)


def note(camera: str, loc: Loc, sentence: str) -> Remark:
    """A remark that is worth knowing."""
    return Remark(Severity.NOTE, camera, loc, sentence)
