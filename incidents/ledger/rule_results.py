"""What the rules find, entered in the ledger: the events of incidents, and their state at the end of footage.

A new incident follows its events. From the start of the review on it stays as the reviewer saw it; what the
rules find after that is told by its history and, where it matters, by a mark that asks for a second look.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Literal

from incidents.ledger.facilities import FacilityTable
from incidents.ledger.file import LedgerError, LedgerFile
from incidents.ledger.history import HistoryTable
from incidents.ledger.runs import RunTable
from incidents.record import Incident, Status
from incidents.rule_record import RuleRecord
from incidents.rules.events import Event, EventType

Change = Literal["added", "updated", "unchanged"]
EventChange = Literal["added", "updated", "unchanged", "withdrawn", "reopened", "second_look"]

GROWTH = frozenset({EventType.EXTENDED, EventType.ALERTED, EventType.CLOSED})
"""Events that time alone brings: they say that the incident went on or ended, not that it is another one."""
ENDING = frozenset({EventType.CLOSED, EventType.WITHDRAWN})
REOPENED_REASON = "the rules raise it again"


@dataclass(frozen=True, slots=True)
class _Entry:
    """An incident as the ledger has it."""

    record: RuleRecord
    text: str
    status: Status
    decided: bool


class RuleResults:
    """Writes the results of the rules."""

    def __init__(
        self, file: LedgerFile, runs: RunTable, facilities: FacilityTable, history: HistoryTable
    ) -> None:
        """Write to an open file."""
        self._file, self._runs, self._facilities, self._history = file, runs, facilities, history

    def record(self, incident: Incident, run_id: str) -> Change:
        """See `incidents.ledger.incidents.IncidentTable.record`."""
        record = incident.rule_record()
        text, moment = record.to_json(), self._file.clock()
        with self._file.writing():
            old = self._old(incident, run_id)
            if old is None:
                self._insert(incident, text, run_id, moment)
                self._history.add(incident.id, moment, "added", run=run_id, detail=text)
                return "added"
            if old.text == text or _is_earlier_state(record, old.record):
                return "unchanged"
            if old.status is Status.NEW:
                self._update(record, text, run_id)
                self._history.add(incident.id, moment, "updated", run=run_id, detail=text)
                return "updated"
            if self._history.last_rule_record(incident.id) != text:
                self._history.add(incident.id, moment, "rejudged", run=run_id, detail=text)
            if old.status is Status.IN_REVIEW and record.ongoing:
                return self._grow(old, record, run_id)
            return "unchanged"

    def record_event(self, event: Event, incident: Incident, run_id: str) -> EventChange:
        """See `incidents.ledger.incidents.IncidentTable.record_event`."""
        if event.incident != incident.id:
            raise LedgerError(f"expected the incident of the event, {event.incident}, got {incident.id}")
        incident = replace(incident, ongoing=event.type not in ENDING)
        record = incident.rule_record()
        with self._file.writing():
            old = self._old(incident, run_id)
            if old is None:
                if event.type is not EventType.OPENED:
                    raise LedgerError(
                        f"incident {incident.id}: expected it to be opened first, got {event.type.value}"
                    )
                self._insert(incident, record.to_json(), run_id, self._file.clock())
                self._enter(event, record, run_id)
                return "added"
            if self._history.holds(incident.id, event.type.value, event.t, record):
                return "unchanged"
            if event.type is EventType.WITHDRAWN:
                return self._withdraw(old, event, record, run_id)
            if old.status is Status.WITHDRAWN:
                self._reopen(event, run_id)
            self._enter(event, record, run_id)
            return self._follow(old, event, record, run_id)

    def _follow(self, old: _Entry, event: Event, record: RuleRecord, run_id: str) -> EventChange:
        """Apply an event other than a withdrawal to the incident, as far as its status allows."""
        if old.status in (Status.NEW, Status.WITHDRAWN):
            self._update(record, record.to_json(), run_id)
            return "updated" if old.status is Status.NEW else "reopened"
        if event.type is EventType.CORRECTED and _beliefs(record) != _beliefs(old.record):
            self._mark(event)
            return "second_look"
        if old.status is Status.IN_REVIEW and event.type in GROWTH:
            return self._grow(old, record, run_id)
        if not old.decided:
            return "unchanged"
        again = event.type is EventType.OPENED and self._unmark(event.incident)
        told = (again or event.type is EventType.CLOSED) and self._tell_whether_it_goes_on(
            old, record, run_id
        )
        return "updated" if again or told else "unchanged"

    def _withdraw(self, old: _Entry, event: Event, record: RuleRecord, run_id: str) -> EventChange:
        if old.decided:
            self._enter(event, record, run_id)
            self._mark(event)
            self._tell_whether_it_goes_on(old, record, run_id)
            return "second_look"
        self._enter(event, record, run_id, old.status, Status.WITHDRAWN)
        if old.status is Status.IN_REVIEW:
            self._grow(old, record, run_id)
        else:
            self._update(record, record.to_json(), run_id)
        self._file.execute(
            "UPDATE incidents SET status = :status, withdrawn_reason = :reason, replaced_by = :by, "
            "second_look = NULL WHERE id = :id",
            {
                "status": Status.WITHDRAWN.value,
                "reason": event.reason,
                "by": event.replaced_by,
                "id": record.id,
            },
        )
        return "withdrawn"

    def _reopen(self, event: Event, run_id: str) -> None:
        self._file.execute(
            "UPDATE incidents SET status = :status, withdrawn_reason = NULL, replaced_by = NULL, "
            "reviewer = NULL WHERE id = :id",
            {"status": Status.NEW.value, "id": event.incident},
        )
        self._history.add(
            event.incident,
            self._file.clock(),
            "reopened",
            from_status=Status.WITHDRAWN,
            to_status=Status.NEW,
            reason=event.reason or REOPENED_REASON,
            run=run_id,
            t=event.t,
        )

    def _mark(self, event: Event) -> None:
        """Ask for a second look."""
        self._file.execute(
            "UPDATE incidents SET second_look = :why, replaced_by = coalesce(:by, replaced_by) "
            "WHERE id = :id",
            {
                "why": ": ".join(part for part in (event.type.value, event.reason) if part),
                "by": event.replaced_by,
                "id": event.incident,
            },
        )

    def _unmark(self, incident: str) -> bool:
        """The rules raise again what they had withdrawn after the decision: that needs no second look."""
        marked = self._file.row(
            "SELECT 1 FROM incidents WHERE id = :id AND second_look GLOB :withdrawn",
            {"id": incident, "withdrawn": f"{EventType.WITHDRAWN.value}*"},
        )
        if marked is None:
            return False
        self._file.execute(
            "UPDATE incidents SET second_look = NULL, replaced_by = NULL WHERE id = :id", {"id": incident}
        )
        return True

    def _tell_whether_it_goes_on(self, old: _Entry, record: RuleRecord, run_id: str) -> bool:
        """Note of a decided incident whether it goes on; all else stays as the reviewer saw it."""
        if old.record.ongoing == record.ongoing or record.facility_version != old.record.facility_version:
            return False
        told = old.record.model_copy(update={"ongoing": record.ongoing})
        self._update(told, told.to_json(), run_id)
        return True

    def _enter(
        self,
        event: Event,
        record: RuleRecord,
        run_id: str,
        from_status: Status | None = None,
        to_status: Status | None = None,
    ) -> None:
        """Add the event to the history, and tell the incidents that it replaces."""
        self._history.add(
            event.incident,
            self._file.clock(),
            event.type.value,
            from_status=from_status,
            to_status=to_status,
            reason=event.reason or None,
            run=run_id,
            detail=record.to_json(),
            t=event.t,
            replaced_by=event.replaced_by,
        )
        if event.replaces:
            self._file.execute(
                "UPDATE incidents SET replaced_by = :id WHERE replaced_by IS NULL "
                "AND (withdrawn_reason IS NOT NULL OR second_look IS NOT NULL) "
                "AND id IN (SELECT value FROM json_each(:replaces))",
                {"id": event.incident, "replaces": json.dumps(event.replaces)},
            )

    def _grow(self, old: _Entry, record: RuleRecord, run_id: str) -> Change:
        """Let an incident in review last longer; all else stays as the reviewer saw it.

        Results of another facility file do not count: their end may be that of another condition.
        """
        if record.facility_version != old.record.facility_version:
            return "unchanged"
        end = max(old.record.end, record.end)
        grown = old.record.model_copy(update={"end": end, "ongoing": record.ongoing})
        if grown == old.record:
            return "unchanged"
        self._update(grown, grown.to_json(), run_id)
        return "updated"

    def _old(self, incident: Incident, run_id: str) -> _Entry | None:
        """The incident in the ledger, or None; the run and the facility's version are checked first."""
        self._runs.require(run_id)
        self._facilities.text(incident.facility_version)
        row = self._file.row(
            "SELECT rule_record, status, decision FROM incidents WHERE id = :id", {"id": incident.id}
        )
        if row is None:
            return None
        return _Entry(
            RuleRecord.model_validate_json(row["rule_record"]),
            row["rule_record"],
            Status(row["status"]),
            row["decision"] is not None,
        )

    def _update(self, record: RuleRecord, text: str, run_id: str) -> None:
        self._file.execute(
            "UPDATE incidents SET facility_version = :version, severity = :severity, ended = :end, "
            "rule_record = :record, run = :run WHERE id = :id",
            {
                "version": record.facility_version,
                "severity": record.severity,
                "end": record.end,
                "record": text,
                "run": run_id,
                "id": record.id,
            },
        )

    def _insert(self, incident: Incident, record: str, run_id: str, moment: int) -> None:
        self._file.execute(
            "INSERT INTO incidents (id, facility, facility_version, camera, kind, severity, started, ended, "
            "rule_record, run, added, status) VALUES (:id, :facility, :version, :camera, :kind, :severity, "
            ":start, :end, :record, :run, :added, :status)",
            {
                "id": incident.id,
                "facility": incident.facility_code,
                "version": incident.facility_version,
                "camera": incident.camera,
                "kind": incident.kind,
                "severity": incident.severity,
                "start": incident.start,
                "end": incident.end,
                "record": record,
                "run": run_id,
                "added": moment,
                "status": Status.NEW.value,
            },
        )


def _is_earlier_state(record: RuleRecord, old: RuleRecord) -> bool:
    """Whether a state is that of an ongoing incident of which the ledger has already seen more.

    So it is when footage is analysed again whose continuation was analysed before.
    """
    same_rules = record.facility_version == old.facility_version
    return record.ongoing and same_rules and (old.end, not old.ongoing) > (record.end, False)


def _beliefs(record: RuleRecord) -> tuple[object, ...]:
    """What an event `corrected` can change: the severity, and the people with their roles."""
    return record.severity, tuple((track, role, basis) for track, role, _, basis in record.tracks)
