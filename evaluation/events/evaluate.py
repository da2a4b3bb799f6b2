"""Evaluations of events: a request in, the accuracy and its report out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluation.bootstrap import RESAMPLES, SEED
from evaluation.events.case import (
    Case,
    case_of_ledger,
    case_of_tracks,
    case_of_video,
    check_places,
    events_of_camera,
)
from evaluation.events.estimates import ALL, BLOCK_S, EventAccuracy, event_accuracy
from evaluation.formats import read_mot
from evaluation.report import Report
from evaluation.setup import (
    DEFAULT_PERCEPTION,
    PerceptionRequest,
    ProgressBars,
    facility_and_camera,
    no_progress,
    run_settings,
)
from evaluation.truth import read_events
from incidents.ledger import Ledger
from incidents.scoring import BIAS, TOLERANCE_S, Alarm, Event
from models.registry import Weights
from pipelines.home import Home
from pipelines.observe_footage import observe_footage
from vision.frames import SECOND, to_iso


@dataclass(frozen=True)
class ScoringOptions:
    """How events and alarms are scored.

    Attributes:
        tolerance_s: seconds after the start of an event in which it can be alarmed.
        bias: recall bias of F, see `incidents.scoring.f_score`.
        block_s: seconds of a block of the bootstrap.
        resamples, seed: of the bootstrap.
    """

    tolerance_s: float = TOLERANCE_S
    bias: float = BIAS
    block_s: float = BLOCK_S
    resamples: int = RESAMPLES
    seed: int = SEED


@dataclass(frozen=True)
class VideoEventsRequest:
    """An evaluation of the events of a video, analysed now.

    Attributes:
        video: the video.
        facility: the facility file.
        truth: true tracks in MOT text if `truth_is_tracks`, else an events file.
        camera: id of the camera; None = the only one of the facility.
        start: start of the video, microseconds UTC; None = from the file.
        perception: how the video is analysed.
        scoring: how events are scored.
    """

    video: Path
    facility: str
    truth: Path
    truth_is_tracks: bool
    camera: str | None = None
    start: int | None = None
    perception: PerceptionRequest = DEFAULT_PERCEPTION
    scoring: ScoringOptions = ScoringOptions()


@dataclass(frozen=True)
class LedgerEventsRequest:
    """An evaluation of the incidents in the ledger of a home folder against an events file."""

    home: Home
    events: Path
    scoring: ScoringOptions = ScoringOptions()


@dataclass(frozen=True)
class EventsEvaluation:
    """The result of a request."""

    accuracy: EventAccuracy
    report: Report


def evaluate_ledger_events(request: LedgerEventsRequest) -> EventsEvaluation:
    """Score the incidents of a ledger.

    Raises:
        TruthError: the events file cannot be read, or nothing was analysed in its time.
        LedgerError: the home has no ledger.
    """
    truth = read_events(request.events)
    with Ledger.open(request.home.ledger, create=False) as ledger:
        case = case_of_ledger(ledger, truth)
    settings = {"home": str(request.home.path), "events": str(request.events)}
    return _evaluation(case, request.scoring, settings, {})


def evaluate_video_events(
    request: VideoEventsRequest, progress_bars: ProgressBars = no_progress
) -> EventsEvaluation:
    """Analyse a video and score its findings.

    The truth is read before the models are loaded, so that a mistake in it is reported at once.

    Raises:
        TruthError: the truth cannot be read, does not name the camera, or names places that it does not have.
        SourceError: the video cannot be read, or has fewer frames than the true tracks.
        LazarettoError: the facility or camera is not there.
        ModelError: weights or the device are not available.
    """
    facility, camera = facility_and_camera(request.facility, request.camera)
    tracks = read_mot(request.truth) if request.truth_is_tracks else None
    events = None if request.truth_is_tracks else read_events(request.truth)
    if events is not None:
        check_places(events_of_camera(events, camera.id), camera)
    bundle = request.perception.load()
    source_fps = request.perception.source_fps
    with progress_bars("video") as progress:
        observed = observe_footage(
            request.video,
            bundle,
            camera,
            start=request.start,
            source_fps=source_fps,
            timezone=facility.timezone,
            progress=progress,
        )
    if tracks is not None:
        case = case_of_tracks(observed, tracks, facility, camera)
    else:
        assert events is not None
        case = case_of_video(observed, events, facility, camera)
    settings = {
        **run_settings(bundle, source_fps),
        "video": str(request.video),
        "start": None if request.start is None else to_iso(request.start),
        "facility": request.facility,
        "facility_version": facility.version,
        "camera": camera.id,
        "truth_tracks": str(request.truth) if request.truth_is_tracks else None,
        "events": None if request.truth_is_tracks else str(request.truth),
    }
    return _evaluation(case, request.scoring, settings, bundle.weights)


def _evaluation(
    case: Case, scoring: ScoringOptions, settings: Mapping[str, object], weights: Mapping[str, Weights]
) -> EventsEvaluation:
    accuracy = event_accuracy(
        case,
        tolerance=round(scoring.tolerance_s * SECOND),
        bias=scoring.bias,
        block_s=scoring.block_s,
        resamples=scoring.resamples,
        seed=scoring.seed,
    )
    report = Report(
        question="events",
        settings={
            "tolerance_s": scoring.tolerance_s,
            "bias": scoring.bias,
            "block_s": scoring.block_s,
            **settings,
        },
        weights=weights,
        seed=scoring.seed,
        resamples=scoring.resamples,
        unit=f"block of {scoring.block_s:g} s",
        units=accuracy.blocks,
        counts={
            "camera_hours": round(accuracy.kinds[ALL].score.hours, 6),
            "events_not_analysed": case.unobserved,
            "alarms_not_scored": accuracy.not_scored,
            "kinds": {
                kind: {
                    "events": item.score.events,
                    "alarms": item.score.alarms,
                    "found": item.score.found,
                    "missed": item.score.events - item.score.found,
                    "false_alarms": item.score.alarms - item.score.found,
                    "duplicates": item.score.duplicates,
                }
                for kind, item in accuracy.kinds.items()
            },
            "missed": [_row(item) for item in accuracy.missed],
            "false_alarms": [_row(item) for item in accuracy.false_alarms],
        },
        figures={
            kind: {
                "recall": item.recall,
                "precision": item.precision,
                "f": item.f,
                "false_alarms_per_camera_hour": item.false_alarms_per_hour,
                "median_delay_s": item.median_delay_s,
            }
            for kind, item in accuracy.kinds.items()
        },
        notes=_notes(case, accuracy),
    )
    return EventsEvaluation(accuracy, report)


def _row(item: Event | Alarm) -> dict[str, str | None]:
    return {"camera": item.camera, "kind": item.kind, "zone": item.zone, "start": to_iso(item.start)}


def _notes(case: Case, accuracy: EventAccuracy) -> tuple[str, ...]:
    notes = list(case.notes)
    if case.unobserved:
        notes.append(f"{case.unobserved} true events began while nothing was analysed: they are left out")
    if accuracy.not_scored:
        notes.append(
            f"{accuracy.not_scored} alarms are outside the time of which the truth is known: left out"
        )
    return tuple(notes)
