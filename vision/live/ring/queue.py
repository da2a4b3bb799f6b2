"""Writes a footage ring in a thread of its own, so that a slow or stalled disk never delays a camera."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from av.packet import Packet
from av.video.stream import VideoStream

from vision.live.ring.fragments import parameters_of
from vision.live.ring.writer import RingWriter

QUEUE_BYTES = 32_000_000
"""Bytes of packets that wait for the disk at most: half a minute of 8 Mbit/s. Project default
(docs/defaults.md)."""
MAX_WAITING = 10_000
"""Packets that wait for the disk at most, however small they are. Project default (docs/defaults.md)."""


class RingQueue:
    """Takes packets without waiting, and has a `RingWriter` write them in order.

    When the disk is so slow that more waits than `QUEUE_BYTES`, packets are dropped up to a key frame that
    finds the queue half empty. Begin, write and close belong to one thread.

    Attributes:
        dropped: packets that were dropped because the disk was too slow.
    """

    def __init__(self, writer: RingWriter, queue_bytes: int = QUEUE_BYTES) -> None:
        """Begin the thread; it ends with `finish`, or with the process.

        Args:
            writer: used by the thread alone from now on.
            queue_bytes: of packets that wait at most.
        """
        self._writer, self._most = writer, queue_bytes
        self._changed = threading.Condition(threading.RLock())
        self._waiting: deque[tuple[Callable[[], object], int]] = deque()
        self._bytes = 0
        self._skipping = self._ended = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._write_waiting, name="ring", daemon=True)
        self._thread.start()

    @property
    def reason(self) -> str:
        """Why footage is lost at present, in one sentence; "" where it is not."""
        if self._skipping:
            return f"{self._writer.folder}: the disk is too slow for the footage, of which some is lost"
        return self._writer.reason

    def begin(self, stream: VideoStream) -> None:
        """See `RingWriter.begin`."""
        self._put(partial(self._writer.begin, parameters_of(stream)), 0)

    def write(self, packet: Packet[VideoStream], t: int) -> None:
        """Take a packet, which must stay as it is; see `RingWriter.write`."""
        with self._changed:
            room = self._bytes + packet.size <= self._most and len(self._waiting) < MAX_WAITING
            if self._skipping and packet.is_keyframe and 2 * self._bytes <= self._most:
                # What was dropped is missing from the file: another one begins.
                self._put(self._writer.close, 0)
                self._skipping = False
            elif self._skipping or not room:
                self._skipping = True
                self.dropped += 1
                return
        self._put(partial(self._writer.write, packet, t), packet.size)

    def close(self) -> None:
        """End the file once what waits is written; returns at once."""
        self._put(self._writer.close, 0)

    def finish(self, timeout_s: float) -> bool:
        """End the file and the thread; waits for what waits, at most `timeout_s` seconds.

        Returns:
            Whether all of it was written.
        """
        self.close()
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _put(self, task: Callable[[], object], size: int) -> None:
        with self._changed:
            self._waiting.append((task, size))
            self._bytes += size
            self._changed.notify()

    def _write_waiting(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    return
                task, size = self._waiting[0]
            task()
            with self._changed:
                # Until it is written, a packet takes its place in the queue.
                self._waiting.popleft()
                self._bytes -= size
