"""What the rules for one kind of incident read: the state of the machines, and who the persons are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from incidents.rules.events import Basis, Finding, Person
from incidents.rules.machines.plan import ROLES, CameraPlan
from incidents.rules.machines.tables import Tables
from zones.facility import Camera, Facility, Role

MILLION = 1_000_000
BASES = (Basis.NONE, Basis.CAMERA_DEFAULT, Basis.ORIGIN, Basis.CLOTHES)
"""The bases behind the codes of `machines.belief`."""


@dataclass
class View:
    """A camera at a moment.

    Attributes:
        facility, camera: as they are in force.
        planned: the camera as the machines read it.
        tables: the state of the machines.
    """

    facility: Facility
    camera: Camera
    planned: CameraPlan
    tables: Tables

    def role(self, slot: int) -> Role:
        """What is believed of the role of the person in a slot."""
        return ROLES[int(self.tables.persons["role"][slot])]

    def person(self, slot: int, track: int) -> Person:
        """The person in a slot, under the track id that an incident has for the person."""
        persons = self.tables.persons
        basis = BASES[int(persons["basis"][slot])]
        known = basis not in (Basis.CAMERA_DEFAULT, Basis.NONE)
        confidence = round(float(persons["confidence"][slot]), 6) if known else None
        return Person(track, self.role(slot).value, confidence, basis)

    def first_track(self, slot: int) -> int:
        """The first track of the person in a slot."""
        return int(self.tables.pasts["track"][slot, 0])

    def slot_of(self, track: int) -> int | None:
        """The slot of the person who had a track; None where none is known."""
        persons, pasts = self.tables.persons, self.tables.pasts
        for slot in range(len(persons)):
            if persons["used"][slot]:
                known = pasts["track"][slot, : int(persons["tracks"][slot])].tolist()
                if track in known or int(persons["track"][slot]) == track:
                    return slot
        return None

    def uid(self, slot: int) -> int:
        """The number of the person in a slot; slots are used again, numbers are not."""
        return int(self.tables.persons["uid"][slot])


@dataclass(frozen=True)
class Group:
    """What a machine has measured and would be one incident, whether its roles make it one or not.

    Attributes:
        identity: the tracks that make its id.
        start, end: first and last sample so far, microseconds UTC.
        undecided_until: an interval is going on that would join it when its dwell is met before this moment.
    """

    identity: tuple[int, ...]
    start: int
    end: int
    undecided_until: int


@dataclass(frozen=True)
class Moment:
    """What a finding needs beside what the machines have measured.

    Attributes:
        t: stream time, microseconds UTC.
        group: what was measured.
        identity, start: of the incident.
        people: the persons as the last event stated them; none before the first.
        uids: numbers of its persons, in the order of `identity`.
        opened: when it was opened.
        alerts: moments of its alerts.
    """

    t: int
    group: Group
    identity: tuple[int, ...]
    start: int
    people: tuple[Person, ...]
    uids: tuple[int, ...]
    opened: int
    alerts: tuple[int, ...]


class Rule(Protocol):
    """One kind of incident. A machine has the slot of its person, pair or gathering, and a number."""

    name: str

    def group(self, view: View, slot: int, number: int) -> Group | None:
        """What the machine has measured, or None."""
        ...

    def persons(self, view: View, slot: int, number: int) -> tuple[int, ...]:
        """The slots of the persons."""
        ...

    def refusal(self, view: View, slot: int, number: int) -> str | None:
        """Why what was measured is no incident, by what is believed of its persons now; None if it is one."""
        ...

    def finding(self, view: View, slot: int, number: int, moment: Moment) -> Finding:
        """The incident as it is known at a moment."""
        ...

    def alert_from(self, view: View, slot: int, number: int, t: int) -> None:
        """Ask for a signal at the first sample from `t` on at which the condition holds."""
        ...

    def machines_of(self, view: View, person: int) -> Sequence[tuple[int, int]]:
        """The machines that have measured something of the person in a slot."""
        ...

    def fits(self, view: View, number: int, roles: tuple[Role, ...]) -> bool:
        """Whether an incident of machines with this number is one for persons of these roles."""
        ...


def is_sure(people: Sequence[Person]) -> bool:
    """Whether all roles are known from what was seen: neither unknown nor only the camera's default."""
    return all(item.role != Role.UNKNOWN and item.basis is not Basis.CAMERA_DEFAULT for item in people)


def least_confidence(people: Sequence[Person]) -> float:
    """The smallest confidence of the roles; those that have none are left out."""
    return min((item.confidence for item in people if item.confidence is not None), default=1.0)


def millionths(total: int, count: int) -> float | None:
    """Mean of values that were added up in millionths; None of none."""
    return round(total / count / MILLION, 6) if count else None


def median_cm(bins: Sequence[int]) -> float | None:
    """Median, m, of a histogram by centimetres: the middle of the bin that holds it; None of none."""
    total = int(sum(bins))
    if not total:
        return None
    seen = 0
    for number, count in enumerate(bins):
        seen += int(count)
        if 2 * seen >= total:
            return round((number + 0.5) / 100, 4)
    raise AssertionError("the counts add up to their total")
