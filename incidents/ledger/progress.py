"""How far analysis has come: runs, segments of footage, and the coverage that they prove."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from incidents.coverage import WATCHED, CoverageError, Interval, State, clip, normalise, overlay, withdraw
from incidents.ledger.file import LedgerError, LedgerFile
from incidents.ledger.queries import LedgerQueries
from vision.frames import to_iso
from zones.credentials import redact

if TYPE_CHECKING:
    from zones.facility import Facility

RUNNING = "running"
OUTCOMES = ("complete", "failed", "interrupted")
"""How a run can end."""


def now() -> int:
    """This moment, microseconds UTC."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a stream that was analysed and written to the observation log.

    Attributes:
        stream_key: identity of the stream; seq: number of the segment in it, from 0.
        source: where it came from, without credentials.
        start, end: [start, end), microseconds UTC.
        frames: how many frames were analysed.
        part: path of the log part relative to the home folder; "" = nobody was seen, no part.
        coverage: what the camera was doing.
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


class LedgerProgress(LedgerQueries):
    """The half of the ledger that an analysis reports to."""

    def __init__(self, file: LedgerFile, clock: Callable[[], int] = now) -> None:
        """Write to an open file; `clock` gives the time of recording, microseconds UTC."""
        super().__init__(file)
        self._clock = clock

    def start_run(
        self, facility: Facility, models: Mapping[str, Mapping[str, str]], settings: Mapping[str, Any]
    ) -> str:
        """Note that an analysis begins, and keep the facility file that it judges by; returns the run's id.

        Args:
            facility: its text and inventory are kept under its version.
            models: purpose -> {"name", "sha256" of the weights}.
            settings: anything JSON can hold; paths become text, URLs lose their credentials.

        Raises:
            LedgerError: it cannot be written, or a setting is not something JSON can hold.
        """
        run_id, moment = secrets.token_hex(8), self._clock()
        with self._file.writing():
            self._keep_facility(facility, moment)
            self._file.execute(
                "INSERT INTO runs (id, facility_version, models, settings, started, status) "
                "VALUES (:id, :version, :models, :settings, :started, :status)",
                {
                    "id": run_id,
                    "version": facility.version,
                    "models": _json("models", models),
                    "settings": _json("settings", _without_credentials(settings)),
                    "started": moment,
                    "status": RUNNING,
                },
            )
        return run_id

    def finish_run(self, run_id: str, status: str) -> None:
        """Note how a run ended: complete, failed or interrupted. Saying the same twice is no fault.

        Raises:
            LedgerError: unknown run or status, or the run has ended otherwise.
        """
        if status not in OUTCOMES:
            raise LedgerError(f"expected a run to end as one of {', '.join(OUTCOMES)}, got {status!r}")
        with self._file.writing():
            current = self.run(run_id).status
            if current == status:
                return
            if current != RUNNING:
                raise LedgerError(f"run {run_id}: expected one that is running, got one that is {current}")
            self._file.execute(
                "UPDATE runs SET status = :status, finished = :moment WHERE id = :id",
                {"status": status, "moment": self._clock(), "id": run_id},
            )

    def commit_segment(
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
        """Note that a segment is analysed and its log part written, with its coverage, in one transaction.

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
        intervals = _of_camera(camera, coverage)
        with self._file.writing():
            self.run(run_id)
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
            self._cover(camera, intervals)
        return True

    def record_coverage(self, camera: str, intervals: Sequence[Interval]) -> None:
        """Note what a camera was doing where there is no footage: offline, or planned maintenance.

        Raises:
            LedgerError: the intervals are of another camera or overlap each other.
        """
        intervals = _of_camera(camera, intervals)
        with self._file.writing():
            self._cover(camera, intervals)

    def withdraw_coverage(self, camera: str, start: int, end: int, cause: str) -> None:
        """Note that what was watched in [start, end), microseconds UTC, can be judged no more.

        The only way in which watched time shrinks: `record_coverage` never takes any back.
        """
        with self._file.writing():
            old = self._coverage_rows(camera, start, end)
            self._exchange(camera, old, withdraw(old, (start, end), cause))

    def segments_within(self, camera: str, start: int, end: int) -> tuple[Segment, ...]:
        """What was committed of a camera that reaches into [start, end), in order of time."""
        rows = self._file.rows(
            "SELECT * FROM segments WHERE camera = :camera AND ended > :start AND started < :end "
            "ORDER BY started, stream, seq",
            {"camera": camera, "start": start, "end": end},
        )
        return tuple(_segment(row) for row in rows)

    def segments(self, stream_key: str) -> tuple[Segment, ...]:
        """What was committed of a stream, by number; empty when nothing was."""
        rows = self._file.rows("SELECT * FROM segments WHERE stream = :key ORDER BY seq", {"key": stream_key})
        return tuple(_segment(row) for row in rows)

    def mark_complete(self, stream_key: str) -> None:
        """Note that a stream was analysed to its end, even when it gave no segment."""
        with self._file.writing():
            self._file.execute(
                "INSERT INTO streams (key, completed) VALUES (:key, :moment) "
                "ON CONFLICT (key) DO UPDATE SET completed = coalesce(completed, excluded.completed)",
                {"key": stream_key, "moment": self._clock()},
            )

    def stream_complete(self, stream_key: str) -> bool:
        """Whether a stream was analysed to its end."""
        row = self._file.row(
            "SELECT 1 FROM streams WHERE key = :key AND completed IS NOT NULL", {"key": stream_key}
        )
        return row is not None

    def segment_at(self, camera: str, t: int) -> tuple[int, int, str]:
        """Start and end (microseconds UTC) of the segment of a camera in which `t` lies, and its run's id.

        Raises:
            LedgerError: the camera's footage of that moment was not analysed.
        """
        row = self._file.row(
            "SELECT started, ended, run FROM segments WHERE camera = :camera AND ended > :t "
            "AND started <= :t ORDER BY ended LIMIT 1",
            {"camera": camera, "t": t},
        )
        if row is None:
            raise LedgerError(f"expected footage of camera {camera} analysed at {to_iso(t)}, got none")
        return row["started"], row["ended"], row["run"]

    def analysed_overlap(
        self, camera: str, start: int, end: int, except_stream: str | None = None
    ) -> Interval | None:
        """The earliest time in [start, end) that was supervised already, under another stream's key.

        The same footage under two names, or two recordings of one camera over the same minutes, would
        count people twice. Returns that interval with the other source as its cause, or None.
        """
        seen = [
            Interval(camera, piece.start, piece.end, piece.state, segment.source)
            for segment in self.segments_within(camera, start, end)
            if segment.stream_key != except_stream
            for piece in clip(segment.coverage, (max(start, segment.start), min(end, segment.end)))
            if piece.state in WATCHED
        ]
        return min(seen, default=None)

    def _cover(self, camera: str, intervals: Sequence[Interval]) -> None:
        if not intervals:
            return
        old = self._coverage_rows(camera, intervals[0].start, intervals[-1].end)
        self._exchange(camera, old, overlay(old, intervals))

    def _exchange(self, camera: str, old: Sequence[Interval], new: Sequence[Interval]) -> None:
        for gone in sorted(set(old) - set(new)):
            self._file.execute(
                "DELETE FROM coverage WHERE camera = :camera AND started = :start",
                {"camera": camera, "start": gone.start},
            )
        for item in sorted(set(new) - set(old)):
            self._file.execute(
                "INSERT INTO coverage (camera, started, ended, state, cause) "
                "VALUES (:camera, :start, :end, :state, :cause)",
                {
                    "camera": camera,
                    "start": item.start,
                    "end": item.end,
                    "state": item.state.value,
                    "cause": item.cause,
                },
            )

    def _keep_facility(self, facility: Facility, moment: int) -> None:
        identity = {
            "code": facility.code,
            "name": facility.name,
            "body": facility.managing_body,
            "timezone": str(facility.timezone),
        }
        self._file.execute(
            "INSERT INTO facilities (code, name, managing_body, timezone) "
            "VALUES (:code, :name, :body, :timezone) "
            "ON CONFLICT (code) DO UPDATE SET name = :name, managing_body = :body, timezone = :timezone",
            identity,
        )
        known = self._file.row(
            "SELECT 1 FROM facility_versions WHERE sha256 = :version", {"version": facility.version}
        )
        self._file.execute(
            "INSERT INTO facility_versions (sha256, facility, text, first_used, last_used) "
            "VALUES (:version, :code, :text, :moment, :moment) "
            "ON CONFLICT (sha256) DO UPDATE SET last_used = :moment",
            {"version": facility.version, "code": facility.code, "text": facility.text, "moment": moment},
        )
        if known is not None:
            return
        for position, camera in enumerate(facility.cameras):
            self._file.execute(
                "INSERT INTO cameras (facility_version, position, id, name, place) "
                "VALUES (:version, :position, :id, :name, :place)",
                {
                    "version": facility.version,
                    "position": position,
                    "id": camera.id,
                    "name": camera.name,
                    "place": ", ".join(camera.places),
                },
            )


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
            Interval(camera, start, end, State(state), cause)
            for start, end, state, cause in json.loads(row["coverage"])
        ),
        run_id=row["run"],
    )


def _of_camera(camera: str, intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    try:
        checked = normalise(intervals)
    except CoverageError as error:
        raise LedgerError(str(error)) from error
    if checked and checked[0].camera != camera:
        raise LedgerError(f"expected coverage of camera {camera}, got of {checked[0].camera}")
    return checked


def _without_credentials(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {str(key): _without_credentials(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_credentials(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float)) else redact(str(value))


def _json(what: str, value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise LedgerError(f"expected {what} of a run that JSON can hold, got {error}") from error
