"""Which zones, lines and rules of a camera could raise an incident in a clock hour, and why others could not.

This is what the facility file alone allows, with the roles that people can have. What was seen in the hour
(faces, feet, places in metres) restricts it further: `incidents.watched.counting`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from incidents.rules.machines.plan import pair_subkinds
from incidents.watched.hour import Ability
from vision.frames import SECOND
from vision.ground import calibration_of
from zones.camera import Camera, Line, Role, Zone, ZoneType
from zones.checking.ignoring import ignored_share, wholly_ignored
from zones.checking.raising import NO_GATE, lacks_gate
from zones.checking.shape import above_horizon
from zones.facility import Facility
from zones.permission import is_open_to_all, permissions
from zones.schedule import utc_offset

HOUR_MINUTES = 60
DAY_MINUTES = 1440
IGNORED = "all of it lies where people are ignored"
"""Why nothing is raised at a place, or, where it is said of the picture, by people near each other."""
NEVER_RAISING = (ZoneType.EXEMPT, ZoneType.CARE_STATION)
"""Types of zone that are not meant to raise an incident."""


def abilities(
    facility: Facility, camera: Camera, hour: int, aspect: float, taught: bool
) -> tuple[Ability, ...]:
    """What could raise an incident in the clock hour from `hour` on (microseconds UTC).

    Zones and lines that are not meant to raise anything (exempt, care stations, floors open to all) are left
    out. The mask rule needs nothing of the facility file.

    Args:
        facility: the facility.
        camera: one of its cameras.
        hour: start of the hour, microseconds UTC.
        aspect: width over height of the frames.
        taught: whether a role model was in use, so that people may have any role.
    """
    roles = frozenset(Role) if taught else possible_roles(facility, camera)
    minutes = _minutes(facility, hour)
    hidden = dict.fromkeys(
        above_horizon(camera, aspect), "all of it lies above the horizon of the calibration"
    )
    hidden |= dict.fromkeys(wholly_ignored(camera), IGNORED)
    found = [
        Ability(rule="zone_crossing", place=part.id, able=not reason, reason=reason)
        for _, part in camera.parts()
        if part.type not in NEVER_RAISING and not is_open_to_all(part)
        for reason in [_place_reason(part, facility, minutes, roles, hidden)]
    ]
    if lacks_gate(facility, camera):
        found.append(Ability(rule="zone_crossing", place=None, able=False, reason=NO_GATE))
    elif not found:
        why = "the camera has no zone or line that denies anything"
        found.append(Ability(rule="zone_crossing", place=None, able=False, reason=why))
    unwatched = IGNORED if ignored_share(camera) == 1 else ""
    contact = unwatched or _contact_reason(facility, camera, aspect, roles)
    gathering = unwatched or metric_reason(facility, camera, aspect) or _gathering_reason(roles)
    return (
        *found,
        Ability(rule="mask", place=None, able=True, reason=""),
        Ability(rule="contact", place=None, able=not contact, reason=contact),
        Ability(rule="gathering", place=None, able=not gathering, reason=gathering),
    )


def possible_roles(facility: Facility, camera: Camera) -> frozenset[Role]:
    """The roles that people on a camera can have while no role was taught."""
    required = facility.rules.role_confidence
    given = {camera.default_role if camera.default_role_confidence >= required else Role.UNKNOWN}
    for zone in camera.zones:
        if zone.origin_role is not None and zone.type is not ZoneType.EXEMPT:
            given.add(zone.origin_role if zone.origin_confidence >= required else Role.UNKNOWN)
    return frozenset(given)


def metric_reason(facility: Facility, camera: Camera, aspect: float) -> str:
    """Why distances in metres are not evaluated, as the rules decide it; empty where they are."""
    if camera.calibration is None:
        return "no place is known in metres: the camera has no calibration"
    error = calibration_of(camera.calibration, aspect).check_error
    limit = facility.rules.contact.max_calibration_error_m
    if error <= limit:
        return ""
    stated = f"{error:.2f} m" if math.isfinite(error) else "not known"
    return f"the check error of the calibration is {stated}, and at most {limit:g} m is accepted"


def _minutes(facility: Facility, hour: int) -> tuple[int, int]:
    """The first minute of the local day in the hour, and the first one after it (it may exceed a day)."""
    begin = int((hour + int(utc_offset(hour, facility.tz))) // (60 * SECOND) % DAY_MINUTES)
    return begin, begin + HOUR_MINUTES


def _denied_roles(part: Zone | Line, facility: Facility, minutes: tuple[int, int]) -> set[Role]:
    """The roles that a zone or line denies at some minute of [begin, end) of the local day."""
    cases = permissions(part, facility)
    changes = sorted({case.minute for case in cases})
    begin, end = minutes
    # A minute of `permissions` stands for the time up to the next one.
    current = max(minute for minute in changes if minute <= begin)
    within = {minute for minute in changes for day in (0, DAY_MINUTES) if begin <= minute + day < end}
    during = within | {current}
    return {case.role for case, permission in cases.items() if permission.denied and case.minute in during}


def _place_reason(
    part: Zone | Line,
    facility: Facility,
    minutes: tuple[int, int],
    roles: frozenset[Role],
    hidden: Mapping[str, str],
) -> str:
    """Why a zone or line could raise nothing at these minutes; empty where it could."""
    always = {case.role for case, permission in permissions(part, facility).items() if permission.denied}
    if not always:
        return "it denies no role anything"
    if part.id in hidden:
        return hidden[part.id]
    denied = _denied_roles(part, facility, minutes)
    if not denied:
        return "it denies nothing at this time of day"
    if not denied & roles:
        return f"it denies only {_list(denied)}, a role that no person has before roles are taught"
    return ""


def _contact_reason(facility: Facility, camera: Camera, aspect: float, roles: frozenset[Role]) -> str:
    if not camera.contact_pairs:
        return "the camera watches no pair of roles"
    if reason := metric_reason(facility, camera, aspect):
        return reason
    if not any(pair <= roles for pair in pair_subkinds(camera)):
        watched = ", ".join(pair.value for pair in camera.contact_pairs)
        return f"no pair that the camera watches ({watched}) can occur before roles are taught"
    return ""


def _gathering_reason(roles: frozenset[Role]) -> str:
    return "" if Role.RESIDENT in roles else "no person is known as a resident before roles are taught"


def _list(roles: set[Role]) -> str:
    return ", ".join(sorted(role.value for role in roles))
