"""Frames, and times as microseconds UTC.

The time of a frame is its stream time, never the time at which it was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

SECOND = 1_000_000
"""Microseconds in a second; all times are whole microseconds since 1970-01-01T00:00:00Z."""
SEGMENT = 60 * SECOND
"""Microseconds of stream time that are analysed and written as one unit: the most analysis that a kill can
cost. Segments begin at whole minutes, and a segment divides the hour."""
DUE_SHARE = 0.9
"""Share of its interval after which a periodic reading (face, clothes, embedding) is due. At 3.5 analysed
frames/s, a strict half second would halve a rate of 2 Hz. Project default (docs/defaults.md)."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    """Format microseconds UTC as ISO 8601 of fixed width, so that the texts sort by time."""
    return f"{(EPOCH + timedelta(microseconds=t)).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def to_microseconds(moment: datetime) -> int:
    """Convert a time with a zone to microseconds UTC, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1)


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
    return to_microseconds(moment)
