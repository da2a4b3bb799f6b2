"""A live camera as the analysis sees it: a source whose frames are read by a process of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from vision.clock import Clock, Stop
from vision.frames import SECOND, Frame
from vision.live.clocks.steady import SteadyClock
from vision.live.reader import ReaderSettings
from vision.live.reader_process import ReaderLimits, ReaderProcess, preload_readers
from vision.live.status import CameraStatus, StreamState, StreamStatus
from vision.notices import Notice, unheard
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.protocol import Heartbeat, SourceItem

__all__ = ["CameraStatus", "LiveCamera", "StreamState", "StreamStatus", "preload_readers"]

MAX_AGE_S = 1.5
"""A frame whose packet came longer ago is dropped where a newer one waits, seconds: what is found must be in
the ledger within 2 s. Project default (docs/defaults.md)."""
DROP_GAP_US = 2 * SECOND
"""Time without an analysed frame, because the device was too busy, from which it counts as not watched,
microseconds. Project default (docs/defaults.md)."""


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
        notice: Notice = unheard,
        limits: ReaderLimits | None = None,
    ) -> None:
        """Prepare a camera.

        Args:
            settings: what its reader is told.
            clock: the time of day; None = that of this computer.
            notice: called with sentences for the log, from several threads.
            limits: when its reader is given up; None = the defaults.
        """
        self.status = CameraStatus()
        self._settings, self._clock, self._notice = settings, clock or SteadyClock(), notice
        self._limits = limits or ReaderLimits()
        self._reader: ReaderProcess | None = None

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
        details: list[Frame] = []
        while self._reader is not None and self._reader.details:
            details.append(self._reader.details.popleft())
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
        told = replace(self._settings, interval_us=min_interval_us)
        reader = ReaderProcess(told, self._limits, self._clock, self.status, self._notice, known)
        self._reader = reader
        last_frame: int | None = None
        dropped = self.status.dropped
        try:
            while not stop.is_set():
                reader.supervise()
                item = reader.queue.take(tick_s)
                self.status.queue = reader.queue.frames
                if item is None:
                    yield None
                    continue
                if isinstance(item, Frame):
                    if reader.queue.frames and _age_s(item) > MAX_AGE_S:
                        self.status.dropped += 1  # A newer one waits.
                        continue
                    if item.t < known or item.t == last_frame:
                        continue
                    # The stream itself tells of longer times without pictures: these were dropped.
                    if last_frame is not None and item.t - known > max(DROP_GAP_US, 2 * min_interval_us):
                        missed, dropped = self.status.dropped - dropped, self.status.dropped
                        cause = "the device was too busy to analyse the pictures"
                        yield Gap(GapKind.UNDECODABLE, known, item.t, missed, cause)
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


def _age_s(frame: Frame) -> float:
    """Seconds since the packet of a frame came."""
    return 0.0 if frame.arrival is None else time.monotonic() - frame.arrival
