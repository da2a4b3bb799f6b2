"""The coverage of a live camera as it passes: every second in exactly one state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from incidents.coverage import WATCHED, Interval, State, normalise
from vision.frames import SECOND


@dataclass(frozen=True, slots=True)
class PlannedTime:
    """Announced maintenance.

    Attributes:
        start, end: [start, end), microseconds UTC.
        reason: what is done.
        announced: when it was announced, microseconds UTC: it explains no outage that had begun by then.
    """

    start: int
    end: int
    reason: str
    announced: int = 0


@dataclass
class PassingCoverage:
    """What is known of the coverage of a camera and not handed on yet.

    Attributes:
        camera: id of the camera.
        reached: end of the coverage, microseconds UTC.
        planned: announced maintenance around now. While a camera watches in it, it watches.
        lost_since: since when the camera has not been watched; None while it is.
    """

    camera: str
    reached: int
    planned: Sequence[PlannedTime] = ()
    lost_since: int | None = None
    _detected: dict[int, bool] = field(default_factory=dict)
    _conditions: dict[int, tuple[State, str]] = field(default_factory=dict)
    _last: bool = True
    _intervals: list[Interval] = field(default_factory=list)

    def saw(self, t: int, detected: bool, condition: tuple[State, str] | None) -> None:
        """Take a frame of time `t` (microseconds UTC).

        Args:
            t: its time.
            detected: whether something of it reached the person detector; else it was checked for motion.
            condition: what is wrong with the picture: a state and a cause; None = nothing.
        """
        second = t // SECOND
        self._detected[second] = detected or self._detected.get(second, False)
        if condition is None:
            self._conditions.pop(second, None)
        else:
            self._conditions[second] = condition

    def watched_until(self, t: int) -> None:
        """The time up to `t` was watched, as far as the pictures could be used.

        Each second of it is analysed where a frame of it reached the detector, else idle, or what its last
        picture said is wrong. A second without a frame is as the one before.
        """
        condition: tuple[State, str] | None = None
        for second in range(self.reached // SECOND, -(-t // SECOND)):
            low, high = max(self.reached, second * SECOND), min(t, (second + 1) * SECOND)
            if high <= low:
                continue
            if second in self._detected:
                self._last = self._detected[second]
                condition = self._conditions.get(second)
            if condition is not None:
                self._add(low, high, *condition)
            else:
                self._add(low, high, State.ANALYSED if self._last else State.IDLE, "")
        self._forget(t)

    def lost_until(self, t: int, state: State, cause: str) -> None:
        """The time up to `t` was not watched."""
        if t > self.reached:
            self._add(self.reached, t, state, cause)
        self._forget(t)

    def take(self) -> tuple[Interval, ...]:
        """The intervals since the last call, in order of time."""
        intervals, self._intervals = self._intervals, []
        return normalise(intervals)

    def _add(self, start: int, end: int, state: State, cause: str) -> None:
        if state in WATCHED:
            self.lost_since = None
        elif self.lost_since is None:
            self.lost_since = start
        for part in self._parts(Interval(self.camera, start, end, state, cause)):
            self._intervals.append(part)
        self.reached = end

    def _parts(self, interval: Interval) -> list[Interval]:
        """The parts of an interval in and outside announced maintenance."""
        if interval.state in WATCHED or not self.planned:
            return [interval]
        edges = {interval.start, interval.end}
        for window in self.planned:
            edges |= {t for t in (window.start, window.end) if interval.start < t < interval.end}
        ordered = sorted(edges)
        parts = []
        for low, high in pairwise(ordered):
            part = replace(interval, start=low, end=high)
            for window in self.planned:
                known = self.lost_since is None or window.announced <= self.lost_since
                if known and window.start <= low < window.end:
                    part = replace(part, state=State.PLANNED, cause=window.reason)
                    break
            parts.append(part)
        return parts

    def _forget(self, t: int) -> None:
        second = t // SECOND
        for old in [known for known in self._detected if known < second]:
            del self._detected[old]
            self._conditions.pop(old, None)
