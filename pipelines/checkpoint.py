"""Checkpoints: what an interrupted analysis needs to resume, written once for each segment of a stream.

The state of a tracker has many parts, but it follows from the tracker's input, which is small. Resuming
gives that input to a new tracker, which takes milliseconds a frame and decodes no footage. The files hold
embeddings of people, which are written nowhere else. They are removed once the footage is analysed to its
end.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import supervision as sv

from vision.observations import ObservationError, write_parquet
from vision.perception import TrackerInput
from vision.tracking import frame_size, person_detections, scores

SCHEMA = {
    "t": pl.Int64(),
    "index": pl.Int64(),
    "size": pl.Array(pl.Int32, 2),
    "people": pl.List(pl.Array(pl.Float32, 5)),
    "embedded": pl.List(pl.Int32),
    "embeddings": pl.Binary(),
}
"""One row for each analysed frame; see `TrackerInput`. Of `people`, x1, y1, x2, y2 (px) and score."""
EMBEDDING_DTYPE = np.dtype("<f2")
"""Half precision (fp16), little-endian: the embeddings of the people that were embedded, row by row."""


def write(home: Path, stream: str, seq: int, tracker_inputs: Sequence[TrackerInput]) -> None:
    """Write the tracker inputs of one segment.

    Args:
        home: the home folder.
        stream: key of the stream.
        seq: number of the segment in the stream, from 0.
        tracker_inputs: one for each analysed frame.

    Raises:
        ObservationError: the file cannot be written.
    """
    rows = [
        (
            item.t,
            item.index,
            list(frame_size(item.detections)),
            _people(item.detections).tolist(),
            list(item.embedded),
            item.embeddings.astype(EMBEDDING_DTYPE).tobytes(),
        )
        for item in tracker_inputs
    ]
    write_parquet(_path(home, stream, seq), pl.DataFrame(rows, schema=SCHEMA, orient="row"))


def read(home: Path, stream: str, seq: int) -> list[TrackerInput]:
    """Read the tracker inputs of one segment, exactly as they were written.

    Raises:
        ObservationError: the file is missing or torn.
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
            person_detections(np.array(people, dtype=np.float32).reshape(-1, 5), (size[0], size[1])),
            tuple(embedded),
            _embeddings(embeddings, len(embedded)),
        )
        for t, index, size, people, embedded, embeddings in table.iter_rows()
    ]


def remove(home: Path, stream: str) -> None:
    """Remove the checkpoints of a stream that is analysed to its end; none there is no error."""
    shutil.rmtree(_path(home, stream, 0).parent, ignore_errors=True)


def _people(detections: sv.Detections) -> np.ndarray:
    return np.column_stack([detections.xyxy, scores(detections)])


def _embeddings(stored: bytes, count: int) -> np.ndarray:
    if not count:
        return np.zeros((0, 0), EMBEDDING_DTYPE)
    return np.frombuffer(stored, EMBEDDING_DTYPE).reshape(count, -1)


def _path(home: Path, stream: str, seq: int) -> Path:
    return home / "resume" / stream / f"{seq:06d}.parquet"
