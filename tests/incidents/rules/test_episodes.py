"""Stays and contacts that last: levels, dwell, gaps, bridging and merging, against a plain state machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from incidents.rules.events import Finding
from incidents.rules.machines.plan import MIN_SAMPLES
from tests.incidents.rules.rule_scenes import (
    NOON,
    RESIDENTS,
    Person,
    box_zone,
    incidents_of,
    judge,
    observe,
    scene,
    seconds,
    stay,
)
from zones.facility import ContactRule, Pair, Rules, ZoneRule, ZoneType

S = 1_000_000
STAFF = box_zone("staff", ZoneType.STAFF_ONLY, 4, 4, 8, 8)


def at(moments: Sequence[float], places: Sequence[float], track: int = 7) -> pl.DataFrame:
    """A person at x = `places`, m, in samples at `moments`, whole milliseconds."""
    table = observe([stay(track, 6, 6, 0, 0)] * len(moments))
    return table.with_columns(
        t=pl.Series([NOON + round(t * S) for t in moments]).cast(table["t"].dtype),
        frame=pl.Series(range(len(moments))).cast(table["frame"].dtype),
        **{
            name: pl.Series([80 * x + shift for x in places], dtype=pl.Float32)
            for name, shift in (("foot_x", 0), ("x1", -20), ("x2", 20))
        },
    )


def stays(moments: Sequence[float], inside: Sequence[int]) -> list[tuple[float, ...]]:
    """Start, end and time held of the stays in the zone of a person who is inside at some samples."""
    table = at(moments, [6 if one else 1 for one in inside])
    found = judge(scene(STAFF, rules=Rules(merge_s=0.0), **RESIDENTS), table).findings
    return [(*seconds(one.start, one.end), one.measure.value) for one in found]


class TestDwell:
    def test_a_dwell_that_is_reached_exactly_counts(self):
        assert stays([0, 1, 2], [1, 1, 1]) == [(0, 2, 2)]

    def test_a_dwell_that_is_missed_by_a_microsecond_does_not_count(self):
        assert stays([0, 1, 1.999999], [1, 1, 1]) == []

    def test_an_incident_runs_from_the_first_to_the_last_sample_that_held(self):
        assert stays([0, 1, 2, 3, 4, 5], [0, 1, 1, 1, 1, 0]) == [(1, 4, 3)]

    def test_two_samples_never_reach_a_dwell(self):
        assert MIN_SAMPLES == 3
        assert stays([0, 2.9], [1, 1]) == []

    def test_a_dwell_restarts_when_the_condition_fails_once(self):
        assert stays([0, 1, 1.8, 1.9, 2, 3], [1, 1, 1, 0, 1, 1]) == []


class TestGaps:
    @pytest.mark.parametrize(("gap_s", "count"), [(3.0, 1), (3.000001, 0)])
    def test_gaps_up_to_three_seconds_are_bridged(self, gap_s, count):
        assert len(stays([0, 0.5, 1, 1 + gap_s, 1.2 + gap_s, 1.9 + gap_s], [1] * 6)) == count

    def test_time_within_a_gap_that_is_too_long_never_counts(self):
        assert stays([0, 1, 2, 100, 101, 102], [1] * 6) == [(0, 2, 2), (100, 102, 2)]
        assert stays([0, 0.9, 1.8, 100, 100.9, 101.8], [1] * 6) == []

    def test_people_are_not_joined(self):
        one, other = at([0, 1], [6, 6], 7), at([2, 3], [6.5, 6.5], 8)
        # At the same instant as well: one track goes on while the other begins.
        both = pl.concat([one, other, at([2, 3], [1, 1], 7)])
        assert judge(scene(STAFF, **RESIDENTS), both).findings == ()


class TestMerging:
    @pytest.mark.parametrize(("apart_s", "count"), [(60, 1), (60.000001, 2)])
    def test_stays_at_most_sixty_seconds_apart_are_merged(self, apart_s, count):
        table = at([0, 1, 2, 3, 2 + apart_s, 3 + apart_s, 4 + apart_s], [6, 6, 6, 1, 6, 6, 6])
        found = judge(scene(STAFF, **RESIDENTS), table).findings
        assert len(found) == count
        assert sum(one.measure.value for one in found) == 4
        assert found[-1].end == NOON + round((4 + apart_s) * S)

    def test_stays_of_two_people_are_never_merged(self):
        found = incidents_of(scene(STAFF, **RESIDENTS), [stay(1, 5, 5, 0, 3), stay(2, 7, 7, 0, 3)])
        assert [one.identity for one in found] == [(1,), (2,)]


@st.composite
def signals(draw) -> tuple[list[int], list[int]]:
    """Tenths of seconds from sample to sample, and the level at each."""
    size = draw(st.integers(1, 40))
    steps = draw(st.lists(st.integers(1, 40), min_size=size, max_size=size))
    return [sum(steps[: i + 1]) for i in range(size)], draw(
        st.lists(st.integers(0, 2), min_size=size, max_size=size)
    )


def plainly(t: list[int], level: list[int], dwell: int, gap: int, bridge: int) -> list[tuple[int, int, int]]:
    """The specification, one sample at a time: first and last sample and time held of each episode.

    The state is on from level 2 to level 0, and off after a gap that is too long.
    """
    found: list[list[int]] = []
    state = False
    for i in range(len(t)):
        lost = i == 0 or t[i] - t[i - 1] > gap
        was = state and not lost
        state = level[i] == 2 or (was and level[i] == 1)
        if not state:
            continue
        if was:
            found[-1][2] += t[i] - t[i - 1]
        elif not found or t[i] - found[-1][1] > bridge:
            found.append([t[i], t[i], 0, 0])
        found[-1][1] = t[i]
        found[-1][3] += 1
    return [(e[0], e[1], e[2]) for e in found if e[2] >= dwell and e[3] >= MIN_SAMPLES]


def tenths(findings: Sequence[Finding]) -> list[tuple[int, int, int]]:
    """Start, end and time held."""
    return [
        ((one.start - NOON) // 100_000, (one.end - NOON) // 100_000, round(one.measure.value * 10))
        for one in findings
    ]


@settings(max_examples=150, deadline=None)
@given(signals(), st.sampled_from([0.5, 1, 2]))
@example(([*range(1, 17), *range(18, 30), 32], [0] * 12 + [2] + [1] * 5 + [0] * 7 + [2, 1, 1, 1]), 0.5)
def test_stays_agree_with_a_plain_state_machine(signal, dwell_s):
    t, level = signal
    # Outside, inside by less than the hysteresis, inside by more.
    table = at([one / 10 for one in t], [(1, 4.15, 6)[one] for one in level])
    rules = Rules(merge_s=0.0, zone=ZoneRule(dwell_s=dwell_s))
    found = judge(scene(STAFF, rules=rules, **RESIDENTS), table).findings
    # A gap of which nothing counts may be as short as a sample: such stays meet.
    expected = plainly(t, level, round(dwell_s * 10), 30, 0)
    assert tenths(found) == expected


@settings(max_examples=150, deadline=None)
@given(signals(), st.sampled_from([1, 2]))
def test_contacts_agree_with_a_plain_state_machine(signal, dwell_s):
    t, level = signal
    moments = [one / 10 for one in t]
    # Apart, nearer than the release distance, in contact.
    near = at(moments, [6 + (2.9, 2.15, 1)[one] for one in level])
    rules = Rules(merge_s=0.0, contact=ContactRule(min_s=dwell_s))
    facility = scene(rules=rules, contact_pairs=(Pair.RESIDENT_RESIDENT,), **RESIDENTS)
    found = judge(facility, pl.concat([near, at(moments, [6] * len(t), 8)])).findings
    assert tenths(found) == plainly(t, level, round(dwell_s * 10), 30, 30)


def test_the_identity_does_not_depend_on_fields_that_may_change_later():
    (finding,) = incidents_of(scene(STAFF, **RESIDENTS), [Person(7, [(0, 6, 6), (3, 6, 6)])])
    assert len(finding.id) == 16 and int(finding.id, 16) >= 0
    assert replace(finding, end=99, severity="low", thresholds={}, people=(), opened=3).id == finding.id
    others = [
        replace(finding, kind="contact"), replace(finding, zone=None), replace(finding, identity=(7, 8)),
        replace(finding, start=6), replace(finding, camera="cam-2"),
    ]  # fmt: skip
    assert len({finding.id, *(other.id for other in others)}) == 6
    # The health of a camera can fail in two ways at once.
    blind = replace(finding, kind="camera_health", zone=None, identity=())
    assert replace(blind, subkind="frozen").id != replace(blind, subkind="covered").id
