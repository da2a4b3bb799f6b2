"""The process that reads a camera, seen from the one that analyses: started, supervised and replaced."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from vision.clock import Clock
from vision.frames import Frame
from vision.live.causes import LOGIN, SENTENCES, Cause
from vision.live.clocks.steady import SteadyClock
from vision.live.reader import DETECTION, ReaderSettings, read_camera
from vision.live.status import CameraStatus, StreamState, StreamStatus
from vision.live.wire import (
    Alive,
    CameraClock,
    Connected,
    Connecting,
    Disconnected,
    FootageFault,
    FrameHeader,
    Remark,
    WantDetail,
    receive_frame,
)
from vision.notices import Level, Notice
from vision.sources.decoded_frame import Converters
from vision.sources.gaps import Gap, GapKind
from vision.sources.protocol import Heartbeat, SourceItem

QUEUED_FRAMES = 10
"""Frames of a camera that wait to be analysed, at most; then the oldest is dropped: 2 s at 5 frames/s, so
that what is analysed is never older. Project default (docs/defaults.md)."""
SILENT_S = 15.0
"""A reader that gives no sign of life for so long is ended and replaced, seconds. Project default
(docs/defaults.md)."""
BLOCKED_S = 40.0
"""A reader that is alive is replaced, too, where one of its streams neither gave a packet nor failed for so
long, seconds: longer than its own timeouts, which not every call obeys (resolving a name does not). Project
default (docs/defaults.md)."""
STALLED_S = 2.0
"""A stream without a packet for so long is stalled, seconds. Project default (docs/defaults.md)."""
RESTART_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before a reader that ended is replaced, after the first time, the second, and so on. Project
default (docs/defaults.md)."""
DETAILS = 4
"""Pictures of the main stream that wait, at most; then the oldest is dropped. Project default
(docs/defaults.md)."""
REPORT_S = 10.0
"""While no reader gives anything, that is reported this often, seconds."""
END_S = 3.0
"""Seconds for a reader to end by itself when it is asked to."""


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """When a reader is given up.

    Attributes:
        silent_s: see `SILENT_S`.
        blocked_s: see `BLOCKED_S`.
    """

    silent_s: float = SILENT_S
    blocked_s: float = BLOCKED_S


@dataclass
class ItemQueue:
    """Items that wait, of which only frames are dropped."""

    items: deque[SourceItem] = field(default_factory=deque)
    frames: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, item: SourceItem, most: int) -> int:
        """Append an item; returns the number of frames that were dropped for it."""
        with self.changed:
            dropped = 0
            if isinstance(item, Frame):
                self.frames += 1
                if self.frames > most:
                    oldest = next(n for n, other in enumerate(self.items) if isinstance(other, Frame))
                    del self.items[oldest]
                    self.frames, dropped = self.frames - 1, 1
            self.items.append(item)
            self.changed.notify()
            return dropped

    def take(self, timeout_s: float) -> SourceItem | None:
        """The oldest item, or None where none comes within so many seconds."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.items, timeout_s):
                return None
            item = self.items.popleft()
            self.frames -= isinstance(item, Frame)
            return item


class ReaderProcess:
    """The process that reads the camera now, and its successors.

    Attributes:
        queue: what it gave.
        details: pictures of the main stream.
        known: what comes before this time was given to the consumer, microseconds UTC.
    """

    def __init__(
        self,
        settings: ReaderSettings,
        limits: ReaderLimits,
        clock: Clock,
        status: CameraStatus,
        notice: Notice,
        known: int,
    ) -> None:
        """Prepare; `supervise` starts it.

        Args:
            settings: what a reader is told.
            limits: when it is given up.
            clock: the time of day.
            status: of the camera; kept up to date.
            notice: called with sentences for the log, from several threads.
            known: time up to which everything was given to the consumer, microseconds UTC.
        """
        self._settings, self._limits, self._clock = settings, limits, clock
        self._status, self._notice = status, notice
        self.queue, self.known = ItemQueue(), known
        self.details: deque[Frame] = deque(maxlen=DETAILS)
        self._restarts = 0
        self._process: ForkServerProcess | None = None
        self._connection: Connection | None = None
        self._receiver: threading.Thread | None = None
        self._alive = time.monotonic()
        self._waiting: dict[str, float] = {}
        self._next_start = 0.0
        self._dropped_before = 0
        self._detail_wanted = False
        self._reported = time.monotonic()

    def supervise(self) -> None:
        """Start a reader where there is none, and end one that hangs."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._next_start:
                self._start()
            else:
                self._report_offline(now)
            return
        ended = self._receiver is not None and not self._receiver.is_alive()
        blocked = self._is_blocked(now)
        if ended or blocked or now - self._alive > self._limits.silent_s:
            if self.queue.items and ended:
                return  # What it gave before comes first.
            why = _how_it_ended(self._process) if ended else "hung"
            self._notice(f"the process that reads the camera {why}; another one is started")
            self._kill()
            self._status.restarts += 1
            self._restarts += 1
            self._next_start = now + RESTART_S[min(self._restarts, len(RESTART_S)) - 1]
            self._set_offline(Cause.READER, SENTENCES[Cause.READER])
            self._reported = now - REPORT_S
            self._report_offline(now)

    def want_detail(self, wanted: bool) -> None:
        """Tell the reader whether pictures of the main stream are wanted, where that is new."""
        connection = self._connection
        if connection is not None and wanted is not self._detail_wanted:
            self._detail_wanted = wanted
            with contextlib.suppress(OSError):  # It ended; `supervise` finds out.
                connection.send(WantDetail(wanted))

    def close(self) -> None:
        """Ask the reader to end, and end it where it does not."""
        process, connection = self._process, self._connection
        if process is None or connection is None:
            return
        with contextlib.suppress(OSError):
            connection.send("end")
        process.join(END_S)
        self._kill()

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        ours, theirs = context.Pipe()
        clock = self._clock.reading() if isinstance(self._clock, SteadyClock) else None
        settings = replace(self._settings, after=self.known, clock=clock)
        process = context.Process(
            target=read_camera,
            args=(settings, theirs),
            name=f"reader of camera {settings.camera}",
            daemon=True,
        )
        process.start()
        theirs.close()
        self._process, self._connection, self._alive = process, ours, time.monotonic()
        self._waiting.clear()
        self._dropped_before = 0
        self._detail_wanted = False
        self._receiver = threading.Thread(
            target=self._receive, args=(ours,), name=f"receive {settings.camera}", daemon=True
        )
        self._receiver.start()

    def _kill(self) -> None:
        process, connection, receiver = self._process, self._connection, self._receiver
        self._process = self._connection = self._receiver = None
        if process is not None:
            process.kill()
            process.join(END_S)
        if receiver is not None:
            receiver.join(END_S)  # The pipe is closed at the other end.
        if connection is not None:
            connection.close()

    def _is_blocked(self, now: float) -> bool:
        """Whether a stream neither gave a packet nor failed for too long."""
        return now - min(list(self._waiting.values()), default=now) > self._limits.blocked_s

    def _report_offline(self, now: float) -> None:
        """Account for the time without a reader."""
        if now - self._reported < REPORT_S and self._next_start > now:
            return
        self._reported = now
        t = self._clock.now()
        if t > self.known:
            self.queue.put(Gap(GapKind.OFFLINE, self.known, t, 0, SENTENCES[Cause.READER]), QUEUED_FRAMES)
            self.queue.put(Heartbeat(t), QUEUED_FRAMES)

    def _receive(self, connection: Connection) -> None:
        converters = Converters()
        try:
            while True:
                message = connection.recv()
                if isinstance(message, FrameHeader):
                    frame = receive_frame(connection, message, self._settings.camera, converters)
                    if message.detail:
                        self.details.append(frame)
                    else:
                        self._take_frame(frame, message.arrival)
                elif isinstance(message, Gap | Heartbeat):
                    self.queue.put(message, QUEUED_FRAMES)
                else:
                    self._note(message)
        except (EOFError, OSError):
            return

    def _take_frame(self, frame: Frame, arrival: float) -> None:
        status = self._status
        status.frames += 1
        status.newest = arrival
        self._restarts = 0
        frame.arrival = arrival
        status.dropped += self.queue.put(frame, QUEUED_FRAMES)

    def _note(self, message: object) -> None:
        status = self._status
        if isinstance(message, Alive):
            self._alive = time.monotonic()
            status.frames += message.dropped - self._dropped_before
            status.dropped += message.dropped - self._dropped_before
            self._dropped_before = message.dropped
            for role, age in message.packet_age_s.items():
                stream = status.streams.get(role)
                if stream is None or stream.state not in (StreamState.STREAMING, StreamState.STALLED):
                    continue
                if age is not None and age > STALLED_S:
                    self._set(role, StreamState.STALLED)
                    self._waiting.setdefault(role, self._alive - age)
                else:
                    self._set(role, StreamState.STREAMING)
                    self._waiting.pop(role, None)
        elif isinstance(message, Connecting):
            self._waiting[message.role] = time.monotonic()
            if message.role not in status.streams:
                self._set(message.role, StreamState.CONNECTING)
        elif isinstance(message, Connected):
            self._waiting.pop(message.role, None)
            self._set(message.role, StreamState.STREAMING)
            stream = status.streams[message.role]
            stream.info, stream.connections = message.info, stream.connections + 1
            stream.cause, stream.text = None, ""
            info = message.info
            text = f"{message.role} stream: connected, {info.codec} {info.width} x {info.height}"
            self._notice(text, Level.INFO)
        elif isinstance(message, Disconnected):
            self._waiting.pop(message.role, None)
            refused = message.cause in LOGIN
            self._set(message.role, StreamState.REFUSED if refused else StreamState.OFFLINE)
            stream = status.streams[message.role]
            stream.cause, stream.text = message.cause, message.text
            stream.failures += 1
            self._notice(f"{message.role} stream: {message.text}; tried again in {message.wait_s:.0f} s")
        elif isinstance(message, FootageFault):
            if message.text and message.text != status.footage_fault:
                self._notice(f"footage is not kept: {message.text}", Level.ERROR)
            elif not message.text and status.footage_fault:
                self._notice("footage is kept again", Level.INFO)
            status.footage_fault = message.text
        elif isinstance(message, CameraClock):
            status.clock_difference = message.difference
        elif isinstance(message, Remark):
            self._notice(message.text, message.level)

    def _set(self, role: str, state: StreamState) -> None:
        streams, now = self._status.streams, self._clock.now()
        stream = streams.get(role)
        if stream is None:
            streams[role] = StreamStatus(state, now)
        elif stream.state is not state:
            stream.state, stream.since = state, now

    def _set_offline(self, cause: Cause, text: str) -> None:
        for role in self._status.streams or (DETECTION,):
            self._set(role, StreamState.OFFLINE)
            stream = self._status.streams[role]
            stream.cause, stream.text = cause, text


def _how_it_ended(process: ForkServerProcess) -> str:
    """What is known of the end of a process whose pipe was closed."""
    process.join(END_S)
    code = process.exitcode
    if code is None:
        return "hung while it ended"
    return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"


def preload_readers() -> None:
    """Have readers started from a process that has their modules loaded already; call it once, early.

    Readers then share the memory of what they import, and start in milliseconds.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload(["__main__", "vision.live.reader"])
