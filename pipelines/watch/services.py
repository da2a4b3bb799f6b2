"""What goes on beside the cameras of a watch, each in a thread with a ledger of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.watched.hours import record_hours
from vision.clock import Clock, Stop
from vision.notices import Fault, Notice, fault_of
from vision.observations import HOUR
from zones.facility import Facility

RESTART_S = 30.0
"""Seconds before a service that failed begins again. Project default (docs/defaults.md)."""
COUNT_S = 30.0
"""Seconds between two looks for clock hours that are over. Project default (docs/defaults.md)."""
END_S = 20.0
"""Seconds for which a service has to end."""


@dataclass(frozen=True)
class Service:
    """Something that goes on until it is asked to end.

    Attributes:
        name: for the log.
        work: does it; what it raises is told, and it is begun again.
    """

    name: str
    work: Callable[[Stop], None]


@dataclass
class Services:
    """Runs services within a `with` block. None of them can end the watch.

    Attributes:
        services: what is run.
        clock: for waits.
        notice: called with sentences for the log.
        faults: why a service is not at work, by its name.
    """

    services: Sequence[Service]
    clock: Clock
    notice: Notice
    faults: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Begin all of them."""
        self._stop = Stop()
        self._threads = [
            threading.Thread(target=self._keep, args=(service,), name=service.name, daemon=True)
            for service in self.services
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all of them."""
        self._stop.set()
        for thread in self._threads:
            thread.join(END_S)

    def _keep(self, service: Service) -> None:
        while not self._stop.is_set():
            # Of its own, because a service may set it when it ends.
            stop = Stop()
            try:
                with self._stop.calling(stop.set):
                    service.work(stop)
            except Exception as error:
                self._failed(service, fault_of(error))
            else:
                self.faults.pop(service.name, None)
                if self.clock.wait(1.0, self._stop):
                    return

    def _failed(self, service: Service, fault: Fault) -> None:
        if self.faults.get(service.name) != fault.short:
            self.notice(f"{service.name}: {fault.text}; begun again in {RESTART_S:.0f} s", fault.level)
        self.faults[service.name] = fault.short
        self.clock.wait(RESTART_S, self._stop)


@dataclass
class HourCounting:
    """Counts each clock hour of each camera when it is over and in the ledger.

    Attributes:
        home: the home.
        facility: returns the file in force.
        committed: returns the stream time up to which the ledger holds each camera, microseconds UTC.
        clock: for waits.
    """

    home: Home
    facility: Callable[[], Facility]
    committed: Callable[[], Mapping[str, int]]
    clock: Clock
    _counted: dict[str, int] = field(default_factory=dict)

    def run(self, stop: Stop) -> None:
        """Count until `stop` is set.

        Raises:
            LazarettoError: the ledger or the log cannot be read or written.
        """
        with Ledger.open(self.home.ledger, create=False) as ledger:
            while not self.clock.wait(COUNT_S, stop):
                self.step(ledger)

    def finish(self, ledger: Ledger) -> None:
        """Count the hours that are not over, too, as far as they were watched.

        Raises:
            LazarettoError: the ledger or the log cannot be read or written.
        """
        self.step(ledger)
        facility = self.facility()
        for name, until in self.committed().items():
            window = until // HOUR * HOUR, until
            # At the turn of the hour nothing of the next one is there yet.
            if window[0] < window[1] and name in {camera.id for camera in facility.cameras}:
                record_hours(self.home, ledger, facility, facility.camera(name), window)

    def step(self, ledger: Ledger) -> None:
        """Count the hours that are over since the last step.

        Raises:
            LazarettoError: the ledger or the log cannot be read or written.
        """
        facility = self.facility()
        known = {camera.id: camera for camera in facility.cameras}
        for name, until in self.committed().items():
            hour = until // HOUR * HOUR
            # The first time, the hour before is counted too: a watch may have ended within it.
            since = self._counted.get(name, hour - HOUR)
            if name in known and since < hour and ledger.coverage.recorded(name, since, hour):
                record_hours(self.home, ledger, facility, known[name], (since, hour))
            self._counted[name] = hour
