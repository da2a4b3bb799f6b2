"""Incidents that are closed and can still be corrected or withdrawn, while their persons are known."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from itertools import product

from incidents.rules.events import Event, EventType, Finding
from incidents.rules.restating import severity_of
from incidents.rules.view import Rule, View
from zones.facility import Role

MAX_ENDED = 64
"""Incidents that are over but can still be corrected, because their persons are in view: the newest ones."""


@dataclass(frozen=True)
class EndedIncident:
    """An incident that is closed.

    Attributes:
        rule: name of its rule.
        number: of its machine; None if the facility file has no such machine any more.
        stated: the finding of its last event.
        uids: numbers of its persons.
        fitting: where there is no machine, the roles of the persons, in their order, with which it is one.
        withdrawn: whether its last event withdrew it, because of what was believed of a person.
    """

    rule: str
    number: int | None
    stated: Finding
    uids: tuple[int, ...]
    fitting: tuple[tuple[Role, ...], ...] = ()
    withdrawn: bool = False


class EndedIncidents:
    """The incidents of a camera that were closed lately."""

    def __init__(self, rules: dict[str, Rule]) -> None:
        """Begin without any incident; `rules` by name."""
        self.items: list[EndedIncident] = []
        self._rules = rules

    def add(self, item: EndedIncident) -> None:
        """An incident was closed."""
        self.items = [other for other in self.items if other.stated.id != item.stated.id]
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

    def move(self, old: View, number_of: Callable[[str, int], int | None]) -> None:
        """Go on under another facility file; `number_of` gives the new number of a machine, or None.

        An incident whose machine does not go on is judged by the file under which it happened, `old`.
        """
        for at, item in enumerate(self.items):
            if item.number is None:
                continue
            number = number_of(item.rule, item.number)
            roles = product(Role, repeat=len(item.uids)) if number is None else ()
            fits = self._rules[item.rule].fits
            fitting = tuple(some for some in roles if fits(old, item.number, some))
            self.items[at] = replace(item, number=number, fitting=fitting)

    def withdraw_of_one(self, t: int, reason: str) -> list[Event]:
        """Withdraw incidents between two persons who turned out to be one."""
        out = [item for item in self.items if of_one(item.uids)]
        self.items = [item for item in self.items if not of_one(item.uids)]
        return [Event(EventType.WITHDRAWN, t, item.stated, reason) for item in out if not item.withdrawn]

    def role_changed(
        self, view: View, slot: int, t: int, reason: str, carried: Mapping[str, int]
    ) -> list[Event]:
        """Withdraw or correct incidents of the person in a slot, of whom something else is believed now.

        `carried` are incidents that another machine has measured just so: id -> its number.
        """
        events: list[Event] = []
        slots = _slots(view)
        for at, item in enumerate(self.items):
            if item.withdrawn or not _concerns(view, slot, slots, item):
                continue
            item = replace(item, number=carried.get(item.stated.id, item.number))
            if not self._fits(view, item, slots):
                events.append(Event(EventType.WITHDRAWN, t, item.stated, f"{reason}: it was no incident"))
                self.items[at] = replace(item, withdrawn=True)
                continue
            finding = _restated(view, item, slots)
            if statement(finding) != statement(item.stated):
                events.append(Event(EventType.CORRECTED, t, finding, reason))
                item = replace(item, stated=finding)
            self.items[at] = item
        return events

    def raised_again(self, view: View, slot: int, t: int, known: Collection[str]) -> list[Event]:
        """Raise incidents of the person in a slot that were withdrawn, where the belief has changed back.

        They are over, and closed at once. `known` are the ids of the incidents that are open.
        """
        events: list[Event] = []
        slots = _slots(view)
        for at, item in enumerate(self.items):
            if not item.withdrawn or item.stated.id in known or not _concerns(view, slot, slots, item):
                continue
            if self._fits(view, item, slots):
                finding = replace(_restated(view, item, slots), opened=t, alerts=(t,))
                self.items[at] = replace(item, stated=finding, withdrawn=False)
                events += [
                    Event(EventType.OPENED, t, finding),
                    Event(EventType.ALERTED, t, finding),
                    Event(EventType.CLOSED, t, finding, "ended"),
                ]
        return events

    def _fits(self, view: View, item: EndedIncident, slots: dict[int, int]) -> bool:
        roles = tuple(view.role(slots[one]) for one in item.uids)
        if item.number is None:
            return roles in item.fitting
        return self._rules[item.rule].fits(view, item.number, roles)


def _slots(view: View) -> dict[int, int]:
    """The slots of all persons who are known, by their numbers."""
    return {view.uid(int(p)): int(p) for p in view.tables.persons["used"].nonzero()[0]}


def _concerns(view: View, slot: int, slots: dict[int, int], item: EndedIncident) -> bool:
    """Whether an incident is one of the person in a slot, and all of its persons are known."""
    return view.uid(slot) in item.uids and set(item.uids) <= set(slots)


def of_one(uids: tuple[int, ...]) -> bool:
    """Whether persons, by their numbers, are one and the same."""
    return len(uids) > 1 and len(set(uids)) == 1


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
