"""Reading and writing the observation log of a home folder.

On disk, the rows of a camera and hour lie in `observations/<camera>/<YYYY-MM-DD>T<HH>/`. Each segment of
footage is written to a part of its own, `<start>.parquet`; a part never crosses an hour. Live rows are
appended to a file, `<start>.log` (`vision.observations.append_log`), which is a part too. When no more rows
are to come, `vision.observations.upkeep` merges the parts of an hour into `hour.parquet`. Every file is
written atomically, except that append logs grow at their end. If a part and the hour file merged from it both
exist (a merge was interrupted, or the segment was written again), readers use the part. So readers see each
row once, at any instant.

When the last append log of a camera is merged, the name of an empty file, `<time>.until` in the folder of the
camera, keeps the stream time up to which it was known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from vision.frames import SECOND, from_iso
from vision.observations import append_file
from vision.observations.append_file import APPEND_SUFFIX, append_paths
from vision.observations.files import (
    MAX_READ_ATTEMPTS,
    PART_COLUMN,
    FileSummary,
    LogFile,
    encode,
    read_file,
    read_summary,
    read_tracks,
    write_atomically,
)
from vision.observations.schema import HOUR, LOG_FOLDER, ObservationError, check_rows, empty, stamp

HOUR_FILE = "hour.parquet"
"""Name of the file into which the parts of an hour are merged."""
UNTIL_SUFFIX = ".until"
"""Suffix of the file whose name keeps the time up to which the append log of a camera was known."""
_HOUR_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d")


def hour_folder(home: Path, camera: str, hour: int) -> Path:
    """The folder of a camera's rows for the hour that contains `hour` (microseconds UTC)."""
    return home / LOG_FOLDER / camera / f"{datetime.fromtimestamp(hour // SECOND, UTC):%Y-%m-%dT%H}"


def hour_of(folder: Path) -> int | None:
    """The start of a folder's hour, microseconds UTC; None if the folder's name is not that of an hour."""
    try:
        return from_iso(f"{folder.name}:00:00Z") if _HOUR_NAME.fullmatch(folder.name) else None
    except ValueError:
        return None


def part_path(camera: str, start: int) -> Path:
    """Path below the home folder of the part of a camera that begins at `start` (microseconds UTC)."""
    return hour_folder(Path(), camera, start) / f"{stamp(start)}.parquet"


def write_part(home: Path, observations: pl.DataFrame, camera: str, start: int) -> Path:
    """Write the rows of one segment of a camera, rounded (see `vision.observations.packing`).

    A part with the same start is replaced, even if it was merged into an hour file. Rows that lie in other
    hours than `start` are written to parts of their own.

    Returns:
        The path of the part that begins at `start`, relative to `home`.

    Raises:
        ObservationError: the rows do not have the log's schema or are of another camera, or a part cannot
            be written.
    """
    check_rows(observations, camera)
    relative = part_path(camera, start)
    first_hour = start // HOUR * HOUR
    hour = (pl.col("t").dt.timestamp("us") // HOUR * HOUR).fill_null(first_hour)
    by_hour = {key: rows for (key,), rows in observations.group_by(hour, maintain_order=True)}
    data = {relative: encode(by_hour.pop(first_hour, observations.clear()))}
    data |= {part_path(camera, later): encode(rows) for later, rows in by_hour.items()}
    for path, content in data.items():
        write_atomically(home / path, content)
    return relative


def read(home: Path, camera: str, start: int, end: int) -> pl.DataFrame:
    """Read a camera's rows with start <= t < end (microseconds UTC), sorted by time and track.

    Raises:
        TornError: a file in this range is torn.
    """
    return pl.concat([empty(), *(rows for _, rows in read_hours(home, camera, start, end))])


def read_hours(home: Path, camera: str, start: int, end: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """Read the same rows as `read`, hour by hour in order of time, with one hour in memory at a time.

    Yields:
        The start of the hour (microseconds UTC) and its rows; hours without rows are left out.

    Raises:
        TornError: a file in this range is torn.
    """
    t = pl.col("t").dt.timestamp("us")
    for hour, folder in hour_folders(home, camera):
        if hour + HOUR > start and hour < end:
            rows = merged_rows(hour_files(folder))
            if hour < start or hour + HOUR > end:
                rows = rows.filter((t >= start) & (t < end))
            if len(rows):
                yield hour, rows


def hour_files(folder: Path) -> dict[str, LogFile]:
    """Read all files of an hour's folder, by name; the hour file without the rows of parts that exist.

    Raises:
        TornError: a file is torn.
        ObservationError: the files kept changing while they were read.
    """
    for _ in range(MAX_READ_ATTEMPTS):
        paths = file_paths(folder)
        try:
            files = {path.name: read_stored(path) for path in paths}
        except FileNotFoundError:
            continue
        if file_paths(folder) != paths:
            continue
        merged = files.get(HOUR_FILE)
        if merged is not None and merged.parts:
            superseded = [number for number, name in enumerate(merged.parts) if name in files]
            if superseded:
                rows = merged.rows.filter(~pl.col(PART_COLUMN).is_in(superseded))
                files[HOUR_FILE] = replace(merged, rows=rows)
        return files
    raise ObservationError(
        f"{folder}: expected to read it within {MAX_READ_ATTEMPTS} attempts, but its files kept changing"
    )


def read_stored(path: Path) -> LogFile:
    """Read a file of the log of either kind, Parquet or append log.

    Raises:
        FileNotFoundError: there is no such file.
        TornError: the file is torn.
        ObservationError: the file cannot be read, or a later version wrote it.
    """
    return append_file.read(path) if path.suffix == APPEND_SUFFIX else read_file(path)


def summarise_stored(path: Path) -> FileSummary:
    """Read how much a file of the log holds, of either kind.

    Raises:
        FileNotFoundError, TornError, ObservationError: see `read_stored`.
    """
    return append_file.read_summary(path) if path.suffix == APPEND_SUFFIX else read_summary(path)


def tracks_of_stored(path: Path) -> frozenset[int]:
    """Read the ids of the tracks of a file of the log, of either kind.

    Raises:
        FileNotFoundError, TornError, ObservationError: see `read_stored`.
    """
    if path.suffix == APPEND_SUFFIX:
        return frozenset(append_file.read(path).rows["track"].unique().to_list())
    return read_tracks(path)


def file_paths(folder: Path) -> list[Path]:
    """The files of the log in the folder of an hour, sorted by name."""
    return sorted([*folder.glob("[!.]*.parquet"), *append_paths(folder)])


def merged_rows(files: Mapping[str, LogFile]) -> pl.DataFrame:
    """The rows of an hour's files, sorted by time and track; rows that tie, by the name of their part."""
    if len(files) == 1:
        return next(iter(files.values())).rows.drop(PART_COLUMN, strict=False)
    return merged_rows_with_parts(files).drop(PART_COLUMN)


def merged_rows_with_parts(files: Mapping[str, LogFile]) -> pl.DataFrame:
    """The same rows as `merged_rows`, with the name of each row's part in the column `PART_COLUMN`."""
    tables = [empty().with_columns(pl.lit(None, pl.String).alias(PART_COLUMN))]
    for name, file in files.items():
        part = pl.lit(name)
        if file.parts is not None:
            part = pl.col(PART_COLUMN).replace_strict(dict(enumerate(file.parts)), return_dtype=pl.String)
        tables.append(file.rows.with_columns(part.alias(PART_COLUMN)))
    return pl.concat(tables).sort("t", "track", PART_COLUMN, maintain_order=True)


def cameras(home: Path) -> tuple[str, ...]:
    """The cameras of which the log has files, sorted."""
    return tuple(
        name
        for name in camera_folders(home)
        if any(file_paths(folder) for _, folder in hour_folders(home, name))
    )


def stored_hours(home: Path, camera: str) -> tuple[int, ...]:
    """Starts of the hours (microseconds UTC) for which the log has files of a camera; reads no file."""
    return tuple(hour for hour, folder in hour_folders(home, camera) if file_paths(folder))


def camera_folders(home: Path) -> list[str]:
    """The cameras that have a folder in the log, sorted, even if it holds no readable file."""
    folder = home / LOG_FOLDER
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []


def hour_folders(home: Path, camera: str) -> list[tuple[int, Path]]:
    """The hours of a camera that have a folder, in order of time, even if it holds no readable file."""
    folder = home / LOG_FOLDER / camera
    found = [(hour_of(entry), entry) for entry in folder.iterdir()] if folder.is_dir() else []
    return sorted((hour, entry) for hour, entry in found if hour is not None)


def append_log_files(home: Path, camera: str) -> list[Path]:
    """The files of a camera's append log, in order of time; rows may be appended to the last one."""
    return [path for _, folder in hour_folders(home, camera) for path in append_paths(folder)]


def newest_append_file(home: Path, camera: str) -> Path | None:
    """The last of `append_log_files`; looks at the newest hours first."""
    folders = reversed(hour_folders(home, camera))
    return next((paths[-1] for _, folder in folders if (paths := append_paths(folder))), None)


def known_until(home: Path, camera: str) -> int | None:
    """The stream time up to which the live rows of a camera are in the log, microseconds UTC.

    None: no live rows were ever appended. A row before that time will not be added any more.

    Raises:
        TornError: the head of the newest append log is damaged.
        ObservationError: the files kept changing while they were read.
    """
    for _ in range(MAX_READ_ATTEMPTS):
        path = newest_append_file(home, camera)
        marks = until_marks(home, camera)
        try:
            times = [] if path is None else [append_file.scan(path).until]
        except FileNotFoundError:
            continue  # It was merged meanwhile.
        return max([*times, *marks.values()], default=None)
    raise ObservationError(
        f"{home / LOG_FOLDER / camera}: expected to read it within {MAX_READ_ATTEMPTS} attempts, but its "
        "files kept changing"
    )


def until_marks(home: Path, camera: str) -> dict[Path, int]:
    """The files whose names keep the time up to which a camera's append log was known, with that time."""
    found = (home / LOG_FOLDER / camera).glob(f"[!.]*{UNTIL_SUFFIX}")
    return {path: from_iso(path.name.removesuffix(UNTIL_SUFFIX)) for path in found}


def span(home: Path, camera: str) -> tuple[int, int] | None:
    """The time range [start, end) of a camera's rows, microseconds UTC; None if it has no rows.

    Reads the first and the last hour that have rows.

    Raises:
        TornError: a file in these hours is torn.
    """
    stored = stored_hours(home, camera)
    first = next((rows for hour in stored for rows in _hour_rows(home, camera, hour)), None)
    last = next((rows for hour in reversed(stored) for rows in _hour_rows(home, camera, hour)), None)
    if first is None or last is None:
        return None
    t = pl.col("t").dt.timestamp("us")
    return int(first.select(t.min()).item()), int(last.select(t.max()).item()) + 1


def _hour_rows(home: Path, camera: str, hour: int) -> Iterator[pl.DataFrame]:
    return (rows for _, rows in read_hours(home, camera, hour, hour + HOUR))
