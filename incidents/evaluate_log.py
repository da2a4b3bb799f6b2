"""From the observation log to incident records, for batch analysis, live analysis and replay.

A long log is evaluated in chunks, so that memory does not grow with its length. The log is cut where no
person was in view for so long that no rule can connect what came before with what came after. Where there is
no such gap, chunks overlap: the later chunk starts LOOK_BACK_US earlier, and each finding is taken from one
chunk only.
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
"""How far before a window the log is evaluated too, microseconds. An episode that began before the window
keeps its start, and with it its identity; cumulative contact counts the last 24 h."""
HOUR = observations.HOUR
CHUNK_ROWS = 2_000_000
"""Rows at which a chunk is evaluated: a day and a half of three people at 5 frames/s. Evaluation takes about
0.9 GB of memory for a million rows. Project default (docs/defaults.md)."""
MIN_QUIET_US = 600 * SECOND
"""Shortest time without any person in view at which the log is cut, microseconds. No track continues over
more than a minute, and residents who leave one door within a minute share a room. See also `_min_quiet`."""


@dataclass(frozen=True)
class Chunk:
    """A part of a camera's log that is evaluated at once.

    Attributes:
        seen: the observations.
        since: the findings of this chunk end at or after this moment, microseconds UTC.
        until: they end before this moment. Other findings belong to other chunks.
    """

    seen: pl.DataFrame
    since: int
    until: int


@dataclass(frozen=True)
class ChunkResult:
    """Result of the rules for one chunk.

    Attributes:
        chunk: the chunk.
        result: result of the engine, including findings that belong to other chunks.
        incidents: records of the findings of this chunk, by start; `run` is empty.
        exposures: entries for the exposure log that end in this chunk.
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
    """Evaluate a camera's log of a window [start, end), microseconds UTC, chunk by chunk.

    An incident that began before the window and ends in it has its true start. Each incident comes once. The
    models in a record are those of the run that made the observations; coverage is read from the ledger now.

    Raises:
        LazarettoError: the log cannot be read or evaluated, or the ledger has no run for its footage.
    """
    provenance = _Provenance(ledger, camera)
    for chunk in chunks(home, camera.id, window, _min_quiet(facility.rules), chunk_rows):
        result = evaluate_rules(chunk.seen, facility, camera)
        incidents = tuple(
            from_finding(
                finding,
                facility=facility,
                camera=camera,
                run="",
                models=provenance.models(finding.end),
                coverage_share=provenance.coverage(finding.start),
            )
            for finding in result.findings
            if chunk.since <= finding.end < chunk.until
        )
        care = tuple(item for item in result.exposures if chunk.since <= item.end < chunk.until)
        yield ChunkResult(chunk, result, incidents, care)


def chunks(
    home: Path, camera: str, window: tuple[int, int], quiet: int = MIN_QUIET_US, chunk_rows: int = CHUNK_ROWS
) -> Iterator[Chunk]:
    """Cut a camera's log of a window, and of LOOK_BACK_US before it, into chunks.

    Args:
        home: the home folder.
        camera: its id.
        window: [start, end), microseconds UTC.
        quiet: shortest time without any person in view at which the log is cut, microseconds.
        chunk_rows: rows at which a chunk is complete.

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
            # Later observations cannot change what ended an hour ago.
            yield Chunk(kept, since, settled)
            since, kept, fresh = settled, _between(kept, settled - LOOK_BACK_US, None), 0
    yield Chunk(_without_past(kept, _quiet_moments(kept, quiet), since), since, end)


def _quiet_moments(seen: pl.DataFrame, quiet: int) -> list[int]:
    """Moments, microseconds UTC, at which a person came into view after at least `quiet` without any."""
    t = seen["t"].dt.timestamp("us").to_numpy()  # the log is in order of time
    return [int(moment) for moment in t[1:][np.diff(t) >= quiet]]


def _without_past(seen: pl.DataFrame, cuts: list[int], since: int) -> pl.DataFrame:
    """The observations without those before the last quiet moment up to `since`: they change nothing
    after."""
    past = [cut for cut in cuts if cut <= since]
    return _between(seen, past[-1], None) if past else seen


def _between(seen: pl.DataFrame, start: int | None, end: int | None) -> pl.DataFrame:
    """The rows with start <= t < end, microseconds UTC."""
    moment = pl.col("t").dt.timestamp("us")
    if start is not None:
        seen = seen.filter(moment >= start)
    return seen if end is None else seen.filter(moment < end)


def _min_quiet(rules: Rules) -> int:
    """Time without any person at which the log may be cut: longer than any rule bridges or merges."""
    longest = max(
        rules.merge_s,
        rules.zone.max_gap_s,
        rules.contact.max_gap_s,
        rules.gathering.max_gap_s,
        rules.mask.window_s,
    )
    return max(MIN_QUIET_US, round(2 * longest * SECOND))


class _Provenance:
    """Models and coverage that the ledger has for moments of a camera; read once for each segment and
    hour."""

    def __init__(self, ledger: Ledger, camera: Camera) -> None:
        self._ledger, self._camera = ledger, camera.id
        self._segment: tuple[int, int, Mapping[str, Mapping[str, str]]] = (0, 0, {})
        self._shares: dict[int, float] = {}

    def models(self, t: int) -> Mapping[str, Mapping[str, str]]:
        """Purpose -> {"name", "sha256", "runtime"} of the weights that analysed `t`, microseconds UTC."""
        start, end, models = self._segment
        if not start <= t < end:
            segment = self._ledger.segments.at(self._camera, t)
            models = self._ledger.runs.get(segment.run_id).models
            self._segment = segment.start, segment.end, models
        return models

    def coverage(self, t: int) -> float:
        """Share, 0..1, of the hour around `t` (microseconds UTC) that was analysed."""
        hour = t // HOUR * HOUR
        if hour not in self._shares:
            intervals = self._ledger.coverage.of(self._camera, hour, hour + HOUR)
            self._shares[hour] = share_analysed(intervals, (hour, hour + HOUR))
        return self._shares[hour]
