"""The shape of the pixels of recorded video: frames leave a source with square ones, in true proportions.

Analogue recorders squeeze the picture to save space: "1080N" stores 1920 x 1080 as 960 x 1080. The shape of a
pixel is its width over its height: the sample aspect ratio of FFmpeg and of ITU-T H.264 (table E-1). A file
may state it in the container, in the codec, in both or, as many recorders do, not at all. Here the camera's
setting (`aspect_ratio` in the facility file) comes first, then the container, as in FFmpeg, then the codec. A
statement of the codec that changes inside the file is followed.

The side that is too short is stretched, never the other one shrunk: so no pixel that was recorded is lost to
the networks, which see faces and people at their full size.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from av.video.stream import VideoStream

SQUARE_TOLERANCE = 0.02
"""Shapes that differ by at most this share are taken as equal, so that a picture of 1920 x 1088 is not
stretched by half a percent. Real shapes begin at 12:11. Project default (docs/defaults.md)."""
MOST_STRETCHED = 4
"""A statement that pixels are more than this many times as wide as high, or as high as wide, is not believed;
the widest of ITU-T H.264, table E-1, are 32:11. Project default (docs/defaults.md)."""
SQUEEZED_SIZES = {
    (960, 1080): "1080N",
    (944, 1080): "1080p lite",
    (640, 720): "720N",
    (1280, 1440): "4M-N",
    (1440, 1620): "6M-N",
    (1920, 2160): "4K-N",
    (704, 288): "2CIF",
    (352, 576): "half D1",
}
"""Width and height, px, that recorders use for squeezed pictures, and what they call them."""

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PixelShape:
    """What is known of the shape of a source's pixels before its frames are decoded.

    Attributes:
        stated: width over height of a pixel as the container states it, else the codec; None = neither does.
        in_codec: as the codec states it where the file begins, or None.
        aspect: width over height of the upright picture by the camera's setting, or None.
    """

    stated: Fraction | None = None
    in_codec: Fraction | None = None
    aspect: Fraction | None = None

    @classmethod
    def of(cls, stream: VideoStream, aspect: Fraction | None) -> PixelShape:
        """The shape of an open stream of which nothing has been decoded, under a camera's setting."""
        return cls(stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio, aspect)

    def from_file(self, in_codec: Fraction | None) -> Fraction | None:
        """The shape that the file states for a frame, believable or not; None = it states none.

        Args:
            in_codec: as the codec states it for that frame.
        """
        # The container has one statement for the whole file. What the codec says anew later is newer.
        return self.stated if in_codec == self.in_codec else in_codec

    def ratio(self, size: Size, turned: bool, in_codec: Fraction | None) -> Fraction:
        """Width over height of the pixels of a frame.

        Args:
            size: width and height of the frame as it is stored, px.
            turned: it must be turned by 90 degrees to be upright.
            in_codec: as the codec states it for this frame.
        """
        if self.aspect is not None:
            stored = 1 / self.aspect if turned else self.aspect
            wanted = stored * size[1] / size[0]
            if believable(wanted):
                return wanted
        stated = self.from_file(in_codec)
        return stated if stated is not None and believable(stated) else Fraction(1)

    def square(self, size: Size, turned: bool, in_codec: Fraction | None) -> Size:
        """Width and height of a frame with square pixels, before it is turned; arguments as of `ratio`."""
        ratio = self.ratio(size, turned, in_codec)
        width, height = size
        if same(ratio, Fraction(1)):
            return size
        # Even, because video in 4:2:0 needs even sides, and a clip should not be scaled once more.
        return (_even(width * ratio), height) if ratio > 1 else (width, _even(height / ratio))


def believable(ratio: Fraction) -> bool:
    """Whether pixels of a camera may have this width over height."""
    return Fraction(1, MOST_STRETCHED) <= ratio <= MOST_STRETCHED


def same(first: Fraction, second: Fraction) -> bool:
    """Whether two positive ratios differ by no more than the tolerance."""
    return abs(first - second) <= SQUARE_TOLERANCE * second


def square_image(image: np.ndarray, aspect: Fraction | None) -> np.ndarray:
    """An upright image (height x width x 3) stretched to the camera's setting; the same one without it."""
    size = image.shape[1], image.shape[0]
    wanted = PixelShape(aspect=aspect).square(size, False, None)
    return image if wanted == size else cv2.resize(image, wanted, interpolation=cv2.INTER_LINEAR)


def shape_notes(size: Size, turned: bool, in_codec: Fraction | None, pixels: PixelShape) -> tuple[str, ...]:
    """Sentences about a source whose shape should be checked; none where everything agrees.

    Args:
        size: width and height of its first frame as it is stored, px.
        turned: as of `PixelShape.ratio`.
        in_codec: as of `PixelShape.ratio`.
        pixels: what is known of its pixels.
    """
    stored = f"{size[0]} x {size[1]}"
    width, height = pixels.square(size, turned, in_codec)
    used = f"{height} x {width}" if turned else f"{width} x {height}"
    stated = pixels.from_file(in_codec)
    if pixels.aspect is not None:
        setting = f"{pixels.aspect.numerator}:{pixels.aspect.denominator}"
        by_setting = (1 / pixels.aspect if turned else pixels.aspect) * size[1] / size[0]
        if not believable(by_setting):
            return (
                f"the camera's aspect_ratio {setting} cannot be that of its picture of {stored}, and is not "
                f"used: it is analysed as {used}",
            )
        if stated is not None and not same(by_setting, stated):
            return (
                f"the file states pixels of {_text(stated)} (width to height) for its picture of {stored}, "
                f"and the camera's aspect_ratio is {setting}: the camera's counts, the picture is analysed "
                f"as {used}",
            )
        return ()
    if stated is not None and not believable(stated):
        return (
            f"the file states pixels of {_text(stated)} (width to height), which no camera has: they are "
            "taken as square; if the picture is squeezed, give the camera's aspect_ratio in the facility "
            "file",
        )
    if stated is None and size in SQUEEZED_SIZES:
        return (
            f"recorders store squeezed pictures as {stored} ({SQUEEZED_SIZES[size]}), and the file does not "
            "state the shape of its pixels: they are taken as square; if people look too narrow or too flat, "
            "give the camera's aspect_ratio in the facility file (such as 16:9)",
        )
    return ()


def _even(side: Fraction) -> int:
    return max(2, 2 * round(side / 2))


def _text(ratio: Fraction) -> str:
    return f"{ratio.numerator}:{ratio.denominator}"
