"""The ledger: the record of what was seen, what was decided, and how much was watched.

Observation log and clips can be rebuilt or purged; this cannot. Every change is one transaction, whole
or absent; the history of an incident only grows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from incidents.ledger.exposures import keep
from incidents.ledger.file import LedgerError, LedgerFile
from incidents.ledger.progress import now
from incidents.ledger.publications import LedgerPublications
from incidents.record import EVIDENCE_KINDS, NEXT, VERDICTS, Evidence, Incident, Status

if TYPE_CHECKING:
    from incidents.rules.exposure import Exposure


class Ledger(LedgerPublications):
    """An open ledger: a context manager, to be used by the thread that opened it.

    Other processes and threads open their own; readers never wait, writers take turns.
    """

    @classmethod
    def open(cls, path: str | Path, create: bool = True, clock: Callable[[], int] = now) -> Self:
        """Open the ledger at `path`, bringing an older schema up to date.

        Args:
            path: the file; its folders are created.
            create: make a new ledger where there is none.
            clock: time of recording, microseconds UTC.

        Raises:
            LedgerError: no ledger there (`create` False), a folder that cannot be written, not a database
                or a damaged one, another program's database, a ledger of a newer version, a full disk.
        """
        return cls(LedgerFile(Path(path), create), clock)

    def close(self) -> None:
        """Close the file. What was committed is safe without it."""
        self._file.close()

    def __enter__(self) -> Self:
        """The ledger itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    @property
    def path(self) -> Path:
        """Where the ledger lies."""
        return self._file.path

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several changes as one, whole or absent: a segment together with the incidents seen in it.

        It holds the write lock: keep slow work outside.

        Raises:
            LedgerError: the disk is full, the ledger is read-only, damaged, or busy.
        """
        with self._file.writing():
            yield

    def record(self, incident: Incident, run_id: str) -> Literal["added", "updated", "unchanged"]:
        """Enter what the rules found; the same finding again changes nothing.

        The last judgement holds while the status is new: an episode that went on, or rules that were
        edited, update the incident. From the moment a person has taken it up, it stays as that person saw
        it: a judgement that differs goes to the history as "rejudged" (once), and "unchanged" is returned.
        Follow-up fields of `incident` (status, review, evidence) are ignored; others fill them.

        Raises:
            LedgerError: the run is unknown, or the facility's version was never used by a run.
        """
        judgement, moment = incident.judgement(), self._clock()
        with self._file.writing():
            self.run(run_id)
            self.facility_text(incident.facility_version)
            row = self._file.row(
                "SELECT judgement, status FROM incidents WHERE id = :id", {"id": incident.id}
            )
            if row is None:
                self._insert(incident, run_id, moment)
                self._note(incident.id, moment, "added", run=run_id, detail=judgement)
                return "added"
            if row["judgement"] == judgement:
                return "unchanged"
            if row["status"] != Status.NEW:
                if self._last_judgement(incident.id) != judgement:
                    self._note(incident.id, moment, "rejudged", run=run_id, detail=judgement)
                return "unchanged"
            self._file.execute(
                "UPDATE incidents SET facility_version = :version, severity = :severity, ended = :end, "
                "judgement = :judgement, run = :run WHERE id = :id",
                {
                    "version": incident.facility_version,
                    "severity": incident.severity,
                    "end": incident.end,
                    "judgement": judgement,
                    "run": run_id,
                    "id": incident.id,
                },
            )
            self._note(incident.id, moment, "updated", run=run_id, detail=judgement)
            return "updated"

    def record_exposures(
        self, exposures: Sequence[Exposure], camera: str, facility_version: str, run_id: str
    ) -> None:
        """Enter care to be logged, as one change; the same again changes nothing.

        Raises:
            LedgerError: it cannot be written, or the run or version is unknown.
        """
        keep(self._file, exposures, camera, facility_version, run_id)

    def attach_evidence(
        self, incident_id: str, kind: str, path: str | PurePosixPath, sha256: str, bytes: int, created: int
    ) -> Literal["added", "replaced", "unchanged"]:
        """Tie a sealed file to an incident; an incident has at most one of each kind.

        While the incident is new, a longer clip may replace a shorter one; the history keeps the digests
        of both. Once a person has looked at it, what was looked at is not replaced.

        Args:
            incident_id: full, or its first digits.
            kind: clip, keyframe or boxes.
            path: relative to the home folder.
            sha256: of the file, 64 hexadecimal digits.
            bytes: length of the file.
            created: microseconds UTC.

        Raises:
            LedgerError: unknown incident or kind, a path outside the home folder, not a SHA-256, or the
                incident is under review and has another file of that kind.
        """
        where = PurePosixPath(path)
        if kind not in EVIDENCE_KINDS:
            raise LedgerError(f"expected evidence among {', '.join(EVIDENCE_KINDS)}, got {kind!r}")
        if where.is_absolute() or ".." in where.parts or not where.parts:
            raise LedgerError(f"expected a path of evidence below the home folder, got '{path}'")
        if re.fullmatch("[0-9a-f]{64}", sha256) is None or bytes < 0:
            raise LedgerError(f"{where}: expected a SHA-256 and a length, got {sha256!r} and {bytes}")
        item = Evidence(kind, str(where), sha256, bytes, created)
        with self._file.writing():
            incident = self.incident(incident_id)
            old = incident.evidence_of_kind(kind)
            if old is not None and (old.path, old.sha256) == (item.path, sha256):
                return "unchanged"
            if old is not None and incident.status is not Status.NEW:
                raise LedgerError(
                    f"incident {incident.id} is {_said(incident.status)}: its {kind} cannot be replaced"
                )
            values = {name: getattr(item, name) for name in ("kind", "path", "sha256", "bytes", "created")}
            self._file.execute(
                "INSERT INTO evidence (incident, kind, path, sha256, bytes, created) "
                "VALUES (:incident, :kind, :path, :sha256, :bytes, :created) ON CONFLICT (incident, kind) "
                "DO UPDATE SET path = :path, sha256 = :sha256, bytes = :bytes, created = :created",
                {"incident": incident.id, **values},
            )
            self._note(incident.id, self._clock(), "evidence", detail=json.dumps(values))
        return "added" if old is None else "replaced"

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
        """Move an incident along its workflow (`record.NEXT`) and note who did so, when and why.

        A verdict (confirmed, false_alarm, inconclusive) needs a reason. Two people at once: the second is
        refused.

        Args:
            incident_id: full, or its first digits.
            to: the new status.
            by: who decides, an account of the review application.
            reason: why.
            when: microseconds UTC.
            report_number: number of the report, with reported or closed.
            facility_action: what the facility did, with reported or closed.

        Returns:
            The incident as it is now.

        Raises:
            LedgerError: unknown incident or status, a step that the workflow does not have, nobody to
                answer for it, or a verdict without a reason.
        """
        try:
            to = Status(to)
        except ValueError:
            raise LedgerError(f"expected a status among {', '.join(Status)}, got {to!r}") from None
        by, reason = by.strip(), (reason or "").strip() or None
        follow_up = {"report_number": report_number, "facility_action": facility_action}
        given = {name: text for name, text in follow_up.items() if text}
        with self._file.writing():
            incident = self.incident(incident_id)
            _check_step(incident, to)
            if not by:
                raise LedgerError(f"incident {incident.id}: expected who moves it to {_said(to)}, got nobody")
            if to in VERDICTS and reason is None:
                raise LedgerError(f"incident {incident.id}: expected a reason for {_said(to)}, got none")
            if given and to not in (Status.REPORTED, Status.CLOSED):
                raise LedgerError(
                    f"incident {incident.id}: expected {' and '.join(given)} when reported or closed, "
                    f"got it when {_said(to)}"
                )
            self._apply_step(incident, to, by, reason, when, given)
            self._note(
                incident.id,
                when,
                "status",
                from_status=incident.status.value,
                to_status=to.value,
                by=by,
                reason=reason,
                detail=json.dumps(given, ensure_ascii=False) if given else None,
            )
            return self.incident(incident.id)

    def _apply_step(
        self, incident: Incident, to: Status, by: str, reason: str | None, when: int, given: dict[str, str]
    ) -> None:
        changes: dict[str, Any] = {"status": to.value, **given}
        if to is Status.IN_REVIEW:
            changes["reviewer"] = by
        if to in VERDICTS:
            changes |= {"reviewer": by, "decision": to.value, "reason": reason, "decided": when}
        # Column names are those written above and in `transition`, never a caller's.
        columns = ", ".join(f"{name} = :{name}" for name in changes)
        self._file.execute(f"UPDATE incidents SET {columns} WHERE id = :id", {**changes, "id": incident.id})

    def _insert(self, incident: Incident, run_id: str, moment: int) -> None:
        self._file.execute(
            "INSERT INTO incidents (id, facility, facility_version, camera, kind, severity, started, ended, "
            "judgement, run, added, status) VALUES (:id, :facility, :version, :camera, :kind, :severity, "
            ":start, :end, :judgement, :run, :added, :status)",
            {
                "id": incident.id,
                "facility": incident.facility_code,
                "version": incident.facility_version,
                "camera": incident.camera,
                "kind": incident.kind,
                "severity": incident.severity,
                "start": incident.start,
                "end": incident.end,
                "judgement": incident.judgement(),
                "run": run_id,
                "added": moment,
                "status": Status.NEW.value,
            },
        )

    def _last_judgement(self, incident_id: str) -> str | None:
        row = self._file.row(
            "SELECT detail FROM incident_history WHERE incident = :id "
            "AND event IN ('added', 'updated', 'rejudged') ORDER BY id DESC LIMIT 1",
            {"id": incident_id},
        )
        return None if row is None else row["detail"]

    def _note(self, incident_id: str, at: int, event: str, **values: str | None) -> None:
        entry = dict.fromkeys(("from_status", "to_status", "by", "reason", "run", "detail"))
        self._file.execute(
            "INSERT INTO incident_history "
            "(incident, at, event, from_status, to_status, by, reason, run, detail) "
            "VALUES (:incident, :at, :event, :from_status, :to_status, :by, :reason, :run, :detail)",
            {**entry, **values, "incident": incident_id, "at": at, "event": event},
        )


def _check_step(incident: Incident, to: Status) -> None:
    if to in NEXT[incident.status]:
        return
    expected = " or ".join(_said(status) for status in Status if status in NEXT[incident.status])
    raise LedgerError(
        f"incident {incident.id} is {_said(incident.status)}: "
        f"expected a step to {expected or 'nothing more'}, got {_said(to)}"
    )


def _said(status: Status) -> str:
    return status.value.replace("_", " ")
