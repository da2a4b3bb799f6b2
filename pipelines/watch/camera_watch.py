"""Watching one live camera: frames to observations, coverage and incidents, second by second, in a thread."""

from __future__ import annotations

import hashlib
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from incidents.coverage import Interval, State, normalise
from incidents.evaluate_log import LOOK_BACK_US
from incidents.ledger import Ledger
from incidents.rules.chunks import FacilityChange, Mark
from incidents.rules.engine import CameraRules
from incidents.rules.health import CLOCK, CoverageChange, HealthReport
from pipelines.home import Home
from pipelines.locks import HourLock
from pipelines.watch.condition_state import continue_monitor, save_condition
from pipelines.watch.coverage import PassingCoverage, PlannedTime
from pipelines.watch.rules_state import continue_rules
from pipelines.watch.writing import Found, WatchedSegment
from vision.clock import Clock, Stop
from vision.frames import SECOND, SEGMENT, Frame
from vision.live.camera import LiveCamera
from vision.networks import ModelBundle
from vision.observations import HOUR, AppendLog
from vision.perception import AnalysedFrame, Perception, Row
from vision.sources.gaps import Gap, GapKind
from vision.sources.protocol import Heartbeat
from zones.errors import LazarettoError
from zones.facility import Camera, Facility

NOT_RUNNING = "the watch was not running"
"""Cause of time between two runs of the watch."""
SYNC_S = 5.0
"""Seconds between two times that rows are forced onto the disk: what a power cut can cost; the end of the
process costs nothing that was appended. Project default (docs/defaults.md)."""
MAX_GAP_WITHIN_STREAM_US = 2 * SECOND
"""Longest gap across which people keep their track, microseconds; as in an analysis of recorded footage.
Project default (docs/defaults.md)."""
CLOCK_DRIFT_US = 2 * SECOND
"""A camera whose own clock differs by more than this from the computer's has a fault, microseconds. Project
default (docs/defaults.md)."""
RESTART_S = 5.0
"""Seconds before the watch of a camera begins again after an error of the program or of the log. Project
default (docs/defaults.md)."""
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
        notice: called with a sentence for the log, and the camera.
        lock: of the hours of each camera.
    """

    home: Home
    bundle: ModelBundle
    run: str
    clock: Clock
    put: Callable[[Found], None]
    notice: Callable[[str, str], None]
    lock: HourLock


@dataclass
class CameraProgress:
    """How far a camera is; read by other threads.

    Attributes:
        until: stream time up to which everything is known, microseconds UTC; None before the first time.
        state: what the camera was doing last.
        cause: why, or "".
        since: since when, microseconds UTC.
        analysed: frames analysed.
        error: why the watch of the camera was begun anew last, or "".
    """

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
class _Minute:
    """The minute that is not complete."""

    start: int
    frames: int = 0
    coverage: list[Interval] = field(default_factory=list)


class CameraWatch:
    """The watch of one camera.

    Attributes:
        camera: as the facility file in force has it.
        source: the camera.
        progress: how far it is.
    """

    def __init__(self, setup: WatchSetup, facility: Facility, camera: Camera, source: LiveCamera) -> None:
        """Prepare the watch; `start` begins."""
        self._setup, self._facility, self.camera, self.source = setup, facility, camera, source
        self.progress = CameraProgress()
        self.planned: Sequence[PlannedTime] = ()
        self._stop = Stop()
        self._next_facility: Facility | None = None
        self._thread = threading.Thread(target=self._run, name=f"camera {camera.id}", daemon=True)
        self._seq = 0
        self._key = hashlib.sha256(f"{setup.run}|{camera.id}".encode()).hexdigest()[:16]

    @property
    def lock(self) -> HourLock:
        """Of the hours of the camera."""
        return self._setup.lock

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def ask_to_end(self) -> None:
        """Have the watch end soon; what is known by then is handed over."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Wait until it has ended; returns whether it has."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def change_facility(self, facility: Facility) -> None:
        """Judge by another facility file from the next second on; it has the camera, with the same source."""
        self._next_facility = facility

    def _run(self) -> None:
        """Watch until the end is asked for. An error of one camera is told, and it begins again."""
        while not self._stop.is_set():
            try:
                self._watch()
            except LazarettoError as error:
                self._failed(str(error))
            except Exception:
                self._failed(f"the program failed: {traceback.format_exc()}")

    def _failed(self, text: str) -> None:
        self.progress.error = text.strip().splitlines()[-1]
        self._setup.notice(self.camera.id, f"{text.strip()}; begun again in {RESTART_S:.0f} s")
        self._setup.clock.wait(RESTART_S, self._stop)

    def _watch(self) -> None:
        setup, name = self._setup, self.camera.id
        with AppendLog(setup.home.path, name, SYNC_S) as log:
            for loss in log.losses:
                setup.notice(name, f"a torn end of the observation log was set aside: {loss}")
            with Ledger.open(setup.home.ledger) as ledger:
                begin = _Beginning(setup, ledger, self._facility, log, name)
                rules, until = begin.rules()
            watching = _Watching(self, log, rules, until)
            try:
                watching.run()
            finally:
                watching.end()


class _Beginning:
    """Brings the rules and the coverage of a camera to where its observation log ends."""

    def __init__(
        self, setup: WatchSetup, ledger: Ledger, facility: Facility, log: AppendLog, camera: str
    ) -> None:
        self._setup, self._ledger, self._facility, self._log = setup, ledger, facility, log
        self._camera = camera

    def rules(self) -> tuple[CameraRules, int | None]:
        """The rules, and the time up to which everything is known; None where nothing ever was."""
        setup, until = self._setup, self._log.until
        recorded = self._ledger.coverage.recorded(self._camera, (until or 0) - LOOK_BACK_US)
        covered = max((item.end for item in recorded), default=None)
        known = max((t for t in (until, covered) if t is not None), default=None)
        if known is None:
            return CameraRules(self._facility, self._camera), None
        if until is not None and covered is not None and until > covered:
            # The rows were appended, and the end came before the ledger took their second.
            interval = Interval(self._camera, covered, until, State.ANALYSED)
            self._ledger.coverage.record(self._camera, [interval])
        continued = continue_rules(setup.home, self._ledger, self._facility, self._camera, known)
        if continued.notice:
            setup.notice(self._camera, continued.notice)
        rules = continued.rules
        if continued.found.events or continued.found.exposures:
            events, exposures = tuple(continued.found.events), tuple(continued.found.exposures)
            setup.put(Found(self._camera, rules.facility, known, events=events, exposures=exposures))
        return rules, known


class _Watching:
    """A pass over the camera, from one beginning to its end."""

    def __init__(self, watch: CameraWatch, log: AppendLog, rules: CameraRules, until: int | None) -> None:
        self._watch, self._setup, self._log, self._rules = watch, watch._setup, log, rules
        now = self._setup.clock.now()
        self._until = now if until is None else until  # everything before is handed over
        self._coverage = PassingCoverage(watch.camera.id, self._until)
        self._minute = _Minute(self._until)
        if now > self._until:
            self._coverage.lost_until(now, State.OFFLINE, NOT_RUNNING)
        self._perception = self._new_perception(now)
        self._monitor, notice = continue_monitor(self._setup.home, watch.camera.id)
        if notice:
            self._setup.notice(watch.camera.id, notice)
        self._rows: list[Row] = []
        self._pending: tuple[int, float] | None = None
        self._arrived: float | None = None
        self._last_t: int | None = None
        self._clock_off = False
        self._grey_size: tuple[int, int] | None = None

    def run(self) -> None:
        watch, settings = self._watch, self._setup.bundle.settings
        self._hand_over(self._coverage.reached)
        interval = round(SECOND / settings.fps)
        for item in watch.source.items(watch._stop, self._until, interval):
            self._coverage.planned = watch.planned
            if item is None:
                if self._pending is not None and time.monotonic() - self._pending[1] > 1.0:
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
        watch = self._watch
        stream = f"{self._setup.run}|{watch.camera.id}|{t}"
        return Perception(self._setup.bundle, watch.camera, stream, watch.source.has_detail)

    def _add_frame(self, frame: Frame) -> None:
        if frame.t < self._until:
            return
        if self._last_t is not None and frame.t - self._last_t > MAX_GAP_WITHIN_STREAM_US:
            self._complete()
            self._perception.begin_again(f"{self._setup.run}|{self._watch.camera.id}|{frame.t}")
        if self._watch.source.has_detail:
            for detail in self._watch.source.take_details():
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
        if self._watch.source.has_detail:
            self._watch.source.want_detail(bool(analysed.rows))
        self._last_t, self._arrived = frame.t, frame.arrival
        self._minute.frames += 1
        self._watch.progress.analysed += 1
        condition = self._monitor.update(frame.t, frame.grey(self._reduced(frame.size)))
        told = None if condition.state is None else (State(condition.state), condition.cause)
        self._coverage.saw(frame.t, analysed.detections is not None, told)

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
        intervals = self._coverage.take()
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
            state = self._rules.save()
            self._save_condition()
        arrived, self._arrived = self._arrived, None
        name, progress = self._watch.camera.id, self._watch.progress
        self._setup.put(Found(name, facility, until, intervals, events, exposures, segment, state, arrived))
        progress.until = until
        progress.take(intervals)
        if hour_over:
            self._setup.lock.move(until, reads_from=until - LOOK_BACK_US)

    def _save_condition(self) -> None:
        name = self._watch.camera.id
        try:
            save_condition(self._setup.home, name, self._monitor)
        except LazarettoError as error:
            self._setup.notice(name, f"{error}; it is tried again in a minute")

    def _marks(self, intervals: Sequence[Interval]) -> list[Mark]:
        now = self._rules.now
        marks: list[Mark] = [
            CoverageChange(max(item.start, now), item.state.value, item.cause) for item in intervals
        ]
        facility, self._watch._next_facility = self._watch._next_facility, None
        if facility is not None:
            self._watch._facility = facility
            self._watch.camera = facility.camera(self._watch.camera.id)
            marks.insert(0, FacilityChange(now, facility))
        difference = self._watch.source.status.clock_difference
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
            self._watch._key,
            self._watch._seq,
            self._watch.source.name,
            minute.start,
            until,
            minute.frames,
            normalise(minute.coverage),
        )
        self._watch._seq += 1
        return segment


def _time_of(row: Row) -> int:
    return row[1]  # type: ignore[return-value]
