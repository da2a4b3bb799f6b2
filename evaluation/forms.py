"""How the tracks of a video change where the person detector runs in another form (INT8, bf16, f16 ...).

A loss of average precision does not show what a form costs: a detection that a weaker score delays by a
frame, or a box that shifts, can break a track. So the same video is tracked twice, the detector in the plain
form and in the other, everything else equal. The tracks of the plain form serve as truth for those of the
other: no labels are needed. Where the user has true tracks, both forms are compared with them, too, and they
decide: a tracker may give a person another id for a difference that is too small to matter, so that two forms
may agree less than either does with the truth.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evaluation.bootstrap import SEED
from evaluation.formats import Tracks, TruthError, read_mot
from evaluation.report import Report
from evaluation.setup import (
    DEFAULT_PERCEPTION,
    PerceptionRequest,
    Progress,
    ProgressBars,
    facility_and_camera,
    no_progress,
    run_settings,
)
from evaluation.trackers import detect_footage, track_footage
from evaluation.tracking import BLOCK_S, TRACKING_RESAMPLES, TrackingAccuracy, tracking_accuracy
from models.devices import Device
from models.exports import store
from models.exports.selection import export_in_use, plain_form
from models.runtimes.forms import Form
from pipelines.observe_footage import ObservedFootage
from vision.detection import PersonDetector

AGREEMENT, PLAIN, OTHER = "agreement", "plain", "other"
"""Names of the figures: the other form against the plain one, and each against the true tracks."""


@dataclass(frozen=True)
class FormsRequest:
    """A comparison of two forms of the person detector on a video.

    Attributes:
        video: the video.
        runtime: name of the other form, such as openvino-int8.
        truth: true tracks in MOT text; None where there are none.
        perception: how the video is analysed.
        block_s: seconds of a block of the bootstrap.
        resamples, seed: of the bootstrap.
    """

    video: Path
    runtime: str
    truth: Path | None = None
    perception: PerceptionRequest = DEFAULT_PERCEPTION
    block_s: float = BLOCK_S
    resamples: int = TRACKING_RESAMPLES
    seed: int = SEED


@dataclass(frozen=True)
class FormsEvaluation:
    """The result of a `FormsRequest`: accuracy by name, `AGREEMENT`, and with a truth `PLAIN`, `OTHER`."""

    accuracy: dict[str, TrackingAccuracy]
    report: Report


def evaluate_forms(request: FormsRequest, progress_bars: ProgressBars = no_progress) -> FormsEvaluation:
    """Track a video with the detector in two forms, compare the tracks, and note it in the export's record.

    Raises:
        TruthError: the truth cannot be read or has no box in an analysed frame, or there is no
            track in the plain form.
        SourceError: the video cannot be read.
        ModelError: weights, the device or the form are not available.
    """
    truth = None if request.truth is None else read_mot(request.truth)
    perception = request.perception
    form = Form.parse(request.runtime)
    device = Device.choose(perception.device)
    bundle = perception.load()
    _, camera = facility_and_camera(None, None)

    def detector(runtime: Form) -> PersonDetector:
        return PersonDetector(
            bundle.detector.weights, replace(device, runtime=str(runtime)), perception.imgsz
        )

    plain, other = detector(plain_form(str(device))), detector(form)

    def observe(used: PersonDetector, progress: Progress) -> ObservedFootage:
        networks = copy.copy(bundle)
        networks.detector = used
        footage = (request.video, networks, camera)
        detected = detect_footage(*footage, source_fps=perception.source_fps, progress=progress)
        return track_footage(detected, networks, camera, networks.settings.tracker.name).observed

    with progress_bars("plain form") as progress:
        first = observe(plain, progress)
    with progress_bars(str(form)) as progress:
        second = observe(other, progress)
    if not len(first.observations):
        raise TruthError(f"{request.video}: expected footage with persons to track, found none")
    compared = {AGREEMENT: (second, as_truth(first))}
    if truth is not None:
        compared |= {PLAIN: (first, truth), OTHER: (second, truth)}
    accuracy = {
        name: tracking_accuracy(
            *pair, block_s=request.block_s, resamples=request.resamples, seed=request.seed
        )
        for name, pair in compared.items()
    }
    export = export_in_use(plain.weights, str(device), perception.imgsz, form)
    notes = [f"agreement: the tracks of {form} against those of the plain form, as if they were true"]
    if export is not None:
        record = store.note_tracking(export, idf1_loss(accuracy), request.video.name).record
        notes.append(_consequence(record))
    report = Report(
        question="forms",
        settings={
            **run_settings(bundle, perception.source_fps),
            "runtime": request.runtime,
            "video": str(request.video),
            "truth": str(request.truth) if request.truth else None,
            "block_s": request.block_s,
        },
        weights={"plain": plain.weights, "other": other.weights},
        seed=request.seed,
        resamples=request.resamples,
        unit=f"block of {request.block_s:g} s",
        units=accuracy[AGREEMENT].blocks,
        counts={
            "frames": accuracy[AGREEMENT].frames,
            "boxes": accuracy[AGREEMENT].truth,
            "tracks": accuracy[AGREEMENT].people,
        },
        figures={name: item.estimates for name, item in accuracy.items()},
        notes=tuple(notes),
    )
    return FormsEvaluation(accuracy, report)


def idf1_loss(accuracy: Mapping[str, TrackingAccuracy]) -> float:
    """How much IDF1 the other form loses: against the truth; without one, as much as it can lose at most.

    Where the tracks agree up to a share, so does what truth says of them: without a truth, whatever does not
    agree counts as lost.
    """
    idf1 = {name: item.estimates["idf1"].value or 0.0 for name, item in accuracy.items()}
    return idf1[PLAIN] - idf1[OTHER] if PLAIN in idf1 else 1 - idf1[AGREEMENT]


def _consequence(record: store.Record) -> str:
    most = f"{record.form} lost at most {record.tracking_loss:.3f} of IDF1 so far ({record.tracking_data})"
    if record.tracking_passes:
        return f"{most}: it may run without being named"
    return f"{most}, more than {store.MAX_TRACKING_LOSS}: it runs only where --runtime names it"


def as_truth(observed: ObservedFootage) -> Tracks:
    """Tracks of a video as if they were true."""
    rows = observed.observations
    return Tracks(
        rows["frame"].to_numpy().astype(np.int64),
        rows["track"].to_numpy().astype(np.int64),
        rows.select("x1", "y1", "x2", "y2").to_numpy().astype(np.float64).reshape(-1, 4),
        np.zeros(len(rows), np.bool_),
    )
