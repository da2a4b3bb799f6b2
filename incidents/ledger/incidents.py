"""Incidents in the ledger: what the rules found, the evidence of it, and the history."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any, Literal

from incidents.ledger.evidence import EvidenceTable
from incidents.ledger.facilities import FacilityTable
from incidents.ledger.file import LedgerError, LedgerFile
from incidents.ledger.history import HistoryEntry, HistoryTable
from incidents.ledger.rule_results import Change, EventChange, RuleResults
from incidents.ledger.runs import RunTable
from incidents.record import Evidence, Incident, Status
from incidents.rule_record import KINDS, EvidenceForm, EvidenceKind, RuleRecord
from incidents.rules.events import Event
from vision.frames import to_iso
from zones.validation import suggest


class IncidentTable:
    """The incidents with their evidence and history."""

    def __init__(
        self, file: LedgerFile, runs: RunTable, facilities: FacilityTable, history: HistoryTable
    ) -> None:
        """Read and write an open file."""
        self._file, self._history = file, history
        self._evidence = EvidenceTable(file, history)
        self._results = RuleResults(file, runs, facilities, history)

    def find(
        self,
        since: int | None = None,
        until: int | None = None,
        kinds: Collection[str] | None = None,
        cameras: Collection[str] | None = None,
        statuses: Collection[str] | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        second_look: bool | None = None,
    ) -> tuple[Incident, ...]:
        """Incidents that satisfy every filter, by start and id.

        Args:
            since: microseconds UTC; incidents that end at or after it.
            until: microseconds UTC; incidents that start before it.
            kinds: any of these; None = all, empty = none.
            cameras: ids, any of these; None = all, empty = none (a user may have access to no camera).
            statuses: any of these; None = all but withdrawn, empty = none.
            limit: the largest number of incidents; the first in the order asked for are returned.
            newest_first: latest start first.
            second_look: whether a second look is due; None = both.

        Raises:
            LedgerError: a filter that can never match, such as an unknown kind.
        """
        if since is not None and until is not None and since >= until:
            raise LedgerError(f"expected a start before {to_iso(until)}, got {to_iso(since)}")
        if limit is not None and limit < 0:
            raise LedgerError(f"expected a limit of 0 or more, got {limit}")
        if statuses is None:
            statuses = [status for status in Status if status is not Status.WITHDRAWN]
        conditions = {
            "ended >= :since": since,
            "started < :until": until,
            "kind IN (SELECT value FROM json_each(:kinds))": _choice("kind", kinds, KINDS),
            "camera IN (SELECT value FROM json_each(:cameras))": _choice("camera", cameras, None),
            "status IN (SELECT value FROM json_each(:statuses))": _choice("status", statuses, list(Status)),
            "(second_look IS NOT NULL) = :second_look": second_look,
        }
        where = " AND ".join(text for text, value in conditions.items() if value is not None) or "TRUE"
        order = "started DESC, id DESC" if newest_first else "started, id"
        names = ("since", "until", "kinds", "cameras", "statuses", "second_look")
        values = dict(zip(names, conditions.values(), strict=True))
        sql = f"SELECT * FROM incidents WHERE {where} ORDER BY {order} LIMIT :limit"
        with self._file.reading():
            rows = self._file.rows(sql, {**values, "limit": -1 if limit is None else limit})
            return self._incidents(rows)

    def get(self, incident_id: str) -> Incident:
        """The incident of an id, or of the first digits of an id when no other begins so.

        Raises:
            LedgerError: the incident is unknown, or the digits fit several.
        """
        with self._file.reading():
            full = self.resolve(incident_id)
            return self._incidents(self._file.rows("SELECT * FROM incidents WHERE id = :id", {"id": full}))[0]

    def undecided(self, facility: str) -> int:
        """How many suspected violations of a facility (by its code) no person has decided on.

        Faults of cameras are not among them.
        """
        row = self._file.row(
            "SELECT count(*) AS count FROM incidents WHERE status IN (:new, :in_review) "
            "AND facility = :facility AND kind <> 'camera_health'",
            {"new": Status.NEW.value, "in_review": Status.IN_REVIEW.value, "facility": facility},
        )
        return 0 if row is None else int(row["count"])

    def resolve(self, incident_id: str) -> str:
        """The full id for an id or its first digits.

        Raises:
            LedgerError: the incident is unknown, or the digits fit several.
        """
        found = self._file.keys_with_prefix("incidents", "id", incident_id, limit=4)
        if not found:
            raise LedgerError(f"expected the id of an incident in {self._file.path}, got {incident_id!r}")
        if len(found) > 1:
            some = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
            raise LedgerError(f"expected the id of one incident, got {incident_id!r}, which fits {some}")
        return found[0]

    def history(self, incident_id: str) -> tuple[HistoryEntry, ...]:
        """Everything that happened to an incident, oldest first; takes first digits as `get` does.

        Raises:
            LedgerError: the incident is unknown, or the digits fit several.
        """
        with self._file.reading():
            return self._history.of(self.resolve(incident_id))

    def record(self, incident: Incident, run_id: str) -> Change:
        """Record the state of an incident, such as that of an ongoing one at the end of the footage.

        Recording the same state again changes nothing, nor does an ongoing state of which the ledger has
        already seen the continuation under the same facility file. While the status is new, another state
        updates the incident: it went on, or the rules were edited. From the start of the review on, the
        incident stays as the reviewer saw it, but an ongoing state still moves the end of one in review.
        Another state is then added to the history as "rejudged" (once). Follow-up fields of `incident`
        (status, review, evidence) are ignored.

        Raises:
            LedgerError: the run is unknown, or the facility's version was never used by a run.
        """
        return self._results.record(incident, run_id)

    def record_event(self, event: Event, incident: Incident, run_id: str) -> EventChange:
        """Record an event of the rules. Recording it again with the same time and record changes nothing.

        Every event is added to the history, with its stream time and its record. `opened` adds the incident.
        What else an event does depends on the status:

        - new: the incident becomes as the event says; `withdrawn` gives it the status withdrawn.
        - in review: it stays as the reviewer sees it. `extended`, `alerted` and `closed` still move its end;
          `corrected` marks it for a second look; `withdrawn` withdraws it.
        - decided (from the first verdict on): it stays as it is. `corrected`, if people or severity are not
          those that were decided on, and `withdrawn` mark it for a second look.
        - withdrawn: any further event, such as `opened` under edited rules, reopens it as new.

        Args:
            event: what happened.
            incident: the record of its finding (`incidents.record.incident_from`); `ongoing` is taken from
                the event.
            run_id: id of the run whose rules emitted it.

        Returns:
            What became of the incident: added, updated, withdrawn, reopened, marked for a second look; or
            unchanged, if the event was recorded before or only the history grew.

        Raises:
            LedgerError: the run is unknown, the facility's version was never used by a run, the record is of
                another incident, or the incident was not opened.
        """
        return self._results.record_event(event, incident, run_id)

    def attach_evidence(
        self,
        incident_id: str,
        kind: EvidenceKind,
        path: str | PurePosixPath,
        sha256: str,
        bytes: int,
        created: int,
        form: EvidenceForm = "original",
    ) -> Literal["added", "replaced", "unchanged"]:
        """Add a file to an incident: a sealed original, or a copy of one for viewing.

        Of each kind and form the newest revision counts; earlier ones stay in `evidence_revisions`. An
        original can get a newer revision while the incident is new, such as a longer clip; once the review
        has begun it is never replaced. A copy for viewing can be made at any time.

        Args:
            incident_id: the full id, or its first digits.
            kind: clip, keyframe, boxes or original.
            path: relative to the home folder.
            sha256: of the file, 64 hexadecimal digits.
            bytes: length of the file.
            created: microseconds UTC.
            form: original or viewing.

        Raises:
            LedgerError: the incident, kind or form is unknown, the path is outside the home folder, the
                digest is not a SHA-256, the incident is under review and has another original of that kind,
                or there is no original to make a copy of.
        """
        item = Evidence(kind, str(PurePosixPath(path)), sha256, bytes, created, form)
        with self._file.writing():
            return self._evidence.attach(self.get(incident_id), item)

    def evidence_revisions(self, incident_id: str) -> tuple[Evidence, ...]:
        """Every file that ever belonged to an incident, by kind, form and revision.

        Raises:
            LedgerError: the incident is unknown, or the digits fit several.
        """
        with self._file.reading():
            return self._evidence.revisions(self.resolve(incident_id))

    def sealed_files(self, incident_ids: Collection[str] | None = None) -> dict[str, tuple[Evidence, ...]]:
        """Every revision of every file of evidence, by the full id of the incident.

        Args:
            incident_ids: full ids; None = all incidents. Those without evidence are left out.
        """
        return self._evidence.sealed(None if incident_ids is None else list(incident_ids))

    def _incidents(self, rows: list[dict[str, Any]]) -> tuple[Incident, ...]:
        """The incidents of rows, with what other tables and rows say of them."""
        ids = [row["id"] for row in rows]
        evidence, replaces = self._evidence.newest(ids), self._replaces(ids)
        return tuple(_incident(row, evidence.get(row["id"], ()), replaces.get(row["id"], ())) for row in rows)

    def _replaces(self, ids: list[str]) -> dict[str, tuple[str, ...]]:
        rows = self._file.rows(
            "SELECT id, replaced_by FROM incidents WHERE replaced_by IN (SELECT value FROM json_each(:ids)) "
            "ORDER BY started, id",
            {"ids": json.dumps(ids)},
        )
        found: dict[str, tuple[str, ...]] = {}
        for row in rows:
            found[row["replaced_by"]] = (*found.get(row["replaced_by"], ()), row["id"])
        return found


def _incident(row: dict[str, Any], evidence: tuple[Evidence, ...], replaces: tuple[str, ...]) -> Incident:
    return Incident.from_rule_record(
        RuleRecord.model_validate_json(row["rule_record"]),
        run=row["run"],
        status=Status(row["status"]),
        reviewer=row["reviewer"],
        decision=row["decision"],
        reason=row["reason"],
        decided_at=row["decided"],
        facility_action=row["facility_action"],
        report_number=row["report_number"],
        evidence=tuple(item for item in evidence if item.form == "original"),
        viewing=tuple(item for item in evidence if item.form == "viewing"),
        second_look=row["second_look"],
        withdrawn_reason=row["withdrawn_reason"],
        replaced_by=row["replaced_by"],
        replaces=replaces,
    )


def _choice(what: str, chosen: Collection[str] | None, allowed: Collection[str] | None) -> str | None:
    """A filter's values as JSON; None = no filter."""
    if chosen is None:
        return None
    values = [chosen] if isinstance(chosen, str) else list(chosen)
    for value in values:
        if allowed is not None and value not in allowed:
            hint = suggest(value, allowed)
            raise LedgerError(
                f"expected a {what} among {', '.join(allowed)}, got {value!r}{f' ({hint})' if hint else ''}"
            )
    return json.dumps(values)
