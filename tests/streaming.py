"""Clips and clients for tests of the RTSP server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from tests.footage import number_of, write_video

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the command ffmpeg is not there")

FPS, GOP = 25, 25
PROBED = 10
"""More frames than FFmpeg has read when a connection is open."""


def clip(path: Path, codec: str = "h264", frames: int = 50, **options: object) -> Path:
    """Numbered frames, 25 a second, with a key frame each second."""
    encoder = {"h264": "libx264", "h265": "libx265"}[codec]
    if codec == "h265":
        options["options"] = {"x265-params": "log-level=error"}
    size = options.pop("size", (320, 240))
    return write_video(path, frames, fps=FPS, gop=GOP, codec=encoder, size=size, **options)  # type: ignore[arg-type]


def md5s(*source: object) -> list[str]:
    """MD5 of each frame as Debian's ffmpeg decodes it."""
    command = ["ffmpeg", "-loglevel", "error", *map(str, source)]
    command += ["-fps_mode", "passthrough", "-f", "framemd5", "-"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [line.split(",")[-1].strip() for line in ran.stdout.splitlines() if not line.startswith("#")]


@contextmanager
def connected(
    url: str, transport: str = "tcp", timeout_s: float = 3.0
) -> Iterator[av.container.InputContainer]:
    """Connect as PyAV does, without reading ahead a second to learn what SDP has told."""
    options = {"rtsp_transport": transport, "analyzeduration": "1", "probesize": "32"}
    with av.open(url, options=options, timeout=timeout_s) as container:
        yield container


def numbers(container: av.container.InputContainer, count: int) -> list[int]:
    """The numbers that the next frames show."""
    frames = container.decode(video=0)
    return [number_of(next(frames).to_ndarray(format="bgr24")) for _ in range(count)]


def times(container: av.container.InputContainer, count: int) -> list[float]:
    """The times of the next packets, in seconds. FFmpeg gives the first packet of a connection none."""
    made: list[float] = []
    for packet in container.demux(video=0):
        if packet.pts is not None and packet.time_base is not None:
            made.append(float(packet.pts * packet.time_base))
        if len(made) == count:
            break
    return made
