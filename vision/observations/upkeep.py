"""Upkeep of the observation log: merging parts into hour files, removing old hours, finding torn files.

No other process may write to the hours that are merged, removed or recovered: `pipelines.locks` sees to that.
The writer of an append log merges the hours that it has finished. Readers may read at any time, but what they
have yet to read of an hour that is removed is gone.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import polars as pl

from vision.observations.append_file import (
    APPEND_SUFFIX,
    TornTail,
    append_paths,
    cut_torn_tail,
    only_writer,
    scan,
    start_of,
)
from vision.observations.files import (
    MAX_READ_ATTEMPTS,
    PART_COLUMN,
    FileSummary,
    decode,
    encode,
    read_file,
    remove_leftover,
    write_atomically,
)
from vision.observations.log import (
    HOUR_FILE,
    UNTIL_SUFFIX,
    file_paths,
    hour_files,
    hour_folder,
    merged_rows_with_parts,
    newest_append_file,
    read_stored,
    stored_hours,
    summarise_stored,
    tracks_of_stored,
    until_marks,
)
from vision.observations.schema import LOG_FOLDER, ObservationError, TornError, stamp

T = TypeVar("T")
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
        append_logs: number of these files that are append logs.
        rows: number of rows.
        seconds: seconds of people in view.
        bytes: size on disk.
    """

    camera: str
    hour: int
    files: int
    old_format_files: int
    append_logs: int
    rows: int
    seconds: float
    bytes: int


def hour_summaries(home: Path, camera: str) -> Iterator[HourSummary]:
    """How much the log holds of a camera, hour by hour, from the metadata of its files and its append logs.

    Raises:
        TornError: a file is torn.
    """
    for hour in stored_hours(home, camera):
        files = _summaries(hour_folder(home, camera, hour))
        merged = set(files[HOUR_FILE].parts or ()) if HOUR_FILE in files else set()
        counted = [item for name, item in files.items() if name not in merged]
        yield HourSummary(
            camera,
            hour,
            len(files),
            sum(not item.packed for item in files.values()),
            sum(name.endswith(APPEND_SUFFIX) for name in files),
            sum(item.rows for item in counted),
            sum(item.seconds for item in counted),
            sum(item.bytes for item in files.values()),
        )


def hour_tracks(home: Path, camera: str, hour: int) -> frozenset[int]:
    """The ids of the tracks that the log holds of a camera in an hour; none where it holds nothing of it.

    Raises:
        TornError: a file is torn.
    """
    return frozenset().union(*_of_files(hour_folder(home, camera, hour), tracks_of_stored).values())


def compact(home: Path, camera: str, hour: int) -> int:
    """Merge the parts of a camera and hour into one file, without loss; returns how many were merged.

    If the process is killed at any instant, readers still find every row once. Append logs are parts too; one
    without rows is only removed. A single Parquet part stays as it is. So do parts in the old format, because
    merging would round their rows.

    Raises:
        TornError: a file of the hour is torn.
        ObservationError: the merged file cannot be written, or a writer has an append log of the hour open.
    """
    folder = hour_folder(home, camera, hour)
    with contextlib.ExitStack() as stack:
        descriptors = {path: stack.enter_context(only_writer(path)) for path in append_paths(folder)}
        files = {name: file for name, file in hour_files(folder).items() if file.packed}
        for path, descriptor in descriptors.items():
            cut_torn_tail(path, descriptor)
        _keep_until(home, camera, folder)
        parts = _parts_to_remove({name: len(file.rows) for name, file in files.items()})
        merged = {name: file for name, file in files.items() if len(file.rows) or not _is_append_log(name)}
        if any(name in merged for name in parts):
            merged_before = merged[HOUR_FILE].parts or () if HOUR_FILE in merged else ()
            names = tuple(sorted({*merged, *merged_before} - {HOUR_FILE}))
            numbers = {name: number for number, name in enumerate(names)}
            rows = merged_rows_with_parts(merged).with_columns(
                pl.col(PART_COLUMN).replace_strict(numbers, return_dtype=pl.Int32)
            )
            data = encode(rows, names, MERGED_FILE_LEVEL)
            if not decode(data, folder / HOUR_FILE).rows.equals(rows):
                raise ObservationError(
                    f"{folder / HOUR_FILE}: expected the merged file to hold the rows of its {len(merged)} "
                    "files, got others"
                )
            write_atomically(folder / HOUR_FILE, data)
        try:
            for name in parts:
                (folder / name).unlink()
        except OSError as error:
            raise ObservationError(f"cannot remove {error.filename}: {error.strerror or error}") from error
    with contextlib.suppress(OSError):  # It holds other files, as it nearly always does.
        folder.rmdir()
    return len(parts)


def parts_to_compact(home: Path, camera: str, hour: int) -> int:
    """The number of parts that `compact` would merge, from what `hour_summaries` reads.

    Raises:
        TornError: a file of the hour is torn.
    """
    files = _summaries(hour_folder(home, camera, hour))
    return len(_parts_to_remove({name: item.rows for name, item in files.items() if item.packed}))


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
        with contextlib.suppress(FileNotFoundError):  # `clean_leftovers` of another process helps.
            shutil.rmtree(doomed)
    except OSError as error:
        raise ObservationError(f"cannot remove {folder}: {error.strerror or error}") from error


def clean_leftovers(home: Path, camera: str) -> int:
    """Remove what killed processes left half written or half removed; returns the number of entries.

    What another process is still writing stays.
    """
    folder = home / LOG_FOLDER / camera
    files = [*folder.glob("*/.*.tmp"), *folder.glob(".*.tmp")]
    removed = sum(remove_leftover(path) for path in files)
    folders = list(folder.glob(f".*{PURGED_SUFFIX}"))
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)
    return removed + len(folders)


def torn_files(home: Path, camera: str) -> Iterator[tuple[int, TornError]]:
    """Read all files of a camera's log; yields the hour and the error of every file that is torn."""
    for hour in stored_hours(home, camera):
        for error in torn_files_of_hour(home, camera, hour):
            yield hour, error


def torn_files_of_hour(home: Path, camera: str, hour: int) -> Iterator[TornError]:
    """Read all files of a camera and hour; yields the error of every file that is torn."""
    for path in file_paths(hour_folder(home, camera, hour)):
        try:
            read_stored(path)
        except TornError as error:
            yield error
        except FileNotFoundError:
            continue  # It was merged meanwhile, by the writer of an append log.


def held_parts(home: Path, camera: str, hour: int) -> frozenset[str]:
    """Names of the parts that the log holds of a camera and hour, merged or not; none where it holds nothing.

    Raises:
        TornError: a file of the hour is torn.
    """
    files = _summaries(hour_folder(home, camera, hour))
    return frozenset(name for file, item in files.items() for name in (file, *(item.parts or ())))


def intact_parts(folder: Path) -> set[str]:
    """Names of the parts of an hour whose rows can be read from a file that is not torn."""
    names: set[str] = set()
    for path in file_paths(folder):
        with contextlib.suppress(TornError):
            names |= set(read_stored(path).parts or [path.name])
    return names


def recover_append_log(path: Path) -> TornTail | None:
    """Set aside what follows the last whole record of an append log; None if nothing follows.

    A file whose head is damaged is set aside whole. So is a damaged file whose rows the hour file holds as
    well, because readers prefer a part to the hour file.

    Raises:
        ObservationError: a writer has the file open, or it cannot be written.
    """
    with only_writer(path) as descriptor:
        try:
            found = scan(path)
        except TornError as error:
            size = path.stat().st_size
            return TornTail(path, set_aside(path), error.why, size, start_of(path))
        if found.damage and path.name in _merged_parts(path.parent):
            return TornTail(path, set_aside(path), found.damage, found.size, None)
        return cut_torn_tail(path, descriptor)


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


def _summaries(folder: Path) -> dict[str, FileSummary]:
    return _of_files(folder, summarise_stored)


def _of_files(folder: Path, read: Callable[[Path], T]) -> dict[str, T]:
    """What is read of each file of an hour's folder, by name."""
    for _ in range(MAX_READ_ATTEMPTS):
        paths = file_paths(folder)
        try:
            return {path.name: read(path) for path in paths}
        except FileNotFoundError:
            continue  # It was merged meanwhile, by the writer of an append log.
    raise ObservationError(
        f"{folder}: expected to read it within {MAX_READ_ATTEMPTS} attempts, but its files kept changing"
    )


def _is_append_log(name: str) -> bool:
    return name.endswith(APPEND_SUFFIX)


def _parts_to_remove(rows: Mapping[str, int]) -> list[str]:
    """Names of the parts that `compact` replaces by an hour file, or removes.

    Args:
        rows: number of rows of each packed file of the hour.
    """
    logs = [name for name in rows if _is_append_log(name)]
    filled = [name for name in rows if rows[name] or name not in logs]
    merge = len(filled) > 1 or any(name in logs for name in filled)
    return [name for name in rows if name != HOUR_FILE and (merge or name in logs)]


def _keep_until(home: Path, camera: str, folder: Path) -> None:
    """Keep the time up to which the append log was known, if its newest file lies in the folder."""
    newest = newest_append_file(home, camera)
    if newest is None or newest.parent != folder:
        return
    marks = until_marks(home, camera)
    mark = folder.parent / f"{stamp(scan(newest).until)}{UNTIL_SUFFIX}"
    if mark not in marks:
        write_atomically(mark, b"")
    for older in marks.keys() - {mark}:
        older.unlink()


def _merged_parts(folder: Path) -> tuple[str, ...]:
    """Names of the parts that the hour file holds; none if it is torn."""
    with contextlib.suppress(TornError, FileNotFoundError):
        return read_file(folder / HOUR_FILE).parts or ()
    return ()
