"""Segments of streams: which footage was analysed and written to the observation log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from incidents.coverage import WATCHED, Interval, State, clip
from incidents.ledger.coverage import CoverageTable, of_camera
from incidents.ledger.file import LedgerError, LedgerFile
from incidents.ledger.runs import RunTable
from vision.frames import to_iso
from zones.credentials import redact


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a stream that was analysed and written to the observation log.

    Attributes:
        stream_key: identity of the stream.
        seq: number of the segment in the stream, from 0.
        source: the file or URL of the stream, without credentials.
        start, end: [start, end), microseconds UTC.
        frames: number of analysed frames.
        part: path of the log part relative to the home folder; "" = no person was seen, so there is no part.
        coverage: what the camera was doing.
        run_id: id of the run that analysed it.
    """

    stream_key: str
    seq: int
    camera: str
    source: str
    start: int
    end: int
    frames: int
    part: str
    coverage: tuple[Interval, ...]
    run_id: str


_COVERAGE = TypeAdapter(tuple[tuple[int, int, State, str], ...])
"""Start, end, state and cause of intervals, as the JSON text of a segment holds them."""


class SegmentTable:
    """The analysed segments, and the streams that are complete."""

    def __init__(self, file: LedgerFile, runs: RunTable, coverage: CoverageTable) -> None:
        """Read and write an open file."""
        self._file, self._runs, self._coverage = file, runs, coverage

    def commit(
        self,
        stream_key: str,
        camera: str,
        seq: int,
        source: str,
        start: int,
        end: int,
        frames: int,
        part: str,
        coverage: Sequence[Interval],
        run_id: str,
    ) -> bool:
        """Record in one transaction that a segment is analysed and its log part written, with its coverage.

        Coverage may reach beyond the segment (a gap before it); see `coverage.wins` for what happens
        where something is recorded already. Returns False, and changes nothing, when the same segment
        was committed before.

        Raises:
            LedgerError: the segment is empty, its coverage is of another camera or overlaps itself, the
                run is unknown, or another segment was committed under the same number.
        """
        if end <= start or seq < 0 or frames < 0:
            raise LedgerError(
                f"segment {seq} of camera {camera}: expected an end after {start} and counts of 0 or more, "
                f"got the end {end} and {frames} frames"
            )
        intervals = of_camera(camera, coverage)
        with self._file.writing():
            self._runs.require(run_id)
            known = self._file.row(
                "SELECT camera, started, ended FROM segments WHERE stream = :key AND seq = :seq",
                {"key": stream_key, "seq": seq},
            )
            if known is not None:
                if tuple(known.values()) != (camera, start, end):
                    raise LedgerError(
                        f"segment {seq} of stream {stream_key}: expected {tuple(known.values())} "
                        f"as committed before, got {(camera, start, end)}"
                    )
                return False
            self._file.execute(
                "INSERT INTO streams (key) VALUES (:key) ON CONFLICT DO NOTHING", {"key": stream_key}
            )
            self._file.execute(
                "INSERT INTO segments "
                "(stream, seq, camera, source, started, ended, frames, part, coverage, run) "
                "VALUES (:key, :seq, :camera, :source, :start, :end, :frames, :part, :coverage, :run)",
                {
                    "key": stream_key,
                    "seq": seq,
                    "camera": camera,
                    "source": redact(source),
                    "start": start,
                    "end": end,
                    "frames": frames,
                    "part": part,
                    "coverage": json.dumps([[i.start, i.end, i.state, i.cause] for i in intervals]),
                    "run": run_id,
                },
            )
            self._coverage.record(camera, intervals)
        return True

    def of_stream(self, stream_key: str) -> tuple[Segment, ...]:
        """The committed segments of a stream, by number."""
        rows = self._file.rows("SELECT * FROM segments WHERE stream = :key ORDER BY seq", {"key": stream_key})
        return tuple(_segment(row) for row in rows)

    def last_of_stream(self, stream_key: str) -> Segment | None:
        """The committed segment of a stream with the highest number; None before the first."""
        row = self._file.row(
            "SELECT * FROM segments WHERE stream = :key ORDER BY seq DESC LIMIT 1", {"key": stream_key}
        )
        return None if row is None else _segment(row)

    def within(self, camera: str, start: int, end: int) -> tuple[Segment, ...]:
        """The committed segments of a camera that overlap [start, end), by start."""
        rows = self._file.rows(
            "SELECT * FROM segments WHERE camera = :camera AND ended > :start AND started < :end "
            "ORDER BY started, stream, seq",
            {"camera": camera, "start": start, "end": end},
        )
        return tuple(_segment(row) for row in rows)

    def at(self, camera: str, t: int) -> Segment:
        """The segment of a camera in which `t` (microseconds UTC) lies.

        Raises:
            LedgerError: the camera's footage of that moment was not analysed.
        """
        row = self._file.row(
            "SELECT * FROM segments WHERE camera = :camera AND ended > :t AND started <= :t "
            "ORDER BY ended LIMIT 1",
            {"camera": camera, "t": t},
        )
        if row is None:
            raise LedgerError(f"expected footage of camera {camera} analysed at {to_iso(t)}, got none")
        return _segment(row)

    def analysed_overlap(
        self, camera: str, start: int, end: int, except_stream: str | None = None
    ) -> Interval | None:
        """The earliest time in [start, end) that was supervised already, under another stream's key.

        The same footage under two names, or two recordings of one camera over the same minutes, would
        count people twice. Returns that interval with the other source as its cause, or None.
        """
        seen = [
            Interval(camera, part.start, part.end, part.state, segment.source)
            for segment in self.within(camera, start, end)
            if segment.stream_key != except_stream
            for part in clip(segment.coverage, (max(start, segment.start), min(end, segment.end)))
            if part.state in WATCHED
        ]
        return min(seen, default=None)

    def mark_complete(self, stream_key: str) -> None:
        """Record that a stream was analysed to its end, even when it has no segment."""
        with self._file.writing():
            self._file.execute(
                "INSERT INTO streams (key, completed) VALUES (:key, :moment) "
                "ON CONFLICT (key) DO UPDATE SET completed = coalesce(completed, excluded.completed)",
                {"key": stream_key, "moment": self._file.clock()},
            )

    def mark_evaluated(self, camera: str, start: int, end: int) -> None:
        """Record that the incidents of a camera in [start, end), microseconds UTC, are in the ledger.

        It counts for the segments that lie in it as a whole.
        """
        with self._file.writing():
            self._file.execute(
                "UPDATE segments SET evaluated = :moment WHERE camera = :camera AND evaluated IS NULL "
                "AND started >= :start AND ended <= :end",
                {"camera": camera, "start": start, "end": end, "moment": self._file.clock()},
            )

    def not_evaluated(self, camera: str, start: int, end: int) -> tuple[Segment, ...]:
        """The segments of a camera that overlap [start, end), without recorded incidents, by start."""
        rows = self._file.rows(
            "SELECT * FROM segments WHERE camera = :camera AND evaluated IS NULL "
            "AND started < :end AND ended > :start ORDER BY started, stream, seq",
            {"camera": camera, "start": start, "end": end},
        )
        return tuple(_segment(row) for row in rows)

    def is_complete(self, stream_key: str) -> bool:
        """Whether a stream was analysed to its end."""
        row = self._file.row(
            "SELECT 1 FROM streams WHERE key = :key AND completed IS NOT NULL", {"key": stream_key}
        )
        return row is not None


def _segment(row: Mapping[str, Any]) -> Segment:
    camera = row["camera"]
    return Segment(
        stream_key=row["stream"],
        seq=row["seq"],
        camera=camera,
        source=row["source"],
        start=row["started"],
        end=row["ended"],
        frames=row["frames"],
        part=row["part"],
        coverage=tuple(
            Interval(camera, start, end, state, cause)
            for start, end, state, cause in _COVERAGE.validate_json(row["coverage"])
        ),
        run_id=row["run"],
    )
