"""Watching the live cameras of a facility, until it is asked to end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field

from incidents.ledger import Ledger, is_locked
from incidents.rules.events import EventType
from incidents.rules.health import KIND as HEALTH
from incidents.rules.preparing import announce_compilation, prepare
from pipelines.analysis.continuing import models_of, settings_of
from pipelines.facilities.choice import facility_of
from pipelines.locks import HourLock
from pipelines.notifications.configuration import CONFIGURATION
from pipelines.notifications.notifier import Notifier
from pipelines.service_manager import ServiceManager
from pipelines.watch.beginning import go_on_from_home, planned_around
from pipelines.watch.camera_pass import WatchSetup
from pipelines.watch.camera_watch import CameraWatch
from pipelines.watch.checks import uses_of
from pipelines.watch.footage.evidence import LiveEvidence
from pipelines.watch.footage.retention import Retention
from pipelines.watch.request import WatchError, WatchRequest
from pipelines.watch.services import HourCounting, Service, Services
from pipelines.watch.status import WatchStatus, status_of
from pipelines.watch.writing import Found, LedgerWriter
from pipelines.wording import counted
from vision.clock import Clock, Stop
from vision.frames import SECOND
from vision.live.camera import LiveCamera
from vision.live.clocks.steady import SteadyClock
from vision.live.reader import ReaderSettings
from vision.memory import FreedMemory
from vision.networks import ModelBundle
from vision.notices import CameraNotice, Level, about, unheard
from zones.errors import LazarettoError
from zones.facility import Camera, Facility

LOOK_S = 5.0
"""Seconds between two looks for a published facility file and announced maintenance. Project default
(docs/defaults.md)."""
LOCKED_S = 1.0
"""Seconds between two tries to write a ledger that is locked when the watch begins, and at most until it ends
where it is asked to meanwhile. Project default (docs/defaults.md)."""
START_MORE_S = 60.0
"""Seconds more that a service manager is asked to allow for the start while the ledger is locked."""
PLANNED_US = 3600 * SECOND
"""How far around now announced maintenance is looked for, microseconds."""
END_S = 15.0
"""Seconds for which the cameras have to end when the watch is asked to."""


@dataclass
class Watch:
    """A watch of the cameras of a facility.

    Attributes:
        request: what to watch.
        bundle: the networks.
        notice: called with sentences for the log.
        clock: the time of day.
        cameras: the cameras that are watched, by id.
        facility: the file in force.
    """

    request: WatchRequest
    bundle: ModelBundle
    notice: CameraNotice
    clock: Clock = field(default_factory=SteadyClock)
    cameras: dict[str, CameraWatch] = field(default_factory=dict)
    writer: LedgerWriter | None = None

    def __post_init__(self) -> None:
        """Begin with the facility file of the request."""
        self.facility = self.request.facility
        self._locks: ExitStack = ExitStack()
        self._began = time.monotonic()
        self._service_manager = ServiceManager.from_environment()
        self._beside = Services((), self.clock, unheard)
        self._told: set[str] = set()
        self._said: dict[str, str] = {}
        self._missing: dict[str, ReaderSettings] = {}
        self._unwatched: dict[str, str] = {}
        self._reached: dict[str, int | None] = {}
        self._retention: Retention | None = None

    def status(self) -> WatchStatus:
        """The state of the watch now; for any thread, once `run` has begun to watch.

        Raises:
            WatchError: it has not begun yet.
        """
        if self.writer is None:
            raise WatchError("expected a watch that has begun, got one that begins")
        return status_of(
            self.facility.code,
            self.facility.version,
            self.cameras,
            self.writer,
            self.clock,
            self._began,
            [
                *(f"{name}: {fault}" for name, fault in dict(self._beside.faults).items()),
                *(f"camera {name} is not watched: {why}" for name, why in dict(self._unwatched).items()),
            ],
            None if self._retention is None else self._retention.state,
        )

    def run(self, stop: Stop, watching: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        """Watch until `stop` is set.

        Args:
            stop: ends the watch.
            watching: makes what is entered once `status` can be asked, and left when the watch ends.

        Raises:
            InUseError: another process watches, or analyses the same hours.
            LazarettoError: no camera can be watched, or the home cannot be written when the watch begins.
        """
        request, home = self.request, self.request.home
        chosen = request.watched(self.facility)
        readers = {camera.id: request.reader(camera) for camera in chosen}
        home.prepare()
        if not self._wait_for_ledger(stop):
            return
        with Ledger.open(home.ledger) as ledger, self._locks:
            go_on_from_home(home, ledger, [camera.id for camera in chosen], self.clock, self.notice)
            models = models_of(self.bundle)
            locks = self._lock([camera.id for camera in chosen])
            run = ledger.runs.start(self.facility, models, self._settings(readers))
            status = "failed"
            try:
                self._watch(ledger, run, models, readers, locks, stop, watching)
                status = "complete"
            finally:
                ledger.runs.finish(run, status)

    def _wait_for_ledger(self, stop: Stop) -> bool:
        """Wait until the ledger can be written; False if the end is asked for first."""
        text = f"the ledger {self.request.home.ledger} is being written by another process"
        while not stop.is_set() and is_locked(self.request.home.ledger, LOCKED_S):
            self._say_once("ledger", f"{text}; the watch begins when that ends")
            self._service_manager.starting(text, START_MORE_S)
        return not stop.is_set()

    def _watch(
        self,
        ledger: Ledger,
        run: str,
        models: Mapping[str, Mapping[str, str]],
        readers: Mapping[str, ReaderSettings],
        locks: Mapping[str, HourLock],
        stop: Stop,
        watching: Callable[[], AbstractContextManager[object]],
    ) -> None:
        home = self.request.home
        writer = self.writer = LedgerWriter(
            home,
            home.ledger,
            run,
            models,
            self.clock,
            about(self.notice, ""),
            self._tell_incidents,
        )
        writer.start()
        self._counting = HourCounting(
            home, lambda: self.facility, lambda: dict(writer.status.committed), self.clock
        )
        announce_compilation()
        prepare()  # The rules are compiled once on a machine; no frame should wait for that.
        try:
            for name, settings in readers.items():
                self._start(name, settings, locks[name], run)
            with self._services(writer), watching():
                self.notice("", f"watching {', '.join(readers)} of {self.facility.code}", Level.INFO)
                self._service_manager.ready(f"watching {counted(len(readers), 'camera')}")
                freed = FreedMemory()
                while not self.clock.wait(self._interval_s, stop):
                    self._look(ledger, run)
                    freed.give_back_if_due()
                self._service_manager.stopping("writing what was watched")
        finally:
            with self._ending():
                if not writer.end():
                    text = f"the ledger did not take the last results: {writer.status.fault}"
                    self.notice("", text, Level.ERROR)
            self._counting.finish(ledger)

    def _start(self, name: str, settings: ReaderSettings, lock: HourLock, run: str) -> None:
        assert self.writer is not None, "the writer is at work"
        setup = WatchSetup(
            self.request.home,
            self.bundle,
            run,
            self.clock,
            self.writer.put,
            self.notice,
            self.writer.status.committed.get,
            lock,
        )
        source = LiveCamera(settings, self.clock, about(self.notice, name))
        watch = CameraWatch(setup, self.facility, self.facility.camera(name), source, self._reached.get(name))
        self.cameras[name] = watch
        watch.start()

    def _services(self, writer: LedgerWriter) -> Services:
        home, ring, say = self.request.home, self.request.ring_folder, about(self.notice, "")
        evidence = LiveEvidence(home, ring, self.clock, say)
        self._retention = Retention(home, ring, self.clock, say, self.request.retention)
        services = [
            Service("evidence", evidence.run),
            Service("retention", self._retention.run),
            Service("counts of hours", self._counting.run),
        ]
        if (home.path / CONFIGURATION).is_file():
            services.append(Service("notifications", Notifier(home, clock=self.clock).run))
        self._beside = Services(services, self.clock, say)
        return self._beside

    @property
    def _interval_s(self) -> float:
        return min(LOOK_S, self._service_manager.watchdog_s or LOOK_S)

    def _look(self, ledger: Ledger, run: str) -> None:
        """Look for announced maintenance and a published facility file; say whether all is well."""
        self._take_up_maintenance(ledger)
        self._take_up_published(ledger, run)
        status = self.status()
        faults = status.faults
        for fault in faults:
            if fault.split(":")[0] not in self._told:
                self.notice("", fault)
        self._told = {fault.split(":")[0] for fault in faults}
        if not status.standing_still:
            self._service_manager.alive(
                "; ".join([f"watching {counted(len(self.cameras), 'camera')}", *faults])
            )

    def _tell_incidents(self, batch: Sequence[Found]) -> None:
        """Log what was raised and what ended, once it is in the ledger."""
        for found in batch:
            for event in found.events:
                finding = event.finding
                what = " ".join(part for part in (finding.kind.replace("_", " "), finding.subkind) if part)
                where = f" at {finding.zone}" if finding.zone else ""
                if event.type in (EventType.OPENED, EventType.CLOSED, EventType.WITHDRAWN):
                    text = f"{event.type.value}: suspected {what}{where}"
                    if finding.kind == HEALTH:
                        text = f"{event.type.value}: {what} ({finding.cause})"
                    text = f"incident {event.incident[:6]} {text}, {finding.severity}"
                    self.notice(found.camera, text, Level.INFO)

    def _take_up_maintenance(self, ledger: Ledger) -> None:
        now = self.clock.now()
        try:
            for name, watch in self.cameras.items():
                windows = planned_around(ledger, name, now - PLANNED_US, now + PLANNED_US)
                watch.plan(windows)
        except LazarettoError as error:
            self._say_once("maintenance", f"announced maintenance cannot be read: {error}")
        else:
            self._said.pop("maintenance", None)

    def _say_once(self, topic: str, text: str) -> None:
        """Log a sentence, unless it is what was said of the topic last: looks come every few seconds."""
        if self._said.get(topic) != text:
            self._said[topic] = text
            self.notice("", text)

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """End the cameras, then what the block ends."""
        for watch in self.cameras.values():
            watch.ask_to_end()
        for name, watch in self.cameras.items():
            if not watch.join(END_S):
                self.notice(name, f"the camera did not end within {END_S:.0f} s")
        yield

    def _lock(self, names: list[str]) -> Mapping[str, HourLock]:
        return self._locks.enter_context(self.request.home.lock(*uses_of(names, self.clock.now())))

    def _settings(self, readers: Mapping[str, ReaderSettings]) -> dict[str, object]:
        sources = {name: (settings.substream or settings.main).shown for name, settings in readers.items()}
        return {**settings_of(self.bundle), "live": True, "sources": sources}

    def _take_up_published(self, ledger: Ledger, run: str) -> None:
        """Take up a version of the facility file that was published meanwhile, for the cameras it keeps."""
        if not self.request.follows_published:
            return
        try:
            current = ledger.publications.in_force(self.facility.code)
            if current is not None and current.version != self.facility.version:
                facility = facility_of(ledger, current.version)
                wanted = {camera.id: self.request.reader(camera) for camera in self.request.watched(facility)}
                self._change_facility(facility, wanted, run)
        except LazarettoError as error:
            self._say_once("published", f"the published facility file cannot be taken up: {error}")
        else:
            self._said.pop("published", None)
        self._watch_missing(run)

    def _change_facility(self, facility: Facility, wanted: Mapping[str, ReaderSettings], run: str) -> None:
        before, self.facility = self.facility, facility
        text = f"facility file {facility.version[:12]} (published) is in force from now on"
        self.notice("", text, Level.INFO)
        for name in [name for name in self.cameras if name not in wanted]:
            watch = self.cameras[name]
            if self._end_camera(name):
                watch.lock.release()  # An analysis of its footage may have the hours now.
            self.notice(
                name, "the camera is not watched any more: the facility file in force has no source for it"
            )
        for name in [name for name in self._missing if name not in wanted]:
            del self._missing[name]
            self._unwatched.pop(name, None)
        for name, settings in wanted.items():
            known = self.cameras.get(name)
            if known is None:
                self._missing[name] = settings
            elif _read_alike(before.camera(name), facility.camera(name)):
                known.change_facility(facility)
            else:
                self._end_camera(name)
                self._start(name, settings, known.lock, run)

    def _watch_missing(self, run: str) -> None:
        """Begin to watch cameras that were added; one whose hours are in use is tried again."""
        for name, settings in list(self._missing.items()):
            try:
                lock = self._lock([name])[name]
            except LazarettoError as error:
                self._say_once(name, f"camera {name} is not watched yet: {error}")
                self._unwatched[name] = str(error)
                continue
            del self._missing[name]
            self._said.pop(name, None)
            self._unwatched.pop(name, None)
            self._start(name, settings, lock, run)

    def _end_camera(self, name: str) -> bool:
        """End the watch of a camera; returns whether it has ended."""
        watch = self.cameras.pop(name)
        watch.ask_to_end()
        ended = watch.join(END_S)
        self._reached[name] = watch.progress.until
        if not ended:
            self.notice(name, f"the camera did not end within {END_S:.0f} s")
        return ended


def _read_alike(one: Camera, other: Camera) -> bool:
    """Whether two versions of a camera are read and seen in the same way."""
    names = ("source", "substream", "aspect_ratio", "calibration")
    return all(getattr(one, name, None) == getattr(other, name, None) for name in names)
