"""From the observation log to events of incidents, for batch analysis and replay.

The log is read hour by hour and given to the rules of the camera (`incidents.rules.engine`), as live watching
gives them second by second: the events are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from incidents.coverage import NO_RECORD, Interval, share_analysed
from incidents.ledger import Ledger, LedgerError
from incidents.record import Incident, incident_from
from incidents.rules.engine import CameraRules
from incidents.rules.events import Event, EventType, Finding
from incidents.rules.exposure import Exposure
from incidents.rules.health import KIND as HEALTH
from incidents.rules.health import CoverageChange
from incidents.rules.marks.camera_marks import NO_ROWS, MarkCounts
from vision import observations
from vision.frames import SECOND
from vision.sources.prefetch import Prefetch
from zones.facility import Camera, Facility

LOOK_BACK_US = 24 * 3600 * SECOND
"""How far before a window the log is evaluated too, microseconds. An incident that was opened before the
window keeps its start, and with it its identity; cumulative contact counts the last 24 h."""
HOUR = observations.HOUR


@dataclass(frozen=True)
class ChunkResult:
    """What the rules found in a part of the log.

    Attributes:
        until: stream time up to which the log was evaluated, microseconds UTC.
        rows: number of observations evaluated, those before the window included.
        events: in order of time, those before the window included.
        exposures: entries of the exposure log that are new or grew.
        ongoing: of the last part: the incidents that are still open at the end, as they are known then.
        open_exposures: of the last part: the exposures that may still grow.
        notices: of the last part: sentences about what was not evaluated, and why.
        last: whether this is the last part.
        marked: rows of this part, and those of people who were ignored or marked, and raised nothing.
    """

    until: int
    rows: int
    events: tuple[Event, ...]
    exposures: tuple[Exposure, ...]
    ongoing: tuple[Finding, ...] = ()
    open_exposures: tuple[Exposure, ...] = ()
    notices: tuple[str, ...] = ()
    last: bool = False
    marked: MarkCounts = NO_ROWS


def evaluate_log(
    home: Path, ledger: Ledger, facility: Facility, camera: Camera, window: tuple[int, int]
) -> Iterator[ChunkResult]:
    """Evaluate a camera's log and coverage of a window [start, end), microseconds UTC.

    The end of the window closes nothing.

    Raises:
        LazarettoError: the log cannot be read or evaluated.
    """
    start, end = window
    since = start - LOOK_BACK_US
    rules = CameraRules(facility, camera.id)
    marks = coverage_changes(ledger.coverage.of(camera.id, since, end), (since, end))
    # The next hour is read while this one is evaluated.
    with Prefetch(observations.read_hours(home, camera.id, since, end), depth=1) as hours:
        for hour, table in hours:
            until = min(hour + HOUR, end)
            now = [mark for mark in marks if mark.t < until]
            marks = marks[len(now) :]
            before = rules.marked
            found = rules.advance(until, table, now)
            marked = rules.marked - before
            yield ChunkResult(until, len(table), tuple(found.events), tuple(found.exposures), marked=marked)
    found = rules.advance(end, None, marks)
    state = rules.open_state()
    yield ChunkResult(
        end,
        0,
        tuple(found.events),
        tuple(found.exposures),
        tuple(event.finding for event in state.events),
        tuple(state.exposures),
        rules.notices(),
        last=True,
    )


def coverage_changes(intervals: Iterable[Interval], window: tuple[int, int]) -> Sequence[CoverageChange]:
    """The changes of a camera's coverage within a window [start, end), microseconds UTC.

    Where nothing is recorded nothing is known, and the camera's health is neither good nor bad.
    """
    start, end = window
    changes: list[CoverageChange] = []
    reached: int | None = None
    recorded = (item for item in intervals if item.cause != NO_RECORD)
    for item in sorted(recorded, key=lambda interval: interval.start):
        begin = max(item.start, start)
        if reached is not None and begin > reached:
            changes.append(CoverageChange(reached, None))
        changes.append(CoverageChange(begin, item.state.value, item.cause))
        reached = item.end
    if reached is not None and reached < end:
        changes.append(CoverageChange(reached, None))
    return [change for change in changes if change.t < end]


@dataclass
class MarkedHours:
    """The rows of people who were ignored or marked, by clock hour.

    Attributes:
        by_hour: start of the hour, microseconds UTC -> rows, as far as the hour was evaluated.
    """

    by_hour: dict[int, MarkCounts] = field(default_factory=dict)

    def add(self, result: ChunkResult) -> None:
        """Take a part of the log."""
        if not result.last:
            hour = (result.until - 1) // HOUR * HOUR
            self.by_hour[hour] = self.by_hour.get(hour, NO_ROWS) + result.marked


@dataclass
class FoundIncidents:
    """The incidents that follow from events: those that were opened and not withdrawn, as known at the end.

    Attributes:
        findings: by id.
        ongoing: ids of those that are not closed.
    """

    findings: dict[str, Finding] = field(default_factory=dict)
    ongoing: set[str] = field(default_factory=set)

    def add(self, result: ChunkResult) -> None:
        """Take the events of a part of the log, in order, and what is open at the end of the last one."""
        for event in result.events:
            name = event.incident
            if event.type is EventType.WITHDRAWN:
                self.findings.pop(name, None)
                self.ongoing.discard(name)
                continue
            self.findings[name] = event.finding
            if event.type is EventType.CLOSED:
                self.ongoing.discard(name)
            elif event.type is EventType.OPENED:
                self.ongoing.add(name)
        for finding in result.ongoing:
            self.findings[finding.id] = finding
            self.ongoing.add(finding.id)


class Provenance:
    """Models and coverage that the ledger has for moments of a camera; read once for each segment and
    hour."""

    def __init__(self, ledger: Ledger, facility: Facility, camera: Camera) -> None:
        """Read from a ledger, for records of a camera under a facility file."""
        self._ledger, self._facility, self._camera = ledger, facility, camera
        self._segment: tuple[int, int, Mapping[str, Mapping[str, str]]] = (0, 0, {})
        self._shares: dict[int, float] = {}

    def record(self, finding: Finding, *, ongoing: bool, run: str = "") -> Incident:
        """The record of an incident, with the models and the coverage of its time.

        Raises:
            LedgerError: the ledger has no segment for the time of the finding.
        """
        return incident_from(
            finding,
            facility=self._facility,
            camera=self._camera,
            run=run,
            # Nothing was seen while a camera did not see.
            models={} if finding.kind == HEALTH else self.models(finding.end),
            coverage_share=self.coverage(finding.start),
            ongoing=ongoing,
        )

    def models(self, t: int) -> Mapping[str, Mapping[str, str]]:
        """Purpose -> {"name", "sha256", "runtime"} of the weights that analysed `t`, microseconds UTC.

        The minute that a live camera is in has no segment yet: it is of the watch that goes on.
        """
        start, end, models = self._segment
        if not start <= t < end:
            try:
                segment = self._ledger.segments.at(self._camera.id, t)
            except LedgerError:
                run = self._ledger.runs.watching(t)
                if run is None:
                    raise
                return self._ledger.runs.get(run).models
            models = self._ledger.runs.get(segment.run_id).models
            self._segment = segment.start, segment.end, models
        return models

    def coverage(self, t: int) -> float:
        """Share, 0..1, of the recorded time of the hour around `t` (microseconds UTC) that was watched.

        Recorded time runs from the first to the last moment of that hour of which the ledger holds anything:
        a clip of a minute that was analysed in full has the share 1, and a gap within it lowers the share.
        """
        hour = t // HOUR * HOUR
        if hour not in self._shares:
            intervals = self._ledger.coverage.recorded(self._camera.id, hour, hour + HOUR)
            window = (intervals[0].start, intervals[-1].end) if intervals else (hour, hour + HOUR)
            self._shares[hour] = share_analysed(intervals, window)
        return self._shares[hour]
