"""What the process that reads a camera sends to the one that analyses it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from multiprocessing.connection import Connection

import numpy as np
from av.video.frame import VideoFrame

from vision.frames import Frame
from vision.live.causes import Cause
from vision.live.reports import StreamInfo
from vision.notices import Level
from vision.sources.decoded_frame import Converters, DecodedFrame
from vision.sources.gaps import Gap
from vision.sources.pixels import PixelShape
from vision.sources.protocol import Heartbeat

PLANAR = ("yuv420p", "yuvj420p")
"""Formats that are sent as they are; others are converted to the first."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A stream is open.

    Attributes:
        role: "detection" or "evidence".
    """

    role: str
    info: StreamInfo


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A stream broke or could not be opened.

    Attributes:
        role: "detection" or "evidence".
        cause: the class of the fault.
        text: the cause for people, without an address.
        wait_s: seconds until the next attempt.
    """

    role: str
    cause: Cause
    text: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class Connecting:
    """An attempt to open a stream begins."""

    role: str


@dataclass(frozen=True, slots=True)
class Alive:
    """The process is at work: sent every second.

    Attributes:
        packet_age_s: seconds since the last packet of each role; None = none came yet.
        dropped: pictures for the analysis that could not be sent in time, since the process began.
    """

    packet_age_s: dict[str, float | None]
    dropped: int


@dataclass(frozen=True, slots=True)
class WantDetail:
    """What the analysis asks of a reader: pictures of the main stream, or none."""

    wanted: bool


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence for the log."""

    text: str
    level: Level = Level.WARNING


@dataclass(frozen=True, slots=True)
class CameraClock:
    """The camera's own clock less the time of its picture, microseconds."""

    difference: int


@dataclass(frozen=True, slots=True)
class FootageFault:
    """The footage ring cannot be written ("" = it can again)."""

    text: str


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """A picture; its planes follow.

    Attributes:
        arrival: when its packet came, seconds of the monotonic clock, which all processes share.
        detail: it is of the main stream, while the substream is analysed.
    """

    index: int
    t: int
    arrival: float
    width: int
    height: int
    format: str
    colorspace: int
    color_range: int
    pixels: PixelShape
    in_codec: Fraction | None
    detail: bool


Message = (
    Gap
    | Heartbeat
    | Connected
    | Disconnected
    | Connecting
    | Alive
    | Remark
    | CameraClock
    | FootageFault
    | FrameHeader
)


def planes_of(frame: Frame, arrival: float, detail: bool = False) -> tuple[FrameHeader, np.ndarray]:
    """A decoded frame as it is sent: its header, and its planes as one array of bytes."""
    picture = frame.picture
    assert isinstance(picture, DecodedFrame), "a frame of a connection is decoded and not converted"
    video = picture.video
    if video.format.name not in PLANAR or video.width % 2 or video.height % 2:
        video = video.reformat(video.width // 2 * 2, video.height // 2 * 2, format=PLANAR[0])
    header = FrameHeader(
        frame.index,
        frame.t,
        arrival,
        video.width,
        video.height,
        video.format.name,
        int(video.colorspace),
        int(video.color_range),
        picture.pixels,
        picture.in_codec,
        detail,
    )
    return header, video.to_ndarray()


def send_frame(connection: Connection, header: FrameHeader, planes: np.ndarray) -> None:
    """Send a picture."""
    connection.send(header)
    connection.send_bytes(planes.data.cast("B"))


def receive_frame(connection: Connection, header: FrameHeader, camera: str, converters: Converters) -> Frame:
    """Receive the planes that follow a header."""
    data = np.empty((header.height * 3 // 2, header.width), np.uint8)
    connection.recv_bytes_into(data.data.cast("B"))
    video = VideoFrame.from_ndarray(data, format=header.format)
    video.colorspace, video.color_range = header.colorspace, header.color_range
    picture = DecodedFrame(header.index, header.t, video, converters, header.pixels, header.in_codec)
    return Frame(picture, header.t, header.index, camera)
