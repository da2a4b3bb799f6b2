"""Intervals that say how far a figure may be off because the test data were few.

The percentile bootstrap (Efron 1979): what was drawn independently (images, people, blocks of time) is
drawn anew with replacement, as many as there were, and the figure is computed again; of many such figures
the middle 95 % are the interval. A draw is a vector of how often each unit was drawn, so figures made of
sums need no copy of the data.

A bootstrap cannot show what it has never seen: of 3 right out of 3 it makes the interval 1 to 1. There, and
where there are too few units to draw from, shares get the exact binomial interval (Clopper and Pearson
1934) and counts per hour the exact Poisson one (Garwood 1936), and say so.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from incidents.intervals import LEVEL, Estimate, exact_rate, exact_share

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RESAMPLES = 1000
SEED = 0
FEWEST = 5
"""Units from which on drawing anew says something [D]: of 4, there are 35 different draws."""


def draws(units: int, resamples: int = RESAMPLES, seed: int = SEED) -> Ints:
    """How often each unit is drawn, (resamples, units); each row sums to `units`.

    The same numbers give the same draws.
    """
    if units == 0:
        return np.zeros((resamples, 0), dtype=np.int64)
    rng = np.random.default_rng(seed)
    return rng.multinomial(units, np.full(units, 1 / units), size=resamples).astype(np.int64)


def figure(value: float | None, resampled: Floats, units: int) -> Estimate:
    """A figure and what it was in the draws; NaN stands for draws in which it was not defined.

    Args:
        value: on all the data.
        resampled: (R,) in each draw.
        units: how many there were to draw from; fewer than FEWEST give no interval, and neither do draws
            that are all alike.
    """
    known = resampled[~np.isnan(resampled)]
    if value is None or np.isnan(value):
        return Estimate(None)
    if units < FEWEST or len(known) == 0 or known.min() == known.max():
        return Estimate(float(value))
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(known, [tail, 100 - tail])
    return Estimate(float(value), float(low), float(high), "bootstrap")


def share(part: int, whole: int, resampled: Floats, units: int) -> Estimate:
    """A share `part` / `whole` of counts; exact where the bootstrap can say nothing."""
    if whole == 0:
        return Estimate(None)
    drawn = figure(part / whole, resampled, units)
    if drawn.interval is not None and 0 < part < whole:
        return drawn
    return Estimate(part / whole, *exact_share(part, whole), "exact")


def per_hour(count: int, hours: float, resampled: Floats, units: int) -> Estimate:
    """A count per hour; exact where the bootstrap can say nothing."""
    if hours <= 0:
        return Estimate(None)
    drawn = figure(count / hours, resampled, units)
    if drawn.interval is not None and count > 0:
        return drawn
    return Estimate(count / hours, *exact_rate(count, hours), "exact")


def ratio(part: Floats, whole: Floats) -> Floats:
    """Elementwise part / whole, NaN where whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
