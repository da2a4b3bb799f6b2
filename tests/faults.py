"""A clock and streams for tests of faults: time passes without waiting, and streams fail as they are told."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vision.clock import Stop
from vision.frames import SECOND, Frame
from vision.sources.gaps import Gap, ResumePoint
from vision.sources.protocol import SourceItem

IMAGE = np.zeros((2, 2, 3), np.uint8)


def frame(t: int, index: int = 0) -> Frame:
    return Frame(IMAGE, t, index, "yard")


class FakeClock:
    """A clock that advances by what is waited for, and sets the stop after `patience_s` seconds of it."""

    def __init__(self, now: int, patience_s: float = float("inf")) -> None:
        self.time, self.patience_s = now, patience_s
        self.waits: list[float] = []

    def now(self) -> int:
        return self.time

    def wait(self, seconds: float, stop: Stop) -> bool:
        self.waits.append(seconds)
        self.time += round(seconds * SECOND)
        if sum(self.waits) >= self.patience_s:
            stop.set()
        return stop.is_set()


@dataclass(frozen=True)
class Step:
    """One connection: it takes `after_s` seconds, gives items whose times count from then, and ends.

    It ends by itself, by `error`, or, if `hangs`, by the stop alone.
    """

    items: Sequence[SourceItem] = ()
    error: Exception | None = None
    after_s: float = 0.0
    hangs: bool = False


@dataclass
class ScriptedConnect:
    """Connects step by step, and sets the stop when the script is over.

    Attributes:
        spans: of each connection that gave items, the time of the first and the latest one.
        open: connections that are not closed.
        hanging: set once a connection hangs.
        fresh: times of the frames that were later than everything before them, and than the clock.
    """

    clock: FakeClock
    script: Iterable[Step]
    spans: list[tuple[int, int]] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    hanging: Stop = field(default_factory=Stop)
    fresh: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._steps = iter(self.script)

    def __call__(self, stop: Stop, min_interval_us: int) -> Generator[SourceItem, None, None]:
        self.connections += 1
        self.open += 1
        try:
            step = next(self._steps, None)
            if step is None:
                stop.set()
                return
            self.clock.time += round(step.after_s * SECOND)
            begin = self.clock.time
            for number, item in enumerate(step.items):
                moved = moved_by(item, begin)
                t = moved.end if isinstance(moved, Gap) else moved.t
                if isinstance(moved, Frame) and t > self.clock.time:
                    self.fresh.append(t)
                self.clock.time = max(self.clock.time, t)
                if number == 0:
                    self.spans.append((moved.start if isinstance(moved, Gap) else t, t))
                self.spans[-1] = (self.spans[-1][0], max(self.spans[-1][1], t))
                yield moved
            if step.hangs:
                self.hanging.set()
                stop.wait()
            if step.error is not None:
                raise step.error
        finally:
            self.open -= 1


def moved_by(item: SourceItem, microseconds: int) -> SourceItem:
    if isinstance(item, Gap):
        return replace(item, start=item.start + microseconds, end=item.end + microseconds)
    if isinstance(item, Frame):
        return Frame(item.image, item.t + microseconds, item.index, item.camera)
    return replace(item, t=item.t + microseconds)


@dataclass(frozen=True)
class ListSource:
    """A source whose items are given; it sets `stopper` behind item number `stop_after`, if that is given."""

    items: Sequence[SourceItem]
    start_us: int | None = None
    stopper: Stop | None = None
    stop_after: int = -1
    camera: str = "yard"
    name: str = "list"
    duration_us: int | None = None
    ends: bool = True
    rate: float | None = 5.0

    def open(
        self, stop: Stop, after: ResumePoint | None = None, min_interval_us: int = 0
    ) -> Generator[SourceItem, None, None]:
        return self._read(stop, after)

    def _read(self, stop: Stop, after: ResumePoint | None) -> Generator[SourceItem, None, None]:
        for number, item in enumerate(self.items):
            if stop.is_set():
                return
            past = item.start if isinstance(item, Gap) else item.t - 1
            if after is None or past >= after.t:
                yield item
            if self.stopper is not None and number == self.stop_after:
                self.stopper.set()


@dataclass
class Account:
    """What a consumer may conclude from the items of a source; checks their order as they come.

    Attributes:
        known: end of the time that is accounted for; None before the first item.
        watched: intervals between frames or heartbeats, without a gap.
        gaps: the gaps.
        frames: the frames.
    """

    known: int | None = None
    watched: list[tuple[int, int]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)

    def take(self, item: SourceItem) -> None:
        start = item.start if isinstance(item, Gap) else item.t
        if self.known is None:
            self.known = start
        assert start >= self.known, f"{item} goes back before {self.known}"
        if start > self.known:
            self.watched.append((self.known, start))
        self.known = start
        if isinstance(item, Gap):
            assert item.end > item.start
            self.gaps.append(item)
            self.known = item.end
        elif isinstance(item, Frame):
            assert not self.frames or item.t > self.frames[-1].t
            self.frames.append(item)

    def covered(self) -> list[tuple[int, int]]:
        """All accounted intervals in order, merged where they touch; overlaps are impossible by `take`."""
        merged: list[tuple[int, int]] = []
        for start, end in sorted(self.watched + [(gap.start, gap.end) for gap in self.gaps]):
            if merged and merged[-1][1] == start:
                merged[-1] = (merged[-1][0], end)
            else:
                merged.append((start, end))
        return merged


def account(items: Iterable[SourceItem]) -> Account:
    found = Account()
    for item in items:
        found.take(item)
    return found
