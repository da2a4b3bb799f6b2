"""The history of incidents. Entries are only ever added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from incidents.ledger.file import LedgerFile
from incidents.record import Evidence, Status
from incidents.rule_record import RuleRecord

Event = Literal["added", "updated", "rejudged", "evidence", "status"]


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
        event: added, updated, rejudged (the rules gave another result after review began), evidence, or
            status.
        from_status, to_status: before and after a change of status.
        by, reason: who changed the status, and why.
        run: id of the run whose rules gave the result.
        detail: of added, updated and rejudged the rule record; of evidence the sealed file; of status
            the report number and facility action, if they were given with it.
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
        return tuple(
            HistoryEntry(
                **{
                    **row,
                    "from_status": Status(row["from_status"]) if row["from_status"] else None,
                    "to_status": Status(row["to_status"]) if row["to_status"] else None,
                    "detail": _detail(row["event"], row["detail"]),
                }
            )
            for row in rows
        )

    def last_rule_record(self, incident_id: str) -> str | None:
        """The rule record that was entered last for an incident, as JSON text; None = no entry."""
        row = self._file.row(
            "SELECT detail FROM incident_history WHERE incident = :id "
            "AND event IN ('added', 'updated', 'rejudged') ORDER BY id DESC LIMIT 1",
            {"id": incident_id},
        )
        return None if row is None else row["detail"]

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
    ) -> None:
        """Add an entry, within a transaction; the fields are those of `HistoryEntry`, `detail` JSON text."""
        self._file.execute(
            "INSERT INTO incident_history "
            "(incident, at, event, from_status, to_status, by, reason, run, detail) "
            "VALUES (:incident, :at, :event, :from_status, :to_status, :by, :reason, :run, :detail)",
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
            },
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
