"""The review of incidents: steps of the workflow (`Incident.next_statuses`), by whom, when and why."""

from __future__ import annotations

import json

from incidents.ledger.file import LedgerError, LedgerFile
from incidents.ledger.history import HistoryTable
from incidents.ledger.incidents import IncidentTable
from incidents.record import VERDICTS, Incident, Status


class Workflow:
    """Moves incidents from one status to the next."""

    def __init__(self, file: LedgerFile, incidents: IncidentTable, history: HistoryTable) -> None:
        """Read and write an open file."""
        self._file, self._incidents, self._history = file, incidents, history

    def transition(
        self,
        incident_id: str,
        to: Status | str,
        by: str,
        reason: str | None,
        when: int,
        *,
        report_number: str | None = None,
        facility_action: str | None = None,
    ) -> Incident:
        """Move an incident to another status, and record who moved it, when and why.

        A verdict (confirmed, false_alarm, inconclusive) needs a reason. Of two people who move the same
        incident at once, the second is refused.

        Args:
            incident_id: the full id, or its first digits.
            to: the new status.
            by: name of the account that decides.
            reason: why.
            when: microseconds UTC.
            report_number: number of the report; only with reported or closed.
            facility_action: what the facility did; only with reported or closed.

        Returns:
            The incident after the step.

        Raises:
            LedgerError: the incident or status is unknown, the workflow does not have this step, the name
                is empty, or a verdict has no reason.
        """
        try:
            to = Status(to)
        except ValueError:
            raise LedgerError(f"expected a status among {', '.join(Status)}, got {to!r}") from None
        by, reason = by.strip(), (reason or "").strip() or None
        follow_up = {"report_number": report_number, "facility_action": facility_action}
        given = {name: text for name, text in follow_up.items() if text}
        with self._file.writing():
            incident = self._incidents.get(incident_id)
            _check_step(incident, to)
            if not by:
                raise LedgerError(
                    f"incident {incident.id}: expected who moves it to {to.words}, got an empty name"
                )
            if to in VERDICTS and reason is None:
                raise LedgerError(f"incident {incident.id}: expected a reason for {to.words}, got none")
            if given and to not in (Status.REPORTED, Status.CLOSED):
                raise LedgerError(
                    f"incident {incident.id}: expected {' and '.join(given)} when reported or closed, "
                    f"got it when {to.words}"
                )
            self._apply(incident, to, by, reason, when, given)
            self._history.add(
                incident.id,
                when,
                "status",
                from_status=incident.status,
                to_status=to,
                by=by,
                reason=reason,
                detail=json.dumps(given, ensure_ascii=False) if given else None,
            )
            return self._incidents.get(incident.id)

    def _apply(
        self, incident: Incident, to: Status, by: str, reason: str | None, when: int, given: dict[str, str]
    ) -> None:
        changes: dict[str, str | int | None] = {"status": to.value, **given}
        if to is Status.IN_REVIEW and incident.decision is None:
            changes["reviewer"] = by
        if to in VERDICTS:
            changes |= {"reviewer": by, "decision": to.value, "reason": reason, "decided": when}
            changes["second_look"] = None
        # Column names are those written above and in `transition`, never a caller's.
        columns = ", ".join(f"{name} = :{name}" for name in changes)
        self._file.execute(f"UPDATE incidents SET {columns} WHERE id = :id", {**changes, "id": incident.id})


def _check_step(incident: Incident, to: Status) -> None:
    if to in incident.next_statuses:
        return
    if incident.status is Status.WITHDRAWN:
        instead = f", and is replaced by {incident.replaced_by}" if incident.replaced_by else ""
        raise LedgerError(
            f"incident {incident.id} was withdrawn by the rules ({incident.withdrawn_reason}){instead}: "
            f"it cannot be moved to {to.words}"
        )
    expected = " or ".join(status.words for status in Status if status in incident.next_statuses)
    raise LedgerError(
        f"incident {incident.id} is {incident.status.words}: "
        f"expected a step to {expected or 'nothing more'}, got {to.words}"
    )
