"""Replay: the rules over the observation log, as often as zones are edited, without touching a pixel.

The rules are those of batch and live (`incidents.evaluate_log`), so the same log and facility give the same
incidents. Nothing is written.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from incidents.evaluate_log import evaluate_log
from incidents.ledger import Ledger
from incidents.record import Incident
from pipelines.home import Home
from vision import observations
from vision.frames import to_iso
from zones.errors import LazarettoError
from zones.facility import Facility

WORKERS = 2
"""Cameras judged at once: each holds a piece of its log in memory."""
WORTH_A_PROCESS = 6
"""Hours of a camera's log from which on a process of its own, a second to start, is worth it [D]."""


class NothingToReplay(LazarettoError):
    """The log holds nothing of the cameras and times asked for."""


@dataclass(frozen=True)
class CameraReplay:
    """What the rules say of one camera.

    Attributes:
        camera: its id.
        window: first to last moment judged, microseconds UTC.
        hours: hours of which the log holds something.
        people: rows judged, one per person and analysed frame.
        incidents: records, by start; `run` is empty.
        notices: sentences about what was not judged, and why.
    """

    camera: str
    window: tuple[int, int]
    hours: int
    people: int
    incidents: tuple[Incident, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Replay:
    """What the rules of a facility file say of a log.

    Attributes:
        facility: the file they were taken from.
        cameras: one by one, in the order of the file.
        notices: what concerns no single camera.
        seconds: that it took.
    """

    facility: Facility
    cameras: tuple[CameraReplay, ...]
    notices: tuple[str, ...]
    seconds: float

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """Of all cameras, by start and id."""
        found = [incident for camera in self.cameras for incident in camera.incidents]
        return tuple(sorted(found, key=lambda incident: (incident.start, incident.id)))

    @property
    def window(self) -> tuple[int, int]:
        """From the first to the last moment judged, microseconds UTC."""
        return min(c.window[0] for c in self.cameras), max(c.window[1] for c in self.cameras)

    @property
    def hours(self) -> int:
        """Camera-hours of which the log holds something."""
        return sum(camera.hours for camera in self.cameras)

    @property
    def people(self) -> int:
        """Rows judged."""
        return sum(camera.people for camera in self.cameras)


def replay(
    home: Home,
    ledger: Ledger,
    facility: Facility,
    cameras: Sequence[str] | None = None,
    window: tuple[int | None, int | None] = (None, None),
) -> Replay:
    """Judge what the log holds by the rules of a facility file.

    Args:
        home: its observation log is read.
        ledger: what it knows of models and coverage goes into the records.
        facility: zones, rules, thresholds.
        cameras: ids; None = all that the facility has.
        window: [start, end), microseconds UTC; None = as far as the log reaches.

    Raises:
        NothingToReplay: the log holds nothing of those cameras and times.
        LazarettoError: an unknown camera, an empty window, a log that cannot be read or judged.
    """
    begun = time.perf_counter()
    low, high = window
    if low is not None and high is not None and low >= high:
        raise LazarettoError(f"expected a time to begin with before {to_iso(high)}, got {to_iso(low)}")
    wanted = [facility.camera(name).id for name in cameras] if cameras is not None else None
    logged = observations.cameras(home.path)
    jobs: list[_Job] = []
    for camera in facility.cameras:
        reach = observations.span(home.path, camera.id) if camera.id in logged else None
        if reach is None or (wanted is not None and camera.id not in wanted):
            continue
        start, end = max(reach[0], low or reach[0]), min(reach[1], high or reach[1])
        if start < end:
            jobs.append(_Job(home.path, ledger.path, facility, camera.id, (start, end)))
    if not jobs:
        held = ", ".join(logged) or "none"
        raise NothingToReplay(
            f"{home.path}: expected observations of the facility's cameras in that time, got none "
            f"(the log holds cameras: {held})"
        )
    notices = [
        f"camera {name}: not in the facility file, its observations are not judged"
        for name in logged
        if name not in {camera.id for camera in facility.cameras} and wanted is None
    ]
    return Replay(facility, _run(jobs), tuple(notices), time.perf_counter() - begun)


@dataclass(frozen=True)
class _Job:
    """One camera, as a process of its own can take it up."""

    home: Path
    ledger: Path
    facility: Facility
    camera: str
    window: tuple[int, int]

    def hours(self) -> int:
        start, end = self.window
        held = observations.stored_hours(self.home, self.camera)
        return sum(hour < end and hour + observations.HOUR > start for hour in held)


def _run(jobs: Sequence[_Job]) -> tuple[CameraReplay, ...]:
    if len(jobs) < 2 or sorted(job.hours() for job in jobs)[-2] < WORTH_A_PROCESS:
        return tuple(map(_judge, jobs))
    with ProcessPoolExecutor(min(WORKERS, len(jobs)), get_context("spawn")) as pool:
        return tuple(pool.map(_judge, jobs))


def _judge(job: _Job) -> CameraReplay:
    incidents: list[Incident] = []
    notices: dict[str, None] = {}
    people = 0
    camera = job.facility.camera(job.camera)
    with Ledger.open(job.ledger, create=False) as ledger:
        for judged in evaluate_log(job.home, ledger, job.facility, camera, job.window):
            incidents += judged.incidents
            notices |= dict.fromkeys(judged.result.notices)
            people += len(judged.chunk.seen)
    incidents.sort(key=lambda incident: (incident.start, incident.id))
    return CameraReplay(job.camera, job.window, job.hours(), people, tuple(incidents), tuple(notices))
