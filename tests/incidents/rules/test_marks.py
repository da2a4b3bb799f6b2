"""What never moves, what mirrors another person, and where people are ignored: marked, counted, silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.rules.engine import CameraRules, FacilityChange, RuleError
from incidents.rules.events import EventType
from incidents.rules.marks.counting import count_marks
from incidents.rules.state import FORMAT
from tests.incidents.rules.rule_scenes import (
    NOON,
    PX_PER_M,
    RESIDENTS,
    Person,
    box_zone,
    judge,
    norm,
    observe,
    scene,
    stay,
)
from zones.facility import Facility, Pair, ZoneType

S = 1_000_000
TALL_M = 130 / PX_PER_M
"""Height of people in these scenes, m."""
STORE = box_zone("store", ZoneType.STAFF_ONLY, 1, 1, 15, 11)
FACILITY = scene(STORE, contact_pairs=tuple(Pair), **RESIDENTS)
LIFELESS: dict[str, Any] = {"face_change": None}
quick = settings(max_examples=25, deadline=None)


def noise(seed: int, sd_m: float) -> Callable[[np.ndarray], np.ndarray]:
    """What a detector adds to each position."""
    return lambda at: np.random.default_rng(seed).normal(0, sd_m, (len(at), 2))


def statue(track: int, x: float, y: float, start: float, end: float, sd: float = 0.01, **more: Any) -> Person:
    """A figure whose boxes vary by `sd` of its height."""
    return stay(track, x, y, start, end, jitter=noise(track, sd * TALL_M), extra=LIFELESS, **more)


def marked(people: list[Person], hz: float = 5.0, facility: Facility = FACILITY) -> tuple[float, ...]:
    """Person-seconds ignored, static and of suspected reflections."""
    return time_of(observe(people, hz), facility)


def time_of(rows: pl.DataFrame, facility: Facility = FACILITY) -> tuple[float, ...]:
    """Person-seconds ignored, static and of suspected reflections in a log."""
    rules = CameraRules(facility, "cam-1")
    rules.advance(int(rows["t"].dt.timestamp("us").max() or 0) + 1, rows)  # type: ignore[arg-type]
    alone = count_marks(rows, facility, facility.cameras[0], 0)
    assert alone == rules.marked, "the marks of a log do not depend on the rules"
    step = rows.select(pl.col("t").unique().sort().diff().dt.total_microseconds().median()).item() / S
    return tuple(round(count * step, 1) for count in (alone.ignored, alone.static, alone.reflection))


@quick
@given(st.floats(0, 0.01), st.sampled_from([1.0, 2.0, 5.0]), st.integers(0, 10**6))
def test_a_statue_is_static_after_two_minutes_whatever_the_detector_adds(sd, hz, seed):
    figure = statue(seed, 6, 6, 0, 300, sd)
    assert marked([figure], hz)[1] == pytest.approx(180, abs=2.5)


@quick
@given(st.integers(0, 10**6), st.floats(0.08, 1.0), st.floats(1, 110), st.sampled_from([1.0, 5.0]))
def test_a_person_who_moved_once_is_never_static(seed, way, at, hz):
    """Way in heights of the person: a step aside, or a walk in; then the person lies without any movement."""
    aside = 6 + way * TALL_M
    person = Person(
        7, [(0, 6, 6), (at, 6, 6), (at + 2, aside, 6), (900, aside, 6)],
        jitter=noise(seed, 0.01 * TALL_M), extra=LIFELESS,
    )  # fmt: skip
    assert marked([person], hz)[1] == 0


def test_a_person_who_moved_is_the_same_person_under_another_track():
    walked = Person(1, [(0, 2, 6), (4, 6, 6), (60, 6, 6)], extra=LIFELESS)
    assert marked([walked, statue(2, 6, 6, 65, 400)])[1] == 0
    # An hour and more later, it may be another thing.
    assert marked([walked, statue(2, 6, 6, 3800, 4000)])[1] == pytest.approx(80, abs=2)


def test_a_face_that_changes_is_that_of_a_person_who_sits_still():
    still = stay(1, 6, 6, 0, 400, jitter=noise(1, 0.01 * TALL_M))
    assert marked([still])[1] == 0
    painted = stay(1, 6, 6, 0, 400, extra={"face_change": 0.001})
    assert marked([painted])[1] == pytest.approx(280, abs=2)


def test_a_figure_that_is_carried_away_is_no_longer_static():
    carried = Person(1, [(0, 6, 6), (200, 6, 6), (206, 12, 6), (400, 12, 6)], extra=LIFELESS)
    static = marked([carried])[1]
    assert static == pytest.approx(81, abs=2)
    # What begins at its old place is judged anew, and what begins at the new one is known to move.
    assert marked([carried, statue(2, 6, 6, 410, 480), statue(3, 12, 6, 490, 700)])[1] == static


def test_what_begins_at_the_place_of_a_static_track_is_static_at_once():
    pieces = [statue(10 + k, 6, 6, 130 * k, 130 * k + 125) for k in range(4)]
    # Only the first one is judged for two minutes; 3 s are the most that counts between two tracks.
    assert marked(pieces)[1] == pytest.approx(5 + 3 * 125, abs=3)
    # Short pieces of one figure add up too.
    short = [statue(10 + k, 6, 6, 20 * k, 20 * k + 15) for k in range(16)]
    assert 100 <= marked(short)[1] <= 130


def test_people_who_pass_before_a_statue_do_not_wake_it():
    passing = [Person(50 + k, [(25 * k, 1, 6.2), (25 * k + 8, 15, 6.2)]) for k in range(12)]
    figure = statue(1, 8, 6, 0, 300)
    rows = observe([figure, *passing])
    # While a person covers it, its box shows only a part of it.
    near = pl.col("track") == 1
    t = (pl.col("t").dt.timestamp("us") - NOON) / S % 25
    rows = rows.with_columns(
        pl.when(near & t.is_between(3.8, 4.3)).then(pl.col("x1") + 15).otherwise(pl.col("x1")).alias("x1")
    )
    assert time_of(rows)[1] == pytest.approx(180, abs=15)


def test_the_incident_of_a_statue_ends_with_the_mark_and_says_so():
    seen = judge(FACILITY, observe([statue(1, 6, 6, 0, 900)]))
    opened, closed = seen.of(EventType.OPENED), seen.of(EventType.CLOSED)
    assert len(opened) == len(closed) == 1
    assert (closed[0].t - NOON) / S == pytest.approx(121, abs=2)
    assert "static" in closed[0].reason
    # It is raised once, not with each new track.
    again = judge(FACILITY, observe([statue(k, 6, 6, 300 * k, 300 * k + 290) for k in range(5)]))
    assert len(again.of(EventType.OPENED)) == 1


@pytest.mark.parametrize("seconds", np.arange(5.5, 10, 0.5).tolist())
def test_what_goes_on_after_a_mark_is_another_incident(seconds):
    """A track mirrors a person for so long, then walks on by itself; the mark between is a short one."""
    person = observe([Person(1, [(0, 3, 4), (20, 13, 4)], masks=lambda t: "unmasked")])
    t = pl.col("t").dt.timestamp("us")
    mirroring = reflected_below(person).filter(t < NOON + seconds * S)
    last = mirroring.sort("t").row(-1, named=True)
    alone = reflected_below(person).filter(t >= NOON + seconds * S)
    alone = alone.with_columns(pl.lit(last["x1"] - 60).cast(pl.Float32).alias("x1"))
    events = judge(FACILITY, pl.concat([person, mirroring, alone]).sort("t", "track"))
    opened, closed = ([e.incident for e in events.of(k)] for k in (EventType.OPENED, EventType.CLOSED))
    assert len(opened) == len(set(opened)) and len(closed) == len(set(closed))
    by_mark = [e for e in events.of(EventType.CLOSED) if "reflection" in e.reason]
    after = [e for e in events.of(EventType.OPENED) if by_mark and e.t > by_mark[0].t]
    assert all(e.finding.start >= by_mark[0].t for e in after if 90 in [p.track for p in e.finding.people])
    if seconds >= 7:
        assert by_mark and any(90 in [p.track for p in e.finding.people] for e in after)


def test_a_statue_is_in_no_contact_and_no_gathering():
    figures = [statue(k, 4 + 0.5 * k, 6, 0, 2000) for k in range(1, 4)]
    visitor = Person(9, [(400, 15.5, 6), (410, 5.2, 6.3), (1800, 5.2, 6.3)])
    kinds = {
        f.kind for f in judge(FACILITY, observe([*figures, visitor])).findings if f.start > NOON + 200 * S
    }
    assert kinds == {"zone_crossing"}
    living = [stay(k, 4 + 0.5 * k, 6, 0, 2000) for k in range(1, 4)]
    kinds = {f.kind for f in judge(FACILITY, observe([*living, visitor])).findings}
    assert kinds == {"zone_crossing", "contact", "gathering"}


def reflected_below(
    rows: pl.DataFrame, track: int = 90, late: float = 0.0, score: float = 0.5
) -> pl.DataFrame:
    """Reflections of one person on the floor, from `late` seconds on."""
    tall = pl.col("y2") - pl.col("y1")
    random = np.random.default_rng(track)
    across, top, bottom = (pl.Series(random.normal(0, 2.0, len(rows))) for _ in range(3))
    return rows.with_columns(
        pl.lit(track).cast(pl.Int64).alias("track"),
        *((pl.col(x) + across).cast(pl.Float32).alias(x) for x in ("x1", "x2", "foot_x")),
        (pl.col("y2") + top).cast(pl.Float32).alias("y1"),
        (pl.col("y2") + 0.88 * tall + bottom).cast(pl.Float32).alias("y2"),
        (pl.col("y2") + 0.88 * tall + bottom).cast(pl.Float32).alias("foot_y"),
        pl.lit(score).cast(pl.Float32).alias("score"),
    )


def in_glass(rows: pl.DataFrame, plane_px: float, track: int = 90, delay_s: float = 0.0) -> pl.DataFrame:
    """Reflections of one person in glass at a place of the picture, perhaps with a delay."""
    shift = pl.duration(microseconds=round(delay_s * S))
    return rows.with_columns(
        (pl.col("t") + shift).alias("t"),
        pl.lit(track).cast(pl.Int64).alias("track"),
        (2 * plane_px - pl.col("x2")).cast(pl.Float32).alias("x1"),
        (2 * plane_px - pl.col("x1")).cast(pl.Float32).alias("x2"),
        (2 * plane_px - pl.col("foot_x")).cast(pl.Float32).alias("foot_x"),
        pl.lit(0.5).cast(pl.Float32).alias("score"),
    )


def pacing(track: int, seed: int, seconds: float = 60.0, x: float = 3.0, y: float = 6.0) -> Person:
    """A person who walks to and fro, at random speeds and moments."""
    random = np.random.default_rng(seed)
    knots, t, at = [(0.0, x, y)], 0.0, x
    while t < seconds:
        stays, walks = random.uniform(1, 3), random.uniform(1, 3)
        knots.append((t + stays, at, y))
        at = float(np.clip(at + random.choice([-1, 1]) * walks * random.uniform(0.7, 1.4), 1, 5))
        t += stays + walks
        knots.append((t, at, y))
    return Person(track, knots, jitter=noise(seed, 0.01))


def walking(track: int, seed: int, seconds: float = 60.0) -> Person:
    """A person who walks about the floor at random."""
    random = np.random.default_rng(seed)
    knots, t, at = [(0.0, *random.uniform((2, 3), (14, 9)))], 0.0, np.zeros(2)
    at = np.array(knots[0][1:])
    while t < seconds:
        to = random.uniform((2, 3), (14, 9))
        t += max(0.5, float(np.linalg.norm(to - at)) / random.uniform(0.7, 1.5))
        at = to
        knots.append((t, *map(float, to)))
        if random.random() < 0.5:
            t += random.uniform(0.5, 4)
            knots.append((t, *map(float, to)))
    return Person(track, knots, jitter=noise(seed, 0.02))


@quick
@given(st.integers(0, 10**6), st.sampled_from([2.0, 5.0]))
def test_a_reflection_on_the_floor_is_marked_while_the_person_walks(seed, hz):
    person = observe([walking(1, seed)], hz)
    both = pl.concat([person, reflected_below(person)]).sort("t", "track")
    _, static, reflection = time_of(both)
    assert static == 0 and reflection >= 40


@pytest.mark.parametrize("seed", range(6))
def test_a_reflection_in_glass_is_marked_after_some_changes_of_speed(seed):
    person = observe([pacing(1, seed)])
    both = pl.concat([person, in_glass(person, 480)]).sort("t", "track")
    assert time_of(both)[2] >= 5
    # The same movements a second later are those of another person.
    other = pl.concat([person, in_glass(person, 480, delay_s=1.0)]).sort("t", "track")
    assert time_of(other)[2] == 0


def test_a_mark_of_reflection_ends_when_the_mirroring_ends():
    person = observe([walking(1, 5, 40), Person(2, [(0, 8, 3), (1, 8, 3)])])
    first = person.filter(pl.col("track") == 1)
    reflection = reflected_below(first)
    until = NOON + 30 * S
    t = pl.col("t").dt.timestamp("us")
    leaves = reflection.filter(t < until)
    walks_on = observe([Person(90, [(30, 4, 6), (60, 12, 6)])])
    whole = time_of(pl.concat([first, reflection]).sort("t", "track"))[2]
    ended = time_of(pl.concat([first, leaves, walks_on]).sort("t", "track"))[2]
    assert ended <= time_of(pl.concat([first, leaves]).sort("t", "track"))[2] + 3 < whole


def test_a_person_seen_alone_before_is_no_reflection():
    person = observe([walking(1, 5)])
    below = reflected_below(person)
    assert time_of(pl.concat([person, below]).sort("t", "track"))[2] > 30
    t = pl.col("t").dt.timestamp("us")
    alone = pl.concat([person.filter(t > NOON + 3 * S), below]).sort("t", "track")
    assert time_of(alone)[2] == 0
    # Nor is one who is seen better than the other.
    clear = reflected_below(person, score=0.95)
    assert time_of(pl.concat([person, clear]).sort("t", "track"))[2] == 0


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["beside", "file", "towards", "anyhow"]), st.booleans())
def test_two_people_who_walk_are_no_reflections_of_each_other(seed, how, seen_worse):
    """Beside each other, in file, towards each other, or anyhow; the other may score lower all along."""
    random = np.random.default_rng(seed)
    one = walking(1, seed)
    if how == "anyhow":
        other = walking(2, seed + 1)
    elif how == "towards":
        start, speed = random.uniform(2, 6), random.uniform(0.6, 1.4)
        meets = (14 - 2 * start) / 2 / speed
        one = Person(
            1, [(0, start, 6), (meets - 0.3, 6.7, 6), (meets + 10, 6.7, 6), (2 * meets + 10, start, 6)]
        )
        late = random.uniform(0, 1)
        other = Person(
            2,
            [
                (0, 14, 6),
                (late, 14, 6),
                (meets, 7.3, 6),
                (meets + 10 + late, 7.3, 6),
                (2 * meets + 11, 14, 6),
            ],
        )
    else:
        # They keep a distance that varies as those of people do, and walk in step or a little later.
        away = (0.6, 0.0) if how == "beside" else (0.0, TALL_M)
        late = 0.0 if how == "beside" else random.uniform(0, 0.4)
        sway = random.uniform(0.1, 0.3)
        knots = [
            (t + late, x + away[0] + random.normal(0, sway), y + away[1] + random.normal(0, sway))
            for t, x, y in one.knots
        ]
        other = Person(2, [(0.0, *knots[0][1:]), *[k for k in knots if k[0] > 0]], jitter=noise(seed, 0.03))
    rows = observe([one, other])
    if how == "file":  # The one in front is nearer to the camera, and taller in the picture.
        more = pl.when(pl.col("track") == 2).then(130 * random.uniform(0, 0.3)).otherwise(0.0)
        rows = rows.with_columns((pl.col("y1") - more).cast(pl.Float32).alias("y1"))
    score = pl.when(pl.col("track") == 2).then(0.5 if seen_worse else 0.8).otherwise(0.8).cast(pl.Float32)
    assert time_of(rows.with_columns(score.alias("score")))[2] == 0


def test_people_in_an_ignored_area_raise_nothing_and_are_counted():
    screen = norm((4, 4), (8, 4), (8, 8), (4, 8))
    camera = FACILITY.cameras[0].model_copy(update={"ignore": (screen,)})
    ignoring = FACILITY.model_copy(update={"cameras": (camera,)})
    people = [
        stay(1, 6, 6, 0, 60),
        Person(2, [(0, 2, 6), (20, 2, 6), (24, 6, 6), (60, 6, 6)]),
        stay(3, 6.5, 6, 0, 60, masks=lambda t: "unmasked"),
    ]
    seen = judge(ignoring, observe(people))
    assert [(f.kind, [p.track for p in f.people]) for f in seen.findings] == [("zone_crossing", [2])]
    ignored, static, reflection = marked(people, facility=ignoring)
    assert ignored == pytest.approx(60 + 38 + 60, abs=1) and static == reflection == 0
    # Without the area, the same log gives them back.
    assert len(judge(FACILITY, observe(people)).findings) >= 4


def test_an_area_that_is_declared_later_holds_from_then_on():
    screen = norm((4, 4), (8, 4), (8, 8), (4, 8))
    camera = FACILITY.cameras[0].model_copy(update={"ignore": (screen,)})
    ignoring = FACILITY.model_copy(update={"cameras": (camera,)})
    table = observe([stay(1, 6, 6, 0, 60)])
    rules = CameraRules(FACILITY, "cam-1")
    rules.advance(NOON + 100 * S, table, [FacilityChange(NOON + 30 * S, ignoring)])
    assert rules.marked.ignored / 5 == pytest.approx(30, abs=0.5)


def test_a_state_of_an_earlier_version_is_refused():
    data = CameraRules(FACILITY, "cam-1").save()
    old = data.replace(FORMAT.encode(), b"lazaretto-rules-5", 1)
    with pytest.raises(RuleError, match="expected the state of a camera's rules"):
        CameraRules.restore(old, FACILITY, "cam-1")


def test_the_memory_of_places_is_bounded_and_keeps_what_is_static():
    """A statue, and hundreds of tracks that come and go elsewhere, each too short to be judged."""
    random = np.random.default_rng(3)
    short = [
        statue(1000 + k, *random.uniform((9, 2), (15, 11)), 150 + 4 * k, 152 + 4 * k) for k in range(300)
    ]
    rules = CameraRules(FACILITY, "cam-1")
    table = observe([statue(1, 3, 3, 0, 140), *short, statue(2, 3, 3, 1400, 1460)])
    rules.advance(NOON + 1500 * S, table)
    assert rules.marked.static / 5 == pytest.approx(20 + 60, abs=4)
    assert len(rules.save()) < 60_000


def test_rows_that_repeat_an_instant_of_their_track_are_counted_with_its_mark() -> None:
    rows = observe([stay(1, 8, 6, 0, 10)])
    twice = pl.concat([rows, rows]).sort("t", "track")
    ignoring = scene(ignore=(norm((0, 0), (16, 0), (16, 12), (0, 12)),), **RESIDENTS)
    counts = count_marks(twice, ignoring, ignoring.cameras[0], 0)
    assert counts.seen == counts.ignored == len(twice) == 2 * len(rows)
