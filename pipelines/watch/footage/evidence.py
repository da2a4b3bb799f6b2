"""Seals evidence of incidents while cameras are watched.

An incident that was alerted gets a first clip as soon as the footage reaches the end of its window, and the
clip of the whole incident when that is known. What is due follows from the ledger and the sealed files, so a
restart loses nothing and repeats nothing. Whatever prevents a clip is said and tried again; it delays no
other camera.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from incidents.evidence import Evidence, EvidenceError, clean_leftovers
from incidents.ledger import Ledger
from incidents.record import Incident
from pipelines.home import Home
from pipelines.incident_evidence import evidence_of, seal
from pipelines.watch.footage.due import Due, Window, due_of
from pipelines.watch.footage.windows import clean_windows, joined_sources, reach_of
from vision import observations
from vision.clock import Clock, Stop
from vision.frames import SECOND, to_iso
from vision.live.ring.writer import RingSettings, Room, room_on
from vision.notices import Level, Notice
from vision.parallel import started_pool
from zones.errors import LazarettoError
from zones.facility import Facility, parse_facility

POLL_S = 0.25
"""Seconds between two looks at the ledger and the footage. Project default (docs/defaults.md)."""
PATIENCE_US = 5 * SECOND
"""How long after the end of its window a clip waits for footage that is late; then it is cut from what there
is. Project default (docs/defaults.md)."""
LOOK_BACK_US = 3 * 86_400 * SECOND
"""How far back the history of the ledger is read at the start for evidence that is still due. Project default
(docs/defaults.md)."""
WORKERS = 2
"""Clips that are cut at once; those of one camera are cut one after the other. Project default
(docs/defaults.md)."""
FIRST_RETRY_US, LONGEST_RETRY_US = 5 * SECOND, 60 * SECOND
"""Time after which evidence that could not be written is tried again, doubled each time up to the longest.
Project default (docs/defaults.md)."""
LIVE_US = 600 * SECOND
"""Of incidents that are older, missing footage is no fault: they are of an archive, whose analysis seals what
there is. Project default (docs/defaults.md)."""
SHARE_OF_RESERVE = 0.5
"""Share of the reserve of the ring below which no clip is written: the ring stops first, then the clips, and
last the ledger. Project default (docs/defaults.md)."""
ENTRIES_AT_ONCE = 1000


@dataclass(slots=True)
class _Followed:
    """An incident whose evidence is not complete."""

    incident: Incident
    facility: Facility
    due: Due
    retry_at: int = 0
    wait_us: int = FIRST_RETRY_US
    fault: str = ""
    # Windows of which there is no footage at all.
    missed: set[Window] = field(default_factory=set)


class LiveEvidence:
    """Follows the ledger and seals evidence; `run` and `step` belong to one thread.

    Attributes:
        faults: what could not be written, by incident: a sentence each, until it is written.
        waiting: number of incidents whose evidence is not complete.
    """

    def __init__(
        self,
        home: Home,
        ring: Path,
        clock: Clock,
        report: Notice,
        settings: RingSettings | None = None,
        room: Callable[[Path], Room] = room_on,
    ) -> None:
        """Prepare; nothing is opened or begun yet.

        Args:
            home: the home.
            ring: folder of the footage ring.
            clock: the time of day.
            report: called with a sentence for each new fault.
            settings: of the ring, for its reserve.
            room: returns the room on the disk of a folder.
        """
        self._home, self._ring, self._clock, self._report = home, ring, clock, report
        self._settings, self._room = settings or RingSettings(), room
        self._news: dict[str, None] = {}
        self._followed: dict[str, _Followed] = {}
        self._running: dict[str, tuple[str, Future[Evidence | EvidenceError]]] = {}
        self._facilities: dict[str, Facility] = {}
        self._cursor: int | None = None
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="evidence")
        self.faults: dict[str, str] = {}
        self.waiting = 0

    def run(self, stop: Stop) -> None:
        """Work until `stop` is set, then seal what is being cut.

        A ledger that cannot be read is a fault that passes.
        """
        self._clean()
        said = ""
        self._pool = started_pool(WORKERS, "evidence")
        with self._pool:
            while not stop.is_set():
                try:
                    with Ledger.open(self._home.ledger, create=False) as ledger:
                        while not self._clock.wait(POLL_S, stop):
                            self.step(ledger)
                            said = ""
                        self.settle(ledger)
                except LazarettoError as error:
                    if str(error) != said:
                        said = str(error)
                        self._report(f"evidence waits for the ledger: {said}")
                    self._clock.wait(FIRST_RETRY_US / SECOND, stop)

    def step(self, ledger: Ledger) -> None:
        """Look once: read what is new in the ledger, seal what is cut, and begin what is due.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        self._read_news(ledger)
        for name in list(self._news):
            self._follow(ledger, name)
            del self._news[name]
        for camera in [name for name, (_, future) in self._running.items() if future.done()]:
            self._finish(ledger, camera)
        for one in list(self._followed.values()):
            self._begin(one)
        self.waiting = len(self._followed)

    def settle(self, ledger: Ledger) -> None:
        """Wait for the clips that are being cut, and seal them.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        for camera in list(self._running):
            self._running[camera][1].exception()
            self._finish(ledger, camera)

    def _clean(self) -> None:
        """Remove what a killed process left; what cannot be removed is said, and does no harm."""
        try:
            clean_windows(self._home.path)
            clean_leftovers(self._home.evidence)
        except (OSError, EvidenceError) as error:
            self._report(f"leftovers of evidence stay: {error}")

    def _read_news(self, ledger: Ledger) -> None:
        """Note the incidents of which the ledger tells anything new."""
        if self._cursor is None:
            self._cursor, _ = ledger.history.last_until(self._clock.now() - LOOK_BACK_US)
        while entries := ledger.history.after(self._cursor, ENTRIES_AT_ONCE):
            self._news |= {entry.incident: None for entry in entries if entry.event != "evidence"}
            self._cursor = entries[-1].id

    def _follow(self, ledger: Ledger, name: str) -> None:
        incident = ledger.incidents.get(name)
        facility = self._facility(ledger, incident.facility_version)
        due = due_of(self._home, incident, facility)
        known = self._followed.get(name)
        if due.done:
            self._forget(name)
        elif known is None:
            self._followed[name] = _Followed(incident, facility, due)
        else:
            known.incident, known.facility, known.due = incident, facility, due

    def _facility(self, ledger: Ledger, version: str) -> Facility:
        if version not in self._facilities:
            text = ledger.facilities.text(version)
            self._facilities[version] = parse_facility(text, f"facility version {version[:12]}")
        return self._facilities[version]

    def _begin(self, one: _Followed) -> None:
        """Begin to cut what is due of an incident, if the footage is there and the camera's turn has come."""
        camera, now = one.incident.camera, self._clock.now()
        if camera in self._running or now < one.retry_at:
            return
        # A whole incident that is over already needs no first clip.
        for window in (one.due.final, one.due.first):
            if window is None or window in one.missed or now < window[1]:
                continue
            reach = reach_of(self._ring, camera, *window)
            late = now >= window[1] + PATIENCE_US
            if not late and (reach is None or reach < window[1]):
                continue
            if reach is None and now >= window[1] + LIVE_US:
                self._forget(one.incident.id)
            elif reach is None:
                one.missed.add(window)
                text = f"no clip of {to_iso(window[0])}: there is no footage of camera {camera}"
                self._fail(one, text, Level.ERROR)
            elif self._has_room(one):
                quick = window != one.due.final
                future = self._pool.submit(self._cut, one.incident, one.facility, window, quick)
                self._running[camera] = one.incident.id, future
            return

    def _has_room(self, one: _Followed) -> bool:
        try:
            room = self._room(self._home.path)
        except OSError as error:
            self._fail(one, f"{self._home.path}: the disk does not answer: {error.strerror or error}")
            return False
        reserve = SHARE_OF_RESERVE * self._settings.reserve(room.total)
        if room.free >= reserve:
            return True
        self._fail(
            one,
            f"{self._home.path}: the disk is full ({room.free / 1e6:.0f} MB free, of which "
            f"{reserve / 1e6:.0f} MB are kept for the record): the clip waits for room",
        )
        return False

    def _cut(
        self, incident: Incident, facility: Facility, window: Window, quick: bool
    ) -> Evidence | EvidenceError:
        """Write the evidence of a window; runs in a thread of the pool, without the ledger."""
        start, end = window
        camera = facility.camera(incident.camera)
        try:
            seen = observations.read(self._home.path, camera.id, start - SECOND, end + SECOND)
            with joined_sources(self._ring, camera.id, start, end, self._home.path) as footage:
                return evidence_of(self._home, facility, camera, seen, footage, incident, window, quick)
        except LazarettoError as error:
            return EvidenceError(str(error))
        except Exception as error:
            # Whatever is wrong with one incident is said, and does not end the evidence of the others.
            return EvidenceError(f"the evidence cannot be made ({type(error).__name__}): {error}")

    def _finish(self, ledger: Ledger, camera: str) -> None:
        """Seal what was cut, or note why it was not."""
        name, future = self._running[camera]
        one, made = self._followed.get(name), future.result()
        if not isinstance(made, EvidenceError):
            # Before it is noted as done: if the ledger is busy, this is called again.
            for fault in seal(self._home, ledger, ledger.incidents.get(name), made):
                self._report(str(fault), Level.ERROR)
            if one is not None:
                one.retry_at, one.wait_us = 0, FIRST_RETRY_US
                self._clear(one)
            self._follow(ledger, name)
        elif one is not None:
            self._fail(one, str(made))
        del self._running[camera]

    def _fail(self, one: _Followed, text: str, level: Level = Level.WARNING) -> None:
        one.retry_at = self._clock.now() + one.wait_us
        one.wait_us = min(2 * one.wait_us, LONGEST_RETRY_US)
        if text != one.fault:
            one.fault = self.faults[one.incident.id] = text
            self._report(f"incident {one.incident.id}: {text}", level)

    def _clear(self, one: _Followed) -> None:
        one.fault = ""
        self.faults.pop(one.incident.id, None)

    def _forget(self, name: str) -> None:
        self._followed.pop(name, None)
        self.faults.pop(name, None)
