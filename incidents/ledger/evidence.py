"""The evidence of incidents: sealed originals and copies for viewing, in revisions. No row ever changes."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any, Literal

from incidents.ledger.file import LedgerError, LedgerFile
from incidents.ledger.history import HistoryTable
from incidents.record import Evidence, Incident, Status
from incidents.rule_record import EVIDENCE_FORMS, EVIDENCE_KINDS


class EvidenceTable:
    """The files of evidence of all incidents."""

    def __init__(self, file: LedgerFile, history: HistoryTable) -> None:
        """Read and write an open file."""
        self._file, self._history = file, history

    def newest(self, incident_ids: list[str]) -> dict[str, tuple[Evidence, ...]]:
        """The newest revision of each kind and form, by the full id of the incident; by form and kind."""
        # SQLite takes the other columns of a group from the row with the maximum.
        rows = self._file.rows(
            "SELECT incident, kind, path, sha256, bytes, created, form, max(revision) AS revision "
            "FROM evidence WHERE incident IN (SELECT value FROM json_each(:ids)) "
            "GROUP BY incident, form, kind ORDER BY incident, form, kind",
            {"ids": json.dumps(incident_ids)},
        )
        return _by_incident(rows)

    def revisions(self, incident_id: str) -> tuple[Evidence, ...]:
        """Every file that ever belonged to an incident, by its full id; by kind, form and revision."""
        rows = self._file.rows(
            "SELECT * FROM evidence WHERE incident = :id ORDER BY kind, form, revision", {"id": incident_id}
        )
        return _by_incident(rows).get(incident_id, ())

    def sealed(self, incident_ids: list[str] | None = None) -> dict[str, tuple[Evidence, ...]]:
        """Every revision of every file, by the full id of the incident; None = of all incidents."""
        rows = self._file.rows(
            "SELECT * FROM evidence WHERE :ids IS NULL OR incident IN (SELECT value FROM json_each(:ids)) "
            "ORDER BY incident, kind, form, revision",
            {"ids": None if incident_ids is None else json.dumps(incident_ids)},
        )
        return _by_incident(rows)

    def attach(self, incident: Incident, item: Evidence) -> Literal["added", "replaced", "unchanged"]:
        """Add a file to an incident, within a transaction; see `IncidentTable.attach_evidence`.

        The revision of `item` is ignored: it becomes the next one.
        """
        _check(item)
        held = incident.evidence if item.form == "original" else incident.viewing
        old = next((one for one in held if one.kind == item.kind), None)
        if old is not None and (old.path, old.sha256) == (item.path, item.sha256):
            return "unchanged"
        if item.form == "viewing" and incident.evidence_of_kind(item.kind) is None:
            raise LedgerError(
                f"incident {incident.id}: expected an original {item.kind} before a copy of it for viewing, "
                "got none"
            )
        if item.form == "original" and old is not None and incident.status is not Status.NEW:
            raise LedgerError(
                f"incident {incident.id} is {incident.status.words}: its {item.kind} cannot be replaced"
            )
        values = {**asdict(item), "revision": 1 if old is None else old.revision + 1}
        self._file.execute(
            "INSERT INTO evidence (incident, kind, form, revision, path, sha256, bytes, created) "
            "VALUES (:incident, :kind, :form, :revision, :path, :sha256, :bytes, :created)",
            {"incident": incident.id, **values},
        )
        self._history.add(incident.id, self._file.clock(), "evidence", detail=json.dumps(values))
        return "added" if old is None else "replaced"


def _check(item: Evidence) -> None:
    where = PurePosixPath(item.path)
    if item.kind not in EVIDENCE_KINDS:
        raise LedgerError(f"expected evidence among {', '.join(EVIDENCE_KINDS)}, got {item.kind!r}")
    if item.form not in EVIDENCE_FORMS:
        raise LedgerError(f"expected a form of evidence among {', '.join(EVIDENCE_FORMS)}, got {item.form!r}")
    if where.is_absolute() or ".." in where.parts or not where.parts:
        raise LedgerError(f"expected a path of evidence below the home folder, got '{item.path}'")
    if re.fullmatch("[0-9a-f]{64}", item.sha256) is None or item.bytes < 0:
        raise LedgerError(f"{where}: expected a SHA-256 and a length, got {item.sha256!r} and {item.bytes}")


def _by_incident(rows: list[dict[str, Any]]) -> dict[str, tuple[Evidence, ...]]:
    found: dict[str, tuple[Evidence, ...]] = {}
    for row in rows:
        incident = row.pop("incident")
        found[incident] = (*found.get(incident, ()), Evidence(**row))
    return found
