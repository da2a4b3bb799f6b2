"""Timestamps as recorders write them, and the stream times that they give."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.frames import SECOND
from vision.sources.frame_clock import MAX_HOLE_US, ClockNote, ClockState, FrameClock

STEP = 40_000
HOLE = 2 * SECOND
HOUR = 3600 * SECOND


def run(stamped: list[int]) -> tuple[list[int], list[int], list[ClockNote]]:
    """The numbers of the frames that are kept, their times, and the notes."""
    clock: FrameClock[int] = FrameClock(STEP, HOLE, None)
    items = [item for n, t in enumerate(stamped) for item in clock.take(n, t)] + list(clock.finish())
    kept = [item for item in items if isinstance(item, tuple)]
    return [n for n, _ in kept], [t for _, t in kept], [item for item in items if isinstance(item, ClockNote)]


def regular(count: int, start: int = 0) -> list[int]:
    return [start + n * STEP for n in range(count)]


def test_regular_timestamps_are_the_stream_times() -> None:
    assert run(regular(50)) == (list(range(50)), regular(50), [])


@given(st.lists(st.integers(-30_000, 30_000), min_size=2, max_size=60), st.integers(1, 3))
def test_jitter_and_equal_timestamps_lose_no_picture(jitter: list[int], equal: int) -> None:
    stamped = [n // equal * equal * STEP + shake for n, shake in enumerate(jitter)]
    kept, times, notes = run(stamped)
    assert kept == list(range(len(stamped)))
    assert all(later > earlier for earlier, later in pairwise(times))
    assert all(note.state is ClockState.INEXACT for note in notes)
    assert all(abs(t - true) <= (equal + 2) * STEP for t, true in zip(times, stamped, strict=True))


@pytest.mark.parametrize("by", [3 * SECOND, 60 * SECOND, HOUR, -3 * SECOND, -HOUR])
@pytest.mark.parametrize("at", [1, 20, 48])
def test_a_timestamp_that_stands_alone_costs_its_picture(by: int, at: int) -> None:
    stamped = regular(50)
    stamped[at] += by
    kept, times, notes = run(stamped)
    assert kept == [n for n in range(50) if n != at] and times == [n * STEP for n in kept]
    assert [note.state for note in notes] == [ClockState.INEXACT] and "left out" in notes[0].text


@pytest.mark.parametrize("by", [3 * HOUR, MAX_HOLE_US + SECOND, -3 * SECOND, -HOUR])
def test_after_a_jump_pictures_go_on_where_they_were_and_it_is_named(by: int) -> None:
    kept, times, [note] = run(regular(50) + [t + by for t in regular(50, 50 * STEP)])
    assert kept == list(range(100)) and times == regular(100)
    assert note.state is ClockState.ANCHORED and note.t == 49 * STEP
    assert ("jumps ahead" if by > 0 else "goes back") in note.text


def test_two_jumps_and_an_outlier_between_them() -> None:
    middle = regular(20, 5 * HOUR)
    middle[10] += 40 * HOUR
    kept, times, notes = run(regular(20, 10 * HOUR) + middle + regular(20, 30 * HOUR))
    assert kept == [n for n in range(60) if n != 30]
    assert times == [10 * HOUR + n * STEP for n in kept]
    assert [note.state for note in notes] == [ClockState.ANCHORED, ClockState.INEXACT, ClockState.ANCHORED]


@pytest.mark.parametrize("hole", [3 * SECOND, 60 * SECOND, MAX_HOLE_US])
def test_a_pause_of_the_recorder_is_believed(hole: int) -> None:
    stamped = regular(20) + regular(20, 19 * STEP + hole)
    assert run(stamped) == (list(range(40)), stamped, [])


def test_pictures_minutes_apart_are_all_kept() -> None:
    stamped = [n * 60 * SECOND for n in range(10)]
    assert run(stamped) == (list(range(10)), stamped, [])


def test_timestamps_that_stand_still_are_replaced_by_the_nominal_rate() -> None:
    kept, times, notes = run([0] * 200)
    assert kept == list(range(200))
    # The first second or so is taken for pictures of equal time.
    assert times[-1] == pytest.approx(199 * STEP, rel=0.1)
    assert notes[-1].state is ClockState.ANCHORED and "25 per second" in notes[-1].text


@given(st.lists(st.integers(-5 * HOUR, 5 * HOUR), max_size=40))
def test_times_increase_whatever_the_timestamps_are(stamped: list[int]) -> None:
    kept, times, _ = run(stamped)
    assert all(later > earlier for earlier, later in pairwise(times))
    assert kept == sorted(set(kept)) and set(kept) <= set(range(len(stamped)))
