"""How long to wait before a camera is connected to again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from vision.live.causes import LOGIN, StreamFault

STEPS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds from one attempt to the next after the first failure, the second, and so on; the last for all
that follow. Project default (docs/defaults.md)."""
LOGIN_STEPS_S = (60.0, 300.0, 900.0, 1800.0)
"""The same after a refused login: cameras lock a login out for up to 30 minutes after a few refusals, and
each further attempt may begin that time anew. Project default (docs/defaults.md)."""
JITTER = 0.25
"""The most by which a wait is shortened at random, as a share of it: many cameras behind one switch come back
at the same moment. Project default (docs/defaults.md)."""
LEAST_WAIT_S = 1.0
"""Shortest wait, seconds, so that an instant refusal is no tight loop. Project default (docs/defaults.md)."""


@dataclass(frozen=True)
class LiveBackOff:
    """A `vision.sources.reopening.BackOff`.

    The steps are from attempt to attempt: what an attempt took to fail is no further wait.

    Attributes:
        random: gives the share of the jitter, 0..1.
    """

    random: Callable[[], float] = random.random

    def __call__(self, failures: int, error: Exception | None, took_s: float) -> float:
        """Seconds to wait."""
        refused = isinstance(error, StreamFault) and error.cause in LOGIN
        steps = LOGIN_STEPS_S if refused else STEPS_S
        step = steps[min(failures, len(steps)) - 1]
        return max(LEAST_WAIT_S, step * (1 - JITTER * self.random()) - took_s)
