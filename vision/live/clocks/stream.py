"""From the timestamps of a live stream to the time of day.

A camera stamps its pictures by a clock of its own, which may run at another rate than it says: one stamps 25
pictures a second and delivers 21. So the time of a picture is a line through (timestamp, arrival):

    t = rate x timestamp + offset

Pictures arrive late, in bursts, but never early. The line is therefore laid along the earliest arrivals: the
stream is cut into buckets of a second by its timestamps, of each bucket the picture counts that was least
late, the rate is the median of the slopes between these (Theil-Sen estimator, which a fifth of late buckets
does not move), and the offset is that of the least late picture of the last seconds. The line changes while
the stream goes on; the times given are drawn to it at `SLEW` at most, so that they never step.

They step, and the step is told, where timestamps jump (the camera started its clock anew), and where times
and line still part by more than `STEP_US`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vision.frames import SECOND

STEP_US = 2 * SECOND
"""Where the line and the times given part by more than this, the times step, microseconds; the most that a
clock may be wrong. Project default (docs/defaults.md)."""
SLEW = 0.1
"""Share of the passing time by which times are drawn to the line. Project default (docs/defaults.md)."""
BUCKET_US = SECOND
"""Length of a bucket by the stream's own timestamps, microseconds."""
BUCKETS = 30
"""Buckets from which the rate is estimated."""
RATE_BUCKETS = 4
"""Buckets before the rate is estimated at all; until then it is 1."""
OFFSET_BUCKETS = 10
"""Last buckets of which the least late picture gives the offset."""
RATES = (0.5, 2.0)
"""Rates that are believed."""
PATIENCE_US = 10 * SECOND
"""How long pictures may come later than `STEP_US` before that is taken for a step and not for a delay of the
network, microseconds of arrival. Project default (docs/defaults.md)."""


@dataclass(frozen=True, slots=True)
class ClockStep:
    """A step of the times that were given.

    Attributes:
        t: the first time after the step, microseconds UTC.
        by: how far the times stepped, microseconds; above 0 = forward.
        reason: why, as half a sentence.
    """

    t: int
    by: int
    reason: str


class StreamClock:
    """The clock of one connection.

    Attributes:
        rate: seconds of the time of day per second of the stream's timestamps.
    """

    def __init__(self) -> None:
        """Begin before the first packet."""
        self.rate = 1.0
        self._steps: list[ClockStep] = []
        self._buckets: deque[tuple[int, int]] = deque(maxlen=BUCKETS)  # (stamp, arrival) of the least late
        self._bucket: int | None = None
        self._last: tuple[int, int, int] | None = None  # stamp, arrival, time given
        self._offset = 0.0
        self._anchor: int | None = None
        self._anchored_until = 0
        self._late_since: int | None = None

    def begin(self, packets: Sequence[tuple[int, int]]) -> None:
        """Anchor the clock by the first packets, of which many may come at once when a stream is opened.

        Args:
            packets: stamp and arrival of each, microseconds, for `feed` to take next.
        """
        self._anchor = min(arrival - stamp for stamp, arrival in packets)
        self._anchored_until = max(stamp for stamp, _ in packets)

    def feed(self, stamp: int, arrival: int) -> int:
        """Take a packet, in order of decoding, and give the time of its stamp.

        Args:
            stamp: its decoding time by the stream, microseconds.
            arrival: when it came, microseconds UTC.

        Returns:
            The time of that stamp, microseconds UTC; it increases as long as stamps do.
        """
        if self._anchor is not None and stamp <= self._anchored_until:
            arrival = stamp + self._anchor
        if self._last is None:
            return self._begin(stamp, arrival, arrival)
        last_stamp, last_arrival, last_t = self._last
        if stamp < last_stamp:
            return self._restart(stamp, arrival, f"timestamps went back by {_s(last_stamp - stamp)} s")
        # A picture cannot come before it is taken.
        early = self._line(stamp) - arrival
        if early > STEP_US:
            return self._restart(stamp, arrival, f"timestamps jumped ahead by {_s(round(early))} s")
        self._collect(stamp, arrival)
        t = last_t + round((stamp - last_stamp) * self.rate)
        error = self._line(stamp) - t
        late = arrival - t > STEP_US
        if late:
            self._late_since = self._late_since if self._late_since is not None else last_arrival
        else:
            self._late_since = None
        if late and self._late_since is not None and arrival - self._late_since > PATIENCE_US:
            return self._restart(stamp, arrival, f"pictures came {_s(arrival - t)} s later than stamped")
        most = SLEW * (t - last_t)
        t += round(max(-most, min(most, error)))
        self._last = stamp, arrival, max(t, last_t + (stamp > last_stamp))
        return self._last[2]

    def at(self, stamp: int) -> int:
        """The time of a stamp near the last one that was fed, microseconds UTC."""
        assert self._last is not None, "a packet was fed"
        return self._last[2] + round((stamp - self._last[0]) * self.rate)

    def take_steps(self) -> list[ClockStep]:
        """The steps since the last call."""
        steps, self._steps = self._steps, []
        return steps

    def _begin(self, stamp: int, arrival: int, t: int) -> int:
        self._buckets.clear()
        self._bucket = None
        self._late_since = None
        self._collect(stamp, arrival)
        self._last = stamp, arrival, t
        return t

    def _restart(self, stamp: int, arrival: int, reason: str) -> int:
        """Lay a new line: the time since the last packet is that between the arrivals."""
        assert self._last is not None, "a packet was fed"
        self._anchor = None
        _, last_arrival, last_t = self._last
        expected = last_t + max(1, arrival - last_arrival)
        t = max(arrival, last_t + 1) if abs(arrival - expected) > STEP_US else expected
        self._steps.append(ClockStep(t, t - expected, reason))
        return self._begin(stamp, arrival, t)

    def _collect(self, stamp: int, arrival: int) -> None:
        bucket = stamp // BUCKET_US
        if bucket != self._bucket:
            self._bucket = bucket
            self._buckets.append((stamp, arrival))
            self._fit()
        else:
            first, best = self._buckets[-1]
            if arrival - stamp * self.rate < best - first * self.rate:
                self._buckets[-1] = (stamp, arrival)
                self._offset = min(self._offset, arrival - stamp * self.rate)

    def _fit(self) -> None:
        table = np.array(self._buckets, np.float64)
        # The last bucket has one picture only, which may be late.
        whole = table[:-1]
        if len(whole) >= RATE_BUCKETS:
            i, j = np.triu_indices(len(whole), 1)
            slopes = (whole[j, 1] - whole[i, 1]) / (whole[j, 0] - whole[i, 0])
            self.rate = float(np.clip(np.median(slopes), *RATES))
        recent = table[-OFFSET_BUCKETS:]
        self._offset = float((recent[:, 1] - recent[:, 0] * self.rate).min())

    def _line(self, stamp: int) -> float:
        return stamp * self.rate + self._offset


def _s(microseconds: int) -> str:
    return f"{microseconds / SECOND:.1f}"
