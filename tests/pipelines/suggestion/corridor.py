"""A corridor with three room doors whose people are known: rule_scenes' floor of 16 x 12 m, hours long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tests.incidents.rules.rule_scenes import HEIGHT, NOON, PX_PER_M, WIDTH
from vision.observations import SCHEMA

GROUND = ((0.0, 4.0), (16.0, 4.0), (16.0, 7.0), (0.0, 7.0))
"""The corridor, m: it leaves the view on the left and on the right."""
DOORS = ((3.0, 4.1), (8.0, 6.9), (13.0, 4.1))
"""Where people come out of rooms and go into them, m."""
LANE = (4.4, 6.6)
"""Across the corridor people keep this far from its walls, m."""


@dataclass(frozen=True)
class Corridor:
    """A log of the corridor, and the truth about it.

    Attributes:
        log: rows of the observation log.
        uses: true number of tracks that begin or end at each door.
        people: number of people.
        switches: number of tracks that were broken in the middle of the floor.
    """

    log: pl.DataFrame
    uses: tuple[int, ...]
    people: int
    switches: int


def corridor(
    hours: float = 12.0,
    people: int = 160,
    seed: int = 0,
    *,
    jitter_m: float = 0.08,
    switched: float = 0.5,
    outage_s: tuple[float, float] = (0.2, 8.0),
    to_doors: float = 0.7,
    hz: float = 5.0,
    camera: str = "cam-1",
    stroll_s: float = 0.0,
) -> Corridor:
    """`people` who each walk from one entrance to another at some time of `hours`, 1.2 m/s more or less.

    The share `to_doors` of begins and ends is at a door (with a spread of 0.15 m), the others at the ends of
    the corridor. The share `switched` of the people is lost once in the middle of the floor, for a time
    drawn from `outage_s`, and found under another track. Those who do not go straight on stand for up to
    `stroll_s` somewhere on the way.
    """
    draw = np.random.default_rng(seed)
    tables, uses, switches, track = [], [0, 0, 0], 0, 0
    for start in np.sort(draw.uniform(60, hours * 3600 - 180, people)).tolist():
        ends = [_end(draw, to_doors) for _ in range(2)]
        while abs(ends[0][1][0] - ends[1][1][0]) < 2:  # no person goes back to where they came from
            ends[1] = _end(draw, to_doors)
        for door, _ in ends:
            if door is not None:
                uses[door] += 1
        (_, a), (_, b) = ends
        lane = draw.uniform(*LANE, 2)
        knots = np.array(
            [a, (a[0] + 0.25 * (b[0] - a[0]), lane[0]), (a[0] + 0.75 * (b[0] - a[0]), lane[1]), b]
        )
        legs = np.hypot(*np.diff(knots, axis=0).T)
        when = np.concatenate([[0.0], np.cumsum(legs / draw.normal(1.2, 0.12))])
        when[2:] += draw.uniform(0, stroll_s) if stroll_s else 0.0
        seconds = np.arange(np.ceil(start * hz), np.floor((start + when[-1]) * hz) + 1) / hz
        place = np.column_stack([np.interp(seconds - start, when, knots[:, k]) for k in (0, 1)])
        place += draw.normal(0, jitter_m, place.shape)
        ids = np.full(len(seconds), track)
        keep = np.ones(len(seconds), dtype=bool)
        if draw.random() < switched and len(seconds) > 20:
            lost = int(draw.integers(8, len(seconds) - 8))
            found = lost + max(1, round(draw.uniform(*outage_s) * hz))
            keep[lost:found] = False
            ids[found:] += 1
            switches += 1
        track += 2
        tables.append(table(seconds[keep], place[keep] * PX_PER_M, ids[keep], camera))
    return Corridor(pl.concat(tables).sort("t", "track"), tuple(uses), people, switches)


def _end(draw: np.random.Generator, to_doors: float) -> tuple[int | None, np.ndarray]:
    if draw.random() < to_doors:
        door = int(draw.integers(len(DOORS)))
        return door, np.array(DOORS[door]) + draw.normal(0, 0.15, 2)
    return None, np.array([draw.choice([0.25, 15.75]), draw.uniform(*LANE)])


def broken(log: pl.DataFrame, at_m: float, reach_m: float, lost_s: float) -> pl.DataFrame:
    """The log with every track lost where x is within `reach_m` of `at_m`, and for `lost_s` longer.

    On the other side the person has another track.
    """
    parts = []
    for track in log.partition_by("track"):
        track = track.sort("t")
        inside = ((track["foot_x"] / PX_PER_M - at_m).abs() <= reach_m).to_numpy()
        if not inside.any():
            parts.append(track)
            continue
        first, last = np.flatnonzero(inside)[[0, -1]]
        late = pl.duration(microseconds=round(lost_s * 1e6))
        parts.append(track[:first])
        parts.append(track[last + 1 :].with_columns(t=pl.col("t") + late, track=pl.col("track") + 1))
    return pl.concat(parts).sort("t", "track")


def table(seconds: np.ndarray, foot: np.ndarray, tracks: np.ndarray, camera: str) -> pl.DataFrame:
    """Rows of people whose feet are at `foot` (N, 2), px."""
    rows = len(seconds)
    columns = {
        "camera": [camera] * rows,
        "t": NOON + np.round(seconds * 1e6).astype(np.int64),
        "frame": np.round(seconds * 5).astype(np.int64),
        "track": tracks,
        "width": np.full(rows, WIDTH),
        "height": np.full(rows, HEIGHT),
        "x1": foot[:, 0] - 20,
        "x2": foot[:, 0] + 20,
        "y1": foot[:, 1] - 130,
        "y2": foot[:, 1],
        "score": np.full(rows, 0.8),
        "foot_x": foot[:, 0],
        "foot_y": foot[:, 1],
    }
    return pl.DataFrame(
        [pl.Series(name, columns.get(name, [None] * rows)).cast(kind) for name, kind in SCHEMA.items()]
    )
