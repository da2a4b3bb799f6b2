"""The time of day of live cameras, while the clock of the computer is corrected."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.frames import SECOND
from vision.live.clocks.steady import SteadyClock

NOW = 1_700_000_000 * SECOND


class Computer:
    """A computer whose clock can be set."""

    def __init__(self) -> None:
        self.wall, self.monotonic = NOW, 5 * SECOND

    def pass_time(self, seconds: float) -> None:
        self.wall += round(seconds * SECOND)
        self.monotonic += round(seconds * SECOND)


def clock_of(computer: Computer) -> SteadyClock:
    return SteadyClock(lambda: computer.wall, lambda: computer.monotonic)


def test_a_clock_that_is_set_forward_late_is_taken_over_at_once() -> None:
    computer = Computer()
    computer.wall = 0  # a box without a battery
    clock = clock_of(computer)
    computer.pass_time(30)
    computer.wall = NOW
    assert clock.now() == NOW and clock.steps == 1 and clock.difference == 0


@pytest.mark.parametrize("back_s", [1, 60])
def test_a_clock_that_is_set_back_is_taken_over_slowly_and_time_goes_on(back_s: int) -> None:
    computer = Computer()
    clock = clock_of(computer)
    computer.wall -= back_s * SECOND
    times = []
    for _ in range(back_s * 25):
        computer.pass_time(1)
        times.append(clock.now())
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert times[-1] == computer.wall and clock.steps == 0
    assert abs(times[0] - (NOW + SECOND)) <= SECOND // 20


@given(st.lists(st.tuples(st.integers(0, 100 * SECOND), st.integers(-(10**9), 10**9)), max_size=30))
def test_it_never_goes_back(changes: list[tuple[int, int]]) -> None:
    computer = Computer()
    clock = clock_of(computer)
    last = clock.now()
    for passed, step in changes:
        computer.monotonic += passed
        computer.wall += passed + step
        now = clock.now()
        assert now >= last
        last = now


def test_another_process_goes_on_with_the_time_of_the_first() -> None:
    computer = Computer()
    first = clock_of(computer)
    computer.wall -= 3600 * SECOND
    computer.pass_time(10)
    reading = first.reading()
    computer.pass_time(10)
    other = SteadyClock(lambda: computer.wall, lambda: computer.monotonic, reading)
    assert other.now() == first.now() > computer.wall + 3000 * SECOND
