"""Image sequences: the image files that belong to one, and its frames."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2

from vision.clock import Stop
from vision.frames import Frame
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.timeline import SourceError, exact_rate, index_time

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
_PRINTF = re.compile(r"%0?\d*d")


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key that puts frame9.jpg before frame10.jpg."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern (`frames/%06d.jpg`, `frames/*.jpg`) and not a file of that name."""
    return not path.exists() and bool(_PRINTF.search(path.name) or re.search(r"[*?\[]", path.name))


def matches(pattern: Path) -> list[Path]:
    """Files that match a pattern, in natural order; only the last part of the path may have wildcards."""
    if not pattern.parent.is_dir():
        return []
    found: list[Path] = []
    if _PRINTF.search(pattern.name):
        name = "".join(
            r"\d+" if _PRINTF.fullmatch(part) else re.escape(part)
            for part in re.split(r"(%0?\d*d)", pattern.name)
        )
        found = [path for path in pattern.parent.iterdir() if re.fullmatch(name, path.name)]
    else:
        found = list(pattern.parent.glob(pattern.name))
    return sorted((path for path in found if path.is_file()), key=natural_key)


def is_image_sequence(path: Path) -> bool:
    """Whether a path names an image sequence (a folder, a pattern or a single image) and not a video file."""
    return path.is_dir() or is_pattern(path) or path.suffix.lower() in IMAGE_SUFFIXES


def image_files(path: Path) -> list[Path]:
    """The image files of a folder, a pattern or a single image, in natural order.

    Raises:
        SourceError: there are none.
    """
    if is_pattern(path):
        found = matches(path)
    elif path.is_dir():
        found = sorted((entry for entry in path.iterdir() if entry.is_file()), key=natural_key)
    else:
        found = [path] if path.is_file() else []
    images = [image for image in found if image.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise SourceError(f"{path}: expected image files, got none")
    return images


def image_frames(
    images: Sequence[Path],
    camera: str,
    start: int,
    fps: float,
    *,
    after: ResumePoint | None = None,
    since: int | None = None,
    min_interval_us: int = 0,
    stop: Stop | None = None,
) -> Iterator[Frame | Gap]:
    """Read an image sequence: image n is at start + n / fps. Images that are not sampled are not opened.

    Args:
        images: the files, in order.
        camera: id of the camera that recorded them.
        start: stream time of the first image, microseconds UTC.
        fps: images per second.
        after: resume after this image.
        since: begin with the first image at or after this time.
        min_interval_us: minimum interval between sampled images, microseconds.
        stop: once it is set, reading ends.

    Raises:
        SourceError: the rate is not a positive number.
    """
    rate = exact_rate(fps)
    stop = stop or Stop()
    sampled = after.t if after is not None else None
    last_good = start if after is None else after.t
    unreadable = 0
    for index in range(0 if after is None else after.index + 1, len(images)):
        t = index_time(start, index, rate)
        if (since is not None and t < since) or (sampled is not None and t - sampled < min_interval_us):
            continue
        if stop.is_set():
            return
        sampled = t
        image = cv2.imread(str(images[index]), cv2.IMREAD_COLOR)
        if image is None:
            unreadable += 1
            continue
        if unreadable:
            yield Gap(GapKind.UNDECODABLE, last_good, t, unreadable, "image files cannot be read")
            unreadable = 0
        last_good = t
        yield Frame(image, t, index, camera)
    if unreadable:
        end = index_time(start, len(images), rate)
        yield Gap(GapKind.UNDECODABLE, last_good, end, unreadable, "image files cannot be read")
