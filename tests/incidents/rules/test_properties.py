"""What holds for any log: the clock, the sampling, the order of rows, and what was not seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.incidents.rules.rule_scenes import (
    NOON,
    RESIDENTS,
    Person,
    Seen,
    box_zone,
    judge,
    norm,
    observe,
    roles_of,
    scene,
    stay,
    tracks_of,
)
from zones.facility import Facility, Pair, Role, ZoneType

S = 1_000_000
quick = settings(max_examples=25, deadline=None)
BERLIN = ZoneInfo("Europe/Berlin")
FACILITY = scene(
    box_zone("store", ZoneType.STAFF_ONLY, 1, 1, 4, 4),
    box_zone("lane", ZoneType.ONE_WAY, 1, 5, 8, 7, toward=norm((9, 6))[0]),
    box_zone("care", ZoneType.CARE_STATION, 10, 1, 15, 4),
    # A person whose track begins here is staff in PPE.
    box_zone("ward", ZoneType.COMMON, 12.6, 1, 15.5, 4, origin_role=Role.STAFF_PPE, origin_confidence=0.9),
    contact_pairs=tuple(Pair),
    **RESIDENTS,
)


def run(observations: pl.DataFrame, facility: Facility = FACILITY) -> Seen:
    return judge(facility, observations)


def crowd(stays: float, gathers: float, care: float, walks: float) -> list[Person]:
    """One person in the store, three who gather, a nurse with a resident, and one on the wrong way."""

    def visit(
        track: int, away: tuple[float, float], there: tuple[float, float], at: float, s: float
    ) -> Person:
        """A person who is `away`, then `there` from second `at` for `s` seconds, then `away` again."""
        return Person(track, [(0, *away), (at, *away), (at + 0.01, *there), (at + s, *there),
                              (at + s + 0.01, *away), (90, *away)])  # fmt: skip

    lost = 7.5 - walks
    return [
        visit(1, (5, 2.5), (2.5, 2.5), 4, stays),
        *(visit(2 + i, (2 + 4 * i, 10), (6 + 1.5 * i, 10), 5, gathers) for i in range(3)),
        stay(5, 11.5, 2.5, 0, 90),
        visit(6, (15, 2.5), (12.5, 2.5), 2, care),
        Person(
            7, [(0, 7.5, 8.5), (3, 7.5, 6), (3 + walks, lost, 6), (3.01 + walks, lost, 8.5), (90, lost, 8.5)]
        ),
    ]


@quick
@given(
    st.sampled_from([0.9, 5.0]), st.sampled_from([50.0, 75.0]), st.sampled_from([8.0, 40.0]),
    st.sampled_from([1.5, 5.5]), st.sampled_from(range(2, 31, 2)), st.integers(0, 10**6),
)  # fmt: skip
def test_every_frame_rate_gives_the_same_result_within_a_frame(stays, gathers, care, walks, hz, micros):
    group = crowd(stays, gathers, care, walks)
    fine, coarse = (run(observe(group, rate, NOON + micros)) for rate in (30, hz))

    def what(result: Seen) -> list[tuple[object, ...]]:
        return [
            *sorted((f.kind, f.subkind, f.zone or "", tracks_of(f), f.severity, roles_of(f))
                    for f in result.findings),
            *((e.zone, tuple(p.track for p in e.people), e.exceeded) for e in result.entries),
        ]  # fmt: skip

    assert what(coarse) == what(fine)
    names = {f.zone or f.kind for f in fine.findings}
    assert ("store" in names) == (stays > 1) and ("gathering" in names) == (gathers > 60)
    assert (len(fine.entries) == 1) == (care > 10) and ("lane" in names) == (walks > 2)
    step = S / hz
    by_name = {(f.kind, f.zone, tracks_of(f)): f for f in coarse.findings}
    for one in fine.findings:
        other = by_name[(one.kind, one.zone, tracks_of(one))]
        # In the wrong direction, three samples must agree on the progress: two more steps.
        slack = 3 if one.subkind == "wrong_way" else 1
        assert abs(other.start - one.start) <= slack * step and abs(other.end - one.end) <= step
        # An alert needs a dwell that begins up to a step late and ends with a sample: another step.
        assert len(other.alerts) == len(one.alerts) == 1
        assert abs(other.alerts[0] - one.alerts[0]) <= (slack + 1) * step
    for exposed, again in zip(fine.entries, coarse.entries, strict=True):
        assert abs(exposed.start - again.start) <= step and abs(exposed.end - again.end) <= step


def test_rows_of_a_long_scene_may_come_in_any_order():
    table = observe(crowd(5, 75, 40, 5.5), 2.0)
    expected = run(table)
    assert len(expected.findings) >= 3 and len(expected.entries) == 1
    for seed in range(6):
        shuffled = table.sample(fraction=1, shuffle=True, seed=seed)
        assert run(shuffled) == expected


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.4, 2.5), st.floats(0.5, 6)), min_size=1, max_size=8),
    st.sampled_from([2.0, 5.0, 15.0]),
)
def test_a_stay_continues_over_losses_of_sight_up_to_three_seconds_only(pieces, hz):
    """A person stands in the store and is in sight and out of sight in turn."""
    store = scene(FACILITY.cameras[0].zones[0], **RESIDENTS)
    gaps, at = [], 0.0
    for seen, lost in pieces:
        gaps.append((at + seen, at + seen + lost))
        at += seen + lost
    table = observe([stay(1, 2.5, 2.5, 0, at, gaps=gaps)], hz)
    t = table["t"].dt.timestamp("us").to_numpy()
    runs = np.split(t, np.flatnonzero(np.diff(t) > 3 * S) + 1)
    stays = [(int(r[0]), int(r[-1])) for r in runs if r[-1] - r[0] >= 2 * S and len(r) >= 3]
    findings = run(table, store).findings
    # Within a minute they are one incident.
    assert [(f.start, f.end) for f in findings] == ([(stays[0][0], stays[-1][1])] if stays else [])


def night(day: str, hz: float = 0.5) -> tuple[Seen, int]:
    """Result for a person who stands in a common hall in Berlin from 20:00 of a day to 09:00 of the next."""
    hall = scene(box_zone("hall", ZoneType.COMMON, 4, 4, 8, 8), default_role=Role.RESIDENT)
    facility = hall.model_copy(update={"timezone": "Europe/Berlin"})
    evening = datetime.fromisoformat(f"{day}T20:00").replace(tzinfo=BERLIN)
    morning = (evening + timedelta(days=1)).replace(hour=9)
    start = round(evening.timestamp()) * S
    table = observe([stay(1, 6, 6, 0, morning.timestamp() - evening.timestamp())], hz, start)
    return run(table, facility), start


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-28", 6), ("2026-10-24", 8), ("2026-11-24", 7), ("2026-12-31", 7)],
    ids=["clocks go forward", "clocks go back", "any night", "a new year"],
)
def test_the_curfew_follows_local_time_over_midnight_and_clock_changes(day, hours):
    result, evening = night(day)
    (finding,) = result.findings
    assert finding.start == evening + 2 * 3600 * S
    # 05:00 is the first moment outside: the last sample is that before it.
    assert finding.end - finding.start == hours * 3600 * S - 2 * S
    alerts = [(t - finding.start) / S for t in finding.alerts]
    assert len(alerts) == hours * 6 and alerts[0] == 4.0 and np.diff(alerts) == pytest.approx(600)


@quick
@given(
    st.integers(0, 365),
    st.integers(0, 86_399),
    st.sampled_from(["Europe/Berlin", "Asia/Ho_Chi_Minh", "America/St_Johns"]),
)
def test_the_curfew_depends_on_the_local_hour(day, second, zone):
    hall = scene(box_zone("hall", ZoneType.COMMON, 4, 4, 8, 8), default_role=Role.RESIDENT)
    facility = hall.model_copy(update={"timezone": zone})
    moment = datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")) + timedelta(days=day, seconds=second)
    start = round(moment.timestamp()) * S
    result = run(observe([stay(1, 6, 6, 0, 4)], 5.0, start), facility)
    hours = [(moment + timedelta(seconds=s)).astimezone(ZoneInfo(zone)).hour for s in (0, 4)]
    within = [hour >= 22 or hour < 5 for hour in hours]
    if within[0] == within[1]:
        assert len(result.findings) == within[0]
