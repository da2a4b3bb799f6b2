from __future__ import annotations

from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.scoring import Alarm, Event, f_score, fits, match, raised_at, score
from vision.frames import SECOND

TEN = 10 * SECOND


def event(second: float, zone: str | None = None, kind: str = "zone_crossing", camera: str = "yard") -> Event:
    return Event(camera, kind, round(second * SECOND), zone)


def alarm(
    second: float, zone: str | None = None, kind: str = "zone_crossing", wait: float = 0, camera: str = "yard"
) -> Alarm:
    start = round(second * SECOND)
    return Alarm(camera, kind, start, start + round(wait * SECOND), zone)


@pytest.mark.parametrize(
    ("second", "counts"), [(9.999999, False), (10, True), (15, True), (20, True), (20.000001, False)]
)
def test_an_alarm_counts_from_the_start_of_an_event_to_start_and_tolerance(
    second: float, counts: bool
) -> None:
    assert fits(event(10), alarm(second), TEN) is counts


def test_an_alarm_with_a_dwell_is_in_time_if_start_and_raise_overlap_the_window() -> None:
    # Ten seconds of contact, of which the first was seen half a second before the truth has it.
    assert fits(event(10), alarm(9.5, wait=10), TEN)
    assert fits(event(10), alarm(19.5, wait=10), TEN)
    assert not fits(event(10), alarm(20.5, wait=10), TEN)
    assert not fits(event(10), alarm(7, wait=2), TEN)


def test_kind_camera_and_a_named_zone_must_agree() -> None:
    assert fits(event(0, "lawn"), alarm(1, "lawn"), TEN)
    assert not fits(event(0, "lawn"), alarm(1, "gate"), TEN)
    assert not fits(event(0, "lawn"), alarm(1), TEN)
    assert fits(event(0), alarm(1, "gate"), TEN)
    assert not fits(event(0), alarm(1, kind="contact"), TEN)
    assert not fits(event(0), alarm(1, camera="lobby"), TEN)


def test_the_time_a_condition_must_hold_is_read_from_the_thresholds() -> None:
    assert raised_at(SECOND, {"dwell_s": 2.0, "hysteresis_m": 0.3}) == 3 * SECOND
    assert raised_at(SECOND, {"min_s": 10, "distance_m": 2.0, "place": "x"}) == 11 * SECOND
    assert raised_at(SECOND, {"hysteresis_m": 9.0, "min_s": None}) == SECOND
    assert raised_at(SECOND, {"dwell_s": 2.0}, (5 * SECOND, 600 * SECOND)) == 5 * SECOND


def test_a_second_alarm_for_one_event_is_a_false_alarm_and_a_duplicate() -> None:
    found = match([event(0)], [alarm(4), alarm(2), alarm(50)])
    assert found.pairs == ((0, 1),) and found.delays == (2 * SECOND,)
    assert found.false_alarms == (0, 2) and found.duplicates == (0,)
    assert found.missed == ()


def test_matching_is_optimal_where_taking_the_nearest_first_is_not() -> None:
    # Alarm 0 is nearest to event 1, but then event 0 would stay without one.
    found = match([event(0), event(6)], [alarm(7), alarm(12)])
    assert found.pairs == ((0, 0), (1, 1))


def test_the_score_of_a_small_case() -> None:
    events = [event(0), event(100), event(200), event(300)]
    alarms = [alarm(1), alarm(103), alarm(202), alarm(400), alarm(2)]
    result = score(events, alarms, hours=2.0, bias=2.0)
    assert (result.found, result.duplicates) == (3, 1)
    assert result.recall == 0.75 and result.precision == 0.6
    assert result.f == pytest.approx(3 * 0.75 * 0.6 / (0.75 + 2 * 0.6))
    assert result.false_alarms_per_hour == 1.0
    assert result.median_delay_s == 2.0


def test_a_share_with_denominator_zero_is_none() -> None:
    nothing = score([], [], hours=0.0)
    assert (nothing.recall, nothing.precision, nothing.f) == (None, None, None)
    assert nothing.false_alarms_per_hour is None and nothing.median_delay_s is None
    quiet = score([], [alarm(0)], hours=1.0)
    assert quiet.recall is None and quiet.precision == 0.0 and quiet.f is None
    assert score([event(0)], [], hours=1.0).recall == 0.0


shares = st.floats(0.01, 1)


@given(shares, shares, st.floats(0, 1000))
def test_f_lies_between_recall_and_precision_and_leans_to_recall_with_the_bias(
    recall: float, precision: float, bias: float
) -> None:
    f = f_score(recall, precision, bias)
    assert f is not None
    assert min(recall, precision) - 1e-9 <= f <= max(recall, precision) + 1e-9
    more = f_score(recall, precision, bias + 1)
    assert more is not None and abs(more - recall) <= abs(f - recall) + 1e-9


def test_f_is_the_precision_at_bias_zero_and_the_harmonic_mean_at_bias_one() -> None:
    assert f_score(0.4, 0.8, 0) == pytest.approx(0.8)
    assert f_score(0.4, 0.8, 1) == pytest.approx(2 * 0.4 * 0.8 / 1.2)
    assert f_score(0.0, 0.0) == 0.0


zones = st.sampled_from([None, "a", "b"])
kinds = st.sampled_from(["zone_crossing", "contact"])
true_events = st.lists(st.builds(event, st.integers(0, 40), zones, kinds), max_size=5)
raised_alarms = st.lists(
    st.builds(alarm, st.integers(0, 50), zones, kinds, st.sampled_from([0, 2])), max_size=5
)


def exhaustive(events: list[Event], alarms: list[Alarm], tolerance: int) -> tuple[int, int]:
    """Most pairs, and their least delay in all, by trying everything."""
    for size in range(min(len(events), len(alarms)), 0, -1):
        totals = [
            sum(alarms[a].raised - events[e].start for e, a in zip(some, others, strict=True))
            for some in combinations(range(len(events)), size)
            for others in permutations(range(len(alarms)), size)
            if all(fits(events[e], alarms[a], tolerance) for e, a in zip(some, others, strict=True))
        ]
        if totals:
            return size, min(totals)
    return 0, 0


@settings(max_examples=120, deadline=None)
@given(true_events, raised_alarms, st.sampled_from([0, 3, 10]))
def test_matching_agrees_with_exhaustive_search(
    events: list[Event], alarms: list[Alarm], tolerance_s: int
) -> None:
    tolerance = tolerance_s * SECOND
    found = match(events, alarms, tolerance)
    assert (len(found.pairs), sum(found.delays)) == exhaustive(events, alarms, tolerance)
    assert sorted([*(e for e, _ in found.pairs), *found.missed]) == list(range(len(events)))
    assert sorted([*(a for _, a in found.pairs), *found.false_alarms]) == list(range(len(alarms)))
    assert all(fits(events[e], alarms[a], tolerance) for e, a in found.pairs)
    assert set(found.duplicates) == {
        a for a in found.false_alarms if any(fits(item, alarms[a], tolerance) for item in events)
    }
