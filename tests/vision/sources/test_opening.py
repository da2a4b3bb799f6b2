"""Reads that really block: pipes without data, and a server that accepts and then is silent."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import av
import pytest

from tests.faults import FakeClock
from tests.footage import number_of, write_video
from vision.clock import Stop
from vision.frames import SECOND, Frame
from vision.sources.files import open_source
from vision.sources.gaps import Gap, GapKind
from vision.sources.opening import error_text, open_container
from vision.sources.prefetch import Prefetch
from vision.sources.protocol import SourceItem, read
from vision.sources.reopening import ReopeningSource
from vision.sources.timeline import SourceError

NOW = 1_637_712_000_000_000
NEVER_S = 3600.0
"""A time-out that a test does not live to see."""
TIMEOUT_S = 60
"""Bound of waits that end early; it is reached only if a test fails."""


@pytest.fixture
def pipe(tmp_path: Path) -> str:
    os.mkfifo(tmp_path / "pipe")
    return str(tmp_path / "pipe")


@contextmanager
def silent_server(greeting: bytes = b"") -> Iterator[str]:
    """A server that accepts every connection, sends `greeting`, and says nothing more."""
    accepted: list[socket.socket] = []
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    accepted.append(connection)
                    connection.sendall(greeting)

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"tcp://127.0.0.1:{server.getsockname()[1]}?password=secret"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for connection in accepted:
                connection.close()


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Run `work` in a thread; returns the thread and a list that gets the result or the error."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, found


def first_packet(address: str, stop: Stop, timeout_s: float) -> int:
    limits = {"open_timeout_s": timeout_s, "read_timeout_s": timeout_s}
    with open_container(address, stop, name="yard", **limits) as container:
        return next(packet.size for packet in container.demux(video=0))


@pytest.mark.parametrize("has_writer", [False, True])
def test_a_stop_ends_at_once_the_opening_of_a_pipe_that_delivers_nothing(pipe: str, has_writer: bool) -> None:
    stop = Stop()
    opener, found = in_thread(lambda: first_packet(pipe, stop, NEVER_S))
    writer = os.open(pipe, os.O_WRONLY) if has_writer else None  # waits until the pipe is open for reading

    opener.join(0.2)
    assert opener.is_alive()
    stop.set()
    opener.join(TIMEOUT_S)

    assert not opener.is_alive() and isinstance(found[0], SourceError)
    if writer is not None:
        os.close(writer)


def test_a_silent_pipe_is_given_up_after_the_read_timeout(pipe: str) -> None:
    with pytest.raises(
        SourceError, match=r"^yard: expected a stream that can be opened, got no data for 0.2 s$"
    ):
        first_packet(pipe, Stop(), 0.2)


def test_a_silent_server_is_given_up_after_the_open_timeout_and_its_address_is_not_shown() -> None:
    with silent_server() as address:
        began = time.monotonic()
        with pytest.raises(SourceError, match=r"got no data in time$") as error:
            first_packet(address, Stop(), 0.4)
        assert time.monotonic() - began >= 0.4
        assert "secret" not in str(error.value) and error.value.__cause__ is None


def test_a_server_that_falls_silent_is_given_up_after_the_read_timeout(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.ts", 40)
    with silent_server(path.read_bytes()) as address:
        limits = {"open_timeout_s": 20.0, "read_timeout_s": 0.4}
        options = open_container(address, Stop(), name="yard", **limits)
        with options as container, pytest.raises(av.ExitError) as error:
            for packet in container.demux(video=0):
                assert packet.size
        assert error_text(error.value) == "no data in time"


def test_other_threads_go_on_while_a_server_is_silent(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "a.mp4", 20), "yard", NOW)
    with silent_server() as address:
        blocked, found = in_thread(lambda: first_packet(address, Stop(), NEVER_S))
        with Prefetch(source.open(Stop())) as ahead:
            shown = [number_of(item.image) for item in ahead if isinstance(item, Frame)]
        assert blocked.is_alive(), "expected the file to be read while the other read was blocked"
    blocked.join(TIMEOUT_S)

    assert shown == list(range(20)) and isinstance(found[0], SourceError)


def camera_on(pipe: str, clock: FakeClock, ended: threading.Semaphore) -> ReopeningSource:
    """A camera that is a pipe; a connection begins at the clock's time, and releases `ended` at its end."""

    def connect(stop: Stop, min_interval_us: int) -> Generator[SourceItem, None, None]:
        begin = clock.now()
        with open_container(pipe, stop, name="yard", read_timeout_s=NEVER_S) as container:
            for number, picture in enumerate(container.decode(video=0)):
                t = begin + number * SECOND // 10
                clock.time = max(clock.time, t)
                yield Frame(picture.to_ndarray(format="bgr24"), t, number, "yard")
        ended.release()

    return ReopeningSource("yard", "pipe", connect, clock)


def test_a_pipe_whose_writer_ends_and_comes_back_is_read_on_and_stops_while_it_is_silent(
    pipe: str, tmp_path: Path
) -> None:
    videos = [write_video(tmp_path / f"{n}.ts", 20, first=20 * n).read_bytes() for n in range(2)]
    clock, stop, ended = FakeClock(NOW), Stop(), threading.Semaphore(0)
    items: list[SourceItem] = []

    def consume() -> None:
        with Prefetch(read(camera_on(pipe, clock, ended), stop), stop=stop) as ahead:
            items.extend(ahead)

    consumer, found = in_thread(consume)
    for data in videos:
        with open(pipe, "wb") as writer:
            writer.write(data)
        assert ended.acquire(timeout=TIMEOUT_S)
    with open(pipe, "wb"):  # a writer that says nothing
        consumer.join(0.2)
        assert consumer.is_alive()
        stop.set()
        consumer.join(TIMEOUT_S)
        assert not consumer.is_alive() and found == [None]

    frames = [item for item in items if isinstance(item, Frame)]
    assert [number_of(frame.image) for frame in frames] == list(range(40))
    assert all(earlier.t < later.t for earlier, later in pairwise(frames))
    causes = [gap.cause for gap in items if isinstance(gap, Gap) and gap.kind is GapKind.OFFLINE]
    assert causes and set(causes) <= {"the stream ended", "not connected yet"}


def test_a_read_that_nothing_can_interrupt_is_left_behind_after_a_bounded_time(pipe: str) -> None:
    def blocked_in_the_kernel() -> Iterator[int]:
        with av.open(pipe) as container:
            yield from (packet.size for packet in container.demux())

    stop = Stop()
    ahead = Prefetch(blocked_in_the_kernel(), stop=stop, close_wait_s=0.2)
    consumer, found = in_thread(lambda: list(ahead))
    consumer.join(0.1)
    assert consumer.is_alive()
    stop.set()
    consumer.join(TIMEOUT_S)
    assert found == [[]], "expected the consumer to end although the read is blocked"
    assert ahead.close() is False

    os.close(os.open(pipe, os.O_WRONLY))  # now the read ends, and with it the thread
    deadline = time.monotonic() + TIMEOUT_S
    while not ahead.close() and time.monotonic() < deadline:
        pass
    assert ahead.close()


def test_a_stopped_reader_leaves_no_open_files(pipe: str) -> None:
    def opened() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = opened()
    for _ in range(5):
        with pytest.raises(SourceError):
            first_packet(pipe, Stop(), 0.01)
    assert opened() == before
