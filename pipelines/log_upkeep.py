"""Look after the observation log of a home: summarise it, compact its hours, purge old hours.

Compacting holds one hour of a camera at a time, purging the hours that it removes: so an analysis or a watch
goes on beside them, unless it uses the same hours. The recovery of torn files is in
`pipelines.recover_observations`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incidents.evaluate_log import LOOK_BACK_US
from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.locks import InUseError, Use
from vision import observations
from vision.frames import to_iso
from vision.observations import HOUR, upkeep
from vision.observations.log import camera_folders, hour_folders
from zones.errors import LazarettoError
from zones.validation import check_choices

DAY = 24 * HOUR
"""Microseconds in a day."""
MIN_PURGE_AGE_DAYS = 1
"""Youngest age that may be purged, days: the rules look 24 h back when new footage is evaluated."""
MAX_PURGE_AGE_DAYS = 36_500
"""Oldest age that may be asked for, days: a hundred years, which no log reaches."""
PURGE_AGE_DAYS = 30
"""Age from which hours are purged, days. Project default (docs/defaults.md).

The log shows where a person was in every minute. 30 days are enough to evaluate changed zones again.
"""


@dataclass(frozen=True)
class LogSummary:
    """What the log holds of one camera.

    Attributes:
        camera: id of the camera.
        hours: the hours that it holds, in order of time; at least one.
        hour_tracks: ids of the tracks of each of these hours.
        known_until: stream time up to which live rows were appended, microseconds UTC; None = none ever were.
    """

    camera: str
    hours: tuple[upkeep.HourSummary, ...]
    hour_tracks: tuple[frozenset[int], ...]
    known_until: int | None

    @property
    def start(self) -> int:
        """Start of the first hour, microseconds UTC."""
        return self.hours[0].hour

    @property
    def end(self) -> int:
        """End of the last hour, microseconds UTC."""
        return self.hours[-1].hour + HOUR

    @property
    def files(self) -> int:
        """Number of files."""
        return sum(item.files for item in self.hours)

    @property
    def rows(self) -> int:
        """Number of observations."""
        return sum(item.rows for item in self.hours)

    @property
    def append_logs(self) -> int:
        """Number of these files that are append logs of live rows."""
        return sum(item.append_logs for item in self.hours)

    @property
    def person_seconds(self) -> float:
        """Seconds of persons in view."""
        return sum(item.seconds for item in self.hours)

    @property
    def tracks(self) -> int:
        """Number of tracks: a person who leaves the view and comes back has another one."""
        return len(frozenset().union(*self.hour_tracks))

    @property
    def bytes(self) -> int:
        """Size on the disk."""
        return sum(item.bytes for item in self.hours)

    @property
    def bytes_per_person_second(self) -> float | None:
        """Bytes for one second of one person in view; None when no person was in view."""
        return self.bytes / self.person_seconds if self.person_seconds else None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        density = self.bytes_per_person_second
        return {
            "camera": self.camera,
            "start": to_iso(self.start),
            "end": to_iso(self.end),
            "hour_count": len(self.hours),
            "files": self.files,
            "append_logs": self.append_logs,
            "known_until": None if self.known_until is None else to_iso(self.known_until),
            "rows": self.rows,
            "tracks": self.tracks,
            "person_seconds": round(self.person_seconds, 3),
            "bytes": self.bytes,
            "bytes_per_person_second": None if density is None else round(density, 3),
            "hours": [
                {
                    "hour": to_iso(item.hour),
                    "files": item.files,
                    "old_format_files": item.old_format_files,
                    "append_logs": item.append_logs,
                    "rows": item.rows,
                    "tracks": len(tracks),
                    "seconds": item.seconds,
                    "bytes": item.bytes,
                }
                for item, tracks in zip(self.hours, self.hour_tracks, strict=True)
            ],
        }


@dataclass(frozen=True)
class Compaction:
    """What a compaction did, or would do.

    Attributes:
        parts: files merged.
        hours: hours that they belong to.
        bytes_before, bytes_after: size of the log of the cameras.
        in_use: a sentence for each hour that was left alone because another process uses it.
    """

    parts: int
    hours: int
    bytes_before: int
    bytes_after: int
    in_use: tuple[str, ...] = ()


@dataclass(frozen=True)
class PurgedDay:
    """What a purge removed, or would remove, of one camera and day (UTC)."""

    camera: str
    day: str
    hours: int
    bytes: int


@dataclass(frozen=True)
class Purge:
    """What a purge removed, or would remove.

    Attributes:
        before: hours that ended by this time are removed, microseconds UTC.
        days: by camera and day.
        kept: sentences about older hours that stay, because an analysis that has not ended needs them.
    """

    before: int
    days: tuple[PurgedDay, ...]
    kept: tuple[str, ...] = ()

    @property
    def hours(self) -> int:
        """Number of hours removed."""
        return sum(day.hours for day in self.days)


def choose_cameras(home: Home, wanted: Sequence[str] | None = None) -> list[str]:
    """Return the cameras asked for, or all cameras of the log.

    Raises:
        LazarettoError: there is no log, or it has no such camera.
    """
    known = camera_folders(home.path)
    if not known:
        raise LazarettoError(
            f"expected an observation log in {home.path}, got none: analyse some footage first"
        )
    check_choices("--camera", wanted or [], known)
    return list(wanted or known)


def summarise_log(home: Home, cameras: Sequence[str] | None = None) -> list[LogSummary]:
    """Summarise the log of each camera that has observations.

    Raises:
        TornError: a file of the log is torn.
        LazarettoError: as `choose_cameras`.
    """
    names = choose_cameras(home, cameras)
    found = []
    for name in names:
        hours = tuple(upkeep.hour_summaries(home.path, name))
        tracks = tuple(upkeep.hour_tracks(home.path, name, item.hour) for item in hours)
        if hours:
            found.append(LogSummary(name, hours, tracks, observations.known_until(home.path, name)))
    return found


def compact_log(
    home: Home, cameras: Sequence[str] | None = None, dry_run: bool = False, now: int | None = None
) -> Compaction:
    """Merge the files of each hour into one, without loss. The current hour is left alone.

    So is an hour that another process uses; the result says which.

    Args:
        home: the home.
        cameras: ids; None = all cameras of the log.
        dry_run: only count.
        now: microseconds UTC; None = the clock.

    Raises:
        LazarettoError: as `choose_cameras`; a file is torn or cannot be written.
    """
    names = choose_cameras(home, cameras)
    now = _clock() if now is None else now
    parts = hours = 0
    in_use: list[str] = []
    before = _size(home, names)
    for name in names:
        if not dry_run:
            upkeep.clean_leftovers(home.path, name)
        for hour in observations.stored_hours(home.path, name):
            if hour <= now < hour + HOUR or not (count := upkeep.parts_to_compact(home.path, name, hour)):
                continue
            try:
                if not dry_run:
                    with home.lock(Use(name, "compaction", hour, hour + HOUR)):
                        count = upkeep.compact(home.path, name, hour)
            except InUseError as error:
                in_use.append(f"{to_iso(hour)[:13]}Z: {error}")
                continue
            parts, hours = parts + count, hours + (count > 0)
    return Compaction(parts, hours, before, _size(home, names), tuple(in_use))


def purge_log(
    home: Home,
    older_than_days: int = PURGE_AGE_DAYS,
    cameras: Sequence[str] | None = None,
    dry_run: bool = False,
    now: int | None = None,
) -> Purge:
    """Remove old hours of the log. The ledger, its coverage and the evidence stay as they are.

    Hours that an analysis that has not ended still needs to record its incidents stay, and are said.

    Args:
        home: the home.
        older_than_days: age of an hour by the time of its footage; MIN_PURGE_AGE_DAYS to MAX_PURGE_AGE_DAYS.
        cameras: ids; None = all cameras of the log.
        dry_run: only count.
        now: microseconds UTC; None = the clock.

    Raises:
        InUseError: another process uses some of the hours. Then none is removed.
        LedgerError: the ledger cannot be read.
        LazarettoError: as `choose_cameras`; the age is out of range; a file cannot be removed.
    """
    if not MIN_PURGE_AGE_DAYS <= older_than_days <= MAX_PURGE_AGE_DAYS:
        raise LazarettoError(
            f"expected an age of {MIN_PURGE_AGE_DAYS} to {MAX_PURGE_AGE_DAYS} days to purge, got "
            f"{older_than_days}"
        )
    names = choose_cameras(home, cameras)
    before = (_clock() if now is None else now) - older_than_days * DAY
    purged: list[PurgedDay] = []
    kept: list[str] = []
    old = {
        name: found
        for name in names
        if (found := [pair for pair in hour_folders(home.path, name) if pair[0] + HOUR <= before])
    }
    uses = [Use(name, "purge", found[0][0], found[-1][0] + HOUR, removes=True) for name, found in old.items()]
    with contextlib.nullcontext() if dry_run else home.lock(*uses):
        needed = _needed_hours(home, {name: [hour for hour, _ in found] for name, found in old.items()})
        for name, found in old.items():
            sizes: dict[str, list[int]] = {}
            for hour, folder in found:
                if hour in needed.get(name, ()) or not folder.is_dir():
                    continue  # Where the folder is gone, another purge was faster.
                size = sum(path.stat().st_size for path in folder.iterdir())
                if not dry_run:
                    upkeep.remove_hour(home.path, name, hour)
                sizes.setdefault(to_iso(hour)[:10], []).append(size)
            purged += [PurgedDay(name, day, len(each), sum(each)) for day, each in sizes.items()]
    if not dry_run:
        for name in names:
            upkeep.clean_leftovers(home.path, name)
    for name, hours in needed.items():
        number = "1 clock hour" if len(hours) == 1 else f"{len(hours)} clock hours"
        kept.append(
            f"{name}: {number} from {to_iso(min(hours))[:13]}Z on left as they are: an analysis that has not "
            "ended needs them to record its incidents; the same analyze command continues it"
        )
    return Purge(before, tuple(purged), tuple(kept))


def _needed_hours(home: Home, old: Mapping[str, Sequence[int]]) -> dict[str, frozenset[int]]:
    """By camera, those of its hours that the rules will read when an analysis that has not ended goes on.

    These are the hours of footage of which no run has evaluated the incidents, and those of the day before.
    """
    if not home.ledger.is_file():
        return {}
    needed: dict[str, frozenset[int]] = {}
    with Ledger.open(home.ledger, create=False) as ledger:
        for name, hours in old.items():
            later = hours[-1] + HOUR + LOOK_BACK_US
            segments = ledger.segments.not_evaluated(name, hours[0], later)
            found = frozenset(
                hour
                for hour in hours
                if any(item.start - LOOK_BACK_US < hour + HOUR and item.end > hour for item in segments)
            )
            if found:
                needed[name] = found
    return needed


def _size(home: Home, names: Sequence[str]) -> int:
    return sum(item.bytes for name in names for item in upkeep.hour_summaries(home.path, name))


def _clock() -> int:
    return time.time_ns() // 1000
