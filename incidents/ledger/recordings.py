"""Recordings: which file or image sequence holds the footage of a camera at what time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from incidents.ledger.file import LedgerError, LedgerFile
from vision.sources.fingerprint import FileMark
from vision.sources.frame_clock import ClockState


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, or an image sequence, with footage of a camera.

    Attributes:
        stream_key: identity of the stream that was analysed from it.
        camera: id of the camera.
        path: absolute path of the file, or folder or pattern of the images.
        start: stream time of its first frame, microseconds UTC.
        end: when its last frame analysed so far stops being shown, microseconds UTC.
        fps: frame rate that replaces its timestamps, or None.
        mark: by what it is recognised as the file that was analysed.
        clock: what is known of its timestamps.
    """

    stream_key: str
    camera: str
    path: Path
    start: int
    end: int
    fps: float | None
    mark: FileMark
    clock: ClockState = ClockState.REGULAR


class RecordingTable:
    """The recordings of all cameras."""

    def __init__(self, file: LedgerFile) -> None:
        """Read and write an open file."""
        self._file = file

    def enter(self, recording: Recording) -> None:
        """Enter a recording, or what is new about it.

        A recording is known by its stream and start. Entered again, its end may move on but never back, and
        its timestamps never become better; the path, size and date are those entered last, since a file may
        be moved or copied.

        Raises:
            LedgerError: the recording is empty, or its path is relative.
        """
        if recording.end <= recording.start:
            raise LedgerError(
                f"{recording.path}: expected a recording that ends after {recording.start}, got the end "
                f"{recording.end}"
            )
        if not recording.path.is_absolute():
            raise LedgerError(f"expected the absolute path of a recording, got {recording.path}")
        known = self._file.row(
            "SELECT * FROM recordings WHERE stream = :stream AND started = :start",
            {"stream": recording.stream_key, "start": recording.start},
        )
        if known is not None and recording == replace(
            _recording(known),
            end=min(known["ended"], recording.end),
            clock=ClockState(min(known["clock"], recording.clock)),
        ):
            return  # A transaction costs a flush to the disk, and an archive has thousands of files.
        with self._file.writing():
            self._file.execute(
                "INSERT INTO streams (key) VALUES (:stream) ON CONFLICT DO NOTHING",
                {"stream": recording.stream_key},
            )
            self._file.execute(
                "INSERT INTO recordings "
                "(stream, started, ended, camera, path, fps, bytes, modified, fingerprint, clock) "
                "VALUES (:stream, :start, :end, :camera, :path, :fps, :bytes, :modified, :fingerprint, "
                ":clock) "
                "ON CONFLICT (stream, started) DO UPDATE SET ended = max(ended, excluded.ended), "
                "path = excluded.path, bytes = excluded.bytes, modified = excluded.modified, "
                "fingerprint = excluded.fingerprint, clock = max(clock, excluded.clock)",
                {
                    "stream": recording.stream_key,
                    "start": recording.start,
                    "end": recording.end,
                    "camera": recording.camera,
                    "path": str(recording.path),
                    "fps": recording.fps,
                    "bytes": recording.mark.bytes,
                    "modified": recording.mark.modified,
                    "fingerprint": recording.mark.fingerprint,
                    "clock": int(recording.clock),
                },
            )

    def between(self, camera: str, start: int, end: int) -> tuple[Recording, ...]:
        """The recordings of a camera that overlap [start, end), microseconds UTC, by start.

        The time that it takes does not grow with the number of other recordings.
        """
        rows = self._file.rows(
            "SELECT * FROM recordings WHERE camera = :camera AND started < :end AND ended > :start "
            "AND started >= :start - (SELECT ended - started FROM recordings WHERE camera = :camera "
            "ORDER BY ended - started DESC LIMIT 1) ORDER BY started, stream",
            {"camera": camera, "start": start, "end": end},
        )
        return tuple(_recording(row) for row in rows)

    def with_fingerprint(self, fingerprint: str) -> tuple[Recording, ...]:
        """The recordings whose file had a fingerprint, by start: of any camera, and as of any time."""
        rows = self._file.rows(
            "SELECT * FROM recordings WHERE fingerprint = :fingerprint ORDER BY started",
            {"fingerprint": fingerprint},
        )
        return tuple(_recording(row) for row in rows)

    def last_of_stream(self, stream_key: str) -> Recording | None:
        """The recording of a stream that begins last; None if it has none."""
        row = self._file.row(
            "SELECT * FROM recordings WHERE stream = :key ORDER BY started DESC LIMIT 1", {"key": stream_key}
        )
        return None if row is None else _recording(row)

    def forget(self, stream_key: str, starts: Sequence[int]) -> None:
        """Remove recordings of a stream, by their starts: their files were deleted on purpose.

        A recording that only disappeared stays in the index, so that what misses it can name it.
        """
        with self._file.writing():
            self._file.execute(
                "DELETE FROM recordings WHERE stream = :key "
                "AND started IN (SELECT value FROM json_each(:starts))",
                {"key": stream_key, "starts": json.dumps(list(starts))},
            )

    def of_stream(self, stream_key: str) -> tuple[Recording, ...]:
        """The recordings of a stream, by start."""
        rows = self._file.rows(
            "SELECT * FROM recordings WHERE stream = :key ORDER BY started", {"key": stream_key}
        )
        return tuple(_recording(row) for row in rows)


def _recording(row: Mapping[str, Any]) -> Recording:
    return Recording(
        stream_key=row["stream"],
        camera=row["camera"],
        path=Path(row["path"]),
        start=row["started"],
        end=row["ended"],
        fps=row["fps"],
        mark=FileMark(row["bytes"], row["modified"], row["fingerprint"]),
        clock=ClockState(row["clock"]),
    )
