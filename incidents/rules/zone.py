"""Zone crossings: people in a zone, or across a line, where their role is not allowed at that time.

`machines.zone` says when a person is in a zone or has crossed a line. There is a machine for each group of
roles that a place treats alike. So the incident that follows from another belief is known at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from incidents.rules.events import Finding, Measure
from incidents.rules.machines.plan import MIN_STEP_BACK, dwell_of
from incidents.rules.severity import OPEN_TYPES, zone_severity
from incidents.rules.view import MILLION, Group, Moment, View, is_sure, least_confidence
from vision.frames import SECOND
from zones.facility import Direction, Effect, Line, Role, Zone, ZoneType

KIND = "zone_crossing"


class ZoneCrossings:
    """The rule for zones and lines. A machine is that of a person (slot) and a place (number)."""

    name = "place"

    def group(self, view: View, slot: int, number: int) -> Group | None:
        """What the machine has measured, or None."""
        e = view.tables.places[slot, number]
        if not e["open"]:
            return None
        settings = view.planned.plan.settings[0]
        undecided = 0
        if e["held_on"] and (e["lasting"] or e["start"] - e["g_end"] <= settings["merge"]):
            undecided = int(e["last"]) + int(settings["zone_gap"])
        return Group((int(e["g_track"]),), int(e["g_start"]), int(e["g_end"]), undecided)

    def persons(self, view: View, slot: int, number: int) -> tuple[int, ...]:
        """The slots of the persons."""
        return (slot,)

    def refusal(self, view: View, slot: int, number: int) -> str | None:
        """Why what was measured is no incident; None if it is one."""
        role = view.role(slot)
        if self.fits(view, number, (role,)):
            return None
        return f"the person is now believed to be {role.value}, who is allowed here"

    def fits(self, view: View, number: int, roles: tuple[Role, ...]) -> bool:
        """Whether an incident of machines with this number is one for a person of this role."""
        return roles[0] in view.planned.machines[number].roles

    def alert_from(self, view: View, slot: int, number: int, t: int) -> None:
        """Ask for a signal at the first sample from `t` on at which the condition holds."""
        view.tables.places["alert_at"][slot, number] = t

    def machines_of(self, view: View, person: int) -> Sequence[tuple[int, int]]:
        """The machines that have measured something of a person."""
        opened = view.tables.places["open"][person]
        return [(person, number) for number in range(len(opened)) if opened[number]]

    def finding(self, view: View, slot: int, number: int, moment: Moment) -> Finding:
        """The incident as it is known at a moment.

        The rule confidence is the share of samples away from the edge by the hysteresis, times the confidence
        of the role, where that rests on what was seen.
        """
        e, machine = view.tables.places[slot, number], view.planned.machines[number]
        place, rules = machine.place, view.facility.rules
        person = view.person(slot, moment.identity[0])
        dwell_s = dwell_of(place.type, rules.zone)
        name, hysteresis = view.planned.hysteresis[place.id]
        thresholds: dict[str, float | str] = {
            "dwell_s": dwell_s,
            name: hysteresis,
            "max_gap_s": rules.zone.max_gap_s,
            "max_position_se_m": rules.zone.max_position_se_m,
            "merge_s": rules.merge_s,
            "role_confidence": rules.role_confidence,
            "zone_type": place.type.value,
            "realert_s": rules.realert_s,
        }
        if machine.wrong_way:
            thresholds["step_back"] = MIN_STEP_BACK
        if isinstance(place, Line):
            thresholds["direction"] = _direction(view, slot, number).value
        clear = int(e["g_clear"]) / int(e["g_n"])
        return Finding(
            camera=view.camera.id,
            kind=KIND,
            subkind=_subkind(view, slot, number, person.role),
            zone=place.id,
            identity=moment.identity,
            start=moment.start,
            end=moment.group.end,
            opened=moment.opened,
            severity=zone_severity(place.type, person.role, is_sure([person])),
            people=(person,),
            measure=Measure("held_s", int(e["g_held"]) / SECOND, dwell_s),
            alerts=moment.alerts,
            distance_min=None,
            distance_median=None,
            distance_se=None,
            mask_state=None,
            assessable_share=None,
            detector_confidence=round(int(e["g_score"]) / int(e["g_n"]) / MILLION, 6),
            rule_confidence=round(clear * least_confidence([person]), 6),
            cumulative_s=None,
            thresholds=thresholds,
        )


def _direction(view: View, slot: int, number: int) -> Direction:
    """The direction in which a line was crossed first."""
    right = int(view.tables.places[slot, number]["g_side"]) > 0
    return Direction.LEFT_TO_RIGHT if right else Direction.RIGHT_TO_LEFT


def _subkind(view: View, slot: int, number: int, role: str) -> str:
    """Subkind of an incident: entry from outside and leaving a room have their own."""
    machine = view.planned.machines[number]
    place = machine.place
    if role == Role.OUTSIDER and place.type in OPEN_TYPES:
        return "outsider_entry"
    if role == Role.RESIDENT and place.type is ZoneType.ROOM_DOOR and _leaves_room(view, slot, number):
        return "left_room"
    if isinstance(place, Line):
        return "line_crossing"
    return "wrong_way" if machine.wrong_way else "zone_entry"


def _leaves_room(view: View, slot: int, number: int) -> bool:
    """Whether the person came out of the room behind this door."""
    place = view.planned.machines[number].place
    if isinstance(place, Zone):
        door = int(view.planned.plan.zones["door"][view.camera.zones.index(place)])
        return int(view.tables.exits[slot, door]) > 0
    # The facility file denies the direction that leads out of a room.
    outward = {place.denied, *(rule.direction for rule in place.rules if rule.effect is Effect.DENY)}
    return _direction(view, slot, number) in outward


def zone_notices(view: View) -> list[str]:
    """A sentence for each zone or line that can never raise an incident, although its type is meant to."""
    able = {machine.place.id for machine in view.planned.machines}
    places: tuple[Zone | Line, ...] = (*view.camera.zones, *view.camera.lines)
    return [
        f"camera {view.camera.id}: {place.id} ({place.type}) denies no role anything: it never raises an "
        "incident"
        for place in places
        if place.type not in (ZoneType.EXEMPT, ZoneType.CARE_STATION) and place.id not in able
    ]
