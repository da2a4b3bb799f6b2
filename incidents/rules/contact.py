"""Close contact: two people near each other on the ground for long enough. Distances are in metres.

`machines.pair` says when two people are in contact, at a care station and elsewhere. Which of that is an
incident depends on their roles. Staff in PPE with a resident at a care station are written to the exposure
log; that is an incident only if it is held for longer than `care_station_max_s`.
"""

from __future__ import annotations

from collections.abc import Sequence

from incidents.rules.events import Finding, Measure
from incidents.rules.exposure import Exposure
from incidents.rules.machines.mask import mask_state
from incidents.rules.machines.pair import ANYWHERE, ELSEWHERE, STATION
from incidents.rules.machines.plan import microseconds, pair_subkinds
from incidents.rules.machines.tables import BEFORE, END, FOREVER, ROWS, SCORE, TRIED, VOTES, Ints
from incidents.rules.machines.totals import total_since
from incidents.rules.mask import STATES
from incidents.rules.severity import contact_severity
from incidents.rules.view import (
    MILLION,
    Group,
    Moment,
    View,
    is_sure,
    least_confidence,
    median_cm,
    millionths,
)
from vision.frames import SECOND
from zones.facility import Pair, Role

KIND = "contact"
LIMITATION = (
    "a total is of one track, one door, or tracks that a reviewer linked: a person who leaves the view and "
    "comes back counts as another"
)
"""The limitation of every total of contact. It is stated wherever a total is.

A total counts one person's contact with all partners; time with two partners at once counts once. The
official definition (11042/BYT-DP) is 15 minutes near one case. Which resident is a case is not known, and a
partner who leaves the view and returns has another track. The exposure to one possible case is therefore at
least the total of the pair and at most the total of the person. The total of the person is used: it only
raises the severity, and a total that is too low would delay the review of a real exposure.
"""
LEFT_APART, NOT_KNOWN = "left_apart", "unknown"
"""Why two residents in contact count as residents of different rooms. LEFT_APART: both were seen to leave
through a door, and not through the same one within `same_room_s`. NOT_KNOWN: one of them was not seen to
leave; they count as of different rooms if `unknown_rooms` is set."""
CARE_ROLES = frozenset({Role.RESIDENT, Role.STAFF_PPE})
"""Whose contact at a care station is care."""


class Contacts:
    """The rule for contact. A machine is that of a pair (slot), and of the places that count (number)."""

    name = "contact"

    def group(self, view: View, slot: int, number: int) -> Group | None:
        """What the machine has measured, or None."""
        e = view.tables.episodes[slot, number]
        if not view.tables.pairs["used"][slot] or not e["open"]:
            return None
        settings = view.planned.plan.settings[0]
        undecided = 0
        if e["on"] and (e["lasting"] or e["start"] - e["g_end"] <= settings["merge"]):
            undecided = int(e["last"]) + int(settings["contact_gap"])
        tracks = sorted(view.first_track(person) for person in self.persons(view, slot, number))
        return Group(tuple(tracks), int(e["g_start"]), int(e["g_end"]), undecided)

    def persons(self, view: View, slot: int, number: int) -> tuple[int, ...]:
        """The slots of both persons."""
        pair = view.tables.pairs[slot]
        return int(pair["a"]), int(pair["b"])

    def refusal(self, view: View, slot: int, number: int) -> str | None:
        """Why what was measured is no incident; None if it is one."""
        a, b = self.persons(view, slot, number)
        roles = view.role(a), view.role(b)
        if not self.fits(view, number, roles):
            names = " and ".join(sorted(role.value for role in roles))
            return f"the two are now believed to be {names}, whose contact here is no incident"
        rule = view.facility.rules.contact
        if roles == (Role.RESIDENT, Role.RESIDENT):
            if share_room(view, a, b):
                return f"the two left one door within {rule.same_room_s:g} s: they share a room"
            if not rule.unknown_rooms and _rooms(view, a, b) == NOT_KNOWN:
                return "one of the two was not seen to leave a room"
        held = int(view.tables.episodes["g_held"][slot, number])
        if number >= STATION and held <= microseconds(rule.care_station_max_s):
            return f"care of at most {rule.care_station_max_s:g} s is allowed"
        return None

    def fits(self, view: View, number: int, roles: tuple[Role, ...]) -> bool:
        """Whether contact of persons of these roles counts at the places of machines with this number."""
        pair = frozenset(roles)
        if pair not in pair_subkinds(view.camera):
            return False
        care = bool(view.planned.care) and pair == CARE_ROLES
        return (number != ANYWHERE) if care else (number == ANYWHERE)

    def alert_from(self, view: View, slot: int, number: int, t: int) -> None:
        """Ask for a signal at the first sample from `t` on that is in contact, and, at a care station, at the
        first one with which the contact is held for too long."""
        e, most = view.tables.episodes[slot, number], FOREVER
        if number >= STATION:
            most = microseconds(view.facility.rules.contact.care_station_max_s)
        e["alert_at"] = t
        e["limit"] = most if e["g_held"] <= most else FOREVER

    def machines_of(self, view: View, person: int) -> Sequence[tuple[int, int]]:
        """The machines that have measured something of a person."""
        found = []
        for slot in range(len(view.tables.pairs)):
            pair = view.tables.pairs[slot]
            if pair["used"] and person in (int(pair["a"]), int(pair["b"])):
                opened = view.tables.episodes["open"][slot]
                found += [(slot, number) for number in range(len(opened)) if opened[number]]
        return found

    def finding(self, view: View, slot: int, number: int, moment: Moment) -> Finding:
        """The incident as it is known at a moment.

        The rule confidence is the mean probability that the true distance is under `distance_m`, given its
        standard error, times the smallest confidence of the roles that rest on what was seen.
        """
        rules, tables = view.facility.rules, view.tables
        rule, e, c = rules.contact, tables.episodes[slot, number], tables.contacts[slot, number]
        slots = self.persons(view, slot, number)
        slot_of = {view.uid(person): person for person in slots}
        named = zip(moment.uids, moment.identity, strict=True)
        people = tuple(view.person(slot_of[uid], track) for uid, track in named)
        counts = tables.sides[slot, number, END] - tables.sides[slot, number, BEFORE]
        states = [_mask_state(view, counts[side]) for side in range(2)]
        tried = int(counts[:, TRIED].sum())
        since = moment.group.end - microseconds(rule.long_window_s)
        total = max(int(total_since(tables.persons[p], tables.pasts[p], since)) for p in slots)
        held = int(e["g_held"])
        roles = [person.role for person in people]
        subkind = pair_subkinds(view.camera)[frozenset(map(Role, roles))]
        station = number >= STATION
        min_s = rule.care_station_max_s if station else rule.min_s
        thresholds: dict[str, float | str] = {
            "distance_m": rule.distance_m,
            "release_m": rule.release_m,
            "min_s": min_s,
            "max_gap_s": rule.max_gap_s,
            "max_calibration_error_m": rule.max_calibration_error_m,
            "max_distance_se_m": rule.max_distance_se_m,
            "touch_m": rule.touch_m,
            "touch_s": rule.touch_s,
            "long_s": rule.long_s,
            "long_window_s": rule.long_window_s,
            "merge_s": rules.merge_s,
            "realert_s": rules.realert_s,
            "role_confidence": rules.role_confidence,
        }
        if subkind is Pair.RESIDENT_RESIDENT:
            thresholds |= {"same_room_s": rule.same_room_s, "rooms": _rooms(view, *slots)}
        if total > held:
            thresholds["cumulative_limit"] = LIMITATION
        close = millionths(int(c["g_close"]), int(e["g_n"])) or 0.0
        rows = int(counts[:, ROWS].sum())
        return Finding(
            camera=view.camera.id,
            kind=KIND,
            subkind=subkind.value,
            zone=view.planned.care[number - STATION].id if station else None,
            identity=moment.identity,
            start=moment.start,
            end=moment.group.end,
            opened=moment.opened,
            severity=contact_severity(
                roles,
                sure=is_sure(people),
                unmasked="unmasked" in states,
                touched=int(tables.pairs["touched"][slot]) >= moment.start,
                long=total >= microseconds(rule.long_s),
            ),
            people=people,
            measure=Measure("held_s", held / SECOND, min_s),
            alerts=moment.alerts,
            distance_min=int(c["g_nearest"]) / 1000,
            distance_median=median_cm(tables.bins[slot, number, 1].tolist()),
            distance_se=int(c["g_nearest_se"]) / 1000,
            mask_state=_worse_state(states),
            assessable_share=round(int(counts[:, VOTES:].sum()) / tried, 6) if tried else None,
            detector_confidence=round(int(counts[:, SCORE].sum()) / rows / MILLION, 6),
            rule_confidence=round(close * least_confidence(people), 6),
            cumulative_s=total / SECOND,
            thresholds=thresholds,
        )


def exposure_of(view: View, slot: int, number: int) -> Exposure | None:
    """What a machine of a care station has measured, whatever the roles of the two; None if it is nothing."""
    if number < STATION or slot >= len(view.tables.pairs):
        return None
    pair, e = view.tables.pairs[slot], view.tables.episodes[slot, number]
    slots = int(pair["a"]), int(pair["b"])
    if not pair["used"] or not e["open"]:
        return None
    people = sorted((view.person(p, view.first_track(p)) for p in slots), key=lambda person: person.track)
    held = int(e["g_held"])
    c = view.tables.contacts[slot, number]
    return Exposure(
        zone=view.planned.care[number - STATION].id,
        people=tuple(people),
        start=int(e["g_start"]),
        end=int(e["g_end"]),
        held_s=held / SECOND,
        distance_min=int(c["g_nearest"]) / 1000,
        distance_median=median_cm(view.tables.bins[slot, number, 1].tolist()) or 0.0,
        exceeded=held > microseconds(view.facility.rules.contact.care_station_max_s),
    )


def share_room(view: View, a: int, b: int) -> bool:
    """Whether two persons left through one door within `same_room_s`."""
    within = microseconds(view.facility.rules.contact.same_room_s)
    one, other = view.tables.exits[a].tolist(), view.tables.exits[b].tolist()
    return any(x > 0 and y > 0 and abs(x - y) <= within for x, y in zip(one, other, strict=True))


def _rooms(view: View, a: int, b: int) -> str:
    """LEFT_APART or NOT_KNOWN."""
    return LEFT_APART if all((view.tables.exits[p] > 0).any() for p in (a, b)) else NOT_KNOWN


def _mask_state(view: View, counts: Ints) -> str | None:
    rule = view.facility.rules.mask
    votes = int(counts[VOTES]), int(counts[VOTES + 1]), int(counts[VOTES + 2])
    return STATES.get(mask_state(rule.min_samples, rule.share, votes))


def _worse_state(states: list[str | None]) -> str | None:
    """The worse mask state of the two; masked only if both are known to be masked."""
    for state in ("unmasked", "incorrect"):
        if state in states:
            return state
    return "masked" if all(state == "masked" for state in states) else None


__all__ = ["ANYWHERE", "ELSEWHERE", "LIMITATION", "STATION", "Contacts", "exposure_of", "share_room"]
