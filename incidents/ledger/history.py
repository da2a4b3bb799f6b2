"""The history of incidents. Entries are only ever added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from incidents.ledger.file import LedgerFile
from incidents.record import Evidence, Status
from incidents.rule_record import RuleRecord

RuleEvent = Literal["opened", "alerted", "extended", "corrected", "closed", "withdrawn"]
"""Entries of the events that the rules emit (`incidents.rules.events.EventType`)."""
Event = Literal["added", "updated", "rejudged", "evidence", "status", "reopened"] | RuleEvent


class ReportDetail(BaseModel):
    """What a change of status to reported or closed can bring."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    report_number: str | None = None
    facility_action: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One entry of an incident's history.

    Attributes:
        id: grows with every entry of the ledger.
        incident: full id of the incident.
        at: microseconds UTC.
        event: added, updated, rejudged (the rules gave another result after review began), an event of the
            rules, reopened (the rules raise again what they had withdrawn), evidence, or status.
        from_status, to_status: before and after a change of status.
        by: who changed the status; None = the rules.
        reason: why the status changed, or the reason that the event of the rules gives.
        run: id of the run whose rules gave the result.
        detail: of added, updated, rejudged and events of the rules the rule record; of evidence the sealed
            file; of status the report number and facility action, if they were given with it.
        t: stream time of an event of the rules, microseconds UTC.
        replaced_by: of withdrawn: id of the incident that continues or replaces it.
    """

    id: int
    incident: str
    at: int
    event: Event
    from_status: Status | None
    to_status: Status | None
    by: str | None
    reason: str | None
    run: str | None
    detail: RuleRecord | Evidence | ReportDetail | None
    t: int | None = None
    replaced_by: str | None = None


class HistoryTable:
    """The history of all incidents."""

    def __init__(self, file: LedgerFile) -> None:
        """Read and write an open file."""
        self._file = file

    def of(self, incident_id: str) -> tuple[HistoryEntry, ...]:
        """The entries of an incident by its full id, oldest first."""
        rows = self._file.rows(
            "SELECT * FROM incident_history WHERE incident = :id ORDER BY id", {"id": incident_id}
        )
        return tuple(_entry(row) for row in rows)

    def after(self, entry: int, limit: int) -> tuple[HistoryEntry, ...]:
        """The entries of all incidents whose id is larger than `entry`, oldest first, at most `limit`.

        Writers take turns, so an entry never appears below one that was read: what acts on incidents can
        follow the history by the id of the last entry that it has dealt with.
        """
        rows = self._file.rows(
            "SELECT * FROM incident_history WHERE id > :entry ORDER BY id LIMIT :limit",
            {"entry": entry, "limit": limit},
        )
        return tuple(_entry(row) for row in rows)

    def last_until(self, at: int | None = None) -> tuple[int, int]:
        """Id and time of the last entry, of those recorded up to `at` (microseconds UTC; None = of all).

        (0, 0) where there is none.
        """
        row = self._file.row(
            "SELECT id, at FROM incident_history WHERE :at IS NULL OR at <= :at ORDER BY id DESC LIMIT 1",
            {"at": at},
        )
        return (0, 0) if row is None else (row["id"], row["at"])

    def time_of(self, entry: int) -> int | None:
        """When an entry was recorded, microseconds UTC; None = there is no such entry."""
        row = self._file.row("SELECT at FROM incident_history WHERE id = :entry", {"entry": entry})
        return None if row is None else row["at"]

    def last_rule_record(self, incident_id: str) -> str | None:
        """The rule record that was entered last for an incident, as JSON text; None = no entry."""
        row = self._file.row(
            "SELECT detail FROM incident_history WHERE incident = :id "
            "AND event NOT IN ('evidence', 'status', 'reopened') ORDER BY id DESC LIMIT 1",
            {"id": incident_id},
        )
        return None if row is None else row["detail"]

    def holds(self, incident_id: str, event: RuleEvent, t: int, record: RuleRecord) -> bool:
        """Whether an event of the rules was entered before, with its record.

        The coverage in the record does not count: it is that of the moment of recording, and grows within the
        hour. An entry that was followed by results of another facility file does not count either: when an
        edit of the rules is taken back, the events from before the edit are new again.
        """
        rows = self._file.rows(
            "SELECT id, detail FROM incident_history "
            "WHERE incident = :incident AND event = :event AND t = :t",
            {"incident": incident_id, "event": event, "t": t},
        )
        return any(
            _without_coverage(RuleRecord.model_validate_json(row["detail"])) == _without_coverage(record)
            and not self._followed_by_other_rules(incident_id, row["id"], record.facility_version)
            for row in rows
        )

    def _followed_by_other_rules(self, incident_id: str, entry: int, facility_version: str) -> bool:
        row = self._file.row(
            "SELECT 1 FROM incident_history WHERE incident = :incident AND id > :entry "
            "AND event NOT IN ('evidence', 'status', 'reopened') "
            "AND json_extract(detail, '$.facility_version') <> :version LIMIT 1",
            {"incident": incident_id, "entry": entry, "version": facility_version},
        )
        return row is not None

    def add(
        self,
        incident_id: str,
        at: int,
        event: Event,
        *,
        from_status: Status | None = None,
        to_status: Status | None = None,
        by: str | None = None,
        reason: str | None = None,
        run: str | None = None,
        detail: str | None = None,
        t: int | None = None,
        replaced_by: str | None = None,
    ) -> None:
        """Add an entry, within a transaction; the fields are those of `HistoryEntry`, `detail` JSON text."""
        self._file.execute(
            "INSERT INTO incident_history "
            "(incident, at, event, from_status, to_status, by, reason, run, detail, t, replaced_by) "
            "VALUES (:incident, :at, :event, :from_status, :to_status, :by, :reason, :run, :detail, :t, "
            ":replaced_by)",
            {
                "incident": incident_id,
                "at": at,
                "event": event,
                "from_status": from_status,
                "to_status": to_status,
                "by": by,
                "reason": reason,
                "run": run,
                "detail": detail,
                "t": t,
                "replaced_by": replaced_by,
            },
        )


def _without_coverage(record: RuleRecord) -> RuleRecord:
    return record.model_copy(update={"coverage_share": None})


def _entry(row: dict[str, Any]) -> HistoryEntry:
    return HistoryEntry(
        **{
            **row,
            "from_status": Status(row["from_status"]) if row["from_status"] else None,
            "to_status": Status(row["to_status"]) if row["to_status"] else None,
            "detail": _detail(row["event"], row["detail"]),
        }
    )


_EVIDENCE = TypeAdapter(Evidence)


def _detail(event: Event, text: str | None) -> RuleRecord | Evidence | ReportDetail | None:
    if not text:
        return None
    if event == "evidence":
        return _EVIDENCE.validate_json(text)
    if event == "status":
        return ReportDetail.model_validate_json(text)
    return RuleRecord.model_validate_json(text)
