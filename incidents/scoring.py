"""Accuracy of alarms against true events, counted in events and not in frames.

An event is found if an alarm of its camera and kind, and of its zone if the event names one, comes in time.
An alarm finds one event at most, and an event is found by one alarm at most. A second alarm for a found event
is a false alarm, and so is an alarm that fits no event.

A rule raises an alarm after its condition has held for some time: the dwell in a zone, the ten seconds of a
contact. An alarm therefore has two moments: the start of the condition, and the moment it was raised. It
comes in time if the interval between them overlaps the interval from the start of the event to the start + a
tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from vision.frames import SECOND

TOLERANCE_S = 10.0
"""Latest start of an alarm's condition after the start of its event, s.
Project default (docs/defaults.md)."""
BIAS = 1.0
"""Recall bias a of F: at 1, recall and precision have the same weight; at 0, F is the precision.
Project default (docs/defaults.md)."""
HOUR = 3600 * SECOND

_DURATION_THRESHOLDS = ("dwell_s", "min_s", "min_span_s")
"""Names of the thresholds that state how long a condition must hold before it counts."""


@dataclass(frozen=True, slots=True)
class Event:
    """A true event.

    Attributes:
        camera, kind: as in `incidents.record`.
        start: microseconds UTC.
        zone: id of the zone or line; None if the truth does not name one, or the kind has none.
    """

    camera: str
    kind: str
    start: int
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that the rules raised.

    Attributes:
        camera, kind, zone: as in `incidents.record`.
        start: when the condition began, microseconds UTC.
        raised: when the alarm was raised, microseconds UTC; not before `start`.
    """

    camera: str
    kind: str
    start: int
    raised: int
    zone: str | None = None


@dataclass(frozen=True)
class Matching:
    """Which alarms found which events, as indices into the sequences that were matched.

    Attributes:
        pairs: (event, alarm), by event.
        delays: for each pair, from the start of the event to the moment the alarm was raised, microseconds.
        missed: events that no alarm found.
        false_alarms: alarms that found no event.
        duplicates: false alarms that fit an event that another alarm found.
    """

    pairs: tuple[tuple[int, int], ...]
    delays: tuple[int, ...]
    missed: tuple[int, ...]
    false_alarms: tuple[int, ...]
    duplicates: tuple[int, ...]


@dataclass(frozen=True)
class Score:
    """Accuracy of alarms against events; None where the denominator is zero.

    Attributes:
        events: number of events.
        alarms: number of alarms.
        found: number of events found.
        duplicates: number of false alarms that fit an event found by another alarm.
        hours: camera-hours analysed.
        recall, precision, f: 0..1; see `f_score`.
        false_alarms_per_hour: per camera-hour analysed.
        median_delay_s: median delay of the events found, from the start of the event to the alarm, s.
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
    """The moment at which an incident raised its alarm, microseconds UTC.

    Args:
        start: start of the incident, microseconds UTC.
        thresholds: the thresholds of the finding or record.
        alerts: moments of its alerts. Records of older versions have none; the alarm is then raised at the
            earliest moment that the rule allows: the start, plus the time that the condition must hold.
    """
    if alerts:
        return alerts[0]
    waits = [value for name in _DURATION_THRESHOLDS if isinstance(value := thresholds.get(name), int | float)]
    return start + round(max(waits, default=0.0) * SECOND)


def fits(event: Event, alarm: Alarm, tolerance: int) -> bool:
    """Whether an alarm fits an event: same camera and kind, same zone if the event names one, and in time.

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
    """Pair alarms with events, one to one: the most pairs, and among those the smallest sum of delays.

    This is a minimum-cost assignment (Kuhn 1955) for each camera and kind. `tolerance` is in microseconds.
    """
    groups: dict[tuple[str, str], tuple[list[int], list[int]]] = {}
    sides: tuple[Sequence[Event | Alarm], ...] = (events, alarms)
    for side, items in enumerate(sides):
        for index, item in enumerate(items):
            groups.setdefault((item.camera, item.kind), ([], []))[side].append(index)
    pairs: list[tuple[int, int]] = []
    duplicates: list[int] = []
    for event_ids, alarm_ids in groups.values():
        if not event_ids or not alarm_ids:
            continue
        possible = np.array([[fits(events[e], alarms[a], tolerance) for a in alarm_ids] for e in event_ids])
        delay = np.array([[float(alarms[a].raised - events[e].start) for a in alarm_ids] for e in event_ids])
        # One more pair outweighs any sum of delays.
        pair = 1.0 + min(possible.shape) * float(np.max(delay, where=possible, initial=0.0))
        rows, columns = linear_sum_assignment(np.where(possible, delay - pair, 0.0))
        chosen = [(r, c) for r, c in zip(rows.tolist(), columns.tolist(), strict=True) if possible[r, c]]
        pairs += [(event_ids[r], alarm_ids[c]) for r, c in chosen]
        used = {c for _, c in chosen}
        duplicates += [a for c, a in enumerate(alarm_ids) if c not in used and possible[:, c].any()]
    pairs.sort()
    found, used_alarms = {e for e, _ in pairs}, {a for _, a in pairs}
    return Matching(
        tuple(pairs),
        tuple(alarms[a].raised - events[e].start for e, a in pairs),
        tuple(e for e in range(len(events)) if e not in found),
        tuple(a for a in range(len(alarms)) if a not in used_alarms),
        tuple(sorted(duplicates)),
    )


def f_score(recall: float | None, precision: float | None, bias: float = BIAS) -> float | None:
    """F = (a + 1) R P / (R + a P), with recall R, precision P and recall bias a; None if R or P is None.

    F is P at a = 0 and tends to R for large a. With a = b², it is van Rijsbergen's F_b (1979).
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
    """Accuracy of alarms against events of the same cameras and time.

    Args:
        events: all true events.
        alarms: all alarms.
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
