"""Files of the observation log: their format, atomic writing, and detection of torn files.

A file holds packed rows (`vision.observations.packing`) as Parquet. The Parquet metadata has one entry under
the key `lazaretto`, a JSON object with these fields:

- `format`: version of the format;
- `rows`, `seconds`: number of rows, and the seconds of people in view that they stand for;
- `constant`: columns that have one value in all rows, with that value; they are not stored as columns;
- `parts`: only in a file merged from several parts: the names of the parts, indexed by the column `part`;
- `crc`: CRC-32 of the whole file, computed with zeros in place of the checksum.

Files without this entry are in the old format: rows as they were given, neither rounded nor packed.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NotRequired, TypedDict, cast

import polars as pl

from vision.frames import SECOND
from vision.observations.packing import Constant, constant_columns, pack, unpack
from vision.observations.schema import SCHEMA, ObservationError, TornError

FORMAT_VERSION = 1
METADATA_KEY = "lazaretto"
BLANK_CRC = "0" * 8
MAX_READ_ATTEMPTS = 10
"""Attempts to read files that change meanwhile, because another process writes or merges them."""
PART_COLUMN = "part"
"""Column of a merged file: index of the row's part in `LogFile.parts`."""


@dataclass(frozen=True)
class LogFile:
    """The content of a file of the log.

    Attributes:
        rows: rows of `SCHEMA`, sorted by time and track; a merged file has the column `PART_COLUMN` too.
        parts: names of the parts that were merged into the file; None = the file is a part itself.
        packed: False = the file is in the old format, and its rows are not rounded.
    """

    rows: pl.DataFrame
    parts: tuple[str, ...] | None
    packed: bool


@dataclass(frozen=True)
class FileSummary:
    """How much a file of the log holds.

    Attributes:
        rows: number of rows.
        seconds: seconds of people in view, see `person_seconds`.
        bytes: size on disk.
        parts, packed: see `LogFile`.
    """

    rows: int
    seconds: float
    bytes: int
    parts: tuple[str, ...] | None
    packed: bool


class _Metadata(TypedDict):
    """The JSON object in the Parquet metadata; see the description of the module. `crc` is its last field."""

    format: int
    rows: int
    seconds: float
    constant: dict[str, Constant]
    parts: NotRequired[list[str]]
    crc: NotRequired[str]


_REQUIRED_FIELDS = {"format", "rows", "seconds", "constant", "crc"}


def encode(rows: pl.DataFrame, parts: tuple[str, ...] | None = None, level: int = 3) -> bytes:
    """Encode rows as a file of the log, compressed with zstd at `level`.

    Raises:
        ObservationError: a row cannot be stored; see `pack`.
    """
    packed = pack(rows)
    constant = constant_columns(packed)
    metadata: _Metadata = {
        "format": FORMAT_VERSION,
        "rows": len(packed),
        "seconds": round(person_seconds(rows), 3),
        "constant": constant,
    }
    if parts is not None:
        metadata["parts"] = list(parts)
    metadata["crc"] = BLANK_CRC
    file = io.BytesIO()
    packed.drop(*constant).write_parquet(
        file,
        compression="zstd",
        compression_level=level,
        statistics=False,
        metadata={METADATA_KEY: json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))},
    )
    before, _, after = file.getvalue().rpartition(_crc_field(BLANK_CRC))
    return before + _crc_field(_crc(file.getvalue(), BLANK_CRC)) + after


def read_file(path: Path) -> LogFile:
    """Read a file of the log.

    Raises:
        FileNotFoundError: there is no such file.
        TornError: the file is torn, or is not a file of the log.
        ObservationError: the file cannot be read, or a later version wrote it.
    """
    return decode(_read_bytes(path), path)


def decode(data: bytes, path: Path) -> LogFile:
    """Decode the bytes of a file of the log; `path` names the file in errors.

    Raises:
        TornError, ObservationError: see `read_file`.
    """
    metadata = _read_metadata(path, data)
    try:
        if metadata is None:
            # A column that an older version did not write holds unknown values.
            rows = pl.read_parquet(io.BytesIO(data), schema=SCHEMA, missing_columns="insert")
            return LogFile(rows.sort("t", "track", maintain_order=True), None, False)
        rows = unpack(pl.read_parquet(io.BytesIO(data)), metadata["constant"])
    except (*_TORN_FILE_ERRORS, KeyError, TypeError) as error:
        raise _torn(path, error) from error
    return LogFile(rows, _parts(metadata), True)


def read_summary(path: Path) -> FileSummary:
    """Read how much a file holds, from its metadata alone; a file in the old format is read in full.

    Raises:
        FileNotFoundError: there is no such file.
        TornError: the file is torn, as far as its metadata and its checksum show.
        ObservationError: the file cannot be read, or a later version wrote it.
    """
    data = _read_bytes(path)
    metadata = _read_metadata(path, data)
    if metadata is None:
        rows = read_file(path).rows
        return FileSummary(len(rows), person_seconds(rows), len(data), None, False)
    return FileSummary(metadata["rows"], metadata["seconds"], len(data), _parts(metadata), True)


def read_tracks(path: Path) -> frozenset[int]:
    """Read the ids of the tracks of a file: of its columns only that one is decoded.

    Raises:
        FileNotFoundError, TornError, ObservationError: see `read_summary`.
    """
    data = _read_bytes(path)
    _read_metadata(path, data)
    try:
        tracks = pl.read_parquet(io.BytesIO(data), columns=["track"])["track"]
    except _TORN_FILE_ERRORS as error:
        raise _torn(path, error) from error
    return frozenset(tracks.unique().to_list())


def person_seconds(rows: pl.DataFrame) -> float:
    """Seconds of people in view: the number of rows times the median interval between rows of a track."""
    times = rows.select("track", pl.col("t").dt.timestamp("us")).sort("track", "t")
    steps = times.select(pl.col("t").diff().filter(pl.col("track") == pl.col("track").shift(1))).to_series()
    median = steps.filter(steps > 0).median()
    return len(rows) * float(median) / SECOND if isinstance(median, float) else 0.0


def write_parquet(path: Path, table: pl.DataFrame) -> None:
    """Write a table with any columns as Parquet, atomically: on failure the old file stays.

    Raises:
        ObservationError: the file cannot be written.
    """
    file = io.BytesIO()
    table.write_parquet(file, compression="zstd", statistics=True)
    write_atomically(path, file.getvalue())


def write_atomically(path: Path, data: bytes) -> None:
    """Write bytes to a file atomically: on failure the old file stays.

    Raises:
        ObservationError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _open_locked(temporary) as file:
            file.truncate(0)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ObservationError(f"cannot write {path.name} below {path.parent}: {error}") from error


def remove_leftover(temporary: Path) -> bool:
    """Remove a temporary file of `write_atomically`, unless its process is still at work; whether it did.

    A file that a process has opened but does not hold yet may go: the process sees it and opens another.
    """
    try:
        with temporary.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between opening and holding it, it may have been finished, and another process begun the next.
            if not os.path.samestat(os.fstat(file.fileno()), temporary.stat()):
                return False
            temporary.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False
    return True


def _open_locked(temporary: Path) -> BinaryIO:
    """Open a temporary file and hold it; the system lets go of it when the process ends, however it ends."""
    while True:
        file = temporary.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if temporary.exists() and os.path.samestat(os.fstat(file.fileno()), temporary.stat()):
                return file
        except BaseException:
            file.close()
            raise
        # Between opening and holding it, another process took it for a leftover, or finished the same file.
        file.close()


_TORN_FILE_ERRORS = (OSError, ValueError, pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""Errors that reading a torn Parquet file may raise; the reader panics on some torn files."""


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ObservationError(
            f"{path}: cannot read the observation log: {error.strerror or error}"
        ) from error


def _read_metadata(path: Path, data: bytes) -> _Metadata | None:
    """Read and check the metadata of a file of the log; None for a file in the old format."""
    try:
        text = pl.read_parquet_metadata(io.BytesIO(data)).get(METADATA_KEY)
        metadata = None if text is None else json.loads(text)
    except _TORN_FILE_ERRORS as error:
        raise _torn(path, error) from error
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not metadata.keys() >= _REQUIRED_FIELDS:
        raise _torn(path, "its metadata are not those of the log")
    if metadata["crc"] != _crc(data, str(metadata["crc"])):
        raise _torn(path, "its checksum does not match")
    if metadata["format"] != FORMAT_VERSION:
        raise ObservationError(
            f"{path}: expected the observation log in format {FORMAT_VERSION}, got format "
            f"{metadata['format']}: a later version wrote it"
        )
    return cast(_Metadata, metadata)


def _parts(metadata: _Metadata) -> tuple[str, ...] | None:
    parts = metadata.get("parts")
    return None if parts is None else tuple(parts)


def _torn(path: Path, reason: object) -> TornError:
    text = " ".join(str(reason).split()) or type(reason).__name__
    return TornError(path, text)


def _crc(data: bytes, stored: str) -> str:
    """CRC-32 (8 hex digits) of a file, computed with zeros in place of the `stored` checksum."""
    before, _, after = data.rpartition(_crc_field(stored))
    return f"{zlib.crc32(after, zlib.crc32(_crc_field(BLANK_CRC), zlib.crc32(before))):08x}"


def _crc_field(crc: str) -> bytes:
    return f'"crc":"{crc}"'.encode()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
