"""Publications in the ledger: which version of a facility file is in force, and who published it when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from incidents.comparison_payload import ComparisonPayload
from incidents.ledger.facilities import FacilityTable
from incidents.ledger.file import LedgerError, LedgerFile

if TYPE_CHECKING:
    from zones.facility import Facility


@dataclass(frozen=True, slots=True)
class Publication:
    """A version of a facility file that was put in force.

    Attributes:
        id: grows with every publication.
        facility: code of the facility.
        version: SHA-256 of the file's text, which the ledger keeps.
        previous: the version that it replaced, None = the first.
        author: name of the person responsible.
        at: microseconds UTC.
        note: why.
        comparison: incidents gained, lost and changed on the available log; None = there was nothing to
            compare.
    """

    id: int
    facility: str
    version: str
    previous: str | None
    author: str
    at: int
    note: str
    comparison: ComparisonPayload | None


class PublicationTable:
    """The publications of facility files."""

    def __init__(self, file: LedgerFile, facilities: FacilityTable) -> None:
        """Read and write an open file."""
        self._file, self._facilities = file, facilities

    def publish(
        self,
        facility: Facility,
        author: str,
        note: str,
        previous: str | None,
        comparison: ComparisonPayload | None,
    ) -> Publication:
        """Put a version of a facility file in force. Incidents in the ledger stay as they are.

        Args:
            facility: the facility; its text is stored.
            author: name of the person responsible.
            note: why.
            previous: the version of the comparison. It must be the one in force: of two people who publish
                at once, the second has to compare again.
            comparison: see `Publication`.

        Raises:
            LedgerError: the author is empty, another version than `previous` is in force, or this version
                is in force already.
        """
        author, note = author.strip(), note.strip()
        if not author:
            raise LedgerError(f"facility {facility.code}: expected who publishes, got an empty name")
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
            moment = self._file.clock()
            self._facilities.keep(facility, moment)
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
                    "comparison": None if comparison is None else comparison.model_dump_json(),
                },
            )
            return self.find(facility.code)[-1]

    def find(self, facility: str | None = None) -> tuple[Publication, ...]:
        """Publications, oldest first: of one facility by its code, or of all."""
        rows = self._file.rows(
            "SELECT * FROM publications WHERE :facility IS NULL OR facility = :facility ORDER BY id",
            {"facility": facility},
        )
        return tuple(
            Publication(
                **{**row, "comparison": ComparisonPayload.model_validate_json(text) if text else None}
            )
            for row in rows
            for text in (row["comparison"],)
        )

    def in_force(self, facility: str) -> Publication | None:
        """The last publication of a facility, or None."""
        found = self.find(facility)
        return found[-1] if found else None
