"""A frame and its time: everything downstream trusts stream time, never the moment of reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

SECOND = 1_000_000
"""Microseconds in a second: all times are integers of microseconds since the epoch, UTC."""
SEGMENT = 60 * SECOND
"""Microseconds of stream time that are analysed and written as one unit: the most analysis that a kill can
cost. Segments begin at whole minutes, and a segment divides the hour."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame of one camera.

    Attributes:
        image: height x width x 3, uint8, BGR.
        t: stream time, microseconds UTC.
        index: index of the decoded frame in its source, from 0.
        camera: id of the camera in the facility file.
    """

    image: np.ndarray
    t: int
    index: int
    camera: str


def to_iso(t: int) -> str:
    """Format microseconds UTC as ISO 8601 of fixed width, so that text sorts as time does."""
    seconds, micro = divmod(t, SECOND)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{micro:06d}Z"


def from_iso(text: str) -> int:
    """Parse ISO 8601 with an offset into microseconds UTC.

    Raises:
        ValueError: the text is not ISO 8601, or has no offset (a time without one is ambiguous).
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected a time such as 2026-11-24T08:00:00+07:00, got {text!r}") from None
    if moment.tzinfo is None:
        raise ValueError(f"expected a time with an offset such as +07:00 or Z, got {text!r}")
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds
