"""Runs several trackers over the same detections of a video, and times them.

The detector runs once. For each tracker the video is decoded again, because ours reads embeddings from the
pixels of people whose identity is in doubt; that time is counted as the tracker's. Decoding is not. Times are
of the processor, over all threads, so that other processes on the machine do not change them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import polars as pl
import supervision as sv

from pipelines.observe_footage import ObservedFootage, Progress
from vision.appearance import AppearanceReader
from vision.frames import SAMPLING_TOLERANCE_US, SECOND, Frame
from vision.networks import ModelBundle
from vision.perception import Perception
from vision.sources.files import FileSource, open_source
from vision.sources.gaps import Gap
from vision.sources.timeline import SourceError
from vision.tracking import tracker_ids
from zones.facility import Camera

_SCHEMA = {"frame": pl.Int64(), "track": pl.Int64()} | {
    name: pl.Float64() for name in ("x1", "y1", "x2", "y2")
}


@dataclass(frozen=True)
class DetectedFootage:
    """A video with the people found in its analysed frames.

    Attributes:
        source: the video.
        width, height: px of its frames.
        times: frame number in the video, from 0 -> stream time, microseconds UTC; of the analysed frames.
        detections: of each analysed frame, in the same order; None where the gate gave the detector nothing.
    """

    source: FileSource
    width: int
    height: int
    times: dict[int, int]
    detections: Sequence[sv.Detections | None]


@dataclass(frozen=True)
class TrackedFootage:
    """A video with the tracks of one tracker.

    Attributes:
        observed: the tracks; of the observations, only frame, track and box are there.
        frame_ms: milliseconds of processor time of the tracker per analysed frame.
        embedding_ms: milliseconds of these that went into embeddings.
    """

    observed: ObservedFootage
    frame_ms: float
    embedding_ms: float


class _TimedReader:
    """Reads embeddings and adds up the processor time that it takes."""

    def __init__(self, reader: AppearanceReader) -> None:
        self._reader = reader
        self.dimension = reader.dimension
        self.seconds = 0.0

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        began = process_time()
        embeddings = self._reader.read(people)
        self.seconds += process_time() - began
        return embeddings


def detect_footage(
    video: Path,
    bundle: ModelBundle,
    camera: Camera,
    *,
    first_frame: int = 0,
    source_fps: float | None = None,
    progress: Progress = lambda *_: None,
) -> DetectedFootage:
    """Find the people in the analysed frames of a video: `first_frame`, and from there as `analyze` samples.

    Raises:
        SourceError: the video cannot be read without gaps, or has no such frame.
    """
    source = open_source(video, camera.id, 0, source_fps, aspect=camera.picture_aspect)
    step = max(0, round(SECOND / bundle.settings.fps) - SAMPLING_TOLERANCE_US)
    perception = Perception(bundle, camera, "evaluation")
    times: dict[int, int] = {}
    detections: list[sv.Detections | None] = []
    last: int | None = None
    size = (0, 0)
    for frame in _frames(source):
        progress(frame.t - source.info.start_us, source.info.duration_us or 0)
        if frame.index < first_frame or (last is not None and frame.t - last < step):
            continue
        last = times[frame.index] = frame.t
        if (analysed := perception.analyse(frame)) is not None:
            detections.append(analysed.detections)
        size = frame.size
    if (analysed := perception.complete()) is not None:
        detections.append(analysed.detections)
    if not times:
        raise SourceError(f"{video}: expected a video with more than {first_frame} frames, got fewer")
    return DetectedFootage(source, *size, times, detections)


def track_footage(
    detected: DetectedFootage,
    bundle: ModelBundle,
    camera: Camera,
    tracker: str,
    progress: Progress = lambda *_: None,
) -> TrackedFootage:
    """Run one tracker over the detections of a video.

    Raises:
        LazarettoError: there is no such tracker, or the video can no longer be read.
    """
    timed = _TimedReader(bundle.appearance)
    bundle = copy.copy(bundle.with_tracker(tracker))
    bundle.appearance = timed  # type: ignore[assignment]  # reads as AppearanceReader does
    perception = Perception(bundle, camera, "evaluation")
    rows: list[tuple[float, ...]] = []
    seconds = 0.0
    people = iter(detected.detections)
    done = 0
    for frame in _frames(detected.source):
        if frame.index not in detected.times:
            continue
        found = next(people)
        progress(done := done + 1, len(detected.times))
        if found is None:
            continue
        began = process_time()
        tracked = perception.track(frame, found)
        seconds += process_time() - began
        for box, track in zip(tracked.xyxy.tolist(), tracker_ids(tracked).tolist(), strict=True):
            rows.append((frame.index, track, *box))
    observed = ObservedFootage(
        source=detected.source,
        width=detected.width,
        height=detected.height,
        indices=np.array(list(detected.times), dtype=np.int64),
        times=np.array(list(detected.times.values()), dtype=np.int64),
        observations=pl.DataFrame(rows, schema=_SCHEMA, orient="row"),
    )
    per_frame = 1000 / len(detected.times)
    return TrackedFootage(observed, seconds * per_frame, timed.seconds * per_frame)


def _frames(source: FileSource) -> Iterator[Frame]:
    """Every frame of a video.

    Raises:
        SourceError: a part of the video cannot be decoded.
    """
    for item in source.frames():
        if isinstance(item, Gap):
            raise SourceError(f"{source.info.path}: expected a video without faults, got one: {item.cause}")
        yield item
