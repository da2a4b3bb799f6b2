"""The process that reads one camera: it connects, keeps the packets, and sends sampled pictures.

A process of its own, because a read that hangs in C can hold the interpreter of all threads, a decoder that
meets garbage can crash, and what FFmpeg leaks at each attempt ends with the process. The process that
analyses can end this one at any time, and start another. Nothing here may wait for that process: what cannot
be sent in time is dropped, the oldest picture first.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path

from av.packet import Packet
from av.video.stream import VideoStream

from vision.clock import Stop
from vision.frames import SECOND, Frame
from vision.live.address import StreamAddress
from vision.live.back_off import LiveBackOff
from vision.live.causes import Cause, StreamFault
from vision.live.clocks.steady import SteadyClock
from vision.live.connection import StreamConnection
from vision.live.ffmpeg_log import FFmpegLog
from vision.live.reports import PacketSink, Reports
from vision.live.ring.queue import RingQueue
from vision.live.ring.writer import RingSettings, RingWriter
from vision.live.wire import (
    Alive,
    CameraClock,
    Connected,
    Connecting,
    Disconnected,
    FootageFault,
    Message,
    Remark,
    WantDetail,
    planes_of,
    send_frame,
)
from vision.memory import FreedMemory
from vision.notices import Level
from vision.sources.frame_clock import ClockNote
from vision.sources.gaps import ResumePoint
from vision.sources.protocol import SourceItem
from vision.sources.reopening import ConnectionReports, ReopeningSource

DETECTION, EVIDENCE = "detection", "evidence"
"""Roles of streams: pictures are analysed, packets are kept."""
END_S = 2.0
"""Seconds for which a reader that was asked to end waits for a read that is blocked."""
ALIVE_S = 1.0
"""Seconds between two signs of life."""
HUNG_S = 30.0
"""A reader whose interpreter stands still for so long ends, seconds; the process that analyses replaces it
before, if it still runs. Project default (docs/defaults.md)."""
DETAIL_US = 2 * SECOND // 5
"""Least time between two pictures of the main stream while a substream is analysed, microseconds: faces are
checked twice a second at most. Project default (docs/defaults.md)."""
WAITING_FRAMES = 4
"""Pictures that wait to be sent, at most; then the oldest is dropped. Project default (docs/defaults.md)."""
_SENDING_S = 0.1
"""Seconds for the last message to be sent after it was taken."""
CLOCK_REPORT_S = 60.0
"""Seconds between two reports of the camera's own clock."""


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """What a reader is told.

    Attributes:
        camera: id of the camera.
        main: the stream of which the packets are kept.
        substream: the stream that is analysed; None = the main one.
        interval_us: least time between two pictures that are sent, microseconds.
        aspect: width over height of the upright picture by the camera's setting, or None.
        ring: folder of the footage ring; None = packets are not kept.
        ring_settings: how it is written; None = the defaults.
        after: stream time that is accounted for, microseconds UTC; None = time begins now.
        timeouts_s: to open a stream, and to wait for a packet.
        clock: a reading of the clock of the process that analyses (`SteadyClock.reading`), with which that of
            the reader goes on: the computer's may have been set back meanwhile; None = the computer's.
    """

    camera: str
    main: StreamAddress
    substream: StreamAddress | None = None
    interval_us: int = SECOND // 5
    aspect: Fraction | None = None
    ring: Path | None = None
    ring_settings: RingSettings | None = None
    after: int | None = None
    timeouts_s: tuple[float, float] = (10.0, 10.0)
    clock: tuple[int, int] | None = None


def read_camera(settings: ReaderSettings, connection: Connection) -> None:
    """Read a camera until the other end of the connection closes; the main function of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _Reader(settings, connection).run()


def end_unless_called_again(seconds: float = HUNG_S) -> None:
    """Have the system end this process unless this is called again in time.

    A call in C that holds the interpreter and never returns then ends too, where the parent process is gone
    and cannot end it.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


class _Outbox:
    """What waits to be sent. Pictures are dropped where they wait too long; all else is not."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Message | tuple[Frame, float, bool]] = deque()
        self._frames = 0
        self.dropped = 0

    def put(self, item: Message | tuple[Frame, float, bool]) -> None:
        with self._changed:
            if isinstance(item, tuple):
                self._frames += 1
                if self._frames > WAITING_FRAMES:
                    n, oldest = next((n, o) for n, o in enumerate(self._waiting) if isinstance(o, tuple))
                    del self._waiting[n]
                    self._frames -= 1
                    self.dropped += not oldest[2]
            self._waiting.append(item)
            self._changed.notify_all()

    def wait_until_taken(self, timeout_s: float) -> None:
        """Wait until nothing waits to be sent, but not longer than this."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, timeout_s)

    def take(self) -> Message | tuple[Frame, float, bool]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            item = self._waiting.popleft()
            self._frames -= isinstance(item, tuple)
            self._changed.notify_all()
            return item


class _TellingRing:
    """The footage ring, which tells when it cannot be written and when it can again.

    Attributes:
        files: files begun; known here, by the ring's own rule, before the disk has them.
    """

    def __init__(self, writer: RingQueue, segment_s: float, tell: Callable[[FootageFault], None]) -> None:
        self._writer, self._segment_us, self._tell = writer, round(segment_s * SECOND), tell
        # Said with the first packet, too: the reader before this one may have left with a fault.
        self._told: str | None = None
        self._began: int | None = None
        self.files = 0

    def begin(self, stream: VideoStream) -> None:
        self._began = None
        self._writer.begin(stream)

    def write(self, packet: Packet[VideoStream], t: int) -> None:
        if packet.is_keyframe and (self._began is None or t - self._began >= self._segment_us):
            self._began = t
            self.files += 1
        self._writer.write(packet, t)
        if (reason := self._writer.reason) != self._told:
            self._told = reason
            self._tell(FootageFault(reason))

    def close(self) -> None:
        self._began = None
        self._writer.close()

    def finish(self) -> None:
        self._writer.finish(END_S)


class _Reader:
    def __init__(self, settings: ReaderSettings, connection: Connection) -> None:
        self._settings, self._connection = settings, connection
        self._outbox, self._stop = _Outbox(), Stop()
        self._clock, self._log = SteadyClock(begins=settings.clock), FFmpegLog()
        self._arrived: dict[str, float | None] = {}
        self._clock_told = -CLOCK_REPORT_S
        self._steps = 0
        self._detail_wanted = False
        self._reading: list[threading.Thread] = []

    def run(self) -> None:
        self._log.install()
        ring = self._ring()
        sub = self._settings.substream
        detection = self._stream(DETECTION, sub or self._settings.main, None if sub else ring)
        threading.Thread(target=self._send, name="send", daemon=True).start()
        threading.Thread(target=self._watch_parent, name="parent", daemon=True).start()
        self._start_reading(detection, DETECTION)
        if sub is not None and ring is not None:
            evidence = self._stream(EVIDENCE, self._settings.main, ring)
            self._start_reading(evidence, EVIDENCE)
        end_unless_called_again()
        freed = FreedMemory()
        while not self._stop.wait(ALIVE_S):
            end_unless_called_again()
            self._report_alive()
            freed.give_back_if_due()
        for thread in self._reading:
            thread.join(END_S)
        if ring is not None:
            ring.finish()

    def _ring(self) -> _TellingRing | None:
        folder = self._settings.ring
        if folder is None:
            return None
        settings = self._settings.ring_settings or RingSettings()
        writer = RingWriter(folder, self._settings.camera, settings)
        return _TellingRing(RingQueue(writer), settings.segment_s, self._outbox.put)

    def _stream(self, role: str, address: StreamAddress, sink: PacketSink | None) -> ReopeningSource:
        self._arrived[role] = None

        def arrived(moment: float) -> None:
            self._arrived[role] = moment

        def failed(error: Exception | None, text: str, wait_s: float) -> None:
            self._arrived[role] = None
            cause = error.cause if isinstance(error, StreamFault) else Cause.OTHER
            self._outbox.put(Disconnected(role, cause, text, wait_s))

        connect = StreamConnection(
            address,
            self._settings.camera,
            self._clock,
            (lambda: True) if role == DETECTION else (lambda: self._detail_wanted),
            self._settings.aspect,
            sink,
            Reports(
                lambda info: self._outbox.put(Connected(role, info)),
                arrived,
                lambda text, level=Level.WARNING: self._outbox.put(Remark(f"{role} stream: {text}", level)),
                self._camera_clock,
            ),
            self._log,
            self._settings.timeouts_s,
        )
        return ReopeningSource(
            self._settings.camera,
            address.shown,
            connect,
            self._clock,
            LiveBackOff(),
            ConnectionReports(lambda: self._outbox.put(Connecting(role)), failed),
        )

    def _start_reading(self, source: ReopeningSource, role: str) -> None:
        thread = threading.Thread(target=self._read, args=(source,), name=role, daemon=True)
        self._reading.append(thread)
        thread.start()

    def _read(self, source: ReopeningSource) -> None:
        """Read a stream for ever; whatever goes wrong here ends the process, which is then replaced."""
        detection = threading.current_thread().name == DETECTION
        after = self._settings.after
        resume = None if after is None else ResumePoint(-1, after)
        interval = self._settings.interval_us if detection else DETAIL_US
        try:
            for item in source.open(self._stop, resume, interval):
                if detection:
                    self._forward(item)
                elif isinstance(item, Frame):
                    self._outbox.put((item, self._arrived[EVIDENCE] or time.monotonic(), True))
        except BaseException as error:
            self._outbox.put(Remark(f"the reader fails: {_place_of(error)}", Level.ERROR))
            self._outbox.wait_until_taken(ALIVE_S)
            time.sleep(_SENDING_S)
            os._exit(1)

    def _forward(self, item: SourceItem) -> None:
        if isinstance(item, Frame):
            self._outbox.put((item, self._arrived[DETECTION] or time.monotonic(), False))
        elif not isinstance(item, ClockNote):
            self._outbox.put(item)

    def _camera_clock(self, difference: int) -> None:
        now = time.monotonic()
        if now - self._clock_told >= CLOCK_REPORT_S:
            self._clock_told = now
            self._outbox.put(CameraClock(difference))

    def _report_alive(self) -> None:
        now = time.monotonic()
        ages = {role: None if at is None else now - at for role, at in self._arrived.items()}
        self._outbox.put(Alive(ages, self._outbox.dropped))
        if (steps := self._clock.steps) != self._steps:
            self._steps = steps
            self._outbox.put(
                Remark("the clock of this computer was set forward; the time between was not watched")
            )

    def _send(self) -> None:
        try:
            while True:
                item = self._outbox.take()
                if isinstance(item, tuple):
                    send_frame(self._connection, *planes_of(*item))
                else:
                    self._connection.send(item)
        except OSError:
            os._exit(0)  # The parent is gone.

    def _watch_parent(self) -> None:
        """The parent asks for pictures of the main stream, and for the end by closing its end."""
        try:
            while isinstance(message := self._connection.recv(), WantDetail):
                self._detail_wanted = message.wanted
        except (EOFError, OSError):
            os._exit(0)
        self._stop.set()


def _place_of(error: BaseException) -> str:
    """The class of an error and where it was raised; its text may name an address."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"
