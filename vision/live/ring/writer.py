"""The footage ring: the packets of a live camera on disk, as they came, in files of about a minute.

    <folder>/<camera>/20261128/20261128T134501.123456Z.mp4

A file begins with a key frame, whose stream time its name states to the microsecond. A packet's stream time
is that start plus its timestamp less the first one. The files are fragmented MP4 with one picture per
fragment and a clock of microseconds. So what was written can be read at once, also while the file grows and
after the writer was killed. A fragment is written whole or not at all.

Nothing here deletes footage; see `pipelines.watch.footage.retention`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.packet import Packet
from av.video.stream import VideoStream

from vision.frames import SECOND
from vision.live.ring.fragments import FragmentedFile, parameters_of

SEGMENT_S = 60.0
"""Seconds after which a ring begins a new file, at the next key frame. Project default (docs/defaults.md)."""
RESERVE_BYTES = 500_000_000
"""Bytes of a disk that footage leaves free for the ledger and the observation log; see `RESERVE_SHARE`.
Project default (docs/defaults.md)."""
RESERVE_SHARE = 0.02
"""Share of a disk that footage leaves free where that is less than `RESERVE_BYTES`: small disks, and those in
memory, would hold no footage else. Project default (docs/defaults.md)."""
ROOM_TO_RESUME = 1.1
"""Footage is kept again once this many times the reserve is free. Project default (docs/defaults.md)."""
RETRY_US = 5 * SECOND
"""Stream time after which writing is tried again where the disk refused it. Project default
(docs/defaults.md)."""
CHECK_US = SECOND
"""Stream time between two looks at the room on the disk."""


class RingState(StrEnum):
    """What became of the packet written last.

    waiting: for a key frame, before which nothing can be shown. full: the disk has no room but the reserve.
    failed: the disk refused it.
    """

    WAITING = "waiting"
    WRITING = "writing"
    FULL = "full"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RingSettings:
    """How a ring is written.

    Attributes:
        segment_s: seconds after which a new file begins.
        reserve_bytes: bytes of the disk that stay free, or `reserve_share` of it where that is less.
        reserve_share: 0..1.
    """

    segment_s: float = SEGMENT_S
    reserve_bytes: int = RESERVE_BYTES
    reserve_share: float = RESERVE_SHARE

    def reserve(self, total: int) -> int:
        """Bytes that stay free of a disk of `total` bytes."""
        return min(self.reserve_bytes, int(self.reserve_share * total))


@dataclass(frozen=True, slots=True)
class Room:
    """The room on a disk, bytes: what this process may still fill, and the size of all of it."""

    free: int
    total: int


def room_on(folder: Path) -> Room:
    """The room on the disk of a folder.

    Raises:
        OSError: the folder is not there, or the disk does not answer.
    """
    disk = os.statvfs(folder)
    return Room(disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)


class RingWriter:
    """Writes the packets of one camera; used by one thread.

    A disk that is full or refuses the footage never raises: the state says so, with the reason in words, and
    writing goes on by itself at a key frame when there is room again.

    Attributes:
        state: what became of the packet written last.
        reason: why nothing is written, in one sentence; "" where it is, or where a key frame is awaited.
        folder: of the ring of all cameras.
        path: the file being written, or None.
        written: bytes written by this writer.
        dropped: packets that were not written, for whatever reason.
    """

    def __init__(
        self,
        folder: Path,
        camera: str,
        settings: RingSettings | None = None,
        room: Callable[[Path], Room] = room_on,
    ) -> None:
        """Write below `folder`; it is created with the first file.

        Args:
            folder: of the ring of all cameras.
            camera: id of the camera.
            settings: None = the defaults.
            room: returns the room on the disk of a folder.
        """
        self.folder, self._camera, self._room = folder, camera, room
        self._settings = settings or RingSettings()
        self._stream: VideoStream | None = None
        self._file: FragmentedFile | None = None
        self._reorders = False
        self._checked: int | None = None
        self._refused: int | None = None
        self.state = RingState.WAITING
        self.reason = ""
        self.written = self.dropped = 0

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the file."""
        self.close()

    @property
    def path(self) -> Path | None:
        """The file being written, or None."""
        return None if self._file is None else self._file.path

    def begin(self, stream: VideoStream) -> None:
        """Begin a connection, or go on with other codec parameters: what comes is written to a new file.

        The parameters of `stream` are copied; its container may be closed at any time.
        """
        self.close()
        self._stream = parameters_of(stream)
        self._reorders = bool(stream.codec_context.has_b_frames)

    def write(self, packet: Packet[VideoStream], t: int) -> RingState:
        """Write a packet, which stays as it is; packets come in decoding order.

        Args:
            packet: of the stream that was begun.
            t: stream time at which its picture is shown, microseconds UTC.

        Raises:
            ValueError: no stream was begun.
        """
        if self._stream is None:
            raise ValueError("expected a stream that was begun before its packets, got a packet alone")
        try:
            self._write(self._stream, packet, t)
        except (OSError, av.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            self._refuse(
                RingState.FAILED,
                t,
                f"{self.folder}: footage of camera {self._camera} cannot be written: {reason}",
            )
        if self.state is not RingState.WRITING:
            self.dropped += 1
        return self.state

    def close(self) -> None:
        """End the file, such as at the end of a connection. What follows begins with a key frame."""
        file, self._file = self._file, None
        if file is not None:
            try:
                self.written += file.close()
            except (OSError, av.FFmpegError) as error:
                # The last picture is lost; all before are in the file.
                self.state = RingState.FAILED
                self.reason = f"{file.path}: the last picture cannot be written: {error.strerror or error}"
                return
        if self.state is RingState.WRITING:
            self.state = RingState.WAITING

    def _write(self, stream: VideoStream, packet: Packet[VideoStream], t: int) -> None:
        if not packet.size:
            return
        if packet.is_keyframe and (self._file is None or self._file.lasts(t) >= self._settings.segment_s):
            self.close()
            self._file = self._opened(stream, t)
        if self._file is None:
            return
        if t < self._file.start:
            # It rests on the group of pictures before, which is in another file, or the clock was set back.
            self.state = RingState.WAITING
            return
        if not self._has_room(t):
            return
        if not self._file.add(packet, t):
            # Shown before what is decoded already: the stream reorders pictures without saying so, or its
            # clock was set back. Either way a new file begins with the next key frame.
            self._reorders = True
            self.close()
            return
        self.written += self._file.flush()
        self.state, self.reason = RingState.WRITING, ""

    def _opened(self, stream: VideoStream, t: int) -> FragmentedFile | None:
        if self._refused is not None and 0 <= t - self._refused < RETRY_US:
            return None
        self._checked = None
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._has_room(t):
            return None
        self._refused = None
        return FragmentedFile(self.folder / self._camera, stream, t, self._reorders)

    def _has_room(self, t: int) -> bool:
        """Whether there is room on the disk, asked once a second; where there is none, the file is ended."""
        if self._checked is not None and 0 <= t - self._checked < CHECK_US:
            return True
        self._checked = t
        room = self._room(self.folder)
        reserve = self._settings.reserve(room.total)
        if room.free >= (ROOM_TO_RESUME * reserve if self.state is RingState.FULL else reserve):
            return True
        self._refuse(
            RingState.FULL,
            t,
            f"{self.folder}: the disk is full ({room.free / 1e6:.0f} MB free, of which {reserve / 1e6:.0f} "
            "MB are kept for the record): no footage is kept until there is room",
        )
        return False

    def _refuse(self, state: RingState, t: int, reason: str) -> None:
        file, self._file = self._file, None
        if file is not None:
            # What cannot be written now is given up; the file ends with the last whole picture.
            with contextlib.suppress(OSError, av.FFmpegError):
                file.close()
        self.state, self.reason, self._refused = state, reason, t
