"""Memory that was freed, given back to the system.

The C library keeps freed memory in pools, of which each thread uses one. In programs that run for months with
many threads, peaks of one thread after the other leave gaps in all pools: the memory in use stays the same,
and that of the process grows.
"""

from __future__ import annotations

import ctypes
import time

EVERY_S = 60.0
"""Seconds between two times that freed memory is given back, which takes some milliseconds. Project default
(docs/defaults.md)."""


class FreedMemory:
    """Gives freed memory of this process back to the system, from time to time."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        """Find out whether the C library can do it: glibc can, others need not.

        Args:
            every_s: seconds between two times.
        """
        self._every_s = every_s
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._at = time.monotonic()

    def give_back_if_due(self) -> None:
        """Give it back, unless that was less than `every_s` ago; to be called as often as one likes."""
        now = time.monotonic()
        if self._trim is not None and now - self._at >= self._every_s:
            self._at = now
            self._trim(ctypes.c_size_t(0))
