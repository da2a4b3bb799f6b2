"""Gatherings of residents; `machines.gathering` says who is linked, and for how long."""

from __future__ import annotations

from collections.abc import Sequence

from incidents.rules.events import Finding, Measure, Person
from incidents.rules.machines.tables import Table
from incidents.rules.severity import gathering_severity
from incidents.rules.view import Group, Moment, View, least_confidence, median_cm, millionths
from vision.frames import SECOND
from zones.facility import Role

KIND = "gathering"


class Gatherings:
    """The rule for gatherings. A machine is that of a gathering (slot); its number is 0."""

    name = "gathering"

    def group(self, view: View, slot: int, number: int) -> Group | None:
        """What the machine has measured, or None."""
        e = view.tables.g_episodes[slot]
        if not view.tables.gatherings["used"][slot] or not e["open"]:
            return None
        settings = view.planned.plan.settings[0]
        undecided = 0
        if e["on"] and (e["lasting"] or e["start"] - e["g_end"] <= settings["merge"]):
            undecided = int(e["last"]) + int(settings["gathering_gap"])
        return Group((int(_members(view, slot)[0]["track"]),), int(e["g_start"]), int(e["g_end"]), undecided)

    def persons(self, view: View, slot: int, number: int) -> tuple[int, ...]:
        """The slots of the persons who are still known."""
        uids = view.tables.persons["uid"]
        return tuple(
            int(member["person"])
            for member in _members(view, slot)
            if int(uids[int(member["person"])]) == int(member["uid"])
        )

    def refusal(self, view: View, slot: int, number: int) -> str | None:
        """Why what was measured is no incident; None if it is one."""
        members = _members(view, slot)
        known = self.persons(view, slot, number)
        others = [person for person in known if view.role(person) is not Role.RESIDENT]
        least = view.facility.rules.gathering.min_people
        if len(members) - len(others) >= least:
            return None
        return (
            f"{len(others)} of its {len(members)} people are now believed not to be residents; a gathering "
            f"has at least {least}"
        )

    def fits(self, view: View, number: int, roles: tuple[Role, ...]) -> bool:
        """Whether it is an incident for persons of these roles."""
        return roles.count(Role.RESIDENT) >= view.facility.rules.gathering.min_people

    def alert_from(self, view: View, slot: int, number: int, t: int) -> None:
        """Ask for a signal at the first instant from `t` on at which the group is there."""
        view.tables.g_episodes["alert_at"][slot] = t

    def machines_of(self, view: View, person: int) -> Sequence[tuple[int, int]]:
        """The gatherings of a person."""
        found, uid = [], view.uid(person)
        for slot in range(len(view.tables.gatherings)):
            item = view.tables.gatherings[slot]
            if item["used"] and view.tables.g_episodes["open"][slot]:
                members = view.tables.members["uid"][slot, : int(item["members"])]
                if uid in members.tolist():
                    found.append((slot, 0))
        return found

    def finding(self, view: View, slot: int, number: int, moment: Moment) -> Finding:
        """The incident as it is known at a moment.

        Its people are those who were linked for at least half of the time until it became an incident; if
        these are fewer than `min_people`, all who were linked in that time.

        The rule confidence is the mean probability that the true length of a link is under `distance_m`,
        times the smallest confidence of the roles that rest on what was seen.
        """
        e, item, rules = view.tables.g_episodes[slot], view.tables.gatherings[slot], view.facility.rules
        rule = rules.gathering
        uids = view.tables.persons["uid"]
        before = {item.track: item for item in moment.people}
        people: list[Person] = []
        for member in _members(view, slot):
            person, track = int(member["person"]), int(member["track"])
            if int(uids[person]) == int(member["uid"]):
                people.append(view.person(person, track))
            elif track in before:
                people.append(before[track])  # the person has left the view
        people.sort(key=lambda one: one.track)
        close = millionths(int(item["g_close"]), int(item["g_links"])) or 0.0
        return Finding(
            camera=view.camera.id,
            kind=KIND,
            subkind="",
            zone=None,
            identity=moment.identity,
            start=moment.start,
            end=moment.group.end,
            opened=moment.opened,
            severity=gathering_severity(),
            people=tuple(people),
            measure=Measure("held_s", int(e["g_held"]) / SECOND, rule.min_s),
            alerts=moment.alerts,
            distance_min=int(item["g_nearest"]) / 1000,
            distance_median=median_cm(view.tables.g_bins[slot, 1].tolist()),
            distance_se=int(item["g_nearest_se"]) / 1000,
            mask_state=None,
            assessable_share=None,
            detector_confidence=None,
            rule_confidence=round(close * least_confidence(people), 6),
            cumulative_s=None,
            thresholds={
                "min_people": float(rule.min_people),
                "distance_m": rule.distance_m,
                "min_s": rule.min_s,
                "max_gap_s": rule.max_gap_s,
                "max_distance_se_m": rules.contact.max_distance_se_m,
                "max_calibration_error_m": rules.contact.max_calibration_error_m,
                "merge_s": rules.merge_s,
                "role_confidence": rules.role_confidence,
                "realert_s": rules.realert_s,
            },
        )


def _members(view: View, slot: int) -> list[Table]:
    """The people of a gathering, the first one first; see `Gatherings.finding`."""
    count = int(view.tables.gatherings["members"][slot])
    members = [view.tables.members[slot, k] for k in range(count)]
    return sorted((m for m in members if m["kept"]), key=lambda m: (int(m["since"]), int(m["track"])))
