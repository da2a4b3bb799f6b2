"""Pictures that change their size within a connection.

Who records a stream, and who decodes it, took its parameters when it was opened. Some cameras go on in the
same connection when their settings are changed, and announce other parameters inside the stream only.
"""

from __future__ import annotations

import av
from av.codec import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

Size = tuple[int, int]
_START = b"\0\0\1"


class PictureSize:
    """Follows the parameter sets inside the packets of one connection, in Annex B format."""

    def __init__(self, codec: str) -> None:
        """Begin before the first packet of a stream in this codec, by FFmpeg's name."""
        self._codec = codec
        self._set: bytes | None = None
        self._size: Size | None = None

    def changed(self, packet: Packet[VideoStream]) -> Size | None:
        """Width and height in px, where they are others than before from this packet on."""
        if not packet.is_keyframe or self._codec not in ("h264", "hevc"):
            return None
        found = self._set_in(bytes(packet))
        if found is None or found == self._set:
            return None
        self._set = found
        before, size = self._size, self._size_in(packet)
        self._size = size or before
        return size if before is not None and size != before else None

    def _set_in(self, data: bytes) -> bytes | None:
        """The sequence parameter set in a packet, if there is one."""
        begin = data.find(_START)
        while 0 <= begin < len(data) - 3:
            begin += 3
            head = data[begin]
            kind, wanted = (head & 31, 7) if self._codec == "h264" else (head >> 1 & 63, 33)
            end = data.find(_START, begin)
            if kind == wanted:
                return data[begin:end].rstrip(b"\0")
            begin = end
        return None

    def _size_in(self, packet: Packet[VideoStream]) -> Size | None:
        context = CodecContext.create(self._codec, "r")
        assert isinstance(context, VideoCodecContext), "the codec is one of video"
        try:
            context.decode(packet)
        except av.FFmpegError:
            return None  # Damaged; the decoder of the stream says so.
        return (context.width, context.height) if context.width and context.height else None
