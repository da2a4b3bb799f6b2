"""People who walked in front of a camera: from its observation log, or from a video that is analysed now."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from pipelines.observe_footage import Progress, observe_footage
from vision import observations
from vision.networks import ModelBundle
from zones.calibration.people import PersonBoxes
from zones.errors import LazarettoError
from zones.facility import Camera, Place


def from_log(
    home: Path, camera: str, window: tuple[int, int] = observations.ALL_TIME
) -> tuple[PersonBoxes, tuple[int, int]]:
    """PersonBoxes of a camera's log, and the size of its frames.

    Raises:
        LazarettoError: the log has no observations of the camera in the window.
    """
    seen = observations.read(home, camera, *window)
    if seen.is_empty():
        raise LazarettoError(
            f"expected observations of camera {camera!r} in {home}, got none: "
            "analyse some of its footage first"
        )
    return people_of(seen)


def from_video(
    video: Path,
    bundle: ModelBundle,
    source_fps: float | None = None,
    progress: Progress = lambda *_: None,
    camera: Camera | None = None,
) -> tuple[PersonBoxes, tuple[int, int]]:
    """PersonBoxes of a video, and the size of its frames; the camera's setting of their shape counts.

    Raises:
        SourceError: the video, or a part of it, cannot be read.
        LazarettoError: no person was detected.
    """
    camera = camera or Camera(id="calibrated", places=(Place.OTHER_PUBLIC,))
    seen = observe_footage(video, bundle, camera, source_fps=source_fps, progress=progress).observations
    if seen.is_empty():
        raise LazarettoError(f"{video}: expected people who walk, got no detection of a person")
    return people_of(seen)


def people_of(seen: pl.DataFrame) -> tuple[PersonBoxes, tuple[int, int]]:
    """The boxes of observations of the most frequent frame size, and that size, px."""
    sizes = seen.group_by("width", "height").len().sort("len", "width", descending=True)
    width, height = sizes.select("width", "height").row(0)
    part = seen.filter((pl.col("width") == width) & (pl.col("height") == height))
    boxes = part.select("x1", "y1", "x2", "y2").to_numpy().astype(np.float64)
    return (
        PersonBoxes(
            boxes / (width, height, width, height),
            part["track"].to_numpy().astype(np.int64),
            part["t"].dt.timestamp("us").to_numpy().astype(np.int64),
            width / height,
        ),
        (int(width), int(height)),
    )
