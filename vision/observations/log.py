"""The files of the observation log: where the rows of a camera and hour lie, written and read.

On disk: `observations/<camera>/<YYYY-MM-DD>T<HH>/<start>.parquet`, one part per stretch of footage,
written to a temporary name, flushed and renamed, so a part is whole or absent. A part never crosses
an hour. What a crash can leave behind is a temporary file, which readers ignore and writers replace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from vision.frames import SECOND, from_iso, to_iso
from vision.observations.files import write_parquet
from vision.observations.schema import HOUR, ROOT, SCHEMA, ObservationError, empty

_HOUR_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d")


def hour_folder(home: Path, camera: str, hour: int) -> Path:
    """The folder of a camera's rows of the hour in which `hour` (microseconds UTC) lies."""
    return home / ROOT / camera / f"{datetime.fromtimestamp(hour // SECOND, UTC):%Y-%m-%dT%H}"


def part_path(camera: str, start: int) -> Path:
    """Where the part of a camera that begins at `start` (microseconds UTC) lies below the home."""
    stamp = re.sub(r"[-:]", "", to_iso(start))
    return hour_folder(Path(), camera, start) / f"{stamp}.parquet"


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


def read(home: Path, camera: str, start: int, end: int) -> pl.DataFrame:
    """A camera's rows with start <= t < end (microseconds UTC), sorted by time and track.

    Raises:
        ObservationError: a part is torn or is not a Parquet file.
    """
    return pl.concat([empty(), *(rows for _, rows in hours(home, camera, start, end))])


def hours(home: Path, camera: str, start: int, end: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """What `read` gives, hour by hour in order of time, so that memory holds one hour of it.

    Yields:
        The start of the hour, microseconds UTC, and its rows; hours without rows are left out.

    Raises:
        ObservationError: a part is torn or is not a Parquet file.
    """
    moment = pl.col("t").dt.timestamp("us")
    for hour in hours_held(home, camera):
        if hour + HOUR > start and hour < end:
            parts = sorted(hour_folder(home, camera, hour).glob("[!.]*.parquet"))
            rows = pl.concat([empty(), *map(_read_part, parts)])
            rows = rows.filter((moment >= start) & (moment < end)).sort("t", "track")
            if len(rows):
                yield hour, rows


def cameras(home: Path) -> tuple[str, ...]:
    """The cameras of which the log holds anything, sorted."""
    folder = home / ROOT
    if not folder.is_dir():
        return ()
    return tuple(sorted(e.name for e in folder.iterdir() if e.is_dir() and hours_held(home, e.name)))


def hours_held(home: Path, camera: str) -> tuple[int, ...]:
    """Starts of the hours (microseconds UTC) of which the log holds something of a camera; reads no file."""
    folder = home / ROOT / camera
    if not folder.is_dir():
        return ()
    names = sorted(e.name for e in folder.iterdir() if _HOUR_NAME.fullmatch(e.name))
    return tuple(from_iso(f"{name}:00:00Z") for name in names if any((folder / name).glob("[!.]*.parquet")))


def span(home: Path, camera: str) -> tuple[int, int] | None:
    """From the first to behind the last row of a camera, microseconds UTC; None where it has no row.

    Reads the first and the last hour.

    Raises:
        ObservationError: a part in them is torn or is not a Parquet file.
    """
    held = hours_held(home, camera)
    first = next((rows for hour in held for rows in _rows_of(home, camera, hour)), None)
    last = next((rows for hour in reversed(held) for rows in _rows_of(home, camera, hour)), None)
    if first is None or last is None:
        return None
    moment = pl.col("t").dt.timestamp("us")
    return int(first.select(moment.min()).item()), int(last.select(moment.max()).item()) + 1


def _rows_of(home: Path, camera: str, hour: int) -> Iterator[pl.DataFrame]:
    return (rows for _, rows in hours(home, camera, hour, hour + HOUR))


def _read_part(part: Path) -> pl.DataFrame:
    try:
        # A column that an older version did not write is one that is not known.
        return pl.read_parquet(part, schema=SCHEMA, missing_columns="insert")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ObservationError(f"{part}: expected a part of the observation log, got {error}") from error
