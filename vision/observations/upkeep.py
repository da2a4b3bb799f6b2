"""Upkeep of the observation log: merging parts into hour files, removing old hours, finding torn files.

Nothing here may run at the same time as an analysis that writes to the same home folder. Readers may read at
any time.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from vision.observations.files import PART_COLUMN, decode, encode, read_file, read_summary, write_atomically
from vision.observations.log import HOUR_FILE, hour_files, hour_folder, merged_rows_with_parts, stored_hours
from vision.observations.schema import LOG_FOLDER, ObservationError, TornError

MERGED_FILE_LEVEL = 12
"""zstd compression level of hour files, which are written once and kept."""
TORN_SUFFIX = ".torn"
"""Suffix of a torn file that was set aside."""
PURGED_SUFFIX = ".purged"
"""Suffix of an hour's folder while it is being removed."""


@dataclass(frozen=True)
class HourSummary:
    """How much the log holds of a camera in an hour.

    Attributes:
        camera: id of the camera.
        hour: start of the hour, microseconds UTC.
        files: number of files.
        old_format_files: number of these files in the old format, which are never merged.
        rows: number of rows.
        seconds: seconds of people in view.
        bytes: size on disk.
    """

    camera: str
    hour: int
    files: int
    old_format_files: int
    rows: int
    seconds: float
    bytes: int


def hour_summaries(home: Path, camera: str) -> Iterator[HourSummary]:
    """How much the log holds of a camera, hour by hour, from the metadata of its files.

    Raises:
        TornError: a file is torn.
    """
    for hour in stored_hours(home, camera):
        files = {path.name: read_summary(path) for path in _files(hour_folder(home, camera, hour))}
        merged = set(files[HOUR_FILE].parts or ()) if HOUR_FILE in files else set()
        counted = [item for name, item in files.items() if name not in merged]
        yield HourSummary(
            camera,
            hour,
            len(files),
            sum(not item.packed for item in files.values()),
            sum(item.rows for item in counted),
            sum(item.seconds for item in counted),
            sum(item.bytes for item in files.values()),
        )


def compact(home: Path, camera: str, hour: int) -> int:
    """Merge the parts of a camera and hour into one file, without loss; returns how many were merged.

    If the process is killed at any instant, readers still find every row once. A single part stays as it is.
    So do parts in the old format, because merging would round their rows.

    Raises:
        TornError: a file of the hour is torn.
        ObservationError: the merged file cannot be written.
    """
    folder = hour_folder(home, camera, hour)
    files = {name: file for name, file in hour_files(folder).items() if file.packed}
    parts = [name for name in files if name != HOUR_FILE]
    if len(files) < 2:
        return 0
    merged_before = files[HOUR_FILE].parts or () if HOUR_FILE in files else ()
    names = tuple(sorted({*parts, *merged_before}))
    numbers = {name: number for number, name in enumerate(names)}
    rows = merged_rows_with_parts(files).with_columns(
        pl.col(PART_COLUMN).replace_strict(numbers, return_dtype=pl.Int32)
    )
    data = encode(rows, names, MERGED_FILE_LEVEL)
    if not decode(data, folder / HOUR_FILE).rows.equals(rows):
        raise ObservationError(
            f"{folder / HOUR_FILE}: expected the merged file to hold the rows of its {len(files)} files, "
            "got others"
        )
    write_atomically(folder / HOUR_FILE, data)
    for name in parts:
        (folder / name).unlink()
    return len(parts)


def parts_to_compact(home: Path, camera: str, hour: int) -> int:
    """The number of parts that `compact` would merge, from the names and metadata of the files.

    Raises:
        TornError: a file of the hour is torn.
    """
    files = [path for path in _files(hour_folder(home, camera, hour)) if read_summary(path).packed]
    return len([path for path in files if path.name != HOUR_FILE]) if len(files) > 1 else 0


def remove_hour(home: Path, camera: str, hour: int) -> None:
    """Remove all rows of a camera and hour; for readers they disappear at once.

    Raises:
        ObservationError: the folder cannot be removed.
    """
    folder = hour_folder(home, camera, hour)
    doomed = folder.with_name(f".{folder.name}{PURGED_SUFFIX}")
    try:
        shutil.rmtree(doomed, ignore_errors=True)
        folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise ObservationError(f"cannot remove {folder}: {error.strerror or error}") from error


def clean_leftovers(home: Path, camera: str) -> int:
    """Remove what killed processes left half written or half removed; returns the number of entries."""
    folder = home / LOG_FOLDER / camera
    files, folders = list(folder.glob("*/.*.tmp")), list(folder.glob(f".*{PURGED_SUFFIX}"))
    for path in files:
        path.unlink(missing_ok=True)
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)
    return len(files) + len(folders)


def torn_files(home: Path, camera: str) -> Iterator[tuple[int, TornError]]:
    """Read all files of a camera's log; yields the hour and the error of every file that is torn."""
    for hour in stored_hours(home, camera):
        for path in _files(hour_folder(home, camera, hour)):
            try:
                read_file(path)
            except TornError as error:
                yield hour, error


def intact_parts(folder: Path) -> set[str]:
    """Names of the parts of an hour whose rows can be read from a file that is not torn."""
    names: set[str] = set()
    for path in _files(folder):
        with contextlib.suppress(TornError):
            names |= set(read_file(path).parts or [path.name])
    return names


def set_aside(path: Path) -> Path:
    """Rename a torn file so that readers no longer find it; returns its new path.

    Raises:
        ObservationError: the file cannot be renamed.
    """
    aside = path.with_name(path.name + TORN_SUFFIX)
    try:
        return path.replace(aside)
    except OSError as error:
        raise ObservationError(f"cannot rename {path}: {error.strerror or error}") from error


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*.parquet"))
