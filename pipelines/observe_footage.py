"""Observing a whole video in memory: detections and tracks of all its frames, and the times of the frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from vision.frames import SECOND
from vision.networks import ModelBundle
from vision.perception import AnalysedFrame, Perception, Row
from vision.sources.decoded_frame import DecodedFrame
from vision.sources.decoding import decode_frames
from vision.sources.files import FileSource, open_source
from vision.sources.gaps import Gap
from vision.sources.timeline import SourceError, exact_rate, index_time
from zones.facility import Camera

Progress = Callable[[int, int], None]
"""Called while footage is observed, with the microseconds done and the total (0 = unknown)."""


@dataclass(frozen=True)
class ObservedFootage:
    """The observations of a video.

    Attributes:
        source: the video.
        width, height: size of its frames, px.
        indices: indices of the analysed frames in the video, (F,), from 0.
        times: stream times of the analysed frames, (F,), microseconds UTC.
        observations: rows as in the observation log.
    """

    source: FileSource
    width: int
    height: int
    indices: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]
    observations: pl.DataFrame

    @property
    def start(self) -> int:
        """Start of the video, microseconds UTC."""
        return self.source.info.start_us

    @property
    def end(self) -> int:
        """Time at which the next frame after the last analysed one would follow, microseconds UTC."""
        step = int(np.median(np.diff(self.times))) if len(self.times) > 1 else 0
        return int(self.times[-1]) + step

    @property
    def rate(self) -> float:
        """Analysed frames per second of footage."""
        span = int(self.times[-1] - self.times[0])
        return (len(self.times) - 1) * SECOND / span if span else 0.0


def observe_footage(
    video: Path,
    bundle: ModelBundle,
    camera: Camera,
    *,
    start: int | None = None,
    source_fps: float | None = None,
    timezone: str = "Asia/Ho_Chi_Minh",
    progress: Progress = lambda *_: None,
) -> ObservedFootage:
    """Observe a whole video with the settings of the bundle.

    Args:
        video: a video file or an image sequence.
        bundle: the models.
        camera: the camera that recorded the video.
        start: stream time of the first frame, microseconds UTC; None = from the file.
        source_fps: frame rate that replaces the file's timestamps.
        timezone: time zone of a time in the file's name.
        progress: see `Progress`.

    Raises:
        SourceError: the video cannot be read, or it has gaps: a figure over incomplete footage would be
            misleading.
    """
    source = open_source(video, camera.id, start, source_fps, timezone, camera.picture_aspect)
    perception = Perception(bundle, camera, "evaluation")
    indices: list[int] = []
    times: list[int] = []
    rows: list[Row] = []
    size = (0, 0)
    duration = source.info.duration_us or 0
    for item in source.frames(None, round(SECOND / bundle.settings.fps)):
        if isinstance(item, Gap):
            raise SourceError(f"{video}: expected a video without gaps, got one: {item.cause}")
        size = item.size
        indices.append(item.index)
        times.append(item.t)
        rows += _rows(perception.analyse(item))
        progress(item.t - source.info.start_us, duration)
    rows += _rows(perception.complete())
    if not times:
        raise SourceError(f"{video}: expected a video with frames, got none")
    return ObservedFootage(source, *size, np.array(indices), np.array(times), perception.tabulate(rows))


def _rows(analysed: AnalysedFrame | None) -> list[Row]:
    return [] if analysed is None else analysed.rows


def frame_times(source: FileSource, frames: int) -> npt.NDArray[np.int64]:
    """Stream times of the first `frames` frames of a video, analysed or not, microseconds UTC.

    Raises:
        SourceError: the video cannot be read, has gaps, or has fewer frames.
    """
    start, path = source.info.start_us, source.info.path
    if source.fps is not None:
        # All frames lie on the grid of the given rate. The container may not state how many there are.
        rate = exact_rate(source.fps)
        return np.array([index_time(start, index, rate) for index in range(frames)], dtype=np.int64)
    times: list[int] = []
    for item in decode_frames(path, start, None):
        if len(times) == frames:
            break
        if isinstance(item, Gap):
            raise SourceError(f"{path}: expected a video without gaps, got one: {item.cause}")
        if isinstance(item, DecodedFrame):
            times.append(item.t)
    if len(times) < frames:
        raise SourceError(f"{path}: expected {frames} frames, as in the true tracks, got {len(times)}")
    return np.array(times, dtype=np.int64)
