"""Rules that never decide, zones and lines that never raise an incident, roles that no person is given."""

from __future__ import annotations

from collections.abc import Iterable

from zones.camera import Camera, Line, Role, Zone, ZoneType
from zones.checking.findings import Check, Remarks, note, warn
from zones.facility import Facility
from zones.permission import CURFEW, applies, can_deny, denies_anything, is_open_to_all, permissions
from zones.validation import Loc

_NEVER_RAISING = (ZoneType.EXEMPT, ZoneType.CARE_STATION)
"""Types that are not meant to raise a zone crossing."""


def unused_schedules(facility: Facility) -> Remarks:
    """A note for each schedule that no rule uses."""
    used = {rule.schedule for camera in facility.cameras for _, part in camera.parts() for rule in part.rules}
    for name in facility.schedules:
        # The default tables of the zone types use the curfew.
        if name not in used and name != CURFEW:
            sentence = f"no rule uses the schedule {name!r}"
            yield note(Check.UNUSED_SCHEDULE, "", ("schedules", name), sentence)


def ineffective_rules(facility: Facility, camera: Camera, loc: Loc) -> Remarks:
    """Remarks on the rules of a camera's zones and lines, and on the roles that the camera gives."""
    given = _given_roles(camera)
    yield from _confidences(facility, camera, loc)
    for at, part in camera.parts():
        part_loc = (*loc, *at)
        if denies_anything(part, facility):
            yield from _roles(facility, camera, part, part_loc, given)
        elif part.type not in _NEVER_RAISING and not is_open_to_all(part):
            needs = "denied" if isinstance(part, Line) else "toward"
            lacks_direction = part.type is ZoneType.ONE_WAY and not can_deny(part)
            why = f" without `{needs}`" if lacks_direction else ""
            sentence = f"{part.id!r} ({part.type.value}{why}) denies no role anything: it raises no incident"
            yield warn(Check.DENIES_NOTHING, camera.id, part_loc, sentence)
        yield from _rules(facility, camera, part, part_loc)


def _given_roles(camera: Camera) -> set[Role]:
    """The roles that people get on a camera before any role is taught."""
    origins = {zone.origin_role for zone in camera.zones if zone.origin_role is not None}
    return {camera.default_role, Role.UNKNOWN} | origins


def _confidences(facility: Facility, camera: Camera, loc: Loc) -> Remarks:
    required = facility.rules.role_confidence
    if camera.default_role is not Role.UNKNOWN and camera.default_role_confidence < required:
        yield warn(
            Check.LOW_CONFIDENCE,
            camera.id,
            (*loc, "default_role_confidence"),
            f"the default role {camera.default_role.value!r} has a confidence of "
            f"{camera.default_role_confidence:g}, under rules.role_confidence ({required:g}): "
            "all people stay unknown",
        )
    for i, zone in enumerate(camera.zones):
        if zone.origin_role is not None and zone.origin_confidence < required:
            yield warn(
                Check.LOW_CONFIDENCE,
                camera.id,
                (*loc, "zones", i, "origin_confidence"),
                f"the role of origin {zone.origin_role.value!r} has a confidence of "
                f"{zone.origin_confidence:g}, under rules.role_confidence ({required:g}): it is never given",
            )


def _roles(facility: Facility, camera: Camera, part: Zone | Line, loc: Loc, given: set[Role]) -> Remarks:
    denied = {case.role for case, permission in permissions(part, facility).items() if permission.denied}
    if not denied & given:
        yield note(
            Check.ROLE_NOT_GIVEN,
            camera.id,
            loc,
            f"{part.id!r} denies only {_list(denied)}, and no default role or origin on this camera gives "
            "such a role: it raises no incident until roles are taught (lazaretto roles)",
        )


def _rules(facility: Facility, camera: Camera, part: Zone | Line, loc: Loc) -> Remarks:
    found = permissions(part, facility)
    for i, rule in enumerate(part.rules):
        at = (*loc, "rules", i)
        applicable = [case for case in found if applies(rule, facility, case)]
        decided = [case for case in applicable if found[case].rule == i]
        if not decided:
            earlier = sorted({found[case].rule or 0 for case in applicable})
            verb = "decides" if len(earlier) == 1 else "decide"
            yield warn(
                Check.UNREACHABLE_RULE,
                camera.id,
                at,
                f"this rule of {part.id!r} never decides: {_list(f'rules[{j}]' for j in earlier)} before it "
                f"{verb} every case that it applies to",
            )
            continue
        without = permissions(part, facility, without_rule=i)
        if all(found[case].denied == without[case].denied for case in decided):
            yield note(
                Check.REDUNDANT_RULE,
                camera.id,
                at,
                f"this rule of {part.id!r} changes nothing: without it the same is "
                f"{'denied' if found[decided[0]].denied else 'allowed'}",
            )


def _list(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
