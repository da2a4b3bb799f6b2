"""The JSON of a sealed file, in exports, in `incidents show` and in `verify`."""

from __future__ import annotations

from pydantic import Field

from incidents.json_model import Payload
from incidents.rule_record import EvidenceForm, EvidenceKind
from incidents.seals import SealCheck, SealState


class FoundFilePayload(Payload):
    """What is there in place of a sealed file."""

    what: str = Field(description="a file, nothing, a folder, a symbolic link, the system's refusal.")
    bytes: int | None = Field(description="Its length; null = it is no file.")
    sha256: str | None = Field(description="Its digest; null = not computed, its length differs already.")


class SealPayload(Payload):
    """A sealed file, and whether it is as it was sealed."""

    kind: EvidenceKind
    form: EvidenceForm
    revision: int = Field(description="Number among the files of this kind and form, from 1.")
    uri: str = Field(description="Path relative to the home folder, with forward slashes.")
    sha256: str = Field(description="SHA-256 as it was sealed, 64 hexadecimal digits.")
    bytes: int = Field(description="Length as it was sealed.")
    state: SealState
    found: FoundFilePayload

    @classmethod
    def of(cls, check: SealCheck) -> SealPayload:
        """The payload of a file that was checked."""
        item = check.item
        return SealPayload(
            kind=item.kind,
            form=item.form,
            revision=item.revision,
            uri=item.path,
            sha256=item.sha256,
            bytes=item.bytes,
            state=check.state,
            found=FoundFilePayload(what=check.what, bytes=check.bytes, sha256=check.sha256),
        )
