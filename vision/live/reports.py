"""What a connection to a camera tells beside its pictures, and where its packets go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from av.packet import Packet
from av.video.stream import VideoStream

from vision.notices import Notice, unheard


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a stream is, once it is connected.

    Attributes:
        codec: FFmpeg's name of it.
        width, height: px, as coded.
        rate: frames per second as stated, or None.
    """

    codec: str
    width: int
    height: int
    rate: float | None


class PacketSink(Protocol):
    """Takes the packets of a stream, such as the footage ring."""

    @property
    def files(self) -> int:
        """Number of files begun so far."""

    def begin(self, stream: VideoStream) -> None:
        """A connection begins, or its codec has changed. The stream stays open until `close`."""

    def write(self, packet: Packet[VideoStream], t: int) -> object:
        """Take a packet of which the picture is shown at `t`, microseconds UTC."""

    def close(self) -> None:
        """The connection ends."""


@dataclass
class Reports:
    """What a connection tells beside its items; each may be called from its thread.

    Attributes:
        connected: the stream is open, and its first packet came.
        arrived: a packet came, at a moment of the monotonic clock in seconds.
        notice: a sentence for the log.
        camera_clock: the camera's own clock less the time of the picture, microseconds, by RTCP.
        stepped: the times of the stream stepped by so many microseconds.
    """

    connected: Callable[[StreamInfo], None] = lambda _: None
    arrived: Callable[[float], None] = lambda _: None
    notice: Notice = unheard
    camera_clock: Callable[[int], None] = lambda _: None
    stepped: Callable[[int], None] = lambda _: None
