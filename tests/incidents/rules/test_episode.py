"""Episodes: levels, dwell, gaps, bridging and merging, and all of it against a plain state machine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.rules.episode import (
    MIN_SAMPLES,
    Finding,
    apply_hysteresis,
    episodes,
    microseconds,
    separated_times,
)

S = 1_000_000


def seconds(*values: float) -> np.ndarray:
    return np.array([microseconds(value) for value in values], dtype=np.int64)


def run(t: np.ndarray, on: list[int], key: list[int] | None = None, **more: int):
    keys = np.array(key or [0] * len(t), dtype=np.int64)
    options = {"dwell_us": 2 * S, "max_gap_us": 3 * S, **more}
    return episodes(keys, t, np.array(on, dtype=bool), **options)


class TestHysteresis:
    def test_the_state_is_kept_between_the_levels(self):
        level = np.array([0, 2, 1, 1, 0, 1, 2, 1])
        state = apply_hysteresis(np.zeros(8, np.int64), np.arange(8) * S, level >= 2, level < 1, 3 * S)
        assert state.tolist() == [False, True, True, True, False, False, True, True]

    @pytest.mark.parametrize(("gap_s", "still_on"), [(3.0, True), (3.2, False)])
    def test_the_state_is_off_after_a_gap_that_is_too_long(self, gap_s, still_on):
        t = seconds(0, 1, 1 + gap_s)
        enter, leave = np.array([True, False, False]), np.zeros(3, bool)
        assert apply_hysteresis(np.zeros(3, np.int64), t, enter, leave, 3 * S).tolist() == [
            True,
            True,
            still_on,
        ]

    def test_the_state_starts_off_for_every_key(self):
        state = apply_hysteresis(
            np.array([0, 1]), np.array([0, 0]), np.array([True, False]), np.zeros(2, bool), 3 * S
        )
        assert state.tolist() == [True, False]

    def test_empty_arrays_give_empty_results(self):
        none = np.zeros(0, np.int64)
        assert len(apply_hysteresis(none, none, none.astype(bool), none.astype(bool), S)) == 0
        assert len(episodes(none, none, none.astype(bool), dwell_us=0, max_gap_us=S)) == 0
        assert list(episodes(none, none, none.astype(bool), dwell_us=0, max_gap_us=S).groups(S)) == []


class TestDwell:
    def test_a_dwell_that_is_reached_exactly_counts(self):
        found = run(seconds(0, 1, 2), [1, 1, 1])
        assert (found.start.tolist(), found.end.tolist(), found.held.tolist()) == ([0], [2 * S], [2 * S])

    def test_a_dwell_that_is_missed_by_a_microsecond_does_not_count(self):
        assert len(run(seconds(0, 1, 1.999999), [1, 1, 1])) == 0

    def test_an_episode_runs_from_the_first_to_the_last_sample_that_held(self):
        found = run(seconds(0, 1, 2, 3, 4, 5), [0, 1, 1, 1, 1, 0])
        assert (found.start.tolist(), found.end.tolist()) == ([1 * S], [4 * S])

    def test_two_samples_never_reach_a_dwell(self):
        assert MIN_SAMPLES == 3
        assert len(run(seconds(0, 2.9), [1, 1])) == 0

    def test_a_dwell_restarts_when_the_condition_fails_once(self):
        assert len(run(seconds(0, 1, 1.8, 1.9, 2, 3), [1, 1, 1, 0, 1, 1])) == 0


class TestGaps:
    @pytest.mark.parametrize(("gap_s", "count"), [(3.0, 1), (3.2, 0)])
    def test_gaps_up_to_three_seconds_are_bridged(self, gap_s, count):
        t = seconds(0, 0.5, 1, 1 + gap_s, 1.5 + gap_s, 2 + gap_s)
        assert len(run(t, [1] * 6, dwell_us=microseconds(4.5))) == count

    def test_time_within_a_gap_that_is_too_long_never_counts(self):
        found = run(seconds(0, 1, 2, 100, 101, 102), [1] * 6)
        assert found.held.tolist() == [2 * S, 2 * S]
        assert len(run(seconds(0, 0.9, 1.8, 100, 100.9, 101.8), [1] * 6)) == 0

    def test_time_seen_apart_is_bridged_but_not_held(self):
        t = seconds(*range(9))
        found = run(t, [1, 1, 1, 0, 0, 1, 1, 1, 0], bridge_us=3 * S)
        assert (found.start.tolist(), found.end.tolist(), found.held.tolist()) == ([0], [7 * S], [4 * S])
        assert len(run(t, [1, 1, 1, 0, 0, 0, 1, 1, 1], bridge_us=3 * S)) == 2

    def test_different_keys_are_not_joined(self):
        assert len(run(seconds(0, 1, 2, 3), [1] * 4, [0, 0, 1, 1], dwell_us=S)) == 0


class TestMerging:
    @pytest.mark.parametrize(("apart_s", "incidents"), [(60, 1), (60.2, 2)])
    def test_episodes_at_most_sixty_seconds_apart_are_merged(self, apart_s, incidents):
        t = seconds(0, 1, 2, 3, 2 + apart_s, 3 + apart_s, 4 + apart_s)
        on = [1, 1, 1, 0, 1, 1, 1]
        found = run(t, on)
        groups = list(found.groups(60 * S))
        assert len(groups) == incidents
        assert sum(len(found.rows(group, np.array(on, bool))) for group in groups) == 6

    def test_episodes_of_two_keys_are_never_merged(self):
        found = run(np.tile(seconds(0, 1, 2), 2), [1] * 6, [0, 0, 0, 1, 1, 1])
        assert len(list(found.groups(60 * S))) == 2


@st.composite
def signals(draw):
    size = draw(st.integers(0, 40))
    key = np.sort(np.array(draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)), dtype=np.int64))
    step = draw(st.lists(st.integers(1, 40), min_size=size, max_size=size))
    level = draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    return key, np.cumsum(np.array(step, dtype=np.int64)) * 100_000, np.array(level, dtype=np.int64)


def plainly(key, t, level, dwell, gap, bridge):
    """The specification, one sample at a time."""
    found, open_, state, before = [], None, False, None
    for i in range(len(t)):
        new = before is None or key[before] != key[i]
        lost = new or t[i] - t[before] > gap
        was = state and not lost
        state = level[i] == 2 or (was and level[i] == 1)
        if state:
            if open_ is not None and not new and was:
                open_[2] += t[i] - t[before]
            elif open_ is None or new or bridge == 0 or t[i] - t[open_[1]] > bridge:
                found.append(open_)
                open_ = [i, i, 0, 0]
            open_[1] = i
            open_[3] += 1
        elif new:
            found.append(open_)
            open_ = None
        before = i
    found.append(open_)
    return [(e[0], e[1], e[2]) for e in found if e and e[2] >= dwell and e[3] >= MIN_SAMPLES]


@settings(max_examples=200, deadline=None)
@given(signals(), st.sampled_from([0, 1, 2]), st.sampled_from([0, 2]))
def test_episodes_agree_with_a_plain_state_machine(signal, dwell_s, bridge_s):
    key, t, level = signal
    on = apply_hysteresis(key, t, level == 2, level == 0, 3 * S)
    found = episodes(key, t, on, dwell_us=dwell_s * S, max_gap_us=3 * S, bridge_us=bridge_s * S)
    expected = plainly(key, t, level, dwell_s * S, 3 * S, bridge_s * S)
    assert list(zip(found.first.tolist(), found.last.tolist(), found.held.tolist(), strict=True)) == expected


@settings(max_examples=50, deadline=None)
@given(signals())
def test_separated_times_keep_differences_within_a_key_and_set_keys_apart(signal):
    key, t, _ = signal
    ticks = separated_times(key, t, 5 * S)
    same = np.diff(key) == 0
    assert (np.diff(ticks)[same] == np.diff(t)[same]).all()
    assert (np.diff(ticks)[~same] > 5 * S).all()


FINDING = Finding(
    kind="zone_crossing", subkind="zone_entry", zone="z", tracks=(7,), roles=(("resident", 0.9),),
    start=5, end=9, severity="high", distance_min=None, distance_median=None, distance_se=None,
    mask_state=None, assessable_share=None, detector_confidence=0.8, rule_confidence=0.7,
    thresholds={"dwell_s": 2.0},
)  # fmt: skip


def test_the_key_does_not_depend_on_fields_that_may_change_later():
    key = FINDING.key("cam-1")
    assert len(key) == 16 and int(key, 16) >= 0
    assert replace(FINDING, end=99, severity="low", thresholds={}).key("cam-1") == key
    others = [
        replace(FINDING, kind="contact"), replace(FINDING, zone=None), replace(FINDING, tracks=(7, 8)),
        replace(FINDING, start=6),
    ]  # fmt: skip
    assert len({key, FINDING.key("cam-2"), *(other.key("cam-1") for other in others)}) == 6
