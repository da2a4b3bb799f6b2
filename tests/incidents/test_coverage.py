from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.coverage import (
    NO_RECORD,
    WATCHED,
    CoverageError,
    Interval,
    State,
    clip,
    fill,
    lengths,
    normalise,
    overlay,
    share_analysed,
    summary,
    wins,
    withdraw,
)
from vision.frames import SECOND

A, OFF, PLAN = State.ANALYSED, State.OFFLINE, State.PLANNED


def span(start: int, end: int, state: State = A, cause: str = "", camera: str = "yard") -> Interval:
    return Interval(camera, start, end, state, cause)


@st.composite
def timelines(draw: st.DrawFn) -> list[Interval]:
    """Intervals of one camera that do not overlap, in any order, with and without gaps."""
    edges = sorted(draw(st.sets(st.integers(-50, 50), max_size=16)))
    found = [
        span(start, end, draw(st.sampled_from(State)), draw(st.sampled_from(["", "a"])))
        for start, end in pairwise(edges)
        if draw(st.booleans())
    ]
    return draw(st.permutations(found))


windows = st.tuples(st.integers(-60, 40), st.integers(1, 60)).map(lambda w: (w[0], w[0] + w[1]))


def at(intervals: list[Interval] | tuple[Interval, ...], t: int) -> Interval | None:
    found = [item for item in intervals if item.start <= t < item.end]
    assert len(found) <= 1
    return found[0] if found else None


def said(item: Interval | None) -> tuple[State, str] | None:
    return None if item is None else (item.state, item.cause)


def test_merges_neighbours_that_say_the_same() -> None:
    assert normalise([span(5, 9), span(0, 5)]) == (span(0, 9),)
    apart = (span(0, 5), span(6, 9))
    assert normalise(apart) == apart
    causes = (span(0, 5, OFF, "cable"), span(5, 9, OFF, "power"))
    assert normalise(causes) == causes
    assert normalise([]) == ()


@pytest.mark.parametrize(
    ("intervals", "sentence"),
    [
        ([span(0, 5), span(4, 9)], "expected each second once"),
        ([span(0, 9), span(2, 3, OFF)], "expected each second once"),
        ([span(0, 5), span(0, 5)], "expected each second once"),
        ([span(0, 5), span(7, 9, camera="gate")], "one camera, got gate and yard"),
    ],
)
def test_refuses_overlap_and_mixed_cameras(intervals: list[Interval], sentence: str) -> None:
    with pytest.raises(CoverageError, match=sentence):
        normalise(intervals)


@pytest.mark.parametrize("end", [3, 2])
def test_refuses_an_empty_interval(end: int) -> None:
    with pytest.raises(CoverageError, match="expected an end after 3"):
        span(3, end)


def test_newer_analysis_replaces_offline_and_planned() -> None:
    for old in (OFF, PLAN):
        assert overlay([span(0, 9, old)], [span(3, 5)]) == (span(0, 3, old), span(3, 5), span(5, 9, old))


@pytest.mark.parametrize("state", [state for state in State if state is not A])
def test_nothing_shrinks_analysed(state: State) -> None:
    assert overlay([span(0, 9)], [span(3, 12, state)]) == (span(0, 9), span(9, 12, state))


def test_of_two_judgements_of_the_picture_the_newer_wins() -> None:
    assert overlay([span(0, 9, State.FROZEN)], [span(3, 9, State.DARK)]) == (
        span(0, 3, State.FROZEN),
        span(3, 9, State.DARK),
    )


def test_maintenance_explains_an_outage_beforehand_and_does_not_hide_one_afterwards() -> None:
    assert overlay([span(0, 9, PLAN)], [span(3, 12, OFF)]) == (span(0, 9, PLAN), span(9, 12, OFF))
    assert overlay([span(0, 9, OFF)], [span(3, 12, PLAN)]) == (span(0, 9, OFF), span(9, 12, PLAN))


def test_time_without_a_record_is_offline_never_analysed() -> None:
    filled = fill([span(2, 4), span(6, 20, PLAN)], "yard", (0, 10))
    assert filled == (
        span(0, 2, OFF, NO_RECORD),
        span(2, 4),
        span(4, 6, OFF, NO_RECORD),
        span(6, 10, PLAN),
    )
    assert fill([], "yard", (0, 10)) == (span(0, 10, OFF, NO_RECORD),)


def test_summary_in_seconds_and_share() -> None:
    intervals = [span(0, 3 * SECOND), span(3 * SECOND, 4 * SECOND, State.IDLE)]
    found = summary(intervals, (0, 8 * SECOND))
    assert found[A] == 3.0 and found[State.IDLE] == 1.0 and found[OFF] == 4.0
    assert set(found) == set(State)
    assert share_analysed(intervals, (0, 8 * SECOND)) == 0.5
    assert share_analysed([], (0, 1)) == 0.0


def test_refuses_an_empty_window() -> None:
    with pytest.raises(CoverageError, match="window"):
        lengths([], (5, 5))


@settings(max_examples=150, deadline=None)
@given(timelines(), windows)
def test_lengths_add_up_to_the_window_exactly(intervals: list[Interval], window: tuple[int, int]) -> None:
    total = lengths(intervals, window)
    assert sum(total.values()) == window[1] - window[0]
    for state in State:
        seconds = sum(
            1 for t in range(*window) if (item := at(intervals, t)) is not None and item.state is state
        )
        unknown = sum(1 for t in range(*window) if at(intervals, t) is None) if state is OFF else 0
        assert total[state] == seconds + unknown
    watched = sum(total[state] for state in WATCHED)
    assert share_analysed(intervals, window) == watched / (window[1] - window[0])


@settings(max_examples=100, deadline=None)
@given(timelines(), windows)
def test_fill_is_a_partition_of_the_window(intervals: list[Interval], window: tuple[int, int]) -> None:
    filled = fill(intervals, "yard", window)
    assert (filled[0].start, filled[-1].end) == window
    assert all(left.end == right.start for left, right in pairwise(filled))
    for t in range(*window):
        assert said(at(filled, t)) == (said(at(intervals, t)) or (OFF, NO_RECORD))


@settings(max_examples=200, deadline=None)
@given(timelines(), timelines())
def test_overlay_decides_every_second_by_the_rule_and_loses_none(
    old: list[Interval], new: list[Interval]
) -> None:
    result = overlay(old, new)
    assert result == normalise(result)
    for t in range(-51, 51):
        under, over = at(old, t), at(new, t)
        if under is None or over is None:
            assert said(at(result, t)) == said(under or over)
        else:
            assert said(at(result, t)) == said(over if wins(over.state, under.state) else under)
    assert overlay(result, new) == result  # the same news twice says nothing new


@settings(max_examples=100, deadline=None)
@given(timelines(), timelines(), windows)
def test_overlay_never_takes_supervised_time_away(
    old: list[Interval], new: list[Interval], window: tuple[int, int]
) -> None:
    before, after = lengths(old, window), lengths(overlay(old, new), window)
    assert after[A] >= max(before[A], lengths(new, window)[A])
    assert sum(after[state] for state in WATCHED) >= sum(before[state] for state in WATCHED)


@settings(max_examples=60, deadline=None)
@given(timelines(), windows)
def test_clip_keeps_what_lies_within(intervals: list[Interval], window: tuple[int, int]) -> None:
    inside = clip(intervals, window)
    for t in range(-60, 100):
        assert said(at(inside, t)) == (said(at(intervals, t)) if window[0] <= t < window[1] else None)


@settings(max_examples=50)
@given(timelines(), windows)
def test_what_is_lost_is_watched_no_more_and_all_else_stays(
    old: list[Interval], window: tuple[int, int]
) -> None:
    after = withdraw(old, window, "torn")
    for t in range(-60, 101):
        before, now = at(old, t), at(after, t)
        if before is not None and before.state in WATCHED and window[0] <= t < window[1]:
            assert said(now) == (State.UNDECODABLE, "torn")
        else:
            assert said(now) == said(before)
    assert withdraw(after, window, "torn") == after
