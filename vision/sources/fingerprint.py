"""Fingerprints of sources, by which a source that was analysed before is recognised."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av

from vision.frames import to_iso
from vision.sources.container import open_video
from vision.sources.images import image_files, is_image_sequence
from vision.sources.timeline import SourceError

COMPARED_PACKETS = 50
"""Packets at the start of two videos that are compared to see whether they are one recording."""
FINGERPRINT_BYTES = 4 * 1024 * 1024
"""Number of bytes at each end of a file that its fingerprint covers."""


@dataclass(frozen=True, slots=True)
class FileMark:
    """By what a source is recognised as the one that was analysed.

    Attributes:
        bytes: size of the file, or of all files of an image sequence.
        modified: newest modification date of them, microseconds UTC.
        fingerprint: see `fingerprint`.
    """

    bytes: int
    modified: int
    fingerprint: str


def size_and_date(path: Path) -> tuple[int, int]:
    """Size in bytes and modification date in microseconds UTC of a source, without opening it.

    Of an image sequence: the sum of the sizes, and the newest date.

    Raises:
        SourceError: the source is gone or cannot be read.
    """
    try:
        found = [file.stat() for file in (image_files(path) if is_image_sequence(path) else [path])]
    except OSError as error:
        raise SourceError(f"{path}: expected a readable file, got {_why(error)}") from error
    return sum(one.st_size for one in found), max(one.st_mtime_ns for one in found) // 1000


def check_unchanged(path: Path, mark: FileMark) -> None:
    """Make sure that a source still holds the footage that was analysed.

    A source of the same size and date is taken to be unchanged, and is not opened. Of another one the
    fingerprint is compared. A video file to which more was appended passes too: what it held is still there.

    Raises:
        SourceError: the source is gone, cannot be read, or holds something else now.
    """
    size, modified = size_and_date(path)
    if (size, modified) == (mark.bytes, mark.modified):
        return
    grown = size > mark.bytes and not is_image_sequence(path)
    if fingerprint(path, mark.bytes if grown else None) != mark.fingerprint:
        raise SourceError(
            f"{path}: expected the recording that was analysed ({mark.bytes} bytes of "
            f"{to_iso(mark.modified)}), got another one ({size} bytes of {to_iso(modified)})"
        )


def fingerprint(path: Path, length: int | None = None) -> str:
    """SHA-256 (hex) of the size, the first and the last 4 MiB of a video file.

    This is fast for archives of any size, and detects a recording that was replaced or has grown. It does
    not prove that the bytes in between are unchanged. For an image sequence, it covers the names and sizes
    of all files and the bytes of the first and the last file.

    Args:
        path: the source.
        length: of a video file, take its first bytes only, as if it ended there; None = all of it.

    Raises:
        SourceError: the source cannot be read.
    """
    digest = hashlib.sha256()
    try:
        if is_image_sequence(path):
            images = image_files(path)
            for image in images:
                digest.update(f"{image.name}\0{image.stat().st_size}\0".encode())
            digest.update(images[0].read_bytes() + images[-1].read_bytes())
            return digest.hexdigest()
        with path.open("rb") as file:
            size = file.seek(0, 2) if length is None else length
            digest.update(f"{size}\0".encode())
            file.seek(0)
            digest.update(file.read(min(FINGERPRINT_BYTES, size)))
            file.seek(max(file.tell(), size - FINGERPRINT_BYTES))
            digest.update(file.read(size - file.tell()))
    except OSError as error:
        raise SourceError(f"{path}: expected a readable file, got {_why(error)}") from error
    return digest.hexdigest()


def same_recording(one: Path, other: Path) -> bool:
    """Whether two sources are copies of one recording: they begin with the same pictures.

    Their metadata may differ. One may be shorter than the other, such as a copy that was made while the
    recorder still wrote. Image sequences are copies only where their fingerprints are equal.

    Raises:
        SourceError: a source cannot be read.
    """
    if fingerprint(one) == fingerprint(other):
        return True
    if is_image_sequence(one) or is_image_sequence(other):
        return False
    first, second = _first_packets(one), _first_packets(other)
    count = min(len(first), len(second))
    return count > 0 and first[:count] == second[:count]


def _first_packets(path: Path) -> list[bytes]:
    with open_video(path) as (container, stream):
        try:
            packets = (bytes(packet) for packet in container.demux(stream) if packet.size)
            return [hashlib.sha256(data).digest() for data in islice(packets, COMPARED_PACKETS)]
        except (av.FFmpegError, OSError) as error:
            raise SourceError(f"{path}: expected a readable video, got {error}") from error


def _why(error: OSError) -> str:
    return "no such file" if isinstance(error, FileNotFoundError) else str(error.strerror or error)
