"""People whose masks could have been judged in an hour, by the conditions of the mask rule."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from incidents.rules.machines.plan import MIN_VOTE_INTERVAL_US, Bools, Ints, microseconds
from incidents.rules.machines.rows import ROW
from incidents.rules.reading import in_order, rows_of
from zones.checking.ignoring import in_ignored
from zones.facility import Camera, Facility, MaskRule


def judged_people(
    observations: pl.DataFrame,
    facility: Facility,
    camera: Camera,
    hour: tuple[int, int],
    first_tracks: Mapping[int, int],
) -> tuple[int, int]:
    """People of an hour who were in view for long enough to judge their masks, and those of them judged.

    A person is judged when some window of `window_s` has what the rule needs to find any state: at least
    `min_samples` votes that span `min_span_s`, and enough signs of life. Whatever the rule raises in the hour
    is of such a person. A window that ends in the hour may begin before it.

    Args:
        observations: those of the hour, and those of the same people before it.
        facility, camera: as in the rules.
        hour: [start, end), microseconds UTC.
        first_tracks: later track of a person -> first track of the same person; a person's first track is
            left out.
    """
    rule, (start, end) = facility.rules.mask, hour
    since = start - microseconds(rule.window_s)
    wanted = observations.filter(pl.col("t").dt.timestamp("us").is_between(since, end, closed="left"))
    runs = rows_of(in_order(wanted, camera.id, since, end), facility, camera)
    rows = np.concatenate([np.zeros(0, ROW), *(np.asarray(part) for _, part in runs)])
    rows = rows[~in_ignored(camera, np.column_stack([rows["x"], rows["y"]]))]
    person = np.array([first_tracks.get(track, track) for track in rows["track"].tolist()], np.int64)
    order = np.lexsort((rows["t"], person))
    rows, person = rows[order], person[order]
    in_view, judged = 0, 0
    for part in np.split(rows, np.flatnonzero(np.diff(person)) + 1):
        if not len(part) or part["t"][-1] < start:
            continue
        if part["t"][-1] - part["t"][0] >= microseconds(rule.min_span_s):
            in_view += 1
            judged += _is_judged(part[part["vote"] >= 0], rule, start)
    return in_view, judged


def _is_judged(votes: np.ndarray, rule: MaskRule, since: int) -> bool:
    """Whether a window that ends from `since` on has enough votes (N,) of a person; see `machines.mask`."""
    votes = votes[_kept(votes["t"])]
    t = votes["t"]
    oldest = np.searchsorted(t, t - microseconds(rule.window_s))
    measured = np.concatenate([[0], np.cumsum(~np.isnan(votes["change"]))])
    changing = np.concatenate([[0], np.cumsum(votes["change"] >= rule.min_change - 1e-6)])
    number = np.arange(len(t))
    seen, alive = measured[1:] - measured[oldest], changing[1:] - changing[oldest]
    enough: Bools = (
        (number - oldest + 1 >= rule.min_samples)
        & (t - t[oldest] >= microseconds(rule.min_span_s))
        & (alive >= rule.min_changing_share * seen - 1e-9)
        & (t >= since)
    )
    return bool(enough.any())


def _kept(t: Ints) -> list[int]:
    """Which of the moments (N,) of votes count: one sooner than `MIN_VOTE_INTERVAL_US` after the one that
    counted before is of the same view of the face."""
    kept: list[int] = []
    last = None
    for number, moment in enumerate(t.tolist()):
        if last is None or moment - last >= MIN_VOTE_INTERVAL_US:
            kept.append(number)
            last = moment
    return kept
