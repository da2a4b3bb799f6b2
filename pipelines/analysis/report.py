"""The report of an analysis: what it did, how much was watched, and the incidents of that time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from incidents.coverage import NO_RECORD, WATCHED, Interval, State, fill
from incidents.json_model import Payload, UtcTime
from incidents.ledger import Ledger
from incidents.local_time import utc_datetime
from incidents.payloads import CoveragePayload, IncidentPayload
from incidents.record import Incident
from incidents.watched.summary import CameraWatch, WatchPayload, watch_of
from pipelines.analysis.request import AnalyzeResult, CameraResult
from pipelines.analysis.scenes import OpenedSource
from pipelines.home import Home
from pipelines.open_incidents import footage_ends
from pipelines.watched.watches import find_watches
from vision.frames import SECOND
from vision.sources.start_time import StartOrigin


class CameraReportPayload(Payload):
    """What an analysis did for one camera, and what the ledger holds of that time."""

    camera: str
    sources: int = Field(description="Sources whose footage is analysed, in this run or before.")
    already_analysed: int = Field(description="Sources that an earlier run had analysed.")
    frames: int = Field(description="Frames analysed in this run.")
    added: int = Field(description="Incidents that this run added to the ledger.")
    updated: int = Field(description="Incidents that this run changed in the ledger.")
    exposures: int = Field(description="Entries of the exposure log.")
    notices: list[str] = Field(description="Sentences about what was not evaluated, and why.")
    start: UtcTime | None = Field(description="Of the footage; null = no footage was usable.")
    end: UtcTime | None
    analysed_share: float | None = Field(description="Share of the footage that was watched, 0..1.")
    coverage: list[CoveragePayload] = Field(description="Intervals that fill the time of the footage.")
    watched: WatchPayload = Field(description="What was watched, and what could have been judged.")
    incidents: list[IncidentPayload]


class SourcePayload(Payload):
    """From when to when a source of footage was taken, and why."""

    camera: str
    path: str
    start: UtcTime
    end: UtcTime | None = Field(description="As the source states it; null = it states none.")
    time_from: StartOrigin = Field(description="The source of time that was trusted.")
    disagreements: list[str] = Field(description="Other sources of time that say something else.")


class AnalysisPayload(Payload):
    """The report of one run as `analyze --json` prints it."""

    run: str
    home: str
    sources: list[SourcePayload] = Field(description="All footage that could be opened.")
    cameras: list[CameraReportPayload]
    warnings: list[str] = Field(description="What should be checked; the results stand.")
    faults: list[str] = Field(description="What went wrong.")
    roles: str = Field(description="Where roles come from.")
    continued: list[str] = Field(description="Cameras whose earlier, unfinished analysis was continued.")


@dataclass(frozen=True)
class CameraReport:
    """What an analysis did for one camera, and what the ledger holds of that time.

    Attributes:
        result: what the analysis returned for the camera.
        coverage: intervals that fill the time of the footage; empty when no footage was usable.
        incidents: all incidents of the camera in that time, by start, from this run or an earlier one.
        watch: what was watched in that time, and what could have been judged, by this run or an earlier one.
    """

    result: CameraResult
    coverage: tuple[Interval, ...]
    incidents: tuple[Incident, ...]
    watch: CameraWatch

    @property
    def seconds_by_state(self) -> dict[State, float]:
        """Seconds of footage in each coverage state; time of which nothing is recorded is no footage."""
        if self.result.window is None:
            return {}
        seconds = dict.fromkeys(State, 0.0)
        for item in self.coverage:
            if item.cause != NO_RECORD:
                seconds[item.state] += item.length / SECOND
        return seconds

    @property
    def analysed_share(self) -> float | None:
        """Share of the footage in which the camera was watched, 0..1; None when no footage was usable."""
        seconds = self.seconds_by_state
        if not seconds:
            return None
        whole = sum(seconds.values())
        return sum(seconds[state] for state in WATCHED) / whole if whole else 0.0

    def to_payload(self) -> CameraReportPayload:
        """The report as JSON shows it."""
        result, recording = self.result, self.result.recording
        start, end = result.window or (None, None)
        return CameraReportPayload(
            camera=result.camera.id,
            sources=result.sources,
            already_analysed=result.already,
            frames=result.frames,
            added=recording.changes["added"],
            updated=recording.changes["updated"],
            exposures=recording.exposures,
            notices=list(self.watch.notices),
            start=None if start is None else utc_datetime(start),
            end=None if end is None else utc_datetime(end),
            analysed_share=self.analysed_share,
            coverage=[CoveragePayload.of(interval) for interval in self.coverage],
            watched=self.watch.to_payload(),
            incidents=[IncidentPayload.of(incident) for incident in self.incidents],
        )


@dataclass(frozen=True)
class AnalysisReport:
    """The report of one run.

    Attributes:
        run: id of the run.
        home: the home folder.
        cameras: one report for each camera with footage.
        warnings: sentences about what should be checked; the results stand.
        faults: sentences about what went wrong.
        role_source: a sentence about where roles come from.
        sources: the footage that was opened.
        footage_ends: id of an incident that is not closed -> end of the footage after it, microseconds UTC.
        continued: sentences about cameras whose earlier, unfinished analysis was continued.
    """

    run: str
    home: Path
    cameras: tuple[CameraReport, ...]
    warnings: tuple[str, ...]
    faults: tuple[str, ...]
    role_source: str
    sources: tuple[OpenedSource, ...] = ()
    footage_ends: Mapping[str, int] = field(default_factory=dict)
    continued: tuple[str, ...] = ()

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """Incidents of all cameras, by start and id."""
        found = [incident for camera in self.cameras for incident in camera.incidents]
        return tuple(sorted(found, key=lambda incident: (incident.start, incident.id)))

    @property
    def any_footage(self) -> bool:
        """Whether the footage of at least one camera was usable."""
        return any(camera.result.window is not None for camera in self.cameras)

    def to_payload(self) -> AnalysisPayload:
        """The report as JSON shows it."""
        return AnalysisPayload(
            run=self.run,
            home=str(self.home),
            sources=[_source_payload(item) for item in self.sources],
            cameras=[camera.to_payload() for camera in self.cameras],
            warnings=list(self.warnings),
            faults=list(self.faults),
            roles=self.role_source,
            continued=list(self.continued),
        )


def report_analysis(ledger: Ledger, home: Home, result: AnalyzeResult, role_source: str) -> AnalysisReport:
    """Collect what the ledger holds of the footage of an analysis.

    Args:
        ledger: of the home.
        home: where the results are.
        result: what `analyze` returned.
        role_source: where roles come from (`pipelines.teaching.role_model.describe_role_source`).
    """
    version = ledger.runs.get(result.run).facility_version
    cameras = tuple(_report_camera(ledger, item, version) for item in result.cameras)
    return AnalysisReport(
        run=result.run,
        home=home.path,
        cameras=cameras,
        warnings=tuple(result.warnings),
        faults=tuple(str(fault) for fault in result.faults),
        role_source=role_source,
        sources=tuple(result.sources),
        footage_ends=footage_ends(ledger, [one for item in cameras for one in item.incidents]),
        continued=tuple(result.continued),
    )


def _source_payload(item: OpenedSource) -> SourcePayload:
    info = item.source.info
    length = info.duration_us
    return SourcePayload(
        camera=item.source.camera,
        path=str(info.path),
        start=utc_datetime(info.start_us),
        end=None if length is None else utc_datetime(info.start_us + length),
        time_from=info.start_origin,
        disagreements=list(info.start_notes),
    )


def _report_camera(ledger: Ledger, result: CameraResult, version: str) -> CameraReport:
    camera = result.camera.id
    if result.window is None:
        return CameraReport(result, (), (), watch_of(camera, (), (), (None, None)))
    start, end = result.window
    [watch] = find_watches(ledger, [camera], result.window, result.judged_under or version)
    return CameraReport(
        result,
        fill(ledger.coverage.of(camera, start, end), camera, result.window),
        tuple(ledger.incidents.find(since=start, until=end, cameras=[camera])),
        watch,
    )
