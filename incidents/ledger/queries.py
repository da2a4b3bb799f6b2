"""What can be asked of the ledger: incidents, their history, coverage, cameras and runs."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from incidents.coverage import Interval, State, clip, fill, normalise
from incidents.ledger.exposures import ExposureEntry, listed
from incidents.ledger.file import LedgerError, LedgerFile
from incidents.record import KINDS, Evidence, Incident, Status


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of an incident's history.

    Attributes:
        id: grows with every entry of the ledger.
        at: microseconds UTC.
        event: added, updated, rejudged (judged otherwise after review began), evidence, or status.
        from_status, to_status: of a change of status.
        by, reason: who changed the status, and why.
        run: the run that judged.
        detail: the judgement, the evidence, or what else the event brought.
    """

    id: int
    incident: str
    at: int
    event: str
    from_status: Status | None
    to_status: Status | None
    by: str | None
    reason: str | None
    run: str | None
    detail: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class CameraEntry:
    """A camera of the inventory, as in the version of the facility file that was used last.

    `place` holds the public areas that it sees, joined by ", ".
    """

    facility: str
    facility_version: str
    id: str
    name: str
    place: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an analysis; `started` and `finished` in microseconds UTC."""

    id: str
    facility: str
    facility_version: str
    models: dict[str, dict[str, str]]
    settings: dict[str, Any]
    started: int
    finished: int | None
    status: str


class LedgerQueries:
    """The reading half of the ledger."""

    def __init__(self, file: LedgerFile) -> None:
        """Read from an open file."""
        self._file = file

    def incidents(
        self,
        since: int | None = None,
        until: int | None = None,
        kinds: Collection[str] | None = None,
        cameras: Collection[str] | None = None,
        statuses: Collection[str] | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> tuple[Incident, ...]:
        """Incidents that satisfy every filter, by start and id.

        Args:
            since: microseconds UTC; those that end at or after it.
            until: microseconds UTC; those that start before it.
            kinds: any of these; None = all, empty = none.
            cameras: ids, any of these; None = all, empty = none (what a user may see can be nothing).
            statuses: any of these; None = all, empty = none.
            limit: at most so many, the first in the order asked for.
            newest_first: latest start first.

        Raises:
            LedgerError: a filter that can never match, such as an unknown kind.
        """
        if since is not None and until is not None and since >= until:
            raise LedgerError(f"expected a time to begin with before {until}, got {since}")
        if limit is not None and limit < 0:
            raise LedgerError(f"expected a limit of 0 or more, got {limit}")
        conditions = {
            "ended >= :since": since,
            "started < :until": until,
            "kind IN (SELECT value FROM json_each(:kinds))": _choice("kind", kinds, KINDS),
            "camera IN (SELECT value FROM json_each(:cameras))": _choice("camera", cameras, None),
            "status IN (SELECT value FROM json_each(:statuses))": _choice("status", statuses, list(Status)),
        }
        where = " AND ".join(text for text, value in conditions.items() if value is not None) or "TRUE"
        order = "started DESC, id DESC" if newest_first else "started, id"
        names = ("since", "until", "kinds", "cameras", "statuses")
        values = dict(zip(names, conditions.values(), strict=True))
        sql = f"SELECT * FROM incidents WHERE {where} ORDER BY {order} LIMIT :limit"
        with self._file.reading():
            rows = self._file.rows(sql, {**values, "limit": -1 if limit is None else limit})
            evidence = self._evidence([row["id"] for row in rows])
        return tuple(_incident(row, evidence.get(row["id"], ())) for row in rows)

    def incident(self, incident_id: str) -> Incident:
        """The incident of an id, or of the first digits of one when no other begins so.

        Raises:
            LedgerError: unknown or ambiguous.
        """
        with self._file.reading():
            full = self.resolve(incident_id)
            row = self._file.rows("SELECT * FROM incidents WHERE id = :id", {"id": full})[0]
            evidence = self._evidence([full])
        return _incident(row, evidence.get(full, ()))

    def exposures(
        self, since: int | None = None, until: int | None = None, cameras: Collection[str] | None = None
    ) -> tuple[ExposureEntry, ...]:
        """The exposure log, by start; filters as those of `incidents`.

        Raises:
            LedgerError: the times are the wrong way round.
        """
        return listed(self._file, since, until, cameras)

    def resolve(self, incident_id: str) -> str:
        """The full id for an id or its first digits.

        Raises:
            LedgerError: unknown or ambiguous.
        """
        prefix = incident_id.strip().lower()
        found: list[dict[str, Any]] = []
        if prefix and not set(prefix) - set("0123456789abcdef"):
            # "g" sorts after every hexadecimal digit.
            found = self._file.rows(
                "SELECT id FROM incidents WHERE id >= :low AND id < :high ORDER BY id LIMIT 4",
                {"low": prefix, "high": prefix + "g"},
            )
        if not found:
            raise LedgerError(f"expected the id of an incident in {self._file.path}, got {incident_id!r}")
        if len(found) > 1:
            some = ", ".join(row["id"] for row in found[:3]) + (", ..." if len(found) > 3 else "")
            raise LedgerError(f"expected the id of one incident, got {incident_id!r}, which fits {some}")
        return str(found[0]["id"])

    def history(self, incident_id: str) -> tuple[HistoryEntry, ...]:
        """Everything that happened to an incident, oldest first; takes first digits as `incident` does.

        Raises:
            LedgerError: unknown or ambiguous.
        """
        with self._file.reading():
            rows = self._file.rows(
                "SELECT * FROM incident_history WHERE incident = :id ORDER BY id",
                {"id": self.resolve(incident_id)},
            )
        return tuple(
            HistoryEntry(
                **{
                    **row,
                    "from_status": Status(row["from_status"]) if row["from_status"] else None,
                    "to_status": Status(row["to_status"]) if row["to_status"] else None,
                    "detail": json.loads(row["detail"]) if row["detail"] else None,
                }
            )
            for row in rows
        )

    def evidence_of(self, incident_id: str) -> tuple[Evidence, ...]:
        """The sealed files of an incident, by kind; takes first digits as `incident` does.

        Raises:
            LedgerError: unknown or ambiguous.
        """
        with self._file.reading():
            full = self.resolve(incident_id)
            return self._evidence([full]).get(full, ())

    def coverage(self, camera: str, start: int, end: int) -> tuple[Interval, ...]:
        """What a camera was doing in [start, end), microseconds UTC: intervals that fill it exactly.

        Time that nobody recorded anything about is offline with the cause `coverage.NO_RECORD`.

        Raises:
            LedgerError: the window is empty.
        """
        if end <= start:
            raise LedgerError(f"coverage of camera {camera}: expected an end after {start}, got {end}")
        return fill(clip(self._coverage_rows(camera, start, end), (start, end)), camera, (start, end))

    def cameras(self) -> tuple[CameraEntry, ...]:
        """The inventory: cameras of each facility in the version of its file that was used last."""
        rows = self._file.rows(
            """
            SELECT v.facility, c.facility_version, c.id, c.name, c.place
            FROM cameras c JOIN facility_versions v ON v.sha256 = c.facility_version
            WHERE v.sha256 = (
                SELECT sha256 FROM facility_versions
                WHERE facility = v.facility ORDER BY last_used DESC, rowid DESC LIMIT 1
            )
            ORDER BY v.facility, c.position
            """
        )
        return tuple(CameraEntry(**row) for row in rows)

    def facility_text(self, version: str) -> str:
        """The text of a facility file by its SHA-256, as it was when it was used.

        Raises:
            LedgerError: that version was never used.
        """
        row = self._file.row("SELECT text FROM facility_versions WHERE sha256 = :v", {"v": version})
        if row is None:
            raise LedgerError(f"expected the version of a facility file that was used, got {version!r}")
        return str(row["text"])

    def run(self, run_id: str) -> Run:
        """A run by its id.

        Raises:
            LedgerError: unknown.
        """
        row = self._file.row(
            "SELECT r.*, v.facility FROM runs r JOIN facility_versions v ON v.sha256 = r.facility_version "
            "WHERE r.id = :id",
            {"id": run_id},
        )
        if row is None:
            raise LedgerError(f"expected the id of a run in {self._file.path}, got {run_id!r}")
        return Run(**{**row, "models": json.loads(row["models"]), "settings": json.loads(row["settings"])})

    def faults(self) -> tuple[str, ...]:
        """What SQLite's own checks find wrong with the file and its references; empty = sound.

        Reads everything: seconds on a large ledger.
        """
        found = [str(row["integrity_check"]) for row in self._file.rows("PRAGMA integrity_check")]
        orphans = self._file.rows("PRAGMA foreign_key_check")
        return (
            *(text for text in found if text != "ok"),
            *(f"{row['table']} refers to a {row['parent']} that is not there" for row in orphans),
        )

    def _coverage_rows(self, camera: str, start: int, end: int) -> tuple[Interval, ...]:
        """Stored intervals that meet or touch [start, end], whole."""
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

    def _evidence(self, ids: list[str]) -> dict[str, tuple[Evidence, ...]]:
        rows = self._file.rows(
            "SELECT * FROM evidence WHERE incident IN (SELECT value FROM json_each(:ids)) "
            "ORDER BY incident, kind",
            {"ids": json.dumps(ids)},
        )
        found: dict[str, tuple[Evidence, ...]] = {}
        for row in rows:
            incident = row.pop("incident")
            found[incident] = (*found.get(incident, ()), Evidence(**row))
        return found


def _incident(row: dict[str, Any], evidence: tuple[Evidence, ...]) -> Incident:
    return Incident.from_judgement(
        row["judgement"],
        run=row["run"],
        status=Status(row["status"]),
        reviewer=row["reviewer"],
        decision=row["decision"],
        reason=row["reason"],
        decided_at=row["decided"],
        facility_action=row["facility_action"],
        report_number=row["report_number"],
        evidence=evidence,
    )


def _choice(what: str, chosen: Collection[str] | None, allowed: Collection[str] | None) -> str | None:
    """A filter's values as JSON; None = no filter."""
    if chosen is None:
        return None
    values = [chosen] if isinstance(chosen, str) else list(chosen)
    for value in values:
        if allowed is not None and value not in allowed:
            raise LedgerError(f"expected a {what} among {', '.join(allowed)}, got {value!r}")
    return json.dumps(values)
