"""Announce maintenance of cameras, end it early, and list it, with times as people write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from pydantic import Field

from incidents.json_model import Payload, Time
from incidents.ledger import Ledger, Maintenance
from incidents.local_time import local_datetime
from pipelines.given_times import read_given_time
from pipelines.watched.watches import check_cameras, facility_timezone


class Progress(StrEnum):
    """How far a window of maintenance is."""

    ANNOUNCED = "announced"
    ACTIVE = "active"
    OVER = "over"
    ENDED = "ended early"
    CALLED_OFF = "called off"


@dataclass(frozen=True)
class MaintenanceRequest:
    """What is to be announced.

    Attributes:
        cameras: ids of the cameras; None = all.
        start: as the person wrote it; None = now.
        end: as the person wrote it.
        reason: what is done.
        by: name of the person responsible.
    """

    cameras: Sequence[str] | None
    start: str | None
    end: str
    reason: str
    by: str


@dataclass(frozen=True)
class MaintenanceEntry:
    """A window of maintenance, how far it is, and the time zone to show it in."""

    window: Maintenance
    progress: Progress
    timezone: str

    def to_payload(self) -> MaintenancePayload:
        """Return the entry as JSON shows it."""
        return MaintenancePayload.of(self)


class MaintenancePayload(Payload):
    """A window of announced maintenance, as `maintenance list --json` prints it."""

    id: int
    cameras: list[str] | None = Field(description="Ids of the cameras; null = all.")
    start: Time
    end: Time = Field(description="As it was announced.")
    until: Time = Field(description="Up to when it holds; equal to start where it was called off.")
    progress: Progress
    reason: str
    by: str
    announced: Time
    ended_by: str | None = Field(description="Who ended it early; null = it was not.")

    @classmethod
    def of(cls, entry: MaintenanceEntry) -> Self:
        """The payload of an entry."""
        one, zone = entry.window, entry.timezone
        return cls(
            id=one.id,
            cameras=None if one.cameras is None else list(one.cameras),
            start=local_datetime(one.start, zone),
            end=local_datetime(one.end, zone),
            until=local_datetime(one.until, zone),
            progress=entry.progress,
            reason=one.reason,
            by=one.by,
            announced=local_datetime(one.announced, zone),
            ended_by=one.ended_by,
        )


def announce(ledger: Ledger, request: MaintenanceRequest) -> MaintenanceEntry:
    """Announce maintenance; times without an offset are in the time zone of the facility.

    Raises:
        LazarettoError: a time cannot be read, a camera is unknown, the window begins before now, or is empty
            or too long (`incidents.ledger.maintenance.LONGEST_DAYS`).
    """
    zone = facility_timezone(ledger)
    check_cameras(ledger, request.cameras)
    start = None if request.start is None else read_given_time("--from", request.start, zone)
    end = read_given_time("--until", request.end, zone)
    made = ledger.maintenance.announce(request.cameras, start, end, request.reason, request.by, zone)
    return _entry(ledger, made, zone)


def end_early(ledger: Ledger, number: int, by: str) -> MaintenanceEntry:
    """End a window of maintenance now, or call it off before it begins.

    Raises:
        LazarettoError: there is none of that number, or it is over.
    """
    zone = facility_timezone(ledger)
    return _entry(ledger, ledger.maintenance.end(number, by, zone), zone)


def list_maintenance(ledger: Ledger, since: str | None, until: str | None) -> list[MaintenanceEntry]:
    """The windows that meet a span of time, in order of announcement; None = no bound.

    Raises:
        LazarettoError: a time cannot be read.
    """
    zone = facility_timezone(ledger)
    bounds = {}
    if since is not None:
        bounds["start"] = read_given_time("--since", since, zone)
    if until is not None:
        bounds["end"] = read_given_time("--until", until, zone)
    return [_entry(ledger, one, zone) for one in ledger.maintenance.find(**bounds)]


def _entry(ledger: Ledger, window: Maintenance, timezone: str) -> MaintenanceEntry:
    moment = ledger.clock()
    if window.until == window.start:
        progress = Progress.CALLED_OFF
    elif moment < window.start:
        progress = Progress.ANNOUNCED
    elif moment < window.until:
        progress = Progress.ACTIVE
    else:
        progress = Progress.OVER if window.ended is None else Progress.ENDED
    return MaintenanceEntry(window, progress, timezone)
