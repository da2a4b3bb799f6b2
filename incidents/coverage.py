"""Coverage: the state of a camera in every second, and its cause. Pure functions over intervals.

Every second of a camera is in exactly one interval. Intervals are half-open, [start, end), in whole
microseconds, so that lengths add up exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from vision.frames import SECOND, to_iso
from zones.errors import LazarettoError


class CoverageError(LazarettoError):
    """Invalid intervals: empty, overlapping, or of several cameras."""


class State(StrEnum):
    """What a camera was doing."""

    ANALYSED = "analysed"
    IDLE = "idle"  # decoded and checked for motion; nothing moved
    FROZEN = "frozen"
    COVERED = "covered"
    DARK = "dark"
    BLURRED = "blurred"
    MOVED = "moved"
    UNDECODABLE = "undecodable"
    OFFLINE = "offline"
    PLANNED = "planned"  # maintenance that was announced


WATCHED = frozenset({State.ANALYSED, State.IDLE})
"""States in which the camera was supervised: a still scene that was checked for motion counts."""
NO_RECORD = "no_record"
"""Cause of time without a record; it counts as offline, never as compliance."""

_RANK = {State.ANALYSED: 3, State.IDLE: 2, State.OFFLINE: 0, State.PLANNED: 0}
_IMPAIRED = 1


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """One state of one camera over [start, end), microseconds UTC.

    Attributes:
        cause: the reason, in a word or a sentence; "" = none.

    Raises:
        CoverageError: the interval is empty.
        ValueError: the state is not one of `State`.
    """

    camera: str
    start: int
    end: int
    state: State
    cause: str = ""

    def __post_init__(self) -> None:
        """Refuse an empty interval; take a state by its name."""
        object.__setattr__(self, "state", State(self.state))
        if self.end <= self.start:
            raise CoverageError(
                f"coverage of camera {self.camera}: expected an end after {self.start}, got {self.end}"
            )

    @property
    def length(self) -> int:
        """Microseconds from start to end."""
        return self.end - self.start


def normalise(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sort the intervals of one camera and merge neighbours that touch and have the same state and cause.

    Raises:
        CoverageError: two intervals overlap (even with the same state), or there is more than one camera.
    """
    merged: list[Interval] = []
    for item in sorted(intervals):
        if not merged:
            merged.append(item)
            continue
        last = merged[-1]
        if item.camera != last.camera:
            raise CoverageError(f"expected coverage of one camera, got {last.camera} and {item.camera}")
        if item.start < last.end:
            raise CoverageError(
                f"coverage of camera {item.camera}: expected each second once, got {last.state} until "
                f"{to_iso(last.end)} and {item.state} from {to_iso(item.start)}"
            )
        if item.start == last.end and (item.state, item.cause) == (last.state, last.cause):
            merged[-1] = replace(last, end=item.end)
        else:
            merged.append(item)
    return tuple(merged)


def wins(new: State, old: State) -> bool:
    """Whether a newer record replaces an older one of the same second.

    Supervised time stays supervised: analysed > idle > the impaired states (frozen, covered, dark,
    blurred, moved, undecodable) > offline and planned; within a rank the newer record wins. Only
    between offline and planned does the older one stay: maintenance announced beforehand explains an
    outage, maintenance declared afterwards must not hide one.
    """
    if {new, old} == {State.OFFLINE, State.PLANNED}:
        return False
    return _RANK.get(new, _IMPAIRED) >= _RANK.get(old, _IMPAIRED)


def overlay(old: Iterable[Interval], new: Iterable[Interval]) -> tuple[Interval, ...]:
    """Lay newer intervals of a camera over older ones; where they meet, `wins` decides.

    Returns normalised intervals that cover exactly the union of both; analysed time never shrinks.

    Raises:
        CoverageError: `old` or `new` overlap within themselves, or there is more than one camera.
    """
    below, above = normalise(old), normalise(new)
    edges = sorted({edge for item in (*below, *above) for edge in (item.start, item.end)})
    parts = []
    for (start, end), under, over in zip(
        pairwise(edges), _along(below, edges), _along(above, edges), strict=True
    ):
        if under is None or (over is not None and wins(over.state, under.state)):
            under = over
        if under is not None:
            parts.append(replace(under, start=start, end=end))
    return normalise(parts)


def withdraw(old: Iterable[Interval], window: tuple[int, int], cause: str) -> tuple[Interval, ...]:
    """Turn supervised time within [start, end) of the window into undecodable time with that cause."""
    start, end = window
    parts = []
    for item in old:
        edges = sorted({item.start, item.end, *(t for t in window if item.start < t < item.end)})
        for left, right in pairwise(edges):
            piece = replace(item, start=left, end=right)
            if item.state in WATCHED and start <= left < end:
                piece = replace(piece, state=State.UNDECODABLE, cause=cause)
            parts.append(piece)
    return normalise(parts)


def clip(intervals: Iterable[Interval], window: tuple[int, int]) -> tuple[Interval, ...]:
    """The parts of the intervals within [start, end) of the window."""
    start, end = window
    return tuple(
        replace(item, start=max(item.start, start), end=min(item.end, end))
        for item in intervals
        if item.start < end and item.end > start
    )


def fill(intervals: Iterable[Interval], camera: str, window: tuple[int, int]) -> tuple[Interval, ...]:
    """Partition the window: the intervals within it, and offline (`NO_RECORD`) where there is none.

    Raises:
        CoverageError: the window is empty, intervals overlap, or they are of another camera.
    """
    start, end = window
    if end <= start:
        raise CoverageError(f"coverage of camera {camera}: expected a window after {start}, got {end}")
    inside = normalise(clip(intervals, window))
    lefts = (start, *(item.end for item in inside))
    rights = (*(item.start for item in inside), end)
    gaps = [
        Interval(camera, left, right, State.OFFLINE, NO_RECORD)
        for left, right in zip(lefts, rights, strict=True)
        if left < right
    ]
    return normalise((*inside, *gaps))


def lengths(intervals: Iterable[Interval], window: tuple[int, int]) -> dict[State, int]:
    """Microseconds of the window in each state, every state named; they add up to the window exactly.

    Time without any interval counts as offline.

    Raises:
        CoverageError: the window is empty, intervals overlap, or there is more than one camera.
    """
    inside = clip(intervals, window)
    camera = inside[0].camera if inside else ""
    total = dict.fromkeys(State, 0)
    for item in fill(inside, camera, window):
        total[item.state] += item.length
    return total


def summary(intervals: Iterable[Interval], window: tuple[int, int]) -> dict[State, float]:
    """Seconds of the window in each state, every state named; see `lengths`."""
    return {state: length / SECOND for state, length in lengths(intervals, window).items()}


def share_analysed(intervals: Iterable[Interval], window: tuple[int, int]) -> float:
    """Share of the window in which the camera was supervised (analysed or idle), 0..1; see `lengths`."""
    total = lengths(intervals, window)
    return sum(total[state] for state in WATCHED) / (window[1] - window[0])


def _along(intervals: Sequence[Interval], edges: Sequence[int]) -> Iterator[Interval | None]:
    """For each piece between two edges, the interval that covers it; edges contain all its ends."""
    place = 0
    for start in edges[:-1]:
        while place < len(intervals) and intervals[place].end <= start:
            place += 1
        inside = place < len(intervals) and intervals[place].start <= start
        yield intervals[place] if inside else None
