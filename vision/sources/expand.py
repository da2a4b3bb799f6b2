"""Which sources a user's arguments name: files, folders and patterns, expanded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from vision.sources.images import IMAGE_SUFFIXES, is_pattern, matches, natural_key
from vision.sources.timeline import SourceError

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".dav", ".flv", ".h264", ".h265", ".hevc", ".m2ts", ".m4v", ".mjpeg", ".mkv"}
    | {".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ps", ".ts", ".webm", ".wmv"}
)
"""Suffixes of the video files of a folder. A file that is named itself may have any suffix."""


def expand(sources: Sequence[str | Path]) -> list[Path]:
    """Expand a user's arguments to sources for `open_source`, in order and without duplicates.

    A video file stands for itself. A folder stands for the videos directly in it, in natural order, or, if it
    has none, for the image sequence of its images. So does a pattern (`day/*.mp4`, `frames/%06d.jpg`,
    `frames/*.jpg`).

    Raises:
        SourceError: there are no arguments, or an argument names nothing that exists or no footage.
    """
    if not sources:
        raise SourceError("expected at least one video file, folder or image pattern, got none")
    found: list[Path] = []
    for source in sources:
        found += _expand_one(source)
    return list(dict.fromkeys(found))


def _expand_one(source: str | Path) -> list[Path]:
    scheme = re.match(r"([a-z]+)://", str(source))
    if scheme:
        # The message shows only the scheme, because an address may contain a password.
        raise SourceError(f"expected a file, folder or pattern, got a stream address ({scheme[1]}://...)")
    path = Path(source)
    pattern = is_pattern(path)
    if path.is_file():
        return [path]
    if not pattern and not path.is_dir():
        raise SourceError(f"{path}: expected a video file, folder or image pattern, got no such file")
    entries = matches(path) if pattern else sorted(path.iterdir(), key=natural_key)
    videos = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in VIDEO_SUFFIXES]
    if videos:
        return videos
    if any(entry.is_file() and entry.suffix.lower() in IMAGE_SUFFIXES for entry in entries):
        return [path]
    if pattern:
        raise SourceError(f"{path}: expected a pattern of video or image files, got one that matches none")
    folders = sum(entry.is_dir() for entry in entries)
    what = f"{folders} folders, which are not entered" if folders else f"{len(entries)} other files"
    what = what if entries else "an empty one"
    raise SourceError(f"{path}: expected a folder with video or image files, got {what}")
