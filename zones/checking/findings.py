"""What a check of a facility file finds in one part of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from zones.validation import Loc


class Severity(StrEnum):
    """How much a finding matters."""

    WARNING = "warning"
    """Incidents are likely to be missed, or false incidents to be raised."""
    NOTE = "note"
    """Worth knowing; nothing needs to be done."""


class Check(StrEnum):
    """What was checked; the codes are stable, the sentences may improve."""

    UNSEEN_PLACE = "unseen_place"
    """A kind of public area that no camera sees."""
    SUBSTREAM = "substream"
    """A substream without the stream that it is a smaller form of, or the same address twice."""
    FORBIDDEN_PLACE = "forbidden_place"
    """A camera that seems to look into a room, toilet or bathroom."""
    UNUSED_SCHEDULE = "unused_schedule"
    DENIES_NOTHING = "denies_nothing"
    """A zone or line that can raise no incident."""
    LOW_CONFIDENCE = "low_confidence"
    """A role that is given with less confidence than the rules require."""
    ROLE_NOT_GIVEN = "role_not_given"
    """A zone or line that denies only roles which no person has before roles are taught."""
    GATE_WITHOUT_LINE = "gate_without_line"
    """A camera that sees a gate, and reports no one who passes it."""
    ONLY_MASKS = "only_masks"
    """A camera that can raise nothing but mask violations."""
    UNREACHABLE_RULE = "unreachable_rule"
    """A rule that earlier rules hide."""
    REDUNDANT_RULE = "redundant_rule"
    """A rule without which the same is allowed and denied."""
    CONTRADICTION = "contradiction"
    """Overlapping zones of which one allows what the other denies."""
    REPORTED_TWICE = "reported_twice"
    """Overlapping zones that report the same stay."""
    NO_PLANE = "no_plane"
    """A calibration that determines no ground plane."""
    NO_CONTACT = "no_contact"
    """A camera whose contact cannot be evaluated."""
    ABOVE_HORIZON = "above_horizon"
    """A zone or line that lies, at least in part, above the horizon."""
    IGNORES_MUCH = "ignores_much"
    """A camera that ignores people in most of its picture."""
    IGNORED_PLACE = "ignored_place"
    """A zone or line that lies wholly in areas where people are ignored."""
    TOO_SMALL = "too_small"
    """A zone or line that is smaller than the hysteresis of the rules."""


@dataclass(frozen=True)
class Remark:
    """A finding whose line is not known yet; `camera` is empty for the facility as a whole."""

    severity: Severity
    check: Check
    camera: str
    loc: Loc
    sentence: str


@dataclass(frozen=True)
class Finding:
    """One sentence about one part of a facility file.

    Attributes:
        severity: how much it matters.
        check: what was checked.
        camera: id of the camera; empty for the facility as a whole.
        field: path of the part, such as `cameras[0].zones[1]`.
        line: line of the part in the file, from 1.
        sentence: for people.
    """

    severity: Severity
    check: Check
    camera: str
    field: str
    line: int
    sentence: str


Remarks = Iterator[Remark]


def warn(check: Check, camera: str, loc: Loc, sentence: str) -> Remark:
    """A remark that something should be changed."""
    return Remark(Severity.WARNING, check, camera, loc, sentence)


def note(check: Check, camera: str, loc: Loc, sentence: str) -> Remark:
    """A remark that is worth knowing."""
    return Remark(Severity.NOTE, check, camera, loc, sentence)
