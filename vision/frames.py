"""Frames, and times as microseconds UTC.

The time of a frame is its stream time, never the time at which it was read.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

import cv2
import numpy as np

SECOND = 1_000_000
"""Microseconds in a second; all times are whole microseconds since 1970-01-01T00:00:00Z."""
SEGMENT = 60 * SECOND
"""Microseconds of stream time that are analysed and written as one unit: the most analysis that a kill can
cost. Segments begin at whole minutes, and a segment divides the hour."""
SAMPLING_TOLERANCE_US = 5_000
"""A frame this much too early is still sampled, microseconds: containers round times to milliseconds, and the
fitted clock of a live stream moves by more. Project default (docs/defaults.md)."""
DUE_SHARE = 0.9
"""Share of its interval after which a periodic reading (face, clothes, embedding) is due. At 3.5 analysed
frames/s, a strict half second would halve a rate of 2 Hz. Project default (docs/defaults.md)."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Picture(Protocol):
    """A decoded picture that is not converted yet."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of `bgr`, px."""

    def bgr(self) -> np.ndarray:
        """Height x width x 3, uint8, BGR."""

    def grey(self, size: tuple[int, int]) -> np.ndarray:
        """The luma, reduced to width x height px by averaging: height x width, uint8."""


class Frame:
    """One decoded frame of one camera.

    The picture is converted to BGR when its pixels are first asked for: most frames of a quiet camera are
    checked for motion alone, and the conversion of a large picture takes as long as its decoding.

    Attributes:
        t: stream time, microseconds UTC.
        index: index of the decoded frame in its source, from 0.
        camera: id of the camera in the facility file.
        arrival: of a live frame, when its packet came, seconds of the monotonic clock; else None.
    """

    __slots__ = ("_image", "_picture", "arrival", "camera", "index", "t")

    def __init__(self, picture: np.ndarray | Picture, t: int, index: int, camera: str) -> None:
        """Take a picture, either as height x width x 3, uint8, BGR, or not yet converted."""
        self._image = picture if isinstance(picture, np.ndarray) else None
        self._picture = None if isinstance(picture, np.ndarray) else picture
        self.t = t
        self.index = index
        self.camera = camera
        self.arrival: float | None = None

    @property
    def image(self) -> np.ndarray:
        """Height x width x 3, uint8, BGR."""
        if self._image is None:
            assert self._picture is not None, "a frame has an image or a picture"
            self._image, self._picture = self._picture.bgr(), None
        return self._image

    @property
    def picture(self) -> Picture | None:
        """The picture as it was given, as long as it is not converted; None where it was given as BGR."""
        return self._picture

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        if self._picture is not None:
            return self._picture.size
        height, width = self.image.shape[:2]
        return width, height

    def grey(self, size: tuple[int, int]) -> np.ndarray:
        """The luma, reduced to width x height px by averaging: height x width, uint8."""
        if self._picture is not None:
            return self._picture.grey(size)
        small = cv2.resize(self.image, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def to_iso(t: int) -> str:
    """Format microseconds UTC as ISO 8601 of fixed width, so that the texts sort by time."""
    return f"{(EPOCH + timedelta(microseconds=t)).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def to_microseconds(moment: datetime) -> int:
    """Convert a time with a zone to microseconds UTC, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_iso(text: str) -> int:
    """Parse ISO 8601 with an offset into microseconds UTC.

    Raises:
        ValueError: the text is not ISO 8601, or has no offset (a time without one is ambiguous).
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected a time such as 2026-11-24T08:00:00+07:00, got {text!r}") from None
    if moment.tzinfo is None:
        raise ValueError(f"expected a time with an offset such as +07:00 or Z, got {text!r}")
    return to_microseconds(moment)
