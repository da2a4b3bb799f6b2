"""The clock of a recorded video: timestamps to stream time, and the order in which pictures are shown.

All times are exact integers. `stamp` is a timestamp in the stream's own time base; `elapsed` is
microseconds since the first picture; `t` is microseconds UTC.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from fractions import Fraction

from av.packet import Packet
from av.video.stream import VideoStream

from vision.frames import SECOND
from zones.errors import LazarettoError


class SourceError(LazarettoError):
    """Footage cannot be found, opened or dated."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The clock of one file.

    Attributes:
        start: stream time of the first picture, microseconds UTC.
        origin: timestamp at which the video begins, in `time_base`: of its first picture, unless an edit
            list hides some before; those are no part of it.
        time_base: seconds per unit of a timestamp.
        fps: pictures per second that replace the file's own timestamps; None = trust them.
        by_dts: the container stores no presentation times (AVI): the n-th picture shown has the n-th
            decoding time, and FFmpeg's guesses of the presentation times are not to be used.
    """

    start: int
    origin: int
    time_base: Fraction
    fps: Fraction | None
    by_dts: bool

    def stamp(self, packet: Packet[VideoStream]) -> int | None:
        """The timestamp that decides when a packet's picture is shown; None where the file has none."""
        return packet.dts if self.by_dts else packet.pts

    def elapsed(self, stamp: int) -> int:
        """Microseconds from the first picture to a timestamp."""
        return _rounded((stamp - self.origin) * self.time_base * SECOND)

    def at(self, elapsed: int) -> int:
        """The timestamp nearest to `elapsed` microseconds after the first picture."""
        return self.origin + _rounded(Fraction(elapsed, SECOND) / self.time_base)

    def t(self, stamp: int | None, index: int) -> int | None:
        """Stream time of picture number `index`; None where neither the file nor `fps` can tell."""
        if self.fps is not None:
            return index_time(self.start, index, self.fps)
        return None if stamp is None else self.start + self.elapsed(stamp)

    def first_index(self, t: int) -> int:
        """Number of the first picture at or after `t`, by `fps` (which must be given)."""
        if self.fps is None:
            raise ValueError("expected a timeline with fps, got one that follows the file's timestamps")
        index = max(0, int((t - self.start) * self.fps / SECOND) - 1)
        while index_time(self.start, index, self.fps) < t:
            index += 1
        return index


def index_time(start: int, index: int, rate: Fraction) -> int:
    """Stream time of picture number `index` of a series that begins at `start`, at `rate` per second."""
    return start + _rounded(index * SECOND / rate)


def exact_rate(fps: float) -> Fraction:
    """The rate that a decimal means: 29.97 -> 2997/100, 30000/1001 as a float -> 30000/1001.

    Raises:
        SourceError: the rate is not a positive number.
    """
    if not 0 < fps < float("inf"):
        raise SourceError(f"expected a frame rate above 0, got {fps}")
    return Fraction(fps).limit_denominator(100_000)


def _rounded(value: Fraction) -> int:
    # Half up, not half to even: the same distance always rounds the same way.
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


class DisplayOrder:
    """Pairs the pictures that leave a decoder with the packets that entered it."""

    def __init__(self) -> None:
        """Nothing has entered yet."""
        self._waiting: list[tuple[int, bool]] = []

    def enter(self, stamp: int, key: bool) -> None:
        """A packet went into the decoder; `key` says whether it begins anew, without reference to others."""
        heapq.heappush(self._waiting, (stamp, key))

    def leave(self, stamp: int) -> list[int] | None:
        """A picture was shown: forget its packet; returns the stamps due before it that gave no picture.

        None where no packet waits for this picture: it comes out of order, or its packet had no stamp.
        """
        if not any(waiting == stamp for waiting, _ in self._waiting):
            return None
        skipped = []
        while self._waiting[0][0] < stamp:
            skipped.append(heapq.heappop(self._waiting)[0])
        heapq.heappop(self._waiting)
        return skipped

    def leave_first(self) -> int | None:
        """The packet due first is dealt with; returns its stamp."""
        return heapq.heappop(self._waiting)[0] if self._waiting else None

    def skip_to_key(self) -> list[int]:
        """Forget the packets due before the next key frame, if one waits; returns their stamps."""
        skipped = []
        if any(key for _, key in self._waiting):
            while not self._waiting[0][1]:
                skipped.append(heapq.heappop(self._waiting)[0])
        return skipped

    def due_after(self, stamp: int | None) -> list[int]:
        """Stamps that still wait, of those later than `stamp`."""
        return [waiting for waiting, _ in self._waiting if stamp is None or waiting > stamp]
