"""Small videos of a round white disk whose pixels are not square, as recorders write them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

Size = tuple[int, int]
SHOWN: Size = (320, 180)
"""Width and height of the upright picture in true proportions."""
SQUEEZED: Size = (160, 180)
"""As a recorder with half the width stores it: its pixels are twice as wide as high."""
FLAT: Size = (320, 90)
"""As a recorder with half the height stores it: its pixels are twice as high as wide."""


def disk(shown: Size = SHOWN) -> np.ndarray:
    """A BGR picture in true proportions."""
    image = np.full((shown[1], shown[0], 3), 20, np.uint8)
    middle = shown[0] // 2, shown[1] // 2
    return cv2.circle(image, middle, min(shown) // 3, (235, 235, 235), cv2.FILLED, cv2.LINE_AA)


def roundness(image: np.ndarray) -> float:
    """Width over height of the disk in a picture: 1 in true proportions."""
    rows, columns = np.nonzero(image[:, :, 1] > 128)
    return float((np.ptp(columns) + 1) / (np.ptp(rows) + 1))


def write_disk(
    path: Path,
    stored: Size | Sequence[Size] = SQUEEZED,
    in_codec: Fraction | Sequence[Fraction | None] | None = None,
    *,
    shown: Size = SHOWN,
    frames: int = 30,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    b_frames: int = 0,
    rotation: int = 0,
) -> Path:
    """Encode the disk at 10 frames/s, in parts with a size and a statement of the codec each.

    Args:
        path: its suffix chooses the container; only transport streams take several parts.
        stored: width and height of the frames as stored, of each part.
        in_codec: width over height of a pixel as the codec states it, of each part; None = it does not.
        shown: width and height of the upright picture in true proportions.
        frames: of each part.
        codec: encoder.
        pix_fmt: pixel format.
        b_frames: maximum number of consecutive B-frames.
        rotation: degrees counterclockwise by which a player must turn the frames.
    """
    sizes = [stored] if isinstance(stored[0], int) else stored
    stated = [in_codec] * len(sizes) if not isinstance(in_codec, Sequence) else in_codec
    image = np.rot90(disk(shown), -rotation // 90)
    with av.open(str(path), "w") as container:
        track = None
        for part, (size, ratio) in enumerate(zip(sizes, stated, strict=True)):
            stored_image = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
            encoder = av.CodecContext.create(codec, "w")
            if track is None:
                stream = container.add_stream(codec, rate=10)
                encoder = stream.codec_context
                if rotation:
                    stream.set_display_rotation(rotation)
                track = stream
            encoder.width, encoder.height, encoder.pix_fmt = *size, pix_fmt
            encoder.time_base, encoder.framerate = Fraction(1, 1000), Fraction(10)
            encoder.gop_size, encoder.max_b_frames = 10, b_frames
            if ratio is not None:
                encoder.sample_aspect_ratio = ratio
            for number in range(frames + 1):
                frame = None
                if number < frames:
                    frame = av.VideoFrame.from_ndarray(stored_image, format="bgr24")
                    frame.time_base, frame.pts = Fraction(1, 1000), (part * frames + number) * 100
                for packet in encoder.encode(frame):
                    packet.stream = track
                    container.mux(packet)
    return path


def restate(path: Path, out: Path, in_container: Fraction) -> Path:
    """Copy a video into an MP4 file whose container states the shape of the pixels; the codec's stays."""
    with av.open(str(path)) as source, av.open(str(out), "w") as container:
        [stream] = source.streams.video
        track = container.add_stream_from_template(stream, opaque=True)
        track.codec_context.sample_aspect_ratio = in_container
        for packet in source.demux(stream):
            if packet.size:
                packet.stream = track
                container.mux(packet)
    return out
