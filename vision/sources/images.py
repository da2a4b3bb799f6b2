"""Image sequences: the image files that belong to one, and its frames."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median

import cv2

from vision.clock import Stop
from vision.frames import SECOND, Frame, to_microseconds
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.name_times import clock_in_name, dates_in_folders, time_in_name, unix_time_in_name
from vision.sources.timeline import SourceError, exact_rate, index_time

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
MAX_IMAGE_US = 2 * SECOND
"""Longest time that one image stands for, microseconds: where the next one is named later than this, and than
three steps of the given rate, the time between is missing footage. Project default (docs/defaults.md)."""
_PRINTF = re.compile(r"%0?\d*d")


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key that puts frame9.jpg before frame10.jpg."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is hidden: its name begins with a dot, as of `._frame1.jpg` from macOS."""
    return path.name.startswith(".")


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern (`frames/%06d.jpg`, `frames/*.jpg`) and not a file of that name."""
    return not path.exists() and bool(_PRINTF.search(path.name) or re.search(r"[*?\[]", path.name))


def matches(pattern: Path) -> list[Path]:
    """Files that match a pattern, in natural order; only the last part of the path may have wildcards.

    Hidden files match only a pattern that begins with a dot itself.
    """
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
    hidden = is_hidden(pattern)
    shown = (path for path in found if path.is_file() and (hidden or not is_hidden(path)))
    return sorted(shown, key=natural_key)


def is_image_sequence(path: Path) -> bool:
    """Whether a path names an image sequence (a folder, a pattern or a single image) and not a video file."""
    return path.is_dir() or is_pattern(path) or path.suffix.lower() in IMAGE_SUFFIXES


def image_files(path: Path) -> list[Path]:
    """The image files of a folder, a pattern or a single image, without hidden ones of a folder.

    They are in natural order, or in that of the times that all their names state.

    Raises:
        SourceError: there are none.
    """
    if is_pattern(path):
        found = matches(path)
    elif path.is_dir():
        entries = (entry for entry in path.iterdir() if entry.is_file() and not is_hidden(entry))
        found = sorted(entries, key=natural_key)
    else:
        found = [path] if path.is_file() else []
    images = [image for image in found if image.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise SourceError(f"{path}: expected image files, got none")
    times = _named_times(images)
    if times is None or all(earlier <= later for earlier, later in pairwise(times)):
        return images
    return [image for _, image in sorted(zip(times, images, strict=True), key=lambda item: item[0])]


def image_offsets(images: Sequence[Path], fps: float | None) -> list[int]:
    """Times of the images of a sequence after the first one, microseconds.

    Without `fps` they are those that the names state; images of one second are spread evenly over it. With
    `fps`, image n is at n / fps, but where a name states a time that is later by more than `MAX_IMAGE_US` and
    three steps, the images go on from there: in between none was taken.

    Raises:
        SourceError: the rate is not a positive number, or there is none and the names state no times.
    """
    named = _named_times(images)
    if fps is not None:
        rate = exact_rate(fps)
        return _on_grid([index_time(0, index, rate) for index in range(len(images))], named, rate)
    if named is None:
        raise SourceError(
            f"{images[0].parent}: expected a frame rate (--source-fps), because the images' names do not all "
            "state their times, got none"
        )
    offsets: list[int] = []
    for second, group in groupby(named):
        count = sum(1 for _ in group)
        offsets += [second - named[0] + SECOND * index // count for index in range(count)]
    return offsets


def image_step(offsets: Sequence[int], fps: float | None) -> int:
    """How long an image of a sequence lasts, microseconds: a frame of `fps`, else the usual step.

    At most `MAX_IMAGE_US` without `fps`: an image shows its moment, not the minutes up to the next one.
    """
    if fps is not None:
        return index_time(0, 1, exact_rate(fps))
    steps = [later - earlier for earlier, later in pairwise(offsets)]
    return max(1, min(int(median(steps)), MAX_IMAGE_US)) if steps else SECOND


def _named_times(images: Sequence[Path]) -> list[int] | None:
    """The times that the names of images state, microseconds, all in one zone; None if one states none.

    A time of day alone counts in a folder of a day only: elsewhere 000059 is a number. If all names state the
    same time, it is that of the sequence.
    """
    times: list[int] = []
    dated = bool(images and dates_in_folders(images[0]))
    for image in images:
        full = time_in_name(image.name, UTC)
        seconds = None if full is not None else unix_time_in_name(image.name)
        clock = clock_in_name(image.name) if dated and full is None and seconds is None else None
        if full is not None:
            times.append(full.t)
        elif seconds is not None:
            times.append(seconds)
        elif clock is not None:
            times.append(to_microseconds(datetime.combine(datetime(2000, 1, 1, tzinfo=UTC), clock, UTC)))
        else:
            return None
    return None if len(times) > 1 and min(times) == max(times) else times


def _on_grid(grid: Sequence[int], named: Sequence[int] | None, rate: Fraction) -> list[int]:
    """Times on the grid of a rate, put off wherever the names state that images are missing."""
    if named is None:
        return list(grid)
    longest = max(MAX_IMAGE_US, index_time(0, 3, rate))
    late = 0
    offsets = []
    for at, name in zip(grid, named, strict=True):
        if name - named[0] - (at + late) > longest:
            late = name - named[0] - at
        offsets.append(at + late)
    return offsets


def image_frames(
    images: Sequence[Path],
    camera: str,
    start: int,
    fps: float | None,
    *,
    after: ResumePoint | None = None,
    since: int | None = None,
    min_interval_us: int = 0,
    stop: Stop | None = None,
) -> Iterator[Frame | Gap]:
    """Read an image sequence; its times are those of `image_offsets`. Images not sampled are not opened.

    Args:
        images: the files, in order.
        camera: id of the camera that recorded them.
        start: stream time of the first image, microseconds UTC.
        fps: images per second; None = as their names say.
        after: resume after this image.
        since: begin with the first image at or after this time.
        min_interval_us: minimum interval between sampled images, microseconds.
        stop: once it is set, reading ends.

    Raises:
        SourceError: the rate is not a positive number, or there is none and the names state no times.
    """
    offsets = image_offsets(images, fps)
    step = image_step(offsets, fps)
    longest = max(MAX_IMAGE_US, 3 * step)
    stop = stop or Stop()
    sampled = after.t if after is not None else None
    last_good = start if after is None else after.t
    unreadable = 0
    for index in range(0 if after is None else after.index + 1, len(images)):
        t = start + offsets[index]
        if (since is not None and t < since) or (sampled is not None and t - sampled < min_interval_us):
            continue
        if stop.is_set():
            return
        before = start + offsets[index - 1] if index else None
        missing = before is not None and t - before > longest
        sampled = t
        image = cv2.imread(str(images[index]), cv2.IMREAD_COLOR)
        if image is None:
            unreadable += 1
            continue
        if unreadable:
            yield Gap(GapKind.UNDECODABLE, last_good, t, unreadable, "image files cannot be read")
            unreadable = 0
        elif missing and before is not None and since is None:
            yield Gap(GapKind.MISSING, before + step, t, 0, f"no image for {(t - before) / SECOND:.0f} s")
        last_good = t
        yield Frame(image, t, index, camera)
    if unreadable:
        end = start + offsets[-1] + step
        yield Gap(GapKind.UNDECODABLE, last_good, end, unreadable, "image files cannot be read")
