"""The incidents of a camera, from what the machines have measured: how each goes on until it is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from incidents.rules.care import CareLog
from incidents.rules.ended import EndedIncident, EndedIncidents, of_one, statement
from incidents.rules.events import Event, EventType, Finding
from incidents.rules.exposure import Exposure
from incidents.rules.machines.plan import microseconds
from incidents.rules.machines.tables import FOREVER
from incidents.rules.measurements import CONTACT, GATHERING, PLACE, RULES, Key, Measurements, OpenIncident
from incidents.rules.view import Group, Moment, View
from vision.frames import SECOND

MINUTE = 60 * SECOND
MAX_ALERTS = 144
"""Moments of alerts that an incident states, the newest ones: a day of them at the default `realert_s`."""
CONTINUATION = "the person is the one of an earlier incident, which goes on"


class Lifecycle:
    """All incidents of a camera that are open or were closed lately."""

    def __init__(self, view: View) -> None:
        """Begin without any incident."""
        self.view = view
        self.measurements = Measurements(view)
        self.open: dict[Key, OpenIncident] = {}
        self.ended = EndedIncidents(RULES)
        self.care = CareLog(view)
        self._written: list[Exposure] = []

    def due(self) -> int:
        """The next moment at which something is to be done, or FOREVER."""
        moments = [incident.due for incident in self.open.values()]
        return min(*moments, self.care.due(), FOREVER)

    def run(self, t: int) -> tuple[list[Event], list[Exposure]]:
        """What is due at a moment."""
        events: list[Event] = []
        # Entries come first: an incident that is closed forgets what its machine has measured.
        exposures, over = self.care.run(t)
        now = [(item.opened, item.stated.id, key) for key, item in self.open.items() if item.due <= t]
        for _, _, key in sorted(now):
            events += self._act(key, t)
        for name in over:
            if (CONTACT, *name) not in self.open:
                self._forget((CONTACT, *name))
        return events, exposures

    def reconcile(self, key: Key, t: int, reason: str = "", replaces: tuple[str, ...] = ()) -> list[Event]:
        """Compare an incident with what its machine has measured and what is believed of its persons."""
        rule, slot, number = RULES[key[0]], key[1], key[2]
        group = rule.group(self.view, slot, number)
        incident = self.open.get(key)
        events: list[Event] = []
        if incident is not None and (group is None or group.start != incident.start):
            # The machine goes on with another incident: that of another tracklet of the person.
            events += self._close(key, t, reason or "ended")
            incident = None
        if group is None:
            return events
        refusal = rule.refusal(self.view, slot, number)
        if incident is None:
            return events if refusal else [*events, *self._open(key, group, t, replaces)]
        if refusal:
            return [*events, self._withdraw(key, t, refusal, None)]
        finding = self.measurements.finding(key, incident, group, t)
        return events + self._correct(incident, finding, t, reason)

    def interval_ended(self, key: Key, t: int) -> None:
        """What an incident rests on has ended: it may be closed sooner than it seemed."""
        incident, group = self.open.get(key), self.measurements.group(key)
        if incident is not None and group is not None and group.start == incident.start:
            over = max(group.end + self.measurements.merge(), group.undecided_until, t + 1)
            incident.close_at = min(incident.close_at, over)

    def alert(self, key: Key, t: int) -> list[Event]:
        """The condition of an incident holds at a moment at which an alert may be due."""
        incident = self.open.get(key)
        if incident is None:
            self.measurements.silence(key)
            return []
        realert = microseconds(self.view.facility.rules.realert_s)
        if (t - incident.opened) // realert <= (incident.alerts[-1] - incident.opened) // realert:
            return []
        incident.alerts = (*incident.alerts, t)[-MAX_ALERTS:]
        self.measurements.ask_for_alert(key, incident)
        group = self.measurements.group(key)
        assert group is not None, "an open incident has a group"
        incident.stated = self.measurements.grown(key, incident, group, t)
        return [Event(EventType.ALERTED, t, incident.stated)]

    def role_changed(self, slot: int, t: int) -> tuple[list[Event], list[Exposure]]:
        """What is believed of a person has changed: the person's incidents and entries of the exposure log
        are looked at again. What lasted at a care station may be care now."""
        events: list[Event] = []
        keys = {
            (name, *machine) for name, rule in RULES.items() for machine in rule.machines_of(self.view, slot)
        }
        reason = f"the person is now believed to be {self.view.role(slot).value}"
        wanted = self._wanted(keys, t)
        events += self.ended.role_changed(self.view, slot, t, reason, self._over(wanted, t))
        events += self._reconcile_all(keys, t, reason)
        events += self.ended.raised_again(self.view, slot, t, {one.stated.id for one in self.open.values()})
        return events, self.care.role_changed(slot, t, reason)

    def _reconcile_all(self, keys: Iterable[Key], t: int, reason: str) -> list[Event]:
        """Compare machines with what they have measured and what is believed of their persons now.

        An incident that another machine carries now goes on under it. What ends comes before what begins, and
        names what replaces it.
        """
        wanted = self._wanted(keys, t)
        events: list[Event] = []
        replaced: dict[Key, list[str]] = {}
        for key in sorted(key for key in keys if key in self.open):
            incident = self.open[key]
            group = self.measurements.group(key)
            refusal = self.measurements.refusal(key)
            if group is None or group.start != incident.start or not refusal:
                events += self.reconcile(key, t, reason)
                continue
            same = next((to for to, (_, new) in wanted.items() if new.id == incident.stated.id), None)
            if same is not None:
                events += self._go_on(key, same, wanted.pop(same)[0], t, reason)
                continue
            stated = replace(incident.stated, end=group.end)
            instead = [to for to, (_, new) in wanted.items() if _replaces(to, new, key, stated)]
            by = instead[0] if instead else None
            if by is not None:
                replaced.setdefault(by, []).append(incident.stated.id)
            events.append(self._withdraw(key, t, refusal, wanted[by][1].id if by is not None else None))
        for key, (group, _) in wanted.items():
            events += self._open(key, group, t, tuple(replaced.get(key, ())))
        return events

    def _wanted(self, keys: Iterable[Key], t: int) -> dict[Key, tuple[Group, Finding]]:
        """The machines among `keys`, in order, whose incident is to be opened, and what it would be."""
        wanted: dict[Key, tuple[Group, Finding]] = {}
        for key in sorted(key for key in keys if key not in self.open):
            rule, slot, number = RULES[key[0]], key[1], key[2]
            group = rule.group(self.view, slot, number)
            if group is not None and not rule.refusal(self.view, slot, number):
                moment = Moment(
                    t, group, group.identity, group.start, (), self.measurements.uids(key), t, (t,)
                )
                wanted[key] = group, rule.finding(self.view, slot, number, moment)
        return wanted

    def _over(self, wanted: Mapping[Key, tuple[Group, Finding]], t: int) -> dict[str, int]:
        """Closed incidents that another machine carries now, which has measured no more: id -> its number.

        What the machine has measured is forgotten.
        """
        closed = {item.stated.id for item in self.ended.items}
        merge = self.measurements.merge()
        numbers: dict[str, int] = {}
        for key, (group, finding) in wanted.items():
            if finding.id in closed and max(group.end + merge, group.undecided_until) <= t:
                numbers[finding.id] = key[2]
                self._forget(key)
        return numbers

    def _go_on(self, key: Key, to: Key, group: Group, t: int, reason: str) -> list[Event]:
        """An incident goes on under another machine, which has measured it for what is believed now."""
        incident = self.open.pop(key)
        self.measurements.silence(key)
        self.measurements.stop_counting(key)
        self.measurements.count_contact(to, group)
        self.open[to] = incident
        incident.close_at = max(group.end + self.measurements.merge(), t + 1)
        self.measurements.ask_for_alert(to, incident)
        return self._correct(incident, self.measurements.finding(to, incident, group, t), t, reason)

    def room_known(self, slot: int, t: int) -> list[Event]:
        """A person was seen to come out of a door."""
        events: list[Event] = []
        for key in sorted({(CONTACT, *machine) for machine in RULES[CONTACT].machines_of(self.view, slot)}):
            events += self.reconcile(key, t, "a person was seen to leave a room")
        return events

    def renumber(self, uid: int, to: int) -> None:
        """The person of a number turned out to be the person of another one."""
        for incident in self.open.values():
            incident.uids = tuple(to if one == uid else one for one in incident.uids)
        self.ended.renumber(uid, to)
        self.care.renumber(uid, to)

    def written(self) -> list[Exposure]:
        """Entries of the exposure log that ended with an incident since this was asked last."""
        written, self._written = self._written, []
        return written

    def person_left(self, uid: int) -> None:
        """A person can no longer come back: nothing more can be learnt of the person."""
        self.ended.person_left(uid)
        self.care.person_left(uid)

    def measured(self, keys: Iterable[Key], t: int) -> dict[Key, Finding]:
        """What the machines have measured of open incidents, as far as they are still those incidents."""
        found = {}
        for key in keys:
            incident, group = self.open.get(key), self.measurements.group(key)
            if incident is not None and group is not None and group.start == incident.start:
                found[key] = self.measurements.grown(key, incident, group, t)
        return found

    def joined(
        self, moves: Sequence[tuple[Key, Key]], before: Mapping[Key, Finding], t: int, reason: str
    ) -> list[Event]:
        """Two persons turned out to be one; `moves` are the machines whose state is in another one now.

        Each move is (the later person's machine, the machine that goes on). `before` is what the machines
        that go on had `measured` until then. What was between the two is withdrawn.
        """
        events: list[Event] = []
        for key in sorted(key for key, incident in self.open.items() if of_one(incident.uids)):
            events.append(self._withdraw(key, t, reason, None))
        events += self.ended.withdraw_of_one(t, reason)
        for later, key in moves:
            if later == key:
                continue
            lost, kept = self.open.get(later), self.open.get(key)
            group = self.measurements.group(key)
            if lost is None:
                continue
            if (
                group is not None
                and lost.start == group.start
                and (kept is None or kept.start != group.start)
            ):
                # It goes on as it is, under the earlier person.
                if kept is not None:
                    # The machine holds what goes on: nothing of it is forgotten with the incident before.
                    events += self._end(key, before.get(key, kept.stated), t, "ended")
                self.open[key] = self.open.pop(later)
                self.measurements.ask_for_alert(key, self.open[key])
                continue
            if kept is not None:
                events.append(self._withdraw(later, t, reason, kept.stated.id))
                continue
            refused = group is None or self.measurements.refusal(key) is not None
            events.append(self._withdraw(later, t, reason, None))
            if group is not None and not refused:
                opened = self._open(key, group, t, (lost.stated.id,))
                events[-1] = replace(events[-1], replaced_by=opened[0].incident)
                events += opened
        # What is over and is carried by another machine for the role that is believed now goes on as it is:
        # `role_changed`, which follows, corrects it.
        closed = {item.stated.id for item in self.ended.items}
        keys = {key for _, key in moves}
        keys -= {key for key, (_, finding) in self._wanted(keys, t).items() if finding.id in closed}
        return events + self._reconcile_all(keys, t, reason)

    def end_all(self, keys: Iterable[Key], t: int, cause: str) -> list[Event]:
        """Close incidents because what they rest on has changed."""
        events: list[Event] = []
        for key in sorted(keys):
            events += self._close(key, t, cause)
        return events

    def end_of_person(self, slot: int, t: int, cause: str) -> list[Event]:
        """Close the incidents of the person in a slot, and forget all that was measured of the person.

        What follows is another incident, also where another belief about roles makes it one. A gathering
        goes on, for it rests on others too.
        """
        rules = {name: rule for name, rule in RULES.items() if name != GATHERING}
        measured = [
            (name, *machine) for name, rule in rules.items() for machine in rule.machines_of(self.view, slot)
        ]
        open_ones = [
            key for key in self.open if key[0] in rules and slot in rules[key[0]].persons(self.view, *key[1:])
        ]
        events = self.end_all(open_ones, t, cause)
        for key in sorted(measured):
            self._forget(key)
        self.measurements.interrupt(slot)
        return events

    def move(self, view: View, key_of: Callable[[Key], Key | None]) -> None:
        """Go on under another facility file. What does not go on was closed before."""
        old, self.view = self.view, view
        self.measurements.view = view
        moved = {key_of(key): incident for key, incident in self.open.items()}
        self.open = {key: incident for key, incident in moved.items() if key is not None}
        self.care.view = view

        def number_of(rule: str, number: int) -> int | None:
            key = key_of((rule, 0, number))
            return None if key is None else key[2]

        self.ended.move(old, number_of)

    def open_findings(self, t: int) -> list[Finding]:
        """The open incidents as they are known at a moment, by start and id."""
        found = []
        for key, incident in self.open.items():
            group = self.measurements.group(key)
            if group is not None:
                found.append(self.measurements.grown(key, incident, group, t))
        return sorted(found, key=lambda finding: (finding.start, finding.id))

    def _open(self, key: Key, group: Group, t: int, replaces: tuple[str, ...] = ()) -> list[Event]:
        rule, slot, number = RULES[key[0]], key[1], key[2]
        uids = self.measurements.uids(key)
        moment = Moment(t, group, group.identity, group.start, (), uids, t, (t,))
        self.measurements.count_contact(key, group)
        finding = rule.finding(self.view, slot, number, moment)
        merge = self.measurements.merge()
        incident = OpenIncident(
            group.identity,
            group.start,
            t,
            (t,),
            t + MINUTE,
            max(group.end + merge, t + 1),
            finding,
            uids,
        )
        self.open[key] = incident
        self.measurements.ask_for_alert(key, incident)
        return [
            Event(EventType.OPENED, t, finding, replaces=replaces),
            Event(EventType.ALERTED, t, finding),
        ]

    def _act(self, key: Key, t: int) -> list[Event]:
        """Close or extend an incident, if that is due."""
        rule, incident = RULES[key[0]], self.open[key]
        group = rule.group(self.view, key[1], key[2])
        if group is None or group.start != incident.start:
            return self._close(key, t, "ended")
        events: list[Event] = []
        if incident.close_at <= t:
            merge = self.measurements.merge()
            later = max(group.end + merge, group.undecided_until)
            if later <= t:
                return self._close(key, t, "ended")
            incident.close_at = later
        if incident.extend_at <= t:
            incident.extend_at += MINUTE
            finding = self.measurements.grown(key, incident, group, t)
            if finding.end > incident.stated.end or finding.severity != incident.stated.severity:
                incident.stated = finding
                events.append(Event(EventType.EXTENDED, t, finding))
        return events

    def _close(self, key: Key, t: int, reason: str) -> list[Event]:
        incident = self.open.get(key)
        if incident is None:
            return []
        rule = RULES[key[0]]
        group = rule.group(self.view, key[1], key[2])
        finding = incident.stated
        if group is not None and group.start == incident.start:
            finding = self.measurements.grown(key, incident, group, t)
        events = self._end(key, finding, t, reason)
        self._forget(key)
        return events

    def _end(self, key: Key, finding: Finding, t: int, reason: str) -> list[Event]:
        """An incident is closed, as it was known last; what its machine holds stays."""
        incident = self.open.pop(key)
        self.ended.add(EndedIncident(key[0], key[2], finding, incident.uids))
        return [Event(EventType.CLOSED, t, finding, reason)]

    def _withdraw(self, key: Key, t: int, reason: str, replaced_by: str | None) -> Event:
        incident = self.open.pop(key)
        # What was measured stays: the belief may change back.
        self.measurements.silence(key)
        self.measurements.stop_counting(key)
        return Event(EventType.WITHDRAWN, t, incident.stated, reason, replaced_by=replaced_by)

    def _correct(self, incident: OpenIncident, finding: Finding, t: int, reason: str) -> list[Event]:
        """A `corrected` event, if roles, what they rest on, people or subkind differ from what was stated."""
        if statement(finding) == statement(incident.stated):
            return []
        incident.stated = finding
        return [Event(EventType.CORRECTED, t, finding, reason)]

    def _forget(self, key: Key) -> None:
        """Forget what a closed incident was measured from; its entry of the exposure log ends first."""
        if key[0] == CONTACT and key[1:] in self.care.open:
            self._written += self.care.end_all([key[1:]])
        self.measurements.forget(key)


def _replaces(key: Key, finding: Finding, other: Key, stated: Finding) -> bool:
    """Whether an incident is one of the same persons, kind and time as another one, under another machine."""
    if key[:2] != other[:2] or finding.kind != stated.kind:
        return False
    if key[0] == PLACE and finding.zone != stated.zone:
        return False
    return finding.start <= stated.end and stated.start <= finding.end
