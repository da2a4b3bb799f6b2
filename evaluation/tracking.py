"""How well people are detected and kept apart in a video: HOTA, MOTA and IDF1 against true tracks.

On the analysed frames only, at IoU 0.5 (HOTA: over 0.05 to 0.95): CLEAR MOT (Bernardin and Stiefelhagen
2008), identity F1 (Ristani et al. 2016) and HOTA (Luiten et al. 2021), computed by `trackers.eval`.

The intervals come from a block bootstrap (Carlstein 1986) over blocks of consecutive frames (10 s):
consecutive frames show nearly the same, so resampling single frames would give intervals that are far too
narrow. Ids are the same in all blocks. False positives, misses and switches are counted once, in the block
of the video in which they happen, and summed over the resampled blocks. HOTA and IDF1 depend on which ids
occur together, not on the order of the frames, and are computed anew on the resampled blocks.

Limits: all blocks are of one scene, seen by one camera on one day, and people stay longer than a block. An
interval says how much an estimate depends on the moments of this video, not what another camera would give,
and it is rather too narrow. A resample holds fewer different moments of each person than the video, so its
ids agree better: the intervals of HOTA and IDF1 are biased upwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import linear_sum_assignment

from evaluation.bootstrap import SEED, bootstrap_estimate, resample_counts
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
from incidents.intervals import Estimate
from pipelines.observe_footage import ObservedFootage
from vision.frames import SECOND
from vision.tracking import TRACKERS, TrackerSettings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Overlaps = npt.NDArray[np.float32]

BLOCK_S = 10.0
"""Seconds of a block of the bootstrap. Project default (docs/defaults.md)."""
MATCH_IOU = 0.5
"""IoU from which a detection can be that of a true box: that of MOTChallenge."""
TRACKING_RESAMPLES = 200
"""Bootstrap resamples: scoring a resample of a whole video takes about 0.1 s. Project default
(docs/defaults.md)."""
ALL_TRACKERS = "all"
"""Name that asks for all trackers."""
COUNT_NAMES = ("switches", "false_positives", "misses")
"""Estimates that are counts."""
CLEAR_FIELDS = ("CLR_TP", "CLR_FP", "CLR_FN", "IDSW")
"""Counts of CLEAR MOT as `trackers.eval` names them."""


@dataclass(frozen=True)
class AlignedTracks:
    """True and detected people frame by frame: F frames.

    Attributes:
        true: per frame, ids (G,) of the true people.
        detected: per frame, ids (D,) of the detected people.
        overlaps: per frame, IoU (G, D).
        block: (F,) number of the block of each frame, from 0, not decreasing.
    """

    true: Sequence[Ints]
    detected: Sequence[Ints]
    overlaps: Sequence[Overlaps]
    block: Ints

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return int(self.block[-1]) + 1

    def frames(self, rows: Sequence[int]) -> tuple[list[Ints], list[Ints], list[Overlaps]]:
        """The given frames in the given order, as `trackers.eval` takes them."""
        return (
            [self.true[r] for r in rows],
            [self.detected[r] for r in rows],
            [self.overlaps[r] for r in rows],
        )


@dataclass(frozen=True)
class TrackingAccuracy:
    """Accuracy of tracks; the module says what the estimates mean.

    Attributes:
        frames: analysed frames.
        rate: analysed frames per second of footage.
        truth: true boxes in the analysed frames.
        people: true ids in them.
        blocks: blocks that were resampled.
        estimates: hota, det_a, ass_a, mota, idf1 (0..1), switches, false_positives, misses (counts).
    """

    frames: int
    rate: float
    truth: int
    people: int
    blocks: int
    estimates: dict[str, Estimate]


class TrackerTime(TypedDict):
    """Processor time of a tracker per analysed frame, milliseconds; embeddings are a part of it."""

    frame_ms: float
    embedding_ms: float


@dataclass(frozen=True)
class TrackingRequest:
    """An evaluation of the tracks that trackers make of a video.

    Attributes:
        video: the video.
        truth: true tracks in MOT text.
        tracker: a name of `vision.tracking.TRACKERS`, or `ALL_TRACKERS`.
        first_frame: number of the first analysed frame in the video, from 0.
        block_s: seconds of a block.
        perception: how the video is analysed.
        resamples, seed: of the bootstrap.
    """

    video: Path
    truth: Path
    tracker: str = TrackerSettings.name
    first_frame: int = 0
    block_s: float = BLOCK_S
    perception: PerceptionRequest = DEFAULT_PERCEPTION
    resamples: int = TRACKING_RESAMPLES
    seed: int = SEED


@dataclass(frozen=True)
class TrackingEvaluation:
    """The result of a `TrackingRequest`: accuracy and time by tracker, and the report."""

    accuracy: dict[str, TrackingAccuracy]
    times: dict[str, TrackerTime]
    report: Report


def evaluate_tracking(
    request: TrackingRequest, progress_bars: ProgressBars = no_progress
) -> TrackingEvaluation:
    """Track people through a video, by one tracker or all, and compare the tracks with the truth.

    Raises:
        TruthError: the truth cannot be read, or has no box in an analysed frame.
        SourceError: the video cannot be read.
        LazarettoError: there is no such tracker.
        ModelError: weights or the device are not available.
    """
    all_trackers = request.tracker == ALL_TRACKERS
    names = TRACKERS if all_trackers else (TrackerSettings(name=request.tracker).name,)
    truth = read_mot(request.truth)
    bundle = request.perception.load()
    source_fps = request.perception.source_fps
    _, camera = facility_and_camera(None, None)
    with progress_bars("detection") as progress:
        detected = detect_footage(
            *(request.video, bundle, camera),
            first_frame=request.first_frame,
            source_fps=source_fps,
            progress=progress,
        )
    accuracy: dict[str, TrackingAccuracy] = {}
    times: dict[str, TrackerTime] = {}
    for name in names:
        with progress_bars(name) as progress:
            tracked = track_footage(detected, bundle, camera, name, progress)
        times[name] = {
            "frame_ms": round(tracked.frame_ms, 2),
            "embedding_ms": round(tracked.embedding_ms, 2),
        }
        with progress_bars(f"{name}: intervals") as progress:
            accuracy[name] = tracking_accuracy(
                *(tracked.observed, truth),
                block_s=request.block_s,
                resamples=request.resamples,
                seed=request.seed,
                progress=progress,
            )
    first = accuracy[names[0]]
    report = Report(
        question="tracking",
        settings={
            **run_settings(bundle, source_fps),
            "tracker": request.tracker,
            "first_frame": request.first_frame,
            "video": str(request.video),
            "truth": str(request.truth),
            "block_s": request.block_s,
        },
        weights=bundle.weights,
        seed=request.seed,
        resamples=request.resamples,
        unit=f"block of {request.block_s:g} s",
        units=first.blocks,
        counts={
            "frames": first.frames,
            "frames_per_second": round(first.rate, 2),
            "true_boxes": first.truth,
            "true_people": first.people,
            "times": times,
        },
        figures=(
            {name: item.estimates for name, item in accuracy.items()} if all_trackers else first.estimates
        ),
        notes=(
            f"{first.frames} frames ({first.rate:.1f} per second of footage), {first.people} true people in "
            f"{first.truth} true boxes",
            "milliseconds: processor time of the tracker per frame, without detection",
        ),
    )
    return TrackingEvaluation(accuracy, times, report)


def tracking_accuracy(
    observed: ObservedFootage,
    truth: Tracks,
    *,
    block_s: float = BLOCK_S,
    resamples: int,
    seed: int,
    progress: Progress = lambda *_: None,
) -> TrackingAccuracy:
    """Compare the tracks of a video with the truth of its analysed frames; `progress` counts resamples.

    Raises:
        TruthError: the truth has no box in an analysed frame.
    """
    aligned = align(observed, truth, block_s)
    return TrackingAccuracy(
        frames=len(aligned.true),
        rate=observed.rate,
        truth=sum(map(len, aligned.true)),
        people=len(np.unique(np.concatenate(aligned.true))),
        blocks=aligned.blocks,
        estimates=estimates(aligned, resamples, seed, progress),
    )


def align(observed: ObservedFootage, truth: Tracks, block_s: float) -> AlignedTracks:
    """Bring observations and truth together, frame by frame.

    Raises:
        TruthError: the truth has no box in an analysed frame.
    """
    from supervision import box_iou_batch  # late: it takes a second to import

    true: list[Ints] = []
    detected: list[Ints] = []
    overlaps: list[Overlaps] = []
    observations_of = {int(key): part for (key,), part in observed.observations.group_by("frame")}
    rows_of = {int(f): np.flatnonzero(truth.frame == f) for f in np.unique(truth.frame)}
    no_observations = observed.observations.clear()
    for index in observed.indices.tolist():
        part: pl.DataFrame = observations_of.get(index, no_observations)
        rows = rows_of.get(index, np.zeros(0, dtype=np.int64))
        boxes = part.select(pl.col("x1", "y1", "x2", "y2").cast(pl.Float64)).to_numpy().reshape(-1, 4)
        iou = box_iou_batch(truth.boxes[rows], boxes)
        ignored = truth.ignored[rows]
        keep = ~_on_ignored(iou, ignored)
        true.append(truth.track[rows][~ignored])
        detected.append(part["track"].to_numpy().astype(np.int64)[keep])
        overlaps.append(iou[~ignored][:, keep])
    if not sum(map(len, true)):
        raise TruthError(f"expected truth of the {len(true)} analysed frames, got none: frame 1 is the first")
    block = (observed.times - observed.times[0]) // round(block_s * SECOND)
    return AlignedTracks(true, detected, overlaps, np.unique(block, return_inverse=True)[1].astype(np.int64))


def _on_ignored(iou: Overlaps, ignored: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which detections (D,), matched with all true boxes, are matched with an ignored one."""
    result = np.zeros(iou.shape[1], dtype=np.bool_)
    if ignored.any() and iou.size:
        rows, columns = linear_sum_assignment(-np.where(iou >= MATCH_IOU, iou, 0.0))
        result[columns] = ignored[rows] & (iou[rows, columns] >= MATCH_IOU)
    return result


def estimates(
    aligned: AlignedTracks, resamples: int, seed: int, progress: Progress = lambda *_: None
) -> dict[str, Estimate]:
    """The estimates of aligned tracks, with intervals from a bootstrap over their blocks."""
    frames = [np.flatnonzero(aligned.block == b).tolist() for b in range(aligned.blocks)]
    counts = _clear_counts(aligned)
    resampled = resample_counts(aligned.blocks, resamples, seed)
    whole = _identity_metrics(aligned, range(len(aligned.true)))
    again = np.zeros((len(resampled), len(whole)))
    for number, times in enumerate(resampled.tolist()):
        rows = [row for block, n in zip(frames, times, strict=True) for row in block * n]
        again[number] = list(_identity_metrics(aligned, rows).values())
        progress(number + 1, len(resampled))
    result = {
        name: bootstrap_estimate(value, again[:, i], aligned.blocks)
        for i, (name, value) in enumerate(whole.items())
    }
    totals, sums = counts.sum(axis=0), resampled @ counts
    result["mota"] = bootstrap_estimate(float(_mota(totals[None])[0]), _mota(sums), aligned.blocks)
    for name, column in zip(COUNT_NAMES, (3, 1, 2), strict=True):
        result[name] = bootstrap_estimate(
            float(totals[column]), sums[:, column].astype(np.float64), aligned.blocks
        )
    order = ("hota", "det_a", "ass_a", "mota", "idf1", *COUNT_NAMES)
    return {name: result[name] for name in order}


def _clear_counts(aligned: AlignedTracks) -> Ints:
    """CLEAR_FIELDS per block, (B, 4): what each block adds to the counts of the video.

    CLEAR MOT goes through the frames in order and never back, so its counts up to the end of a block are
    those of the video cut off there.
    """
    from trackers.eval import compute_clear_metrics

    up_to = []
    for last in np.flatnonzero(np.diff(aligned.block, append=aligned.blocks)).tolist():
        clear = compute_clear_metrics(*aligned.frames(range(last + 1)), threshold=MATCH_IOU)
        up_to.append([clear[name] for name in CLEAR_FIELDS])
    ends = np.array(up_to, dtype=np.int64)
    ends[1:] -= ends[:-1].copy()
    return ends


def _mota(counts: Ints) -> Floats:
    """MOTA of rows of CLEAR_FIELDS: 1 - (misses + false positives + switches) / true boxes."""
    found, false, missed, switches = counts.T.astype(np.float64)
    truth = found + missed
    return np.where(truth > 0, (found - false - switches) / np.maximum(truth, 1), np.nan)


def _identity_metrics(aligned: AlignedTracks, rows: Sequence[int]) -> dict[str, float]:
    from trackers.eval import compute_hota_metrics, compute_identity_metrics

    frames = aligned.frames(rows)
    hota, identity = compute_hota_metrics(*frames), compute_identity_metrics(*frames, threshold=MATCH_IOU)
    return {"hota": hota["HOTA"], "det_a": hota["DetA"], "ass_a": hota["AssA"], "idf1": identity["IDF1"]}
