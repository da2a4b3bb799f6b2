"""The observation log: one row per person per analysed frame, the hinge between pixels and rules.

Everything before it is expensive and depends on models; everything after it is cheap and repeatable.

On disk: `observations/<camera>/<YYYY-MM-DD>T<HH>/<start>.parquet`, one part per stretch of footage,
written to a temporary name, flushed and renamed, so a part is whole or absent. A part never crosses
an hour. What a crash can leave behind is a temporary file, which readers ignore and writers replace.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from vision.frames import SECOND, to_iso
from zones.errors import LazarettoError

SCHEMA: dict[str, pl.DataType] = {
    "camera": pl.String(),
    "t": pl.Datetime("us", "UTC"),
    "frame": pl.Int64(),
    "track": pl.Int64(),
    "width": pl.Int32(),
    "height": pl.Int32(),
    "x1": pl.Float32(),
    "y1": pl.Float32(),
    "x2": pl.Float32(),
    "y2": pl.Float32(),
    "score": pl.Float32(),
    "foot_x": pl.Float32(),
    "foot_y": pl.Float32(),
    "ground_x": pl.Float32(),
    "ground_y": pl.Float32(),
    "ground_se": pl.Float32(),
    "face_height": pl.Float32(),
    "face_change": pl.Float32(),
    "mask_masked": pl.Float32(),
    "mask_unmasked": pl.Float32(),
    "mask_incorrect": pl.Float32(),
    "mask_reason": pl.String(),
    "role_resident": pl.Float32(),
    "role_staff_ppe": pl.Float32(),
    "role_staff_no_ppe": pl.Float32(),
    "role_outsider": pl.Float32(),
}
"""Columns of the log. px for pixels of the frame, m for metres on the ground; null = not known.
face_change: how much the picture around the face has changed since the look before (`vision.stillness`)."""

ROOT = "observations"
HOUR = 3600 * SECOND


class ObservationError(LazarettoError):
    """The observation log cannot be read or written."""


def empty() -> pl.DataFrame:
    """A log without rows."""
    return pl.DataFrame(schema=SCHEMA)


def part_path(camera: str, start: int) -> Path:
    """Where the part of a camera that begins at `start` (microseconds UTC) lies below the home."""
    hour = datetime.fromtimestamp(start // SECOND, UTC)
    stamp = re.sub(r"[-:]", "", to_iso(start))
    return Path(ROOT) / camera / f"{hour:%Y-%m-%dT%H}" / f"{stamp}.parquet"


def write_part(home: Path, observations: pl.DataFrame, camera: str, start: int) -> Path:
    """Write one stretch of a camera's log; returns the path relative to `home`.

    Raises:
        ObservationError: the rows do not have the log's schema, or the disk refuses them.
    """
    if observations.schema != pl.Schema(SCHEMA):
        raise ObservationError(f"expected the columns {list(SCHEMA)}, got {observations.columns}")
    relative = part_path(camera, start)
    write_parquet(home / relative, observations)
    return relative


def write_parquet(path: Path, table: pl.DataFrame) -> None:
    """Write a table so that `path` is afterwards whole, or as it was.

    Raises:
        ObservationError: the disk refuses it.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            table.write_parquet(file, compression="zstd", statistics=True)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except (OSError, pl.exceptions.PolarsError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ObservationError(f"cannot write {path.name} below {path.parent}: {error}") from error


def read(home: Path, camera: str, start: int, end: int) -> pl.DataFrame:
    """A camera's rows with start <= t < end (microseconds UTC), sorted by time and track.

    Raises:
        ObservationError: a part is torn or is not a Parquet file.
    """
    parts = sorted(_parts(home, camera, start, end))
    if not parts:
        return empty()
    tables = []
    for part in parts:
        try:
            # A column that an older version did not write is one that is not known.
            tables.append(pl.read_parquet(part, schema=SCHEMA, missing_columns="insert"))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ObservationError(f"{part}: expected a part of the observation log, got {error}") from error
    moment = pl.col("t").dt.timestamp("us")
    return pl.concat(tables).filter((moment >= start) & (moment < end)).sort("t", "track")


def _parts(home: Path, camera: str, start: int, end: int) -> Iterable[Path]:
    folder = home / ROOT / camera
    hour = datetime.fromtimestamp(start // HOUR * 3600, UTC)
    last = datetime.fromtimestamp(-(-end // SECOND), UTC)
    if not folder.is_dir():
        return
    names = {entry.name for entry in folder.iterdir()}
    if len(names) < (last - hour) / timedelta(hours=1):
        for name in names:
            if f"{hour:%Y-%m-%dT%H}" <= name <= f"{last:%Y-%m-%dT%H}":
                yield from (folder / name).glob("[!.]*.parquet")
        return
    while hour <= last:
        yield from (folder / f"{hour:%Y-%m-%dT%H}").glob("[!.]*.parquet")
        hour += timedelta(hours=1)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
