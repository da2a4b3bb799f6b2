"""A camera's ring that tests fill up to a moment, as a live camera would."""

from __future__ import annotations

from pathlib import Path

import av

from vision.frames import SECOND
from vision.live.ring.writer import RingSettings, RingWriter


class RingFeed:
    """Writes the packets of a file to a ring, their times counted from `start`."""

    def __init__(self, ring: Path, camera: str, source: Path, start: int, segment_s: float = 5) -> None:
        self._start = start
        with av.open(str(source)) as container:
            stream = container.streams.video[0]
            base = stream.time_base
            assert base is not None
            self._packets = [packet for packet in container.demux(stream) if packet.size]
            self._writer = RingWriter(ring, camera, RingSettings(segment_s=segment_s))
            self._writer.begin(stream)
            stamps = [packet.pts or 0 for packet in self._packets]
        self._times = [start + round((stamp - min(stamps)) * base * SECOND) for stamp in stamps]

    def until(self, t: int) -> None:
        """Write what is shown up to `t`, microseconds UTC, but for the packet that a ring holds back."""
        while self._times and self._times[0] <= t:
            self._writer.write(self._packets.pop(0), self._times.pop(0))

    def end(self) -> None:
        self.until(self._start + 10**12)
        self._writer.close()
