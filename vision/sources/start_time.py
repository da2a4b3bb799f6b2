"""When a recording began: stated by the user, by its metadata, by its file name, or guessed from the disk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from pathlib import Path

EARLIEST_YEAR = 1990
"""Metadata before this was never set: QuickTime counts from 1904, unset clocks from 1970 or 1980."""
LATEST_YEAR = 2100

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
    """Where a start time comes from. `mtime` is a guess: the caller should say so."""

    FLAG = "flag"
    METADATA = "metadata"
    FILE_NAME = "file_name"
    MTIME = "mtime"


def start_from_name(name: str, tz: tzinfo) -> int | None:
    """The first date with a time in a file name, microseconds UTC; None if there is none.

    Read are 20211124T080000, 2021-11-24_08-00-00, 20211124_080000 and 20211124080000 and their like,
    with fractions of a second or milliseconds, and Z or an offset. Without an offset the time is of `tz`.
    A minus sign before four digits is an offset only after a T: elsewhere recorders put the end there.
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
            moment = datetime.fromisoformat(f"{date}T{time}.{fraction}").replace(tzinfo=_zone(offset) or tz)
        except ValueError:
            continue
        if EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
            return _microseconds(moment)
    return None


def start_from_metadata(*metadata: Mapping[str, str]) -> int | None:
    """The first believable `creation_time`, microseconds UTC; it is UTC where it names no offset."""
    for entries in metadata:
        text = entries.get("creation_time", "").strip()
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
            return _microseconds(moment)
    return None


def start_from_disk(path: Path, duration: int) -> int:
    """When a file that was last written at its end must have begun; `duration` in microseconds."""
    return path.stat().st_mtime_ns // 1000 - duration


def _zone(offset: str) -> tzinfo | None:
    if not offset:
        return None
    if offset == "Z":
        return UTC
    digits = offset[1:].replace(":", "")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-shift if offset[0] == "-" else shift)


def _microseconds(moment: datetime) -> int:
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
