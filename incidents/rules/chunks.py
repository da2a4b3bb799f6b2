"""What the rules of a camera are given besides observations, and what a chunk of input brings."""

from __future__ import annotations

from dataclasses import dataclass, field

from incidents.rules.events import Event
from incidents.rules.exposure import Exposure
from incidents.rules.health import CoverageChange, HealthReport
from zones.facility import Facility


@dataclass(frozen=True, slots=True)
class FacilityChange:
    """From a moment on, another facility file is in force.

    Attributes:
        t: stream time, microseconds UTC.
        facility: the file; it has the camera.
    """

    t: int
    facility: Facility


@dataclass(frozen=True, slots=True)
class SamePerson:
    """A reviewer states that two tracks are one person.

    Attributes:
        t: stream time at which it becomes known to the rules, microseconds UTC.
        track, other: ids of the tracks.
    """

    t: int
    track: int
    other: int


Mark = FacilityChange | SamePerson | CoverageChange | HealthReport


@dataclass
class Advance:
    """What a chunk of input brought.

    Attributes:
        events: in order of time.
        exposures: entries of the exposure log that are new or grew, in order of time.
        links: pairs of tracks (earlier, later) that were found to be of one person: the later continues the
            earlier. In order of time; facts of reviewers are not among them.
    """

    events: list[Event] = field(default_factory=list)
    exposures: list[Exposure] = field(default_factory=list)
    links: list[tuple[int, int]] = field(default_factory=list)
