"""A file of a footage ring, open for writing: fragmented MP4, with a fragment per picture.

A fragment is written whole or not at all, so what is in the file can be read at any time.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vision.frames import SECOND
from vision.live.ring.files import file_name, spare_name

REORDERING_US = 2 * SECOND
"""How much earlier than shown a picture is decoded in files of streams that reorder pictures: more than the
16 pictures that H.264 and H.265 allow take from 8 pictures per second on. Project default
(docs/defaults.md)."""
MICROSECONDS = Fraction(1, SECOND)
"""Time base of the files."""
OPTIONS = {
    "movflags": "empty_moov+default_base_moof+frag_every_frame+skip_trailer",
    "use_editlist": "0",
    "flush_packets": "1",
    "fflags": "+bitexact",
}
"""Of the MP4 muxer: the header first, then a fragment per picture, and nothing that is written at the end."""


def parameters_of(stream: VideoStream) -> VideoStream:
    """A stream with the codec parameters of another one, whose container may be closed."""
    return av.open(_Nothing(), "w", format="null").add_stream_from_template(stream, opaque=True)


class _Nothing:
    """A file to which nothing is written."""

    def write(self, data: bytes) -> int:
        return len(data)


class FragmentedFile:
    """One file of a ring, open for writing.

    Attributes:
        path: of the file.
        start: stream time of its first picture, microseconds UTC.
    """

    def __init__(self, folder: Path, stream: VideoStream, start: int, reorders: bool) -> None:
        """Create the file in the folder of its day.

        Args:
            folder: of the camera.
            stream: whose parameters the file copies.
            start: stream time of the key frame that comes first, microseconds UTC.
            reorders: whether pictures may be shown in another order than decoded.

        Raises:
            OSError, FFmpegError: it cannot be created.
            ValueError: MP4 does not hold the codec.
        """
        self.start = start
        self._lead = REORDERING_US if reorders else 0
        self._last = start
        self._decoded = -1
        self._sink = _Sink(folder / file_name(start))
        try:
            self._container: OutputContainer = av.open(self._sink, "w", format="mp4", options=OPTIONS)
            self._track = self._container.add_stream_from_template(stream, opaque=True)
            self._track.time_base = MICROSECONDS
        except BaseException:
            self._sink.close()
            raise
        self.path = self._sink.path

    def lasts(self, t: int) -> float:
        """Seconds from the start of the file to `t`; without end where the clock was set back."""
        return (t - self.start) / SECOND if t >= self.start else float("inf")

    def add(self, packet: Packet[VideoStream], t: int) -> bool:
        """Add the next packet in decoding order, with the time at which it is shown, microseconds UTC.

        Returns:
            False, and adds nothing, where it is shown earlier than the order of the packets allows.

        Raises:
            OSError, FFmpegError: it cannot be written.
        """
        shown = t - self.start + self._lead
        decoded = max(self._decoded + 1, shown - self._lead)
        if decoded > shown:
            return False
        copy = cast("Packet[VideoStream]", av.Packet(bytes(packet)))
        copy.stream, copy.time_base = self._track, MICROSECONDS
        copy.pts, copy.dts, copy.is_keyframe = shown, decoded, packet.is_keyframe
        # Of the last picture of a file, no later one tells how long it lasts.
        copy.duration = min(max(1, t - self._last), SECOND) if t != self.start else SECOND // 25
        self._container.mux(copy)
        self._decoded, self._last = decoded, max(t, self._last)
        return True

    def flush(self) -> int:
        """Write what is ready to the disk, whole or not at all; returns its bytes.

        Raises:
            OSError: the disk refuses it.
        """
        return self._sink.write_out()

    def close(self) -> int:
        """Write the last picture and end the file; returns its bytes.

        Raises:
            OSError, FFmpegError: it cannot be written. The file is closed all the same.
        """
        try:
            self._container.close()
            return self._sink.write_out()
        finally:
            self._sink.close()


class _Sink:
    """Collects what the muxer writes until it is whole, and then writes it to a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two connections may begin at one microsecond, where a clock was set back.
        self.path = spare_name(path)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self._waiting = bytearray()
        self._size = 0

    def write(self, data: bytes) -> int:
        """Take bytes of the muxer."""
        self._waiting += data
        return len(data)

    def write_out(self) -> int:
        whole, self._waiting = self._waiting, bytearray()
        left = memoryview(whole)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            # A fragment that is not whole would be a torn file.
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(whole)
        return len(whole)

    def close(self) -> None:
        """Close the file; one in which nothing is goes."""
        os.close(self._file)
        if not self._size:
            self.path.unlink(missing_ok=True)
