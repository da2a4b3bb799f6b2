"""The health of a camera: how long it does not see, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from incidents.rules.events import Event, EventType, Finding, Measure
from incidents.rules.severity import OPEN_TYPES, health_severity, highest
from vision.frames import SECOND
from zones.facility import Camera, Facility, Place

KIND = "camera_health"
SEEING = frozenset({"analysed", "idle", "planned"})
"""States of the coverage in which nothing is wrong: planned maintenance raises no incident."""
MIN_OUTAGE_S = 60.0
"""Shortest time for which a camera does not see that is an incident, s.
Project default (docs/defaults.md)."""
CLOCK = "clock"
"""Subkind of a clock that is off; how far is decided where clocks are compared."""
LEAST_OUTAGES_S = {"covered": 5.0, "moved": 10.0, "frozen": 10.0, "blurred": 30.0, CLOCK: 0.0}
"""The same of what was found out by looking at pictures, or clocks, for a while already
(`vision.condition` looks for 40 s and more), s; a camera that is covered or turned away is the most urgent.
Project default (docs/defaults.md)."""


def least_outage_s(subkind: str) -> float:
    """Shortest time, seconds, for which a fault lasts before it is an incident."""
    return LEAST_OUTAGES_S.get(subkind, MIN_OUTAGE_S)


@dataclass(frozen=True, slots=True)
class CoverageChange:
    """From a moment on, a camera is in another state.

    Attributes:
        t: stream time, microseconds UTC.
        state: a state of the coverage (`incidents.coverage.State`), or None: nothing is known from here on,
            because the footage ends.
        cause: why it does not see.
    """

    t: int
    state: str | None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """A fault of a camera that is no state of the coverage, such as a wrong clock, begins or ends.

    Attributes:
        t: stream time, microseconds UTC.
        subkind: `CLOCK`.
        failing: whether it begins.
        cause: what is wrong.
    """

    t: int
    subkind: str
    failing: bool
    cause: str = ""


@dataclass
class Outage:
    """A fault, from its first moment until it can no longer be merged with what follows.

    Attributes:
        start: first moment, microseconds UTC.
        since: begin of the current interval; None = it is over.
        end: end of the last interval that is over.
        lasted: length of the intervals that are over, microseconds.
        cause: of the newest interval.
        opened: when it became an incident; None = not yet.
        alerts: moments of its alerts.
        severity: stated by the last event.
        stated_end: stated by the last event.
        stated_at: moment of that event.
    """

    start: int
    since: int | None
    end: int
    lasted: int
    cause: str
    opened: int | None = None
    alerts: tuple[int, ...] = ()
    severity: str = ""
    stated_end: int = 0
    stated_at: int = 0

    def reached(self, t: int) -> int:
        """The end at a moment."""
        return t if self.since is not None else self.end

    def length(self, t: int) -> int:
        """The time that the fault lasted up to a moment, microseconds."""
        return self.lasted + (t - self.since if self.since is not None else 0)


class CameraHealth:
    """The rule for the health of a camera: a state machine over its coverage."""

    def __init__(self, facility: Facility, camera: Camera, max_alerts: int) -> None:
        """Begin with a camera of which nothing is known."""
        self._max_alerts = max_alerts
        self.outages: dict[str, Outage] = {}
        self.failing: set[str] = set()
        self.configure(facility, camera)

    def configure(self, facility: Facility, camera: Camera) -> None:
        """Take over another facility file; what goes on goes on."""
        rules = facility.rules
        self._camera = camera.id
        self._merge = round(rules.merge_s * SECOND)
        self._realert = round(rules.realert_s * SECOND)
        self._thresholds: dict[str, float | str] = {
            "merge_s": rules.merge_s,
            "realert_s": rules.realert_s,
        }
        types = {part.type for _, part in camera.parts()}
        self._at_gate = Place.GATE in camera.places or bool(types & OPEN_TYPES)

    def coverage_changed(self, change: CoverageChange) -> None:
        """Take a change of the coverage; `due` and `run` come first up to its moment."""
        state = change.state
        known = {name for name in self.failing if name != CLOCK}
        for name in sorted(known - {state}):
            self._end(name, change.t)
        if state is not None and state not in SEEING:
            self._begin(state, change.t, change.cause)

    def report(self, report: HealthReport) -> None:
        """Take a report of a fault."""
        if report.failing:
            self._begin(report.subkind, report.t, report.cause)
        elif report.subkind in self.failing:
            self._end(report.subkind, report.t)

    def due(self) -> int | None:
        """The next moment at which something is to be done, microseconds UTC."""
        moments = [self._due(name, outage) for name, outage in self.outages.items()]
        return min((moment for moment in moments if moment is not None), default=None)

    def run(self, t: int) -> list[Event]:
        """What is due at a moment, which is that of `due`."""
        events: list[Event] = []
        for name in sorted(self.outages):
            if self._due(name, self.outages[name]) == t:
                events += self._act(name, t)
        return events

    def open_findings(self, t: int) -> list[Finding]:
        """The incidents that are open at a moment."""
        return [self._finding(name, item, t) for name, item in sorted(self.outages.items()) if item.opened]

    def to_data(self) -> dict[str, object]:
        """The state as plain data."""
        return {name: asdict(outage) for name, outage in self.outages.items()} | {
            "": sorted(self.failing),
        }

    def restore(self, data: dict[str, object]) -> None:
        """Take over the state that `to_data` gave."""
        self.failing = set(data[""])  # type: ignore[call-overload]
        for name, values in data.items():
            if name:
                outage = Outage(**values)  # type: ignore[arg-type]
                self.outages[name] = replace(outage, alerts=tuple(outage.alerts))

    def _begin(self, name: str, t: int, cause: str) -> None:
        outage = self.outages.get(name)
        if name in self.failing and outage is not None:
            outage.cause = cause or outage.cause
            return
        self.failing.add(name)
        if outage is not None and t - outage.end <= self._merge:
            outage.since, outage.cause = t, cause
        else:
            self.outages[name] = Outage(t, t, t, 0, cause)

    def _end(self, name: str, t: int) -> None:
        self.failing.discard(name)
        outage = self.outages.get(name)
        if outage is not None and outage.since is not None:
            outage.lasted, outage.since, outage.end = outage.length(t), None, t

    def _due(self, name: str, outage: Outage) -> int | None:
        if outage.opened is None:
            if outage.since is None:
                return outage.end + self._merge
            least = round(least_outage_s(name) * SECOND)
            # Longer than the least: the moment after it.
            return outage.since + max(0, least - outage.lasted)
        minute = 60 * SECOND
        last = max(outage.stated_at, outage.opened)
        extend = outage.opened + ((last - outage.opened) // minute + 1) * minute
        if outage.since is None:
            over = outage.end + self._merge
            return min(extend, over) if outage.end > outage.stated_end else over
        return min(extend, self._next_alert(outage))

    def _next_alert(self, outage: Outage) -> int:
        assert outage.opened is not None
        return outage.opened + ((outage.alerts[-1] - outage.opened) // self._realert + 1) * self._realert

    def _act(self, name: str, t: int) -> list[Event]:
        outage = self.outages[name]
        if outage.opened is None:
            if outage.since is None:
                del self.outages[name]
                return []
            outage.opened, outage.alerts = t, (t,)
            finding = self._stated(name, outage, t)
            return [Event(EventType.OPENED, t, finding), Event(EventType.ALERTED, t, finding)]
        if outage.since is None and outage.end + self._merge <= t:
            finding = self._stated(name, outage, t)
            del self.outages[name]
            return [Event(EventType.CLOSED, t, finding, f"{name} ended")]
        events: list[Event] = []
        if outage.since is not None and t >= self._next_alert(outage):
            outage.alerts = (*outage.alerts, t)[-self._max_alerts :]
            events.append(Event(EventType.ALERTED, t, self._finding(name, outage, t)))
        if (t - outage.opened) % (60 * SECOND) == 0:
            events.append(Event(EventType.EXTENDED, t, self._stated(name, outage, t)))
        return events

    def _stated(self, name: str, outage: Outage, t: int) -> Finding:
        finding = self._finding(name, outage, t)
        outage.severity, outage.stated_end, outage.stated_at = finding.severity, finding.end, t
        return finding

    def _finding(self, name: str, outage: Outage, t: int) -> Finding:
        lasted = outage.length(t) / SECOND
        severity = health_severity(name, lasted, self._at_gate)
        return Finding(
            camera=self._camera,
            kind=KIND,
            subkind=name,
            zone=None,
            identity=(),
            start=outage.start,
            end=outage.reached(t),
            opened=outage.opened or t,
            severity=highest(severity, outage.severity) if outage.severity else severity,
            people=(),
            measure=Measure("lasted_s", lasted, least_outage_s(name)),
            alerts=outage.alerts,
            distance_min=None,
            distance_median=None,
            distance_se=None,
            mask_state=None,
            assessable_share=None,
            detector_confidence=None,
            rule_confidence=None,
            cumulative_s=None,
            thresholds={"min_outage_s": least_outage_s(name), **self._thresholds},
            cause=outage.cause,
        )
