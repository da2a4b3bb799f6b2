"""The coverage of a live camera as it passes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from incidents.coverage import State
from pipelines.watch.coverage import PassingCoverage, PlannedTime
from vision.frames import SECOND

NOW = 1_700_000_000 * SECOND


def passing(*planned: PlannedTime) -> PassingCoverage:
    return PassingCoverage("gate", NOW, planned)


def states(coverage: PassingCoverage) -> list[tuple[int, int, State, str]]:
    return [
        ((item.start - NOW) // SECOND, (item.end - NOW) // SECOND, item.state, item.cause)
        for item in coverage.take()
    ]


def test_a_second_is_analysed_where_a_frame_of_it_was_and_else_idle() -> None:
    coverage = passing()
    for tenth, detected in enumerate([True] * 10 + [False] * 10 + [False] * 9 + [True]):
        coverage.saw(NOW + tenth * SECOND // 10, detected, None)
    coverage.watched_until(NOW + 3 * SECOND)
    assert states(coverage) == [
        (0, 1, State.ANALYSED, ""),
        (1, 2, State.IDLE, ""),
        (2, 3, State.ANALYSED, ""),
    ]


def test_what_is_wrong_with_the_picture_is_its_state() -> None:
    coverage = passing()
    for second in range(4):
        wrong = (State.COVERED, "the picture is dark in 98 %") if second in (1, 2) else None
        coverage.saw(NOW + second * SECOND, True, wrong)
    coverage.watched_until(NOW + 4 * SECOND)
    assert [item[:3] for item in states(coverage)] == [
        (0, 1, State.ANALYSED),
        (1, 3, State.COVERED),
        (3, 4, State.ANALYSED),
    ]


def test_announced_maintenance_explains_an_outage_and_hides_no_watching() -> None:
    coverage = passing(PlannedTime(NOW + 5 * SECOND, NOW + 15 * SECOND, "new lens"))
    coverage.watched_until(NOW + 7 * SECOND)
    coverage.lost_until(NOW + 20 * SECOND, State.OFFLINE, "no route")
    assert states(coverage) == [
        (0, 7, State.ANALYSED, ""),
        (7, 15, State.PLANNED, "new lens"),
        (15, 20, State.OFFLINE, "no route"),
    ]


def test_maintenance_that_is_announced_in_an_outage_does_not_explain_it() -> None:
    coverage = passing()
    coverage.lost_until(NOW + 8 * SECOND, State.OFFLINE, "no route")
    coverage.planned = [PlannedTime(NOW + 8 * SECOND, NOW + 30 * SECOND, "new lens", NOW + 8 * SECOND)]
    coverage.lost_until(NOW + 12 * SECOND, State.OFFLINE, "no route")
    coverage.watched_until(NOW + 14 * SECOND)
    coverage.lost_until(NOW + 20 * SECOND, State.OFFLINE, "no route")
    assert [item[:3] for item in states(coverage)] == [
        (0, 12, State.OFFLINE),
        (12, 14, State.ANALYSED),
        (14, 20, State.PLANNED),
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(["watched", "lost", "saw"]), st.integers(0, 3 * SECOND), st.booleans()),
        max_size=40,
    )
)
def test_every_moment_is_in_exactly_one_interval(steps: list[tuple[str, int, bool]]) -> None:
    coverage, t, intervals = passing(PlannedTime(NOW + SECOND, NOW + 9 * SECOND, "x")), NOW, []
    for what, after, flag in steps:
        t += after
        if what == "watched":
            coverage.watched_until(t)
        elif what == "lost":
            coverage.lost_until(t, State.UNDECODABLE, "damage")
        else:
            coverage.saw(t, flag, None)
        if flag:
            intervals += coverage.take()
    intervals += coverage.take()
    reached = NOW
    for item in intervals:
        assert item.start == reached and item.end > item.start
        reached = item.end
    assert reached == coverage.reached <= t
