"""Daily windows in local time, evaluated on UTC instants."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Annotated, Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, Field, model_validator

from zones.errors import FaultCode
from zones.validation import Model, describe, refuse

Instants = npt.NDArray[np.int64] | Sequence[int] | int

ALWAYS = "always"
_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_DAY_MIN = 24 * 60
_DAY_S = 86_400
_TIME = r"([01]\d|2[0-3]):[0-5]\d|24:00"


def _check_time(text: str) -> str:
    if re.fullmatch(_TIME, text) is None:
        refuse('a local time "HH:MM" from "00:00" to "24:00"', describe(text), code=FaultCode.MALFORMED)
    return text


LocalTime = Annotated[str, AfterValidator(_check_time), Field(json_schema_extra={"pattern": f"^({_TIME})$"})]


class Window(Model):
    """A daily window [from, to) of local wall-clock time; it crosses midnight when `to` is before `from`."""

    from_: LocalTime = Field(alias="from", title="From", description='First minute inside, local "HH:MM".')
    to: LocalTime = Field(title="To", description='First minute outside, local "HH:MM".')

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        # Equal times could mean never or the whole day; the whole day has its own spelling.
        whole_day = (self.from_, self.to) == ("00:00", "24:00")
        if self.start_minute % _DAY_MIN == self.end_minute % _DAY_MIN and not whole_day:
            expected = 'another time than `from` (a whole day is "00:00" to "24:00")'
            refuse(expected, self.to, "to", code=FaultCode.CONFLICT)
        return self

    @property
    def start_minute(self) -> int:
        """First minute of the local day inside."""
        return _minutes(self.from_)

    @property
    def end_minute(self) -> int:
        """First minute of the local day outside, 0..1440."""
        return _minutes(self.to)

    def contains(self, minute: int) -> bool:
        """Whether a minute of the local day is inside."""
        start, end = self.start_minute, self.end_minute
        return start <= minute < end if start <= end else minute >= start or minute < end


def _minutes(local_time: str) -> int:
    hours, minutes = local_time.split(":")
    return int(hours) * 60 + int(minutes)


def _offset(zone: ZoneInfo, second: int) -> int:
    """The zone's offset from UTC, in seconds, at a second since the epoch."""
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=second)
    local = moment.astimezone(zone).replace(tzinfo=datetime.UTC)
    return round((local - moment).total_seconds())


def utc_offset(t: Instants, tz: ZoneInfo | str) -> npt.NDArray[np.int64]:
    """The zone's offset from UTC, in microseconds, at each instant `t` (microseconds UTC, any shape).

    Python's time zones do not list when their clocks change. The offsets at successive midnights (UTC) are
    compared, and where two differ, the change between them is found by bisection. This assumes that a zone
    changes its clocks at most once in 24 hours, as all have done so far.
    """
    zone = ZoneInfo(tz) if isinstance(tz, str) else tz
    t = np.asarray(t, dtype=np.int64)
    if t.size == 0:
        return np.zeros(t.shape, dtype=np.int64)
    first, last = (int(value) // (_SECOND * _DAY_S) for value in (t.min(), t.max()))
    changes: list[int] = []
    offsets = [_offset(zone, first * _DAY_S)]
    for day in range(first + 1, last + 2):
        offset = _offset(zone, day * _DAY_S)
        if offset == offsets[-1]:
            continue
        low, high = (day - 1) * _DAY_S, day * _DAY_S
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _offset(zone, middle) == offset else (middle, high)
        changes.append(high)
        offsets.append(offset)
    since = np.searchsorted(np.array(changes, dtype=np.int64) * _SECOND, t, side="right")
    return np.array(offsets, dtype=np.int64)[since] * _SECOND


def is_active(windows: Sequence[Window], t: Instants, tz: ZoneInfo | str) -> npt.NDArray[np.bool_]:
    """Whether any window is open at each instant `t` (microseconds UTC, any shape) on the zone's wall clock.

    When clocks go back, the repeated hour is inside twice; when they go forward, the skipped hour never is.
    """
    t = np.asarray(t, dtype=np.int64)
    local = (t + utc_offset(t, tz)) % (_DAY_S * _SECOND)
    result = np.zeros(t.shape, dtype=np.bool_)
    for window in windows:
        after_start = local >= window.start_minute * _MINUTE
        before_end = local < window.end_minute * _MINUTE
        crosses_midnight = window.end_minute < window.start_minute
        result |= (after_start | before_end) if crosses_midnight else (after_start & before_end)
    return result
