"""Starts of recordings as a user gives them: one for all, one for each source, or by the name of a source."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines.assignment import Footage
from vision.frames import to_microseconds
from vision.sources.name_times import EARLIEST_YEAR
from zones.errors import LazarettoError

_DAY = r"(?P<day>\d{1,2})(?P<dash>[/.-])(?P<month>\d{1,2})(?P=dash)(?P<year>\d{4})"
_CLOCK = r"(?P<hour>\d{1,2})(?:[:h.])(?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?"
_DAY_FIRST = re.compile(rf"{_DAY}[ ,T]+{_CLOCK}", re.IGNORECASE)
_CLOCK_FIRST = re.compile(rf"{_CLOCK}[ ,]+{_DAY}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GivenStart:
    """A start that the user gave.

    Attributes:
        t: microseconds UTC.
        source: the source that it is for, as the user named it; None = by its position.
    """

    t: int
    source: str | None = None


def read_start(text: str, timezone: str) -> GivenStart:
    """Read `TIME` or `SOURCE=TIME`.

    A time is ISO 8601 with or without an offset (`2026-11-26 08:00`), or has the day first as it is written
    in Viet Nam (`26/11/2026 08:00`, `8h00 26/11/2026`). Without an offset it is in `timezone`.

    Raises:
        LazarettoError: the text holds no such time.
    """
    source, _, time = text.rpartition("=")
    moment = _moment(time.strip())
    if moment is None or moment.year < EARLIEST_YEAR:
        raise LazarettoError(
            f"--start: expected a time such as 2026-11-26 08:00 or 26/11/2026 08:00 (in {timezone}), or "
            f"2026-11-26T08:00:00+07:00, got {time.strip()!r}"
        )
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return GivenStart(to_microseconds(moment), source or None)


def apply_starts(
    footage: Sequence[Footage], starts: Sequence[GivenStart], arguments: Sequence[str]
) -> list[Footage]:
    """The footage with the starts that were given for it.

    A start without a source holds for the source of every camera, if it is the only one; several of them are
    for the arguments in their order. A source is named by its argument, its path, its file name or its
    camera.

    Raises:
        LazarettoError: a start is for several sources of a camera, or for none.
    """
    given: dict[int, int] = {}
    by_place = [start for start in starts if start.source is None]
    if len(by_place) > 1 and len(by_place) != len(arguments):
        raise LazarettoError(
            f"--start: expected one time, or one for each of the {len(arguments)} sources, "
            f"got {len(by_place)}"
        )
    for number, start in enumerate(by_place):
        argument = arguments[number] if len(by_place) > 1 else None
        chosen = [n for n, item in enumerate(footage) if argument in (None, item.argument)]
        _give(given, footage, chosen, start)
    for start in starts:
        if start.source is not None:
            chosen = [n for n, item in enumerate(footage) if _is_named(item, start.source)]
            if not chosen:
                raise LazarettoError(f"--start: expected a source of this run, got {start.source!r}")
            _give(given, footage, chosen, start)
    return [replace(item, start=given.get(n, item.start)) for n, item in enumerate(footage)]


def _give(
    given: dict[int, int], footage: Sequence[Footage], chosen: Sequence[int], start: GivenStart
) -> None:
    for camera, count in Counter(footage[n].camera.id for n in chosen).items():
        if count > 1:
            raise LazarettoError(
                f"--start: expected one source of a camera, got {count} of camera {camera}: give each its "
                "own (--start FILE=TIME), or name the files by their time (20261124T080000.mp4)"
            )
    given.update(dict.fromkeys(chosen, start.t))


def _is_named(item: Footage, source: str) -> bool:
    path_part = item.argument.rpartition("=")[2]
    return source in (item.argument, path_part, str(item.path), item.path.name, item.camera.id) or (
        Path(source).absolute() == item.path.absolute()
    )


def _moment(text: str) -> datetime | None:
    if match := _DAY_FIRST.fullmatch(text) or _CLOCK_FIRST.fullmatch(text):
        names = ("year", "month", "day", "hour", "minute", "second")
        year, month, day, hour, minute, second = (int(match[name] or 0) for name in names)
        try:
            return datetime(year, month, day, hour, minute, second)
        except ValueError:
            return None
    try:
        moment = datetime.fromisoformat(re.sub(r"\s+(?=(?:Z|[+-]\d{2}:?\d{2})$)", "", text))
    except ValueError:
        return None
    # A date alone would be midnight, which is hardly meant.
    return moment if re.search(r"[T ]\d", text) else None
