"""Which role is denied a place at a time: by the rules of the zone or line, else by the table of its type."""

from __future__ import annotations

import numpy as np

from incidents.rules.episode import Bools, Codes, Ints
from incidents.rules.samples import ROLES
from zones.facility import Direction, Effect, Facility, Line, Role, Zone, ZoneType
from zones.permission import DEFAULT_DENIED, has_direction
from zones.schedule import ALWAYS

_ANY = frozenset(Role)
_SIGN = {Direction.LEFT_TO_RIGHT: 1, Direction.RIGHT_TO_LEFT: -1}


def denied(
    place: Zone | Line, facility: Facility, role: Codes, t: Ints, direction: Codes | None = None
) -> Bools:
    """Whether each of N people is denied the place.

    The first rule of the place that matches role, schedule and direction decides. Without one, the default
    table of the type decides: for a line with `denied`, in that direction only; for a one-way place without
        `denied`
    or `toward`, the table denies nothing. For a one-way zone, call this for people in the wrong direction
    only.

    Args:
        place: the zone or line.
        facility: it has the schedules.
        role: (N,) index into ROLES.
        t: (N,) microseconds UTC.
        direction: (N,) of the crossings of a line, +1 left to right, -1 right to left; None for a zone.
    """
    result = np.zeros(len(t), dtype=np.bool_)
    pending = np.ones(len(t), dtype=np.bool_)
    for rule in place.rules:
        roles = _ANY if rule.roles is None else frozenset(rule.roles)
        match = _matching(facility, roles, rule.schedule, rule.direction, role, t, direction, pending)
        result[match] = rule.effect is Effect.DENY
        pending[match] = False
    denied_direction = place.denied if isinstance(place, Line) else None
    if place.type is ZoneType.ONE_WAY and not has_direction(place):
        return result
    for roles, schedule in DEFAULT_DENIED[place.type]:
        result[_matching(facility, roles, schedule, denied_direction, role, t, direction, pending)] = True
    return result


def _matching(
    facility: Facility,
    roles: frozenset[Role],
    schedule: str,
    wanted: Direction | None,
    role: Codes,
    t: Ints,
    direction: Codes | None,
    pending: Bools,
) -> Ints:
    match = pending & np.array([known in roles for known in ROLES])[role]
    if wanted is not None:
        match &= np.zeros(len(t), dtype=np.bool_) if direction is None else direction == _SIGN[wanted]
    rows = np.flatnonzero(match)
    return rows if schedule == ALWAYS else rows[facility.active(schedule, t[rows])]
