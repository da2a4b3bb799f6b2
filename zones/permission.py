"""Which roles a zone or line denies, at which time of day, and in which direction of a crossing.

The rules of a zone or line are tried in order; the first that applies decides. Where none applies, the table
`DEFAULT_DENIED` of its type decides. `incidents.rules.machines.plan` takes them from here for the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from zones.camera import Direction, Effect, Line, Role, Rule, Zone, ZoneType
from zones.facility import Facility
from zones.schedule import ALWAYS

CURFEW = "curfew"
"""The schedule that the default tables refer to; every facility has it."""
_ANY_ROLE = frozenset(Role)

DEFAULT_DENIED: Mapping[ZoneType, tuple[tuple[frozenset[Role], str], ...]] = {
    # A person without a known right to pass a gate or the perimeter is leaving quarantine or entering it.
    ZoneType.GATE: ((frozenset({Role.RESIDENT, Role.UNKNOWN, Role.OUTSIDER}), ALWAYS),),
    ZoneType.PERIMETER: ((frozenset({Role.RESIDENT, Role.UNKNOWN, Role.OUTSIDER}), ALWAYS),),
    ZoneType.STAFF_ONLY: ((frozenset({Role.RESIDENT, Role.OUTSIDER, Role.UNKNOWN}), ALWAYS),),
    ZoneType.RESIDENT_ONLY: ((frozenset({Role.STAFF_NO_PPE, Role.OUTSIDER}), ALWAYS),),
    ZoneType.BUFFER: ((_ANY_ROLE - {Role.STAFF_PPE}, ALWAYS),),
    # By day residents fetch meals, give samples and use shared bathrooms; a facility that keeps them in their
    # rooms all day adds a rule. At night an unknown person at a room door is reported too.
    ZoneType.ROOM_DOOR: (
        (frozenset({Role.STAFF_NO_PPE, Role.OUTSIDER}), ALWAYS),
        (frozenset({Role.RESIDENT, Role.UNKNOWN}), CURFEW),
    ),
    # Only in the direction that the line denies, or against the direction that the zone allows.
    ZoneType.ONE_WAY: ((_ANY_ROLE, ALWAYS),),
    ZoneType.COMMON: ((frozenset({Role.RESIDENT}), CURFEW),),
    ZoneType.CARE_STATION: (),
    ZoneType.EXEMPT: (),
}
"""Roles that a type of zone or line denies, each with the schedule during which it does.

Project default (docs/defaults.md).
"""


class Case(NamedTuple):
    """A role at a minute of the local day, crossing a line in a direction or (None) staying in a zone."""

    role: Role
    minute: int
    direction: Direction | None


@dataclass(frozen=True)
class Permission:
    """Whether a case is denied.

    Attributes:
        denied: whether it is.
        rule: index of the rule of the zone or line that decides; None where the table of its type does.
    """

    denied: bool
    rule: int | None


def can_deny(part: Zone | Line) -> bool:
    """Whether a zone or line can deny anything; where it cannot, a lack of incidents means nothing."""
    if any(rule.effect is Effect.DENY for rule in part.rules):
        return True
    return has_direction(part) if part.type is ZoneType.ONE_WAY else bool(DEFAULT_DENIED[part.type])


def denies_anything(part: Zone | Line, facility: Facility) -> bool:
    """Whether a zone or line denies some role at some time of day, given the schedules of the facility."""
    return any(permission.denied for permission in permissions(part, facility).values())


def is_open_to_all(part: Zone | Line) -> bool:
    """Whether a zone is common ground whose first rule allows every role at any time.

    Such a zone is a floor, on which other zones are drawn.
    """
    first = part.rules[0] if part.rules else None
    return (
        part.type is ZoneType.COMMON
        and first is not None
        and (first.roles, first.schedule, first.effect) == (None, ALWAYS, Effect.ALLOW)
    )


def has_direction(part: Zone | Line) -> bool:
    """Whether a one-way part has its direction: a line as `denied`, a zone as `toward`."""
    return (part.denied if isinstance(part, Line) else part.toward) is not None


def permissions(
    part: Zone | Line, facility: Facility, without_rule: int | None = None
) -> dict[Case, Permission]:
    """What a zone or line allows and denies, for every role, time of day and direction.

    One minute stands for each part of the day in which no schedule opens or closes. The rule with the index
    `without_rule` is left out.
    """
    directions = tuple(Direction) if isinstance(part, Line) else (None,)
    cases = (Case(*values) for values in product(Role, schedule_minutes(facility), directions))
    return {case: _permission(part, facility, case, without_rule) for case in cases}


def applies(rule: Rule, facility: Facility, case: Case) -> bool:
    """Whether a rule applies to a case."""
    return (
        (rule.roles is None or case.role in rule.roles)
        and is_open(facility, rule.schedule, case.minute)
        and (rule.direction is None or rule.direction is case.direction)
    )


def schedule_minutes(facility: Facility) -> tuple[int, ...]:
    """Midnight, and the minutes of the local day at which a schedule opens or closes."""
    changes = {0}
    for windows in facility.schedules.values():
        for window in windows:
            changes |= {window.start_minute % 1440, window.end_minute % 1440}
    return tuple(sorted(changes))


def is_open(facility: Facility, schedule: str, minute: int) -> bool:
    """Whether a schedule is open at a minute of the local day."""
    return schedule == ALWAYS or any(window.contains(minute) for window in facility.schedules[schedule])


def _permission(part: Zone | Line, facility: Facility, case: Case, without_rule: int | None) -> Permission:
    for i, rule in enumerate(part.rules):
        if i != without_rule and applies(rule, facility, case):
            return Permission(rule.effect is Effect.DENY, i)
    denied_direction = part.denied if isinstance(part, Line) else None
    if denied_direction not in (None, case.direction):
        return Permission(False, None)
    if part.type is ZoneType.ONE_WAY and not has_direction(part):
        return Permission(False, None)
    table = DEFAULT_DENIED[part.type]
    denied = any(case.role in roles and is_open(facility, name, case.minute) for roles, name in table)
    return Permission(denied, None)
