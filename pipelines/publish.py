"""Publish a facility file: preview what it changes, then put it in force.

A front end first calls `preview_publication` and shows the result. `publish` then takes the version that the
preview was made against, so that of two people who publish at once the second has to compare again.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from incidents.comparison_payload import ComparisonPayload
from incidents.json_model import Payload, UtcTime
from incidents.ledger import Ledger, Publication
from incidents.local_time import utc_datetime
from pipelines.compare import Difference, difference
from pipelines.facilities.choice import IN_FORCE, choose_facility, facility_of
from pipelines.home import Home
from pipelines.replay import NothingToReplay, Window
from zones.checking import Severity, check_facility
from zones.checking.findings import Finding
from zones.errors import LazarettoError
from zones.facility import Facility

WHOLE_LOG: Window = (None, None)


@dataclass(frozen=True)
class PublicationPreview:
    """What publishing a facility file would change.

    Attributes:
        facility: the file to publish.
        version_in_force: SHA-256 of the version that it would replace; None = none was published yet.
        difference: the incidents that it gains and loses on the observation log; None = nothing to compare.
        nothing_to_compare: why there is no comparison; "" where there is one.
        warnings: what a check of the file warns of.
    """

    facility: Facility
    version_in_force: str | None
    difference: Difference | None
    nothing_to_compare: str
    warnings: tuple[Finding, ...]


@dataclass(frozen=True)
class PublishRequest:
    """What to put in force, and who answers for it.

    Attributes:
        facility: the file to publish.
        author: who publishes it.
        note: why.
        expected_version: the version in force when the comparison was made (`version_in_force` of the
            preview); None = none was.
        difference: the comparison that the author has seen; it is kept with the publication.
    """

    facility: Facility
    author: str
    note: str
    expected_version: str | None
    difference: Difference | None


class PublicationPayload(Payload):
    """A publication as `zones history --json` prints it."""

    facility: str = Field(description="Code of the facility.")
    version: str = Field(description="SHA-256 of the facility file.")
    previous: str | None = Field(description="The version that it replaced; null = the first.")
    author: str
    note: str
    comparison: ComparisonPayload | None = Field(description="null = there was nothing to compare.")
    at: UtcTime


@dataclass(frozen=True)
class PublicationEntry:
    """A publication with the time zone of its facility (IANA name), in which its time is shown."""

    publication: Publication
    timezone: str

    def to_payload(self) -> PublicationPayload:
        """The publication as JSON shows it; the time is UTC."""
        item = self.publication
        return PublicationPayload(
            facility=item.facility,
            version=item.version,
            previous=item.previous,
            author=item.author,
            note=item.note,
            comparison=item.comparison,
            at=utc_datetime(item.at),
        )


def preview_publication(
    home: Home, ledger: Ledger, facility: Facility, name: str, window: Window = WHOLE_LOG
) -> PublicationPreview:
    """Compare a facility file with the one before it, and check it. Nothing is written.

    Args:
        home: its observation log is replayed.
        ledger: of that home.
        facility: the file to publish.
        name: what the file is called in messages.
        window: [start, end) of the log to compare on, microseconds UTC; None = no bound.

    Raises:
        LazarettoError: the file is in force already, or the log cannot be replayed.
    """
    in_force = ledger.publications.in_force(facility.code)
    if in_force is not None and in_force.version == facility.version:
        raise LazarettoError(f"expected a version that is not in force yet, got {name}, which is")
    found: Difference | None = None
    reason = ""
    try:
        before = facility_before(ledger, facility.code)
        found = difference(home, ledger, before, facility, None, window)
    except NothingToReplay as error:
        reason = str(error)
    findings = check_facility(facility.text, name)
    return PublicationPreview(
        facility=facility,
        version_in_force=None if in_force is None else in_force.version,
        difference=found,
        nothing_to_compare=reason,
        warnings=tuple(item for item in findings if item.severity is Severity.WARNING),
    )


def in_force_already(home: Home, facility: Facility) -> Publication | None:
    """The publication by which this very file is in force in a home; None = it is not. Nothing is written.

    Raises:
        LazarettoError: the ledger cannot be read.
    """
    if not home.ledger.exists():
        return None
    with Ledger.open(home.ledger, read_only=True) as ledger:
        found = ledger.publications.in_force(facility.code)
    return found if found is not None and found.version == facility.version else None


def publish(ledger: Ledger, request: PublishRequest) -> Publication:
    """Put a facility file in force. Incidents in the ledger stay as they are.

    Raises:
        LedgerError: no author, the file is in force already, or another version than the expected one is in
            force.
    """
    return ledger.publications.publish(
        request.facility,
        request.author,
        request.note,
        request.expected_version,
        None if request.difference is None else request.difference.to_payload(),
    )


def compare_versions(
    home: Home,
    ledger: Ledger,
    old: str,
    new: str,
    cameras: list[str] | None = None,
    window: Window = WHOLE_LOG,
) -> Difference:
    """Compare two facility files on the observation log. Nothing is written.

    Args:
        home: its observation log is replayed.
        ledger: of that home.
        old, new: a path, the first digits of a version in the ledger, or "published". As the old file,
            "published" falls back to the version that was used last.
        cameras: ids of the cameras to compare on; None = all.
        window: [start, end), microseconds UTC; None = no bound.

    Raises:
        LazarettoError: there is no such file or version, or the log cannot be replayed.
    """
    before = facility_before(ledger) if old == IN_FORCE else choose_facility(old, ledger)
    return difference(home, ledger, before, choose_facility(new, ledger), cameras, window)


def facility_before(ledger: Ledger, code: str | None = None) -> Facility:
    """Find the facility file in force, or the version used last where none was published.

    Args:
        ledger: of the home.
        code: of the facility; None = the only one of the home.

    Raises:
        NothingToReplay: no version was used yet.
        LazarettoError: the home has no facility, or several.
    """
    if code is None:
        codes = {entry.facility for entry in ledger.facilities.cameras()}
        if len(codes) != 1:
            raise LazarettoError(
                f"expected a home of one facility, got {', '.join(sorted(codes)) or 'none'}: name a file"
            )
        code = codes.pop()
    in_force = ledger.publications.in_force(code)
    version = in_force.version if in_force else ledger.facilities.last_used(code)
    if version is None:
        raise NothingToReplay(f"no version of a facility file of {code} was used in this home yet")
    return facility_of(ledger, version)


def facility_in_force(home: Home) -> Facility:
    """Return the facility file in force in a home.

    Raises:
        LazarettoError: none is in force, or files of several facilities are.
    """
    if not home.ledger.exists():
        return choose_facility(None, None)
    with Ledger.open(home.ledger, create=False) as ledger:
        return choose_facility(None, ledger)


def not_in_force_warning(ledger: Ledger, facility: Facility) -> str | None:
    """Return a warning when another version of the facility file is in force, else None."""
    in_force = ledger.publications.in_force(facility.code)
    if in_force is None or in_force.version == facility.version:
        return None
    return (
        f"the facility file is version {facility.version[:12]}, but {in_force.version[:12]} is in force, "
        f"published by {in_force.author}"
    )


def publication_history(ledger: Ledger) -> tuple[PublicationEntry, ...]:
    """Return all publications, oldest first."""
    found = ledger.publications.find()
    zones = {item.facility: str(facility_of(ledger, item.version).timezone) for item in found}
    return tuple(PublicationEntry(item, zones[item.facility]) for item in found)
