"""What is scored: true events and alarms of the same cameras, in time that was analysed.

The true events come from an events file (see `truth`), or from true tracks: the rules that raise incidents
are evaluated on the boxes that a person drew, with the middle of a box's lower edge as the foot point. The
scores then show what detection and tracking cost, whatever the zones and thresholds are. Such tracks hold
neither masks nor roles: kinds that need faces are left out, and roles come from the zone of origin and the
camera's default, for truth and alarms alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from evaluation.formats import Tracks, TruthError
from evaluation.truth import CameraEvents, EventsFile
from incidents.coverage import WATCHED
from incidents.ledger import Ledger
from incidents.rules.events import Finding
from incidents.scoring import Alarm, Event, raised_at
from incidents.whole_log import evaluate_observations
from vision.observations import SCHEMA
from zones.facility import Camera, Facility
from zones.validation import suggest

if TYPE_CHECKING:
    from pipelines.observe_footage import ObservedFootage

KINDS_FROM_TRACKS = ("zone_crossing", "contact", "gathering")
"""Kinds of incidents that depend on people's places alone."""
FOREVER_US = 2**61
"""Later than any time, microseconds."""


@dataclass(frozen=True)
class Span:
    """Time [start, end) of one camera that was analysed and of which the truth is known, microseconds UTC."""

    camera: str
    start: int
    end: int


@dataclass(frozen=True)
class Case:
    """What is scored.

    Attributes:
        events, alarms: of the kinds that are scored.
        spans: do not overlap within a camera.
        unobserved: number of true events left out because nothing was analysed when they began.
        notes: what a reader of the estimates should know.
    """

    events: tuple[Event, ...]
    alarms: tuple[Alarm, ...]
    spans: tuple[Span, ...]
    unobserved: int = 0
    notes: tuple[str, ...] = ()


def events_of(findings: Iterable[Finding], camera: str) -> list[Event]:
    """Findings as true events."""
    return [Event(camera, item.kind, item.start, item.zone) for item in findings]


def alarms_of(findings: Iterable[Finding], camera: str) -> list[Alarm]:
    """Findings as alarms: each is raised when it is opened."""
    return [Alarm(camera, item.kind, item.start, item.opened, item.zone) for item in findings]


def true_observations(tracks: Tracks, observed: ObservedFootage, camera: str) -> pl.DataFrame:
    """True tracks as rows of an observation log, one for each box of the video.

    Raises:
        SourceError: the video has fewer frames than the tracks.
    """
    from pipelines.observe_footage import frame_times  # late: a ledger is scored without the networks

    kept = ~tracks.ignored
    frame, boxes = tracks.frame[kept], tracks.boxes[kept]
    times = frame_times(observed.source, int(frame.max()) + 1 if len(frame) else 0)
    rows = pl.DataFrame(
        {
            "t": times[frame],
            "frame": frame,
            "track": np.unique(tracks.track[kept], return_inverse=True)[1],
            **{name: boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
        }
    ).with_columns(
        camera=pl.lit(camera),
        width=observed.width,
        height=observed.height,
        score=1.0,
        foot_x=(pl.col("x1") + pl.col("x2")) / 2,
        foot_y=pl.col("y2"),
    )
    empty = [pl.lit(None, kind).alias(name) for name, kind in SCHEMA.items() if name not in rows.columns]
    time = pl.col("t").cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    return (
        rows.with_columns(time, *empty)
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .sort("t", "track")
    )


def case_of_tracks(observed: ObservedFootage, tracks: Tracks, facility: Facility, camera: Camera) -> Case:
    """True tracks against those of the pipeline, both evaluated by the same rules.

    Raises:
        SourceError: the video has fewer frames than the tracks.
    """
    true = evaluate_observations(true_observations(tracks, observed, camera.id), facility, camera.id)
    pipeline = evaluate_observations(observed.observations, facility, camera.id)
    true_findings, findings = (
        [item for item in result.findings if item.kind in KINDS_FROM_TRACKS] for result in (true, pipeline)
    )
    return Case(
        tuple(events_of(true_findings, camera.id)),
        tuple(alarms_of(findings, camera.id)),
        (Span(camera.id, observed.start, observed.end),),
        notes=(
            "the true events are what the rules find in the true tracks; masks are not scored",
            *pipeline.notices,
        ),
    )


def case_of_video(observed: ObservedFootage, truth: EventsFile, facility: Facility, camera: Camera) -> Case:
    """The findings of a video against an events file.

    Raises:
        TruthError: the file has no events of the camera.
    """
    noted = events_of_camera(truth, camera.id)
    result = evaluate_observations(observed.observations, facility, camera.id)
    alarms = [item for item in alarms_of(result.findings, camera.id) if item.kind in truth.kinds]
    start = observed.start if noted.start is None else noted.start
    spans = _noted_spans([Span(camera.id, observed.start, observed.end)], noted, start)
    return _case(_noted_events(noted, start), alarms, spans, result.notices)


def events_of_camera(truth: EventsFile, camera: str) -> CameraEvents:
    """The events of a camera in an events file.

    Raises:
        TruthError: the file does not name the camera.
    """
    noted = next((item for item in truth.cameras if item.camera == camera), None)
    if noted is None:
        known = ", ".join(item.camera for item in truth.cameras)
        raise TruthError(f"expected events of camera {camera}, got those of {known}")
    return noted


def check_places(noted: CameraEvents, camera: Camera) -> None:
    """Refuse events at a zone or line that the camera does not have: no alarm could ever find them.

    Raises:
        TruthError: there is one, with the nearest that it has.
    """
    known = [part.id for _, part in camera.parts()]
    for number, event in enumerate(noted.events):
        if event.zone is not None and event.zone not in known:
            hint, names = suggest(event.zone, known), ", ".join(known) or "none"
            raise TruthError(
                f"camera {camera.id}: events[{number}].zone: expected one of {names}, got {event.zone!r}"
                f"{f'; {hint}' if hint else ''}"
            )


def case_of_ledger(ledger: Ledger, truth: EventsFile) -> Case:
    """The incidents of a ledger against an events file, where the cameras were analysed.

    Raises:
        TruthError: a moment counts from a start that the file does not state, or nothing was analysed.
    """
    events: list[Event] = []
    alarms: list[Alarm] = []
    spans: list[Span] = []
    for noted in truth.cameras:
        intervals = ledger.coverage.of(noted.camera, 0, FOREVER_US)
        analysed = [Span(noted.camera, item.start, item.end) for item in intervals if item.state in WATCHED]
        spans += _noted_spans(analysed, noted, noted.start)
        events += _noted_events(noted, noted.start)
        alarms += [
            Alarm(
                item.camera,
                item.kind,
                item.start,
                raised_at(item.start, item.thresholds, item.alerts) if item.opened is None else item.opened,
                item.zone,
            )
            for item in ledger.incidents.find(cameras=[noted.camera], kinds=truth.kinds)
        ]
    if not spans:
        names = ", ".join(item.camera for item in truth.cameras)
        hints = (suggest(item.camera, ledger.coverage.cameras()) for item in truth.cameras)
        hint = next(filter(None, hints), "")
        raise TruthError(
            f"expected analysed footage of {names} in the time of the events, got none"
            f"{f'; {hint}' if hint else ''}"
        )
    return _case(events, alarms, spans, ())


def _noted_events(noted: CameraEvents, start: int | None) -> list[Event]:
    events = []
    for number, item in enumerate(noted.events):
        at = item.start.at(start)
        if at is None:
            raise TruthError(_start_needed(noted, f"events[{number}].start"))
        events.append(Event(noted.camera, item.kind, at, item.zone))
    return events


def _noted_spans(spans: Sequence[Span], noted: CameraEvents, start: int | None) -> list[Span]:
    """The parts of spans within the time in which events were noted."""
    low, high = -FOREVER_US, FOREVER_US
    if noted.first is not None:
        if (at := noted.first.at(start)) is None:
            raise TruthError(_start_needed(noted, "from"))
        low = at
    if noted.until is not None:
        if (at := noted.until.at(start)) is None:
            raise TruthError(_start_needed(noted, "until"))
        high = at
    cut = [Span(item.camera, max(item.start, low), min(item.end, high)) for item in spans]
    return [item for item in cut if item.start < item.end]


def _start_needed(noted: CameraEvents, field: str) -> str:
    return (
        f"camera {noted.camera}: {field}: expected a time with an offset, or the camera's `start` from which "
        "seconds count, got neither"
    )


def _case(
    events: Sequence[Event], alarms: Sequence[Alarm], spans: Sequence[Span], notes: tuple[str, ...]
) -> Case:
    observed = [item for item in events if span_of(spans, item.camera, item.start) is not None]
    return Case(tuple(observed), tuple(alarms), tuple(spans), len(events) - len(observed), notes)


def span_of(spans: Sequence[Span], camera: str, t: int) -> int | None:
    """Index of the span of a camera that holds a time; None if there is none."""
    return next((n for n, s in enumerate(spans) if s.camera == camera and s.start <= t < s.end), None)
