"""Boxes of tracks as rows of an observation log, so that the same rules judge all workloads and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from evaluation.bench.video_files import FrameTimes, frame_times
from evaluation.formats import Tracks
from vision.observations import SCHEMA
from vision.sources.files import open_source
from zones.facility import Camera, Facility

BoxRow = tuple[int, int, float, float, float, float, float]
"""A person in a frame: index of the frame from 0, track, x1, y1, x2, y2 (px), score."""


def observations_of(rows: Sequence[BoxRow], video: Path, facility: Facility, camera: Camera) -> pl.DataFrame:
    """Rows of an observation log: the foot point is the middle of the lower edge, faces are not assessed.

    Boxes of frames that the video does not have are left out.

    Raises:
        SourceError: the video cannot be read.
    """
    times = frame_times(video)
    return table_of(rows, times, start_of(video, facility, camera), camera.id)


def start_of(video: Path, facility: Facility, camera: Camera) -> int:
    """Time of the first frame as an analysis takes it, microseconds UTC.

    Raises:
        SourceError: the video cannot be read.
    """
    aspect = camera.picture_aspect
    return open_source(video, camera.id, None, None, facility.timezone, aspect).info.start_us


def table_of(rows: Sequence[BoxRow], times: FrameTimes, start: int, camera: str) -> pl.DataFrame:
    """See `observations_of`; `start` is the time of the first frame, microseconds UTC."""
    kept = [row for row in rows if row[0] < len(times.offsets)]
    schema: dict[str, pl.DataType] = {"frame": pl.Int64(), "track": pl.Int64()}
    schema |= {name: pl.Float64() for name in ("x1", "y1", "x2", "y2", "score")}
    table = pl.DataFrame(kept, schema=schema, orient="row")
    moments = start + times.offsets[table["frame"].to_numpy()] if kept else np.zeros(0, np.int64)
    table = table.with_columns(
        t=pl.Series(moments, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
        camera=pl.lit(camera),
        width=times.width,
        height=times.height,
        foot_x=(pl.col("x1") + pl.col("x2")) / 2,
        foot_y=pl.col("y2"),
    )
    empty = [pl.lit(None, kind).alias(name) for name, kind in SCHEMA.items() if name not in table.columns]
    columns = (pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    return table.with_columns(empty).select(columns).sort("t", "track")


def rows_of_tracks(tracks: Tracks) -> list[BoxRow]:
    """True tracks as rows; boxes that are to be ignored are left out."""
    kept = np.flatnonzero(~tracks.ignored)
    numbers = np.unique(tracks.track[kept], return_inverse=True)[1].tolist()
    boxes = tracks.boxes[kept].tolist()
    return [
        (frame, number, x1, y1, x2, y2, 1.0)
        for frame, number, (x1, y1, x2, y2) in zip(tracks.frame[kept].tolist(), numbers, boxes, strict=True)
    ]
