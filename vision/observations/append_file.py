"""One file of an append log: its format on disk, reading it beside its writer, and repair after a tear.

The file begins with `MAGIC`, the length and the CRC-32 of a JSON object (two little-endian u32), and that
object:

- `format`: version of the format;
- `camera`: id of the camera;
- `start`: stream time at which the file begins, microseconds UTC;
- `integers`, `texts`, `floats`: the columns, see `records.Columns`.

Records follow. Each begins with the length of its payload and the CRC-32 of it (u32), the stream time up to
which everything is known with this record (i64, microseconds UTC), and the CRC-32 of these three (u32); the
payload follows (`vision.observations.records`). All rows of a record lie before its time, and none before the
time of the record before it. A record without rows says that nothing was seen.

A file is only ever appended to, so its reader needs no lock: it finds whole records and perhaps the beginning
of the one that is being written, which it leaves out. Anything else that does not fit its checksum is damage.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict, cast

import polars as pl

from vision.frames import from_iso, to_iso
from vision.observations.files import (
    MAX_READ_ATTEMPTS,
    FileSummary,
    LogFile,
    person_seconds,
    write_atomically,
)
from vision.observations.packing import rounded
from vision.observations.records import Columns, decode_rows, encode_rows
from vision.observations.schema import ObservationError, TornError, stamp

APPEND_SUFFIX = ".log"
"""Suffix of a file of an append log."""
FORMAT_VERSION = 1
MAGIC = b"LZAPPEND"
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z" + re.escape(APPEND_SUFFIX))
_HEAD = struct.Struct("<II")
_TIMED = struct.Struct("<IIq")
_CRC = struct.Struct("<I")
RECORD_BYTES = _TIMED.size + _CRC.size
"""Bytes of a record beside its payload."""


class _Head(TypedDict):
    """The JSON object at the head of a file; see the description of the module."""

    format: int
    camera: str
    start: int
    integers: list[str]
    texts: list[str]
    floats: list[str]


@dataclass(frozen=True)
class AppendFile:
    """What a file of an append log holds, up to the first damage.

    Attributes:
        path: the file.
        camera: id of the camera.
        start, until: the stream time that the records cover, microseconds UTC.
        columns: columns of the payloads.
        payloads: the payload of each record.
        intact: bytes up to the end of the last whole record.
        size: bytes of the file.
        damage: what is wrong after `intact`; None = nothing, or only a record that is not whole yet.
    """

    path: Path
    camera: str
    start: int
    until: int
    columns: Columns
    payloads: tuple[memoryview, ...]
    intact: int
    size: int
    damage: str | None

    @property
    def is_empty(self) -> bool:
        """Whether the file has no row."""
        return not any(self.payloads)

    def rows(self) -> pl.DataFrame:
        """The rows, as the Parquet files of the log would return them.

        Raises:
            TornError: the file is damaged.
        """
        if self.damage:
            raise TornError(self.path, self.damage)
        return rounded(decode_rows(self.payloads, self.columns, self.camera))


@dataclass(frozen=True)
class TornTail:
    """The end of a file of an append log that was damaged or not written whole, and was set aside.

    Attributes:
        path: the file, from which the tail was cut.
        aside: the file that holds the tail now.
        why: what is wrong with the tail.
        bytes: its length.
        start: stream time from which the rows of this file are not known, microseconds UTC; None = nothing is
            lost, because the hour file holds the same rows.
    """

    path: Path
    aside: Path
    why: str
    bytes: int
    start: int | None


def append_path(folder: Path, start: int) -> Path:
    """Path of the file of an append log that begins at `start` (microseconds UTC), in its hour's folder."""
    return folder / f"{stamp(start)}{APPEND_SUFFIX}"


def append_paths(folder: Path) -> list[Path]:
    """The files of an append log in the folder of an hour, in order of time."""
    return sorted(path for path in folder.glob(f"[!.]*{APPEND_SUFFIX}") if _NAME.fullmatch(path.name))


def start_of(path: Path) -> int:
    """The stream time at which a file of an append log begins, microseconds UTC, from its name."""
    return from_iso(path.name.removesuffix(APPEND_SUFFIX))


def create(path: Path, camera: str) -> None:
    """Create a file without records, atomically; it begins at the time in its name.

    Raises:
        ObservationError: the file cannot be written.
    """
    columns = asdict(Columns.of_schema())
    head = json.dumps(
        {"format": FORMAT_VERSION, "camera": camera, "start": start_of(path), **columns}, ensure_ascii=False
    ).encode()
    write_atomically(path, MAGIC + _HEAD.pack(len(head), zlib.crc32(head)) + head)


def encode_record(rows: pl.DataFrame, until: int, columns: Columns) -> bytes:
    """Encode a record: rows of `SCHEMA`, and the stream time up to which everything is known with them."""
    payload = encode_rows(rows, columns)
    timed = _TIMED.pack(len(payload), zlib.crc32(payload), until)
    return timed + _CRC.pack(zlib.crc32(timed)) + payload


def scan(path: Path) -> AppendFile:
    """Read a file up to its first damage, without decoding the rows.

    Raises:
        FileNotFoundError: there is no such file.
        TornError: the head of the file is damaged, so that no record can be read.
        ObservationError: the file cannot be read, or a later version wrote it.
    """
    for attempt in range(1, MAX_READ_ATTEMPTS + 1):
        try:
            with path.open("rb") as file:
                before = os.fstat(file.fileno())
                data = file.read()
                after = os.fstat(file.fileno())
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ObservationError(
                f"{path}: cannot read the observation log: {error.strerror or error}"
            ) from error
        found = _parse(path, data)
        # A writer that cuts a torn tail and writes on may have mixed old and new bytes; then read once more.
        steady = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if found.damage is None or steady or attempt == MAX_READ_ATTEMPTS:
            break
    return found


def read(path: Path) -> LogFile:
    """Read the rows of a file; a last record that is not whole is left out.

    Raises:
        FileNotFoundError: there is no such file.
        TornError: the file is damaged.
        ObservationError: the file cannot be read, or a later version wrote it.
    """
    return LogFile(scan(path).rows(), None, True)


def read_summary(path: Path) -> FileSummary:
    """Read how much a file holds.

    Raises:
        FileNotFoundError, TornError, ObservationError: see `read`.
    """
    found = scan(path)
    rows = found.rows()
    return FileSummary(len(rows), person_seconds(rows), found.size, None, True)


@contextlib.contextmanager
def only_writer(path: Path) -> Iterator[int]:
    """Open a file for appending, as its only writer; yields the file descriptor.

    Raises:
        ObservationError: another writer has the file open, or it cannot be opened.
    """
    descriptor = open_as_only_writer(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_as_only_writer(path: Path) -> int:
    """Open a file for appending, as its only writer until the descriptor is closed; returns the descriptor.

    Raises:
        ObservationError: another writer has the file open, or it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except OSError as error:
        raise ObservationError(f"cannot open {path} for writing: {error.strerror or error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ObservationError(
            f"expected to be the only writer of {path}, got another that has it open"
        ) from error
    return descriptor


def cut_torn_tail(path: Path, descriptor: int) -> TornTail | None:
    """Cut what follows the last whole record, and keep it in a file beside; None if nothing follows.

    It is safe to repeat after a kill: the same tail has the same file.

    Args:
        path: the file.
        descriptor: from `open_as_only_writer`.

    Raises:
        TornError: the head of the file is damaged.
        ObservationError: the tail cannot be kept or cut.
    """
    found = scan(path)
    if found.intact == found.size:
        return None
    try:
        tail = os.pread(descriptor, found.size - found.intact, found.intact)
        aside = path.with_name(f"{path.name}.{found.intact}-{zlib.crc32(tail):08x}.torn")
        write_atomically(aside, tail)
        os.ftruncate(descriptor, found.intact)
        os.fsync(descriptor)
    except OSError as error:
        raise ObservationError(f"cannot cut the torn end of {path}: {error.strerror or error}") from error
    why = found.damage or "the last record is not whole"
    return TornTail(path, aside, why, len(tail), found.until)


def _parse(path: Path, data: bytes) -> AppendFile:
    head, at = _parse_head(path, data)
    columns = Columns(tuple(head["integers"]), tuple(head["texts"]), tuple(head["floats"]))
    until = head["start"]
    payloads: list[memoryview] = []
    damage = None
    view = memoryview(data)
    while len(data) - at >= RECORD_BYTES:
        length, crc, reached = _TIMED.unpack_from(data, at)
        if _CRC.unpack_from(data, at + _TIMED.size)[0] != zlib.crc32(view[at : at + _TIMED.size]):
            damage = f"the record at byte {at}, after {to_iso(until)}, has a head that is not its own"
            break
        payload = view[at + RECORD_BYTES : at + RECORD_BYTES + length]
        if len(payload) < length:
            break
        if zlib.crc32(payload) != crc:
            damage = f"the checksum of the record at byte {at}, after {to_iso(until)}, does not match"
            break
        payloads.append(payload)
        until = reached
        at += RECORD_BYTES + length
    return AppendFile(
        path, head["camera"], head["start"], until, columns, tuple(payloads), at, len(data), damage
    )


def _parse_head(path: Path, data: bytes) -> tuple[_Head, int]:
    first = len(MAGIC) + _HEAD.size
    if data[: len(MAGIC)] != MAGIC or len(data) < first:
        raise TornError(path, "it does not begin as an append log does")
    length, crc = _HEAD.unpack_from(data, len(MAGIC))
    text = data[first : first + length]
    if len(text) < length or zlib.crc32(text) != crc:
        raise TornError(path, "the checksum of its head does not match")
    head = cast(_Head, json.loads(text))
    if head["format"] != FORMAT_VERSION:
        raise ObservationError(
            f"{path}: expected the append log in format {FORMAT_VERSION}, got format {head['format']}: a "
            "later version wrote it"
        )
    return head, first + length
