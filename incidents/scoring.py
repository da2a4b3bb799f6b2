"""How good alarms are against true events: whole events, never frames.

An event is found when an alarm of its kind (and of its zone, where the truth names one) of its camera
comes between its start and its start + a tolerance, 10 s by default [D]. Each alarm finds at most one
event and each event is found by at most one alarm: a second alarm for an event that is found already is
a false alarm, as is one that fits no event.

A rule speaks only after its condition has held for a while (the dwell in a zone, the ten seconds of a
contact), so an alarm has two moments: the start of what it is about, and when it was raised. It comes in
time when the stretch between them meets the window from the event's start to start + tolerance. For an
alarm without such a wait the two are one, and this is the sentence above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from vision.frames import SECOND

TOLERANCE_S = 10.0
"""An alarm whose condition begins this long after the start of an event is still about it [D]."""
BIAS = 1.0
"""The recall bias a of F: at 1, recall and precision weigh the same; at 0, F is precision [D]."""
HOUR = 3600 * SECOND

_DURATION_THRESHOLDS = ("dwell_s", "min_s", "min_span_s")
"""Thresholds under which the rules keep how long a condition must hold before it counts."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that truly happened.

    Attributes:
        camera, kind: as in `incidents.record`.
        start: microseconds UTC.
        zone: id of the zone or line; None = the truth does not say, or the kind has none.
    """

    camera: str
    kind: str
    start: int
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that was alarmed.

    Attributes:
        camera, kind, zone: as in `incidents.record`.
        start: when the condition began, microseconds UTC.
        raised: when it had held for long enough to alarm, microseconds UTC; not before `start`.
    """

    camera: str
    kind: str
    start: int
    raised: int
    zone: str | None = None


@dataclass(frozen=True)
class Matching:
    """Which alarms found which events; all are indices into the sequences that were matched.

    Attributes:
        pairs: (event, alarm), by event.
        delays: of the pairs, microseconds from the event's start to the moment the alarm was raised.
        missed: events that no alarm found.
        false_alarms: alarms that found no event.
        duplicates: those false alarms that would have fitted an event which another alarm found.
    """

    pairs: tuple[tuple[int, int], ...]
    delays: tuple[int, ...]
    missed: tuple[int, ...]
    false_alarms: tuple[int, ...]
    duplicates: tuple[int, ...]


@dataclass(frozen=True)
class Score:
    """Figures of alarms against events; None where there is nothing to divide by.

    Attributes:
        events, alarms: how many there are; found: pairs; duplicates: among the false alarms.
        hours: camera-hours analysed.
        recall, precision, f: 0..1; see `f_score`.
        false_alarms_per_hour: per camera-hour analysed.
        median_delay_s: of the events found, from their start to the alarm.
    """

    events: int
    alarms: int
    found: int
    duplicates: int
    hours: float
    recall: float | None
    precision: float | None
    f: float | None
    false_alarms_per_hour: float | None
    median_delay_s: float | None


def raised_at(start: int, thresholds: Mapping[str, float | str | None], alerts: Sequence[int] = ()) -> int:
    """When an incident was alarmed, microseconds UTC.

    Args:
        start: of the incident, microseconds UTC.
        thresholds: those that produced it, as every finding and record carries them.
        alerts: when it alerts; of a record of an older version, which has none, it is the earliest moment
            that its rule allows: the start and what the rule waits.
    """
    if alerts:
        return alerts[0]
    waits = [value for name in _DURATION_THRESHOLDS if isinstance(value := thresholds.get(name), int | float)]
    return start + round(max(waits, default=0.0) * SECOND)


def fits(event: Event, alarm: Alarm, tolerance: int) -> bool:
    """Whether an alarm is about an event: same camera and kind, zone where the event names one, in time.

    `tolerance` is in microseconds.
    """
    return (
        (event.camera, event.kind) == (alarm.camera, alarm.kind)
        and event.zone in (None, alarm.zone)
        and event.start <= alarm.raised
        and alarm.start <= event.start + tolerance
    )


def match(
    events: Sequence[Event], alarms: Sequence[Alarm], tolerance: int = round(TOLERANCE_S * SECOND)
) -> Matching:
    """Pair alarms with events, one to one: as many pairs as possible, and of those the least delay in all.

    A minimum-cost assignment (Kuhn 1955) per camera and kind; the same input gives the same pairs.
    `tolerance` is in microseconds.
    """
    groups: dict[tuple[str, str], tuple[list[int], list[int]]] = {}
    sides: tuple[Sequence[Event | Alarm], ...] = (events, alarms)
    for side, items in enumerate(sides):
        for index, item in enumerate(items):
            groups.setdefault((item.camera, item.kind), ([], []))[side].append(index)
    pairs: list[tuple[int, int]] = []
    duplicates: list[int] = []
    for ours, theirs in groups.values():
        if not ours or not theirs:
            continue
        possible = np.array([[fits(events[e], alarms[a], tolerance) for a in theirs] for e in ours])
        delay = np.array([[float(alarms[a].raised - events[e].start) for a in theirs] for e in ours])
        # One pair more is worth more than any delay that all pairs together can save.
        pair = 1.0 + min(possible.shape) * float(np.max(delay, where=possible, initial=0.0))
        rows, columns = linear_sum_assignment(np.where(possible, delay - pair, 0.0))
        chosen = [(r, c) for r, c in zip(rows.tolist(), columns.tolist(), strict=True) if possible[r, c]]
        pairs += [(ours[r], theirs[c]) for r, c in chosen]
        used = {c for _, c in chosen}
        duplicates += [a for c, a in enumerate(theirs) if c not in used and possible[:, c].any()]
    pairs.sort()
    found, told = {e for e, _ in pairs}, {a for _, a in pairs}
    return Matching(
        tuple(pairs),
        tuple(alarms[a].raised - events[e].start for e, a in pairs),
        tuple(e for e in range(len(events)) if e not in found),
        tuple(a for a in range(len(alarms)) if a not in told),
        tuple(sorted(duplicates)),
    )


def f_score(recall: float | None, precision: float | None, bias: float = BIAS) -> float | None:
    """F = (a + 1) R P / (R + a P) with the recall bias a [domain notes]; None where R or P is.

    The larger a, the more recall counts: F tends to R for a large a, and is P at a = 0. With a = b² it is
    van Rijsbergen's F_b.
    """
    if recall is None or precision is None:
        return None
    if recall == 0 or precision == 0:
        return 0.0
    return (bias + 1) * recall * precision / (recall + bias * precision)


def score(
    events: Sequence[Event],
    alarms: Sequence[Alarm],
    hours: float,
    *,
    tolerance: int = round(TOLERANCE_S * SECOND),
    bias: float = BIAS,
) -> Score:
    """Figures of alarms against events of the same cameras and time.

    Args:
        events: all that happened.
        alarms: all that was alarmed.
        hours: camera-hours analysed.
        tolerance: microseconds.
        bias: the recall bias of F.
    """
    matching = match(events, alarms, tolerance)
    found = len(matching.pairs)
    recall = found / len(events) if events else None
    precision = found / len(alarms) if alarms else None
    return Score(
        events=len(events),
        alarms=len(alarms),
        found=found,
        duplicates=len(matching.duplicates),
        hours=hours,
        recall=recall,
        precision=precision,
        f=f_score(recall, precision, bias),
        false_alarms_per_hour=len(matching.false_alarms) / hours if hours > 0 else None,
        median_delay_s=float(np.median(matching.delays)) / SECOND if found else None,
    )
