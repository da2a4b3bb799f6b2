"""The rules of one camera as a state machine: chunks of what was seen go in, events of incidents come out.

Any cutting of the input into chunks gives the same events, a prefix of the input gives a prefix of the
events, and a state that was saved and restored carries on as if nothing had happened. At one moment, changes
of the facility file, of the coverage and of what reviewers know come before the observations, and what is
due (an end, an extension, a link between tracklets) comes after them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import numpy as np
import polars as pl

from incidents.rules.chunks import Advance, FacilityChange, Mark, SamePerson
from incidents.rules.compiling import records
from incidents.rules.events import Event, EventType
from incidents.rules.health import CameraHealth, CoverageChange, HealthReport
from incidents.rules.leftovers import without_leftovers
from incidents.rules.lifecycle import CONTINUATION, MAX_ALERTS, Lifecycle
from incidents.rules.machines import signals as kinds
from incidents.rules.machines.instants import advance
from incidents.rules.machines.joining import join_persons
from incidents.rules.machines.pair import STATION, pair_slot
from incidents.rules.machines.plan import CameraPlan, plan_camera
from incidents.rules.machines.rows import ROW
from incidents.rules.machines.tables import (
    FOREVER,
    GATHERING_TABLES,
    PAIR_TABLES,
    PERSON_TABLES,
    Table,
    empty_room,
    empty_tables,
    grown,
)
from incidents.rules.marks.camera_marks import REASONS, CameraMarks, MarkCounts
from incidents.rules.marks.tables import MarkCode
from incidents.rules.measurements import CONTACT, GATHERING, MASKS, PLACE, Key
from incidents.rules.notices import notices
from incidents.rules.preparing import announce_compilation
from incidents.rules.reading import RuleError, in_order, minute_of, moments_of, rows_of
from incidents.rules.reconfiguring import reconfigured
from incidents.rules.state import State, decode, encode
from incidents.rules.view import View
from vision.frames import to_iso
from zones.facility import Camera, Facility

__all__ = [
    "Advance",
    "CameraRules",
    "CoverageChange",
    "FacilityChange",
    "HealthReport",
    "RuleError",
    "SamePerson",
]

DEFAULT_ASPECT = 16 / 9
"""Aspect of the frame before the first observation; nothing is compared with it."""


class CameraRules:
    """The rules of one camera, from a moment on.

    Attributes:
        now: stream time up to which everything is known, microseconds UTC; 0 before the first chunk.
    """

    def __init__(self, facility: Facility, camera: str) -> None:
        """Begin with a camera of which nothing was seen.

        Raises:
            FacilityError: the facility has no such camera.
            CalibrationError: the calibration points of the camera do not determine the ground plane.
        """
        self.now = 0
        self._facility, self._camera = facility, facility.camera(camera)
        self._plans: dict[float, CameraPlan] = {}
        planned = self._plan(DEFAULT_ASPECT)
        self._view = View(facility, self._camera, planned, empty_tables(planned.sizes))
        self._lifecycle = Lifecycle(self._view)
        self._health = CameraHealth(facility, self._camera, MAX_ALERTS)
        self._room = empty_room()
        self._marks = CameraMarks()
        self._contact_found = False
        announce_compilation()

    @property
    def facility(self) -> Facility:
        """The facility file in force."""
        return self._facility

    @property
    def camera(self) -> Camera:
        """The camera, as the facility file in force has it."""
        return self._camera

    def advance(
        self, until: int, observations: pl.DataFrame | None = None, marks: Iterable[Mark] = ()
    ) -> Advance:
        """Take what was seen from `now` to before `until`, and what is due by then.

        Args:
            until: stream time up to which everything is known, microseconds UTC; it becomes `now`.
            observations: rows with the columns of `vision.observations.SCHEMA`, in any order. Roles and
                ground positions are computed from the facility file in force, whatever the rows have.
            marks: changes of the facility file, of the coverage and of the camera's health, and facts of
                reviewers, with now <= t < until; those of one moment in their order.

        Raises:
            RuleError: `until` is before `now`; or a row or mark is of another camera or time.
        """
        if until < self.now:
            raise RuleError(
                f"camera {self._camera.id!r}: expected a time from {to_iso(self.now)} on, got {to_iso(until)}"
            )
        ordered = sorted(marks, key=lambda mark: mark.t)
        for mark in ordered:
            if not self.now <= mark.t < until:
                low = to_iso(self.now) if self.now else "the beginning"
                raise RuleError(
                    f"camera {self._camera.id!r}: expected changes from {low} to before {to_iso(until)}, got "
                    f"one at {to_iso(mark.t)}"
                )
        seen = None
        moments = np.zeros(0, np.int64)
        if observations is not None and len(observations):
            seen = in_order(observations, self._camera.id, self.now, until)
            moments = moments_of(seen)
        result, taken = Advance(), 0
        for mark in ordered:
            edge = int(np.searchsorted(moments, mark.t))
            self._run(seen[taken:edge] if seen is not None and edge > taken else None, mark.t, result)
            taken = edge
            self._apply(mark, result)
        rest = seen if taken == 0 or seen is None else seen[taken:]
        self._run(rest if rest is not None and len(rest) else None, until, result)
        self.now = until
        self._contact_found |= any(event.finding.kind == "contact" for event in result.events)
        return result

    def open_state(self) -> Advance:
        """The incidents that are open, and the exposures that may still grow, as they are known now.

        The findings are not events: they depend on where the input ends. They are returned as events of type
        `extended` for the moment `now`, by start and id.
        """
        findings = self._lifecycle.open_findings(self.now) + self._health.open_findings(self.now)
        findings.sort(key=lambda finding: (finding.start, finding.id))
        events = [Event(EventType.EXTENDED, self.now, finding) for finding in findings]
        return Advance(events, self._lifecycle.care.open_entries())

    def save(self) -> bytes:
        """The state as bytes: plain data, for `restore`."""
        rest = {
            "camera": self._camera.id,
            "facility": self._facility.version,
            "now": self.now,
            "aspect": float(self._view.planned.plan.settings["aspect"][0]),
            "contact_found": self._contact_found,
            "health": self._health.to_data(),
        }
        tables = without_leftovers(self._view.tables, self._view.planned.plan.settings[0], self.now)
        lifecycle = self._lifecycle
        care = lifecycle.care
        marks = self._marks.save()
        return encode(
            State(tables, rest, lifecycle.open, lifecycle.ended.items, care.open, care.ended, marks)
        )

    @classmethod
    def restore(cls, data: bytes, facility: Facility, camera: str) -> Self:
        """The rules of a camera as they were saved; `facility` is the file that was in force then.

        Raises:
            RuleError: the bytes are torn, or are the state of another camera, facility file or version.
            FacilityError, CalibrationError: see the constructor.
        """
        rules = cls(facility, camera)
        state = decode(data, rules._view.tables)
        rest = state.rest
        for name, expected in (("camera", camera), ("facility", facility.version)):
            if rest[name] != expected:
                raise RuleError(f"expected the state of {name} {expected}, got that of {rest[name]}")
        rules.now = rest["now"]
        rules._contact_found = rest["contact_found"]
        rules._view.planned = rules._plan(rest["aspect"])
        rules._view.tables = state.tables
        lifecycle = rules._lifecycle
        lifecycle.open, lifecycle.ended.items = state.open, state.ended
        lifecycle.care.open, lifecycle.care.ended = state.care, state.ended_care
        rules._health.restore(rest["health"])
        rules._marks.restore(state.marks)
        return rules

    def notices(self) -> tuple[str, ...]:
        """Sentences about what was not evaluated so far, and why."""
        return notices(self._view, self._contact_found)

    @property
    def marked(self) -> MarkCounts:
        """Rows so far, and those of people who raised nothing: ignored, or marked."""
        return self._marks.counts

    def _plan(self, aspect: float) -> CameraPlan:
        if aspect not in self._plans:
            self._plans[aspect] = plan_camera(self._facility, self._camera, aspect)
        return self._plans[aspect]

    def _run(self, observations: pl.DataFrame | None, until: int, result: Advance) -> None:
        """Take observations before `until`, and what is due before it."""
        if observations is not None:
            runs = list(rows_of(observations, self._facility, self._camera))
            for number, (aspect, rows) in enumerate(runs):
                self._view.planned = self._plan(aspect)
                edge = int(runs[number + 1][1]["t"][0]) if number + 1 < len(runs) else until
                self._take_marked(rows, edge, result)
        else:
            self._take(records(np.zeros(0, ROW)), until, result)

    def _take_marked(self, rows: Table, until: int, result: Advance) -> None:
        """Mark the rows, and take them; where a track is marked, its incidents end."""
        marked, taken = self._marks.take(rows, self._facility, self._camera), 0
        for number in np.flatnonzero(marked.begins).tolist():
            t = int(rows["t"][number])
            # What comes before the moment of the mark is taken first.
            edge = max(taken, int(np.searchsorted(rows["t"], t)))
            self._take(rows[taken:edge], t, result)
            taken = edge
            self._end_marked(int(rows["track"][number]), t, REASONS[MarkCode(marked.begins[number])], result)
        self._take(rows[taken:], until, result)

    def _end_marked(self, track: int, t: int, reason: str, result: Advance) -> None:
        """A track is marked: its incidents end."""
        if (slot := self._view.slot_of(track)) is not None:
            result.events += self._lifecycle.end_of_person(slot, t, reason)
            result.exposures += self._lifecycle.written()

    def _take(self, rows: Table, until: int, result: Advance) -> None:
        begin = 0
        while True:
            pause = min(self._lifecycle.due(), self._health.due() or FOREVER)
            planned = self._view.planned
            why, begin = advance(
                planned.plan,
                self._view.tables,
                rows,
                begin,
                until,
                pause,
                *self._room,
            )
            if why == kinds.DONE:
                return
            if why == kinds.PAUSED:
                self._run_due(pause, result)
            elif why == kinds.SIGNALLED:
                self._handle(result)
            elif why == kinds.FULL_ROOM:
                self._room = self._room.doubled()
            else:
                names = {
                    kinds.FULL_PERSONS: PERSON_TABLES,
                    kinds.FULL_PAIRS: PAIR_TABLES,
                    kinds.FULL_GATHERINGS: GATHERING_TABLES,
                }[why]
                self._view.tables = grown(self._view.tables, names)

    def _run_due(self, t: int, result: Advance) -> None:
        if self._health.due() == t:
            result.events += self._health.run(t)
        events, exposures = self._lifecycle.run(t)
        result.events += events
        result.exposures += exposures + self._lifecycle.written()

    def _handle(self, result: Advance) -> None:
        """Act on the signals of one moment, in their order."""
        self._act_on_signals(result)
        result.exposures += self._lifecycle.written()

    def _act_on_signals(self, result: Advance) -> None:
        for number in range(int(self._room.number[0])):
            signal = self._room.signals[number]
            kind, t, a, b = (int(signal[name]) for name in ("kind", "t", "a", "b"))
            if kind in _RULE_OF:
                self._machine_signalled((_RULE_OF[kind], a, b), t, result)
            elif kind == kinds.ROLE:
                self._role_changed(a, t, result)
            elif kind == kinds.EXIT:
                result.events += self._lifecycle.room_known(a, t)
            elif kind == kinds.LINK:
                self._join(a, b, t, CONTINUATION, result)
            elif kind == kinds.ENDED:
                self._lifecycle.interval_ended((PLACE, a, b), t)
            elif kind == kinds.LEFT:
                self._lifecycle.person_left(b)

    def _machine_signalled(self, key: Key, t: int, result: Advance) -> None:
        if key[0] == CONTACT and key[2] >= STATION:
            result.exposures += self._lifecycle.care.changed(key[1], key[2], t)
        known = key in self._lifecycle.open
        result.events += self._lifecycle.reconcile(key, t)
        if known:
            result.events += self._lifecycle.alert(key, t)
        elif key not in self._lifecycle.open:
            self._lifecycle.measurements.silence(key)

    def _role_changed(self, slot: int, t: int, result: Advance) -> None:
        """What is believed of a person has changed."""
        events, exposures = self._lifecycle.role_changed(slot, t)
        result.events += events
        result.exposures += exposures

    def _join(self, p: int, later: int, t: int, reason: str, result: Advance) -> None:
        """Person `later` is person p."""
        tables, plan = self._view.tables, self._view.planned.plan
        if reason == CONTINUATION:
            result.links.append((int(tables.persons["track"][p]), self._view.first_track(later)))
        moves: list[tuple[Key, Key]] = [
            *(((PLACE, later, m), (PLACE, p, m)) for m in range(len(plan.machines))),
            *(((MASKS, later, m), (MASKS, p, m)) for m in range(4)),
        ]
        for q in range(len(tables.pairs)):
            a, b = int(tables.pairs["a"][q]), int(tables.pairs["b"][q])
            if tables.pairs["used"][q] and later in (a, b):
                mine = int(pair_slot(tables.pairs, p, b if a == later else a))
                for h in range(tables.contacts.shape[1]):
                    moves.append(((CONTACT, q, h), (CONTACT, mine if mine >= 0 else q, h)))
        uid, to = self._view.uid(later), self._view.uid(p)
        incidents = self._lifecycle.measured({key for _, key in moves}, t)
        room = self._room
        room.number[0] = 0
        minute = minute_of(t, self._facility)
        care = [(old[1:], new[1:]) for old, new in moves if new[0] == CONTACT and new[2] >= STATION]
        entries = self._lifecycle.care.measured(name for _, name in care)
        changed = bool(join_persons(plan, tables, p, later, t, minute, room.signals, room.number))
        crossed = room.signals[: int(room.number[0])].copy()
        self._lifecycle.renumber(uid, to)
        result.events += self._lifecycle.joined(moves, incidents, t, reason)
        result.exposures += self._lifecycle.care.joined(care, entries, t, reason)
        for name in sorted({name for _, name in care}):
            if (CONTACT, *name) not in self._lifecycle.open:
                self._lifecycle.measurements.silence((CONTACT, *name))
        if changed:
            self._role_changed(p, t, result)
        for signal in crossed:
            kind, a, b = int(signal["kind"]), int(signal["a"]), int(signal["b"])
            if kind == kinds.EXIT:
                result.events += self._lifecycle.room_known(a, t)
            else:
                self._machine_signalled((_RULE_OF[kind], a, b), t, result)

    def _apply(self, mark: Mark, result: Advance) -> None:
        if isinstance(mark, CoverageChange):
            self._health.coverage_changed(mark)
        elif isinstance(mark, HealthReport):
            self._health.report(mark)
        elif isinstance(mark, SamePerson):
            self._same_person(mark, result)
        else:
            self._change_facility(mark, result)
        result.exposures += self._lifecycle.written()

    def _same_person(self, fact: SamePerson, result: Advance) -> None:
        """Join two persons whom a reviewer found to be one. Persons who can no longer come back are skipped:
        nothing of them goes on."""
        one, other = self._view.slot_of(fact.track), self._view.slot_of(fact.other)
        if one is None or other is None or one == other:
            return
        # A fact may come at any time: what a saved state leaves out must not decide what it changes.
        settings = self._view.planned.plan.settings[0]
        self._view.tables = without_leftovers(self._view.tables, settings, fact.t)
        born = self._view.tables.persons["born"]
        p, later = sorted((one, other), key=lambda slot: (int(born[slot]), self._view.uid(slot)))
        self._join(
            p,
            later,
            fact.t,
            f"a reviewer found tracks {fact.track:016x} and {fact.other:016x} to be one person",
            result,
        )

    def _change_facility(self, change: FacilityChange, result: Advance) -> None:
        """Take over another facility file; what it does not touch goes on."""
        aspect = float(self._view.planned.plan.settings["aspect"][0])
        old = self._view
        facility, camera = change.facility, change.facility.camera(self._camera.id)
        planned = plan_camera(facility, camera, aspect)
        taken = reconfigured(old, View(facility, camera, planned, empty_tables(planned.sizes)))
        care = self._lifecycle.care
        result.exposures += care.end_all(
            [name for name in care.open if taken.key_of((CONTACT, *name)) is None]
        )
        ending = [key for key in self._lifecycle.open if taken.key_of(key) is None]
        causes = {key: taken.cause(key) for key in ending}
        for key in sorted(ending):
            result.events += self._lifecycle.end_all([key], change.t, causes[key])
        self._facility, self._camera = facility, camera
        self._plans = {aspect: planned}
        self._view = taken.view
        self._lifecycle.move(self._view, taken.key_of)
        self._health.configure(facility, camera)
        for slot in taken.other_roles():
            self._role_changed(slot, change.t, result)


_RULE_OF = {
    kinds.PLACE: PLACE,
    kinds.MASKS: MASKS,
    kinds.CONTACT: CONTACT,
    kinds.GATHERING: GATHERING,
}
