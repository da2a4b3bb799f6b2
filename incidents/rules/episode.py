"""From samples to episodes: levels, dwell, gaps and merging, counted in seconds and never in frames.

Every function works on arrays sorted by (key, t), where a key is a person, a pair or a gathering, and
t is in microseconds UTC. There is no loop over samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from vision.frames import SECOND

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MIN_SAMPLES = 3
"""Fewest samples at which an episode's condition holds [D]: a flicker of two samples is noise, even
when the two lie on either side of a gap that is short enough to be bridged."""


@dataclass(frozen=True)
class Finding:
    """A suspected violation, as the rules found it.

    Attributes:
        kind: mask_absent, mask_incorrect, zone_crossing, contact or gathering.
        subkind: zone_entry, line_crossing, wrong_way, left_room, outsider_entry, staff_resident,
            outsider_any, resident_resident or "".
        zone: id of the zone or line, or None.
        tracks: sorted; of a person whose track was lost and found under another id, the one under which it
            began.
        roles: role and confidence, aligned with `tracks`.
        start: first sample at which the condition held, microseconds UTC.
        end: last such sample, microseconds UTC.
        severity: critical, high, medium or low.
        distance_min: smallest ground distance, m, or None.
        distance_median: median ground distance, m, or None.
        distance_se: standard error of the smallest distance, m, or None.
        mask_state: masked, incorrect, unmasked, or None (not assessed, or of no concern).
        assessable_share: assessed of attempted mask samples, 0..1, or None (none attempted).
        detector_confidence: mean score of the detections, 0..1.
        rule_confidence: how clearly the condition held, 0..1; each rule says how it is formed.
        thresholds: the thresholds that produced it, by name.
        alerts: when it alerts, microseconds UTC: at the moment its rule was met, which is when somebody who
            watches live would know of it, and again every `realert_s` while it lasts. Each follows from what
            was seen up to then, so that later footage adds some and changes none.
        cumulative_s: of a contact, see `incidents.rules.cumulative_contact`; None of other kinds.
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
    """16 hex digits of SHA-256 over what was seen, where and when: the same footage gives the same id."""
    parts = (camera, kind, zone or "", ",".join(map(str, tracks)), str(start))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Episodes:
    """Stretches during which a condition held, sorted by (key, start); all arrays have shape (E,).

    Attributes:
        key: whose they are.
        first: row of the first sample at which the condition held.
        last: row of the last one.
        met: row at which the dwell was reached: from there on the episode is known to be one.
        start: time of `first`, microseconds.
        end: time of `last`, microseconds.
        held: microseconds that count towards the dwell.
    """

    key: Ints
    first: Ints
    last: Ints
    met: Ints
    start: Ints
    end: Ints
    held: Ints

    def __len__(self) -> int:
        """How many there are."""
        return len(self.key)

    def select(self, keep: Bools) -> Episodes:
        """Those for which `keep` (E,) is true."""
        return Episodes(**{field.name: getattr(self, field.name)[keep] for field in fields(self)})

    def groups(self, merge_us: int) -> Iterator[slice]:
        """Slices of episodes that make one incident: of one key, at most `merge_us` apart.

        Counted from the end of one to the start of the next. Expects that ends do not decrease within a
        key, as those of `episodes` do not.
        """
        apart = (self.key[1:] != self.key[:-1]) | (self.start[1:] - self.end[:-1] > merge_us)
        edges = [0, *(np.flatnonzero(apart) + 1).tolist(), len(self)] if len(self) else []
        yield from map(slice, edges[:-1], edges[1:])

    def rows(self, group: slice, on: Bools) -> Ints:
        """The rows within the episodes of a group at which `on` (N,) is true."""
        parts = [
            low + np.flatnonzero(on[low : high + 1])
            for low, high in zip(self.first[group].tolist(), self.last[group].tolist(), strict=True)
        ]
        return np.concatenate(parts)

    def alerts(self, group: slice, on: Bools, t: Ints, realert_us: int) -> tuple[int, ...]:
        """When a group alerts, microseconds: see `alert_times`. `on` and `t` have shape (N,)."""
        known = [
            low + np.flatnonzero(on[low : high + 1])
            for low, high in zip(self.met[group].tolist(), self.last[group].tolist(), strict=True)
        ]
        return alert_times(t[np.concatenate(known)], realert_us)


def alert_times(moments: Ints, realert_us: int) -> tuple[int, ...]:
    """When an incident alerts, of the `moments` (M,), ascending, at which it is known to be going on.

    At the first, and at the first in each further period of `realert_us` since; periods without any, in
    which it paused, have none.
    """
    if len(moments) == 0:
        return ()
    period = (moments - moments[0]) // realert_us
    return tuple(moments[np.flatnonzero(np.diff(period, prepend=-1))].tolist())


def microseconds(seconds: float) -> int:
    """Seconds as a whole number of microseconds."""
    return round(seconds * SECOND)


def sorted_unique(values: Ints) -> Ints:
    """The different values (N,), ascending: as `np.unique`, whose hash table is ten times as slow here."""
    ordered = np.sort(values)
    return np.asarray(ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0], dtype=np.int64)


def run_starts(key: Ints, t: Ints, max_gap_us: int) -> Bools:
    """Rows (N,) at which nothing is known from before: another key, or a gap longer than `max_gap_us`."""
    fresh = np.ones(len(t), dtype=np.bool_)
    fresh[1:] = (key[1:] != key[:-1]) | (t[1:] - t[:-1] > max_gap_us)
    return fresh


def last_true_row(event: Bools) -> Ints:
    """For each row (N,), the last row up to it at which `event` was true (row 0 if there was none)."""
    return np.maximum.accumulate(np.where(event, np.arange(len(event)), 0))


def apply_hysteresis(key: Ints, t: Ints, enter: Bools, leave: Bools, max_gap_us: int) -> Bools:
    """The state (N,) of a trigger with two levels: on from `enter`, off from `leave`, in between as before.

    It starts off for every key and after every gap longer than `max_gap_us`: what was not seen is not
    known to have lasted. Where both levels are met, `enter` wins.
    """
    if len(t) == 0:
        return np.zeros(0, dtype=np.bool_)
    last = last_true_row(enter | leave | run_starts(key, t, max_gap_us))
    return np.asarray(enter[last], dtype=np.bool_)


def separated_times(key: Ints, t: Ints, apart_us: int) -> Ints:
    """Times (N,) shifted by a constant per key so that all increase and keys lie more than `apart_us` apart.

    A search in it for a moment within `apart_us` of a row never ends up in another key's rows.
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
    """Stretches of `on` that last at least `dwell_us`.

    What counts: the time between two neighbouring samples of a key counts when the condition held at
    both and they are at most `max_gap_us` apart. So an uninterrupted episode has held for end - start,
    short losses of sight included; a longer gap ends it and none of that gap counts. A dwell that is
    reached exactly is reached.

    Args:
        key: (N,) whose sample it is; the arrays are sorted by (key, t).
        t: (N,) microseconds.
        on: (N,) whether the condition held.
        dwell_us: least time held.
        max_gap_us: longest time without a sample that does not end an episode.
        bridge_us: longest time from the last sample of one stretch to the first of the next that still
            makes them one episode although samples in between say that the condition did not hold.
            That time is bridged, it does not count as held.
        min_samples: fewest samples at which the condition held.
    """
    ties = (key[1:] == key[:-1]) & (t[1:] - t[:-1] <= max_gap_us) & on[1:] & on[:-1]
    edge = np.zeros(1, dtype=np.bool_)
    first = np.flatnonzero(on & ~np.concatenate([edge[: len(t)], ties]))
    last = np.flatnonzero(on & ~np.concatenate([ties, edge[: len(t)]]))
    if bridge_us > 0 and len(first):
        new = (key[first[1:]] != key[last[:-1]]) | (t[first[1:]] - t[last[:-1]] > bridge_us)
        first, last = first[np.concatenate([~edge, new])], last[np.concatenate([new, ~edge])]
    # Sums up to each row, so that a stretch's share is one subtraction.
    time = np.concatenate([np.zeros(min(1, len(t)), np.int64), np.cumsum(np.where(ties, t[1:] - t[:-1], 0))])
    count = np.cumsum(on)
    held = time[last] - time[first]
    lasting = (held >= dwell_us) & (count[last] - count[first] + 1 >= min_samples)
    first, last, held = first[lasting], last[lasting], held[lasting]
    # Both sums grow at rows of `on` only, so that the row found is one.
    enough = (
        np.searchsorted(time, time[first] + dwell_us),
        np.searchsorted(count, count[first] + min_samples - 1),
    )
    met = np.maximum(first, np.maximum(*enough))
    return Episodes(key[first], first, last, met, t[first], t[last], held)
