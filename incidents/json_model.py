"""The base of the pydantic models whose JSON leaves the program or is kept in the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

_DATE_TIME = WithJsonSchema({"type": "string", "format": "date-time"})


def _local(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Time = Annotated[AwareDatetime, PlainSerializer(_local, return_type=str), _DATE_TIME]
"""ISO 8601 with microseconds and the offset of a time zone, such as 2026-11-24T15:00:00.000000+07:00."""
UtcTime = Annotated[AwareDatetime, PlainSerializer(_utc, return_type=str), _DATE_TIME]
"""ISO 8601 with microseconds in UTC, such as 2026-11-24T08:00:00.000000Z (`vision.frames.to_iso`)."""


class Payload(BaseModel):
    """A frozen model of JSON that refuses unknown fields, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """The payload as JSON values, in the order of the fields."""
        return self.model_dump(mode="json")
