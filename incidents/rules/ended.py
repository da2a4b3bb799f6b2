"""Incidents that are closed and can still be corrected or withdrawn, while their persons are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from incidents.rules.events import Event, EventType, Finding
from incidents.rules.restating import severity_of
from incidents.rules.view import Rule, View

MAX_ENDED = 64
"""Incidents that are over but can still be corrected, because their persons are in view: the newest ones."""


@dataclass(frozen=True)
class EndedIncident:
    """An incident that is closed.

    Attributes:
        rule: name of its rule.
        number: of its machine.
        stated: the finding of its last event.
        uids: numbers of its persons.
    """

    rule: str
    number: int
    stated: Finding
    uids: tuple[int, ...]


class EndedIncidents:
    """The incidents of a camera that were closed lately."""

    def __init__(self, rules: dict[str, Rule]) -> None:
        """Begin without any incident; `rules` by name."""
        self.items: list[EndedIncident] = []
        self._rules = rules

    def add(self, item: EndedIncident) -> None:
        """An incident was closed."""
        self.items.append(item)
        del self.items[:-MAX_ENDED]

    def renumber(self, uid: int, to: int) -> None:
        """The person of a number turned out to be the person of another one."""
        self.items = [
            replace(item, uids=tuple(to if one == uid else one for one in item.uids)) for item in self.items
        ]

    def person_left(self, uid: int) -> None:
        """A person can no longer come back: nothing more can be learnt of the person."""
        self.items = [item for item in self.items if uid not in item.uids]

    def move(self, number_of: Callable[[str, int], int | None]) -> None:
        """Go on under another facility file; `number_of` gives the new number of a machine, or None."""
        numbers = [number_of(item.rule, item.number) for item in self.items]
        self.items = [
            replace(item, number=number)
            for item, number in zip(self.items, numbers, strict=True)
            if number is not None
        ]

    def role_changed(self, view: View, slot: int, t: int, reason: str) -> list[Event]:
        """Withdraw or correct incidents of the person in a slot, of whom something else is believed now."""
        events: list[Event] = []
        uid = view.uid(slot)
        slots = {view.uid(int(p)): int(p) for p in view.tables.persons["used"].nonzero()[0]}
        kept: list[EndedIncident] = []
        for item in self.items:
            if uid not in item.uids or not set(item.uids) <= set(slots):
                kept.append(item)
                continue
            roles = tuple(view.role(slots[one]) for one in item.uids)
            if not self._rules[item.rule].fits(view, item.number, roles):
                events.append(Event(EventType.WITHDRAWN, t, item.stated, f"{reason}: it was no incident"))
                continue
            finding = _restated(view, item, slots)
            if statement(finding) != statement(item.stated):
                events.append(Event(EventType.CORRECTED, t, finding, reason))
                item = replace(item, stated=finding)
            kept.append(item)
        self.items = kept
        return events


def statement(finding: Finding) -> tuple[object, ...]:
    """What `corrected` is about: who the people are, what that rests on, and what follows from it."""
    people = tuple((one.track, one.role, one.basis) for one in finding.people)
    return people, finding.subkind


def _restated(view: View, item: EndedIncident, slots: dict[int, int]) -> Finding:
    """A closed incident with what is believed of its persons now."""
    people = tuple(
        view.person(slots[uid], person.track)
        for uid, person in zip(item.uids, item.stated.people, strict=True)
    )
    return replace(item.stated, people=people, severity=severity_of(view, item.stated, people))
