"""Start time of a recording: from the user, the metadata, the file name, or a guess from the file's date."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from pathlib import Path

from vision.frames import to_microseconds

EARLIEST_YEAR = 1990
"""Earlier years come from clocks that were never set: QuickTime counts from 1904, others from 1970."""
LATEST_YEAR = 2100
"""Later years come from numbers in file names that are not dates."""

_STAMP = re.compile(
    r"""(?<!\d)
    (?P<year>\d{4})(?P<dash>[-_.]?)(?P<month>\d{2})(?P=dash)(?P<day>\d{2})
    (?P<between>[T\ _.-]{0,2})
    (?P<hour>\d{2})(?P<colon>[-_.:]?)(?P<minute>\d{2})(?P=colon)(?P<second>\d{2})
    (?:[.,](?P<fraction>\d{1,6})(?!\d)|(?P<milli>\d{3})(?!\d)|(?!\d))
    (?P<offset>Z(?![A-Za-z])|[+-]\d{2}:?\d{2}(?!\d))?""",
    re.VERBOSE,
)


class StartOrigin(StrEnum):
    """Where a start time comes from. `MTIME` is a guess, of which the caller should warn."""

    FLAG = "flag"
    METADATA = "metadata"
    FILE_NAME = "file_name"
    MTIME = "mtime"


def start_from_name(name: str, tz: tzinfo) -> int | None:
    """The first date and time in a file name, microseconds UTC; None if there is none.

    Formats are 20211124T080000, 2021-11-24_08-00-00, 20211124_080000, 20211124080000 and the like, with an
    optional fraction of a second or milliseconds, and an optional Z or offset. A time without an offset is in
    `tz`. A minus sign with four digits is an offset only after a time with a T; otherwise it is how recorders
    append the end time.
    """
    for match in _STAMP.finditer(name):
        part = match.groupdict()
        offset = part["offset"] or ""
        if offset.startswith("-") and ":" not in offset and part["between"] != "T":
            offset = ""
        fraction = (part["fraction"] or part["milli"] or "").ljust(6, "0")
        date = "-".join(part[key] for key in ("year", "month", "day"))
        time = ":".join(part[key] for key in ("hour", "minute", "second"))
        try:
            moment = datetime.fromisoformat(f"{date}T{time}.{fraction}{offset}")
        except ValueError:
            continue
        if EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
            return to_microseconds(moment if offset else moment.replace(tzinfo=tz))
    return None


def start_from_metadata(*metadata: Mapping[str, str]) -> int | None:
    """The first believable `creation_time`, microseconds UTC; a time without an offset is UTC."""
    for entries in metadata:
        text = entries.get("creation_time", "").strip()
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
            return to_microseconds(moment)
    return None


def start_from_disk(path: Path, duration: int) -> int:
    """Guess the start of a recording that was last written at its end; `duration` in microseconds."""
    return path.stat().st_mtime_ns // 1000 - duration
