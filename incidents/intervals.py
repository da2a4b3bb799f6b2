"""Exact 95 % intervals of shares and of rates, and the estimate that carries one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LEVEL = 0.95
"""Confidence level of every interval."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; None where it is not known.

    Attributes:
        interval: how the interval was computed: "bootstrap", "exact", or None where there is none.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    interval: Literal["bootstrap", "exact"] | None = None

    def to_dict(self) -> dict[str, float | str | None]:
        """The estimate for JSON, rounded to 6 decimals."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        rounded = {name: None if v is None else round(v, 6) for name, v in numbers.items()}
        return {**rounded, "interval": self.interval}


def exact_share(part: int, whole: int) -> tuple[float, float]:
    """The exact binomial interval of the share `part` / `whole` (Clopper and Pearson 1934).

    The interval is 0 to 1 where `whole` is 0: nothing is known of the share.
    """
    if whole == 0:
        return 0.0, 1.0
    from scipy.stats import binomtest  # late: scipy.stats takes half a second to import

    interval = binomtest(part, whole).proportion_ci(LEVEL, method="exact")
    return float(interval.low), float(interval.high)


def exact_rate(count: int, time: float) -> tuple[float, float]:
    """The exact Poisson interval of the rate `count` / `time` (Garwood 1936), per unit of `time`."""
    from scipy.stats import chi2  # late: scipy.stats takes half a second to import

    tail = (1 - LEVEL) / 2
    low = float(chi2.ppf(tail, 2 * count)) / 2 if count > 0 else 0.0
    high = float(chi2.ppf(1 - tail, 2 * count + 2)) / 2
    return low / time, high / time
