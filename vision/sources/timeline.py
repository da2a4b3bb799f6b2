"""The timeline of a recorded video: conversion of timestamps to stream time, and display order.

All times are exact integers. `stamp` is a timestamp in the time base of the stream, `elapsed` is microseconds
since the first frame, and `t` is microseconds UTC.
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
    """A source cannot be found, opened or dated."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The timeline of one file.

    Attributes:
        start: stream time of the first frame, microseconds UTC.
        origin: timestamp of the first frame, in units of `time_base`. Frames that an edit list hides before
            it do not belong to the video.
        time_base: seconds per unit of a timestamp.
        fps: frame rate that replaces the file's timestamps; None = use the timestamps.
        by_dts: the container stores no presentation times (AVI). The n-th frame in display order has the
            n-th decoding time; the presentation times that FFmpeg guesses are not used.
    """

    start: int
    origin: int
    time_base: Fraction
    fps: Fraction | None
    by_dts: bool

    def stamp(self, packet: Packet[VideoStream]) -> int | None:
        """The timestamp that gives the display time of a packet's frame; None if the packet has none."""
        return packet.dts if self.by_dts else packet.pts

    def elapsed(self, stamp: int) -> int:
        """Microseconds from the first frame to a timestamp."""
        return _rounded((stamp - self.origin) * self.time_base * SECOND)

    def at(self, elapsed: int) -> int:
        """The timestamp nearest to `elapsed` microseconds after the first frame."""
        return self.origin + _rounded(Fraction(elapsed, SECOND) / self.time_base)

    def t(self, stamp: int | None, index: int) -> int | None:
        """Stream time of frame number `index`; None if there is neither a timestamp nor `fps`."""
        if self.fps is not None:
            return index_time(self.start, index, self.fps)
        return None if stamp is None else self.start + self.elapsed(stamp)

    def first_index(self, t: int) -> int:
        """Index of the first frame at or after `t`, by `fps` (which must be given)."""
        if self.fps is None:
            raise ValueError("expected a timeline with fps, got one that follows the file's timestamps")
        index = max(0, int((t - self.start) * self.fps / SECOND) - 1)
        while index_time(self.start, index, self.fps) < t:
            index += 1
        return index


def index_time(start: int, index: int, rate: Fraction) -> int:
    """Stream time of frame number `index` of a series that begins at `start`, at `rate` frames per second."""
    return start + _rounded(index * SECOND / rate)


def exact_rate(fps: float) -> Fraction:
    """The exact rate that a decimal stands for: 29.97 -> 2997/100, 30000/1001 as a float -> 30000/1001.

    Raises:
        SourceError: the rate is not a positive number.
    """
    if not 0 < fps < float("inf"):
        raise SourceError(f"expected a frame rate above 0, got {fps}")
    return Fraction(fps).limit_denominator(100_000)


def _rounded(value: Fraction) -> int:
    # Round half up, not half to even, so that equal distances round the same way.
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


class DisplayOrder:
    """Matches the frames that leave a decoder with the packets that entered it."""

    def __init__(self) -> None:
        """Begin before the first packet."""
        self._waiting: list[tuple[int, bool]] = []

    def enter(self, stamp: int, key: bool) -> None:
        """Note that a packet enters the decoder; `key`: it is a key frame."""
        heapq.heappush(self._waiting, (stamp, key))

    def leave(self, stamp: int) -> list[int] | None:
        """Note that a frame leaves; returns the earlier timestamps that were due and gave no frame.

        Returns None if no packet waits for this frame: it is out of order, or its packet had no timestamp.
        """
        if not any(waiting == stamp for waiting, _ in self._waiting):
            return None
        skipped = []
        while self._waiting[0][0] < stamp:
            skipped.append(heapq.heappop(self._waiting)[0])
        heapq.heappop(self._waiting)
        return skipped

    def leave_first(self) -> int | None:
        """Note that the packet due first is done; returns its timestamp, None if no packet waits."""
        return heapq.heappop(self._waiting)[0] if self._waiting else None

    def skip_to_key(self) -> list[int]:
        """Drop the packets due before the next key frame, if one waits; returns their timestamps."""
        skipped = []
        if any(key for _, key in self._waiting):
            while not self._waiting[0][1]:
                skipped.append(heapq.heappop(self._waiting)[0])
        return skipped

    def due_after(self, stamp: int | None) -> list[int]:
        """Stamps that still wait, of those later than `stamp`."""
        return [waiting for waiting, _ in self._waiting if stamp is None or waiting > stamp]
