"""A window of time out of a footage ring, as one file: its packets lie in files of a minute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from av.packet import Packet
from av.video.stream import VideoStream

from vision.frames import SECOND
from vision.live.ring.files import RingFile
from vision.live.ring.fragments import REORDERING_US, FragmentedFile
from vision.sources.container import open_video
from vision.sources.timeline import SourceError

LONGEST_HOLE_US = 60 * SECOND
"""Footage that is missing for longer than this ends a joined file, microseconds. Project default
(docs/defaults.md)."""


def join_window(files: Sequence[RingFile], start: int, end: int, folder: Path) -> list[RingFile]:
    """Copy the packets of [start, end] (microseconds UTC) into as few files as they allow.

    They begin with the last key frame at or before `start`, and may reach a little beyond `end`. Another file
    begins where codec parameters change, footage is missing for long, or times go back.

    Args:
        files: of one camera, in order of time. A file that is gone by now is left out.
        start: of the window.
        end: of the window.
        folder: where the files are written.

    Raises:
        OSError, FFmpegError: the disk refuses a file.
    """
    with _Joined(folder) as joined:
        for file in files:
            key = _last_key(file, start)
            for stream, packet, t in _packets(file):
                if t > end + REORDERING_US:
                    break
                if key is None or t >= key:
                    joined.add(stream, packet, t)
        return joined.files


class _Joined:
    """Writes packets that may come from several files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: FragmentedFile | None = None
        self._parameters: tuple[object, ...] = ()
        self._last = 0
        self.files: list[RingFile] = []

    def __enter__(self) -> _Joined:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def add(self, stream: VideoStream, packet: Packet[VideoStream], t: int) -> None:
        """Add a packet; those before the first key frame of a file are left out."""
        if packet.is_keyframe and not self._goes_on(stream, t):
            self._end()
            self._parameters = _parameters(stream)
            self._file = FragmentedFile(self._folder, stream, t, reorders=packet.pts != packet.dts)
            self.files.append(RingFile("", self._file.path, t))
        if self._file is None or t < self._file.start:
            return
        if not self._file.add(packet, t):
            self._end()
            return
        self._file.flush()
        self._last = max(t, self._last)

    def _goes_on(self, stream: VideoStream, t: int) -> bool:
        return (
            self._file is not None
            and self._last < t <= self._last + LONGEST_HOLE_US
            and _parameters(stream) == self._parameters
        )

    def _end(self) -> None:
        file, self._file, self._last = self._file, None, 0
        if file is not None:
            file.close()


def _parameters(stream: VideoStream) -> tuple[object, ...]:
    context = stream.codec_context
    return context.name, context.extradata, stream.width, stream.height, context.has_b_frames


def _packets(file: RingFile) -> Iterator[tuple[VideoStream, Packet[VideoStream], int]]:
    """The packets of a file with their stream times; none where it is gone or holds none yet."""
    try:
        with open_video(file.path) as (container, stream):
            first: int | None = None
            for packet in container.demux(stream):
                if not packet.size or packet.pts is None or packet.is_corrupt:
                    continue
                # The picture that is shown first comes first: a ring leaves out what is shown before it.
                first = packet.pts if first is None else first
                yield stream, packet, file.start + packet.pts - first
    except (SourceError, av.InvalidDataError):
        return


def _last_key(file: RingFile, start: int) -> int | None:
    """Stream time of the last key frame of a file at or before `start`; None if it has none."""
    if file.start > start:
        return None
    last = None
    for _, packet, t in _packets(file):
        if t > start + REORDERING_US:
            break
        if packet.is_keyframe and t <= start:
            last = t
    return last
