"""Announced maintenance in the ledger: when cameras will be away, why, and who answers for it.

An announcement is made before its window begins, so that it explains an outage and never hides one that has
happened. It is never changed; an end, entered once, makes it shorter.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from incidents.ledger.file import LedgerError, LedgerFile
from incidents.local_time import local_iso
from vision.frames import SECOND
from vision.observations import ALL_TIME

LONGEST_DAYS = 31
"""Longest window of maintenance, days: a camera that is away for longer is no camera of the facility, and a
slip in a year must not explain a year of outages. Project default (docs/defaults.md)."""
LONGEST = LONGEST_DAYS * 24 * 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A window of announced maintenance. All times are microseconds UTC.

    Attributes:
        id: grows with every announcement.
        cameras: ids of the cameras, sorted; None = all cameras.
        start, end: the window as it was announced, [start, end).
        reason: what is done.
        by: name of the person who announced it.
        announced: when; never after `start`.
        ended: from when on it no longer holds, where it was ended early; before it began, that is `start`.
            None = it was not ended.
        ended_by: name of the person who ended it; None = it was not ended.
    """

    id: int
    cameras: tuple[str, ...] | None
    start: int
    end: int
    reason: str
    by: str
    announced: int
    ended: int | None = None
    ended_by: str | None = None

    @property
    def until(self) -> int:
        """Up to when it holds, microseconds UTC: the end announced, or the earlier one; `start` = never."""
        return self.end if self.ended is None else self.ended

    def covers(self, camera: str) -> bool:
        """Whether it is for a camera."""
        return self.cameras is None or camera in self.cameras


class MaintenanceTable:
    """The windows of maintenance that were announced."""

    def __init__(self, file: LedgerFile) -> None:
        """Read and write an open file."""
        self._file = file

    def announce(
        self,
        cameras: Collection[str] | None,
        start: int | None,
        end: int,
        reason: str,
        by: str,
        timezone: str = "UTC",
    ) -> Maintenance:
        """Announce maintenance.

        Args:
            cameras: ids of the cameras; None = all.
            start: microseconds UTC, not before now; None = now.
            end: microseconds UTC.
            reason: what is done.
            by: name of the person responsible.
            timezone: IANA name; times in errors are shown in it.

        Raises:
            LedgerError: the window begins before now, is empty or longer than `LONGEST_DAYS`, a text is
                empty, or the ledger cannot be written.
        """
        reason, by = reason.strip(), by.strip()
        for what, text in (("a reason", reason), ("who announces it", by)):
            if not text:
                raise LedgerError(f"maintenance: expected {what}, got an empty text")
        if cameras is not None and not cameras:
            raise LedgerError("maintenance: expected cameras, or all of them, got none")
        with self._file.writing():
            # The lock is held by now: a wait for another writer must not make the window begin in the past.
            moment = self._file.clock()
            first = moment if start is None else start
            if first < moment:
                raise LedgerError(
                    f"maintenance: expected a window from now ({_shown(moment, timezone)}) on, got one from "
                    f"{_shown(first, timezone)}: what is declared afterwards does not explain an outage"
                )
            if not first < end <= first + LONGEST:
                raise LedgerError(
                    f"maintenance: expected an end after {_shown(first, timezone)} and within "
                    f"{LONGEST_DAYS} days, got {_shown(end, timezone)}"
                )
            self._file.execute(
                "INSERT INTO maintenance (cameras, started, ended, reason, by, announced) "
                "VALUES (:cameras, :start, :end, :reason, :by, :moment)",
                {
                    "cameras": None if cameras is None else json.dumps(sorted(set(cameras))),
                    "start": first,
                    "end": end,
                    "reason": reason,
                    "by": by,
                    "moment": moment,
                },
            )
            return self._select("m.id = (SELECT max(id) FROM maintenance)", {})[0]

    def end(self, number: int, by: str, timezone: str = "UTC") -> Maintenance:
        """End a window now: from now on it explains nothing. One that has not begun is called off.

        Times in errors are shown in `timezone` (IANA name).

        Raises:
            LedgerError: there is none of that number, it is over or was ended before, or the name is empty.
        """
        if not by.strip():
            raise LedgerError("maintenance: expected who ends it, got an empty text")
        with self._file.writing():
            found = self.get(number)
            moment = self._file.clock()
            if found.ended is not None or moment >= found.end:
                how = "" if found.ended is None else f" (ended by {found.ended_by})"
                raise LedgerError(
                    f"maintenance {number}: expected a window that is not over, got one until "
                    f"{_shown(found.until, timezone)}{how}"
                )
            self._file.execute(
                "INSERT INTO maintenance_ends (maintenance, ended, by, at) VALUES (:id, :ended, :by, :at)",
                {"id": number, "ended": max(found.start, moment), "by": by.strip(), "at": moment},
            )
            return self.get(number)

    def get(self, number: int) -> Maintenance:
        """The window of a number.

        Raises:
            LedgerError: there is none.
        """
        found = self._select("m.id = :id", {"id": number})
        if not found:
            raise LedgerError(f"expected the number of a window of maintenance, got {number}")
        return found[0]

    def active(self, camera: str, t: int) -> Maintenance | None:
        """The window that holds for a camera at `t` (microseconds UTC), of several the first announced."""
        found = self.between(camera, t, t + 1)
        return found[0] if found else None

    def between(self, camera: str, start: int, end: int) -> tuple[Maintenance, ...]:
        """The windows that hold for a camera within [start, end), microseconds UTC, in order of announcement.

        They may overlap each other; each holds over [`start`, `until`). One that was called off never holds.
        """
        found = self.find(start, end)
        return tuple(
            one for one in found if one.covers(camera) and start < one.until and one.start < one.until
        )

    def find(self, start: int = 0, end: int = ALL_TIME[1]) -> tuple[Maintenance, ...]:
        """All windows whose announced time meets [start, end), microseconds UTC, in order of announcement."""
        return self._select("m.started < :end AND m.ended > :start", {"start": start, "end": end})

    def _select(self, condition: str, values: Mapping[str, Any]) -> tuple[Maintenance, ...]:
        # Each condition is one of the constants of this class, never a user's text.
        rows = self._file.rows(
            "SELECT m.*, e.ended AS ended_early, e.by AS ended_by FROM maintenance m "
            f"LEFT JOIN maintenance_ends e ON e.maintenance = m.id WHERE {condition} ORDER BY m.id",
            values,
        )
        return tuple(_maintenance(row) for row in rows)


def _shown(t: int, timezone: str) -> str:
    """A time as people read it, with its offset: 2026-11-26 08:00:00 +07:00."""
    text = local_iso(t, timezone)
    return f"{text[:19].replace('T', ' ')} {text[-6:]}"


def _maintenance(row: Mapping[str, Any]) -> Maintenance:
    return Maintenance(
        id=row["id"],
        cameras=None if row["cameras"] is None else tuple(json.loads(row["cameras"])),
        start=row["started"],
        end=row["ended"],
        reason=row["reason"],
        by=row["by"],
        announced=row["announced"],
        ended=row["ended_early"],
        ended_by=row["ended_by"],
    )
