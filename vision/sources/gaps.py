"""Gaps between the frames of a source, and the point at which an interrupted pass over a source resumes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class GapKind(StrEnum):
    """Why frames are missing.

    MISSING: the source holds none for this time. UNDECODABLE: they cannot be decoded. DISORDER: their
    timestamps are missing or go back. OFFLINE: the source is not connected.
    """

    MISSING = "gap"
    UNDECODABLE = "undecodable"
    DISORDER = "disorder"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval without usable frames.

    Attributes:
        kind: why there are none.
        start: time of the last usable frame before the gap, or start of the source; microseconds UTC.
        end: time of the first usable frame after the gap, or the time at which the source should end.
        frames: number of frames known to be lost; 0 for `GapKind.MISSING` and `GapKind.OFFLINE`.
        cause: the cause as half a sentence, for messages and the coverage.
    """

    kind: GapKind
    start: int
    end: int
    frames: int
    cause: str


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """The last frame that a pass over a source dealt with; the next pass continues behind it.

    Attributes:
        index: index of that frame in its source.
        t: its stream time, microseconds UTC.
        by_index: its time does not tell which frame it is, because the timestamps of the source are faulty.
    """

    index: int
    t: int
    by_index: bool = False
