"""What the streams of a camera are doing, for other threads to read."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from vision.live.causes import Cause
from vision.live.reports import StreamInfo


class StreamState(StrEnum):
    """What a stream is doing."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    STALLED = "stalled"
    OFFLINE = "offline"
    REFUSED = "refused"
    """Not connected, because the camera refuses the login."""


@dataclass
class StreamStatus:
    """The state of one stream of a camera.

    Attributes:
        state: see `StreamState`.
        since: since when, microseconds UTC.
        cause: why it is not streaming; None while it is, or before the first attempt ended.
        text: the cause for people.
        info: what the stream was when it was last connected, or None.
        connections: how often it was connected.
        failures: how often it broke or could not be connected.
    """

    state: StreamState
    since: int
    cause: Cause | None = None
    text: str = ""
    info: StreamInfo | None = None
    connections: int = 0
    failures: int = 0


@dataclass
class CameraStatus:
    """The state of a camera; read by other threads.

    Attributes:
        streams: by role.
        frames: frames that came.
        dropped: frames that were dropped because the device was busy.
        restarts: readers that were replaced.
        queue: frames that wait.
        newest: when the newest frame came, seconds of the monotonic clock; None = none came yet.
        footage_fault: why footage cannot be kept, or "".
        clock_difference: the camera's own clock less the time of its picture, microseconds; None = unknown.
    """

    streams: dict[str, StreamStatus] = field(default_factory=dict)
    frames: int = 0
    dropped: int = 0
    restarts: int = 0
    queue: int = 0
    newest: float | None = None
    footage_fault: str = ""
    clock_difference: int | None = None
