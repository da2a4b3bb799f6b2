"""The footage of live cameras, as evidence is cut from it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av

from incidents.evidence import ClipSource, EvidenceError
from vision.live.ring.files import RingFile, ring_files
from vision.live.ring.windows import join_window

PREFIX = ".window-"
"""Beginning of the names of the folders in which windows are joined; see `clean_windows`."""


def ring_sources(folder: Path, camera: str, start: int, end: int) -> tuple[ClipSource, ...]:
    """The files of a ring with footage of a camera in [start, end], microseconds UTC.

    The file being written is among them, up to the picture written last. None of them is decoded.
    """
    return tuple(
        ClipSource(file.path, file.start, end_us=reaches)
        for file, reaches in _files(folder, camera, start, end)
    )


def reach_of(folder: Path, camera: str, start: int, end: int) -> int | None:
    """Until when the footage that begins in [start, end], or before, reaches; None if not beyond `start`.

    All times are microseconds UTC.
    """
    return max((reaches for _, reaches in _files(folder, camera, start, end)), default=None)


def end_of(file: RingFile) -> int | None:
    """When the footage of a file ends; None where it holds none, or was removed meanwhile."""
    try:
        return file.end()
    except OSError:
        return None


@contextlib.contextmanager
def joined_sources(
    folder: Path, camera: str, start: int, end: int, place: Path
) -> Iterator[tuple[ClipSource, ...]]:
    """Copies of the footage of a camera in [start, end], microseconds UTC.

    They are one source where the packets allow it, because a clip is copied only from one file; and nothing
    removes them before the end of the context.

    Args:
        folder: of the ring.
        camera: id of the camera.
        start: of the window.
        end: of the window.
        place: folder that takes the copies for a while. A ring in memory may have no room for them.

    Raises:
        EvidenceError: the disk refuses the copies.
    """
    with contextlib.ExitStack() as stack:
        try:
            copies = stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX, dir=place))
            files = [file for file, _ in _files(folder, camera, start, end)]
            joined = join_window(files, start, end, Path(copies))
        except (OSError, av.FFmpegError) as error:
            raise EvidenceError(f"{place}: footage cannot be copied: {error.strerror or error}") from error
        yield tuple(ClipSource(file.path, file.start, end_us=end_of(file)) for file in joined)


def _files(folder: Path, camera: str, start: int, end: int) -> list[tuple[RingFile, int]]:
    """The files with footage in a window, and when the footage of each ends."""
    found = [(file, end_of(file)) for file in ring_files(folder, camera, start, end)]
    return [(file, reaches) for file, reaches in found if reaches is not None and reaches > start]


def clean_windows(place: Path) -> None:
    """Remove the copies that a killed process left in a folder; none may be at work.

    Raises:
        OSError: one cannot be removed.
    """
    for path in place.glob(f"{PREFIX}*"):
        shutil.rmtree(path)
