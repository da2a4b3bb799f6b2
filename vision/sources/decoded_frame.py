"""A decoded frame, converted to the picture that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from vision.sources.pixels import PixelShape

PLAIN_FORMATS = frozenset({"yuv420p", "yuvj420p"})
"""4:2:0 with 8 bits, in limited and in full range."""


@dataclass(frozen=True, slots=True)
class Converters:
    """What converts the frames of a pass, by target: each keeps what it prepared for the last size.

    They are for one thread at a time.
    """

    bgr: VideoReformatter = field(default_factory=VideoReformatter)
    grey: VideoReformatter = field(default_factory=VideoReformatter)


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A decoded frame before conversion to BGR.

    Attributes:
        index: index of the frame in its source.
        t: stream time, microseconds UTC.
        video: as the decoder gave it.
        pixels: what is known of the shape of its pixels.
        in_codec: width over height of a pixel by the codec at this frame, or None.
    """

    index: int
    t: int
    video: VideoFrame
    _converters: Converters
    pixels: PixelShape
    in_codec: Fraction | None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, upright and with square pixels, px."""
        width, height = self._square
        return (height, width) if self._turns % 2 else (width, height)

    def bgr(self) -> np.ndarray:
        """Convert to height x width x 3, uint8, BGR, with square pixels, upright by the file's rotation.

        Rotations by other than a multiple of 90 degrees are ignored.
        """
        # One thread, because conversion is cheap and decoding and inference need the cores.
        converted = self._converters.bgr.reformat(self.video, *self._square, format="bgr24", threads=1)
        return self._upright(converted.to_ndarray())

    def decoded(self) -> VideoFrame | None:
        """The frame as it left the decoder, where it is upright, with square pixels, in 4:2:0 with 8 bits.

        None for other frames, and for those of an odd width or height.
        """
        stored = self.video.width, self.video.height
        even = not (stored[0] % 2 or stored[1] % 2)
        plain = self.video.format.name in PLAIN_FORMATS
        return self.video if plain and even and not self._turns and stored == self._square else None

    def grey(self, size: tuple[int, int]) -> np.ndarray:
        """The luma of the upright picture, reduced to width x height px: height x width, uint8."""
        width, height = reversed(size) if self._turns % 2 else size
        reduced = self._converters.grey.reformat(
            self.video, width, height, format="gray8", interpolation=Interpolation.AREA, threads=1
        )
        return self._upright(reduced.to_ndarray())

    @property
    def _turns(self) -> int:
        return round(self.video.rotation / 90) % 4

    @property
    def _square(self) -> tuple[int, int]:
        """Width and height with square pixels, as stored, before it is turned, px."""
        stored = self.video.width, self.video.height
        return self.pixels.square(stored, self._turns % 2 == 1, self.in_codec)

    def _upright(self, image: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(image, self._turns)) if self._turns else image
