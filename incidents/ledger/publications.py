"""Which version of a facility's file is in force: published by whom, when, and after what comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from incidents.ledger.file import LedgerError
from incidents.ledger.progress import LedgerProgress

if TYPE_CHECKING:
    from zones.facility import Facility


@dataclass(frozen=True, slots=True)
class Publication:
    """A version of a facility's file, put in force.

    Attributes:
        id: grows with every publication.
        facility: code of the facility.
        version: SHA-256 of the file's text, which the ledger keeps.
        previous: the version that it replaced, None = the first.
        author: who answers for it.
        at: microseconds UTC.
        note: why.
        comparison: what was gained, lost and changed on the log at hand, as `zones diff --json` says it;
            None = there was nothing to compare.
    """

    id: int
    facility: str
    version: str
    previous: str | None
    author: str
    at: int
    note: str
    comparison: Mapping[str, Any] | None


class LedgerPublications(LedgerProgress):
    """The part of the ledger that knows which rules are in force."""

    def publish(
        self,
        facility: Facility,
        author: str,
        note: str,
        previous: str | None,
        comparison: Mapping[str, Any] | None,
    ) -> Publication:
        """Put a version of a facility's file in force. Incidents in the ledger stay as they are.

        Args:
            facility: its text is kept.
            author: who answers for it.
            note: why.
            previous: the version that was compared with; it must be the one in force, so that of two people
                who publish at once the second one compares anew.
            comparison: see `Publication`.

        Raises:
            LedgerError: nobody to answer for it, another version in force than `previous`, or it is in
                force already.
        """
        author, note = author.strip(), note.strip()
        if not author:
            raise LedgerError(f"facility {facility.code}: expected who publishes, got nobody")
        with self._file.writing():
            current = self.in_force(facility.code)
            version = None if current is None else current.version
            if version == facility.version:
                raise LedgerError(
                    f"facility {facility.code}: expected a version that is not in force yet, got "
                    f"{facility.version[:12]}, which is"
                )
            if version != previous:
                raise LedgerError(
                    f"facility {facility.code}: expected a comparison with the version in force, "
                    f"{(version or 'none')[:12]}, got one with {(previous or 'none')[:12]}: compare again"
                )
            moment = self._clock()
            self._keep_facility(facility, moment)
            self._file.execute(
                "INSERT INTO publications (facility, version, previous, author, at, note, comparison) "
                "VALUES (:facility, :version, :previous, :author, :at, :note, :comparison)",
                {
                    "facility": facility.code,
                    "version": facility.version,
                    "previous": previous,
                    "author": author,
                    "at": moment,
                    "note": note,
                    "comparison": None if comparison is None else json.dumps(comparison, ensure_ascii=False),
                },
            )
            return self.publications(facility.code)[-1]

    def publications(self, facility: str | None = None) -> tuple[Publication, ...]:
        """What was published, oldest first; of one facility if its code is given."""
        rows = self._file.rows(
            "SELECT * FROM publications WHERE :facility IS NULL OR facility = :facility ORDER BY id",
            {"facility": facility},
        )
        return tuple(
            Publication(**{**row, "comparison": json.loads(row["comparison"]) if row["comparison"] else None})
            for row in rows
        )

    def in_force(self, facility: str) -> Publication | None:
        """What was published last of a facility, or None."""
        found = self.publications(facility)
        return found[-1] if found else None

    def last_used(self, facility: str | None = None) -> str | None:
        """The version of a facility's file that was used last, by SHA-256, or None."""
        row = self._file.row(
            "SELECT sha256 FROM facility_versions WHERE :facility IS NULL OR facility = :facility "
            "ORDER BY last_used DESC, rowid DESC LIMIT 1",
            {"facility": facility},
        )
        return None if row is None else str(row["sha256"])

    def version(self, prefix: str) -> str:
        """The SHA-256 of the kept version of a facility's file that begins with `prefix`.

        Raises:
            LedgerError: there is none, or more than one.
        """
        text = prefix.strip().lower()
        rows = []
        if text and not set(text) - set("0123456789abcdef"):
            rows = self._file.rows(
                "SELECT sha256 FROM facility_versions WHERE sha256 >= :low AND sha256 < :high LIMIT 2",
                {"low": text, "high": text + "g"},
            )
        if len(rows) != 1:
            what = "one version of a facility file" if rows else "a version of a facility file that was used"
            raise LedgerError(f"expected {what}, got {prefix!r}{', which fits several' if rows else ''}")
        return str(rows[0]["sha256"])
