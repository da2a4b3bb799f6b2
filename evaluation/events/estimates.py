"""Recall, precision, F, delay and false alarms of whole events, with intervals.

Events and alarms are matched as `incidents.scoring` says. A match asks for the kind, the zone and the time,
not for the person: an alarm about one person finds an event of another in the same zone and time.

The intervals come from a block bootstrap over analysed time (blocks of 10 s): an event counts in the block
in which it begins, a false alarm in the block in which it begins, and hours come with their blocks. Much
analysed time is cut into longer blocks, at most MAX_BLOCKS. Shares of none or all get exact intervals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.bootstrap import (
    bootstrap_estimate,
    rate_estimate,
    resample_counts,
    safe_ratio,
    share_estimate,
)
from evaluation.events.case import Case, Span, span_of
from incidents.intervals import Estimate
from incidents.scoring import HOUR, Alarm, Event, Matching, Score, f_score, match, score
from vision.frames import SECOND

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BLOCK_S = 10.0
"""Seconds of a block of the bootstrap. Project default (docs/defaults.md)."""
MAX_BLOCKS = 5000
"""Most blocks: 1000 resamples of 5000 blocks take 40 MB, and more blocks hardly change an interval. Project
default (docs/defaults.md)."""
ALL = "all"


@dataclass(frozen=True)
class KindAccuracy:
    """One kind of events, or all kinds together: the score, and its estimates with intervals."""

    score: Score
    recall: Estimate
    precision: Estimate
    f: Estimate
    false_alarms_per_hour: Estimate
    median_delay_s: Estimate


@dataclass(frozen=True)
class EventAccuracy:
    """Accuracy by kind.

    Attributes:
        kinds: by kind, `ALL` last.
        blocks: blocks that were resampled.
        not_scored: number of alarms outside the time of which the truth is known.
        missed: true events without an alarm, in order of time.
        false_alarms: alarms without a true event, in order of time.
    """

    kinds: Mapping[str, KindAccuracy]
    blocks: int
    not_scored: int
    missed: tuple[Event, ...]
    false_alarms: tuple[Alarm, ...]


def event_accuracy(
    case: Case, *, tolerance: int, bias: float, block_s: float = BLOCK_S, resamples: int, seed: int
) -> EventAccuracy:
    """Score a case, by kind and over all kinds.

    An alarm outside the spans counts only if it finds an event.

    Args:
        case: what is scored.
        tolerance: microseconds after the start of an event in which it can be alarmed.
        bias: recall bias of F, see `incidents.scoring.f_score`.
        block_s: seconds of a block.
        resamples: bootstrap resamples.
        seed: of the bootstrap.
    """
    finding = {a for _, a in match(case.events, case.alarms, tolerance).pairs}
    scored = [
        alarm
        for a, alarm in enumerate(case.alarms)
        if a in finding or span_of(case.spans, alarm.camera, alarm.start) is not None
    ]
    total = sum(item.end - item.start for item in case.spans)
    blocks = _Blocks(case.spans, max(round(block_s * SECOND), total // MAX_BLOCKS))
    resampled = resample_counts(len(blocks.hours), resamples, seed)
    result = {}
    kinds = sorted({item.kind for item in case.events} | {item.kind for item in scored})
    for kind in (*kinds, ALL):
        events = [item for item in case.events if kind in (item.kind, ALL)]
        alarms = [item for item in scored if kind in (item.kind, ALL)]
        matching = match(events, alarms, tolerance)
        of_kind = score(events, alarms, float(blocks.hours.sum()), tolerance=tolerance, bias=bias)
        result[kind] = _kind_accuracy(
            of_kind, blocks.count(events, alarms, matching), blocks.hours, resampled, bias
        )
    final = match(case.events, scored, tolerance)
    return EventAccuracy(
        result,
        len(blocks.hours),
        len(case.alarms) - len(scored),
        tuple(sorted((case.events[e] for e in final.missed), key=_by_time)),
        tuple(sorted((scored[a] for a in final.false_alarms), key=_by_time)),
    )


def _by_time(item: Event | Alarm) -> tuple[int, str, str]:
    return item.start, item.camera, item.kind


@dataclass(frozen=True)
class _BlockCounts:
    """Counts per block.

    Attributes:
        found, missed, false: (B,) events found, events missed, false alarms.
        delays: of the events found, microseconds; delay_block: the block of each.
    """

    found: Floats
    missed: Floats
    false: Floats
    delays: Floats
    delay_block: Ints


class _Blocks:
    """Analysed time cut into blocks of nearly equal length, numbered over all spans."""

    def __init__(self, spans: Sequence[Span], length: int) -> None:
        self._spans = spans
        parts = [max(1, round((item.end - item.start) / length)) for item in spans]
        self._first = np.concatenate([[0], np.cumsum(parts)]).astype(np.int64)
        hours = [(item.end - item.start) / HOUR for item in spans]
        self.hours = np.repeat(np.divide(hours, parts), parts)

    def at(self, camera: str, t: int) -> int:
        """The block that holds a time; outside all spans of the camera, the nearest block."""
        own = [n for n, item in enumerate(self._spans) if item.camera == camera]
        n = min(own, key=lambda n: max(self._spans[n].start - t, t - self._spans[n].end, 0))
        span, parts = self._spans[n], int(self._first[n + 1] - self._first[n])
        place = (t - span.start) * parts // (span.end - span.start)
        return int(self._first[n]) + min(max(place, 0), parts - 1)

    def count(self, events: Sequence[Event], alarms: Sequence[Alarm], matching: Matching) -> _BlockCounts:
        size = len(self.hours)

        def by_block(items: Iterable[Event | Alarm]) -> Floats:
            rows = [self.at(item.camera, item.start) for item in items]
            return np.bincount(np.array(rows, dtype=np.int64), minlength=size).astype(np.float64)

        found = [events[e] for e, _ in matching.pairs]
        return _BlockCounts(
            by_block(found),
            by_block(events[e] for e in matching.missed),
            by_block(alarms[a] for a in matching.false_alarms),
            np.array(matching.delays, dtype=np.float64),
            np.array([self.at(item.camera, item.start) for item in found], dtype=np.int64),
        )


def _kind_accuracy(
    of_kind: Score, counts: _BlockCounts, hours: Floats, resampled: Ints, bias: float
) -> KindAccuracy:
    units = len(hours)
    found, missed, false = (resampled @ row for row in (counts.found, counts.missed, counts.false))
    recalls, precisions = safe_ratio(found, found + missed), safe_ratio(found, found + false)
    recall = share_estimate(of_kind.found, of_kind.events, recalls, units)
    precision = share_estimate(of_kind.found, of_kind.alarms, precisions, units)
    false_alarms_per_hour = rate_estimate(
        of_kind.alarms - of_kind.found, of_kind.hours, safe_ratio(false, resampled @ hours), units
    )
    f = _f_estimate(of_kind, recalls, precisions, recall, precision, bias, units)
    return KindAccuracy(
        of_kind, recall, precision, f, false_alarms_per_hour, _delay_estimate(of_kind, counts, resampled)
    )


def _f_estimate(
    of_kind: Score,
    recalls: Floats,
    precisions: Floats,
    recall: Estimate,
    precision: Estimate,
    bias: float,
    units: int,
) -> Estimate:
    if of_kind.f is None:
        return Estimate(None)
    if "exact" in (recall.interval, precision.interval):
        # Where the bootstrap gives no interval for one of the two, it gives none for F.
        low, high = f_score(recall.low, precision.low, bias), f_score(recall.high, precision.high, bias)
        return Estimate(of_kind.f, low, high, "exact")
    with np.errstate(divide="ignore", invalid="ignore"):
        again = (bias + 1) * recalls * precisions / (recalls + bias * precisions)
    again[(recalls == 0) | (precisions == 0)] = 0.0
    return bootstrap_estimate(of_kind.f, again, units)


def _delay_estimate(of_kind: Score, counts: _BlockCounts, resampled: Ints) -> Estimate:
    if of_kind.median_delay_s is None:
        return Estimate(None)
    again = np.full(len(resampled), np.nan)
    for number, times in enumerate(resampled):
        repeated = np.repeat(counts.delays, times[counts.delay_block])
        again[number] = np.median(repeated) / SECOND if len(repeated) else np.nan
    return bootstrap_estimate(of_kind.median_delay_s, again, len(counts.delays))
