"""Encodes pictures as H.264 in MP4, which any browser plays; frames in 4:2:0 are not converted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import PictureType

from vision.frames import SECOND, to_iso
from vision.sources.decoded_frame import DecodedFrame

QUALITY = {"preset": "veryfast", "crf": "23", "profile": "high", "forced-idr": "1", "bf": "0"}
"""Settings of libx264. crf 23 is its own default and looks close to the source. Without B-frames a picture is
decoded when it is shown, so players agree on where a clip of irregular pictures ends.
Project default (docs/defaults.md)."""
QUICK_PRESET = "ultrafast"
"""Preset of libx264 for a clip that people wait for: it takes about half the processor time of the other and
several times the space, at the same quality. Project default (docs/defaults.md)."""
KEY_FRAME_EVERY = 2 * SECOND
"""Longest time between key frames of an encoded clip, in microseconds. It lets a reviewer step back without
delay. Project default (docs/defaults.md)."""
CLOCK = Fraction(1, 90_000)
"""Time base of encoded clips: exact for the common frame rates, and every player knows it."""
BT_709, SMPTE_170M = 1, 6
LIMITED_RANGE, FULL_RANGE = 1, 2
"""How pictures are coded (ITU-T H.273). Of those converted from BGR it is said in the clip lest players guess
by size; those of a video in 4:2:0 are encoded as what they are."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a clip.

    Attributes:
        t: its stream time, microseconds UTC.
        image: height x width x 3, uint8, BGR, upright, with square pixels.
    """

    t: int
    image: np.ndarray


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that is converted only where it must be: conversion takes as long as decoding."""

    t: int
    item: np.ndarray | DecodedFrame

    def picture(self) -> Picture:
        """The picture, converted."""
        return Picture(self.t, self.item if isinstance(self.item, np.ndarray) else self.item.bgr())

    def decoded(self) -> av.VideoFrame | None:
        """The frame as it left the decoder, if that can be encoded as it is."""
        return None if isinstance(self.item, np.ndarray) else self.item.decoded()


@contextlib.contextmanager
def target(out: Path, start: int) -> Iterator[OutputContainer]:
    """An MP4 file to be written, with its index in front, that says when its footage begins."""
    # Bit-exact: the same footage gives the same file, on whatever version it was cut.
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(out), "w", format="mp4", options=options) as container:
        container.metadata["creation_time"] = to_iso(start)
        yield container


def encode(pictures: Iterator[Shown], out: Path, quick: bool = False) -> tuple[int, int] | None:
    """Encode pictures, larger where it has to be quick.

    Returns when the first begins and the last ends, None if there is none.
    """
    first = next(pictures, None)
    if first is None:
        return None
    begin = first.t
    form = Form.of(first)
    settings = QUALITY | ({"preset": QUICK_PRESET} if quick else {})
    last, step, next_key = begin, SECOND // 25, begin
    with target(out, begin) as container:
        stream = container.add_stream("libx264", rate=25, options=settings)
        stream.width, stream.height, stream.pix_fmt = form.width, form.height, form.pix_fmt
        context = stream.codec_context
        context.time_base = CLOCK
        context.colorspace, context.color_range = form.colorspace, form.color_range
        for picture in chain([first], pictures):
            frame = form.frame(picture)
            frame.time_base = CLOCK
            frame.pts = round(Fraction(picture.t - begin, SECOND) / CLOCK)
            # A decoded frame says how it was coded, which the encoder would take for a wish.
            frame.pict_type = PictureType.NONE
            if picture.t >= next_key:
                # By time, not by count: footage may have any rate, or none that is constant.
                frame.pict_type, next_key = PictureType.I, picture.t + KEY_FRAME_EVERY
            container.mux(stream.encode(frame))
            if picture.t > last:
                step, last = min(picture.t - last, SECOND), picture.t
        for packet in stream.encode():
            # The encoder knows a nominal rate only, and with it would end the last picture too early.
            packet.duration = round(Fraction(step, SECOND) / CLOCK)
            container.mux(packet)
    return begin, last + step


@dataclass(frozen=True, slots=True)
class Form:
    """The form of the frames of an encoded clip: that of its first picture."""

    width: int
    height: int
    pix_fmt: str
    colorspace: int
    color_range: int

    @classmethod
    def of(cls, first: Shown) -> Form:
        """The form of a clip by its first picture."""
        frame = first.decoded()
        if frame is None:
            height, width = first.picture().image.shape[:2]
            # 4:2:0 needs even sides. Scaled, not cropped: boxes in shares of the frame stay where they are.
            width, height = (max(2, side + side % 2) for side in (width, height))
            return cls(width, height, "yuv420p", SMPTE_170M, LIMITED_RANGE)
        return cls.of_frame(frame)

    @classmethod
    def of_frame(cls, frame: av.VideoFrame) -> Form:
        """The form of a decoded frame."""
        full = frame.format.name == "yuvj420p"
        color_range = FULL_RANGE if full else int(frame.color_range)
        return cls(frame.width, frame.height, frame.format.name, int(frame.colorspace), color_range)

    def frame(self, picture: Shown) -> av.VideoFrame:
        """A picture as a frame of this form, converted only if it has another one."""
        decoded = picture.decoded()
        if decoded is not None and self.of_frame(decoded) == self:
            return decoded
        return av.VideoFrame.from_ndarray(picture.picture().image, format="bgr24").reformat(
            self.width,
            self.height,
            self.pix_fmt,
            dst_colorspace="ITU709" if self.colorspace == BT_709 else "SMPTE170M",
            dst_color_range="JPEG" if self.color_range == FULL_RANGE else "MPEG",
            threads=1,
        )
