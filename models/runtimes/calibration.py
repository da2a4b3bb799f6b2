"""Pictures that show a quantiser what values flow through a network: frames of the user's own footage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from models.errors import ModelError
from models.runtimes.network import Image

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
VIDEOS = {".mp4", ".avi", ".mkv", ".mov", ".ts", ".m4v", ".webm"}


def files(sources: Sequence[Path]) -> list[Path]:
    """Every image and video among files and below folders, in the order given, then of names.

    Raises:
        ModelError: a source is missing or is neither, or there is none.
    """
    found: list[Path] = []
    for source in sources:
        if source.is_dir():
            found += sorted(p for p in source.rglob("*") if p.suffix.lower() in IMAGES | VIDEOS)
        elif source.is_file() and source.suffix.lower() in IMAGES | VIDEOS:
            found.append(source)
        else:
            raise ModelError(
                f"expected calibration frames in images, videos or folders of them, got {source}"
            )
    if not found:
        raise ModelError(f"expected calibration frames, found no image and no video in {_listed(sources)}")
    return found


def sample(sources: Sequence[Path], count: int) -> list[Image]:
    """At most `count` pictures, evenly spread over the files, and over the length of each video.

    Raises:
        ModelError: a file cannot be read, or gives no picture.
    """
    found = files(sources)
    videos = [p for p in found if p.suffix.lower() in VIDEOS]
    images = [p for p in found if p.suffix.lower() in IMAGES]
    if len(images) > count:
        images = [images[int(n)] for n in np.linspace(0, len(images) - 1, count)]
    each = max(1, (count - len(images)) // len(videos)) if videos else 0
    frames = [_image(path) for path in images]
    for path in videos:
        frames += list(_frames(path, each))
    return frames[:count]


def _image(path: Path) -> Image:
    image = cv2.imread(str(path))
    if image is None:
        raise ModelError(f"expected an image, got {path}")
    return np.asarray(image, np.uint8)


def _frames(path: Path, count: int) -> Iterator[Image]:
    """Frames at the middles of `count` equal parts of a video; those that cannot be decoded are left out."""
    given = 0
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            length = float(container.duration or 0) / 1e6
            first = float(stream.start_time or 0) * float(stream.time_base or 1)
            for number in range(count):
                wanted = first + length * (number + 0.5) / count
                container.seek(round(wanted * 1e6), backward=True)
                for frame in container.decode(stream):
                    if frame.time is None or frame.time >= wanted - 0.001:
                        yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
                        given += 1
                        break
    except (av.FFmpegError, IndexError) as error:
        raise ModelError(f"{path}: expected a video to take calibration frames from, got {error}") from error
    if not given:
        raise ModelError(f"{path}: expected a video to take calibration frames from, no frame can be decoded")


def _listed(sources: Sequence[Path]) -> str:
    return ", ".join(map(str, sources)) or "nothing"
