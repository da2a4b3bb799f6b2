"""Reading observations: order, repeats, mask votes and what counts as assessed."""

from __future__ import annotations

import polars as pl
import pytest

from incidents.rules.engine import CameraRules, RuleError, SamePerson
from tests.incidents.rules.rule_scenes import (
    NOON,
    RESIDENTS,
    Person,
    box_zone,
    dressed,
    judge,
    observe,
    scene,
    stay,
)
from zones.errors import LazarettoError
from zones.facility import Pair, ZoneType

S = 1_000_000
FACILITY = scene(
    box_zone("staff", ZoneType.STAFF_ONLY, 4, 4, 8, 8),
    contact_pairs=(Pair.RESIDENT_RESIDENT,),
    **RESIDENTS,
)


def masks_of(states: list[str], track: int = 1, **more) -> Person:
    return stay(track, 5, 5, 0, (len(states) - 1) / 5, masks=lambda second: states[round(second * 5)], **more)


def test_rows_may_come_in_any_order():
    table = observe([stay(9, 6, 6, 0, 12), stay(4, 7, 6, 1, 13, masks=lambda _: "unmasked")])
    expected = judge(FACILITY, table)
    assert {finding.kind for finding in expected.findings} == {"zone_crossing", "contact", "mask_absent"}
    assert judge(FACILITY, table.reverse()) == expected
    assert judge(FACILITY, table.sort("track")) == expected
    for seed in range(3):
        assert judge(FACILITY, table.sample(fraction=1, shuffle=True, seed=seed)) == expected


def test_observations_of_another_camera_are_refused():
    table = observe([stay(1, 1, 1, 0, 2)], camera="cam-2")
    with pytest.raises(RuleError, match=r"^expected observations of camera 'cam-1', got some of 'cam-2'$"):
        judge(FACILITY, table)
    assert issubclass(RuleError, LazarettoError)


def test_only_what_comes_after_the_moment_that_was_reached_is_taken():
    rules = CameraRules(FACILITY, "cam-1")
    rules.advance(NOON + 10 * S)
    with pytest.raises(
        RuleError,
        match=r"^camera 'cam-1': expected a time from 2026-11-26T05:00:10\S* on, got 2026-11-26T05:00:09\S*$",
    ):
        rules.advance(NOON + 9 * S)
    early = observe([stay(1, 1, 1, 9, 12)])
    with pytest.raises(
        RuleError,
        match=r"^camera 'cam-1': expected observations from \S+05:00:10\S* to before \S+05:00:20\S*, got "
        r"some from \S+05:00:09\S* to \S+05:00:12\S*$",
    ):
        rules.advance(NOON + 20 * S, early)
    late = observe([stay(1, 1, 1, 12, 20)])
    with pytest.raises(RuleError, match="got some from"):
        rules.advance(NOON + 20 * S, late)
    for moment in (9, 20):
        with pytest.raises(
            RuleError,
            match=r"^camera 'cam-1': expected changes from \S+05:00:10\S* to before \S+05:00:20\S*, got "
            "one at",
        ):
            rules.advance(NOON + 20 * S, marks=[SamePerson(NOON + moment * S, 1, 2)])
    # What was refused changed nothing.
    assert rules.now == NOON + 10 * S
    assert rules.advance(NOON + 20 * S, observe([stay(1, 6, 6, 10, 19.8)])).events[0].t == NOON + 12 * S


def test_only_the_first_of_rows_with_the_same_time_is_used_and_a_notice_says_so():
    table = observe([stay(1, 6, 6, 0, 5)])
    expected = judge(FACILITY, table)
    again = table.tail(1).with_columns(foot_x=pl.lit(0.0, pl.Float32), score=pl.lit(0.1, pl.Float32))
    seen = judge(FACILITY, pl.concat([table, again]))
    assert seen.events == expected.events
    assert seen.notices == (
        *expected.notices,
        "camera cam-1: 1 rows repeat a time of their track or person: only one is used",
    )


def test_a_vote_is_the_most_probable_state_or_not_assessed():
    states = ["incorrect", "masked", "incorrect", "turned", "not_sampled", "incorrect"] * 10
    found = judge(FACILITY, observe([masks_of(states)])).findings
    (finding,) = (one for one in found if one.kind.startswith("mask"))
    assert (finding.kind, finding.measure.value) == ("mask_incorrect", pytest.approx(0.75, abs=0.02))
    # Of five that were tried, four were assessed.
    assert finding.assessable_share == pytest.approx(0.8, abs=0.02)


def test_the_least_severe_of_equally_probable_states_wins():
    table = observe([stay(1, 1, 1, 0, 12)]).with_columns(
        mask_masked=pl.lit(0.2, pl.Float32), mask_incorrect=pl.lit(0.4, pl.Float32),
        mask_unmasked=pl.lit(0.4, pl.Float32), mask_reason=pl.lit(None, pl.String),
    )  # fmt: skip
    assert [finding.kind for finding in judge(FACILITY, table).findings] == ["mask_incorrect"]


def test_a_face_below_the_threshold_was_attempted_but_not_assessed():
    pair = [stay(1, 1, 6, 0, 12), stay(2, 2, 6, 0, 12, masks=lambda _: "unmasked", face_px=31.0)]
    (finding,) = judge(FACILITY, observe(dressed(pair))).findings
    assert (finding.kind, finding.mask_state, finding.assessable_share) == ("contact", None, 0.0)
