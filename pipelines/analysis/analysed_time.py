"""The time of a camera that was analysed before: its frames are not analysed a second time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence


class AnalysedTime:
    """Half-open intervals of stream time, microseconds UTC."""

    def __init__(self, intervals: Sequence[tuple[int, int]] = (), slack: int = 0) -> None:
        """Take intervals [start, end) that are in order of time and do not overlap.

        `slack`: a frame less than this before the end of one is not of it, microseconds; files that follow
        each other overlap by the rounding of their times.
        """
        self._slack = slack
        self._intervals = tuple(intervals)
        self._starts = [start for start, _ in self._intervals]

    def holds(self, t: int) -> bool:
        """Whether the frame of a moment is in one of them."""
        number = bisect_right(self._starts, t) - 1
        return number >= 0 and t < self._intervals[number][1] - self._slack

    def free(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of [start, end) that are in none of them, in order of time."""
        number = max(0, bisect_right(self._starts, start) - 1)
        for low, high in self._intervals[number:]:
            if low >= end:
                break
            if high <= start:
                continue
            if low > start:
                yield start, low
            start = max(start, high)
        if start < end:
            yield start, end
