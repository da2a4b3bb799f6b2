"""Writing of videos as cameras send them, and joining them without encoding them anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

GOP_S = 2.0
"""Seconds from one key frame to the next in built footage, as surveillance cameras commonly send. Project
default (docs/defaults.md)."""
NOISE_SD = 2.0
"""Standard deviation of the sensor noise that is added to every frame, grey levels of 255, so that still
moments are not alike byte by byte. Project default (docs/defaults.md)."""
_FIELDS, _SHIFTS = 4, 64
"""Fields of noise, and the px by which they are shifted at random: fresh noise takes longer than encoding."""
RECORDED = "2026-11-24T01:00:00Z"
"""Moment of recording of built footage (08:00 in Vietnam): chosen, not known."""


@dataclass(frozen=True)
class Encoding:
    """How a camera encodes.

    Attributes:
        width, height: px.
        rate: frames per second.
        bit_rate: bits per second.
    """

    width: int
    height: int
    rate: int
    bit_rate: int


MAIN_1080P = Encoding(1920, 1080, 30, 4_000_000)
"""A main stream."""
SUBSTREAM = Encoding(640, 360, 15, 512_000)
"""A substream."""


class SensorNoise:
    """Adds grey noise to frames of one size."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        """Make the fields of noise."""
        self._random = np.random.default_rng(seed)
        self._height, self._width = height, width
        shape = (_FIELDS, height + _SHIFTS, width + _SHIFTS, 1)
        grey = np.rint(self._random.normal(0.0, NOISE_SD, shape)).astype(np.int16)
        self._fields = np.ascontiguousarray(np.broadcast_to(grey, (*shape[:3], 3)))

    def __call__(self, image: Image) -> Image:
        """A noisy copy of an image (H x W x 3)."""
        field = self._fields[int(self._random.integers(_FIELDS))]
        top, left = self._random.integers(_SHIFTS, size=2).tolist()
        part = field[top : top + self._height, left : left + self._width]
        return np.asarray(cv2.add(image, part, dtype=cv2.CV_8U), np.uint8)


def write_video(target: Path, images: Iterable[Image], encoding: Encoding) -> Path:
    """Encode BGR images (of the encoding's size) as H.264 without B-frames; the file is whole, or absent."""
    temporary = target.with_name(f".{target.name}")
    with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container:
        container.metadata["creation_time"] = RECORDED
        options = {
            "preset": "veryfast",
            "sc_threshold": "0",
            "maxrate": str(encoding.bit_rate),
            "bufsize": str(encoding.bit_rate * 2),
        }
        stream = container.add_stream("libx264", rate=encoding.rate, options=options)
        stream.width, stream.height, stream.pix_fmt = encoding.width, encoding.height, "yuv420p"
        stream.bit_rate = encoding.bit_rate
        stream.codec_context.gop_size = round(encoding.rate * GOP_S)
        stream.codec_context.max_b_frames = 0
        stream.codec_context.time_base = Fraction(1, encoding.rate)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, encoding.rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    temporary.replace(target)
    return target


def join(target: Path, parts: Iterable[Path], rate: int) -> Path:
    """Join videos of one encoding one after the other, without encoding them anew.

    Args:
        target: the video to write.
        parts: written by `write_video` with the same encoding; each may come several times.
        rate: their frames per second.
    """
    temporary = target.with_name(f".{target.name}")
    with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as output:
        output.metadata["creation_time"] = RECORDED
        stream = None
        written = 0
        for part in parts:
            with av.open(str(part)) as container:
                source = container.streams.video[0]
                if stream is None:
                    stream = output.add_stream_from_template(source)
                for packet in container.demux(source):
                    if packet.dts is None:
                        continue
                    packet.time_base = Fraction(1, rate)
                    packet.pts = packet.dts = written
                    packet.duration = 1
                    packet.stream = stream
                    output.mux(packet)
                    written += 1
    temporary.replace(target)
    return target
