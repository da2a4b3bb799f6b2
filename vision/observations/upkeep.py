"""Keeping the observation log small and whole: parts put together, old hours removed, torn files found.

Nothing here may run beside an analysis of the same home; readers may read all the while.
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

LEVEL = 12
"""Of zstd, for files that are written once and stay."""
TORN = ".torn"
"""What the name of a file that was set aside ends in."""
PURGED = ".purged"


@dataclass(frozen=True)
class HourSummary:
    """What the log holds of a camera in an hour.

    Attributes:
        camera, hour: which; its start, microseconds UTC.
        files: how many; before: how many of them are of the form before, which is not put together.
        rows: people in frames; seconds: of people in view; bytes: on the disk.
    """

    camera: str
    hour: int
    files: int
    before: int
    rows: int
    seconds: float
    bytes: int


def hour_summaries(home: Path, camera: str) -> Iterator[HourSummary]:
    """What the log holds of a camera, hour by hour, from the files' metadata.

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
            sum(not item.rounded for item in files.values()),
            sum(item.rows for item in counted),
            sum(item.seconds for item in counted),
            sum(item.bytes for item in files.values()),
        )


def compact(home: Path, camera: str, hour: int) -> int:
    """Put the parts of a camera and hour together into one file, without loss; returns how many there were.

    Killed at any instant, it leaves every row where readers find it, once. One part alone stays as it is;
    so do parts of the form before, whose rows would have to be rounded.

    Raises:
        TornError: a file of the hour is torn.
        ObservationError: the disk refuses it.
    """
    folder = hour_folder(home, camera, hour)
    files = {name: stored for name, stored in hour_files(folder).items() if stored.rounded}
    parts = [name for name in files if name != HOUR_FILE]
    if len(files) < 2:
        return 0
    before = files[HOUR_FILE].parts or () if HOUR_FILE in files else ()
    names = tuple(sorted({*parts, *before}))
    numbers = {name: number for number, name in enumerate(names)}
    rows = merged_rows_with_parts(files).with_columns(
        pl.col(PART_COLUMN).replace_strict(numbers, return_dtype=pl.Int32)
    )
    data = encode(rows, names, LEVEL)
    if not decode(data, folder / HOUR_FILE).rows.equals(rows):
        raise ObservationError(f"{folder / HOUR_FILE}: expected the rows of {len(files)} files, got others")
    write_atomically(folder / HOUR_FILE, data)
    for name in parts:
        (folder / name).unlink()
    return len(parts)


def parts_to_compact(home: Path, camera: str, hour: int) -> int:
    """How many parts `compact` would put together, by the names of files and what they say of themselves.

    Raises:
        TornError: a file of the hour is torn.
    """
    files = [path for path in _files(hour_folder(home, camera, hour)) if read_summary(path).rounded]
    return len([path for path in files if path.name != HOUR_FILE]) if len(files) > 1 else 0


def remove_hour(home: Path, camera: str, hour: int) -> None:
    """Remove what the log holds of a camera and hour, all of it at once for readers.

    Raises:
        ObservationError: the disk refuses it.
    """
    folder = hour_folder(home, camera, hour)
    doomed = folder.with_name(f".{folder.name}{PURGED}")
    try:
        shutil.rmtree(doomed, ignore_errors=True)
        folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise ObservationError(f"cannot remove {folder}: {error.strerror or error}") from error


def clean_leftovers(home: Path, camera: str) -> int:
    """Remove what kills left half written or half removed; returns how many files and folders."""
    folder = home / LOG_FOLDER / camera
    files, folders = list(folder.glob("*/.*.tmp")), list(folder.glob(f".*{PURGED}"))
    for path in files:
        path.unlink(missing_ok=True)
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)
    return len(files) + len(folders)


def torn_files(home: Path, camera: str) -> Iterator[tuple[int, TornError]]:
    """Every file of a camera's log that is torn, with its hour; reads all of them."""
    for hour in stored_hours(home, camera):
        for path in _files(hour_folder(home, camera, hour)):
            try:
                read_file(path)
            except TornError as error:
                yield hour, error


def intact_parts(folder: Path) -> set[str]:
    """Names of the parts of an hour whose rows some file of it holds that is not torn."""
    names: set[str] = set()
    for path in _files(folder):
        with contextlib.suppress(TornError):
            names |= set(read_file(path).parts or [path.name])
    return names


def set_aside(path: Path) -> Path:
    """Rename a torn file so that readers no longer find it; returns its new path.

    Raises:
        ObservationError: the disk refuses it.
    """
    aside = path.with_name(path.name + TORN)
    try:
        return path.replace(aside)
    except OSError as error:
        raise ObservationError(f"cannot rename {path}: {error.strerror or error}") from error


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*.parquet"))
