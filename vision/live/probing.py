"""A look at a camera for some seconds, in a process of its own that is ended where it hangs.

It connects as the watch does: by the same connection, with the same timeouts, clock, decoder and classes of
faults. What it measures are the packets that came.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from vision.clock import Stop
from vision.frames import SECOND, Frame
from vision.live.address import StreamAddress, StreamKind
from vision.live.causes import Cause, StreamFault
from vision.live.clocks.steady import SteadyClock
from vision.live.connection import StreamConnection
from vision.live.ffmpeg_log import FFmpegLog
from vision.live.reader import end_unless_called_again
from vision.live.reports import Reports, StreamInfo
from vision.live.ring.writer import RingSettings, RingWriter
from vision.sources.gaps import Gap, GapKind

MAIN, SUBSTREAM = "main", "substream"
"""The streams of a camera."""
PICTURE_S = 15.0
"""Seconds for which a look goes on beyond its length until a picture came: longer than key frames are apart.
Project default (docs/defaults.md)."""
SPARE_S = 10.0
"""Seconds that a look may take beyond all of its timeouts before its process is ended: names that do not
resolve obey none of them. Project default (docs/defaults.md)."""
TICK_S = 0.2
"""Seconds within which a look that is to end ends."""
END_S = 2.0
"""Seconds for a process that has told all, or ended, to be gone."""
BURST_US = SECOND // 2
"""Time in which servers send what they hold, microseconds; the rate is measured after it."""
GLANCE = (32, 18)
"""Size of the grey pictures by which two streams are compared, px."""
MAX_GLANCES = 2000
LEAST_PICTURES = 8
LEAST_MOTION = 0.5
"""Mean deviation of the grey levels over time from which something moves."""
LEAST_AGREEMENT = 0.7
"""Correlation over time from which two streams show the same. Project default (docs/defaults.md)."""
STEP_US = SECOND // 25
"""Steps in which the offset is sought, microseconds."""


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """What is looked at.

    Attributes:
        camera: id of the camera.
        streams: addresses by name of the stream (`MAIN`, `SUBSTREAM`).
        seconds: for how long, from the first packet on.
        aspect: width over height of the upright picture by the camera's setting, or None.
        timeouts_s: to open a stream, and to wait for a packet.
        snapshot: whether a picture of the main stream is wanted.
    """

    camera: str
    streams: Mapping[str, StreamAddress]
    seconds: float = 5.0
    aspect: Fraction | None = None
    timeouts_s: tuple[float, float] = (10.0, 10.0)
    snapshot: bool = False

    @property
    def longest_s(self) -> float:
        """Seconds after which the process that looks is ended."""
        return sum(self.timeouts_s) + self.seconds + PICTURE_S + SPARE_S


@dataclass
class StreamReport:
    """What was seen of a stream.

    Attributes:
        cause: the class of the fault that ended the look; None = it was whole.
        text: the fault for people, without an address.
        opened_s: seconds until the first packet.
        info: the stream as it states itself; None = it never came.
        picture_size: width and height of the upright picture with square pixels, px.
        pixel_format: FFmpeg's name of it.
        packets, size, pictures: packets and their bytes; pictures that could be used.
        span_us: from the first to the last packet by the mapped time, microseconds.
        key_times: mapped times of key frames, microseconds UTC.
        damage: why pictures could not be used, a text for each time.
        steps_us: by how much the times of the stream stepped, microseconds each.
        unfinished_us: from the last key frame to the end, microseconds.
        stamps: the camera's own timestamps of its pictures, seconds.
        arrivals: when each packet came, microseconds UTC.
        delays_us: of each packet, its arrival after its mapped time, microseconds.
        clock_us: the camera's own clock less the mapped time, microseconds; None = it does not say (RTCP).
        ring_fault: why the footage ring cannot keep it; "" = it kept it, None = not tried.
        glances: times (microseconds UTC) and small grey pictures.
        jpeg: a picture.
    """

    cause: Cause | None = None
    text: str = ""
    opened_s: float | None = None
    info: StreamInfo | None = None
    picture_size: tuple[int, int] | None = None
    pixel_format: str | None = None
    packets: int = 0
    size: int = 0
    pictures: int = 0
    span_us: int = 0
    key_times: list[int] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    steps_us: list[int] = field(default_factory=list)
    unfinished_us: int = 0
    stamps: list[float] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)
    delays_us: list[int] = field(default_factory=list)
    clock_us: int | None = None
    ring_fault: str | None = None
    glances: list[tuple[int, np.ndarray]] = field(default_factory=list)
    jpeg: bytes | None = None

    @property
    def rate(self) -> float | None:
        """Packets, which are pictures, that came per second, without what came at once at first."""
        steady = [t for t in self.arrivals if t >= self.arrivals[0] + BURST_US]
        if len(steady) < 2 or steady[-1] - steady[0] < BURST_US:
            return None
        return (len(steady) - 1) * SECOND / (steady[-1] - steady[0])

    @property
    def stated_rate(self) -> float | None:
        """Pictures per second as the stream states them, else by the usual step between its timestamps."""
        if self.info is not None and self.info.rate:
            return self.info.rate
        steps = np.diff(np.sort(self.stamps))
        usual = float(np.median(steps)) if len(steps) else 0.0
        return 1 / usual if usual > 0 else None

    @property
    def missing_s(self) -> float:
        """Seconds of pictures that did not come, by the stated and the measured rate."""
        stated, rate = self.stated_rate, self.rate
        if not stated or not rate:
            return 0.0
        return (1 - rate / stated) * (self.arrivals[-1] - self.arrivals[0] - BURST_US) / SECOND

    @property
    def bits_per_second(self) -> float | None:
        """As measured."""
        return self.size * 8 * SECOND / self.span_us if self.span_us else None

    @property
    def key_interval_s(self) -> float | None:
        """The longest time between two key frames; None where fewer than two came."""
        gaps = np.diff(self.key_times)
        return float(gaps.max()) / SECOND if len(gaps) else None


def probe(settings: ProbeSettings, stop: Stop) -> dict[str, StreamReport]:
    """Look at the streams of a camera, side by side.

    Args:
        settings: what is looked at.
        stop: ends the look early.

    Returns:
        A report for each stream; after `settings.longest_s` at the latest.
    """
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    found: dict[str, StreamReport] = {}
    with TemporaryDirectory(prefix="lazaretto-camera-") as folder:
        process = context.Process(
            target=_look, args=(settings, Path(folder), theirs), name=f"test of camera {settings.camera}"
        )
        process.daemon = True
        process.start()
        theirs.close()
        end = time.monotonic() + settings.longest_s
        try:
            with contextlib.suppress(EOFError, OSError):  # It ended early; what is missing is named below.
                while len(found) < len(settings.streams) and time.monotonic() < end and not stop.is_set():
                    if ours.poll(TICK_S):
                        name, report = ours.recv()
                        found[name] = report
        finally:
            hung = time.monotonic() >= end
            if not hung and not stop.is_set():
                process.join(END_S)
            process.kill()
            process.join()
            ours.close()
    text = (
        f"the reader hung and was ended after {settings.longest_s:.0f} s"
        if hung
        else f"the reader ended by itself, with code {process.exitcode}"
    )
    missing = Cause.TIMEOUT if hung else Cause.READER
    return {name: found.get(name) or StreamReport(missing, text) for name in settings.streams}


def _look(settings: ProbeSettings, folder: Path, connection: Connection) -> None:
    """The main function of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_unless_called_again(settings.longest_s + END_S)  # The parent may be gone by then.
    log, lock = FFmpegLog(), threading.Lock()
    log.install()

    def look(name: str, address: StreamAddress) -> None:
        report = _Look(settings, name, address, folder / name, log).run()
        with lock:
            connection.send((name, report))

    threads = [threading.Thread(target=look, args=item, daemon=True) for item in settings.streams.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class _Look:
    """One stream; a `vision.live.connection.PacketSink`."""

    files = 0

    def __init__(
        self, settings: ProbeSettings, name: str, address: StreamAddress, folder: Path, log: FFmpegLog
    ) -> None:
        self._settings, self._name, self._address, self._log = settings, name, address, log
        self._clock, self._stop, self._report = SteadyClock(), Stop(), StreamReport()
        # The room on the disk is no matter of the camera.
        self._ring = RingWriter(folder, settings.camera, RingSettings(reserve_bytes=0))
        self._begun = time.monotonic()
        self._first: float | None = None  # moment of the monotonic clock
        self._times: tuple[int, int] | None = None
        self._kept = False

    def run(self) -> StreamReport:
        """Look; faults are in the report."""
        report, last = self._report, None
        connect = StreamConnection(
            self._address,
            self._settings.camera,
            self._clock,
            aspect=self._settings.aspect,
            sink=self,
            reports=Reports(self._connected, camera_clock=self._camera_clock, stepped=report.steps_us.append),
            log=self._log,
            timeouts_s=self._settings.timeouts_s,
        )
        try:
            for item in connect(self._stop, 0):
                if isinstance(item, Frame):
                    last = item
                    self._glance(item)
                elif isinstance(item, Gap) and item.kind is GapKind.UNDECODABLE:
                    report.damage.append(item.cause)
        except StreamFault as fault:
            whole_file = self._address.kind is StreamKind.FILE and fault.cause is Cause.ENDED
            if not (whole_file and report.pictures):
                report.cause, report.text = fault.cause, str(fault)
        if report.cause is None and not report.pictures:
            report.cause = Cause.CODEC
            report.text = "packets came, and no key frame with a usable picture among them"
        if last is not None and self._settings.snapshot and self._name == MAIN:
            report.jpeg = cv2.imencode(".jpg", last.image)[1].tobytes()
        report.ring_fault = self._ring.reason or ("" if self._kept else None)
        return report

    def begin(self, stream: VideoStream) -> None:
        """A connection begins."""
        self._report.pixel_format = stream.codec_context.pix_fmt
        self._ring.begin(stream)

    def write(self, packet: Packet[VideoStream], t: int) -> None:
        """Measure a packet, and end the look when it was long enough."""
        report = self._report
        report.packets += 1
        report.size += packet.size
        if packet.pts is not None and packet.time_base is not None:
            report.stamps.append(float(packet.pts * packet.time_base))
        report.arrivals.append(self._clock.now())
        report.delays_us.append(report.arrivals[-1] - t)
        begun = self._times[0] if self._times else t
        self._times = min(begun, t), max(self._times[1] if self._times else t, t)
        report.span_us = self._times[1] - self._times[0]
        if packet.is_keyframe:
            report.key_times.append(t)
        report.unfinished_us = self._times[1] - report.key_times[-1] if report.key_times else report.span_us
        self._ring.write(packet, t)
        self._kept = self._kept or self._ring.path is not None
        looked = time.monotonic() - (self._first or self._begun)
        if looked >= self._settings.seconds + (0 if report.pictures else PICTURE_S):
            self._stop.set()

    def close(self) -> None:
        """The connection ends."""
        self._ring.close()

    def _connected(self, info: StreamInfo) -> None:
        self._first = time.monotonic()
        self._report.opened_s, self._report.info = self._first - self._begun, info

    def _camera_clock(self, difference: int) -> None:
        self._report.clock_us = difference

    def _glance(self, frame: Frame) -> None:
        report = self._report
        report.pictures += 1
        report.picture_size = frame.size
        if len(self._settings.streams) > 1 and len(report.glances) < MAX_GLANCES:
            report.glances.append((frame.t, frame.grey(GLANCE)))


def offset_s(
    main: list[tuple[int, np.ndarray]], sub: list[tuple[int, np.ndarray]], longest_s: float = 2.0
) -> float | None:
    """How much later the substream shows a moment than the main stream, by what moves in both.

    Args:
        main: times (microseconds UTC) and grey pictures of the main stream.
        sub: those of the substream, of the same size.
        longest_s: offsets up to this are found, seconds.

    Returns:
        Seconds, to 0.04 s; None where too little moves to tell, or too few pictures came.
    """
    if min(len(main), len(sub)) < LEAST_PICTURES:
        return None
    main_t, sub_t = (np.array([t for t, _ in one]) for one in (main, sub))
    main_p, sub_p = (_moving(np.array([picture for _, picture in one], np.float32)) for one in (main, sub))
    if min(float(main_p.std()), float(sub_p.std())) < LEAST_MOTION:
        return None
    lags = range(round(-longest_s * SECOND), round(longest_s * SECOND) + 1, STEP_US)
    found = {lag: _agreement(main_t, main_p, sub_t - lag, sub_p) for lag in lags}
    best = max(found, key=lambda lag: (found[lag], -abs(lag)))
    return best / SECOND if found[best] >= LEAST_AGREEMENT else None


def _moving(pictures: np.ndarray) -> np.ndarray:
    """Grey levels less those that stay, so that only what changes is compared."""
    flat: np.ndarray = pictures.reshape(len(pictures), -1)
    moving: np.ndarray = flat - flat.mean(0)
    return moving


def _agreement(main_t: np.ndarray, main: np.ndarray, sub_t: np.ndarray, sub: np.ndarray) -> float:
    """Correlation of the pictures of both streams that are nearest in time; 0 where too few are."""
    after = np.clip(np.searchsorted(main_t, sub_t), 1, len(main_t) - 1)
    nearest = after - (sub_t - main_t[after - 1] < main_t[after] - sub_t)
    near = np.abs(main_t[nearest] - sub_t) <= 2 * STEP_US
    if near.sum() < max(LEAST_PICTURES, len(sub_t) // 3):
        return 0.0
    one, other = main[nearest[near]].ravel(), sub[near].ravel()
    size = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / size if size else 0.0
