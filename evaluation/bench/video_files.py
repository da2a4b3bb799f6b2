"""The times of a video's frames, and its beginning as a file of its own, without decoding it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from vision.frames import SECOND
from vision.sources.container import open_video
from vision.sources.timeline import SourceError


def cut(video: Path, target: Path, seconds: float) -> Path:
    """Copy the beginning of a video, up to the first key frame at or after `seconds`, without decoding.

    Raises:
        SourceError: the video cannot be read.
    """
    with open_video(video) as (container, source), av.open(str(target), "w") as output:
        output.metadata.update(container.metadata)
        stream = output.add_stream_from_template(source)
        first: int | None = None
        for packet in container.demux(source):
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is None:
                continue
            first = stamp if first is None else first
            if packet.is_keyframe and (stamp - first) * float(packet.time_base or 0) >= seconds > 0:
                break
            packet.stream = stream
            output.mux(packet)
    return target


@dataclass(frozen=True)
class FrameTimes:
    """The frames of a video.

    Attributes:
        width, height: px.
        offsets: (F,) time of each frame after the first, microseconds.
        step: from the last frame to the end, microseconds.
    """

    width: int
    height: int
    offsets: npt.NDArray[np.int64]
    step: int

    @property
    def duration(self) -> int:
        """From the first frame to the end of the last, microseconds."""
        return int(self.offsets[-1]) + self.step

    @property
    def rate(self) -> float:
        """Frames per second."""
        return len(self.offsets) * SECOND / self.duration


def frame_times(video: Path) -> FrameTimes:
    """The times of a video's frames, from its packets.

    Raises:
        SourceError: the video cannot be read, or has fewer than two frames.
    """
    with open_video(video) as (container, source):
        stamps = sorted(_stamps(p.dts if p.pts is None else p.pts for p in container.demux(source)))
        base = float(source.time_base or 0)
        size = source.width, source.height
    if len(stamps) < 2:
        raise SourceError(f"{video}: expected a video with at least two frames, got {len(stamps)}")
    offsets = np.rint((np.array(stamps) - stamps[0]) * base * SECOND).astype(np.int64)
    return FrameTimes(*size, offsets, int(np.median(np.diff(offsets))))


def _stamps(items: Iterable[int | None]) -> Iterator[int]:
    return (item for item in items if item is not None)
