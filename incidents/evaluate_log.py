"""From the observation log to incident records: the one way for batch, live and replay.

A long log is judged in chunks, so that memory does not grow with its length. Where nobody was in view for
long enough, two chunks have nothing to do with each other and the cut changes nothing. Where there is no
such moment, chunks overlap: the later one also sees the time before, and each finding is taken from one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from incidents.coverage import share_analysed
from incidents.ledger import Ledger
from incidents.record import Incident, from_finding
from incidents.rules.engine import Exposure, RuleResult, evaluate_rules
from vision import observations
from vision.frames import SECOND
from zones.facility import Camera, Facility, Rules

LOOK_BACK_US = 24 * 3600 * SECOND
"""How far before a window the log is judged too, so that an episode that began before it keeps its
beginning, and with it its identity; totals over 24 h reach as far."""
HOUR = observations.HOUR
CHUNK_ROWS = 2_000_000
"""Rows from which on a chunk is judged: a day and a half of three people at 5 frames/s. Judging takes some
0.9 GB for a million rows."""
MIN_QUIET_US = 600 * SECOND
"""Nobody in view for this long, and for longer than any rule remembers, parts two chunks: a track does not
outlive a minute out of sight, and people who left one door are told to be of one room by a minute."""


@dataclass(frozen=True)
class Chunk:
    """A part of a camera's log, judged on its own.

    Attributes:
        seen: its observations.
        since, until: findings that end in [since, until) are its own, microseconds UTC.
    """

    seen: pl.DataFrame
    since: int
    until: int


@dataclass(frozen=True)
class ChunkResult:
    """What the rules make of one chunk.

    Attributes:
        chunk: the chunk.
        result: what the engine said of it, findings that are not its own included.
        incidents: records of its own findings, with `run` left empty, by start.
        exposures: care to be logged that ends in it.
    """

    chunk: Chunk
    result: RuleResult
    incidents: tuple[Incident, ...]
    exposures: tuple[Exposure, ...]


def evaluate_log(
    home: Path,
    ledger: Ledger,
    facility: Facility,
    camera: Camera,
    window: tuple[int, int],
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[ChunkResult]:
    """Judge what a camera's log holds of a window [start, end), microseconds UTC, chunk by chunk.

    Incidents that began before the window and end in it are whole; each comes once. Models are those of
    the run that made the observations, the coverage is as the ledger knows it now.

    Raises:
        LazarettoError: the log cannot be read or judged, or the ledger knows nothing of its footage.
    """
    about = _Provenance(ledger, camera)
    for chunk in chunks(home, camera.id, window, _memory(facility.rules), chunk_rows):
        result = evaluate_rules(chunk.seen, facility, camera)
        incidents = tuple(
            from_finding(
                finding,
                facility=facility,
                camera=camera,
                run="",
                models=about.models(finding.end),
                coverage_share=about.coverage(finding.start),
            )
            for finding in result.findings
            if chunk.since <= finding.end < chunk.until
        )
        care = tuple(item for item in result.exposures if chunk.since <= item.end < chunk.until)
        yield ChunkResult(chunk, result, incidents, care)


def chunks(
    home: Path, camera: str, window: tuple[int, int], quiet: int = MIN_QUIET_US, chunk_rows: int = CHUNK_ROWS
) -> Iterator[Chunk]:
    """Cut a camera's log of a window, with LOOK_BACK_US before it, into chunks that can be judged one by one.

    Args:
        home: the home folder.
        camera: its id.
        window: [start, end), microseconds UTC.
        quiet: time without anybody in view that parts two chunks, microseconds.
        chunk_rows: rows from which on a chunk is cut.

    Raises:
        ObservationError: the log cannot be read.
    """
    start, end = window
    since, kept, fresh = start, observations.empty(), 0
    for hour, table in observations.read_hours(home, camera, start - LOOK_BACK_US, end):
        kept, fresh = pl.concat([kept, table], rechunk=False), fresh + len(table)
        if len(kept) < chunk_rows or not fresh:
            continue
        cuts = _quiet_moments(kept, quiet)
        kept = _without_past(kept, cuts, since)
        last = cuts[-1] if len(cuts) else since
        if last > since:
            yield Chunk(_between(kept, None, last), since, last)
            since, kept, fresh = last, _between(kept, last, None), 0
        elif fresh >= chunk_rows and (settled := min(hour + HOUR, end) - HOUR) > since:
            # What ended an hour ago can no longer be changed by what follows.
            yield Chunk(kept, since, settled)
            since, kept, fresh = settled, _between(kept, settled - LOOK_BACK_US, None), 0
    yield Chunk(_without_past(kept, _quiet_moments(kept, quiet), since), since, end)


def _quiet_moments(seen: pl.DataFrame, quiet: int) -> list[int]:
    """The moments at which somebody came into view after a segment of at least `quiet` without anybody."""
    t = seen["t"].dt.timestamp("us").to_numpy()  # the log is read in order of time
    return [int(moment) for moment in t[1:][np.diff(t) >= quiet]]


def _without_past(seen: pl.DataFrame, cuts: list[int], since: int) -> pl.DataFrame:
    """Without the rows that cannot matter to what ends from `since` on: those before the quiet before it."""
    past = [cut for cut in cuts if cut <= since]
    return _between(seen, past[-1], None) if past else seen


def _between(seen: pl.DataFrame, start: int | None, end: int | None) -> pl.DataFrame:
    """The rows with start <= t < end, microseconds UTC."""
    moment = pl.col("t").dt.timestamp("us")
    if start is not None:
        seen = seen.filter(moment >= start)
    return seen if end is None else seen.filter(moment < end)


def _memory(rules: Rules) -> int:
    """The quiet that parts two chunks: longer than any rule bridges or merges."""
    longest = max(
        rules.merge_s,
        rules.zone.max_gap_s,
        rules.contact.max_gap_s,
        rules.gathering.max_gap_s,
        rules.mask.window_s,
    )
    return max(MIN_QUIET_US, round(2 * longest * SECOND))


class _Provenance:
    """What the ledger knows of the footage of a camera, asked once for each run and hour."""

    def __init__(self, ledger: Ledger, camera: Camera) -> None:
        self._ledger, self._camera = ledger, camera.id
        self._segment: tuple[int, int, Mapping[str, Mapping[str, str]]] = (0, 0, {})
        self._shares: dict[int, float] = {}

    def models(self, t: int) -> Mapping[str, Mapping[str, str]]:
        """Purpose -> {"name", "sha256", "runtime"} of the weights that looked at `t`, microseconds UTC."""
        start, end, models = self._segment
        if not start <= t < end:
            segment = self._ledger.segments.at(self._camera, t)
            models = self._ledger.runs.get(segment.run_id).models
            self._segment = segment.start, segment.end, models
        return models

    def coverage(self, t: int) -> float:
        """Share analysed, 0..1, of the hour that holds `t`, microseconds UTC."""
        hour = t // HOUR * HOUR
        if hour not in self._shares:
            intervals = self._ledger.coverage.of(self._camera, hour, hour + HOUR)
            self._shares[hour] = share_analysed(intervals, (hour, hour + HOUR))
        return self._shares[hour]
