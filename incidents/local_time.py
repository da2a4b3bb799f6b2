"""Times as people of a facility read them: ISO 8601 with the facility's offset."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from vision.frames import SECOND


def local_iso(t: int, timezone: str) -> str:
    """Microseconds UTC as ISO 8601 with the offset of `timezone` at that moment, of fixed width.

    Raises:
        ValueError: no such time zone.
    """
    seconds, micro = divmod(t, SECOND)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro)
    return moment.astimezone(zone_of(timezone)).isoformat(timespec="microseconds")


def zone_of(timezone: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: no such time zone.
    """
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"expected a time zone such as Asia/Ho_Chi_Minh, got {timezone!r}") from None
