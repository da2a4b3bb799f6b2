"""What is ignored or marked raises nothing, and takes nothing from the people who are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.rules.engine import CameraRules
from incidents.rules.events import Event
from tests.incidents.rules.rule_scenes import (
    NOON,
    RESIDENTS,
    Person,
    box_zone,
    judge,
    line,
    norm,
    observe,
    scene,
    seconds,
    stay,
    tracks_of,
)
from zones.facility import Facility, Role, ZoneType

S = 1_000_000
LEFT = norm((0, 0), (6, 0), (6, 12), (0, 12))
"""The part of the floor that is ignored: where x < 6 m."""
ROAD = box_zone("road", ZoneType.STAFF_ONLY, 9, 1, 15, 11)
GATE = line("gate", ZoneType.GATE, (8, 0.5), (8, 11.5))
DOOR = box_zone("door", ZoneType.COMMON, 1, 1, 4, 4, origin_role=Role.STAFF_NO_PPE, origin_confidence=1.0)
LIFELESS: dict[str, Any] = {"face_change": None}


def yard(*ignored: Any, **more: Any) -> Facility:
    """A road for staff and a gate to the right, a door for staff to the left."""
    return scene(ROAD, GATE, DOOR, ignore=ignored, **{**RESIDENTS, **more})


def far_yard(*ignored: Any) -> Facility:
    """The same with road and gate so far from the left part that a stay beyond the gate is over before it,
    even if two seconds of it are not seen."""
    road = box_zone("road", ZoneType.STAFF_ONLY, 11, 1, 15, 11)
    return scene(
        road, line("gate", ZoneType.GATE, (10.5, 0.5), (10.5, 11.5)), DOOR, ignore=ignored, **RESIDENTS
    )


def links_of(facility: Facility, rows: pl.DataFrame) -> list[tuple[int, int]]:
    """The pairs of tracks that the rules find to be one person."""
    last = rows["t"].dt.timestamp("us").max()
    assert isinstance(last, int)
    return CameraRules(facility, "cam-1").advance(last + 10 * S, rows).links


def told(events: tuple[Event, ...]) -> list[tuple[Any, ...]]:
    return [(e.type, e.t, e.incident, e.finding.end, e.reason, e.finding.people) for e in events]


@st.composite
def visitors(draw: st.DrawFn) -> list[Person]:
    """People who walk to and fro between both parts of the floor, and are lost now and then."""
    found = []
    for number in range(draw(st.integers(2, 5))):
        at = draw(st.floats(0, 5))
        knots = [(at, draw(st.floats(1, 15)), draw(st.floats(4, 8)))]
        for _ in range(draw(st.integers(1, 5))):
            x, y = draw(st.sampled_from([2.0, 5.0, 7.0, 12.0])), draw(st.floats(4, 8))
            # At 1.2 m/s.
            at += float(np.hypot(x - knots[-1][1], y - knots[-1][2])) / 1.2 + draw(st.floats(1, 6))
            knots.append((at, x, y))
        lost = draw(st.lists(st.floats(0, 30), max_size=1))
        found.append(Person(100 + number, knots, gaps=[(t, t + 2) for t in lost]))
    return found


@settings(max_examples=60, deadline=None)
@given(visitors(), st.lists(st.floats(0, 30), max_size=3))
def test_incidents_outside_an_ignored_area_are_the_same_with_it(people, switches):
    """The gate and the road lie outside; everybody may walk through the area, and tracks change their ids."""
    rows = observe(people)
    for number, moment in enumerate(switches):
        later = (pl.col("track") == 100 + number) & (pl.col("t").dt.timestamp("us") > NOON + moment * S)
        rows = rows.with_columns(track=pl.when(later).then(200 + number).otherwise("track").cast(pl.Int64))
    rows = rows.sort("t", "track")
    alone, ignoring = judge(far_yard(), rows), judge(far_yard(LEFT), rows)
    assert told(ignoring.events) == told(alone.events)
    assert links_of(far_yard(LEFT), rows) == links_of(far_yard(), rows)


def test_one_who_walks_in_and_one_who_walks_out_stay_two_persons():
    """The first one's track goes on in the area, and crosses the road after it while the other is there."""
    people = [
        Person(1, [(0, 9, 6), (5, 5, 6), (20, 5, 6), (28, 14, 6)]),
        Person(2, [(0, 2, 6), (4, 5, 6), (10, 11, 6), (40, 11, 6)]),
    ]
    rows = observe(people)
    for facility in (yard(), yard(LEFT)):
        seen = judge(facility, rows)
        roads = [finding for finding in seen.findings if finding.zone == "road"]
        assert [tracks_of(finding) for finding in roads] == [(2,), (1,)]
        assert not any("repeat" in notice for notice in seen.notices)
    assert links_of(yard(LEFT), rows) == []


def test_one_who_comes_out_of_a_door_in_an_ignored_area_has_the_role_of_the_door():
    staff = Person(1, [(0, 2, 2), (12, 14, 6), (30, 14, 6)])
    assert judge(yard(LEFT), observe([staff])).findings == ()
    resident = Person(1, [(0, 2, 8), (12, 14, 6), (30, 14, 6)])
    assert [f.zone for f in judge(yard(LEFT), observe([resident])).findings] == ["gate", "road"]


def test_a_crossing_right_behind_an_ignored_area_counts_and_one_inside_it_does_not():
    near = norm((0, 0), (7.6, 0), (7.6, 12), (0, 12))
    walk = Person(1, [(0, 3, 6), (4, 8.6, 6), (12, 8.6, 6)])
    for facility in (yard(), yard(near)):
        assert [f.zone for f in judge(facility, observe([walk])).findings] == ["gate"]
    both = norm((5, 0), (8.8, 0), (8.8, 12), (5, 12))
    inside = Person(1, [(0, 3, 6), (4, 8.6, 6), (12, 8.6, 6), (16, 8.9, 3), (20, 8.9, 3)])
    assert judge(yard(both), observe([inside])).findings == ()


def test_an_ignored_area_in_a_zone_is_bridged_as_a_loss_of_sight_and_its_time_beyond_that_is_silent():
    pillar = norm((11, 0), (12, 0), (12, 12), (11, 12))
    through = Person(1, [(0, 7, 6), (8, 15, 6)])
    (found,) = (f for f in judge(yard(pillar), observe([through])).findings if f.zone == "road")
    assert seconds(found.start, found.end) == pytest.approx((2.4, 8), abs=0.5)
    # A person who stays in it for longer is not in the road meanwhile.
    behind = Person(1, [(0, 7, 6), (4.2, 11.2, 6), (30, 11.2, 6), (32, 13, 6)])
    assert "road" not in [f.zone for f in judge(yard(pillar), observe([behind])).findings]


def test_a_walk_out_of_a_zone_into_an_ignored_area_ends_the_stay():
    beside = norm((0, 0), (8.9, 0), (8.9, 12), (0, 12))
    knots = [(0, 8.0), (1, 9.6), (2, 9.6), (2.5, 8.5), (3.5, 8.5), (4, 9.6), (5, 9.6), (6, 8.0)]
    dips = Person(1, [(t, x, 6) for t, x in knots])
    for facility in (yard(), yard(beside)):
        assert "road" not in [f.zone for f in judge(facility, observe([dips])).findings]


def test_a_row_in_an_ignored_area_never_counts_in_place_of_one_outside():
    """A figure that begins where a person was lost is taken for the person, until the person is back."""
    person = Person(1, [(0, 2, 6), (3, 5.2, 6), (10, 6.5, 6), (16, 13, 6), (40, 13, 6)], gaps=[(3, 10)])
    rows = observe([person, stay(2, 5.4, 6, 4, 60)])
    assert links_of(yard(LEFT), rows) == [(1, 2)]
    found = [f for f in judge(yard(LEFT), rows).findings if f.zone == "road"]
    assert len(found) == 1


@pytest.mark.parametrize("kind", ["static", "reflection"])
def test_a_marked_track_in_view_is_not_continued_by_a_person_who_begins_beside_it(kind):
    """A marked track stays in view: one that begins beside it within three seconds is of another person."""
    if kind == "static":
        rows, marked = observe([stay(9, 8.5, 6, 0, 300, extra=LIFELESS)]), NOON + 120 * S
        beside = (8.8, 6.3)
    else:
        walker = observe([Person(1, [(0, 2, 4), (12, 14, 4), (24, 2, 4)])])
        rows = pl.concat([walker, mirrored(walker)])
        marked = first_mark(rows)
        later = pl.col("t").dt.timestamp("us") >= marked + S
        x, y = rows.filter(later & (pl.col("track") == 9))["foot_x", "foot_y"].row(0)
        beside = (x / 80, y / 80 + 0.2)
    begin = (marked - NOON) / S + 1
    visitor = Person(2, [(begin, *beside), (begin + 3, *beside), (begin + 12, 14, 9), (begin + 20, 14, 9)])
    both = pl.concat([rows, observe([visitor])]).sort("t", "track")
    assert (9, 2) not in links_of(yard(), both)
    found = [f for f in judge(yard(), both).findings if f.zone == "road" and tracks_of(f) == (2,)]
    assert len(found) == 1


def mirrored(person: pl.DataFrame) -> pl.DataFrame:
    """Reflections of a person on the floor, under track 9."""
    return person.with_columns(
        pl.lit(9).cast(pl.Int64).alias("track"),
        pl.col("y2").alias("y1"),
        *((pl.col("y2") + 115).cast(pl.Float32).alias(name) for name in ("y2", "foot_y")),
        pl.lit(0.5).cast(pl.Float32).alias("score"),
    )


def first_mark(rows: pl.DataFrame) -> int:
    """When a track is first taken for a reflection, microseconds UTC."""
    rules, ordered = CameraRules(yard(), "cam-1"), rows.sort("t", "track")
    for moment in ordered["t"].dt.timestamp("us").unique().sort().to_list():
        rules.advance(moment + 1, ordered.filter(pl.col("t").dt.timestamp("us") == moment))
        if rules.marked.reflection > 0:
            return int(moment)
    raise AssertionError("expected a mark")
