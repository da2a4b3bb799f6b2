"""The exposure log of a camera while it is written: care that lasts, and what can still be revised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from incidents.rules.contact import CARE_ROLES, STATION, Contacts, exposure_of
from incidents.rules.ended import of_one
from incidents.rules.exposure import Exposure
from incidents.rules.machines.tables import FOREVER
from incidents.rules.view import View
from vision.frames import SECOND
from zones.facility import Role

MINUTE = 60 * SECOND
MAX_ENDED = 64
"""Entries of care that is over but can still be revised, because both persons are known: the newest ones."""

Name = tuple[int, int]
"""The slot of a pair and the number of its machine for a care station."""


@dataclass
class OpenExposure:
    """An entry of the exposure log that may still grow.

    Attributes:
        since: when it was first entered, microseconds UTC.
        write_at: the next whole minute since then.
        end_at: the moment at which it may be over; later if it went on.
        stated: as it was entered last.
        uids: numbers of both persons, in the order of `stated.people`.
    """

    since: int
    write_at: int
    stated: Exposure
    uids: tuple[int, ...]
    end_at: int = 0

    @property
    def due(self) -> int:
        """The next moment at which something is to be done."""
        return min(self.write_at, self.end_at)


@dataclass(frozen=True)
class EndedExposure:
    """An entry whose contact is over; it is revised when what is believed of a person changes.

    One that was withdrawn for that reason stays, because the belief may change back.
    """

    stated: Exposure
    uids: tuple[int, ...]


class CareLog:
    """The entries of the exposure log that may still change."""

    def __init__(self, view: View) -> None:
        """Begin without any entry."""
        self.view = view
        self.open: dict[Name, OpenExposure] = {}
        self.ended: list[EndedExposure] = []

    def due(self) -> int:
        """The next moment at which something is to be done, or FOREVER."""
        return min((item.due for item in self.open.values()), default=FOREVER)

    def run(self, t: int) -> tuple[list[Exposure], list[Name]]:
        """What is due at a moment: entries that grew, and the machines whose contact is over."""
        written: list[Exposure] = []
        over: list[Name] = []
        for name in sorted(name for name, item in self.open.items() if item.due <= t):
            item = self.open[name]
            found = self._now(name, item)
            if found is None:
                written += self._end(name, None)
                continue
            if item.end_at <= t:
                item.end_at = self._over_at(name)
            if item.end_at <= t:
                written += self._end(name, found)
                over.append(name)
                continue
            if item.write_at > t:
                continue
            item.write_at += MINUTE
            if found != item.stated:
                item.stated = found
                written.append(found)
        return written, over

    def changed(self, slot: int, number: int, t: int, reason: str = "") -> list[Exposure]:
        """A machine of a care station has measured something new, or what is believed of a person changed.

        `reason` says why an entry that no longer holds is withdrawn.
        """
        name = slot, number
        found, item = exposure_of(self.view, slot, number), self.open.get(name)
        if item is None:
            return self._enter(name, found, t) if found is not None and is_care(found) else []
        if found is None:
            return self._end(name, None)
        if item.stated.start != found.start or not self._is_of(name, item):
            # The machine goes on with another entry.
            return [*self._end(name, None), *(self._enter(name, found, t) if is_care(found) else [])]
        if _tracks(item.stated) != _tracks(found):
            del self.open[name]
            again = self._enter(name, found, t) if is_care(found) else []
            return [withdrawn(item.stated, reason), *again]
        if not is_care(found):
            del self.open[name]
            return [withdrawn(found, reason)]
        if item.stated.people == found.people:
            return []
        item.stated = found
        return [found]

    def measured(self, names: Iterable[Name]) -> dict[Name, Exposure]:
        """What the machines of entries have measured, as far as they are still those entries."""
        found = {name: self._now(name, self.open[name]) for name in names if name in self.open}
        return {name: entry for name, entry in found.items() if entry is not None}

    def joined(
        self, moves: Sequence[tuple[Name, Name]], before: Mapping[Name, Exposure], t: int, reason: str
    ) -> list[Exposure]:
        """Two persons turned out to be one; a move is (the later person's machine, the one that goes on).

        `before` is what was measured before that, of entries that may end because the machine goes on with
        another one. What was between the two is withdrawn.
        """
        written: list[Exposure] = []
        for name in sorted(name for name, item in self.open.items() if of_one(item.uids)):
            written.append(withdrawn(self.open.pop(name).stated, reason))
        out = [item for item in self.ended if of_one(item.uids)]
        self.ended = [item for item in self.ended if not of_one(item.uids)]
        written += [withdrawn(item.stated, reason) for item in out if item.stated.withdrawn is None]
        for later, name in moves:
            if later != name and later in self.open:
                written.append(withdrawn(self.open.pop(later).stated, reason))
        for name in sorted({name for _, name in moves}):
            item, found = self.open.get(name), exposure_of(self.view, *name)
            if item is not None and (found is None or found.start != item.stated.start):
                written += self._end(name, before.get(name))
            written += self.changed(*name, t, reason)
        return written

    def role_changed(self, slot: int, t: int, reason: str) -> list[Exposure]:
        """What is believed of the person in a slot has changed."""
        written: list[Exposure] = []
        uid = self.view.uid(slot)
        names = {name for name, item in self.open.items() if uid in item.uids}
        names |= {name for name in _PAIRS.machines_of(self.view, slot) if name[1] >= STATION}
        for name in sorted(names):
            written += self.changed(*name, t, reason)
        return written + self._revise_ended(slot, reason)

    def renumber(self, uid: int, to: int) -> None:
        """The person of a number turned out to be the person of another one."""
        for item in self.open.values():
            item.uids = tuple(to if one == uid else one for one in item.uids)
        self.ended = [
            replace(item, uids=tuple(to if one == uid else one for one in item.uids)) for item in self.ended
        ]

    def person_left(self, uid: int) -> None:
        """A person can no longer come back: nothing more can be learnt of the person."""
        self.ended = [item for item in self.ended if uid not in item.uids]

    def end_all(self, names: Iterable[Name]) -> list[Exposure]:
        """End entries because what they rest on has changed; those that grew are returned."""
        written: list[Exposure] = []
        for name in sorted(names):
            written += self._end(name, self._now(name, self.open[name]))
        return written

    def open_entries(self) -> list[Exposure]:
        """The entries that may still grow, as they are known now."""
        return [self._now(name, item) or item.stated for name, item in sorted(self.open.items())]

    def _enter(self, name: Name, found: Exposure, t: int) -> list[Exposure]:
        tracks = _tracks(found)
        uids = {self.view.first_track(p): self.view.uid(p) for p in _PAIRS.persons(self.view, *name)}
        numbers = tuple(uids[track] for track in tracks)
        self._drop_ended(found)
        end_at = max(found.end + self._merge(), t + 1)
        self.open[name] = OpenExposure(t, t + MINUTE, found, numbers, end_at)
        return [found]

    def _end(self, name: Name, found: Exposure | None) -> list[Exposure]:
        """The contact of an entry is over; `found` is what was measured, None if no longer known."""
        item = self.open.pop(name)
        last = found or item.stated
        self._drop_ended(last)
        self.ended.append(EndedExposure(last, item.uids))
        del self.ended[:-MAX_ENDED]
        return [last] if last != item.stated else []

    def _drop_ended(self, entry: Exposure) -> None:
        """An entry is told anew: what was kept of it is out of date."""
        self.ended = [item for item in self.ended if _identity(item.stated) != _identity(entry)]

    def _now(self, name: Name, item: OpenExposure) -> Exposure | None:
        """What the machine of an entry has measured, if it is still that entry."""
        if not self._is_of(name, item):
            return None
        found = exposure_of(self.view, *name)
        return found if found is not None and found.start == item.stated.start else None

    def _is_of(self, name: Name, item: OpenExposure) -> bool:
        """Whether a machine is that of the two persons of an entry: slots of pairs are used again."""
        pairs = self.view.tables.pairs
        if name[0] >= len(pairs) or not pairs["used"][name[0]]:
            return False
        return {self.view.uid(slot) for slot in _PAIRS.persons(self.view, *name)} == set(item.uids)

    def _over_at(self, name: Name) -> int:
        """The moment at which what a machine has measured is over, if nothing joins it before."""
        group = _PAIRS.group(self.view, *name)
        assert group is not None, "an entry that goes on has a group"
        return max(group.end + self._merge(), group.undecided_until)

    def _merge(self) -> int:
        return int(self.view.planned.plan.settings[0]["merge"])

    def _revise_ended(self, slot: int, reason: str) -> list[Exposure]:
        uid = self.view.uid(slot)
        slots = {self.view.uid(int(p)): int(p) for p in self.view.tables.persons["used"].nonzero()[0]}
        written: list[Exposure] = []
        kept: list[EndedExposure] = []
        for item in self.ended:
            if uid not in item.uids or not set(item.uids) <= set(slots):
                kept.append(item)
                continue
            people = tuple(
                self.view.person(slots[one], person.track)
                for one, person in zip(item.uids, item.stated.people, strict=True)
            )
            revised = replace(item.stated, people=people)
            if is_care(revised):
                revised = replace(revised, withdrawn=None)
            elif item.stated.withdrawn is None:
                revised = withdrawn(revised, reason)
            else:
                revised = item.stated
            if revised != item.stated:
                written.append(revised)
            kept.append(replace(item, stated=revised))
        self.ended = kept
        return written


def is_care(entry: Exposure) -> bool:
    """Whether the two are staff in PPE and a resident."""
    return {Role(person.role) for person in entry.people} == CARE_ROLES


def withdrawn(entry: Exposure, reason: str) -> Exposure:
    """The entry, taken back."""
    return replace(entry, withdrawn=reason)


def _tracks(entry: Exposure) -> tuple[int, ...]:
    return tuple(person.track for person in entry.people)


def _identity(entry: Exposure) -> tuple[object, ...]:
    """What makes the key of an entry."""
    return entry.zone, _tracks(entry), entry.start


_PAIRS = Contacts()
