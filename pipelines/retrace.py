"""What an interrupted analysis needs to go on: every detection since its camera's footage began.

A tracker's state cannot be written down safely, but it follows from its input, which is small. Going on
replays that input through a new tracker without touching a pixel: milliseconds a frame, a small part of
what the analysis took. The files are removed once the footage is analysed to its end.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from vision.observations import ObservationError, write_parquet

SCHEMA = {"t": pl.Int64(), "index": pl.Int64(), "people": pl.List(pl.Array(pl.Float32, 5))}


def write(
    home: Path,
    stream: str,
    seq: int,
    times: Sequence[int],
    indices: Sequence[int],
    people: Sequence[np.ndarray],
) -> None:
    """Write the detections of one stretch: per analysed frame its time, its index and its rows.

    Raises:
        ObservationError: the disk refuses it.
    """
    rows = [[[float(v) for v in row] for row in frame] for frame in people]
    table = pl.DataFrame({"t": list(times), "index": list(indices), "people": rows}, schema=SCHEMA)
    write_parquet(_path(home, stream, seq), table)


def read(home: Path, stream: str, seq: int) -> tuple[list[int], list[int], list[np.ndarray]]:
    """Read what `write` wrote: times, indices and rows of x1, y1, x2, y2 (px), score.

    Raises:
        ObservationError: it is gone or torn.
    """
    path = _path(home, stream, seq)
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ObservationError(f"{path}: expected the detections of a stretch, got {error}") from error
    people = [np.array(frame, dtype=np.float32).reshape(-1, 5) for frame in table["people"].to_list()]
    return table["t"].to_list(), table["index"].to_list(), people


def forget(home: Path, stream: str) -> None:
    """Remove what is no longer needed of a stream, once it is analysed to its end."""
    shutil.rmtree(_path(home, stream, 0).parent, ignore_errors=True)


def _path(home: Path, stream: str, seq: int) -> Path:
    return home / "resume" / stream / f"{seq:06d}.parquet"
