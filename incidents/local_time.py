"""Microseconds UTC as times in UTC or in the time zone of a facility."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_datetime(t: int) -> datetime:
    """Microseconds UTC as a time in UTC, exact to the microsecond."""
    return _EPOCH + timedelta(microseconds=t)


def local_datetime(t: int, timezone: str) -> datetime:
    """Microseconds UTC as a time in a time zone (IANA name), exact to the microsecond.

    Raises:
        ValueError: no such time zone.
    """
    return utc_datetime(t).astimezone(zone_of(timezone))


def local_iso(t: int, timezone: str) -> str:
    """Microseconds UTC as ISO 8601 of fixed width, with the offset of the time zone at that moment.

    Raises:
        ValueError: no such time zone.
    """
    return local_datetime(t, timezone).isoformat(timespec="microseconds")


def zone_of(timezone: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: no such time zone.
    """
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"expected a time zone such as Asia/Ho_Chi_Minh, got {timezone!r}") from None
