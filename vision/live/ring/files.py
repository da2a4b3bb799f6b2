"""The files of a footage ring: their names, and how far they reach, read while they may still be written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from vision.frames import EPOCH, SECOND, to_microseconds

SUFFIX = ".mp4"
LAST_FRAGMENTS = 33
"""Fragments at the end of a file among which the picture that is shown last is sought: H.264 and H.265
reorder at most 16."""
LONGEST_FILE_US = 86_400 * SECOND
"""A file that holds a moment began at most this long before it."""
MAX_HEADER = 1 << 20
"""Longest header of a fragment, bytes; a longer one is damaged. That of a ring is about a hundred bytes."""
_DAY = re.compile(r"\d{8}")
_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6})Z(?:-\d+)?" + re.escape(SUFFIX))
_FORM = "%Y%m%dT%H%M%S.%f"


@dataclass(frozen=True, slots=True)
class RingFile:
    """A file of a ring.

    Attributes:
        camera: id of the camera.
        path: of the file.
        start: stream time of its first picture, microseconds UTC.
    """

    camera: str
    path: Path
    start: int

    def end(self) -> int | None:
        """When its last whole picture stops being shown, microseconds UTC; None if it holds none.

        Raises:
            OSError: the file is gone or cannot be read.
        """
        span = span_of(self.path)
        return None if span is None else self.start + span


def file_name(start: int) -> Path:
    """Folder of the day and name of the file that begins at `start`, microseconds UTC."""
    moment = EPOCH + timedelta(microseconds=start)
    return Path(f"{moment:%Y%m%d}", f"{moment:{_FORM}}Z{SUFFIX}")


def spare_name(path: Path) -> Path:
    """The path, or where there is such a file, one that states the same time and is free."""
    number, free = 2, path
    while free.exists():
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return free


def start_of(name: str) -> int | None:
    """The start that the name of a file of a ring states, microseconds UTC; None for other names."""
    match = _NAME.fullmatch(name)
    try:
        return to_microseconds(datetime.strptime(match[1], _FORM).replace(tzinfo=UTC)) if match else None
    except ValueError:
        return None


def cameras_of(folder: Path) -> tuple[str, ...]:
    """Ids of the cameras that have a folder in a ring; none where there is no ring."""
    return tuple(name for name in _names(folder) if not name.startswith("."))


def ring_files(folder: Path, camera: str, start: int | None = None, end: int | None = None) -> list[RingFile]:
    """The files of a camera that may hold footage of [start, end], microseconds UTC; None = without bound.

    By their names alone: of the files that begin at or before `start`, the last one is given.
    """
    days = days_of(folder, camera)
    if start is not None:
        days = [day for day in days if day >= day_of(start - LONGEST_FILE_US)]
    if end is not None:
        days = [day for day in days if day <= day_of(end)]
    found = [file for day in days for file in files_of_day(folder, camera, day)]
    found = [file for file in found if end is None or file.start <= end]
    if start is None:
        return found
    before = [item for item in found if item.start <= start]
    return before[-1:] + [item for item in found if item.start > start]


def days_of(folder: Path, camera: str) -> list[str]:
    """The days (UTC, such as 20261128) of which a ring has footage of a camera, in order."""
    return [day for day in _names(folder / camera) if _DAY.fullmatch(day)]


def day_of(t: int) -> str:
    """The day (UTC) of a moment in microseconds UTC, as its folder is named."""
    return file_name(t).parent.name


def files_of_day(folder: Path, camera: str, day: str) -> list[RingFile]:
    """The files of a camera in the folder of a day, by start."""
    found = [
        RingFile(camera, folder / camera / day / name, begins)
        for name in _names(folder / camera / day)
        if (begins := start_of(name)) is not None
    ]
    return sorted(found, key=lambda item: (item.start, item.path.name))


def span_of(path: Path) -> int | None:
    """Microseconds from the first picture of a file until its last whole one ends; None if it holds none.

    Reads the headers of its fragments alone. The file may be growing, or torn at its end.

    Raises:
        OSError: the file is gone or cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        places = list(_fragments(file, size))
        shown = [_times(file, place) for place in (places[:LAST_FRAGMENTS], places[-LAST_FRAGMENTS:])]
    if not shown[0]:
        return None
    return max(last for _, last in shown[1]) - min(first for first, _ in shown[0])


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start of the content, and end of the boxes in a part of a file (ISO/IEC 14496-12, 4.2).

    Ends before a box that is not whole.
    """
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        length, content = int.from_bytes(head[:4], "big"), at + 8
        if length == 1:
            length, content = int.from_bytes(head[8:16], "big"), at + 16
        if length < content - at or at + length > end:
            return
        yield head[4:8], content, at + length
        at += length


def _fragments(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Where the headers of whole fragments are: those whose pictures are there too."""
    header: tuple[int, int] | None = None
    for kind, start, end in _boxes(file, 0, size):
        if kind == b"moof":
            header = (start, end)
        elif kind == b"mdat" and header is not None:
            yield header
            header = None


def _times(file: BinaryIO, places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """When the pictures of fragments begin and end being shown, in units of the file: microseconds."""
    found: list[tuple[int, int]] = []
    for start, end in places:
        if end - start > MAX_HEADER:
            continue
        for kind, inner, inner_end in _boxes(file, start, end):
            if kind == b"traf":
                found += _track_times(file, inner, inner_end)
    return found


def _track_times(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int]]:
    """When the pictures of one track in a fragment begin and end being shown (8.8.7, 8.8.8, 8.8.12)."""
    usual, decoded = 0, 0
    for kind, inner, inner_end in _boxes(file, start, end):
        file.seek(inner)
        box = _Reader(file.read(inner_end - inner))
        version, flags = box.number(1), box.number(3)
        if kind == b"tfhd":
            box.skip(4 + 8 * bool(flags & 0x1) + 4 * bool(flags & 0x2))
            usual = box.number(4) if flags & 0x8 else 0
        elif kind == b"tfdt":
            decoded = box.number(8 if version else 4)
        elif kind == b"trun":
            count = box.number(4)
            box.skip(4 * bool(flags & 0x1) + 4 * bool(flags & 0x4))
            for _ in range(count):
                lasts = box.number(4) if flags & 0x100 else usual
                box.skip(4 * bool(flags & 0x200) + 4 * bool(flags & 0x400))
                later = box.number(4, signed=version > 0) if flags & 0x800 else 0
                yield decoded + later, decoded + later + lasts
                decoded += lasts


class _Reader:
    """Reads whole numbers from bytes, the highest byte first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def skip(self, count: int) -> None:
        self._at += count

    def number(self, count: int, *, signed: bool = False) -> int:
        self._at += count
        return int.from_bytes(self._data[self._at - count : self._at], "big", signed=signed)
