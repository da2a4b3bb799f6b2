"""Confidence intervals by the percentile bootstrap (Efron 1979).

The independent units of the data (images, people, blocks of time) are resampled with replacement, as many
as there are, and the estimate is computed again; the middle 95 % of many such values are the interval. A
resample is kept as how often each unit is in it, so an estimate made of sums needs no copy of the data.

A bootstrap cannot show what is not in the data: for 3 correct of 3 its interval is 1 to 1. There, and where
there are too few units, shares get the exact binomial interval (Clopper and Pearson 1934) and rates the exact
Poisson interval (Garwood 1936), and the estimate says which of them it has.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from incidents.intervals import LEVEL, Estimate, exact_rate, exact_share

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RESAMPLES = 1000
"""Bootstrap resamples. Project default (docs/defaults.md)."""
SEED = 0
MIN_UNITS = 5
"""Fewest units for a bootstrap interval: of 4 there are only 35 different resamples. Project default
(docs/defaults.md)."""


def resample_counts(units: int, resamples: int = RESAMPLES, seed: int = SEED) -> Ints:
    """How often each unit is in each resample: (resamples, units); each row sums to `units`.

    The same seed gives the same resamples.
    """
    if units == 0:
        return np.zeros((resamples, 0), dtype=np.int64)
    rng = np.random.default_rng(seed)
    return rng.multinomial(units, np.full(units, 1 / units), size=resamples).astype(np.int64)


def bootstrap_estimate(value: float | None, resampled: Floats, units: int) -> Estimate:
    """An estimate with its bootstrap interval.

    Args:
        value: the value on all data; None or NaN if it is undefined.
        resampled: (R,) the value in each resample; NaN where it is undefined.
        units: number of units that were resampled. Fewer than MIN_UNITS give no interval, and neither do
            resamples that all give the same value.
    """
    defined = resampled[~np.isnan(resampled)]
    if value is None or np.isnan(value):
        return Estimate(None)
    if units < MIN_UNITS or len(defined) == 0 or defined.min() == defined.max():
        return Estimate(float(value))
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(defined, [tail, 100 - tail])
    return Estimate(float(value), float(low), float(high), "bootstrap")


def share_estimate(part: int, whole: int, resampled: Floats, units: int) -> Estimate:
    """The share `part` / `whole` of counts; the interval is exact where the bootstrap gives none."""
    if whole == 0:
        return Estimate(None)
    estimate = bootstrap_estimate(part / whole, resampled, units)
    if estimate.interval is not None and 0 < part < whole:
        return estimate
    return Estimate(part / whole, *exact_share(part, whole), "exact")


def rate_estimate(count: int, hours: float, resampled: Floats, units: int) -> Estimate:
    """A count per hour; the interval is exact where the bootstrap gives none."""
    if hours <= 0:
        return Estimate(None)
    estimate = bootstrap_estimate(count / hours, resampled, units)
    if estimate.interval is not None and count > 0:
        return estimate
    return Estimate(count / hours, *exact_rate(count, hours), "exact")


def safe_ratio(part: Floats, whole: Floats) -> Floats:
    """Elementwise part / whole, NaN where whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
