"""Times as a person writes them: with an offset, or in the time zone of the facility."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from vision.frames import to_microseconds
from vision.sources.name_times import EARLIEST_YEAR
from zones.errors import LazarettoError

_DAY = r"(?P<day>\d{1,2})(?P<dash>[/.-])(?P<month>\d{1,2})(?P=dash)(?P<year>\d{4})"
_CLOCK = r"(?P<hour>\d{1,2})(?:[:h.])(?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?"
_DAY_FIRST = re.compile(rf"{_DAY}[ ,T]+{_CLOCK}", re.IGNORECASE)
_CLOCK_FIRST = re.compile(rf"{_CLOCK}[ ,]+{_DAY}", re.IGNORECASE)


def read_given_time(option: str, text: str, timezone: str) -> int:
    """Read a time: microseconds UTC.

    A time is ISO 8601 with or without an offset (`2026-11-26 08:00`), or has the day first as it is written
    in Viet Nam (`26/11/2026 08:00`, `8h00 26/11/2026`). Without an offset it is in `timezone`.

    Args:
        option: the name of the option, for the message.
        text: the time.
        timezone: IANA name.

    Raises:
        LazarettoError: the text is no such time.
    """
    moment = _moment(text.strip())
    if moment is None or moment.year < EARLIEST_YEAR:
        raise LazarettoError(
            f"{option}: expected a time such as 2026-11-26 08:00 or 26/11/2026 08:00 (in {timezone}), or "
            f"2026-11-26T08:00:00+07:00, got {text.strip()!r}"
        )
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return to_microseconds(moment)


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
