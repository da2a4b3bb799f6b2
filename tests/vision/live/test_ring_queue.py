"""A footage ring on a disk that is slow or stalls: the camera never waits."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tests.vision.live.test_ring import footage, packets, read_back
from vision.live.ring.queue import RingQueue
from vision.live.ring.writer import RingWriter, Room


class StallingDisk:
    """A disk that does not answer while it is stalled."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.answers.set()

    def __call__(self, _: Path) -> Room:
        self.answers.wait(30)
        return Room(10**12, 10**12)


def test_packets_are_written_in_order_while_the_caller_goes_on(tmp_path: Path) -> None:
    queue, times = RingQueue(RingWriter(tmp_path / "ring", "yard")), []
    for number, (stream, packet, t) in enumerate(packets(footage(tmp_path))):
        if number in (0, 36):
            queue.begin(stream)
        queue.write(packet, t)
        times.append(t)
    # The container is closed by now; what waits is written all the same.
    assert queue.finish(20) and queue.dropped == 0 and queue.reason == ""
    assert read_back(tmp_path / "ring") == times


def test_a_disk_that_stalls_delays_no_packet_and_is_said(tmp_path: Path) -> None:
    disk = StallingDisk()
    queue = RingQueue(RingWriter(tmp_path / "ring", "yard", room=disk), queue_bytes=20_000)
    times, longest = [], 0.0
    for number, (stream, packet, t) in enumerate(packets(footage(tmp_path, frames=200))):
        if number == 0:
            queue.begin(stream)
        if number == 30:
            disk.answers.clear()
        if number == 125:
            assert "the disk is too slow for the footage" in queue.reason and queue.dropped > 0
            disk.answers.set()
            while queue._bytes:
                time.sleep(0.001)
        begun = time.perf_counter()
        queue.write(packet, t)
        longest = max(longest, time.perf_counter() - begun)
        if not 30 <= number < 125:
            while queue._bytes:
                time.sleep(0.001)
        times.append(t)
    assert longest < 0.5, "a stalled disk was waited for"
    assert queue.finish(20) and queue.reason == ""

    kept = read_back(tmp_path / "ring")
    lost = [number for number, t in enumerate(times) if t not in kept]
    assert kept == sorted(kept) and len(lost) == queue.dropped
    # One hole, which ends at a key frame.
    assert lost == list(range(lost[0], lost[-1] + 1)) and (lost[-1] + 1) % 12 == 0
    assert 30 <= lost[0] < 125 and lost[-1] == 131


def test_a_disk_that_hangs_for_ever_does_not_hold_up_the_end(tmp_path: Path) -> None:
    disk = StallingDisk()
    disk.answers.clear()
    queue = RingQueue(RingWriter(tmp_path / "ring", "yard", room=disk))
    for number, (stream, packet, t) in enumerate(packets(footage(tmp_path, frames=24))):
        if number == 0:
            queue.begin(stream)
        queue.write(packet, t)
    begun = time.perf_counter()
    assert not queue.finish(0.2)
    assert time.perf_counter() - begun < 5
    disk.answers.set()
