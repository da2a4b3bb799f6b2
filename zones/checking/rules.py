"""Rules that never decide anything, places that never raise anything, roles that nobody is given."""

from __future__ import annotations

from collections.abc import Iterable

from zones.camera import Camera, Line, Role, Zone, ZoneType
from zones.checking.findings import Remarks, note, warn
from zones.facility import Facility
from zones.permission import CURFEW, can_deny, is_open_to_all, matches, verdicts
from zones.validation import Loc

_QUIET = (ZoneType.EXEMPT, ZoneType.CARE_STATION)
"""Types that are not meant to raise a zone crossing."""


def schedules(facility: Facility) -> Remarks:
    """A note for each schedule that nothing follows."""
    used = {rule.schedule for camera in facility.cameras for _, part in camera.parts() for rule in part.rules}
    for name in facility.schedules:
        # The curfew is what types of zone go by.
        if name not in used and name != CURFEW:
            yield note("", ("schedules", name), f"no rule follows the schedule {name!r}")


def judged(facility: Facility, camera: Camera, loc: Loc) -> Remarks:
    """What the rules of a camera's zones and lines, and the roles it gives, are worth."""
    given = _given(camera)
    yield from _confidences(facility, camera, loc)
    for at, part in camera.parts():
        place = (*loc, *at)
        if not any(verdict.denied for verdict in verdicts(part, facility).values()):
            if part.type not in _QUIET and not is_open_to_all(part):
                needs = "denied" if isinstance(part, Line) else "toward"
                lost = part.type is ZoneType.ONE_WAY and not can_deny(part)
                why = f" without `{needs}`" if lost else ""
                yield warn(
                    camera.id,
                    place,
                    f"{part.id!r} ({part.type.value}{why}) denies nobody anything: "
                    "it never raises an incident",
                )
        else:
            yield from _roles(facility, camera, part, place, given)
        yield from _rules(facility, camera, part, place)


def _given(camera: Camera) -> set[Role]:
    """The roles that people get on a camera before any role is taught."""
    origins = {zone.origin_role for zone in camera.zones if zone.origin_role is not None}
    return {camera.default_role, Role.UNKNOWN} | origins


def _confidences(facility: Facility, camera: Camera, loc: Loc) -> Remarks:
    least = facility.rules.role_confidence
    if camera.default_role is not Role.UNKNOWN and camera.default_role_confidence < least:
        yield warn(
            camera.id,
            (*loc, "default_role_confidence"),
            f"the default role {camera.default_role.value!r} has a confidence of "
            f"{camera.default_role_confidence:g}, under rules.role_confidence ({least:g}): all stay unknown",
        )
    for i, zone in enumerate(camera.zones):
        if zone.origin_role is not None and zone.origin_confidence < least:
            yield warn(
                camera.id,
                (*loc, "zones", i, "origin_confidence"),
                f"the role of origin {zone.origin_role.value!r} has a confidence of "
                f"{zone.origin_confidence:g}, under rules.role_confidence ({least:g}): it is never given",
            )


def _roles(facility: Facility, camera: Camera, part: Zone | Line, loc: Loc, given: set[Role]) -> Remarks:
    told = {role for (role, _, _), verdict in verdicts(part, facility).items() if verdict.denied}
    if not told & given:
        yield note(
            camera.id,
            loc,
            f"{part.id!r} denies only {_list(told)}, and no default role or origin on this camera gives "
            "that: it stays silent until roles are taught (lazaretto roles)",
        )


def _rules(facility: Facility, camera: Camera, part: Zone | Line, loc: Loc) -> Remarks:
    found = verdicts(part, facility)
    for i, rule in enumerate(part.rules):
        at = (*loc, "rules", i)
        spoken = [cell for cell in found if matches(rule, facility, cell)]
        deciding = [cell for cell in spoken if found[cell].rule == i]
        if not deciding:
            before = sorted({found[cell].rule or 0 for cell in spoken})
            one = len(before) == 1
            yield warn(
                camera.id,
                at,
                f"this rule of {part.id!r} never decides: rule{'' if one else 's'} "
                f"{_list(f'rules[{j}]' for j in before)} before it match{'es' if one else ''} "
                "all that it would",
            )
            continue
        without = verdicts(part, facility, without=i)
        if all(found[cell].denied == without[cell].denied for cell in deciding):
            yield note(
                camera.id,
                at,
                f"this rule of {part.id!r} changes nothing: without it the same is "
                f"{'denied' if found[deciding[0]].denied else 'allowed'}",
            )


def _list(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
