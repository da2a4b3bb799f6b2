"""The clock of a live stream: timestamps of a camera to the time of day."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.frames import SECOND
from vision.live.clocks.stream import STEP_US, StreamClock

START = 1_700_000_000 * SECOND
LATENCY = 20_000
FRAME = SECOND // 25


def stamps(count: int) -> list[int]:
    return [number * FRAME for number in range(count)]


def given_times(clock: StreamClock, stamped: Sequence[int], arrivals: Sequence[int]) -> np.ndarray:
    return np.array([clock.feed(*pair) for pair in zip(stamped, arrivals, strict=True)])


@pytest.mark.parametrize("delivered", [21.0, 24.99, 25.0, 29.0])
def test_a_camera_that_stamps_25_and_delivers_another_rate_never_steps(delivered: float) -> None:
    rng, clock = random.Random(7), StreamClock()
    true = np.array([START + round(number * SECOND / delivered) for number in range(25 * 300)])
    late = np.array([LATENCY + round(rng.expovariate(1 / 30_000)) for _ in true])
    arrivals = np.maximum.accumulate(true + late)
    error = given_times(clock, stamps(len(true)), arrivals.tolist()) - true

    assert clock.take_steps() == [], "the rate is fitted before the times part by as much as a step"
    assert clock.rate == pytest.approx(25 / delivered, rel=2e-3)
    assert np.abs(error).max() < STEP_US
    settled = error[25 * 60 :]
    assert settled.min() > 0 and settled.max() < 100_000, "arrivals are late by 20 ms at least, and jittered"


def test_pictures_that_the_network_held_back_keep_their_times() -> None:
    true = [START + stamp for stamp in stamps(3000)]
    arrivals = [t + LATENCY for t in true]
    arrivals[1500:1700] = [true[1700] + LATENCY] * 200  # 8 s that come at once
    clock = StreamClock()
    error = given_times(clock, stamps(3000), arrivals) - true
    assert clock.take_steps() == []
    assert error.max() - error.min() < 5_000


def test_what_a_server_sends_at_once_at_the_start_does_not_make_the_times_late() -> None:
    true = [START + stamp for stamp in stamps(2000)]
    arrivals = [max(t, true[75]) + LATENCY for t in true]
    clock = StreamClock()
    clock.begin(list(zip(stamps(90), arrivals[:90], strict=True)))
    error = given_times(clock, stamps(2000), arrivals) - true
    assert clock.take_steps() == [] and np.abs(error - LATENCY).max() < 5_000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda stamp: stamp + 3600 * SECOND, "ahead by 3600"),
        (lambda stamp: stamp - 1000 * FRAME, "back"),
        (lambda stamp: stamp - 500 * FRAME, "back"),
    ],
    ids=["an hour ahead", "from zero again", "20 s back"],
)
def test_timestamps_that_jump_are_told_and_the_times_go_on(change: Callable[[int], int], reason: str) -> None:
    true = [START + stamp for stamp in stamps(2000)]
    stamped = [stamp if number < 1000 else change(stamp) for number, stamp in enumerate(stamps(2000))]
    clock = StreamClock()
    times = given_times(clock, stamped, [t + LATENCY for t in true])
    [step] = clock.take_steps()
    assert reason in step.reason
    assert (np.diff(times) > 0).all() and np.abs(times - true - LATENCY).max() < 5_000


def test_pictures_that_stay_late_are_told_as_a_step() -> None:
    # The camera lost 5 s of its own time: its stamps go on without a hole, and all that follows is late.
    true = [START + stamp + (5 * SECOND if stamp >= 40 * SECOND else 0) for stamp in stamps(2500)]
    clock = StreamClock()
    times = given_times(clock, stamps(2500), [t + LATENCY for t in true])
    assert [step.reason for step in clock.take_steps()] and (np.diff(times) > 0).all()
    assert abs(times[-1] - true[-1]) < STEP_US


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-5 * SECOND, 8 * SECOND), min_size=2, max_size=80),
    st.lists(st.integers(0, 6 * SECOND), min_size=80, max_size=80),
)
def test_times_never_go_back_while_stamps_do_not(steps: list[int], waits: list[int]) -> None:
    clock, stamp, arrival, last = StreamClock(), 0, START, None
    for step, wait in zip(steps, waits, strict=False):
        stamp, arrival = stamp + step, arrival + wait
        t = clock.feed(stamp, arrival)
        if last is not None:
            assert t > last if step else t >= last
        last = t
