"""Videos as the pipeline saw them, without a video."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from evaluation.formats import Tracks
from pipelines.observe_footage import ObservedFootage
from vision.frames import SECOND
from vision.observations import SCHEMA
from vision.sources.files import FileSource, SourceInfo
from vision.sources.start_time import StartOrigin

Boxes = Mapping[tuple[int, int], tuple[float, float, float, float]]
"""(frame, track) -> x1, y1, x2, y2."""


def source(frames: int, fps: float = 5.0, start: int = 0) -> FileSource:
    """A source of `frames` frames that has no file."""
    info = SourceInfo(
        Path("none.mp4"),
        *("images", 1280, 960, fps, frames),
        round(frames / fps * SECOND),
        start,
        StartOrigin.FLAG,
        "f",
    )
    return FileSource(info, "cam-1", fps)


def seen(observations: pl.DataFrame, frames: int, fps: float = 5.0, start: int = 0) -> ObservedFootage:
    """Observations as those of a whole video of which every frame was analysed."""
    times = start + np.round(np.arange(frames) / fps * SECOND).astype(np.int64)
    return ObservedFootage(source(frames, fps, start), 1280, 960, np.arange(frames), times, observations)


def watched(boxes: Boxes, frames: int, fps: float = 5.0) -> ObservedFootage:
    """People followed as given."""
    keys = sorted(boxes)
    rows = {
        "camera": ["cam-1"] * len(keys),
        "t": [round(frame / fps * SECOND) for frame, _ in keys],
        "frame": [frame for frame, _ in keys],
        "track": [track for _, track in keys],
        **{name: [boxes[key][i] for key in keys] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
    }
    table = pl.DataFrame(
        [
            pl.Series(name, rows.get(name, [None] * len(keys)), dtype=pl.Int64 if name == "t" else kind)
            for name, kind in SCHEMA.items()
        ]
    ).cast({"t": SCHEMA["t"]})
    return seen(table, frames, fps)


def true_tracks(boxes: Boxes, ignored: frozenset[tuple[int, int]] = frozenset()) -> Tracks:
    """The same as truth."""
    keys = sorted(boxes)
    return Tracks(
        np.array([frame for frame, _ in keys], dtype=np.int64),
        np.array([track for _, track in keys], dtype=np.int64),
        np.array([boxes[key] for key in keys], dtype=np.float64).reshape(-1, 4),
        np.array([key in ignored for key in keys], dtype=np.bool_),
    )
