"""Runs of an analysis: with which facility file, models and settings, and how each run ended."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import JsonValue, TypeAdapter

from incidents.ledger.facilities import FacilityTable
from incidents.ledger.file import LedgerError, LedgerFile
from zones.credentials import redact

if TYPE_CHECKING:
    from zones.facility import Facility

RUNNING = "running"
OUTCOMES = ("complete", "failed", "interrupted")
"""How a run can end."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an analysis.

    Attributes:
        facility: code of the facility.
        facility_version: SHA-256 of the facility file.
        models: purpose -> {"name", "sha256" of the weights, "runtime"}.
        settings: the settings of the analysis, by name.
        started, finished: microseconds UTC; `finished` is None while the run goes on.
        status: running, complete, failed or interrupted.
    """

    id: str
    facility: str
    facility_version: str
    models: dict[str, dict[str, str]]
    settings: dict[str, JsonValue]
    started: int
    finished: int | None
    status: str


_MODELS = TypeAdapter(dict[str, dict[str, str]])
_SETTINGS = TypeAdapter(dict[str, JsonValue])


class RunTable:
    """The runs of analyses."""

    def __init__(self, file: LedgerFile, facilities: FacilityTable) -> None:
        """Read and write an open file."""
        self._file, self._facilities = file, facilities

    def start(
        self, facility: Facility, models: Mapping[str, Mapping[str, str]], settings: Mapping[str, object]
    ) -> str:
        """Record that a run begins, and store its facility file. Returns the id of the run.

        Args:
            facility: the facility; its text and cameras are stored under its version.
            models: purpose -> {"name", "sha256" of the weights}.
            settings: anything JSON can hold; paths become text, URLs lose their credentials.

        Raises:
            LedgerError: it cannot be written, or JSON cannot hold a setting.
        """
        run_id, moment = secrets.token_hex(8), self._file.clock()
        with self._file.writing():
            self._facilities.keep(facility, moment)
            self._file.execute(
                "INSERT INTO runs (id, facility_version, models, settings, started, status) "
                "VALUES (:id, :version, :models, :settings, :started, :status)",
                {
                    "id": run_id,
                    "version": facility.version,
                    "models": _json("models", models),
                    "settings": _json("settings", _without_credentials(settings)),
                    "started": moment,
                    "status": RUNNING,
                },
            )
        return run_id

    def finish(self, run_id: str, status: str) -> None:
        """Record how a run ended: complete, failed or interrupted. Repeating the same status is allowed.

        Raises:
            LedgerError: the run or status is unknown, or the run has ended with another status.
        """
        if status not in OUTCOMES:
            raise LedgerError(f"expected a run to end as one of {', '.join(OUTCOMES)}, got {status!r}")
        with self._file.writing():
            current = self.get(run_id).status
            if current == status:
                return
            if current != RUNNING:
                raise LedgerError(f"run {run_id}: expected one that is running, got one that is {current}")
            self._file.execute(
                "UPDATE runs SET status = :status, finished = :moment WHERE id = :id",
                {"status": status, "moment": self._file.clock(), "id": run_id},
            )

    def get(self, run_id: str) -> Run:
        """A run by its id.

        Raises:
            LedgerError: the run is unknown.
        """
        row = self._file.row(
            "SELECT r.*, v.facility FROM runs r JOIN facility_versions v ON v.sha256 = r.facility_version "
            "WHERE r.id = :id",
            {"id": run_id},
        )
        if row is None:
            raise LedgerError(f"expected the id of a run in {self._file.path}, got {run_id!r}")
        return Run(
            **{
                **row,
                "models": _MODELS.validate_json(row["models"]),
                "settings": _SETTINGS.validate_json(row["settings"]),
            }
        )

    def watching(self, t: int) -> str | None:
        """Id of the watch of live cameras that began last before `t`, microseconds UTC; None = there is none.

        Raises:
            LedgerError: it cannot be read.
        """
        row = self._file.row(
            "SELECT id FROM runs WHERE started <= :t AND json_extract(settings, '$.live') "
            "ORDER BY started DESC LIMIT 1",
            {"t": t},
        )
        return None if row is None else str(row["id"])

    def require(self, run_id: str) -> None:
        """Check that a run is known.

        Raises:
            LedgerError: the run is unknown.
        """
        if self._file.row("SELECT 1 FROM runs WHERE id = :id", {"id": run_id}) is None:
            raise LedgerError(f"expected the id of a run in {self._file.path}, got {run_id!r}")


def _without_credentials(value: object) -> JsonValue:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {str(key): _without_credentials(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_credentials(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float)) else redact(str(value))


def _json(what: str, value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise LedgerError(f"expected {what} of a run that JSON can hold, got {error}") from error
