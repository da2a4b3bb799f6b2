"""Coverage in the ledger: what each camera was doing in every second. Intervals of a camera never overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from incidents.coverage import (
    WATCHED,
    CoverageError,
    Interval,
    State,
    clip,
    fill,
    normalise,
    overlay,
    withdraw,
)
from incidents.ledger.file import LedgerError, LedgerFile
from vision.observations import ALL_TIME


class CoverageTable:
    """The coverage of all cameras."""

    def __init__(self, file: LedgerFile) -> None:
        """Read and write an open file."""
        self._file = file

    def of(self, camera: str, start: int, end: int) -> tuple[Interval, ...]:
        """What a camera was doing in [start, end), microseconds UTC: intervals that fill it exactly.

        Time without a record is offline with the cause `coverage.NO_RECORD`.

        Raises:
            LedgerError: the window is empty.
        """
        if end <= start:
            raise LedgerError(f"coverage of camera {camera}: expected an end after {start}, got {end}")
        return fill(clip(self._touching(camera, start, end), (start, end)), camera, (start, end))

    def recorded(self, camera: str, start: int = 0, end: int = ALL_TIME[1]) -> tuple[Interval, ...]:
        """What is recorded of a camera in [start, end), microseconds UTC; no filler where nothing is."""
        return clip(self._touching(camera, start, end), (start, end))

    def cameras(self) -> tuple[str, ...]:
        """Ids of the cameras of which anything is recorded, sorted."""
        rows = self._file.rows("SELECT DISTINCT camera FROM coverage ORDER BY camera")
        return tuple(str(row["camera"]) for row in rows)

    def watched(self, camera: str, start: int) -> tuple[tuple[int, int], ...]:
        """When a camera was supervised from `start` on, microseconds UTC: [start, end) each."""
        rows = self._file.rows(
            "SELECT started, ended FROM coverage WHERE camera = :camera AND ended > :start "
            f"AND state IN ({', '.join(repr(str(state)) for state in sorted(WATCHED))}) ORDER BY started",
            {"camera": camera, "start": start},
        )
        return tuple((row["started"], row["ended"]) for row in rows)

    def record(self, camera: str, intervals: Iterable[Interval]) -> None:
        """Record what a camera was doing, without footage too: offline, or planned maintenance.

        `coverage.wins` decides where something is recorded already.

        Raises:
            LedgerError: the intervals are of another camera or overlap each other.
        """
        checked = of_camera(camera, intervals)
        if not checked:
            return
        with self._file.writing():
            old = self._touching(camera, checked[0].start, checked[-1].end)
            self._exchange(camera, old, overlay(old, checked))

    def withdraw(self, camera: str, start: int, end: int, cause: str) -> None:
        """Turn supervised time in [start, end), microseconds UTC, into undecodable time with that cause.

        Only this method makes supervised time shorter: `record` never does.
        """
        with self._file.writing():
            old = self._touching(camera, start, end)
            self._exchange(camera, old, withdraw(old, (start, end), cause))

    def _touching(self, camera: str, start: int, end: int) -> tuple[Interval, ...]:
        """Stored intervals that meet or touch [start, end], not clipped."""
        # Stored intervals never overlap, so the first that can reach `start` is the last to begin before it.
        rows = self._file.rows(
            """
            SELECT camera, started AS start, ended AS end, state, cause FROM coverage
            WHERE camera = :camera AND started <= :end AND ended >= :start AND started >= coalesce(
                (SELECT max(started) FROM coverage WHERE camera = :camera AND started < :start), :start
            )
            """,
            {"camera": camera, "start": start, "end": end},
        )
        return normalise(Interval(**{**row, "state": State(row["state"])}) for row in rows)

    def _exchange(self, camera: str, old: Sequence[Interval], new: Sequence[Interval]) -> None:
        for item in sorted(set(old) - set(new)):
            self._file.execute(
                "DELETE FROM coverage WHERE camera = :camera AND started = :start",
                {"camera": camera, "start": item.start},
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


def of_camera(camera: str, intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Normalised intervals, checked to be of one camera.

    Raises:
        LedgerError: the intervals are of another camera or overlap each other.
    """
    try:
        checked = normalise(intervals)
    except CoverageError as error:
        raise LedgerError(str(error)) from error
    if checked and checked[0].camera != camera:
        raise LedgerError(f"expected coverage of camera {camera}, got of {checked[0].camera}")
    return checked
