"""Encoded test videos whose frames show their own number, so that tests notice any mix-up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10
"""Binary digits of the number that is drawn into a frame."""


def picture(number: int, width: int = 160, height: int = 120) -> np.ndarray:
    """A BGR image that shows its number as a row of black and white blocks over a moving texture."""
    rng = np.random.default_rng(7)
    texture = rng.integers(60, 200, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    image = texture.repeat(8, 0).repeat(8, 1)[:height, :width].copy()
    image = np.roll(image, number * 3, axis=1)
    block = width // BITS
    for bit in range(BITS):
        image[: height // 4, bit * block : (bit + 1) * block] = 255 if number >> bit & 1 else 0
    return image


def number_of(image: np.ndarray) -> int:
    """Read the number from an image of any size, also after lossy compression."""
    height, width = image.shape[:2]
    block = width / BITS
    row = image[height // 16 : height // 6]
    return sum(
        1 << bit
        for bit in range(BITS)
        if row[:, int((bit + 0.3) * block) : int((bit + 0.7) * block)].mean() > 128
    )


def write_video(
    path: Path,
    frames: int = 60,
    *,
    fps: int | Fraction = 10,
    times_ms: Sequence[int] | None = None,
    codec: str = "libx264",
    b_frames: int = 0,
    gop: int = 12,
    size: tuple[int, int] = (160, 120),
    pix_fmt: str = "yuv420p",
    first: int = 0,
    offset_ms: int = 0,
    container_format: str | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    rotation: int = 0,
) -> Path:
    """Encode numbered frames.

    Args:
        path: path of the video; its suffix chooses the container unless `container_format` is given.
        frames: number of frames.
        fps: frame rate.
        times_ms: presentation times in milliseconds, for a variable rate (H.264 only).
        codec: encoder.
        b_frames: maximum number of consecutive B-frames.
        gop: frames from one key frame to the next.
        size: width, height.
        pix_fmt: pixel format.
        first: number of the first frame.
        offset_ms: time of the first frame in the container.
        container_format: name of the container.
        options: of the encoder, e.g. {"x264-params": "open-gop=1"}.
        container_options: of the container, e.g. {"movflags": "+faststart"}.
        metadata: of the container.
        rotation: degrees counterclockwise by which a player must turn the frames.
    """
    h264 = codec == "libx264"
    with av.open(str(path), "w", format=container_format, options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        settings = {"preset": "veryfast", "threads": "1", "sc_threshold": "0"} if h264 else {}
        stream = container.add_stream(codec, rate=fps, options=settings | (options or {}))
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        # AVI counts frames: with any other time base than the frame rate, empty frames would be added.
        fine = h264 and container.format.name != "avi"
        time_base = Fraction(1, 1000) if fine else 1 / Fraction(fps)
        stream.codec_context.time_base = time_base
        if rotation:
            stream.set_display_rotation(rotation)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(first + index, *size), format="bgr24")
            frame.time_base = time_base
            if fine:
                ms = times_ms[index] if times_ms is not None else round(index * 1000 / fps)
                frame.pts = ms + offset_ms
            else:
                frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def encode(path: Path, images: Iterable[np.ndarray], fps: int) -> Path:
    """Encode BGR images of one size (H x W x 3) as H.264 at a constant rate."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.pix_fmt = "yuv420p"
        for number, image in enumerate(images):
            if number == 0:
                stream.height, stream.width = image.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def packet_places(path: Path) -> list[tuple[int, int, bool]]:
    """Position and size (bytes) of a file's video packets, and whether each is a key frame."""
    with av.open(str(path)) as container:
        return [(p.pos or 0, p.size, p.is_keyframe) for p in container.demux(video=0) if p.size]


def damage(path: Path, packets: Sequence[int], *, lightly: bool = False) -> Path:
    """Overwrite some packets (by index in decoding order); lightly = change one byte of each."""
    data = bytearray(path.read_bytes())
    places = packet_places(path)
    rng = np.random.default_rng(1)
    for number in packets:
        at, size, _ = places[number]
        if lightly:
            data[at + size // 2] ^= 0x55
            continue
        data[at + 5 : at + size] = rng.integers(0, 256, size - 5, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    return path


def truncate(path: Path, share: float) -> Path:
    """Truncate a file to a share of its bytes, as a crash or a full disk does."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def atoms(data: bytes) -> list[str]:
    """Names of the top-level atoms of an MP4 file, in order."""
    names, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        names.append(data[at + 4 : at + 8].decode("ascii"))
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        at += size or len(data)
    return names
