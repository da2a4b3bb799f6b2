"""The exposure log of a camera while it is written: care that lasts, and what can still be revised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from incidents.rules.contact import CARE_ROLES, STATION, Contacts, exposure_of
from incidents.rules.exposure import Exposure
from incidents.rules.machines.plan import microseconds
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
        stated: as it was entered last.
        uids: numbers of both persons, in the order of `stated.people`.
    """

    since: int
    write_at: int
    stated: Exposure
    uids: tuple[int, ...]


@dataclass(frozen=True)
class EndedExposure:
    """An entry whose contact is over; it is revised when what is believed of a person changes."""

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
        return min((item.write_at for item in self.open.values()), default=FOREVER)

    def run(self, t: int) -> tuple[list[Exposure], list[Name]]:
        """What is due at a moment: entries that grew, and the machines whose contact is over."""
        merge = microseconds(self.view.facility.rules.merge_s)
        written: list[Exposure] = []
        over: list[Name] = []
        for name in sorted(name for name, item in self.open.items() if item.write_at <= t):
            item = self.open[name]
            found = self._now(name, item)
            if found is None or found.end + merge <= t:
                written += self._end(name, found)
                if found is not None:
                    over.append(name)
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
        if not is_care(found):
            del self.open[name]
            return [withdrawn(found, reason)]
        if item.stated.start != found.start:
            return [*self._end(name, None), *self._enter(name, found, t)]
        if _tracks(item.stated) != _tracks(found):
            del self.open[name]
            return [withdrawn(item.stated, reason), *self._enter(name, found, t)]
        if item.stated.people == found.people:
            return []
        item.stated = found
        return [found]

    def joined(self, moves: Sequence[tuple[Name, Name]], t: int, reason: str) -> list[Exposure]:
        """Two persons turned out to be one; a move is (the later person's machine, the one that goes on)."""
        written: list[Exposure] = []
        for later, name in moves:
            if later != name and later in self.open:
                written.append(withdrawn(self.open.pop(later).stated, reason))
        for name in sorted({name for _, name in moves}):
            written += self.changed(*name, t, reason)
        return written

    def role_changed(self, slot: int, t: int, reason: str) -> list[Exposure]:
        """What is believed of the person in a slot has changed."""
        written: list[Exposure] = []
        names = {name for name in self.open if slot in _PAIRS.persons(self.view, *name)}
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
        self.open[name] = OpenExposure(t, t + MINUTE, found, tuple(uids[track] for track in tracks))
        return [found]

    def _end(self, name: Name, found: Exposure | None) -> list[Exposure]:
        """The contact of an entry is over; `found` is what was measured, None if no longer known."""
        item = self.open.pop(name)
        last = found or item.stated
        self.ended.append(EndedExposure(last, item.uids))
        del self.ended[:-MAX_ENDED]
        return [last] if last != item.stated else []

    def _now(self, name: Name, item: OpenExposure) -> Exposure | None:
        """What the machine of an entry has measured, if it is still that entry."""
        found = exposure_of(self.view, *name)
        return found if found is not None and found.start == item.stated.start else None

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
            if not is_care(revised):
                written.append(withdrawn(revised, reason))
                continue
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


_PAIRS = Contacts()
