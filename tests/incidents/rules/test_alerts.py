"""When incidents alert: once their rule is met, then every ten minutes, whether seen live or afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_scenes import NOON, Person, box_zone, line, observe, scene, stay

from incidents.rules.engine import evaluate_rules
from incidents.rules.episode import Finding, alert_times
from zones.facility import Facility, Pair, Role, Rules, ZoneType

S = 1_000_000
STAFF = box_zone("staff", ZoneType.STAFF_ONLY, 4, 4, 8, 8)
ROLE = {"default_role": Role.RESIDENT, "default_role_confidence": 0.9}


def found(observations: pl.DataFrame, facility: Facility) -> tuple[Finding, ...]:
    return evaluate_rules(observations, facility, facility.cameras[0]).findings


def alerts(facility: Facility, *people: Person, hz: float = 5.0) -> list[list[float]]:
    return [[(t - NOON) / S for t in f.alerts] for f in found(observe(people, hz), facility)]


def bare(second: float) -> str:
    return "unmasked" if second * 2 == round(second * 2) else "not_sampled"


@pytest.mark.parametrize(
    ("places", "people", "expected"),
    [
        ([STAFF], [stay(1, 6, 6, 10, 30)], [12.0]),
        # Clear of the line by 0.3 m at 2.4 s, kept for 1 s.
        (
            [line("g", ZoneType.PERIMETER, (8, 0), (8, 12))],
            [Person(1, [(0, 6, 6), (4, 10, 6), (9, 10, 6)])],
            [3.4],
        ),
        # Eight assessments, one a second at 5 frames a second.
        ([], [stay(1, 6, 6, 0, 20, masks=bare)], [7.0]),
        ([], [stay(1, 6, 6, 0, 30), stay(2, 7.5, 6, 0, 30)], [10.0]),
        # Three who gather, on either side of one another; their contact is not watched.
        ([], [stay(i, 3 + 1.9 * i, 6, 0, 90) for i in range(3)], [60.0]),
    ],
    ids=["zone", "line", "mask", "contact", "gathering"],
)
def test_the_first_alert_is_when_the_rule_is_met(places, people, expected):
    pairs = (Pair.RESIDENT_RESIDENT,) if len(people) == 2 else ()
    assert alerts(scene(*places, contact_pairs=pairs, **ROLE), *people) == [expected]


def test_time_in_which_the_condition_did_not_hold_delays_the_first_alert():
    # 6 s, apart for 2.8 s that are bridged and do not count, then the other 4 s.
    walk = [(0, 6, 6), (6, 6, 6), (6.2, 8, 6), (8.6, 8, 6), (8.8, 6, 6), (20, 6, 6)]
    facility = scene(contact_pairs=(Pair.RESIDENT_RESIDENT,), **ROLE)
    assert alerts(facility, Person(1, walk), stay(2, 4.5, 6, 0, 20)) == [[pytest.approx(12.8)]]


@pytest.mark.parametrize(
    ("end", "expected"),
    [(601.8, [2]), (602, [2, 602]), (1201.8, [2, 602]), (1900, [2, 602, 1202, 1802])],
)
def test_an_incident_alerts_again_every_ten_minutes_while_it_lasts(end, expected):
    assert alerts(scene(STAFF, **ROLE), stay(1, 6, 6, 0, end)) == [expected]


def test_the_period_between_alerts_is_configured():
    facility = scene(STAFF, rules=Rules(realert_s=60.0), **ROLE)
    assert alerts(facility, stay(1, 6, 6, 0, 130)) == [[2, 62, 122]]
    (finding,) = found(observe([stay(1, 6, 6, 0, 9)]), facility)
    assert finding.thresholds["realert_s"] == 60.0


def test_there_is_no_alert_during_a_pause_and_the_next_one_comes_after_it():
    walk = [(0, 6, 6), (590, 6, 6), (590.2, 1, 6), (620, 1, 6), (620.2, 6, 6), (1300, 6, 6)]
    assert alerts(scene(STAFF, **ROLE), Person(1, walk)) == [[2, pytest.approx(622.2), 1202]]


MOMENTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=30, unique=True).map(sorted)


@settings(max_examples=60, deadline=None)
@given(MOMENTS, st.integers(1, 10**5), st.integers(1, 29))
def test_later_samples_do_not_change_earlier_alerts(moments: Sequence[int], period: int, cut: int):
    whole, part = (alert_times(np.array(times), period) for times in (moments, moments[:cut]))
    assert whole[: len(part)] == part
    assert set(whole) <= set(moments) and whole[0] == moments[0]
    numbers = [(t - whole[0]) // period for t in whole]
    assert numbers == sorted(set(numbers)), "never two in one period"


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 120))
def test_live_analysis_gives_the_same_alerts_as_batch_analysis(minute_tenths: int):
    """At any moment, what is seen so far alerts at those of the whole log up to that moment."""
    facility = scene(STAFF, contact_pairs=(Pair.RESIDENT_RESIDENT,), rules=Rules(realert_s=120.0), **ROLE)
    people = [
        Person(1, [(0, 2, 6), (20, 6, 6), (400, 6, 6), (401, 2, 6), (430, 2, 6), (431, 6, 6), (700, 6, 6)]),
        stay(2, 6, 7, 30, 700, gaps=[(200, 240)]),
        stay(3, 6.5, 6.5, 100, 600, masks=bare),
    ]
    log = observe(people, 2.0)
    now = NOON + minute_tenths * 6 * S
    seen = log.filter(pl.col("t").dt.timestamp("us") <= now)
    whole = {f.key("cam-1"): f for f in found(log, facility)}
    assert len({f.kind for f in whole.values()}) == 4
    for finding in found(seen, facility):
        assert finding.alerts == tuple(t for t in whole[finding.key("cam-1")].alerts if t <= now)
