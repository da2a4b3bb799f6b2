from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.footage import number_of, write_video
from vision.frames import Frame
from vision.sources.files import open_source
from vision.sources.prefetch import Prefetch


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    gc.collect()
    deadline = time.monotonic() + 5
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads() == []


def test_gives_what_the_iterable_gives_in_order() -> None:
    assert list(Prefetch(range(1000), depth=3)) == list(range(1000))


def test_works_ahead_but_no_further_than_its_depth() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    with Prefetch(items(), depth=4) as ahead:
        assert next(ahead) == 0
        deadline = time.monotonic() + 5
        while len(made) < 6 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        # One was taken, four wait, and one more is made that finds no room.
        assert made == [0, 1, 2, 3, 4, 5]


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


def test_an_iterable_that_cannot_even_start_says_so() -> None:
    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise ValueError("no iterator")

    with pytest.raises(ValueError, match="no iterator"):
        next(Prefetch(Broken()))


def test_closing_stops_a_full_queue_at_once_and_closes_the_generator_in_its_thread() -> None:
    closed: list[str] = []

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(threading.current_thread().name)

    ahead = Prefetch(items(), depth=2)
    next(ahead)
    begun = time.monotonic()
    ahead.close()

    assert time.monotonic() - begun < 1
    assert closed == ["prefetch"] and threads() == []
    with pytest.raises(StopIteration):
        next(ahead)
    ahead.close()


def test_an_error_in_the_consumer_leaves_no_thread() -> None:
    with pytest.raises(KeyError), Prefetch(iter(int, 1), depth=2) as ahead:
        for _ in ahead:
            raise KeyError


def test_a_consumer_that_breaks_off_and_forgets_it_leaves_no_thread() -> None:
    for item in Prefetch(iter(int, 1), depth=2):
        assert item == 0
        break


def test_refuses_a_queue_without_room() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        Prefetch([1], depth=0)


def test_decodes_in_the_background(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "a.mp4", 40, b_frames=2), "yard", 0)

    with Prefetch(source.frames(), depth=4) as ahead:
        shown = [number_of(item.image) for item in ahead if isinstance(item, Frame)]

    assert shown == list(range(40))
