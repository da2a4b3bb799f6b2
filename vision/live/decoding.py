"""Decoding of a live stream: pictures that can be trusted, and why others cannot.

Packets that were lost on the way are concealed by the decoder: the picture looks whole, and what moved in it
is an invention. So from any sign of damage on, no picture is given until the next key frame. The signs are
the decoder's own mark, its errors, packets marked as damaged, what FFmpeg logs about packets that were
missed, and numbers of pictures that are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vision.frames import SECOND
from vision.live.frame_numbers import FrameNumbers
from vision.sources.opening import error_text

MAX_DISTRUST_US = 10 * SECOND
"""After the last sign of damage, pictures are trusted again after this time even without a key frame: cameras
with intra refresh send none. Project default (docs/defaults.md)."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Pictures that were not given.

    Attributes:
        cause: why, as half a sentence.
        frames: how many, as far as the decoder told.
    """

    cause: str
    frames: int


class LiveDecoder:
    """The decoder of one connection.

    Attributes:
        damage: what was lost since the last picture that was given; None = nothing.
    """

    def __init__(self, stream: VideoStream) -> None:
        """Decode a stream from its first key frame on, in one thread: others would hold pictures back."""
        self._stream = stream
        stream.codec_context.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        self._numbers = None
        if stream.codec_context.name == "h264" and (stream.codec_context.extradata or b"\0")[:1] == b"\0":
            self._numbers = FrameNumbers(stream.codec_context.extradata or b"")
        self._begun = False
        self._distrusted_since: int | None = None
        self._distrusting = False
        self.damage: Damage | None = None

    def decode(self, packet: Packet[VideoStream], t: int) -> Iterator[VideoFrame]:
        """The pictures that can be trusted, in order of display.

        Args:
            packet: the next one.
            t: its time, microseconds UTC.
        """
        if not self._begun:
            if not packet.is_keyframe:
                return
            self._begun = True
        if packet.is_corrupt:
            self.lose("packets came damaged")
        if self._numbers is not None and self._numbers.lost_before(bytes(packet)):
            self.lose("pictures were lost on the way")
        yield from self._trusted(packet, t)

    def rest(self, t: int) -> Iterator[VideoFrame]:
        """The pictures that are held back, at the end of the stream; `t` is the time of its last packet."""
        if self._begun:
            yield from self._trusted(None, t)

    def _trusted(self, packet: Packet[VideoStream] | None, t: int) -> Iterator[VideoFrame]:
        try:
            frames = self._stream.decode(packet)
        except av.FFmpegError as error:
            self.lose(error_text(error))
            return
        for frame in frames:
            if frame.is_corrupt:
                self.lose("the decoder marks pictures as damaged")
            if self._distrusting:
                if self._distrusted_since is None:
                    self._distrusted_since = t
                waited = t - self._distrusted_since
                self._distrusting = frame.is_corrupt or not (frame.key_frame or waited > MAX_DISTRUST_US)
            if self._distrusting:
                assert self.damage is not None, "distrust has a cause"
                self.damage = Damage(self.damage.cause, self.damage.frames + 1)
            else:
                self._distrusted_since = None
                yield frame

    def pause(self) -> None:
        """Forget what was decoded: the next packet is not decoded, and the next picture is a key frame."""
        if self._begun:
            self._begun = self._distrusting = False
            self.damage = self._distrusted_since = None
            self._stream.codec_context.flush_buffers()

    def lose(self, cause: str) -> None:
        """Trust no picture until the next key frame."""
        self.damage = self.damage or Damage(cause, 0)
        self._distrusting, self._distrusted_since = True, None

    def take_damage(self) -> Damage | None:
        """What was lost since the last call."""
        damage, self.damage = self.damage, None
        return damage
