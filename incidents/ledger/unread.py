"""Recordings that an analysis could not read: nothing else in the ledger tells of their footage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from incidents.ledger.file import LedgerFile
from vision.observations import HOUR


class UnreadReason(StrEnum):
    """Why a recording was not read."""

    UNREADABLE = "unreadable"
    """It cannot be opened, or no picture of it can be decoded."""
    PARTLY = "partly"
    """Reading failed before its end."""
    NO_TIME = "no_time"
    """Nothing tells when it was recorded."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A recording that could not be read.

    Attributes:
        camera: id of the camera that it was given for.
        path: absolute path of the file, or folder or pattern of the images.
        start: when it began, as the user, its name or the file says, microseconds UTC; None = unknown.
        reason: why it was not read.
    """

    camera: str
    path: Path
    start: int | None
    reason: UnreadReason


class UnreadTable:
    """The recordings that no run could read yet; each once, however often it was tried."""

    def __init__(self, file: LedgerFile) -> None:
        """Read and write an open file."""
        self._file = file

    def enter(self, recordings: Iterable[Unread]) -> None:
        """Enter recordings that could not be read, in place of what was known of them."""
        items = tuple(recordings)
        if not items:
            return
        with self._file.writing():
            for item in items:
                self._file.execute(
                    "INSERT INTO unread (camera, path, started, reason) "
                    "VALUES (:camera, :path, :start, :reason) "
                    "ON CONFLICT (camera, path) DO UPDATE SET started = :start, reason = :reason",
                    {
                        "camera": item.camera,
                        "path": str(item.path),
                        "start": item.start,
                        "reason": item.reason.value,
                    },
                )

    def forget(self, camera: str, read: Mapping[Path, int | None]) -> None:
        """Take out recordings that were read by now.

        A recording is known by its path, or, where it was copied anew, by its name and its start.

        Args:
            camera: id of the camera.
            read: absolute path -> start, microseconds UTC; None = unknown.
        """
        for item in self.find(camera):
            again = {start for path, start in read.items() if path.name == item.path.name} - {None}
            if item.path in read or item.start in again:
                with self._file.writing():
                    self._file.execute(
                        "DELETE FROM unread WHERE camera = :camera AND path = :path",
                        {"camera": camera, "path": str(item.path)},
                    )

    def find(self, camera: str, since: int | None = None, until: int | None = None) -> tuple[Unread, ...]:
        """The unread recordings of a camera whose clock hour meets [since, until), microseconds UTC, by path.

        One of which no time is known may be of any time, and is always among them.
        """
        rows = self._file.rows(
            "SELECT * FROM unread WHERE camera = :camera AND (started IS NULL OR "
            "((:since IS NULL OR started / :hour * :hour + :hour > :since) "
            "AND (:until IS NULL OR started / :hour * :hour < :until))) ORDER BY path",
            {"camera": camera, "since": since, "until": until, "hour": HOUR},
        )
        return tuple(_unread(row) for row in rows)

    def cameras(self) -> tuple[str, ...]:
        """Ids of the cameras with unread recordings, sorted."""
        rows = self._file.rows("SELECT DISTINCT camera FROM unread ORDER BY camera")
        return tuple(str(row["camera"]) for row in rows)


def _unread(row: Mapping[str, Any]) -> Unread:
    return Unread(row["camera"], Path(row["path"]), row["started"], UnreadReason(row["reason"]))
