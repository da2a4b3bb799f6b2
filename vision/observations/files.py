"""The files of the observation log: whole or absent, and what is torn is told from what is whole.

A file of the log holds packed rows (`vision.observations.packing`) as Parquet. Beside them, in its metadata
under the key `lazaretto`, stand as JSON: `format`; `rows` and `seconds`, how many and how many seconds of
people in view they are; `constant`, the columns of which every row says the same; `parts`, in a file that
was made of several, the names of those, to which the column `part` points; `crc`, of the whole file with
zeros in its place. Files without that key are of the form before: rows as they were given, not rounded.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from vision.frames import SECOND
from vision.observations.packing import constant_columns, pack, unpack
from vision.observations.schema import SCHEMA, ObservationError, TornError

FORMAT = 1
KEY = "lazaretto"
BLANK = "0" * 8
PART_COLUMN = "part"
"""Column of a file made of several parts: the number of a row's part in `LogFile.parts`."""


@dataclass(frozen=True)
class LogFile:
    """What a file of the log holds.

    Attributes:
        rows: of `SCHEMA`, sorted by time and track; and `PART_COLUMN` where there are `parts`.
        parts: names of the parts of which the file was made; None = it is a part itself.
        rounded: False = of the form before, as it was given.
    """

    rows: pl.DataFrame
    parts: tuple[str, ...] | None
    rounded: bool


@dataclass(frozen=True)
class FileSummary:
    """How much a file of the log holds: see `LogFile`; `seconds` of people in view, `bytes` on the disk."""

    rows: int
    seconds: float
    bytes: int
    parts: tuple[str, ...] | None
    rounded: bool


def encode(rows: pl.DataFrame, parts: tuple[str, ...] | None = None, level: int = 3) -> bytes:
    """A file of the log with these rows; zstd at `level`.

    Raises:
        ObservationError: a row cannot be stored; see `pack`.
    """
    packed = pack(rows)
    constant = constant_columns(packed)
    about: dict[str, Any] = {
        "format": FORMAT,
        "rows": len(packed),
        "seconds": round(person_seconds(rows), 3),
        "constant": constant,
        **({} if parts is None else {"parts": parts}),
    }
    about["crc"] = BLANK
    file = io.BytesIO()
    packed.drop(*constant).write_parquet(
        file,
        compression="zstd",
        compression_level=level,
        statistics=False,
        metadata={KEY: json.dumps(about, ensure_ascii=False, separators=(",", ":"))},
    )
    before, _, after = file.getvalue().rpartition(_seal(BLANK))
    return before + _seal(_crc(file.getvalue(), BLANK)) + after


def read_file(path: Path) -> LogFile:
    """Read a file of the log.

    Raises:
        FileNotFoundError: it is gone.
        ObservationError: it is torn, is no file of the log, or is of a version to come.
    """
    return decode(_bytes(path), path)


def decode(data: bytes, path: Path) -> LogFile:
    """What the bytes of a file hold, which are or will be those of `path`.

    Raises:
        ObservationError: see `read_file`.
    """
    about = _about(path, data)
    try:
        if about is None:
            # A column that an older version did not write is one that is not known.
            rows = pl.read_parquet(io.BytesIO(data), schema=SCHEMA, missing_columns="insert")
            return LogFile(rows.sort("t", "track", maintain_order=True), None, False)
        varied = pl.read_parquet(io.BytesIO(data))
        rows = unpack(varied, about["constant"])
    except (*_TORN, KeyError, TypeError) as error:
        raise _torn(path, error) from error
    return LogFile(rows, None if "parts" not in about else tuple(about["parts"]), True)


def read_summary(path: Path) -> FileSummary:
    """How much a file holds, by its metadata alone, or of the form before, by its rows.

    Raises:
        FileNotFoundError: it is gone.
        ObservationError: it is torn, as far as its metadata tell.
    """
    data = _bytes(path)
    about = _about(path, data)
    if about is None:
        rows = read_file(path).rows
        return FileSummary(len(rows), person_seconds(rows), len(data), None, False)
    parts = None if "parts" not in about else tuple(about["parts"])
    return FileSummary(about["rows"], about["seconds"], len(data), parts, True)


def person_seconds(rows: pl.DataFrame) -> float:
    """Seconds of people in view: each row stands for the usual time from one row of a track to the next."""
    times = rows.select("track", pl.col("t").dt.timestamp("us")).sort("track", "t")
    steps = times.select(pl.col("t").diff().filter(pl.col("track") == pl.col("track").shift(1))).to_series()
    usual = steps.filter(steps > 0).median()
    return len(rows) * float(usual) / SECOND if isinstance(usual, float) else 0.0


def write_parquet(path: Path, table: pl.DataFrame) -> None:
    """Write a table, of whatever columns, so that `path` is afterwards whole, or as it was.

    Raises:
        ObservationError: the disk refuses it.
    """
    file = io.BytesIO()
    table.write_parquet(file, compression="zstd", statistics=True)
    write_atomically(path, file.getvalue())


def write_atomically(path: Path, data: bytes) -> None:
    """Write bytes so that `path` is afterwards whole, or as it was.

    Raises:
        ObservationError: the disk refuses it.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ObservationError(f"cannot write {path.name} below {path.parent}: {error}") from error


_TORN = (OSError, ValueError, pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What reading Parquet that is torn may raise: the reader panics at some of it."""


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ObservationError(
            f"{path}: cannot read the observation log: {error.strerror or error}"
        ) from error


def _about(path: Path, data: bytes) -> dict[str, Any] | None:
    """The metadata of a file of the log; None of the form before."""
    try:
        text = pl.read_parquet_metadata(io.BytesIO(data)).get(KEY)
        about = None if text is None else json.loads(text)
    except _TORN as error:
        raise _torn(path, error) from error
    if about is None:
        return None
    if not isinstance(about, dict) or not {"format", "rows", "seconds", "constant", "crc"} <= about.keys():
        raise _torn(path, "other metadata")
    if about["crc"] != _crc(data, str(about["crc"])):
        raise _torn(path, "its checksum does not fit")
    if about["format"] != FORMAT:
        raise ObservationError(
            f"{path}: expected the observation log in format {FORMAT}, got format {about['format']}: "
            "a later version wrote it"
        )
    return about


def _torn(path: Path, what: object) -> TornError:
    text = " ".join(str(what).split()) or type(what).__name__
    return TornError(path, text)


def _crc(data: bytes, told: str) -> str:
    """Of the whole file, with a blank where its checksum stands."""
    before, _, after = data.rpartition(_seal(told))
    return f"{zlib.crc32(after, zlib.crc32(_seal(BLANK), zlib.crc32(before))):08x}"


def _seal(crc: str) -> bytes:
    return f'"crc":"{crc}"'.encode()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
