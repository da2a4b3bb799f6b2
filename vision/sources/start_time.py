"""Start time of a recording: all sources of time are read and compared, and the one trusted most is taken.

In order of trust: the user's word; a full date and time in the file's name; a date in a folder's name with
the time in the file's; seconds since 1970 in the name; a clock inside the stream; the creation time in the
container, which exports and copies rewrite. The file's date is a guess, of which the caller decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from pathlib import Path

from vision.frames import EPOCH, SECOND, to_microseconds
from vision.sources.name_times import (
    EARLIEST_YEAR,
    MAX_RECORDING_US,
    FolderDate,
    clock_in_name,
    dates_in_folders,
    other_times_in_name,
    time_in_name,
    unix_time_in_name,
)

MAX_DISAGREEMENT_US = 120 * SECOND
"""Two sources of time that differ by more than this disagree, microseconds. Project default
(docs/defaults.md)."""
MAX_AHEAD_US = 600 * SECOND
"""A time later than now by more than this is no time, microseconds: the clock of a recorder may be some
minutes fast. Project default (docs/defaults.md)."""
CREATION_KEYS = ("creation_time", "com.apple.quicktime.creationdate")
"""Keys of container metadata that state when a recording was made."""
LOCAL_CLOCKS = frozenset({"dhav"})
"""Containers whose timestamps count local time from 1970: Dahua's frames carry a date without a zone, and
FFmpeg's demuxer (libavformat/dhav.c) takes it for UTC."""


class StartOrigin(StrEnum):
    """Where a start time comes from, in order of trust. `MTIME` is a guess."""

    FLAG = "flag"
    FILE_NAME = "file_name"
    FOLDER_NAME = "folder_name"
    UNIX_NAME = "unix_name"
    STREAM = "stream"
    METADATA = "metadata"
    MTIME = "mtime"

    @property
    def text(self) -> str:
        """The source of time, for messages."""
        return _TEXTS[self]


_TEXTS = {
    StartOrigin.FLAG: "--start",
    StartOrigin.FILE_NAME: "the date and time in the name",
    StartOrigin.FOLDER_NAME: "the date of the folder and the time in the name",
    StartOrigin.UNIX_NAME: "the seconds since 1970 in the name",
    StartOrigin.STREAM: "the clock in the stream",
    StartOrigin.METADATA: "the creation time in the container",
    StartOrigin.MTIME: "the file's date (a guess)",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one source of time says.

    Attributes:
        origin: the source.
        t: the start that it states, microseconds UTC.
        remark: what else is to be said of it, as half a sentence; "" = nothing.
    """

    origin: StartOrigin
    t: int
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a recording.

    Attributes:
        t: microseconds UTC.
        origin: where it comes from.
        notes: one sentence for each other source that disagrees or cannot be right.
    """

    t: int
    origin: StartOrigin
    notes: tuple[str, ...] = ()


def find_start(
    path: Path,
    tz: tzinfo,
    given: int | None,
    *,
    metadata: Sequence[Mapping[str, str]] = (),
    clock: int | None = None,
    folder: str | None = None,
    duration: int = 0,
    now: int | None = None,
) -> Start:
    """Read all sources of time of a recording and take the one trusted most.

    Args:
        path: the file; of an image sequence its first image.
        tz: zone of times without an offset.
        given: the start that the user gave, microseconds UTC; None = none.
        metadata: of the container and the stream.
        clock: the first timestamp, where it counts from 1970, microseconds UTC.
        folder: name of an image sequence's folder, which may state a date and time itself.
        duration: of the recording, microseconds; the guess is the file's date less the duration.
        now: the present, microseconds UTC; None = by the clock.
    """
    readings = [] if given is None else [Reading(StartOrigin.FLAG, given)]
    readings += _name_readings(path, folder, tz)
    if clock is not None:
        readings.append(Reading(StartOrigin.STREAM, clock))
    created = start_from_metadata(*metadata)
    if created is not None:
        readings.append(Reading(StartOrigin.METADATA, created))
    found = choose(readings, lambda: start_from_disk(path, duration), tz, duration=duration, now=now)
    if found.origin is not StartOrigin.FILE_NAME:
        return found
    return replace(found, notes=(*found.notes, *_notes_on_other_times(path.name, found.t, duration, tz)))


def choose(
    readings: Sequence[Reading],
    guess: Callable[[], int],
    tz: tzinfo,
    *,
    duration: int = 0,
    now: int | None = None,
) -> Start:
    """Take the reading trusted most that can be right, else the guess, and say what disagrees with it.

    Args:
        readings: in order of trust; a time before `EARLIEST_YEAR` is no reading and must not be among them.
        guess: gives what is taken if no reading can be right, microseconds UTC.
        tz: zone in which messages show times.
        duration: of the recording, microseconds; 0 = unknown.
        now: the present, microseconds UTC; None = by the clock.
    """
    latest = (time.time_ns() // 1000 if now is None else now) + MAX_AHEAD_US
    possible = [item for item in readings if item.t <= latest or item.origin is StartOrigin.FLAG]
    taken = possible[0] if possible else Reading(StartOrigin.MTIME, guess())
    notes = [f"{taken.origin.text}: {taken.remark}"] if taken.remark else []
    if taken.t > latest:
        notes.append(f"{taken.origin.text} says {show_time(taken.t, tz)}, which lies in the future")
    for other in readings:
        apart = other.t - taken.t
        if other is taken or abs(apart) <= MAX_DISAGREEMENT_US:
            continue
        why = _why_apart(other, taken, tz, duration, latest)
        notes.append(
            f"the sources of time disagree: {show_time(taken.t, tz)} by {taken.origin.text}, which is taken, "
            f"but {show_time(other.t, tz)} by {other.origin.text}{why}"
        )
    return Start(taken.t, taken.origin, tuple(notes))


def start_from_name(name: str, tz: tzinfo) -> int | None:
    """The first date and time in a file name, microseconds UTC; None if there is none.

    The forms are those of `vision.sources.name_times`.
    """
    found = time_in_name(name, tz)
    return None if found is None else found.t


def start_from_metadata(*metadata: Mapping[str, str]) -> int | None:
    """The first believable creation time, microseconds UTC; a time without an offset is UTC."""
    for entries in metadata:
        for key in CREATION_KEYS:
            text = entries.get(key, "").strip()
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                continue
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            if moment.year >= EARLIEST_YEAR and ":" in text:
                return to_microseconds(moment)
    return None


def start_from_clock(first: int, container_format: str, tz: tzinfo) -> int | None:
    """The time of a first timestamp that counts from 1970, microseconds UTC; None if it does not.

    Args:
        first: the first timestamp, microseconds.
        container_format: FFmpeg's name of the format.
        tz: zone of clocks that state local time, see `LOCAL_CLOCKS`.
    """
    if first < to_microseconds(datetime(EARLIEST_YEAR, 1, 1, tzinfo=UTC)):
        return None
    if container_format not in LOCAL_CLOCKS:
        return first
    local = (EPOCH + timedelta(microseconds=first)).replace(tzinfo=tz)
    return to_microseconds(local)


def start_from_disk(path: Path, duration: int) -> int:
    """Guess the start of a recording that was last written at its end; `duration` in microseconds."""
    return path.stat().st_mtime_ns // 1000 - duration


def show_time(t: int, tz: tzinfo) -> str:
    """Microseconds UTC as people read them: 2026-11-24 08:00:00+07:00."""
    try:
        moment = (EPOCH + timedelta(microseconds=t)).astimezone(tz)
    except OverflowError:
        return f"{t} microseconds after 1970"
    return moment.isoformat(" ", "seconds")


def _name_readings(path: Path, folder: str | None, tz: tzinfo) -> list[Reading]:
    found = time_in_name(path.name, tz)
    if found is None and folder is not None:
        found = time_in_name(folder, tz)
    readings = []
    if found is not None:
        remark = "day and month may be the other way round; the day is taken to stand first"
        readings.append(Reading(StartOrigin.FILE_NAME, found.t, remark if found.day_first else ""))
    days = dates_in_folders(path)
    if days:
        in_folder = _time_of_folder(path, days[0], None if found is None else found.t, tz)
        readings += [] if in_folder is None else [Reading(StartOrigin.FOLDER_NAME, in_folder)]
    seconds = unix_time_in_name(path.name)
    if seconds is not None:
        readings.append(Reading(StartOrigin.UNIX_NAME, seconds))
    return readings


def _time_of_folder(path: Path, folder: FolderDate, named: int | None, tz: tzinfo) -> int | None:
    """The date of a folder with the time of day of the file; None if there is none, or the name agrees."""
    midnight = datetime(folder.day.year, folder.day.month, folder.day.day, tzinfo=tz)
    if named is None:
        clock = clock_in_name(path.name)
        return None if clock is None else to_microseconds(datetime.combine(midnight, clock, tz))
    # A file that begins at midnight may lie in the folder of either day.
    within = timedelta(microseconds=MAX_DISAGREEMENT_US)
    moment = (EPOCH + timedelta(microseconds=named)).astimezone(tz)
    if midnight - within <= moment <= midnight + timedelta(days=1) + within:
        return None
    return to_microseconds(datetime.combine(midnight, moment.timetz()))


def _notes_on_other_times(name: str, start: int, duration: int, tz: tzinfo) -> list[str]:
    """What is to be said of further dates and times in a name.

    One within a day after the start is taken for the end of the recording, which the file may contradict; any
    other one may be the start.
    """
    notes = []
    for t in other_times_in_name(name, tz):
        if abs(t - start) <= MAX_DISAGREEMENT_US:
            continue
        if not start < t <= start + MAX_RECORDING_US:
            notes.append(f"the name states {show_time(t, tz)} too; the first time in it is taken")
        elif duration and abs(t - start - duration) > MAX_DISAGREEMENT_US:
            notes.append(
                f"the name states an end at {show_time(t, tz)}, and the file an end at "
                f"{show_time(start + duration, tz)}"
            )
    return notes


def _why_apart(other: Reading, taken: Reading, tz: tzinfo, duration: int, latest: int) -> str:
    """What explains that two sources disagree, to be put behind the time of the other one."""
    if other.t > latest:
        return " (in the future)"
    apart = other.t - taken.t
    offset = (EPOCH + timedelta(microseconds=taken.t)).astimezone(tz).utcoffset() or timedelta()
    shift = offset // timedelta(microseconds=1)
    if shift and abs(apart - shift) <= MAX_DISAGREEMENT_US:
        return (
            f" (later by exactly the zone's offset of {shift / 3600 / SECOND:g} h: one of them is local time "
            "written as if it were UTC, or UTC written as if it were local time)"
        )
    if duration and abs(apart - duration) <= MAX_DISAGREEMENT_US and other.origin is StartOrigin.METADATA:
        return " (the end of the recording)"
    return ""
