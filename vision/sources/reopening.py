"""A source that is opened again whenever it breaks: the base of a live camera.

A run of `_Pass.items` connects, reads until the stream breaks, and waits; then it connects again. The clock
and what connects are given from outside, so that every fault can be tested without waiting for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

import av

from vision.clock import Clock, Stop, SystemClock
from vision.frames import SECOND
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.opening import error_text
from vision.sources.protocol import Heartbeat, SourceItem
from vision.sources.timeline import SourceError

BACK_OFF_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
"""Seconds to wait after the first failure, the second, and so on; the last for all that follow. Project
default (docs/defaults.md)."""
HELD_BACK_US = 5 * SECOND
"""Frames of a new connection from up to this long before the time that is accounted for are what the camera
held back, and are left out, microseconds. Project default (docs/defaults.md)."""
STEADY_US = 10 * SECOND
"""A connection that gave frames and lasted this long sets the wait back to its first step. Project default
(docs/defaults.md)."""
REPORT_S = 10.0
"""While a source is offline, this is reported at least every so many seconds. Project default
(docs/defaults.md)."""


class BackOff(Protocol):
    """Says how long to wait before a stream is opened again."""

    def __call__(self, failures: int, error: Exception | None, took_s: float) -> float:
        """Seconds to wait.

        Args:
            failures: how often the stream failed in a row, 1 or more.
            error: what it raised last; None where it ended by itself.
            took_s: how long the last attempt took, seconds; 0 where the stream was open for long.
        """


@dataclass(frozen=True)
class StepwiseBackOff:
    """Waits by a list of steps.

    Attributes:
        steps_s: see `BACK_OFF_S`.
    """

    steps_s: tuple[float, ...] = BACK_OFF_S

    def __call__(self, failures: int, error: Exception | None, took_s: float) -> float:
        """Seconds to wait."""
        return self.steps_s[min(failures, len(self.steps_s)) - 1]


@dataclass(frozen=True)
class ConnectionReports:
    """What a `ReopeningSource` tells beside its items, from the thread that reads it.

    Attributes:
        connecting: an attempt begins.
        failed: an attempt or a connection ended: by what, with the cause for people and the seconds until the
            next attempt.
    """

    connecting: Callable[[], None] = lambda: None
    failed: Callable[[Exception | None, str, float], None] = lambda *_: None


class Connect(Protocol):
    """Opens a stream."""

    def __call__(self, stop: Stop, min_interval_us: int) -> Generator[SourceItem, None, None]:
        """Connect, and give the items of the stream until it ends or breaks; closing it disconnects.

        The times of its frames must follow the clock that the source was given. While no frame comes, the
        stream itself must give gaps or heartbeats, or break after a bounded time.

        Raises:
            SourceError, av.FFmpegError, OSError: the stream cannot be opened, or breaks. The text of a
                SourceError is stored as the cause, so it must not hold a password.
        """


@dataclass(frozen=True)
class ReopeningSource:
    """A stream that does not end: opened again after each failure, with growing waits; a `Source`.

    Every moment from the start of a pass on is either between frames or in a gap. The time without a
    connection is a gap of kind OFFLINE, with the cause. It is given in pieces that touch, each followed by a
    heartbeat, so that a consumer knows at any time that nothing comes. Stream time never goes back: frames
    that do are dropped and counted in the next gap.

    Attributes:
        camera: id of the camera.
        name: address as shown to people, without a password.
        connect: opens the stream.
        clock: the time of day, and waiting.
        back_off: how long to wait before it is opened again.
        reports: what is told beside the items.
        rate: nominal frames per second, or None.
        ends: it does not.
        start_us: unknown before it is read.
        duration_us: none.
    """

    camera: str
    name: str
    connect: Connect
    clock: Clock = field(default_factory=SystemClock)
    back_off: BackOff = field(default_factory=StepwiseBackOff)
    reports: ConnectionReports = field(default_factory=ConnectionReports)
    rate: float | None = None
    ends: ClassVar[bool] = False
    start_us: ClassVar[None] = None
    duration_us: ClassVar[None] = None

    def open(
        self, stop: Stop, after: ResumePoint | None = None, min_interval_us: int = 0
    ) -> Iterator[SourceItem]:
        """Give what the stream gives, until `stop` is set. Never raises SourceError: it tries again.

        With `after`, the time since that frame is offline. Without, time begins now.
        """
        return _Pass(self, stop, after, min_interval_us).items()


class _Pass:
    """One pass over a stream, over any number of connections."""

    def __init__(
        self, source: ReopeningSource, stop: Stop, after: ResumePoint | None, min_interval_us: int
    ) -> None:
        self._source, self._stop, self._min_interval_us = source, stop, min_interval_us
        # What comes before this time has been given; and the last frame that was.
        self._known = source.clock.now() if after is None else after.t
        self._last_t = None if after is None else after.t
        # Why the time since `_known` is offline; None while connected.
        self._cause: str | None = "not connected yet"
        # Frames dropped since the last item, and how far the first of them went back, microseconds.
        self._dropped, self._back = 0, 0

    def items(self) -> Iterator[SourceItem]:
        clock, failures = self._source.clock, 0
        while not self._stop.is_set():
            begun = clock.now()
            self._source.reports.connecting()
            cause, error = yield from self._connection()
            if self._stop.is_set():
                return
            took = clock.now() - begun
            steady = self._cause is None and took >= STEADY_US
            failures = 1 if steady else failures + 1
            wait = self._source.back_off(failures, error, 0.0 if steady else took / SECOND)
            self._source.reports.failed(error, cause, wait)
            if self._dropped:
                cause += f" (before that, timestamps went back by {self._back / SECOND:.3f} s)"
                self._dropped, self._back = 0, 0
            self._cause = cause
            yield from self._report()
            yield from self._wait(wait)

    def _connection(self) -> Generator[SourceItem, None, tuple[str, Exception | None]]:
        """Connect and read until the stream breaks; returns the cause."""
        try:
            with closing(self._source.connect(self._stop, self._min_interval_us)) as stream:
                for item in stream:
                    yield from self._in_order(item)
        except (SourceError, av.FFmpegError, OSError) as error:
            return (str(error) if isinstance(error, SourceError) else error_text(error)), error
        return "the stream ended", None

    def _in_order(self, item: SourceItem) -> Iterator[SourceItem]:
        if isinstance(item, Gap):
            if item.end > self._known:
                yield from self._connected(item.start)
                yield replace(item, start=max(item.start, self._known))
                self._known = item.end
        elif isinstance(item, Heartbeat):
            if item.t > self._known:
                yield from self._connected(item.t)
                self._known = item.t
                yield item
        elif self._held_back(item.t):
            return
        elif item.t < self._known or item.t == self._last_t:
            self._back = self._back or self._known - item.t
            self._dropped += 1
        else:
            yield from self._connected(item.t)
            self._known = self._last_t = item.t
            yield item

    def _held_back(self, t: int) -> bool:
        """Whether a frame is one that the camera held back from before the connection."""
        beginning = self._cause is not None and not self._dropped
        return beginning and self._known - HELD_BACK_US <= t < self._known

    def _connected(self, t: int) -> Iterator[Gap]:
        """Account for the time up to an item at `t`: it was offline, or its frames went back in time."""
        if t > self._known and (self._dropped or self._cause is not None):
            if self._dropped:
                cause = f"timestamps go back by {self._back / SECOND:.3f} s"
                yield Gap(GapKind.DISORDER, self._known, t, self._dropped, cause)
            else:
                yield Gap(GapKind.OFFLINE, self._known, t, 0, self._cause or "")
            self._known = t
        self._cause, self._dropped, self._back = None, 0, 0

    def _report(self) -> Iterator[SourceItem]:
        """Say that the source has been offline until now."""
        now = self._source.clock.now()
        if now > self._known and self._cause is not None:
            yield Gap(GapKind.OFFLINE, self._known, now, 0, self._cause)
            self._known = now
            yield Heartbeat(now)

    def _wait(self, seconds: float) -> Iterator[SourceItem]:
        while seconds > 0:
            if self._source.clock.wait(min(seconds, REPORT_S), self._stop):
                return
            seconds -= REPORT_S
            yield from self._report()
