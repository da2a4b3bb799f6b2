"""Waiting and the time of day, given as arguments, so that faults can be tested without waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class StoppedError(Exception):
    """Work ended early, because it was asked to stop."""


class Stop:
    """A request to stop: set once, by any thread, and seen by every thread that reads or waits.

    May be set from a signal handler.
    """

    def __init__(self) -> None:
        """Begin without a request."""
        # An RLock, because a signal handler may set this while the main thread holds the lock.
        self._changed = threading.Condition(threading.RLock())
        self._set = False
        self._callbacks: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        """Whether a stop was requested; takes no lock."""
        return self._set

    def check(self) -> None:
        """End work that was asked to stop.

        Raises:
            StoppedError: a stop was requested.
        """
        if self._set:
            raise StoppedError

    def set(self) -> None:
        """Request the stop; returns at once. A second call does nothing."""
        with self._changed:
            if self._set:
                return
            self._set = True
            self._changed.notify_all()
            for callback in self._callbacks:
                callback()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until a stop is requested, at most `timeout_s` seconds (None = for ever); returns `is_set`."""
        with self._changed:
            return self._changed.wait_for(self.is_set, timeout_s)

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` once if the stop is requested within the block, or was requested before it.

        The callback runs in the thread that requests the stop, and never after the block. It must not wait
        and must not raise.
        """
        with self._changed:
            if self._set:
                callback()
            self._callbacks.append(callback)
        try:
            yield
        finally:
            with self._changed:
                self._callbacks.remove(callback)


class Clock(Protocol):
    """The time of day, and waiting."""

    def now(self) -> int:
        """Microseconds UTC. May step back, as the clock of a computer does when it is corrected."""

    def wait(self, seconds: float, stop: Stop) -> bool:
        """Wait until `seconds` have passed or `stop` is set; returns whether it is set."""


class SystemClock:
    """The clock of this computer."""

    def now(self) -> int:
        """Microseconds UTC."""
        return time.time_ns() // 1000

    def wait(self, seconds: float, stop: Stop) -> bool:
        """Wait until `seconds` have passed or `stop` is set; returns whether it is set."""
        return stop.wait(seconds)
