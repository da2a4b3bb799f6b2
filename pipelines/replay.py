"""Replay: evaluate the rules of a facility file on the observation log, without reading any footage.

The rules are those of batch and live analysis (`incidents.evaluate_log`), so the same log and facility give
the same incidents. Nothing is written.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field

from incidents.evaluate_log import FoundIncidents, MarkedHours, Provenance, evaluate_log
from incidents.json_model import Payload, UtcTime
from incidents.ledger import Ledger
from incidents.local_time import utc_datetime
from incidents.payloads import IncidentPayload
from incidents.record import Incident
from incidents.watched.hour import HourCounts
from incidents.watched.summary import CameraWatch
from pipelines.home import Home
from pipelines.watched.deleted_observations import not_evaluated_sentences
from pipelines.watched.hours import count_missing
from pipelines.watched.watches import find_watches
from vision import observations
from vision.frames import to_iso
from vision.parallel import map_processes
from zones.errors import LazarettoError
from zones.facility import Facility

CAMERA_MEMORY_BYTES = 1_000_000_000
"""The most memory that the evaluation of one camera holds: an hour of its log, and the interpreter."""
MIN_HOURS_FOR_PROCESS = 6
"""Hours of log that the second longest camera must have before cameras get processes of their own.

Starting a process takes about a second. Project default (docs/defaults.md).
"""

Window = tuple[int | None, int | None]
"""[start, end), microseconds UTC; None = no bound."""


class NothingToReplay(LazarettoError):
    """The log holds no observation of the cameras in the time asked for."""


class ReplayFacilityPayload(Payload):
    """The facility file that was replayed."""

    code: str
    version: str = Field(description="SHA-256 of the facility file.")


class ReplayCameraPayload(Payload):
    """What was replayed of one camera."""

    camera: str
    start: UtcTime
    end: UtcTime
    observations: int = Field(description="Rows evaluated, one for each person and analysed frame.")
    ignored_s: float = Field(description="Person-seconds where the camera ignores people.")
    static_s: float = Field(description="Person-seconds of tracks that never moved; they raise nothing.")
    reflection_s: float = Field(description="Person-seconds of suspected reflections; they raise nothing.")
    notices: list[str] = Field(description="Sentences about what was not evaluated, and why.")


class ReplayPayload(Payload):
    """A replay as `replay --json` prints it."""

    facility: ReplayFacilityPayload
    seconds: float = Field(description="Time that the replay took.")
    camera_hours: int = Field(
        description="Clock hours with observations, a begun one counted whole, over all cameras."
    )
    cameras: list[ReplayCameraPayload]
    notices: list[str] = Field(description="Sentences that concern no single camera.")
    incidents: list[IncidentPayload]


@dataclass(frozen=True)
class CameraReplay:
    """What the rules find in the log of one camera.

    Attributes:
        camera: id of the camera.
        window: the time evaluated, [start, end), microseconds UTC.
        hours: clock hours of that time for which the log has observations; a begun one counts whole.
        observations: number of observations evaluated (one person in one analysed frame).
        incidents: records, by start; `run` is empty.
        notices: sentences about what was not evaluated, and why.
        deleted: those of the notices that tell of deleted observations.
        counts: of the hours that were never counted under the facility file: what could have been judged.
        kept: the counts that the ledger has of the others.
    """

    camera: str
    window: tuple[int, int]
    hours: int
    observations: int
    incidents: tuple[Incident, ...]
    notices: tuple[str, ...]
    counts: tuple[HourCounts, ...]
    kept: tuple[HourCounts, ...] = ()
    deleted: tuple[str, ...] = ()

    def total(self, name: str) -> float:
        """The sum of a field of the clock hours of that time, such as `ignored_s`."""
        return round(sum(float(getattr(item, name)) for item in (*self.kept, *self.counts)), 3)


@dataclass(frozen=True)
class Replay:
    """What the rules of a facility file find in a log.

    Attributes:
        facility: the facility file.
        cameras: the cameras evaluated, in the order of the file.
        notices: sentences that concern no single camera.
        seconds: how long the replay took.
    """

    facility: Facility
    cameras: tuple[CameraReplay, ...]
    notices: tuple[str, ...]
    seconds: float

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """Incidents of all cameras, by start and id."""
        found = [incident for camera in self.cameras for incident in camera.incidents]
        return tuple(sorted(found, key=lambda incident: (incident.start, incident.id)))

    @property
    def window(self) -> tuple[int, int]:
        """The time evaluated over all cameras, [start, end), microseconds UTC."""
        return min(c.window[0] for c in self.cameras), max(c.window[1] for c in self.cameras)

    @property
    def footage_ends(self) -> dict[str, int]:
        """Id of each incident that is not closed -> end of the time evaluated, microseconds UTC."""
        return {one.id: item.window[1] for item in self.cameras for one in item.incidents if one.ongoing}

    @property
    def hours(self) -> int:
        """Clock hours for which the log has observations, over all cameras; a begun one counts whole."""
        return sum(camera.hours for camera in self.cameras)

    @property
    def observations(self) -> int:
        """Number of observations evaluated."""
        return sum(camera.observations for camera in self.cameras)

    def watches(self, ledger: Ledger) -> list[CameraWatch]:
        """What each camera watched in that time, and what could have been raised under the facility file."""
        cameras = [item.camera for item in self.cameras]
        counts = [hour for item in self.cameras for hour in item.counts]
        return find_watches(ledger, cameras, self.window, self.facility.version, counts, replayed=True)

    @property
    def all_notices(self) -> tuple[str, ...]:
        """Notices of the facility, then those of its cameras."""
        return (*self.notices, *(notice for camera in self.cameras for notice in camera.notices))

    def to_payload(self) -> ReplayPayload:
        """The replay as JSON shows it."""
        return ReplayPayload(
            facility=ReplayFacilityPayload(code=self.facility.code, version=self.facility.version),
            seconds=round(self.seconds, 3),
            camera_hours=self.hours,
            cameras=[
                ReplayCameraPayload(
                    camera=item.camera,
                    start=utc_datetime(item.window[0]),
                    end=utc_datetime(item.window[1]),
                    observations=item.observations,
                    ignored_s=item.total("ignored_s"),
                    static_s=item.total("static_s"),
                    reflection_s=item.total("reflection_s"),
                    notices=list(item.notices),
                )
                for item in self.cameras
            ],
            notices=list(self.notices),
            incidents=[IncidentPayload.of(incident) for incident in self.incidents],
        )


@dataclass(frozen=True)
class RecordedShare:
    """How much of a replay the ledger holds already.

    Attributes:
        recorded: incidents in the ledger, of the cameras and the time replayed.
        shared: how many of them the replay gives too.
    """

    recorded: int
    shared: int


def replay(
    home: Home,
    ledger: Ledger,
    facility: Facility,
    cameras: Sequence[str] | None = None,
    window: Window = (None, None),
) -> Replay:
    """Evaluate the rules of a facility file on the observation log.

    Args:
        home: its observation log is read.
        ledger: its models and coverage go into the records.
        facility: zones, rules, thresholds.
        cameras: ids; None = all cameras of the facility.
        window: the time to evaluate; None = as far as the log and the recorded coverage reach.

    Raises:
        NothingToReplay: nothing was recorded of those cameras in that time.
        LazarettoError: a camera is unknown, the window is empty, or the log cannot be read.
    """
    begun = time.perf_counter()
    low, high = window
    if low is not None and high is not None and low >= high:
        raise LazarettoError(f"expected a start before {to_iso(high)}, got {to_iso(low)}")
    wanted = [facility.camera(name).id for name in cameras] if cameras is not None else None
    logged = observations.cameras(home.path)
    jobs: list[_Job] = []
    for camera in facility.cameras:
        if wanted is not None and camera.id not in wanted:
            continue
        reach = _reach(home, ledger, camera.id, camera.id in logged)
        if reach is None:
            continue
        start, end = max(reach[0], low or reach[0]), min(reach[1], high or reach[1])
        if start < end:
            jobs.append(_Job(home.path, ledger.path, facility, camera.id, (start, end)))
    if not jobs:
        held = ", ".join(logged) or "none"
        raise NothingToReplay(
            f"{home.path}: expected footage of the facility's cameras in that time, got none "
            f"(the log holds cameras: {held})"
        )
    notices = [
        f"camera {name}: not in the facility file, its observations are not evaluated"
        for name in logged
        if name not in {camera.id for camera in facility.cameras} and wanted is None
    ]
    return Replay(facility, _run(jobs), tuple(notices), time.perf_counter() - begun)


def _reach(home: Home, ledger: Ledger, camera: str, logged: bool) -> tuple[int, int] | None:
    """From when to when anything is known of a camera: an empty view is known too."""
    known = [observations.span(home.path, camera)] if logged else []
    spans = [span for span in known if span is not None]
    recorded = ledger.coverage.recorded(camera, *observations.ALL_TIME)
    spans += [(item.start, item.end) for item in recorded]
    return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None


def count_recorded(ledger: Ledger, found: Replay) -> RecordedShare:
    """Count the incidents of a replay that are in the ledger."""
    start, end = found.window
    cameras = [item.camera for item in found.cameras]
    recorded = {incident.id for incident in ledger.incidents.find(since=start, until=end, cameras=cameras)}
    return RecordedShare(len(recorded), sum(incident.id in recorded for incident in found.incidents))


def reviewed(ledger: Ledger, found: Replay) -> tuple[Incident, ...]:
    """The incidents of a replay; those that are in the ledger have the status and verdict that it holds."""
    start, end = found.window
    cameras = [item.camera for item in found.cameras]
    held = {one.id: one for one in ledger.incidents.find(since=start, until=end, cameras=cameras)}
    return tuple(
        replace(
            one,
            status=known.status,
            reviewer=known.reviewer,
            decision=known.decision,
            reason=known.reason,
            decided_at=known.decided_at,
            second_look=known.second_look,
        )
        if (known := held.get(one.id)) is not None
        else one
        for one in found.incidents
    )


@dataclass(frozen=True)
class _Job:
    """The replay of one camera; can be pickled for a process of its own."""

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
    if len(jobs) < 2 or sorted(job.hours() for job in jobs)[-2] < MIN_HOURS_FOR_PROCESS:
        return tuple(map(_replay_camera, jobs))
    return tuple(map_processes(_replay_camera, jobs, CAMERA_MEMORY_BYTES))


def _replay_camera(job: _Job) -> CameraReplay:
    found, marked, count = FoundIncidents(), MarkedHours(), 0
    notices: tuple[str, ...] = ()
    camera = job.facility.camera(job.camera)
    with Ledger.open(job.ledger, create=False) as ledger:
        for result in evaluate_log(job.home, ledger, job.facility, camera, job.window):
            found.add(result)
            marked.add(result)
            count += result.rows
            notices = result.notices
        provenance = Provenance(ledger, job.facility, camera)
        incidents = [
            provenance.record(finding, ongoing=finding.id in found.ongoing)
            for finding in found.findings.values()
            if finding.end >= job.window[0]
        ]
        home, version = Home(job.home), job.facility.version
        counts = count_missing(
            home, ledger, job.facility, [job.camera], job.window, version=version, marked=marked.by_hour
        )
        kept = tuple(ledger.hours.find(*job.window, [job.camera], version))
        segments = ledger.segments.within(job.camera, *job.window)
        deleted = not_evaluated_sentences(job.home, job.camera, segments)
    incidents.sort(key=lambda incident: (incident.start, incident.id))
    return CameraReplay(
        job.camera,
        job.window,
        job.hours(),
        count,
        tuple(incidents),
        (*notices, *deleted),
        counts,
        kept,
        deleted,
    )
