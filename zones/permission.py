"""Whom each type of zone or line denies unless a rule says otherwise, and what follows by time of day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from zones.camera import Direction, Effect, Line, Role, Rule, Zone, ZoneType
from zones.facility import Facility
from zones.schedule import ALWAYS, Window

CURFEW = "curfew"
_ANY = frozenset(Role)

DEFAULT_DENIED: Mapping[ZoneType, tuple[tuple[frozenset[Role], str], ...]] = {
    # Whoever passes here without a known right to is leaving quarantine or entering it.
    ZoneType.GATE: ((frozenset({Role.RESIDENT, Role.UNKNOWN, Role.OUTSIDER}), ALWAYS),),
    ZoneType.PERIMETER: ((frozenset({Role.RESIDENT, Role.UNKNOWN, Role.OUTSIDER}), ALWAYS),),
    ZoneType.STAFF_ONLY: ((frozenset({Role.RESIDENT, Role.OUTSIDER, Role.UNKNOWN}), ALWAYS),),
    ZoneType.RESIDENT_ONLY: ((frozenset({Role.STAFF_NO_PPE, Role.OUTSIDER}), ALWAYS),),
    ZoneType.BUFFER: ((_ANY - {Role.STAFF_PPE}, ALWAYS),),
    # By day residents fetch meals, are sampled and use shared bathrooms; a facility that keeps them in
    # their rooms all day says so by a rule. At night even an unknown person at a room door is looked at.
    ZoneType.ROOM_DOOR: (
        (frozenset({Role.STAFF_NO_PPE, Role.OUTSIDER}), ALWAYS),
        (frozenset({Role.RESIDENT, Role.UNKNOWN}), CURFEW),
    ),
    # Only in the direction that the line denies, or against the way that the zone allows.
    ZoneType.ONE_WAY: ((_ANY, ALWAYS),),
    ZoneType.COMMON: ((frozenset({Role.RESIDENT}), CURFEW),),
    ZoneType.CARE_STATION: (),
    ZoneType.EXEMPT: (),
}
"""Roles that a type denies, each with the schedule in which it does [D]."""

Cell = tuple[Role, int, Direction | None]
"""Somebody of a role, at a minute of the local day, crossing a line in a direction or staying in a zone."""


@dataclass(frozen=True)
class Verdict:
    """Whether a cell is denied, and by which of the place's rules; None: by the table of its type."""

    denied: bool
    rule: int | None


def can_deny(place: Zone | Line) -> bool:
    """Whether anybody could ever be denied there: silence of a place that cannot says nothing."""
    if any(rule.effect is Effect.DENY for rule in place.rules):
        return True
    return has_way(place) if place.type is ZoneType.ONE_WAY else bool(DEFAULT_DENIED[place.type])


def is_open_to_all(place: Zone | Line) -> bool:
    """Whether it is common ground that allows everybody at any time in so many words: a floor, which judges
    nobody, and on which other zones are drawn."""
    first = place.rules[0] if place.rules else None
    return (
        place.type is ZoneType.COMMON
        and first is not None
        and (first.roles, first.schedule, first.effect) == (None, ALWAYS, Effect.ALLOW)
    )


def has_way(place: Zone | Line) -> bool:
    """Whether a one-way place says which way it is: a line by `denied`, a zone by `toward`."""
    return (place.denied if isinstance(place, Line) else place.toward) is not None


def verdicts(place: Zone | Line, facility: Facility, without: int | None = None) -> dict[Cell, Verdict]:
    """What holds for every role, time of day and direction, as `incidents.rules.permission` decides it.

    One minute stands for each stretch of the day in which no schedule opens or closes. `without` leaves one
    rule out.
    """
    directions = tuple(Direction) if isinstance(place, Line) else (None,)
    cells = product(Role, minutes(facility), directions)
    return {cell: _verdict(place, facility, cell, without) for cell in cells}


def matches(rule: Rule, facility: Facility, cell: Cell) -> bool:
    """Whether a rule speaks of a cell."""
    role, minute, direction = cell
    return (
        (rule.roles is None or role in rule.roles)
        and is_open(facility, rule.schedule, minute)
        and (rule.direction is None or rule.direction is direction)
    )


def minutes(facility: Facility) -> tuple[int, ...]:
    """The minutes of the local day at which some schedule opens or closes, and midnight."""
    edges = {0}
    for windows in facility.schedules.values():
        for window in windows:
            edges |= {_minute(window.from_) % 1440, _minute(window.to) % 1440}
    return tuple(sorted(edges))


def is_open(facility: Facility, schedule: str, minute: int) -> bool:
    """Whether a schedule is open at a minute of the local day."""
    return schedule == ALWAYS or any(_within(window, minute) for window in facility.schedules[schedule])


def _verdict(place: Zone | Line, facility: Facility, cell: Cell, without: int | None) -> Verdict:
    for i, rule in enumerate(place.rules):
        if i != without and matches(rule, facility, cell):
            return Verdict(rule.effect is Effect.DENY, i)
    role, minute, direction = cell
    against = place.denied if isinstance(place, Line) else None
    if against not in (None, direction) or (place.type is ZoneType.ONE_WAY and not has_way(place)):
        return Verdict(False, None)
    table = DEFAULT_DENIED[place.type]
    return Verdict(any(role in roles and is_open(facility, name, minute) for roles, name in table), None)


def _minute(local_time: str) -> int:
    hours, minutes = local_time.split(":")
    return int(hours) * 60 + int(minutes)


def _within(window: Window, minute: int) -> bool:
    start, end = _minute(window.from_), _minute(window.to)
    return start <= minute < end if start <= end else minute >= start or minute < end
