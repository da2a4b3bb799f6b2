"""The comparison of two facility files as JSON, as `zones diff --json` prints it and a publication keeps it.

What the ledger keeps is never rewritten. A field may therefore be added with a default, and none is removed.
"""

from __future__ import annotations

from pydantic import Field

from incidents.json_model import Payload, Time, UtcTime
from incidents.rule_record import Kind, Severity

FieldValue = str | float | list[str] | None
"""Value of a compared field, as a reviewer sees it: times are local, tracks are ids with roles."""


class FieldChangePayload(Payload):
    """One field of an incident under both files."""

    old: FieldValue
    new: FieldValue


class ChangePayload(Payload):
    """An incident that is gained, lost or changed."""

    id: str = Field(description="Id of the incident under the new file, else under the old file.")
    old_id: str | None = Field(description="Id under the old file; null = the old file does not raise it.")
    new_id: str | None = Field(description="Id under the new file; null = the new file does not raise it.")
    recorded: str | None = Field(description="Id of that incident in the ledger; null = not in the ledger.")
    camera: str
    kind: Kind
    zone: str | None
    severity: Severity
    start: Time
    end: Time
    verdict: str | None = Field(description="confirmed, false_alarm or inconclusive; null = not decided.")
    differences: dict[str, FieldChangePayload] = Field(description="Fields that differ, by name.")


class ScorePayload(Payload):
    """Incidents of one file by the reviewers' verdicts."""

    raised: int
    confirmed: int
    missed: int = Field(description="Confirmed by reviewers, and not raised under this file.")
    false_alarms: int
    undecided: int
    precision: float | None = Field(description="Of the decided incidents, 0..1; null = none is decided.")
    recall: float | None = Field(description="Of the confirmed incidents, 0..1; null = none is confirmed.")


class ScoresPayload(Payload):
    """The scores of both files for one kind and zone; null = all."""

    kind: str | None
    zone: str | None
    old: ScorePayload
    new: ScorePayload


class ComparisonPayload(Payload):
    """What the rules of two facility files find in one observation log."""

    old: str = Field(description="SHA-256 of the old facility file.")
    new: str = Field(description="SHA-256 of the new facility file.")
    cameras: list[str]
    start: UtcTime
    end: UtcTime
    camera_hours: int = Field(
        description="Clock hours with observations, a begun one counted whole, over all cameras."
    )
    same: int = Field(description="Number of incidents that both files raise without a difference.")
    changed: list[ChangePayload]
    gained: list[ChangePayload]
    lost: list[ChangePayload]
    confirmed_but_raised_by_neither: list[str] = Field(description="Ids of incidents in the ledger.")
    scores: list[ScoresPayload]
