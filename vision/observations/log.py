"""The observation log of a home: where the rows of a camera and hour lie, written and read.

On disk: `observations/<camera>/<YYYY-MM-DD>T<HH>/<start>.parquet`, one part per stretch of footage, none of
which crosses an hour; and `hour.parquet`, made of parts once there are no more to come
(`vision.observations.upkeep`). Every file is whole or absent. Where a part and an hour that was made of it
both exist, because they were just being put together or because the stretch was written anew, the part
holds: so each row is there once, at any instant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from vision.frames import SECOND, from_iso, to_iso
from vision.observations.files import PART_COLUMN, LogFile, encode, read_file, write_atomically
from vision.observations.schema import HOUR, LOG_FOLDER, SCHEMA, ObservationError, empty

HOUR_FILE = "hour.parquet"
"""Name of the file that an hour's parts are put together to."""
ATTEMPTS = 10
"""Listings of an hour before reading gives up: each but the last was overtaken by somebody who tidied it."""
_HOUR_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d")


def hour_folder(home: Path, camera: str, hour: int) -> Path:
    """The folder of a camera's rows of the hour in which `hour` (microseconds UTC) lies."""
    return home / LOG_FOLDER / camera / f"{datetime.fromtimestamp(hour // SECOND, UTC):%Y-%m-%dT%H}"


def hour_of(folder: Path) -> int | None:
    """The start of the hour of a folder, microseconds UTC; None where its name is not that of an hour."""
    try:
        return from_iso(f"{folder.name}:00:00Z") if _HOUR_NAME.fullmatch(folder.name) else None
    except ValueError:
        return None


def part_path(camera: str, start: int) -> Path:
    """Where the part of a camera that begins at `start` (microseconds UTC) lies below the home."""
    stamp = re.sub(r"[-:]", "", to_iso(start))
    return hour_folder(Path(), camera, start) / f"{stamp}.parquet"


def write_part(home: Path, observations: pl.DataFrame, camera: str, start: int) -> Path:
    """Write one stretch of a camera's log, rounded as `vision.observations.packing` says.

    A part of the same start is replaced, also in an hour that was put together. Rows of other hours than
    that of `start` become parts of their own.

    Returns:
        The path of the part that begins at `start`, relative to `home`.

    Raises:
        ObservationError: the rows do not have the log's schema or are of another camera, or the disk
            refuses them.
    """
    if observations.schema != pl.Schema(SCHEMA):
        raise ObservationError(f"expected the columns {list(SCHEMA)}, got {observations.columns}")
    if others := set(observations["camera"].unique().to_list()) - {camera}:
        raise ObservationError(f"expected observations of camera {camera!r}, got some of {others.pop()!r}")
    relative = part_path(camera, start)
    own = start // HOUR * HOUR
    hour = (pl.col("t").dt.timestamp("us") // HOUR * HOUR).fill_null(own)
    pieces = {key: rows for (key,), rows in observations.group_by(hour, maintain_order=True)}
    data = {relative: encode(pieces.pop(own, observations.clear()))}
    data |= {part_path(camera, later): encode(rows) for later, rows in pieces.items()}
    for path, content in data.items():
        write_atomically(home / path, content)
    return relative


def read(home: Path, camera: str, start: int, end: int) -> pl.DataFrame:
    """A camera's rows with start <= t < end (microseconds UTC), sorted by time and track.

    Raises:
        TornError: a file of it is torn.
    """
    return pl.concat([empty(), *(rows for _, rows in read_hours(home, camera, start, end))])


def read_hours(home: Path, camera: str, start: int, end: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """What `read` gives, hour by hour in order of time, so that memory holds one hour of it.

    Yields:
        The start of the hour, microseconds UTC, and its rows; hours without rows are left out.

    Raises:
        TornError: a file of it is torn.
    """
    moment = pl.col("t").dt.timestamp("us")
    for hour, folder in hour_folders(home, camera):
        if hour + HOUR > start and hour < end:
            rows = merged_rows(hour_files(folder))
            if hour < start or hour + HOUR > end:
                rows = rows.filter((moment >= start) & (moment < end))
            if len(rows):
                yield hour, rows


def hour_files(folder: Path) -> dict[str, LogFile]:
    """Every file of an hour's folder by its name, without the rows that another one holds.

    Raises:
        TornError: one is torn.
    """
    for _ in range(ATTEMPTS):
        names = _names(folder)
        try:
            files = {name: read_file(folder / name) for name in names}
        except FileNotFoundError:
            continue
        if _names(folder) != names:
            continue
        whole = files.get(HOUR_FILE)
        if whole is not None and whole.parts:
            gone = [number for number, name in enumerate(whole.parts) if name in files]
            rows = whole.rows.filter(~pl.col(PART_COLUMN).is_in(gone)) if gone else whole.rows
            files[HOUR_FILE] = LogFile(rows, whole.parts, whole.rounded)
        return files
    raise ObservationError(
        f"{folder}: expected to read it within {ATTEMPTS} attempts, but its files kept changing"
    )


def merged_rows(files: Mapping[str, LogFile]) -> pl.DataFrame:
    """The rows of an hour's files, sorted by time and track; those that tie, in the order of the parts."""
    if len(files) == 1:
        return next(iter(files.values())).rows.drop(PART_COLUMN, strict=False)
    return merged_rows_with_parts(files).drop(PART_COLUMN)


def merged_rows_with_parts(files: Mapping[str, LogFile]) -> pl.DataFrame:
    """`merged_rows`, with the name of each row's part in the column `PART_COLUMN`."""
    pieces = [empty().with_columns(pl.lit(None, pl.String).alias(PART_COLUMN))]
    for name, stored in files.items():
        part = pl.lit(name)
        if stored.parts is not None:
            part = pl.col(PART_COLUMN).replace_strict(dict(enumerate(stored.parts)), return_dtype=pl.String)
        pieces.append(stored.rows.with_columns(part.alias(PART_COLUMN)))
    return pl.concat(pieces).sort("t", "track", PART_COLUMN, maintain_order=True)


def cameras(home: Path) -> tuple[str, ...]:
    """The cameras of which the log holds anything, sorted."""
    return tuple(
        name for name in camera_folders(home) if any(_names(folder) for _, folder in hour_folders(home, name))
    )


def stored_hours(home: Path, camera: str) -> tuple[int, ...]:
    """Starts of the hours (microseconds UTC) of which the log holds something of a camera; reads no file."""
    return tuple(hour for hour, folder in hour_folders(home, camera) if _names(folder))


def camera_folders(home: Path) -> list[str]:
    """The cameras that have a folder in the log, sorted, even if nothing in it is whole."""
    folder = home / LOG_FOLDER
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []


def hour_folders(home: Path, camera: str) -> list[tuple[int, Path]]:
    """The hours of a camera that have a folder, in order of time, even if nothing in it is whole."""
    folder = home / LOG_FOLDER / camera
    found = [(hour_of(entry), entry) for entry in folder.iterdir()] if folder.is_dir() else []
    return sorted((hour, entry) for hour, entry in found if hour is not None)


def span(home: Path, camera: str) -> tuple[int, int] | None:
    """From the first to behind the last row of a camera, microseconds UTC; None where it has no row.

    Reads the first and the last hour.

    Raises:
        TornError: a file in them is torn.
    """
    held = stored_hours(home, camera)
    first = next((rows for hour in held for rows in _rows_of(home, camera, hour)), None)
    last = next((rows for hour in reversed(held) for rows in _rows_of(home, camera, hour)), None)
    if first is None or last is None:
        return None
    moment = pl.col("t").dt.timestamp("us")
    return int(first.select(moment.min()).item()), int(last.select(moment.max()).item()) + 1


def _rows_of(home: Path, camera: str, hour: int) -> Iterator[pl.DataFrame]:
    return (rows for _, rows in read_hours(home, camera, hour, hour + HOUR))


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("[!.]*.parquet"))
