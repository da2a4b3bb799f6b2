"""The time of day as live cameras use it: it never goes back, and follows the computer's clock.

A box may start with a clock that is wrong, and time servers correct it later, in either direction. Stream
time must not go back, because what was recorded would be recorded twice. So the clock runs with the
monotonic one, and follows the computer's clock:

- a difference of up to `FOLLOWED_US` is taken over slowly, at `SLEW`;
- a step forwards is taken over at once: the time between was not watched;
- a step backwards is taken over slowly too, at `SLEW`, which takes twenty times its length. Until then, times
  are ahead of the computer's clock, which `difference` says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vision.clock import Stop
from vision.frames import SECOND

FOLLOWED_US = 2 * SECOND
"""Differences from the computer's clock up to this are taken over without a step, microseconds: the drift
that is reported, too. Project default (docs/defaults.md)."""
SLEW = 0.05
"""Share of the passing time by which the clock runs faster or slower to take over a difference. Project
default (docs/defaults.md)."""


class SteadyClock:
    """A `vision.clock.Clock` that never goes back; for any number of threads."""

    def __init__(
        self,
        wall: Callable[[], int] = lambda: time.time_ns() // 1000,
        monotonic: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
        begins: tuple[int, int] | None = None,
    ) -> None:
        """Begin with the computer's clock.

        Args:
            wall: the time of day, microseconds UTC; it may step.
            monotonic: a clock that never steps, microseconds.
            begins: go on with the clock of another process of this computer: its `reading`. None = with the
                computer's clock.
        """
        self._wall, self._monotonic = wall, monotonic
        self._lock = threading.Lock()
        self._seen, self._time = (monotonic(), wall()) if begins is None else begins
        self._steps = 0

    def reading(self) -> tuple[int, int]:
        """A moment of the monotonic clock and this clock's time then, both in microseconds."""
        self.now()
        with self._lock:
            return self._seen, self._time

    def go_on_from(self, t: int) -> None:
        """Be at `t` (microseconds UTC) now, unless it is later already: what an earlier process reached."""
        self.now()
        with self._lock:
            self._time = max(self._time, t)

    def now(self) -> int:
        """Microseconds UTC; never less than before."""
        with self._lock:
            seen = self._monotonic()
            passed, self._seen = seen - self._seen, seen
            self._time += passed
            difference = self._wall() - self._time
            if difference > FOLLOWED_US:
                self._time += difference
                self._steps += 1
            else:
                most = round(passed * SLEW)
                self._time += max(-most, min(most, difference))
            return self._time

    @property
    def steps(self) -> int:
        """How often the computer's clock was set forward by more than `FOLLOWED_US`."""
        return self._steps

    @property
    def difference(self) -> int:
        """The computer's clock less this one, microseconds: below 0 while this one is ahead."""
        now = self.now()
        return self._wall() - now

    def wait(self, seconds: float, stop: Stop) -> bool:
        """Wait until `seconds` have passed or `stop` is set; returns whether it is set."""
        return stop.wait(seconds)
