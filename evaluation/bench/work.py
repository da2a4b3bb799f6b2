"""What a workload is given, and what it gives back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from evaluation.bench.rows import BoxRow
from evaluation.bench.sets import BenchCamera, BenchSet
from evaluation.bench.video_files import FrameTimes, frame_times
from zones.camera import Camera
from zones.facility import Facility, load_facility

if TYPE_CHECKING:
    import supervision as sv

WORKLOADS = ("decode", "track", "supervision", "gate", "pipeline")
"""In the order in which they run."""


@dataclass(frozen=True)
class WorkSettings:
    """How the workloads analyse.

    Attributes:
        fps: analysed frames per second, at most; `track` takes every frame.
        imgsz: px of the longer side for the pipeline's detection; None = its default.
        loop_imgsz: px of the longer side for `track` and `supervision`.
        device, runtime: of the networks; `track` and `supervision` run in torch in f32.
        person, face, mask: weights, by name or path.
    """

    fps: float = 5.0
    imgsz: int | None = None
    loop_imgsz: int = 640
    device: str = "auto"
    runtime: str = "auto"
    person: str = "person"
    face: str = "face"
    mask: str = "mask"


@dataclass(frozen=True)
class Work:
    """What a workload did.

    Attributes:
        frames: frames that were decoded (decode), or analysed.
        rows: by camera, the boxes of its tracks.
        counts: further counts, such as regions in which people were detected.
        read_logs: reads the observation log of each camera, in place of rows; it is called after the clock
            has stopped.
    """

    frames: int
    rows: Mapping[str, list[BoxRow]]
    counts: Mapping[str, int] = field(default_factory=dict)
    read_logs: Callable[[], Mapping[str, pl.DataFrame]] | None = None


@dataclass(frozen=True)
class Job:
    """A set, opened for a workload."""

    bench: BenchSet
    facility: Facility
    settings: WorkSettings

    @classmethod
    def open(cls, bench: BenchSet, settings: WorkSettings) -> Job:
        """Read the facility of a set.

        Raises:
            FacilityError: it cannot be read.
        """
        return cls(bench, load_facility(str(bench.facility)), settings)

    def cameras(self) -> Iterator[tuple[BenchCamera, Camera, FrameTimes]]:
        """Each camera with its part of the facility file, and the times of its frames."""
        for item in self.bench.cameras:
            yield item, self.facility.camera(item.id), frame_times(item.video)


Run = Callable[[], Work]
"""What is timed. A workload is loaded by a function that returns it."""


def stride_of(times: FrameTimes, fps: float) -> int:
    """Every how manieth frame is analysed, so that there are at most `fps` per second."""
    return max(1, math.ceil(times.rate / fps - 0.01))


def rows_of(frame: int, tracked: sv.Detections) -> Iterator[BoxRow]:
    """The confirmed tracks of a frame."""
    ids = tracked.tracker_id
    if ids is None or not len(ids):
        return
    scores = np.ones(len(ids)) if tracked.confidence is None else tracked.confidence
    for box, track, score in zip(tracked.xyxy.tolist(), ids.tolist(), scores.tolist(), strict=True):
        if track >= 0:
            x1, y1, x2, y2 = box
            yield frame, track, x1, y1, x2, y2, score
