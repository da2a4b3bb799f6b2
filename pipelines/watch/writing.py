"""Entering what cameras found in the ledger: one thread for all of them, for which no camera waits.

A ledger that another process has locked, or a full disk, delays the writer alone. What waits grows by changes
of state and events, not by time. Each transaction takes all that waits.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from incidents.coverage import Interval, normalise
from incidents.evaluate_log import Provenance
from incidents.ledger import Ledger
from incidents.rules.events import Event, EventType, Finding
from incidents.rules.exposure import Exposure
from pipelines.home import Home
from pipelines.watch.rules_state import save_rules
from vision.clock import Clock, Stop
from vision.notices import Fault, Level, Notice, fault_of
from zones.errors import LazarettoError
from zones.facility import Facility

RETRY_S = 2.0
"""Seconds before the writer tries again what the ledger refused. Project default (docs/defaults.md)."""
END_S = 20.0
"""Seconds for which a watch that ends waits for the ledger to take what is left. Project default
(docs/defaults.md)."""
LATENCIES = 16_384
"""Latest latencies that are kept, to state their distribution: of 64 cameras, four minutes."""


@dataclass(frozen=True, slots=True)
class WatchedSegment:
    """A minute of a live camera.

    Attributes:
        stream_key: identity of the stream: a camera in a run.
        seq: number of the segment in the stream.
        source: the address, without credentials.
        start, end: microseconds UTC.
        frames: number of analysed frames.
        coverage: what the camera was doing.
        run: id of the run that watched it; "" = the one that writes.
    """

    stream_key: str
    seq: int
    source: str
    start: int
    end: int
    frames: int
    coverage: tuple[Interval, ...]
    run: str = ""


@dataclass(frozen=True)
class Found:
    """What a camera found since the last time, all of one facility file.

    Attributes:
        camera: id of the camera.
        facility: the file that was in force.
        until: stream time up to which everything is known, microseconds UTC.
        intervals: coverage, in order of time.
        events: of incidents.
        exposures: for the exposure log.
        segment: a minute that is complete, or None.
        rules: the state of the rules at `until`, to be saved once the rest is in the ledger, or None.
        arrived: when the last frame that decided came, seconds of the monotonic clock; None = no frame did.
        ongoing: of the end of a watch: the incidents that are open, as they are known then.
    """

    camera: str
    facility: Facility
    until: int
    intervals: tuple[Interval, ...] = ()
    events: tuple[Event, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    segment: WatchedSegment | None = None
    rules: bytes | None = None
    arrived: float | None = None
    ongoing: tuple[Finding, ...] = ()


class Latency(NamedTuple):
    """How long a result took.

    Attributes:
        at: when it was committed, seconds of the monotonic clock.
        seconds: from the arrival of the deciding frame to the commit.
        alert: whether it was an alert.
    """

    at: float
    seconds: float
    alert: bool


class _LiveProvenance(Provenance):
    """The networks are those of the run: its segment is not in the ledger yet."""

    def __init__(
        self,
        ledger: Ledger,
        facility: Facility,
        camera: str,
        models: Mapping[str, Mapping[str, str]],
    ) -> None:
        super().__init__(ledger, facility, facility.camera(camera))
        self._models = models

    def models(self, t: int) -> Mapping[str, Mapping[str, str]]:
        """The networks of this run."""
        return self._models


@dataclass
class WriterStatus:
    """The state of the writer; read by other threads.

    Attributes:
        waiting: results of cameras that wait.
        fault: why the ledger does not take them, or "".
        fault_since: since when, seconds of the monotonic clock.
        commits: transactions.
        committed: stream time up to which the ledger holds each camera, microseconds UTC.
        latencies: how long the latest results took.
    """

    waiting: int = 0
    fault: str = ""
    fault_since: float | None = None
    commits: int = 0
    committed: dict[str, int] = field(default_factory=dict)
    latencies: deque[Latency] = field(default_factory=lambda: deque(maxlen=LATENCIES))


class LedgerWriter:
    """Writes what cameras found, in a thread of its own.

    Attributes:
        status: its state, for other threads to read.
    """

    def __init__(
        self,
        home: Home,
        ledger: Path,
        run: str,
        models: Mapping[str, Mapping[str, str]],
        clock: Clock,
        notice: Notice,
        wrote: Callable[[Sequence[Found]], None] = lambda _: None,
    ) -> None:
        """Prepare it; `start` begins.

        Args:
            home: the home.
            ledger: path of its ledger.
            run: id of the run.
            models: the networks of the run, as the ledger records them.
            clock: for waits.
            notice: called with sentences for the log.
            wrote: called after each transaction with what it took, in the thread of the writer.
        """
        self.status = WriterStatus()
        self._home, self._path, self._run, self._models = home, ledger, run, models
        self._clock, self._notice, self._wrote = clock, notice, wrote
        self._changed = threading.Condition()
        self._waiting: list[Found] = []
        self._ending = False
        self._stop = Stop()
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, found: Found) -> None:
        """Hand over what a camera found; returns at once."""
        with self._changed:
            self._waiting.append(found)
            self.status.waiting = len(self._waiting)
            self._changed.notify()

    def end(self) -> bool:
        """Write what is left and end; False if the ledger did not take it within `END_S`."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(END_S)
        ended = not self._thread.is_alive()
        self._stop.set()
        return ended

    def _work(self) -> None:
        ledger: Ledger | None = None
        batch: list[Found] = []
        try:
            while True:
                if not batch:
                    with self._changed:
                        self._changed.wait_for(lambda: self._waiting or self._ending)
                        batch, self._waiting = self._waiting, []
                        if not batch:
                            return
                try:
                    ledger = ledger or Ledger.open(self._path)
                    batch, fault = self._take(ledger, batch)
                except Exception as error:
                    # This thread is the only one that writes: without it nothing would be recorded again.
                    fault = fault_of(error)
                self._tell_fault(fault)
                if fault is None:
                    continue
                if ledger is not None:
                    ledger.close()
                    ledger = None
                if self._clock.wait(RETRY_S, self._stop):
                    return
                with self._changed:
                    batch, self._waiting = _shortened([*batch, *self._waiting]), []
                    self.status.waiting = len(batch)
        finally:
            if ledger is not None:
                ledger.close()

    def _take(self, ledger: Ledger, batch: list[Found]) -> tuple[list[Found], Fault | None]:
        """Write what waits; returns what the ledger refuses, and why.

        A result that it refuses, of whatever reason, keeps the later ones of its camera waiting, and no other
        camera.

        Raises:
            LedgerError: the ledger cannot be written at all.
        """
        fault = self._refusal(ledger, batch)
        cameras = dict.fromkeys(found.camera for found in batch)
        if fault is None or len(cameras) == 1:
            return ([] if fault is None else batch), fault
        left: list[Found] = []
        for camera in cameras:
            part = [found for found in batch if found.camera == camera]
            if why := self._refusal(ledger, part):
                left, fault = left + part, why
        return left, fault if left else None

    def _refusal(self, ledger: Ledger, batch: Sequence[Found]) -> Fault | None:
        """Write results whole or not at all; returns why the ledger refuses them, or None."""
        try:
            self._write(ledger, batch)
        except Exception as error:
            if isinstance(error.__cause__, sqlite3.Error):
                raise
            return fault_of(error)
        self._account(batch)
        return None

    def _write(self, ledger: Ledger, batch: Sequence[Found]) -> None:
        with ledger.transaction():
            for found in batch:
                ledger.coverage.record(found.camera, found.intervals)
                self._enter_events(ledger, found)
                if found.exposures:
                    version = found.facility.version
                    ledger.exposures.record(found.exposures, found.camera, version, self._run)
                if found.segment is not None:
                    self._enter_segment(ledger, found.camera, found.segment)

    def _enter_events(self, ledger: Ledger, found: Found) -> None:
        if not found.events and not found.ongoing:
            return
        provenance = _LiveProvenance(ledger, found.facility, found.camera, self._models)
        for event in found.events:
            ongoing = event.type not in (EventType.CLOSED, EventType.WITHDRAWN)
            finding: Finding = event.finding
            incident = provenance.record(finding, ongoing=ongoing, run=self._run)
            ledger.incidents.record_event(event, incident, self._run)
        for finding in found.ongoing:
            record = provenance.record(finding, ongoing=True, run=self._run)
            ledger.incidents.record(record, self._run)

    def _enter_segment(self, ledger: Ledger, camera: str, segment: WatchedSegment) -> None:
        ledger.segments.commit(
            stream_key=segment.stream_key,
            camera=camera,
            seq=segment.seq,
            source=segment.source,
            start=segment.start,
            end=segment.end,
            frames=segment.frames,
            part="",
            coverage=segment.coverage,
            run_id=segment.run or self._run,
        )
        ledger.segments.mark_evaluated(camera, segment.start, segment.end)

    def _account(self, batch: Sequence[Found]) -> None:
        """State what is committed, and save the rules that belong to it."""
        now, status = time.monotonic(), self.status
        status.commits += 1
        with self._changed:
            status.waiting = len(self._waiting)
        for found in batch:
            status.committed[found.camera] = found.until
            if found.arrived is not None:
                alert = any(event.type is EventType.ALERTED for event in found.events)
                status.latencies.append(Latency(now, now - found.arrived, alert))
            if found.rules is not None:
                try:
                    save_rules(self._home, found.rules, found.camera, found.facility.version)
                except LazarettoError as error:
                    self._notice(f"camera {found.camera}: {error}; it is tried again in a minute")
        self._wrote(batch)

    def _tell_fault(self, fault: Fault | None) -> None:
        if fault is not None and not self.status.fault:
            self.status.fault_since = time.monotonic()
            self._notice(f"{fault.text}; the cameras go on, and what they find waits", fault.level)
        elif fault is None and self.status.fault:
            self.status.fault_since = None
            self._notice("the ledger is written again", Level.INFO)
        self.status.fault = "" if fault is None else fault.short


def _shortened(waiting: Sequence[Found]) -> list[Found]:
    """Results with neighbours of a camera made one where nothing but time lies between, so that what waits
    for a ledger does not grow with time."""
    last: dict[str, int] = {}
    kept: list[Found] = []
    newest = {found.camera: found for found in waiting if found.rules is not None}
    for found in waiting:
        if found.rules is not None and newest[found.camera] is not found:
            found = replace(found, rules=None)
        place = last.get(found.camera)
        before = None if place is None else kept[place]
        if before is not None and place is not None and _follows(before, found):
            kept[place] = Found(
                found.camera, found.facility, found.until, normalise((*before.intervals, *found.intervals))
            )
        else:
            last[found.camera] = len(kept)
            kept.append(found)
    return kept


def _follows(before: Found, found: Found) -> bool:
    """Whether two results of a camera can be one."""
    if not (_plain(before) and _plain(found)):
        return False
    return not before.intervals or not found.intervals or before.intervals[-1].end <= found.intervals[0].start


def _plain(found: Found) -> bool:
    return (
        not found.events
        and not found.ongoing
        and not found.exposures
        and found.segment is None
        and found.rules is None
    )
