"""Stream time of the frames of a file whose timestamps may be equal, early, far off, or of another clock.

Recorders stamp every two pictures alike, set one picture an hour ahead, restart their clock within a file, or
let it jump. A picture is not lost because of its timestamp: only a picture whose stamp stands alone is given
up. Times that a restart or a jump makes meaningless are replaced: the picture follows the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from vision.frames import SECOND

FrameT = TypeVar("FrameT")

MAX_EARLY_US = 2 * SECOND
"""A timestamp at most this much before the frame before is inexact; one further back is of a clock that was
restarted or set back. Recorders that correct their clock do so by fractions of a second. Project default
(docs/defaults.md)."""
MAX_HOLE_US = 600 * SECOND
"""The longest time without pictures within a file that its timestamps are believed about. After a longer one
the clock has jumped: recorders begin a new file after a pause. Project default (docs/defaults.md)."""
STANDSTILL_FRAMES = 25
"""Successive frames of one timestamp after which the clock stands still, and frames are counted at the
nominal rate. Project default (docs/defaults.md)."""


class ClockState(IntEnum):
    """How far the timestamps of a source give the stream time of its frames; the greater, the less.

    REGULAR: they do. INEXACT: but for some frames. ANCHORED: from some frame on, they are of another clock.
    """

    REGULAR = 0
    INEXACT = 1
    ANCHORED = 2


@dataclass(frozen=True, slots=True)
class ClockNote:
    """What is wrong with the timestamps of a source.

    Attributes:
        t: stream time from which it matters, microseconds UTC.
        text: what it is, as a sentence without the name of the source.
        state: of the timestamps from here on.
    """

    t: int
    text: str
    state: ClockState


@dataclass(slots=True)
class _Held(Generic[FrameT]):
    """A frame whose time waits for that of the next one; `stamped` is its time by its timestamp."""

    frame: FrameT
    stamped: int


class FrameClock(Generic[FrameT]):
    """Gives the frames of one pass over a file their stream times, which increase from frame to frame.

    Attributes:
        ends_with_outlier: the last picture was given up; known after `finish`.
    """

    def __init__(self, step: int, hole: int, last_t: int | None) -> None:
        """Begin a pass.

        Args:
            step: nominal time between frames, microseconds.
            hole: times further apart than this are confirmed by the next frame, microseconds.
            last_t: stream time of the last frame before the pass, or None.
        """
        self._step, self._hole = step, hole
        self._last_t = last_t
        self._last_stamped = last_t
        self._advance = step
        self._shift = 0
        self._held: _Held[FrameT] | None = None
        self._standing = 0
        self._lost = 0
        self._inexact = False
        self._apart = step
        self.ends_with_outlier = False

    def take(self, frame: FrameT, stamped: int) -> Iterator[tuple[FrameT, int] | ClockNote]:
        """Take the next frame in display order, with the stream time that its timestamp gives.

        Gives frames with their stream times, in order, and what is wrong with the timestamps.
        """
        if self._held is not None:
            yield from self._decide(self._held, stamped)
        if self._held is None and self._is_far(stamped):
            self._held = _Held(frame, stamped)
            return
        yield from self._place(frame, stamped)

    def finish(self) -> Iterator[tuple[FrameT, int] | ClockNote]:
        """The file has ended: what the next frame would confirm is decided without it."""
        held, self._held = self._held, None
        if held is None:
            return
        # Pictures that are always far apart, as in a time lapse, are no outliers.
        if 0 < self._ahead(held.stamped) <= 2 * self._apart:
            yield from self._place(held.frame, held.stamped)
        else:
            self.ends_with_outlier = True
            yield self._give_up(held)

    @property
    def lost(self) -> int:
        """Frames that were given up since the last call."""
        lost, self._lost = self._lost, 0
        return lost

    def _ahead(self, stamped: int) -> int:
        """By how much a frame comes after the one before, by its timestamp, microseconds."""
        return 0 if self._last_t is None else stamped + self._shift - self._last_t

    def _is_far(self, stamped: int) -> bool:
        return not -MAX_EARLY_US <= self._ahead(stamped) <= self._hole

    def _decide(self, held: _Held[FrameT], stamped: int) -> Iterator[tuple[FrameT, int] | ClockNote]:
        """Place the frame that waits, or give it up, by the timestamp of the one after it."""
        self._held = None
        assert self._last_t is not None and self._last_stamped is not None
        ahead = self._ahead(held.stamped)
        contradicted = stamped < held.stamped - MAX_EARLY_US
        # After a restart, the next frame is of the new clock too, and not of the one before.
        if contradicted or (ahead < 0 and self._ahead(stamped) >= -MAX_EARLY_US):
            yield self._give_up(held)
            return
        if ahead < 0 or ahead > MAX_HOLE_US:
            self._shift = self._last_t + self._step - held.stamped
            by = (held.stamped - self._last_stamped) / SECOND
            how = "jumps ahead" if by > 0 else "goes back"
            yield ClockNote(
                self._last_t,
                f"its clock {how} by {_duration(by)}; what comes after is taken to follow at once",
                ClockState.ANCHORED,
            )
        yield from self._place(held.frame, held.stamped)

    def _give_up(self, held: _Held[FrameT]) -> ClockNote:
        assert self._last_t is not None and self._last_stamped is not None
        self._lost += 1
        by = (held.stamped - self._last_stamped) / SECOND
        side = "after" if by > 0 else "before"
        return ClockNote(
            self._last_t,
            f"one picture is stamped {_duration(by)} {side} those around it and is left out",
            ClockState.INEXACT,
        )

    def _place(self, frame: FrameT, stamped: int) -> Iterator[tuple[FrameT, int] | ClockNote]:
        t = stamped + self._shift
        if self._last_t is not None and t <= self._last_t:
            same = stamped == self._last_stamped
            self._standing = self._standing + 1 if same else 0
            if not self._inexact:
                self._inexact = True
                yield ClockNote(
                    self._last_t,
                    "pictures have equal timestamps, or some that go back a little, and are put between "
                    "their neighbours",
                    ClockState.INEXACT,
                )
            if self._standing == STANDSTILL_FRAMES:
                yield ClockNote(
                    self._last_t,
                    f"its timestamps stand still; pictures are counted at {SECOND / self._step:g} per second",
                    ClockState.ANCHORED,
                )
            if self._standing >= STANDSTILL_FRAMES:
                t = self._last_t + self._step
                self._shift = t - stamped
            else:
                t = self._last_t + max(1, self._advance // 2)
        elif self._last_t is not None and self._last_stamped is not None and stamped > self._last_stamped:
            self._standing = 0
            self._advance = min(self._step, stamped - self._last_stamped)
        if self._last_t is not None:
            self._apart = t - self._last_t
        self._last_t, self._last_stamped = t, stamped
        yield frame, t


def _duration(seconds: float) -> str:
    """A length of time for people: 0.5 s, 75 s, 3 h 0 min."""
    seconds = abs(seconds)
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
