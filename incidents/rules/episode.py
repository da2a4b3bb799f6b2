"""From samples to episodes: hysteresis, dwell, gaps and merging, in seconds and never in frames.

Every function takes arrays sorted by (key, t). A key is a person, a pair or a gathering; t is in microseconds
UTC. No function loops over samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.frames import SECOND

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MIN_SAMPLES = 3
"""Fewest samples of an episode at which its condition holds. Two samples are noise, even on either side of a
gap that is short enough to be bridged. Project default (docs/defaults.md)."""


@dataclass(frozen=True)
class Finding:
    """A suspected violation.

    Attributes:
        kind: mask_absent, mask_incorrect, zone_crossing, contact or gathering.
        subkind: zone_entry, line_crossing, wrong_way, left_room, outsider_entry, staff_resident,
            outsider_any, resident_resident or "".
        zone: id of the zone or line, or None.
        tracks: track ids, sorted. For a person stitched from several tracklets, the first one.
        roles: role and confidence, aligned with `tracks`.
        start: first sample at which the condition held, microseconds UTC.
        end: last such sample, microseconds UTC.
        severity: critical, high, medium or low.
        distance_min: smallest ground distance, m, or None.
        distance_median: median ground distance, m, or None.
        distance_se: standard error of the smallest distance, m, or None.
        mask_state: masked, incorrect, unmasked, or None (not assessed, or not part of the rule).
        assessable_share: share of the attempted mask assessments that succeeded, 0..1, or None (none
            attempted).
        detector_confidence: mean score of the detections, 0..1.
        rule_confidence: how clearly the condition held, 0..1; the function of each rule defines it.
        thresholds: the thresholds that were applied, by name.
        alerts: moments of the alerts, microseconds UTC: when the dwell was reached, as in live analysis, and
            every `realert_s` after that while the episode lasts. An alert depends on earlier observations
            only, so later footage can add alerts but not change any.
        cumulative_s: for a contact, see `incidents.rules.cumulative_contact`; None for other kinds.
    """

    kind: str
    subkind: str
    zone: str | None
    tracks: tuple[int, ...]
    roles: tuple[tuple[str, float], ...]
    start: int
    end: int
    severity: str
    distance_min: float | None
    distance_median: float | None
    distance_se: float | None
    mask_state: str | None
    assessable_share: float | None
    detector_confidence: float
    rule_confidence: float
    thresholds: dict[str, float | str]
    alerts: tuple[int, ...] = ()
    cumulative_s: float | None = None

    def key(self, camera: str) -> str:
        """Stable identity: 16 hex digits of SHA-256 over camera, kind, zone, tracks and start."""
        return stable_id(camera, self.kind, self.zone, self.tracks, self.start)


def stable_id(camera: str, kind: str, zone: str | None, tracks: tuple[int, ...], start: int) -> str:
    """16 hex digits of SHA-256 over the arguments: the same footage gives the same id."""
    parts = (camera, kind, zone or "", ",".join(map(str, tracks)), str(start))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Episodes:
    """Intervals during which a condition held, sorted by (key, start); all arrays have shape (E,).

    Attributes:
        key: the person, pair or gathering.
        first: row of the first sample at which the condition held.
        last: row of the last such sample.
        met: row at which the dwell was reached.
        start: time of `first`, microseconds.
        end: time of `last`, microseconds.
        held: time that counts towards the dwell, microseconds.
    """

    key: Ints
    first: Ints
    last: Ints
    met: Ints
    start: Ints
    end: Ints
    held: Ints

    def __len__(self) -> int:
        """Number of episodes."""
        return len(self.key)

    def groups(self, merge_us: int) -> Iterator[slice]:
        """Slices of episodes that make one incident: same key, at most `merge_us` from end to next start.

        Within a key, ends must not decrease; those that `episodes` returns do not.
        """
        apart = (self.key[1:] != self.key[:-1]) | (self.start[1:] - self.end[:-1] > merge_us)
        edges = [0, *(np.flatnonzero(apart) + 1).tolist(), len(self)] if len(self) else []
        yield from map(slice, edges[:-1], edges[1:])

    def rows(self, group: slice, on: Bools) -> Ints:
        """Rows within the episodes of a group at which `on` (N,) is true."""
        parts = [
            low + np.flatnonzero(on[low : high + 1])
            for low, high in zip(self.first[group].tolist(), self.last[group].tolist(), strict=True)
        ]
        return np.concatenate(parts)

    def alerts(self, group: slice, on: Bools, t: Ints, realert_us: int) -> tuple[int, ...]:
        """Moments of the alerts of a group, microseconds, by `alert_times`; `on` and `t` have shape (N,)."""
        known = [
            low + np.flatnonzero(on[low : high + 1])
            for low, high in zip(self.met[group].tolist(), self.last[group].tolist(), strict=True)
        ]
        return alert_times(t[np.concatenate(known)], realert_us)


def alert_times(moments: Ints, realert_us: int) -> tuple[int, ...]:
    """Moments of the alerts of an incident, microseconds.

    The first of `moments`, and the first one in each further period of `realert_us`. A period without any
    moment, because the incident paused, has no alert.

    Args:
        moments: (M,) ascending: samples from the one that reached the dwell on.
        realert_us: length of a period.
    """
    if len(moments) == 0:
        return ()
    period = (moments - moments[0]) // realert_us
    return tuple(moments[np.flatnonzero(np.diff(period, prepend=-1))].tolist())


def microseconds(seconds: float) -> int:
    """Seconds as a whole number of microseconds."""
    return round(seconds * SECOND)


def sorted_unique(values: Ints) -> Ints:
    """The distinct values of an array (N,), ascending. `np.unique` is ten times slower for times."""
    ordered = np.sort(values)
    return np.asarray(ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0], dtype=np.int64)


def run_starts(key: Ints, t: Ints, max_gap_us: int) -> Bools:
    """Rows (N,) that begin a run of samples: another key, or a gap longer than `max_gap_us` before them."""
    fresh = np.ones(len(t), dtype=np.bool_)
    fresh[1:] = (key[1:] != key[:-1]) | (t[1:] - t[:-1] > max_gap_us)
    return fresh


def last_true_row(event: Bools) -> Ints:
    """For each row (N,), the last row up to and including it at which `event` is true; 0 if there is none."""
    return np.maximum.accumulate(np.where(event, np.arange(len(event)), 0))


def apply_hysteresis(key: Ints, t: Ints, enter: Bools, leave: Bools, max_gap_us: int) -> Bools:
    """State (N,) with hysteresis: on from a row of `enter`, off from a row of `leave`, otherwise unchanged.

    The state is off at the start of each key and after each gap longer than `max_gap_us`. Where both `enter`
    and `leave` are true, `enter` wins.
    """
    if len(t) == 0:
        return np.zeros(0, dtype=np.bool_)
    last = last_true_row(enter | leave | run_starts(key, t, max_gap_us))
    return np.asarray(enter[last], dtype=np.bool_)


def separated_times(key: Ints, t: Ints, apart_us: int) -> Ints:
    """Times (N,) shifted by a constant per key, so that they increase and keys are over `apart_us` apart.

    `np.searchsorted` for a moment up to `apart_us` from a row then never leads to a row of another key.
    """
    shifted = t.copy()
    begins = np.flatnonzero(key[1:] != key[:-1]) + 1
    shift = np.zeros(len(t), dtype=np.int64)
    shift[begins] = t[begins - 1] - t[begins] + apart_us + 1
    return shifted + np.cumsum(shift)


def episodes(
    key: Ints,
    t: Ints,
    on: Bools,
    *,
    dwell_us: int,
    max_gap_us: int,
    bridge_us: int = 0,
    min_samples: int = MIN_SAMPLES,
) -> Episodes:
    """Intervals in which `on` held for at least `dwell_us`.

    The time between two successive samples of a key counts as held when the condition held at both and they
    are at most `max_gap_us` apart. An uninterrupted episode is therefore held for end - start, short losses
    of sight included. A longer gap ends the episode, and none of the gap counts.

    Args:
        key: (N,) the person, pair or gathering of each sample; the arrays are sorted by (key, t).
        t: (N,) microseconds.
        on: (N,) whether the condition held.
        dwell_us: shortest time held; reached exactly is enough.
        max_gap_us: longest time without a sample that does not end an episode.
        bridge_us: longest time from the last sample of one interval to the first of the next at which both
            are one episode, although the condition did not hold in between. This time does not count as held.
        min_samples: fewest samples at which the condition held.
    """
    ties = (key[1:] == key[:-1]) & (t[1:] - t[:-1] <= max_gap_us) & on[1:] & on[:-1]
    edge = np.zeros(1, dtype=np.bool_)
    first = np.flatnonzero(on & ~np.concatenate([edge[: len(t)], ties]))
    last = np.flatnonzero(on & ~np.concatenate([ties, edge[: len(t)]]))
    if bridge_us > 0 and len(first):
        new = (key[first[1:]] != key[last[:-1]]) | (t[first[1:]] - t[last[:-1]] > bridge_us)
        first, last = first[np.concatenate([~edge, new])], last[np.concatenate([new, ~edge])]
    # Cumulative sums, so that the sum of an interval is one subtraction.
    time = np.concatenate([np.zeros(min(1, len(t)), np.int64), np.cumsum(np.where(ties, t[1:] - t[:-1], 0))])
    count = np.cumsum(on)
    held = time[last] - time[first]
    lasting = (held >= dwell_us) & (count[last] - count[first] + 1 >= min_samples)
    first, last, held = first[lasting], last[lasting], held[lasting]
    # Both sums grow at rows of `on` only, so each row found is one of them.
    enough = (
        np.searchsorted(time, time[first] + dwell_us),
        np.searchsorted(count, count[first] + min_samples - 1),
    )
    met = np.maximum(first, np.maximum(*enough))
    return Episodes(key[first], first, last, met, t[first], t[last], held)
