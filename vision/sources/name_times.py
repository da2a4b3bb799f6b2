"""Dates and times in the names of recordings and of the folders that they lie in.

Forms of the calendar, with the software that writes them; a time without an offset is in the facility's zone:

- `20211124T080000`, `2021-11-24_08-00-00`, `20211124080000123`: Hikvision, Reolink, Blue Iris, Synology
- `H20190808-095851P1N2P0`, `20140509-000500-001000_192.168.1.11-CH2`: mobile recorders, Brickcom
- `20211124_CH1_080000`: Xiongmai and the makes that sell its recorders
- `2021_11_24_08h00m00s`: Nx Witness and its kin
- `2021_1124_080000_001`: dashcams and action cameras (SJCAM, VIOFO)
- `2-9-2020, 11.21.12pm`, `11-24-2021, 8.00.00am GMT+7`: UniFi Protect, month first
- `2021-11-24 - 08.00.00+0700`: the archiver of UniFi Protect
- `24-11-2021 08-00-00`: day first, as it is written in Viet Nam

Seconds since 1970 stand in names of Nest, Frigate, Synology and Xiaomi, milliseconds in an archive of Nx.
A date in a folder's name and the time in the file's is how motionEye (`2021-11-24/08-00-00.mp4`), Dahua
(`2021-11-24/001/dav/08/08.00.00-08.30.00[M][0@0][0].dav`) and ZLMediaKit write them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from pathlib import Path

from vision.frames import SECOND, to_microseconds

EARLIEST_YEAR = 2000
"""Earlier years come from clocks that were never set: QuickTime counts from 1904, others from 1970."""
LATEST_YEAR = 2100
"""Later years come from numbers in file names that are not dates."""
MAX_FOLDERS_UP = 5
"""Folders above a recording in which its date is looked for: Dahua writes it four above the file."""
MAX_RECORDING_US = 86_400 * SECOND
"""Longest recording whose end a name states, microseconds: recorders begin a new file at least once a day. A
later time in a name is when it was exported."""

_YEAR_FIRST = r"(?P<year>\d{4})(?P<dash>[-_.]?)(?P<month>\d{2})(?P=dash)(?P<day>\d{2})"
_DASHCAM = r"(?P<year>\d{4})_(?P<month>\d{2})(?P<day>\d{2})"
_YEAR_LAST = r"(?P<first>\d{1,2})(?P<dash>[-_.])(?P<second_part>\d{1,2})(?P=dash)(?P<year>\d{4})"
_BETWEEN = r"(?P<between>T|,?[\ _.-]{0,3}|[\ _.-]{1,3}(?:ch|cam|channel|camera)[\ _-]?\d{1,3}[\ _.-]{1,3})"
_TIME = r"""(?:
    (?P<hour>\d{2})(?P<colon>[-_.:]?)(?P<minute>\d{2})(?P=colon)(?P<second>\d{2})
      (?:[.,](?P<fraction>\d{1,6})(?!\d)|(?P<milli>\d{3})(?!\d)|(?!\d))
  | (?P<hour_h>\d{1,2})h(?P<minute_h>\d{2})m?(?:(?P<second_h>\d{2})s?)?(?!\d)
  | (?P<hour_12>\d{1,2})[.:](?P<minute_12>\d{2})[.:](?P<second_12>\d{2})(?!\d)
)"""
_HALF = r"(?P<half>\ ?[ap]\.?m\b)?"
_OFFSET = r"(?P<offset>Z(?![A-Za-z])|\ ?(?:GMT|UTC)(?:[+-]\d{1,2}(?::?\d{2})?)?|[+-]\d{2}:?\d{2}(?!\d))?"
_REST = _HALF + _OFFSET
_FLAGS = re.VERBOSE | re.IGNORECASE
_STAMPS = tuple(
    re.compile(rf"(?<!\d){form}{_BETWEEN}{_TIME}{_REST}", _FLAGS)
    for form in (_YEAR_FIRST, _DASHCAM, _YEAR_LAST)
)
_DATES = tuple(re.compile(rf"(?<!\d){form}(?!\d)", _FLAGS) for form in (_YEAR_FIRST, _YEAR_LAST))
_TIME_ALONE = re.compile(rf"(?<![\d.]){_TIME}{_REST}", _FLAGS)
_UNIX = re.compile(r"(?<!\d)(1\d{9})(\d{3})?(?!\d)")
_SPLIT_DATE = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})")


@dataclass(frozen=True, slots=True)
class NameTime:
    """A time that a name states.

    Attributes:
        t: microseconds UTC.
        day_first: the name may be read with the day or with the month first, and this is the day first.
    """

    t: int
    day_first: bool = False


@dataclass(frozen=True, slots=True)
class FolderDate:
    """A date in the name of a folder above a recording.

    Attributes:
        day: the date.
        folder: the name that states it.
        up: how many folders above the recording it is, from 1.
    """

    day: date
    folder: str
    up: int


def time_in_name(name: str, tz: tzinfo) -> NameTime | None:
    """The first full date and time in a name that is a time of the calendar from `EARLIEST_YEAR` on.

    The forms are those of the module. A minus sign with four digits is an offset only after a time with a T
    or after ` - `; otherwise it is how recorders append the end time. Of a date with the year last that can
    be read both ways, the day stands first, but the month where the time has am or pm.
    """
    name = _without_suffix(name)
    found = [item for stamp in _STAMPS for item in _times_of(stamp, name, tz)]
    return min(found, key=lambda item: item[0])[1] if found else None


def other_times_in_name(name: str, tz: tzinfo) -> list[int]:
    """The full dates and times in a name after the first one, in their order, microseconds UTC.

    Recorders append when the recording ends: `ch1_20261124080000_20261124081000.mp4`.
    """
    name = _without_suffix(name)
    found = sorted(
        (item for stamp in _STAMPS for item in _all_times_of(stamp, name, tz)), key=lambda item: item[0]
    )
    return [item.t for _, item in found[1:]]


def unix_time_in_name(name: str) -> int | None:
    """Seconds (ten digits) or milliseconds (thirteen) since 1970 in a name, as microseconds UTC."""
    match = _UNIX.search(name)
    if match is None:
        return None
    return int(match[1]) * SECOND + int(match[2] or 0) * 1000


def clock_in_name(name: str) -> time | None:
    """The first time of day in a name, such as `08-00-00.mp4` or `08.00.00-08.30.00[M].dav`.

    Six digits such as 000012 are the number of a clip or an image, not twelve seconds past midnight.
    """
    for match in _TIME_ALONE.finditer(_without_suffix(name)):
        try:
            clock = _clock(match)
        except ValueError:
            continue
        if match["hour"] and not match["colon"] and clock.hour == clock.minute == 0 and clock.second:
            continue
        return clock
    return None


def dates_in_folders(path: Path) -> list[FolderDate]:
    """The dates in the names of the folders above a recording, the nearest first.

    A folder whose name states a time of day too is left out: that may be when the recording was exported.
    `2021/11/24` as three folders is one date.
    """
    parts = list(path.absolute().parent.parts)[-MAX_FOLDERS_UP - 2 :]
    found = []
    for up, index in enumerate(reversed(range(len(parts))), start=1):
        if up > MAX_FOLDERS_UP:
            break
        day = _date_alone(parts[index])
        folder = parts[index]
        if day is None and index >= 2:
            folder = "/".join(parts[index - 2 : index + 1])
            match = _SPLIT_DATE.fullmatch(folder)
            day = _day(int(match[1]), int(match[2]), int(match[3])) if match else None
        if day is not None:
            found.append(FolderDate(day, folder, up))
    return found


def _without_suffix(name: str) -> str:
    """A name without a suffix that could be read as the fraction of a second: `08-00-00.264`."""
    return re.sub(r"\.(264|265|3gp|3g2)$", "", name, flags=re.IGNORECASE)


def _date_alone(name: str) -> date | None:
    if any(stamp.search(name) for stamp in _STAMPS):
        return None
    for form in _DATES:
        for match in form.finditer(name):
            for year, month, day in _readings(match.groupdict(), month_first=False):
                if (found := _day(year, month, day)) is not None:
                    return found
    return None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if EARLIEST_YEAR <= year <= LATEST_YEAR else None
    except ValueError:
        return None


def _times_of(stamp: re.Pattern[str], name: str, tz: tzinfo) -> Iterator[tuple[int, NameTime]]:
    """The first time of a form in a name, with its place; nothing if there is none."""
    return itertools.islice(_all_times_of(stamp, name, tz), 1)


def _all_times_of(stamp: re.Pattern[str], name: str, tz: tzinfo) -> Iterator[tuple[int, NameTime]]:
    for match in stamp.finditer(name):
        half = bool(match["half"])
        readings = [
            day
            for year, month, number in _readings(match.groupdict(), month_first=half)
            if (day := _day(year, month, number)) is not None
        ]
        try:
            clock = _clock(match)
        except ValueError:
            continue
        if readings:
            moment = datetime.combine(readings[0], clock).replace(tzinfo=_offset(match) or tz)
            unsure = len(set(readings)) > 1 and not half
            yield match.start(), NameTime(to_microseconds(moment), unsure)


def _readings(part: dict[str, str | None], *, month_first: bool) -> list[tuple[int, int, int]]:
    """Year, month and day as a match may be read, the likeliest first."""
    year = int(part["year"] or 0)
    if part.get("month") is not None:
        return [(year, int(part["month"] or 0), int(part["day"] or 0))]
    first, second = int(part["first"] or 0), int(part["second_part"] or 0)
    ways = [(year, second, first), (year, first, second)]
    return ways[::-1] if month_first else ways


def _clock(match: re.Match[str]) -> time:
    """The time of day of a match.

    Raises:
        ValueError: there is no such time.
    """
    part = match.groupdict()
    hour = int(part["hour"] or part["hour_h"] or part["hour_12"])
    minute = int(part["minute"] or part["minute_h"] or part["minute_12"])
    second = int(part["second"] or part["second_h"] or part["second_12"] or 0)
    if part["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"expected an hour from 1 to 12, got {hour}")
        hour = hour % 12 + (12 if "p" in part["half"].lower() else 0)
    fraction = (part["fraction"] or part["milli"] or "").ljust(6, "0")
    return time(hour, minute, second, int(fraction))


def _offset(match: re.Match[str]) -> tzinfo | None:
    text = match["offset"] or ""
    if text.startswith("-") and ":" not in text and match["between"] not in ("T", "t", " - "):
        return None
    text = text.strip().upper()
    for word in ("GMT", "UTC", "Z"):
        if text == word:
            return UTC
        text = text.removeprefix(word)
    digits = re.fullmatch(r"([+-])(\d{1,2}):?(\d{2})?", text)
    if digits is None or int(digits[2]) > 14:
        return None
    east = timedelta(hours=int(digits[2]), minutes=int(digits[3] or 0))
    return timezone(east if digits[1] == "+" else -east)
