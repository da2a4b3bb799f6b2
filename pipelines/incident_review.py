"""Find incidents, show one with its history, and enter a verdict: shared by the command line and the web."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from incidents.ledger import HistoryEntry, Ledger, now
from incidents.payloads import IncidentWithHistoryPayload
from incidents.record import VERDICTS, Incident, Status
from incidents.seals import SealCheck, check_seals
from pipelines.home import Home
from pipelines.open_incidents import footage_ends
from pipelines.watched.watches import check_cameras
from zones.validation import check_choices


@dataclass(frozen=True)
class IncidentFilter:
    """Which incidents are meant; None = no restriction, an empty list = none at all.

    Attributes:
        since: incidents that end at this time or later, microseconds UTC.
        until: incidents that start before this time, microseconds UTC.
        kinds: names of kinds.
        cameras: ids of cameras.
        statuses: values of `Status`; None = all but withdrawn.
        second_look: whether a second look is due.
    """

    since: int | None = None
    until: int | None = None
    kinds: Sequence[str] | None = None
    cameras: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    second_look: bool | None = None


@dataclass(frozen=True)
class IncidentDetails:
    """One incident in full.

    Attributes:
        incident: the incident.
        history: oldest entry first.
        checks: its sealed files of all revisions.
        footage_end: of an incident that is not closed, the end of the footage that was analysed after it,
            microseconds UTC; else None, or if nothing is recorded of that time.
    """

    incident: Incident
    history: tuple[HistoryEntry, ...]
    checks: tuple[SealCheck, ...]
    footage_end: int | None

    def to_payload(self) -> IncidentWithHistoryPayload:
        """The model of the JSON."""
        return IncidentWithHistoryPayload.with_history(self.incident, self.history, self.checks)


def find_incidents(ledger: Ledger, wanted: IncidentFilter) -> list[Incident]:
    """Return the incidents that fit a filter, oldest first.

    Raises:
        LazarettoError: there is no such status, kind or camera; the nearest is suggested.
    """
    check_cameras(ledger, wanted.cameras)
    found = ledger.incidents.find(
        since=wanted.since,
        until=wanted.until,
        kinds=wanted.kinds,
        cameras=wanted.cameras,
        statuses=wanted.statuses,
        second_look=wanted.second_look,
    )
    return list(found)


def incident_details(home: Home, ledger: Ledger, incident_id: str) -> IncidentDetails:
    """Return one incident with its history; its sealed files are read, and compared with their seals.

    Args:
        home: the home.
        ledger: of that home.
        incident_id: its id, or the unique first digits of it.

    Raises:
        LedgerError: no incident, or several, have such an id.
    """
    incident = ledger.incidents.get(incident_id)
    checks = check_seals(home.path, ledger.incidents.evidence_revisions(incident.id))
    end = footage_ends(ledger, [incident]).get(incident.id)
    return IncidentDetails(incident, tuple(ledger.incidents.history(incident.id)), checks, end)


def decide(ledger: Ledger, incident_id: str, verdict: str, by: str, reason: str) -> Incident:
    """Enter the verdict of a reviewer. It cannot be taken back, unless the rules ask for a second look.

    An incident that is still new, or marked for a second look, is first put in review, in the same
    transaction.

    Args:
        ledger: of the home.
        incident_id: its id, or the unique first digits of it.
        verdict: confirmed, false_alarm or inconclusive.
        by: the reviewer.
        reason: why.

    Raises:
        LazarettoError: there is no such verdict or incident, it was decided before and no second look is
            due, or the rules withdrew it.
    """
    verdicts = sorted(status.value for status in VERDICTS)
    check_choices("verdict", [verdict], verdicts)
    with ledger.transaction():
        if Status.IN_REVIEW in ledger.incidents.get(incident_id).next_statuses:
            ledger.workflow.transition(incident_id, Status.IN_REVIEW, by, None, now())
        return ledger.workflow.transition(incident_id, verdict, by, reason, now())
