"""Facilities in the ledger: every version of their files that was used, and the cameras in each version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from incidents.ledger.file import LedgerError, LedgerFile

if TYPE_CHECKING:
    from zones.facility import Facility


@dataclass(frozen=True, slots=True)
class CameraEntry:
    """A camera, as in the version of the facility file that was used last.

    `place` holds the public areas that the camera sees, joined by ", ".
    """

    facility: str
    facility_version: str
    id: str
    name: str
    place: str


class FacilityTable:
    """The facilities, the versions of their files, and their cameras."""

    def __init__(self, file: LedgerFile) -> None:
        """Read and write an open file."""
        self._file = file

    def keep(self, facility: Facility, at: int) -> None:
        """Store the text and cameras of a facility file under its version, as used `at` microseconds UTC."""
        with self._file.writing():
            identity = {
                "code": facility.code,
                "name": facility.name,
                "body": facility.managing_body,
                "timezone": str(facility.timezone),
            }
            self._file.execute(
                "INSERT INTO facilities (code, name, managing_body, timezone) "
                "VALUES (:code, :name, :body, :timezone) "
                "ON CONFLICT (code) DO UPDATE SET name = :name, managing_body = :body, timezone = :timezone",
                identity,
            )
            known = self._file.row(
                "SELECT 1 FROM facility_versions WHERE sha256 = :version", {"version": facility.version}
            )
            self._file.execute(
                "INSERT INTO facility_versions (sha256, facility, text, first_used, last_used) "
                "VALUES (:version, :code, :text, :moment, :moment) "
                "ON CONFLICT (sha256) DO UPDATE SET last_used = :moment",
                {
                    "version": facility.version,
                    "code": facility.code,
                    "text": facility.text,
                    "moment": at,
                },
            )
            if known is None:
                self._insert_cameras(facility)

    def text(self, version: str) -> str:
        """The text of a facility file by its SHA-256, as it was when it was used.

        Raises:
            LedgerError: that version was never used.
        """
        row = self._file.row("SELECT text FROM facility_versions WHERE sha256 = :v", {"v": version})
        if row is None:
            raise LedgerError(f"expected the version of a facility file that was used, got {version!r}")
        return str(row["text"])

    def last_used(self, facility: str | None = None) -> str | None:
        """The SHA-256 of the version that was used last: of a facility by its code, or of any; or None."""
        row = self._file.row(
            "SELECT sha256 FROM facility_versions WHERE :facility IS NULL OR facility = :facility "
            "ORDER BY last_used DESC, rowid DESC LIMIT 1",
            {"facility": facility},
        )
        return None if row is None else str(row["sha256"])

    def timezone(self, code: str) -> str:
        """The time zone of a facility, as its file stated it last.

        Raises:
            LedgerError: the facility is unknown.
        """
        row = self._file.row("SELECT timezone FROM facilities WHERE code = :code", {"code": code})
        if row is None:
            raise LedgerError(f"expected the code of a facility in {self._file.path}, got {code!r}")
        return str(row["timezone"])

    def resolve_version(self, prefix: str) -> str:
        """The SHA-256 of the stored version of a facility file that begins with `prefix`.

        Raises:
            LedgerError: there is none, or more than one.
        """
        found = self._file.keys_with_prefix("facility_versions", "sha256", prefix, limit=2)
        if len(found) != 1:
            what = "one version of a facility file" if found else "a version of a facility file that was used"
            raise LedgerError(f"expected {what}, got {prefix!r}{', which fits several' if found else ''}")
        return found[0]

    def cameras(self) -> tuple[CameraEntry, ...]:
        """The cameras of each facility, in the version of its file that was used last."""
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

    def known_cameras(self) -> tuple[str, ...]:
        """Ids of all cameras: of any version of a facility file, or of which anything is recorded; sorted."""
        rows = self._file.rows(
            "SELECT id FROM cameras UNION SELECT camera FROM coverage UNION SELECT camera FROM incidents "
            "UNION SELECT camera FROM exposures UNION SELECT camera FROM segments ORDER BY id"
        )
        return tuple(str(row["id"]) for row in rows)

    def _insert_cameras(self, facility: Facility) -> None:
        for position, camera in enumerate(facility.cameras):
            self._file.execute(
                "INSERT INTO cameras (facility_version, position, id, name, place) "
                "VALUES (:version, :position, :id, :name, :place)",
                {
                    "version": facility.version,
                    "position": position,
                    "id": camera.id,
                    "name": camera.name,
                    "place": ", ".join(camera.places),
                },
            )
