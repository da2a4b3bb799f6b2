"""What the machines have measured, as far as the incidents of a camera need it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from incidents.rules.contact import Contacts
from incidents.rules.events import Finding
from incidents.rules.gathering import Gatherings
from incidents.rules.machines.plan import microseconds
from incidents.rules.machines.tables import FOREVER
from incidents.rules.machines.totals import add_contact
from incidents.rules.mask import MaskViolations
from incidents.rules.severity import highest
from incidents.rules.view import Group, Moment, Rule, View
from incidents.rules.zone import ZoneCrossings

RULES: dict[str, Rule] = {
    rule.name: rule for rule in (ZoneCrossings(), MaskViolations(), Contacts(), Gatherings())
}
PLACE, MASKS, CONTACT, GATHERING = ("place", "mask", "contact", "gathering")

Key = tuple[str, int, int]
"""The name of a rule, and the slot and the number of a machine."""


@dataclass
class OpenIncident:
    """An incident that is not closed.

    Attributes:
        identity, start: see `Finding`.
        opened: when it was opened, microseconds UTC.
        alerts: moments of its alerts, the newest ones.
        extend_at: the next whole minute since it was opened.
        close_at: the moment at which it may be closed; later if it went on.
        stated: the finding of its last event.
        uids: numbers of its persons.
    """

    identity: tuple[int, ...]
    start: int
    opened: int
    alerts: tuple[int, ...]
    extend_at: int
    close_at: int
    stated: Finding
    uids: tuple[int, ...]

    @property
    def due(self) -> int:
        """The next moment at which something is to be done."""
        return min(self.extend_at, self.close_at)


class Measurements:
    """Reads and resets the machines, by key.

    Attributes:
        view: the camera at a moment.
    """

    def __init__(self, view: View) -> None:
        """Read the machines of a camera."""
        self.view = view

    def group(self, key: Key) -> Group | None:
        """What a machine has measured, or None."""
        return RULES[key[0]].group(self.view, key[1], key[2])

    def refusal(self, key: Key) -> str | None:
        """Why what was measured is no incident; None if it is one."""
        return RULES[key[0]].refusal(self.view, key[1], key[2])

    def silence(self, key: Key) -> None:
        """No alert is wanted of a machine that makes no incident."""
        RULES[key[0]].alert_from(self.view, key[1], key[2], FOREVER)

    def finding(self, key: Key, incident: OpenIncident, group: Group, t: int) -> Finding:
        """An open incident as its machine knows it at a moment."""
        moment = Moment(
            t,
            group,
            incident.identity,
            incident.start,
            incident.stated.people,
            incident.uids,
            incident.opened,
            incident.alerts,
        )
        return RULES[key[0]].finding(self.view, key[1], key[2], moment)

    def grown(self, key: Key, incident: OpenIncident, group: Group, t: int) -> Finding:
        """The finding of a moment, at least as severe as it was stated: time alone lowers no severity."""
        finding = self.finding(key, incident, group, t)
        return replace(finding, severity=highest(finding.severity, incident.stated.severity))

    def ask_for_alert(self, key: Key, incident: OpenIncident) -> None:
        """Ask the machine for a signal when the next alert of an incident is due."""
        realert = microseconds(self.view.facility.rules.realert_s)
        period = (incident.alerts[-1] - incident.opened) // realert + 1
        RULES[key[0]].alert_from(self.view, key[1], key[2], incident.opened + period * realert)

    def merge(self) -> int:
        """Longest time between episodes of one incident, microseconds."""
        return int(self.view.planned.plan.settings[0]["merge"])

    def uids(self, key: Key) -> tuple[int, ...]:
        """Numbers of the persons in the order of the identity; of a gathering, whose people change, none."""
        if key[0] == GATHERING:
            return ()
        slots = RULES[key[0]].persons(self.view, key[1], key[2])
        return tuple(self.view.uid(slot) for slot in sorted(slots, key=self.view.first_track))

    def count_contact(self, key: Key, group: Group) -> None:
        """Count the contact of an incident towards the totals of its persons, so far and from now on."""
        tables, (name, slot, number) = self.view.tables, key
        if name != CONTACT:
            return
        held = int(tables.episodes["g_held"][slot, number])
        for person in RULES[CONTACT].persons(self.view, slot, number):
            add_contact(tables.persons[person], tables.pasts[person], group.start, group.end, held)
        tables.episodes["counted"][slot, number] = 1

    def stop_counting(self, key: Key) -> None:
        """The contact of a withdrawn incident counts no longer towards the totals of its persons."""
        if key[0] == CONTACT:
            self.view.tables.episodes["counted"][key[1], key[2]] = 0

    def interrupt(self, person: int) -> None:
        """What goes on with the person of a slot ends: what follows begins after this moment."""
        tables = self.view.tables
        pairs = tables.pairs
        own = (pairs["used"] == 1) & ((pairs["a"] == person) | (pairs["b"] == person))
        for episodes, rows in ((tables.places, person), (tables.episodes, np.flatnonzero(own))):
            episodes["on"][rows] = 0
            episodes["held_on"][rows] = 0
        tables.persons["votes"][person] = 0

    def forget(self, key: Key) -> None:
        """Forget what the machine of a closed incident has measured, so that what follows is another one."""
        tables, (name, slot, number) = self.view.tables, key
        if name == MASKS:
            tables.masks["open"][slot, number] = 0
            return
        table = {PLACE: tables.places, CONTACT: tables.episodes}.get(name)
        if table is not None:
            table["open"][slot, number] = 0
            table["lasting"][slot, number] = 0
            table["counted"][slot, number] = 0
        else:
            tables.gatherings["used"][slot] = 0
