"""What was watched and what could have been judged, over cameras and time: read from the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from incidents.ledger import Ledger
from incidents.watched.hour import HourCounts
from incidents.watched.summary import CameraWatch, watch_of
from pipelines.home import Home
from pipelines.watched.deleted_observations import deleted_sentences
from pipelines.watched.uncounted import uncounted
from vision.observations import ALL_TIME, HOUR
from zones.facility import parse_facility
from zones.validation import check_choices

Window = tuple[int | None, int | None]
"""[start, end), microseconds UTC; None = no bound."""


def find_watches(
    ledger: Ledger,
    cameras: Sequence[str] | None = None,
    window: Window = (None, None),
    version: str | None = None,
    more: Sequence[HourCounts] | None = None,
    *,
    replayed: bool = False,
) -> list[CameraWatch]:
    """What was watched of each camera in a time, cameras without any footage included.

    Args:
        ledger: of a home.
        cameras: ids; None = those of the facility file used last, and those of which anything is recorded.
        window: the time.
        version: SHA-256 of the facility file; None = of each hour, the counts kept last.
        more: counts of hours of which the ledger has none; None = such hours were not counted.
        replayed: they stand beside a replay, which evaluates what the ledger has no incidents of.
    """
    names = list(cameras) if cameras is not None else known_in_use(ledger)
    in_use = {entry.id for entry in ledger.facilities.cameras()}
    low, high = window[0] or 0, ALL_TIME[1] if window[1] is None else window[1]
    found = []
    for name in names:
        extra = [item for item in more or () if item.camera == name and low < item.hour + HOUR < high + HOUR]
        by_hour = {item.hour: item for item in [*ledger.hours.find(low, high, [name], version), *extra]}
        hours = [by_hour[hour] for hour in sorted(by_hour)]
        recorded = ledger.coverage.recorded(name, low, high)
        deleted = deleted_sentences(ledger, name, recorded, hours, version)
        left_out = (*uncounted(ledger, name, (low, high), replayed=replayed), *deleted)
        countable = more is None and not hours and not deleted and name in in_use
        found.append(watch_of(name, recorded, hours, window, left_out, countable=countable))
    return found


def check_cameras(ledger: Ledger, cameras: Sequence[str] | None) -> None:
    """Refuse ids of cameras of which the ledger knows nothing; those of earlier facility files are known.

    Raises:
        LazarettoError: with the nearest id.
    """
    if cameras:
        check_choices("--camera", cameras, ledger.facilities.known_cameras())


def known_in_use(ledger: Ledger) -> list[str]:
    """The cameras of the facility file used last, then others of which anything is recorded."""
    present = [entry.id for entry in ledger.facilities.cameras()]
    return list(dict.fromkeys([*present, *ledger.coverage.cameras(), *ledger.unread.cameras()]))


def watches_in_full(
    home: Home, ledger: Ledger, cameras: Sequence[str] | None, window: Window
) -> list[CameraWatch]:
    """The same as `find_watches`, and hours without counts are counted under the facility file used last.

    Nothing is written.

    Raises:
        LazarettoError: a camera is unknown, or the log cannot be read.
    """
    check_cameras(ledger, cameras)
    names = list(cameras) if cameras is not None else known_in_use(ledger)
    version = ledger.facilities.last_used()
    more: tuple[HourCounts, ...] = ()
    if version is not None:
        from pipelines.watched.hours import count_missing  # late: reading a log takes heavier modules

        facility = parse_facility(ledger.facilities.text(version), f"facility version {version[:12]}")
        more = count_missing(home, ledger, facility, names, window)
    return find_watches(ledger, names, window, more=more)


def facility_timezone(ledger: Ledger) -> str:
    """The time zone of the facility file used last; UTC where none was used."""
    version = ledger.facilities.last_used()
    return "UTC" if version is None else parse_facility(ledger.facilities.text(version)).timezone
