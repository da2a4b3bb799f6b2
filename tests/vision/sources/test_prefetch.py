from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.footage import number_of, write_video
from vision.clock import Stop
from vision.frames import Frame
from vision.sources.files import open_source
from vision.sources.prefetch import Prefetch

TIMEOUT_S = 60
"""Bound of waits that end early; it is reached only if a test fails."""


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.fixture(autouse=True)
def assert_no_thread_is_left() -> Iterator[None]:
    yield
    gc.collect()
    deadline = time.monotonic() + TIMEOUT_S
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads() == []


def test_yields_the_items_in_order() -> None:
    assert list(Prefetch(range(1000), depth=3)) == list(range(1000))


def test_prefetches_at_most_its_depth() -> None:
    requested = 0
    leads: list[int] = []
    queue_is_full = threading.Event()

    def items() -> Iterator[int]:
        for number in range(50):
            leads.append(number + 1 - requested)
            if number == 5:
                queue_is_full.set()
            yield number

    with Prefetch(items(), depth=4) as ahead:
        requested = 1
        assert next(ahead) == 0
        assert queue_is_full.wait(TIMEOUT_S), "expected items to be made without being requested"
        for number in range(1, 50):
            requested += 1
            assert next(ahead) == number
    # Four items wait in the queue, and one more is made for which there is no room.
    assert max(leads) == 5


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the disk is gone")

    ahead = Prefetch(items())
    assert next(ahead) == 1
    assert next(ahead) == 2
    with pytest.raises(OSError, match="the disk is gone"):
        next(ahead)
    with pytest.raises(StopIteration):
        next(ahead)


def test_an_error_in_iter_is_raised_in_the_consumer() -> None:
    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise ValueError("no iterator")

    with pytest.raises(ValueError, match="no iterator"):
        next(Prefetch(Broken()))


def test_close_stops_a_full_queue_and_closes_the_generator_in_its_thread() -> None:
    closed: list[str] = []

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(threading.current_thread().name)

    ahead = Prefetch(items(), depth=2)
    next(ahead)
    closer = threading.Thread(target=ahead.close, daemon=True)
    closer.start()
    closer.join(TIMEOUT_S)

    assert not closer.is_alive()
    assert closed == ["prefetch"] and threads() == []
    with pytest.raises(StopIteration):
        next(ahead)
    ahead.close()


def test_an_error_in_the_consumer_leaves_no_thread() -> None:
    with pytest.raises(KeyError), Prefetch(iter(int, 1), depth=2) as ahead:
        for _ in ahead:
            raise KeyError


def test_a_consumer_that_stops_early_leaves_no_thread() -> None:
    for item in Prefetch(iter(int, 1), depth=2):
        assert item == 0
        break


def test_a_depth_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        Prefetch([1], depth=0)


def test_decodes_in_the_background(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "a.mp4", 40, b_frames=2), "yard", 0)

    with Prefetch(source.frames(), depth=4) as ahead:
        shown = [number_of(item.image) for item in ahead if isinstance(item, Frame)]

    assert shown == list(range(40))


def test_a_stop_from_outside_gives_what_waits_and_ends_while_the_thread_is_blocked() -> None:
    stop, release = Stop(), threading.Event()

    def items() -> Iterator[int]:
        yield from range(3)
        release.wait(TIMEOUT_S)

    ahead = Prefetch(items(), depth=8, stop=stop)
    assert next(ahead) == 0
    found: list[int] = []
    consumer = threading.Thread(target=lambda: found.extend(ahead), daemon=True)
    consumer.start()
    while len(found) < 2:
        time.sleep(0.001)
    stop.set()
    consumer.join(TIMEOUT_S)

    assert not consumer.is_alive() and found == [1, 2]
    release.set()
    assert ahead.close()


def test_closing_sets_the_stop_and_so_ends_a_read_that_waits_for_it() -> None:
    stop = Stop()

    def items() -> Iterator[int]:
        yield 1
        stop.wait(TIMEOUT_S)

    with Prefetch(items(), stop=stop) as ahead:
        assert next(ahead) == 1
    assert stop.is_set() and threads() == []


def test_closing_one_that_is_blocked_takes_a_bounded_time_and_delays_no_other() -> None:
    release = threading.Event()

    def blocked() -> Iterator[int]:
        release.wait(TIMEOUT_S)
        yield 1

    stuck = Prefetch(blocked(), close_wait_s=0.05)
    closer = threading.Thread(target=stuck.close, daemon=True)
    closer.start()
    assert list(Prefetch(range(100), depth=2)) == list(range(100))
    closer.join(TIMEOUT_S)
    assert not closer.is_alive() and stuck.close() is False
    with pytest.raises(StopIteration):
        next(stuck)

    release.set()
    deadline = time.monotonic() + TIMEOUT_S
    while not stuck.close() and time.monotonic() < deadline:
        pass
    assert stuck.close() is True


def test_setting_the_stop_at_any_moment_loses_nothing_before_it_and_never_hangs() -> None:
    for after in range(60):
        stop = Stop()
        ahead = Prefetch(iter(range(10_000)), depth=1 + after % 5, stop=stop)
        stopper = threading.Thread(target=stop.set, daemon=True)
        found = []
        for item in ahead:
            found.append(item)
            if item == after:
                stopper.start()
        stopper.join(TIMEOUT_S)
        assert found == list(range(len(found))) and len(found) > after
        assert ahead.close()
