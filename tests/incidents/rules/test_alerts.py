"""When incidents alert: once their rule is met, then every ten minutes, whether seen live or afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.rules.events import EventType
from tests.incidents.rules.rule_scenes import (
    NOON,
    RESIDENTS,
    Person,
    box_zone,
    events_of,
    incidents_of,
    judge,
    line,
    observe,
    scene,
    seconds,
    stay,
)
from zones.facility import Facility, Pair, Rules, ZoneType

S = 1_000_000
STAFF = box_zone("staff", ZoneType.STAFF_ONLY, 4, 4, 8, 8)


def alerts(facility: Facility, *people: Person, hz: float = 5.0) -> list[list[float]]:
    """The moments of the alerts that each incident states last, which are those of its events."""
    events = events_of(facility, people, hz)
    moments: dict[str, list[float]] = {}
    last: dict[str, list[float]] = {}
    for event in events:
        last[event.incident] = list(seconds(*event.finding.alerts))
        if event.type is EventType.ALERTED:
            moments.setdefault(event.incident, []).extend(seconds(event.t))
    assert last == moments
    return list(last.values())


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
    assert alerts(scene(*places, contact_pairs=pairs, **RESIDENTS), *people) == [expected]


def test_time_in_which_the_condition_did_not_hold_delays_the_first_alert():
    # 6 s, apart for 2.8 s that are bridged and do not count, then the other 4 s.
    walk = [(0, 6, 6), (6, 6, 6), (6.2, 8, 6), (8.6, 8, 6), (8.8, 6, 6), (20, 6, 6)]
    facility = scene(contact_pairs=(Pair.RESIDENT_RESIDENT,), **RESIDENTS)
    assert alerts(facility, Person(1, walk), stay(2, 4.5, 6, 0, 20)) == [[pytest.approx(12.8)]]


@pytest.mark.parametrize(
    ("end", "expected"),
    [(601.8, [2]), (602, [2, 602]), (1201.8, [2, 602]), (1900, [2, 602, 1202, 1802])],
)
def test_an_incident_alerts_again_every_ten_minutes_while_it_lasts(end, expected):
    assert alerts(scene(STAFF, **RESIDENTS), stay(1, 6, 6, 0, end)) == [expected]


def test_the_period_between_alerts_is_configured():
    facility = scene(STAFF, rules=Rules(realert_s=60.0), **RESIDENTS)
    assert alerts(facility, stay(1, 6, 6, 0, 130)) == [[2, 62, 122]]
    (finding,) = incidents_of(facility, [stay(1, 6, 6, 0, 9)])
    assert finding.thresholds["realert_s"] == 60.0


def test_there_is_no_alert_during_a_pause_and_the_next_one_comes_after_it():
    walk = [(0, 6, 6), (590, 6, 6), (590.2, 1, 6), (620, 1, 6), (620.2, 6, 6), (1300, 6, 6)]
    assert alerts(scene(STAFF, **RESIDENTS), Person(1, walk)) == [[2, pytest.approx(622.2), 1202]]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0.5, 8), st.floats(0.2, 9)), min_size=1, max_size=8), st.integers(1, 12))
def test_alerts_come_at_samples_and_never_two_in_one_period(
    pieces: Sequence[tuple[float, float]], period: int
):
    """A person who is in sight and out of sight in turn."""
    gaps, at = [], 0.0
    for seen, lost in pieces:
        gaps.append((at + seen, at + seen + lost))
        at += seen + lost
    table = observe([stay(1, 6, 6, 0, at, gaps=gaps)])
    moments = set(table["t"].dt.timestamp("us").to_list())
    for finding in judge(scene(STAFF, rules=Rules(realert_s=period), **RESIDENTS), table).findings:
        assert set(finding.alerts) <= moments and finding.alerts[0] == finding.opened
        numbers = [(t - finding.opened) // (period * S) for t in finding.alerts]
        assert numbers == sorted(set(numbers))


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 120))
def test_live_analysis_gives_the_same_alerts_as_batch_analysis(minute_tenths: int):
    """At any moment, what is seen so far gives the events of the whole log up to that moment."""
    facility = scene(
        STAFF, contact_pairs=(Pair.RESIDENT_RESIDENT,), rules=Rules(realert_s=120.0), **RESIDENTS
    )
    people = [
        Person(1, [(0, 2, 6), (20, 6, 6), (400, 6, 6), (401, 2, 6), (430, 2, 6), (431, 6, 6), (700, 6, 6)]),
        stay(2, 6, 7, 30, 700, gaps=[(200, 240)]),
        stay(3, 6.5, 6.5, 100, 600, masks=bare),
    ]
    log = observe(people, 2.0)
    now = NOON + minute_tenths * 6 * S
    whole = judge(facility, log)
    assert len({finding.kind for finding in whole.findings}) == 4
    seen = judge(facility, log.filter(pl.col("t").dt.timestamp("us") < now), until=now)
    assert seen.events == tuple(event for event in whole.events if event.t < now)
