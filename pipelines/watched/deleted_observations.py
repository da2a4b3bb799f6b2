"""Find footage whose observations the log no longer holds, and say what the counts of hours lack by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from incidents.coverage import Interval
from incidents.ledger import Ledger, Segment
from incidents.watched.hour import HourCounts
from incidents.watched.summary import duration_text
from vision.frames import SECOND
from vision.observations import HOUR, part_path, stored_hours
from vision.observations.log import hour_of
from vision.observations.upkeep import held_parts


@dataclass(frozen=True)
class Deleted:
    """What the log no longer holds of a camera and clock hour.

    Attributes:
        seconds: length of the footage in which people were seen, and whose observations are gone; 0 = none.
        whole: so are all observations of the hour.
    """

    seconds: float
    whole: bool


def deleted_of_hour(home: Path, camera: str, hour: int, segments: Sequence[Segment]) -> Deleted:
    """Compare the segments that the ledger knows of an hour with what the log holds.

    Args:
        home: folder of the home.
        camera: id of the camera.
        hour: start of the clock hour, microseconds UTC.
        segments: those that overlap the hour.

    Raises:
        LazarettoError: the log cannot be read.
    """
    here, before = held_parts(home, camera, hour), held_parts(home, camera, hour - HOUR)
    later_rows = part_path(camera, hour).name
    gone = 0
    for segment in segments:
        of, part = _hour_of_part(segment), PurePath(segment.part)
        if of is None or of > hour:
            continue  # No person was seen in this hour.
        # Of a segment that goes on into this hour, the rows of this hour lie in a part of their own.
        held = part.name in here if of == hour else later_rows in here or part.name in before
        if not held:
            gone += min(segment.end, hour + HOUR) - max(segment.start, hour)
    return Deleted(round(gone / SECOND, 3), bool(gone) and not here)


def not_evaluated_sentences(home: Path, camera: str, segments: Sequence[Segment]) -> tuple[str, ...]:
    """Sentences about clock hours that a replay cannot evaluate, or not in full.

    Args:
        home: folder of the home.
        camera: id of the camera.
        segments: those of the time that is replayed.

    Raises:
        LazarettoError: the log cannot be read.
    """
    parts: dict[int, set[str]] = {}
    for segment in segments:
        if (of := _hour_of_part(segment)) is not None:
            parts.setdefault(of, set()).add(PurePath(segment.part).name)
    held = {hour: held_parts(home, camera, hour) for hour in parts}
    whole = sum(not held[hour] for hour in parts)
    partly = sum(bool(held[hour]) and not names <= held[hour] for hour, names in parts.items())
    return tuple(
        f"camera {camera}: {what} of {_hours(number)} was deleted: what was seen then is not evaluated"
        for what, number in (("the observation log", whole), ("a part of the observation log", partly))
        if number
    )


def deleted_sentences(
    ledger: Ledger,
    camera: str,
    recorded: Sequence[Interval],
    hours: Sequence[HourCounts],
    version: str | None = None,
) -> list[str]:
    """Sentences about what the counts of hours lack because observations were deleted.

    Args:
        ledger: of a home.
        camera: id of the camera.
        recorded: what is recorded of it in the time in question.
        hours: the counts of that time.
        version: SHA-256 of the facility file under which the hours were counted; None = any.

    Raises:
        LazarettoError: the ledger or the log cannot be read.
    """
    sentences = []
    if unknown := _unknown_hours(ledger, camera, recorded, {item.hour for item in hours}):
        under = "" if version is None else " under this facility file"
        sentences.append(
            f"{camera}: the observation log of {_hours(unknown)} was deleted, and there are no counts of it"
            f"{under}: who was seen then, and what could have been judged, is not known."
        )
    rest = [item.deleted_s for item in hours if item.deleted_s]
    if rest:
        sentences.append(
            f"{camera}: the observations of {duration_text(sum(rest))} of footage in {_hours(len(rest))} "
            "were deleted or lost before they were counted: person-seconds and tracks are those of the rest."
        )
    added = [item.added_s for item in hours if item.added_s]
    if added:
        sentences.append(
            f"{camera}: {duration_text(sum(added))} of footage in {_hours(len(added))} are not in the "
            "person-seconds and tracks: the observations of footage counted before were deleted or lost, and "
            "its counts are kept as they were."
        )
    return sentences


def _unknown_hours(ledger: Ledger, camera: str, recorded: Sequence[Interval], counted: set[int]) -> int:
    """Number of clock hours without counts in which people were seen and of which the log holds nothing."""
    wanted = {hour for item in recorded for hour in hours_of(item.start, item.end)} - counted
    if not wanted:
        return 0
    stored = set(stored_hours(ledger.path.parent, camera))
    gone = {
        hour
        for segment in ledger.segments.within(camera, min(wanted), max(wanted) + HOUR)
        if (of := _hour_of_part(segment)) is not None and of not in stored
        for hour in hours_of(max(segment.start, of), segment.end)
    }
    return len((gone & wanted) - stored)


def _hour_of_part(segment: Segment) -> int | None:
    """Start of the hour in whose folder the rows of a segment begin; None where no person was seen."""
    return hour_of(Path(segment.part).parent) if segment.part else None


def hours_of(start: int, end: int) -> range:
    """Starts of the clock hours that meet [start, end), microseconds UTC."""
    return range(start // HOUR * HOUR, end, HOUR)


def _hours(number: int) -> str:
    return "1 clock hour" if number == 1 else f"{number} clock hours"
