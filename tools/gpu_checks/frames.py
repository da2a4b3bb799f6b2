"""The frames on which the check runs: read from files, or written from videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gpu_checks.report import CannotRunError
from models.agreement import Image


def read_frames(folder: Path) -> list[Image]:
    """The frames of a folder, in order of their names: PNG files, or .npy arrays (H x W x 3, uint8, BGR).

    Raises:
        CannotRunError: there are none, or one cannot be read.
    """
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".png", ".npy"))
    if not files:
        raise CannotRunError(
            f"expected frames (.png or .npy) in {folder}, got none: `gpu_check.py frames VIDEO --output DIR` "
            "writes them"
        )
    frames = []
    for path in files:
        try:
            array = path.suffix.lower() == ".npy"
            image = np.load(path) if array else cv2.imread(str(path), cv2.IMREAD_COLOR)
        except (OSError, ValueError, EOFError):
            image = None
        if image is None or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise CannotRunError(f"{path}: expected an image of H x W x 3 bytes, got something else")
        frames.append(np.ascontiguousarray(image))
    return frames


def write_frames(videos: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """Write `count` evenly spaced frames of each video as PNG files; needs PyAV.

    Raises:
        CannotRunError: a video cannot be read.
    """
    from vision.frames import Frame
    from vision.sources.files import open_source
    from zones.errors import LazarettoError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotRunError(f"expected a folder that can be written, got {folder}: {error}") from error
    written: list[Path] = []
    for video in videos:
        try:
            source = open_source(video, video.stem, 0)
            step = max(1, (source.info.duration_us or 0) // count)
            found = [item for item in source.frames(None, step) if isinstance(item, Frame)][:count]
        except LazarettoError as error:
            raise CannotRunError(str(error)) from error
        for frame in found:
            path = folder / f"{video.stem}-{frame.index:06d}.png"
            if not cv2.imwrite(str(path), frame.image):
                raise CannotRunError(f"expected a file that can be written, got {path}")
            written.append(path)
    return written
