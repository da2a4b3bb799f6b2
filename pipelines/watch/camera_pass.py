"""A pass over a live camera: from frames to observations, coverage and incidents, second by second."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from incidents.coverage import Interval, State, normalise
from incidents.evaluate_log import LOOK_BACK_US
from incidents.rules.chunks import FacilityChange, Mark
from incidents.rules.health import CLOCK, CoverageChange, HealthReport
from pipelines.home import Home
from pipelines.locks import HourLock
from pipelines.watch.beginning import Beginning
from pipelines.watch.condition_state import continue_monitor, save_condition
from pipelines.watch.coverage import PassingCoverage, PlannedTime
from pipelines.watch.writing import Found, WatchedSegment
from vision.clock import Clock, Stop
from vision.frames import SECOND, SEGMENT, Frame
from vision.live.camera import LiveCamera
from vision.networks import ModelBundle
from vision.notices import CameraNotice
from vision.observations import HOUR, AppendLog
from vision.perception import AnalysedFrame, Perception, Row
from vision.sources.gaps import Gap, GapKind
from vision.sources.protocol import Heartbeat
from zones.errors import LazarettoError
from zones.facility import Camera, Facility

MAX_GAP_WITHIN_STREAM_US = 2 * SECOND
"""Longest gap across which people keep their track, microseconds; as in an analysis of recorded footage.
Project default (docs/defaults.md)."""
CLOCK_DRIFT_US = 2 * SECOND
"""A camera whose own clock differs by more than this from the computer's has a fault, microseconds. Project
default (docs/defaults.md)."""
COMPLETE_S = 1.0
"""Seconds after which a frame is completed although no other one follows it. Project default
(docs/defaults.md)."""
CONDITION_SIDE_PX = 192
"""Longer side of the reduced luma from which the condition of a camera is told, px."""


@dataclass(frozen=True)
class WatchSetup:
    """What all cameras of a watch share.

    Attributes:
        home: the home.
        bundle: the networks.
        run: id of the run.
        clock: the time of day.
        put: takes what a camera found.
        notice: called with sentences for the log.
        committed: returns the stream time up to which the ledger holds a camera, microseconds UTC; None = it
            has taken nothing of it yet.
        lock: of the hours of each camera.
    """

    home: Home
    bundle: ModelBundle
    run: str
    clock: Clock
    put: Callable[[Found], None]
    notice: CameraNotice
    committed: Callable[[str], int | None]
    lock: HourLock


@dataclass
class CameraProgress:
    """How far a camera is; read by other threads.

    Attributes:
        begun: stream time from which it goes on, microseconds UTC; None before it does.
        until: stream time up to which everything is known, microseconds UTC; None before the first time.
        state: what the camera was doing last.
        cause: why, or "".
        since: since when, microseconds UTC.
        analysed: frames analysed.
        error: why the watch of the camera was begun anew last, or "".
    """

    begun: int | None = None
    until: int | None = None
    state: State | None = None
    cause: str = ""
    since: int | None = None
    analysed: int = 0
    error: str = ""

    def take(self, intervals: Sequence[Interval]) -> None:
        """Take what was covered last."""
        for item in intervals:
            if (item.state, item.cause) != (self.state, self.cause):
                if item.state is not self.state:
                    self.since = item.start
                self.state, self.cause = item.state, item.cause


@dataclass
class CameraControl:
    """What the watch of a camera is told, and tells, while it goes on.

    Attributes:
        setup: what all cameras share.
        name: id of the camera.
        facility: the file by which the next second is judged.
        source: the camera.
        key: identity of the stream: one watch of the camera in this run.
        stop: ends the watch of the camera.
        progress: how far it is.
        planned: announced maintenance around now.
        seq: number of the next segment.
    """

    setup: WatchSetup
    name: str
    facility: Facility
    source: LiveCamera
    key: str
    stop: Stop = field(default_factory=Stop)
    progress: CameraProgress = field(default_factory=CameraProgress)
    planned: Sequence[PlannedTime] = ()
    seq: int = 0

    @property
    def camera(self) -> Camera:
        """The camera, as the facility file in force has it."""
        return self.facility.camera(self.name)


@dataclass
class _Minute:
    """The minute that is not complete."""

    start: int
    frames: int = 0
    coverage: list[Interval] = field(default_factory=list)


class CameraPass:
    """A pass over the camera, from one beginning to its end."""

    def __init__(self, control: CameraControl, log: AppendLog, beginning: Beginning, since: str) -> None:
        """Begin.

        Args:
            control: of the camera.
            log: its observation log, open for writing.
            beginning: from where it goes on.
            since: why the time since then was not watched.
        """
        self._control, self._setup, self._log, self._rules = control, control.setup, log, beginning.rules
        until = beginning.until
        now = self._setup.clock.now()
        self._until = now if until is None else until  # everything before is handed over
        control.progress.begun = self._until
        control.planned = beginning.planned
        self._coverage = PassingCoverage(control.name, self._until, beginning.planned, beginning.lost_since)
        self._minute = _Minute(self._until)
        if now > self._until:
            self._coverage.lost_until(now, State.OFFLINE, since)
        self._perception = self._new_perception(now)
        self._monitor, notice = continue_monitor(self._setup.home, control.name)
        if notice:
            self._setup.notice(control.name, notice)
        self._condition: str | None = None
        self._rows: list[Row] = []
        self._pending: tuple[int, float] | None = None
        self._arrived: float | None = None
        self._given_t: int | None = None  # of the last frame that came
        self._last_t: int | None = None  # of the last one that was analysed
        self._clock_off = False
        self._grey_size: tuple[int, int] | None = None

    def run(self) -> None:
        """Watch until the end is asked for.

        Raises:
            LazarettoError: the log cannot be written, or the rules refuse what they are given.
        """
        control, settings = self._control, self._setup.bundle.settings
        self._hand_over(self._coverage.reached)
        interval = round(SECOND / settings.fps)
        for item in control.source.items(control.stop, self._until, interval):
            self._coverage.planned = control.planned
            if item is None:
                if self._pending is not None and time.monotonic() - self._pending[1] > COMPLETE_S:
                    self._complete()
            elif isinstance(item, Frame):
                self._add_frame(item)
            elif isinstance(item, Gap):
                self._add_gap(item)
            elif isinstance(item, Heartbeat) and item.t > self._coverage.reached:
                self._complete()
                self._coverage.watched_until(item.t)
                self._hand_over(item.t)

    def end(self) -> None:
        """Hand over what is known."""
        self._complete()
        if self._last_t is not None and self._last_t >= self._until:
            self._coverage.watched_until(self._last_t + 1)
            self._hand_over(self._last_t + 1, last=True)
        else:
            self._hand_over(self._until, last=True)

    def _new_perception(self, t: int) -> Perception:
        control = self._control
        stream = f"{self._setup.run}|{control.name}|{t}"
        return Perception(self._setup.bundle, control.camera, stream, control.source.has_detail)

    def _add_frame(self, frame: Frame) -> None:
        if frame.t < self._until:
            return
        # Of the frame before, which may be pending.
        last, self._given_t = self._given_t, frame.t
        if last is not None and frame.t - last > MAX_GAP_WITHIN_STREAM_US:
            self._complete()
            self._perception.begin_again(f"{self._setup.run}|{self._control.name}|{frame.t}")
        if self._control.source.has_detail:
            for detail in self._control.source.take_details():
                self._perception.add_detail(detail)
        self._enter(self._perception.analyse(frame))
        self._pending = frame.t, time.monotonic()
        if frame.t // SECOND > self._until // SECOND:
            boundary = frame.t // SECOND * SECOND
            self._coverage.watched_until(boundary)
            self._hand_over(boundary)

    def _complete(self) -> None:
        """Complete the pending frame."""
        self._enter(self._perception.complete())
        self._pending = None

    def _enter(self, analysed: AnalysedFrame | None) -> None:
        if analysed is None:
            return
        frame = analysed.frame
        self._rows += analysed.rows
        if self._control.source.has_detail:
            self._control.source.want_detail(bool(analysed.rows))
        self._last_t, self._arrived = frame.t, frame.arrival
        self._minute.frames += 1
        self._control.progress.analysed += 1
        condition = self._monitor.update(frame.t, frame.grey(self._reduced(frame.size)))
        told = None if condition.state is None else (State(condition.state), condition.cause)
        self._coverage.saw(frame.t, analysed.detections is not None, told)
        if condition.state != self._condition:
            self._condition = condition.state
            self._save_condition()  # A restart must not forget what took a minute to find out.

    def _reduced(self, size: tuple[int, int]) -> tuple[int, int]:
        scale = CONDITION_SIDE_PX / max(size)
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))

    def _add_gap(self, gap: Gap) -> None:
        self._complete()
        self._coverage.watched_until(gap.start)
        offline = gap.kind in (GapKind.MISSING, GapKind.OFFLINE)
        self._coverage.lost_until(gap.end, State.OFFLINE if offline else State.UNDECODABLE, gap.cause)
        self._hand_over(gap.end)

    def _hand_over(self, until: int, last: bool = False) -> None:
        """Append the rows before `until`, judge them, and hand all of it to the ledger."""
        if until < self._until or (until == self._until and not last):
            return
        intervals, before = self._coverage.take(), self._rules.facility
        if until > self._until:
            rows = [row for row in self._rows if _time_of(row) < until]
            self._rows = [row for row in self._rows if _time_of(row) >= until]
            table = self._perception.tabulate(rows)
            self._log.append(table, until)
            found = self._rules.advance(until, table, self._marks(intervals))
            events, exposures = tuple(found.events), tuple(found.exposures)
        else:
            events, exposures = (), ()
        self._minute.coverage += intervals
        hour_over = until // HOUR > self._until // HOUR
        self._until = until
        segment = self._complete_minute(last)
        facility, state = self._rules.facility, None
        if segment is not None:
            self._save_condition()
        if segment is not None or facility is not before:
            # What follows a change of the facility file is not judged by the file before, after a kill.
            state = self._rules.save()
        arrived, self._arrived = self._arrived, None
        name, progress = self._control.name, self._control.progress
        ongoing = tuple(event.finding for event in self._rules.open_state().events) if last else ()
        self._setup.put(
            Found(name, facility, until, intervals, events, exposures, segment, state, arrived, ongoing)
        )
        progress.until = until
        progress.take(intervals)
        if hour_over:
            self._setup.lock.move(until, reads_from=until - LOOK_BACK_US)

    def _save_condition(self) -> None:
        name = self._control.name
        try:
            save_condition(self._setup.home, name, self._monitor)
        except LazarettoError as error:
            self._setup.notice(name, f"{error}; it is tried again in a minute")

    def _marks(self, intervals: Sequence[Interval]) -> list[Mark]:
        now = self._rules.now
        marks: list[Mark] = [
            CoverageChange(max(item.start, now), item.state.value, item.cause) for item in intervals
        ]
        facility = self._control.facility
        if facility.version != self._rules.facility.version:
            # Published meanwhile, or edited since the state was saved from which the rules went on.
            marks.insert(0, FacilityChange(now, facility))
        difference = self._control.source.status.clock_difference
        off = difference is not None and abs(difference) > CLOCK_DRIFT_US
        if off is not self._clock_off:
            self._clock_off = off
            cause = f"the camera's clock is {(difference or 0) / SECOND:+.1f} s off" if off else ""
            marks.insert(0, HealthReport(now, CLOCK, off, cause))
        return marks

    def _complete_minute(self, last: bool) -> WatchedSegment | None:
        minute, until = self._minute, self._until
        if until <= minute.start or not (last or until // SEGMENT > minute.start // SEGMENT):
            return None
        self._minute = _Minute(until)
        segment = WatchedSegment(
            self._control.key,
            self._control.seq,
            self._control.source.name,
            minute.start,
            until,
            minute.frames,
            normalise(minute.coverage),
        )
        self._control.seq += 1
        return segment


def _time_of(row: Row) -> int:
    return row[1]  # type: ignore[return-value]
