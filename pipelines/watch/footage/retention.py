"""Retention of the footage of live cameras: which files go, and how long the disk lasts.

Without continuous recording, a ring holds the last minutes, out of which evidence is cut. With it, footage is
kept until it reaches an age or all of it a size, or the disk its reserve; the oldest goes first. What
an undecided incident needs whose evidence is not complete is never deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from incidents.ledger import Ledger, Recording
from incidents.record import Status
from pipelines.home import Home
from pipelines.watch.footage.due import Window, needed_window
from pipelines.watch.footage.windows import end_of
from vision.clock import Clock, Stop
from vision.frames import SECOND
from vision.live.ring.files import RingFile, cameras_of, day_of, days_of, files_of_day
from vision.live.ring.writer import RingSettings, Room, room_on
from vision.notices import Notice
from vision.sources.fingerprint import FileMark, fingerprint, size_and_date
from zones.errors import LazarettoError
from zones.facility import Facility, parse_facility

KEEP_S = 900.0
"""Seconds for which footage is kept without continuous recording. Project default (docs/defaults.md)."""
LEAST_KEEP_US = 120 * SECOND
"""Footage younger than this is never deleted: the first clips of alerts are cut from it. Project default
(docs/defaults.md)."""
INTERVAL_S = 10.0
"""Seconds between two looks at the footage. Project default (docs/defaults.md)."""
MAKE_ROOM_BELOW = 2.0
"""Old footage goes when less than this many times the reserve is free, so that new footage can be written.
Project default (docs/defaults.md)."""
RATE_OVER_US = 3600 * SECOND
"""Time over which the rate of writing is measured, microseconds. Project default (docs/defaults.md)."""
LONGEST_WINDOW_US = 3600 * SECOND
"""How far footage that an incident needs may lie before its start or after its end, microseconds."""
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """What footage is kept.

    Attributes:
        continuous: whether footage is recorded continuously; else `keep_s` alone counts.
        keep_s: seconds for which footage is kept without continuous recording.
        max_age_s: seconds for which a recording is kept; None = as long as there is room.
        max_bytes: bytes that all recordings may take; None = as long as there is room.
    """

    continuous: bool = False
    keep_s: float = KEEP_S
    max_age_s: float | None = None
    max_bytes: int | None = None

    @property
    def longest_s(self) -> float | None:
        """Seconds for which footage is kept; None = as long as there is room."""
        return self.max_age_s if self.continuous else self.keep_s


@dataclass(frozen=True, slots=True)
class RetentionState:
    """The footage on the disk.

    Attributes:
        bytes: of all footage.
        oldest: stream time at which it begins, microseconds UTC; None = there is none.
        rate: bytes per second that are written.
        free: bytes of the disk that are free.
        days_left: until the disk is full, at that rate; None = it will not be, because older footage goes.
        deleted: files deleted this time.
        held: files that an incident needs, and that would have been deleted.
    """

    bytes: int
    oldest: int | None
    rate: float
    free: int
    days_left: float | None
    deleted: int
    held: int


class Retention:
    """Deletes old footage, and enters recordings in the index of the ledger; used by one thread.

    Attributes:
        state: as found the last time; None before the first time.
    """

    def __init__(
        self,
        home: Home,
        ring: Path,
        clock: Clock,
        report: Notice,
        settings: RetentionSettings | None = None,
        ring_settings: RingSettings | None = None,
        room: Callable[[Path], Room] = room_on,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            home: the home.
            ring: folder of the footage.
            clock: the time of day.
            report: called with a sentence for each new fault.
            settings: what is kept.
            ring_settings: of the ring, for its reserve.
            room: returns the room on the disk of a folder.
        """
        self._home, self._ring, self._clock, self._report, self._room = home, ring, clock, report, room
        self._settings, self._ring_settings = settings or RetentionSettings(), ring_settings or RingSettings()
        self._sizes: dict[tuple[str, str], int] = {}
        self._facilities: dict[str, Facility] = {}
        self._said = ""
        self.state: RetentionState | None = None

    def run(self, stop: Stop) -> None:
        """Work until `stop` is set. A ledger or disk that does not answer is a fault that passes."""
        while not stop.is_set():
            try:
                with Ledger.open(self._home.ledger, create=False) as ledger:
                    while not self._clock.wait(INTERVAL_S, stop):
                        self.step(ledger)
                        self._say("")
            except LazarettoError as error:
                self._say(f"footage is kept as it is for now: {error}")
            except OSError as error:
                self._say(f"{self._ring}: footage is kept as it is for now: {error.strerror or error}")
            self._clock.wait(INTERVAL_S, stop)

    def step(self, ledger: Ledger) -> RetentionState:
        """Look once: enter what is recorded, delete what may go, and measure.

        Raises:
            LazarettoError: the ledger cannot be read or written.
            OSError: the disk does not answer, or refuses a deletion.
        """
        if self._settings.continuous:
            for camera in cameras_of(self._ring):
                self._index(ledger, camera)
        total = sum(self._day_bytes(camera, day) for camera, day in self._days())
        room = self._room(self._ring) if self._ring.is_dir() else Room(0, 0)
        deleted, held, freed = self._delete(ledger, self._excess(total, room))
        total, free = total - freed, room.free + freed
        rate = self._rate()
        self.state = RetentionState(
            bytes=total,
            oldest=next((file.start for file in self._oldest_first()), None),
            rate=rate,
            free=free,
            days_left=self._days_left(total, Room(free, room.total), rate),
            deleted=deleted,
            held=held,
        )
        return self.state

    def _say(self, text: str) -> None:
        if text and text != self._said:
            self._report(text)
        self._said = text

    def _days(self) -> list[tuple[str, str]]:
        """Camera and day of the folders with footage, oldest day first."""
        found = [(camera, day) for camera in cameras_of(self._ring) for day in days_of(self._ring, camera)]
        return sorted(found, key=lambda item: (item[1], item[0]))

    def _day_bytes(self, camera: str, day: str) -> int:
        """Bytes of a camera's footage of a day. Once the next day is an hour old, it no longer grows."""
        known = self._sizes.get((camera, day))
        if known is not None:
            return known
        size = sum(_size(file.path) for file in files_of_day(self._ring, camera, day))
        if day < day_of(self._clock.now() - RATE_OVER_US):
            self._sizes[camera, day] = size
        return size

    def _oldest_first(self) -> Iterator[RingFile]:
        """All files of all cameras, by start; a day is listed when its turn comes."""
        days = self._days()
        for day in dict.fromkeys(day for _, day in days):
            files = [
                file for camera, of in days if of == day for file in files_of_day(self._ring, camera, day)
            ]
            yield from sorted(files, key=lambda file: (file.start, file.camera))

    def _excess(self, total: int, room: Room) -> int:
        """Bytes that must go, whatever their age."""
        most, wanted = self._settings.max_bytes, MAKE_ROOM_BELOW * self._ring_settings.reserve(room.total)
        over = total - most if self._settings.continuous and most is not None else 0
        return max(0, over, int(wanted) - room.free)

    def _delete(self, ledger: Ledger, excess: int) -> tuple[int, int, int]:
        """Delete the oldest files; returns how many, how many an incident holds, and the bytes freed."""
        now, longest = self._clock.now(), self._settings.longest_s
        limit = None if longest is None else now - round(longest * SECOND)
        deleted = held = freed = 0
        gone: dict[str, list[int]] = {}
        for file in self._oldest_first():
            end = end_of(file) or file.start
            if end > now - LEAST_KEEP_US and file.start <= now:
                # Another camera may have older files than this one.
                if file.start > now - LEAST_KEEP_US:
                    break
                continue
            too_old = limit is not None and end < limit
            if not too_old and freed >= excess:
                if limit is None or file.start > limit:
                    break
                continue
            if self._is_needed(ledger, file, end):
                held += 1
                continue
            size = _size(file.path)
            file.path.unlink(missing_ok=True)
            gone.setdefault(file.camera, []).append(file.start)
            deleted, freed = deleted + 1, freed + size
            day = file.camera, file.path.parent.name
            if day in self._sizes:
                self._sizes[day] -= size
            if day[1] < day_of(now - RATE_OVER_US):
                with contextlib.suppress(OSError):
                    file.path.parent.rmdir()  # It is empty when its last file is gone.
        for camera, starts in gone.items():
            if self._settings.continuous:
                ledger.recordings.forget(stream_key(camera), starts)
        if held and freed < excess:
            self._say(
                f"{self._ring}: no room can be made: {held} files are needed for incidents whose evidence is "
                "not complete"
            )
        return deleted, held, freed

    def _is_needed(self, ledger: Ledger, file: RingFile, end: int) -> bool:
        """Whether an undecided incident needs a file for evidence that is not complete."""
        return any(low <= end and file.start <= high for low, high in self._needed(ledger, file, end))

    def _needed(self, ledger: Ledger, file: RingFile, end: int) -> Iterator[Window]:
        for incident in ledger.incidents.find(
            since=file.start - LONGEST_WINDOW_US,
            until=end + LONGEST_WINDOW_US,
            cameras=[file.camera],
            statuses=[Status.NEW, Status.IN_REVIEW],
        ):
            facility = self._facility(ledger, incident.facility_version)
            window = needed_window(self._home, incident, facility)
            if window is not None:
                yield window

    def _facility(self, ledger: Ledger, version: str) -> Facility:
        if version not in self._facilities:
            text = ledger.facilities.text(version)
            self._facilities[version] = parse_facility(text, f"facility version {version[:12]}")
        return self._facilities[version]

    def _index(self, ledger: Ledger, camera: str) -> None:
        """Enter the files of a camera that are complete: another one was begun, or they stopped growing."""
        key = stream_key(camera)
        last = ledger.recordings.last_of_stream(key)
        for day in days_of(self._ring, camera):
            if last is not None and day < day_of(last.start):
                continue
            files = files_of_day(self._ring, camera, day)
            for file, following in zip(files, [*files[1:], None], strict=True):
                if last is not None and file.start <= last.start:
                    continue
                end = end_of(file)
                if end is None or end <= file.start:
                    continue
                if following is None and end > self._clock.now() - LEAST_KEEP_US:
                    continue
                path = file.path.absolute()
                mark = FileMark(*size_and_date(path), fingerprint(path))
                ledger.recordings.enter(Recording(key, camera, path, file.start, end, None, mark))

    def _rate(self) -> float:
        """Bytes per second that all cameras write together, over the last hour."""
        now = self._clock.now()
        days = {day_of(now - RATE_OVER_US), day_of(now)}
        recent = [
            file
            for camera, day in self._days()
            if day in days
            for file in files_of_day(self._ring, camera, day)
            if file.start >= now - RATE_OVER_US
        ]
        if not recent:
            return 0.0
        lasted = max(1.0, (now - min(file.start for file in recent)) / SECOND)
        return sum(_size(file.path) for file in recent) / lasted

    def _days_left(self, total: int, room: Room, rate: float) -> float | None:
        """Days until the disk is full at a rate; None where older footage goes before."""
        spare = max(0, room.free - self._ring_settings.reserve(room.total))
        longest, most = self._settings.longest_s, self._settings.max_bytes
        if rate <= 0 or (longest is not None and rate * longest <= total + spare):
            return None
        if self._settings.continuous and most is not None and most <= total + spare:
            return None
        return spare / rate / DAY_S


def stream_key(camera: str) -> str:
    """Identity of the recordings of a live camera in the ledger's index."""
    return hashlib.sha256(f"live recording\0{camera}".encode()).hexdigest()


def _size(path: Path) -> int:
    """Bytes of a file; 0 where it is gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
