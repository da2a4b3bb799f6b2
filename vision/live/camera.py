"""A live camera as the analysis sees it: a source whose frames are read by a process of their own."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import ClassVar

from vision.clock import Clock, Stop
from vision.frames import SECOND, Frame
from vision.live.causes import LOGIN, SENTENCES, Cause
from vision.live.connection import StreamInfo
from vision.live.reader import DETECTION, ReaderSettings, read_camera
from vision.live.steady_clock import SteadyClock
from vision.live.wire import (
    Alive,
    CameraClock,
    Connected,
    Connecting,
    Disconnected,
    FootageFault,
    FrameHeader,
    Notice,
    WantDetail,
    receive_frame,
)
from vision.sources.decoded_frame import Converters
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.protocol import Heartbeat, SourceItem

QUEUED_FRAMES = 10
"""Frames of a camera that wait to be analysed, at most; then the oldest is dropped: 2 s at 5 frames/s, so
that what is analysed is never older. Project default (docs/defaults.md)."""
SILENT_S = 15.0
"""A reader that gives no sign of life for so long is ended and replaced, seconds. Project default
(docs/defaults.md)."""
BLOCKED_S = 40.0
"""A reader that is alive, and whose stream was connected and neither gave a packet nor broke for so long, is
replaced too, seconds: longer than its own timeouts. Project default (docs/defaults.md)."""
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
DROP_GAP_US = 2 * SECOND
"""Time without an analysed frame, because the device was too busy, from which it counts as not watched,
microseconds. Project default (docs/defaults.md)."""


class StreamState(StrEnum):
    """What a stream is doing."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    STALLED = "stalled"
    OFFLINE = "offline"
    REFUSED = "refused"
    """Not connected, because the camera refuses the login."""


@dataclass
class StreamStatus:
    """The state of one stream of a camera.

    Attributes:
        state: see `StreamState`.
        since: since when, microseconds UTC.
        cause: why it is not streaming; None while it is, or before the first attempt ended.
        text: the cause for people.
        info: what the stream was when it was last connected, or None.
        connections: how often it was connected.
        failures: how often it broke or could not be connected.
    """

    state: StreamState
    since: int
    cause: Cause | None = None
    text: str = ""
    info: StreamInfo | None = None
    connections: int = 0
    failures: int = 0


@dataclass
class CameraStatus:
    """The state of a camera; read by other threads.

    Attributes:
        streams: by role.
        frames: frames that came.
        dropped: frames that were dropped because the device was busy.
        restarts: readers that were replaced.
        queue: frames that wait.
        newest: when the newest frame came, seconds of the monotonic clock; None = none came yet.
        footage_fault: why footage cannot be kept, or "".
        clock_difference: the camera's own clock less the time of its picture, microseconds; None = unknown.
    """

    streams: dict[str, StreamStatus] = field(default_factory=dict)
    frames: int = 0
    dropped: int = 0
    restarts: int = 0
    queue: int = 0
    newest: float | None = None
    footage_fault: str = ""
    clock_difference: int | None = None


@dataclass
class _Queue:
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
        with self.changed:
            if not self.changed.wait_for(lambda: self.items, timeout_s):
                return None
            item = self.items.popleft()
            self.frames -= isinstance(item, Frame)
            return item


class LiveCamera:
    """A camera that never ends; a `vision.sources.protocol.Source`.

    Every moment from the start of a pass on is either between frames or in a gap, also while the process that
    reads the camera is replaced. One pass at a time.

    Attributes:
        status: its state, for other threads to read.
    """

    ends: ClassVar[bool] = False
    start_us: ClassVar[None] = None
    duration_us: ClassVar[None] = None
    rate: ClassVar[None] = None

    def __init__(
        self,
        settings: ReaderSettings,
        clock: Clock | None = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare a camera; `notice` is called with sentences for the log, from several threads."""
        self.status = CameraStatus()
        self._settings, self._clock, self._notice = settings, clock or SteadyClock(), notice
        self._detail: deque[Frame] = deque(maxlen=DETAILS)
        self._reader: _ReaderProcess | None = None

    @property
    def camera(self) -> str:
        """Id of the camera."""
        return self._settings.camera

    @property
    def name(self) -> str:
        """The address of the stream that is analysed, without credentials."""
        return (self._settings.substream or self._settings.main).shown

    @property
    def has_detail(self) -> bool:
        """Whether the substream is analysed, so that pictures of the main stream show more."""
        return self._settings.substream is not None and self._settings.ring is not None

    def want_detail(self, wanted: bool) -> None:
        """Ask for pictures of the main stream beside those of the substream, or for none."""
        if self._reader is not None:
            self._reader.want_detail(wanted)

    def take_details(self) -> list[Frame]:
        """The pictures of the main stream that came since the last call, in order of time."""
        details = []
        while self._detail:
            details.append(self._detail.popleft())
        return details

    def open(
        self, stop: Stop, after: ResumePoint | None = None, min_interval_us: int = 0
    ) -> Iterator[SourceItem]:
        """Give the frames, gaps and heartbeats of the camera until `stop` is set."""
        for item in self.items(stop, None if after is None else after.t, min_interval_us):
            if item is not None:
                yield item

    def items(
        self, stop: Stop, after: int | None, min_interval_us: int, tick_s: float = 0.5
    ) -> Iterator[SourceItem | None]:
        """As `open`; None where nothing came for `tick_s` seconds.

        Args:
            stop: ends the pass within `tick_s`.
            after: stream time that is accounted for, microseconds UTC; None = time begins now.
            min_interval_us: least time between frames, microseconds.
            tick_s: see above.
        """
        known = self._clock.now() if after is None else after
        reader = _ReaderProcess(self, replace(self._settings, interval_us=min_interval_us), known)
        self._reader = reader
        last_frame: int | None = None
        dropped = 0
        try:
            while not stop.is_set():
                reader.supervise()
                item = reader.queue.take(tick_s)
                self.status.queue = reader.queue.frames
                if item is None:
                    yield None
                    continue
                if isinstance(item, Frame):
                    if item.t <= known and last_frame is not None:
                        continue
                    missed, dropped = self.status.dropped - dropped, self.status.dropped
                    if missed and last_frame is not None and item.t - known > DROP_GAP_US:
                        yield Gap(
                            GapKind.UNDECODABLE,
                            known,
                            item.t,
                            missed,
                            "the device was too busy to analyse the pictures",
                        )
                    known = last_frame = item.t
                elif isinstance(item, Gap):
                    if item.end <= known:
                        continue
                    item = replace(item, start=max(item.start, known))
                    known = item.end
                elif isinstance(item, Heartbeat):
                    known = max(known, item.t)
                reader.known = known
                yield item
        finally:
            reader.close()


class _ReaderProcess:
    """The process that reads the camera now, and its successors.

    Attributes:
        queue: what it gave.
        known: what comes before this time was given to the consumer, microseconds UTC.
    """

    def __init__(self, camera: LiveCamera, settings: ReaderSettings, known: int) -> None:
        self._camera, self._settings, self._clock = camera, settings, camera._clock
        self.queue, self.known = _Queue(), known
        self._restarts = 0
        self._process: ForkServerProcess | None = None
        self._connection: Connection | None = None
        self._receiver: threading.Thread | None = None
        self._alive = time.monotonic()
        self._streaming_since: float | None = None
        self._next_start = 0.0
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
        if ended or blocked or now - self._alive > SILENT_S:
            if self.queue.items and ended:
                return  # What it gave before comes first.
            why = "ended" if ended else "hung"
            self._camera._notice(f"the process that reads the camera {why}; another one is started")
            self._kill()
            self._camera.status.restarts += 1
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
        settings = replace(self._settings, after=self.known)
        process = context.Process(
            target=read_camera,
            args=(settings, theirs),
            name=f"reader of camera {settings.camera}",
            daemon=True,
        )
        process.start()
        theirs.close()
        self._process, self._connection, self._alive = process, ours, time.monotonic()
        self._streaming_since = None
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
        streaming = self._camera.status.streams.get(DETECTION)
        if streaming is None or streaming.state is not StreamState.STALLED:
            self._streaming_since = None
            return False
        self._streaming_since = self._streaming_since or now
        return now - self._streaming_since > BLOCKED_S

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
                        self._camera._detail.append(frame)
                    else:
                        self._take_frame(frame, message.arrival)
                elif isinstance(message, Gap | Heartbeat):
                    self.queue.put(message, QUEUED_FRAMES)
                else:
                    self._note(message)
        except (EOFError, OSError):
            return

    def _take_frame(self, frame: Frame, arrival: float) -> None:
        status = self._camera.status
        status.frames += 1
        status.newest = arrival
        self._restarts = 0
        frame.arrival = arrival
        status.dropped += self.queue.put(frame, QUEUED_FRAMES)

    def _note(self, message: object) -> None:
        status = self._camera.status
        if isinstance(message, Alive):
            self._alive = time.monotonic()
            for role, age in message.packet_age_s.items():
                stream = status.streams.get(role)
                if stream is None or stream.state not in (StreamState.STREAMING, StreamState.STALLED):
                    continue
                stalled = age is not None and age > STALLED_S
                self._set(role, StreamState.STALLED if stalled else StreamState.STREAMING)
        elif isinstance(message, Connecting):
            if message.role not in status.streams:
                self._set(message.role, StreamState.CONNECTING)
        elif isinstance(message, Connected):
            self._set(message.role, StreamState.STREAMING)
            stream = status.streams[message.role]
            stream.info, stream.connections = message.info, stream.connections + 1
            stream.cause, stream.text = None, ""
            info = message.info
            self._camera._notice(
                f"{message.role} stream: connected, {info.codec} {info.width} x {info.height}"
            )
        elif isinstance(message, Disconnected):
            refused = message.cause in LOGIN
            self._set(message.role, StreamState.REFUSED if refused else StreamState.OFFLINE)
            stream = status.streams[message.role]
            stream.cause, stream.text = message.cause, message.text
            stream.failures += 1
            self._camera._notice(
                f"{message.role} stream: {message.text}; tried again in {message.wait_s:.0f} s"
            )
        elif isinstance(message, FootageFault):
            if message.text and message.text != status.footage_fault:
                self._camera._notice(f"footage is not kept: {message.text}")
            elif not message.text and status.footage_fault:
                self._camera._notice("footage is kept again")
            status.footage_fault = message.text
        elif isinstance(message, CameraClock):
            status.clock_difference = message.difference
        elif isinstance(message, Notice):
            self._camera._notice(message.text)

    def _set(self, role: str, state: StreamState) -> None:
        streams, now = self._camera.status.streams, self._clock.now()
        stream = streams.get(role)
        if stream is None:
            streams[role] = StreamStatus(state, now)
        elif stream.state is not state:
            stream.state, stream.since = state, now

    def _set_offline(self, cause: Cause, text: str) -> None:
        for role in self._camera.status.streams or (DETECTION,):
            self._set(role, StreamState.OFFLINE)
            stream = self._camera.status.streams[role]
            stream.cause, stream.text = cause, text


END_S = 3.0
"""Seconds for a reader to end by itself when it is asked to."""


def preload_readers() -> None:
    """Have readers started from a process that has their modules loaded already; call it once, early.

    Readers then share the memory of what they import, and start in milliseconds.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload(["__main__", "vision.live.reader"])
