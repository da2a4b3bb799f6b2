"""How long to wait before a camera is connected to again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from vision.live.causes import StreamFault

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


@dataclass
class LiveBackOff:
    """A `vision.sources.reopening.BackOff` of one stream.

    The steps are from attempt to attempt: what an attempt took to fail is no further wait. Refused logins are
    counted apart: a camera that was away for hours, and refuses one login while it starts, is no locked one.

    Attributes:
        random: gives the share of the jitter, 0..1.
    """

    random: Callable[[], float] = random.random
    _refusals: int = field(default=0, init=False)

    def __call__(self, failures: int, error: Exception | None, took_s: float) -> float:
        """Seconds to wait."""
        refused = isinstance(error, StreamFault) and error.locks_out
        if failures == 1:
            self._refusals = 0
        self._refusals += refused
        steps, count = (LOGIN_STEPS_S, self._refusals) if refused else (STEPS_S, failures)
        step = steps[min(count, len(steps)) - 1]
        return max(LEAST_WAIT_S, step * (1 - JITTER * self.random()) - took_s)
