"""What a watch costs over hours: samples, and the slopes through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.live.processes import TreeCost

SETTLES_S = 300.0
"""Seconds after a start that do not count for a slope: networks are compiled for the shapes that prove to be
frequent, and pools of memory fill."""
LEAST_S = 300.0
"""A start that lasted less than this beyond them has no slope."""


@dataclass(frozen=True)
class Sample:
    """A watch at a moment.

    Attributes:
        at: seconds from the beginning of the rehearsal.
        start: number of the start of the watch, from 0.
        rss_mb: of the process that analyses.
        readers_mb: of all readers, shared pages in part.
        handles, threads: of the process that analyses.
        reader_handles: of all readers.
        processes: how many there are.
        ledger_mb: the ledger's files.
        waiting: results that wait for the ledger; None = the watch did not answer.
    """

    at: float
    start: int
    rss_mb: float
    readers_mb: float
    handles: int
    threads: int
    reader_handles: int
    processes: int
    ledger_mb: float
    waiting: int | None


def sample_of(at: float, start: int, cost: TreeCost, ledger_mb: float, waiting: int | None) -> Sample:
    """A sample."""
    readers = cost.readers.values()
    return Sample(
        at,
        start,
        cost.main.rss_mb,
        sum(one.pss_mb for one in readers),
        cost.main.handles,
        cost.main.threads,
        sum(one.handles for one in readers),
        1 + len(cost.readers) + len(cost.others),
        ledger_mb,
        waiting,
    )


def slopes(samples: Sequence[Sample], names: Sequence[str]) -> list[tuple[int, float, dict[str, float]]]:
    """Of each start of the watch: its number, the hours that count, and the slope of each value by the hour.

    The slope is the median of those between samples (Theil and Sen), so that a peak does not move it.
    """
    found = []
    for start in sorted({one.start for one in samples}):
        own = [one for one in samples if one.start == start]
        own = [one for one in own if one.at >= own[0].at + SETTLES_S]
        if not own or own[-1].at - own[0].at < LEAST_S:
            continue
        hours = np.array([one.at for one in own]) / 3600
        i, j = np.triu_indices(len(own), 1)
        values = {name: np.array([getattr(one, name) for one in own], np.float64) for name in names}
        rates = {
            name: float(np.median((value[j] - value[i]) / (hours[j] - hours[i])))
            for name, value in values.items()
        }
        found.append((start, float(hours[-1] - hours[0]), rates))
    return found
