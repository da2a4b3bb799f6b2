"""A whole video through the bundle, in memory: what was seen, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from vision.frames import SECOND, Frame
from vision.perception import ModelBundle, Perception, Row
from vision.sources.decoding import decode_frames
from vision.sources.files import FileSource, open_source
from vision.sources.gaps import Gap
from vision.sources.timeline import SourceError, exact_rate, index_time
from zones.facility import Camera

Progress = Callable[[int, int], None]
"""Told, as footage is looked at: microseconds done, and of how many (0 = not known)."""


@dataclass(frozen=True)
class ObservedFootage:
    """A video as the pipeline saw it.

    Attributes:
        source: the video.
        width, height: px of its frames.
        indices: (F,) of the analysed frames in the video, from 0.
        times: (F,) of the same, microseconds UTC.
        observations: as they would stand in the observation log.
    """

    source: FileSource
    width: int
    height: int
    indices: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]
    observations: pl.DataFrame

    @property
    def start(self) -> int:
        """When the video begins, microseconds UTC."""
        return self.source.info.start_us

    @property
    def end(self) -> int:
        """When its last analysed frame gives way to what would be the next, microseconds UTC."""
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
    """Look at a video with the settings of the bundle.

    Args:
        video: a file or an image sequence.
        bundle: the models.
        camera: whose video it is.
        start: its first moment, microseconds UTC; None = from the file.
        source_fps: frames per second, where the file's own rate is wrong.
        timezone: of a moment in the file's name.
        progress: see `Progress`.

    Raises:
        SourceError: the video cannot be read, or a part of it cannot: a figure over footage with holes
            would not say what it is of.
    """
    source = open_source(video, camera.id, start, source_fps, timezone)
    perception = Perception(bundle, camera, "evaluation")
    indices: list[int] = []
    times: list[int] = []
    rows: list[Row] = []
    batch: list[Frame] = []
    size = (0, 0)
    length = source.info.duration_us or 0
    for item in source.frames(None, round(SECOND / bundle.settings.fps)):
        if isinstance(item, Gap):
            raise SourceError(f"{video}: expected a video without faults, got one: {item.cause}")
        size = item.image.shape[1], item.image.shape[0]
        indices.append(item.index)
        times.append(item.t)
        batch.append(item)
        if len(batch) == bundle.detector.batch:
            rows += perception.observe(batch, perception.detect(batch))
            batch = []
        progress(item.t - source.info.start_us, length)
    rows += perception.observe(batch, perception.detect(batch))
    if not times:
        raise SourceError(f"{video}: expected a video with pictures, got none")
    return ObservedFootage(source, *size, np.array(indices), np.array(times), perception.tabulate(rows))


def frame_times(source: FileSource, frames: int) -> npt.NDArray[np.int64]:
    """Stream times of the first `frames` frames of a video, analysed or not, microseconds UTC.

    Raises:
        SourceError: the video cannot be read, or has fewer frames.
    """
    start, path = source.info.start_us, source.info.path
    if source.fps is not None:
        # All frames lie on the grid of the given rate; how many there are, the container may not know.
        rate = exact_rate(source.fps)
        return np.array([index_time(start, index, rate) for index in range(frames)], dtype=np.int64)
    times: list[int] = []
    for item in decode_frames(path, start, None):
        if len(times) == frames:
            break
        if isinstance(item, Gap):
            raise SourceError(f"{path}: expected a video without faults, got one: {item.cause}")
        times.append(item.t)
    if len(times) < frames:
        raise SourceError(f"{path}: expected {frames} frames, as in the true tracks, got {len(times)}")
    return np.array(times, dtype=np.int64)
