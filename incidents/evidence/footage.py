"""The footage that evidence is cut from, and which of it holds a window of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vision.frames import SECOND
from vision.sources.files import source_span
from vision.sources.fingerprint import FileMark, check_unchanged
from vision.sources.frame_clock import ClockState
from vision.sources.timeline import SourceError

SPAN_TOLERANCE = SECOND
"""How much later than stated a source may end, in microseconds: containers round what they state, and an
analysis samples a few frames a second. Project default (docs/defaults.md)."""


@dataclass(frozen=True, slots=True)
class ClipSource:
    """Footage to cut from.

    Attributes:
        path: a video file or an image sequence.
        start_us: stream time of its first picture, microseconds UTC.
        fps: rate that replaces the file's timestamps, or None.
        end_us: when its last picture stops being shown, microseconds UTC, as the ledger knows it; None = the
            source is opened to find out.
        mark: by what it is recognised as the source that was analysed; None = it is not checked.
        clock: what is known of its timestamps; a clip is copied only where they are regular.
    """

    path: Path
    start_us: int
    fps: float | None = None
    end_us: int | None = None
    mark: FileMark | None = None
    clock: ClockState = ClockState.REGULAR


@dataclass(frozen=True, slots=True)
class FootageInWindow:
    """The sources to cut a window from.

    Attributes:
        sources: those that may have pictures in it, in order of time.
        missing: a sentence for each that should have some, and is gone or was replaced.
    """

    sources: tuple[ClipSource, ...]
    missing: tuple[str, ...] = ()


def footage_in(sources: Sequence[ClipSource], start: int, end: int) -> FootageInWindow:
    """The sources that may have footage in [start, end], microseconds UTC.

    A source whose end is known is opened only if it overlaps the window and is no longer of the size and
    date of its mark.

    Raises:
        SourceError: a source without a known end cannot be opened.
    """
    found, missing = [], []
    for source in sorted((s for s in sources if _reaches(s, start, end)), key=_by_time):
        if source.end_us is None:
            span = source_span(source.path, source.fps)
            if span is None or source.start_us + span + SPAN_TOLERANCE >= start:
                found.append(source)
            continue
        try:
            if source.mark is not None:
                check_unchanged(source.path, source.mark)
            found.append(source)
        except SourceError as error:
            if source.end_us >= start:
                missing.append(str(error))
    return FootageInWindow(tuple(found), tuple(missing))


def _reaches(source: ClipSource, start: int, end: int) -> bool:
    known_end = source.end_us
    return source.start_us <= end and (known_end is None or known_end + SPAN_TOLERANCE >= start)


def _by_time(source: ClipSource) -> tuple[int, str]:
    return source.start_us, str(source.path)
