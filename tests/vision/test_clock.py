from __future__ import annotations

import signal
import threading
import time

from vision.clock import Stop, SystemClock
from vision.frames import SECOND

TIMEOUT_S = 60
"""Bound of waits that end early; it is reached only if a test fails."""


def test_a_stop_wakes_all_that_wait_and_calls_each_callback_once() -> None:
    stop, woken, called = Stop(), [], []
    ready = threading.Barrier(9)

    def wait(number: int) -> None:
        with stop.calling(lambda: called.append(number)):
            ready.wait(TIMEOUT_S)
            if stop.wait(TIMEOUT_S):
                woken.append(number)

    waiters = [threading.Thread(target=wait, args=(n,), daemon=True) for n in range(8)]
    for waiter in waiters:
        waiter.start()
    ready.wait(TIMEOUT_S)
    setters = [threading.Thread(target=stop.set, daemon=True) for _ in range(8)]
    for thread in setters:
        thread.start()
    for thread in waiters + setters:
        thread.join(TIMEOUT_S)

    assert stop.is_set()
    assert sorted(woken) == sorted(called) == list(range(8))


def test_a_callback_is_called_at_once_after_the_stop_and_never_after_its_block() -> None:
    stop, called = Stop(), []
    with stop.calling(lambda: called.append("left")):
        pass
    stop.set()
    with stop.calling(lambda: called.append("late")):
        assert called == ["late"]


def test_one_stop_may_set_another_but_not_the_other_way_round() -> None:
    all_cameras, one_camera, another = Stop(), Stop(), Stop()
    with all_cameras.calling(one_camera.set), all_cameras.calling(another.set):
        one_camera.set()
        assert not all_cameras.is_set() and not another.is_set()
        all_cameras.set()
    assert another.is_set()


def test_a_signal_handler_may_set_a_stop_for_which_the_main_thread_waits() -> None:
    stop = Stop()
    before = signal.signal(signal.SIGALRM, lambda *_: stop.set())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert stop.wait(TIMEOUT_S)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_the_clock_of_the_computer_waits_and_tells_the_time() -> None:
    clock, stop = SystemClock(), Stop()
    assert abs(clock.now() - time.time_ns() // 1000) < 60 * SECOND
    began = time.monotonic()
    assert clock.wait(0.05, stop) is False
    assert time.monotonic() - began >= 0.05
    stop.set()
    assert clock.wait(3600, stop) is True
