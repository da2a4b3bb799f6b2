"""What an interrupted analysis needs to go on: what its tracker was given since its camera's footage began.

A tracker's state has many parts, but it follows from its input, which is small. Going on replays that
input through a new tracker without touching a pixel: milliseconds a frame, a small part of what the
analysis took. The files hold what people looked like, which is written nowhere else; they are removed
once the footage is analysed to its end.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from vision.observations import ObservationError, write_parquet
from vision.perception import TrackerInput

SCHEMA = {
    "t": pl.Int64(),
    "index": pl.Int64(),
    "size": pl.Array(pl.Int32, 2),
    "people": pl.List(pl.Array(pl.Float32, 5)),
    "looked": pl.List(pl.Int32),
    "looks": pl.Binary(),
}
LOOK = np.dtype("<f2")
"""Of the numbers in `looks`."""


def write(home: Path, stream: str, seq: int, tracker_inputs: Sequence[TrackerInput]) -> None:
    """Write what the tracker was given of the analysed frames of one segment.

    Raises:
        ObservationError: the disk refuses it.
    """
    rows = [
        (
            item.t,
            item.index,
            list(item.size),
            [[float(v) for v in row] for row in item.rows],
            list(item.numbers),
            item.looks.astype(LOOK).tobytes(),
        )
        for item in tracker_inputs
    ]
    write_parquet(_path(home, stream, seq), pl.DataFrame(rows, schema=SCHEMA, orient="row"))


def read(home: Path, stream: str, seq: int) -> list[TrackerInput]:
    """Read what `write` wrote.

    Raises:
        ObservationError: it is gone or torn.
    """
    path = _path(home, stream, seq)
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ObservationError(f"{path}: expected the detections of a segment, got {error}") from error
    return [
        TrackerInput(
            t,
            index,
            (size[0], size[1]),
            np.array(people, dtype=np.float32).reshape(-1, 5),
            tuple(looked),
            np.frombuffer(looks, LOOK).reshape(len(looked), -1) if looked else np.zeros((0, 0), LOOK),
        )
        for t, index, size, people, looked, looks in table.iter_rows()
    ]


def forget(home: Path, stream: str) -> None:
    """Remove what is no longer needed of a stream, once it is analysed to its end."""
    shutil.rmtree(_path(home, stream, 0).parent, ignore_errors=True)


def _path(home: Path, stream: str, seq: int) -> Path:
    return home / "resume" / stream / f"{seq:06d}.parquet"
