"""The JSON of a verification of seals, as `verify --json` prints it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from incidents.json_model import Payload
from incidents.seal_payload import SealPayload
from incidents.seals import printable
from pipelines.verify import CheckedFile, UnknownFile, Verification


class BrokenSealPayload(SealPayload):
    """A sealed file that is not as it was sealed."""

    incident: str = Field(description="Id of the incident.")

    @classmethod
    def of_file(cls, fault: CheckedFile) -> Self:
        """The payload of a file that was checked."""
        return cls(**dict(SealPayload.of(fault.check)), incident=fault.incident)


class UnsealedPayload(Payload):
    """An entry of the evidence folder that the ledger does not know."""

    uri: str = Field(
        description="Path relative to the home folder; what is no readable UTF-8 stands as escapes."
    )
    incident: str | None = Field(description="Incident in whose folder it is; null = in the folder of none.")
    what: str = Field(description="a file, a symbolic link, and others.")
    bytes: int | None = Field(description="Its length; null = it is no file.")

    @classmethod
    def of(cls, item: UnknownFile) -> Self:
        """The payload of an entry."""
        return cls(uri=printable(item.path), incident=item.incident, what=item.what, bytes=item.bytes)


class UnlistedPayload(Payload):
    """A folder that cannot be listed."""

    uri: str
    reason: str


class CountsPayload(Payload):
    """Number of sealed files by state, and of those that the ledger does not know."""

    intact: int
    altered: int
    missing: int
    unreadable: int
    unsealed: int


class VerificationPayload(Payload):
    """What became of the seals of a home."""

    home: str
    verdict: Literal["sound", "not sound"] = Field(
        description="sound = every file is as it was sealed, no other is there, and the ledger is in order."
    )
    incidents: int = Field(description="Incidents that the filters chose.")
    incidents_without_evidence: int = Field(
        description="Of these, camera faults left out: for which no file was ever sealed."
    )
    files: int = Field(description="Their sealed files, all revisions.")
    bytes_read: int
    counts: CountsPayload
    broken: list[BrokenSealPayload] = Field(description="Sealed files that are not as they were sealed.")
    unsealed: list[UnsealedPayload]
    pending: list[UnsealedPayload] = Field(
        description="Files that an analysis at work has written and will seal; they are no fault."
    )
    temporary_folders: list[str] = Field(
        description="Of an analysis that is at work or was interrupted; the next one removes them."
    )
    unlisted: list[UnlistedPayload]
    ledger_faults: list[str] = Field(description="What SQLite finds wrong with the ledger itself.")
    seconds: float

    @classmethod
    def of(cls, found: Verification) -> Self:
        """The payload of a verification."""
        return cls(
            home=str(found.home),
            verdict="sound" if found.sound else "not sound",
            incidents=found.incidents,
            incidents_without_evidence=found.without_evidence,
            files=len(found.checked),
            bytes_read=found.bytes_read,
            counts=CountsPayload(
                intact=found.count("intact"),
                altered=found.count("altered"),
                missing=found.count("missing"),
                unreadable=found.count("unreadable"),
                unsealed=len(found.unsealed),
            ),
            broken=[BrokenSealPayload.of_file(fault) for fault in found.faults],
            unsealed=[UnsealedPayload.of(item) for item in found.unsealed],
            pending=[UnsealedPayload.of(item) for item in found.pending],
            temporary_folders=[printable(path) for path in found.temporary],
            unlisted=[
                UnlistedPayload(uri=printable(path), reason=why) for path, why in found.unlisted.items()
            ],
            ledger_faults=list(found.ledger_faults),
            seconds=round(found.seconds, 3),
        )
