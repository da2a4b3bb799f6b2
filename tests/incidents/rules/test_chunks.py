"""Any cutting of the input into chunks gives the same events, and a saved state carries on."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.rules.engine import Advance, CameraRules, FacilityChange, SamePerson
from incidents.rules.events import Event, EventType
from incidents.rules.exposure import Exposure
from incidents.rules.health import CoverageChange, HealthReport
from tests.incidents.rules.rule_scenes import NOON, Person, box_zone, line, norm, observe, scene
from zones.facility import (
    ContactRule,
    Direction,
    Effect,
    Facility,
    GatheringRule,
    MaskRule,
    Pair,
    Role,
    Rule,
    Rules,
    ZoneRule,
    ZoneType,
)

SECOND = 1_000_000
# 2 minutes before 22:00 in Ho Chi Minh City, so that the curfew and a UTC hour begin within a scene.
EVENING = NOON + (10 * 3600 - 120) * SECOND


def ward(**more: object) -> Facility:
    """A camera with every kind of place and rule, and thresholds short enough for short scenes."""
    rules = Rules(
        merge_s=8.0,
        realert_s=20.0,
        mask=MaskRule(min_samples=3, window_s=4.0, min_span_s=1.0, swab_s=5.0),
        zone=ZoneRule(dwell_s=1.0, dwell_gate_s=0.5),
        contact=ContactRule(
            min_s=2.0, care_station_max_s=6.0, long_s=10.0, long_window_s=40.0, same_room_s=5.0
        ),
        gathering=GatheringRule(min_s=3.0),
    )
    return scene(
        box_zone("staff", ZoneType.STAFF_ONLY, 1, 1, 5, 5),
        box_zone("door", ZoneType.ROOM_DOOR, 6, 0.5, 9, 3, origin_role=Role.RESIDENT),
        box_zone("care", ZoneType.CARE_STATION, 9, 5, 13, 9),
        box_zone("eat", ZoneType.EXEMPT, 1, 8, 4, 11),
        box_zone("common", ZoneType.COMMON, 5, 5, 9, 11),
        box_zone("way", ZoneType.ONE_WAY, 5, 3, 15, 5, toward=(0.9, 0.33)),
        line("gate", ZoneType.GATE, (13, 0.5), (13, 11.5)),
        line("room", ZoneType.ROOM_DOOR, (1, 6), (5, 6), denied=Direction.LEFT_TO_RIGHT),
        rules=rules,
        default_role=Role.RESIDENT,
        contact_pairs=(Pair.STAFF_RESIDENT, Pair.OUTSIDER_ANY, Pair.RESIDENT_RESIDENT),
        **more,
    )


def other_ward() -> Facility:
    """The same with another staff zone, and a new rule for the common one."""
    facility = ward()
    camera = facility.cameras[0]
    zones = list(camera.zones)
    zones[0] = box_zone("staff", ZoneType.STAFF_ONLY, 1, 1, 8, 8)
    zones[4] = zones[4].model_copy(update={"rules": (Rule(roles=(Role.RESIDENT,), effect=Effect.DENY),)})
    screen = norm((7, 5), (10, 5), (10, 8), (7, 8))
    camera = camera.model_copy(update={"zones": tuple(zones), "ignore": (screen,)})
    return facility.model_copy(update={"cameras": (camera,)})


@st.composite
def people(draw: st.DrawFn) -> pl.DataFrame:
    """Up to six people who walk about, are lost and found, change their track, show clothes and faces."""
    rows = []
    for number in range(draw(st.integers(1, 6))):
        begin = draw(st.floats(0, 20))
        times = [begin, *sorted(draw(st.lists(st.floats(begin + 0.5, begin + 50), min_size=1, max_size=4)))]
        knots = [(t, draw(st.floats(0.5, 15.5)), draw(st.floats(0.5, 11.5))) for t in times]
        gaps = [(t, t + draw(st.floats(0.2, 6))) for t in draw(st.lists(st.floats(0, 60), max_size=2))]
        state = draw(st.sampled_from(["masked", "unmasked", "incorrect", "turned_away", None]))
        until = draw(st.floats(5, 60))
        masks = None if state is None else (lambda t, s=state, u=until: s if t < u else "too_small")
        person = observe(
            [
                Person(
                    100 + number, knots, gaps=gaps, masks=masks, face_px=draw(st.sampled_from([25.0, 40.0]))
                )
            ],
            hz=draw(st.sampled_from([2.0, 5.0])),
            start=EVENING,
        )
        rows.append(_with_clothes(draw, _with_switches(draw, person, number)))
    rows += draw(figures(rows[0]))
    return pl.concat(rows).sort("t", "track")


@st.composite
def figures(draw: st.DrawFn, person: pl.DataFrame) -> list[pl.DataFrame]:
    """A statue that is lost and found, perhaps under another track, and the reflection of a person."""
    found = []
    if draw(st.booleans()):
        at, again = draw(st.floats(0.5, 15.5)), draw(st.sampled_from([300, 301]))
        gaps = [(t, t + draw(st.floats(0.2, 20))) for t in draw(st.lists(st.floats(0, 190), max_size=2))]
        lost = draw(st.floats(100, 150))
        figure = [
            Person(300, [(0, at, 6), (lost, at, 6)], gaps=gaps, extra={"face_change": None}),
            Person(again, [(lost + 5, at, 6), (195, at, 6)], extra={"face_change": None}),
        ]
        found += [observe([part], hz=2.0, start=EVENING) for part in figure]
    if draw(st.booleans()):
        below = person.with_columns(
            pl.lit(400).cast(pl.Int64).alias("track"),
            pl.col("y2").alias("y1"),
            *((pl.col("y2") + 115).cast(pl.Float32).alias(name) for name in ("y2", "foot_y")),
            pl.lit(0.5).cast(pl.Float32).alias("score"),
        )
        found.append(below)
    return found


def _with_switches(draw: st.DrawFn, rows: pl.DataFrame, number: int) -> pl.DataFrame:
    """The track id changes at some moment, perhaps after a loss of sight."""
    if not draw(st.booleans()) or not len(rows):
        return rows
    at = EVENING + round(draw(st.floats(0, 60)) * SECOND)
    lost = round(draw(st.floats(0, 4)) * SECOND)
    t = pl.col("t").dt.timestamp("us")
    track = pl.when(t < at).then(pl.col("track")).otherwise(200 + number)
    return rows.filter((t < at) | (t >= at + lost)).with_columns(track.cast(pl.Int64).alias("track"))


def _with_clothes(draw: st.DrawFn, rows: pl.DataFrame) -> pl.DataFrame:
    """Readings of the clothes from some moment on, which may change or be of clothes unlike all labelled."""
    if not draw(st.booleans()):
        return rows
    t = pl.col("t").dt.timestamp("us")
    since = EVENING + round(draw(st.floats(0, 40)) * SECOND)
    change = EVENING + round(draw(st.floats(0, 60)) * SECOND)
    names = ("resident", "staff_ppe", "staff_no_ppe", "outsider")
    first, second = draw(st.sampled_from([*names, "unfamiliar"])), draw(st.sampled_from(names))
    seen = (t >= since) & (pl.col("frame") % 5 == 0)
    columns = []
    for name in names:
        values = [
            0.05 if first == "unfamiliar" else 0.91 if first == name else 0.03,
            0.91 if second == name else 0.03,
        ]
        value = pl.when(t < change).then(values[0]).otherwise(values[1])
        columns.append(pl.when(seen).then(value).cast(pl.Float32).alias(f"role_{name}"))
    return rows.with_columns(columns)


@st.composite
def changes(draw: st.DrawFn) -> list[FacilityChange | SamePerson | CoverageChange | HealthReport]:
    """What happens beside the people."""
    moment = st.integers(0, 150 * SECOND).map(lambda t: EVENING + t)
    found: list[FacilityChange | SamePerson | CoverageChange | HealthReport] = []
    state = st.sampled_from(["analysed", "offline", "frozen", "covered", "planned", None])
    found += [CoverageChange(t, draw(state), "x") for t in draw(st.lists(moment, max_size=5))]
    found += [
        HealthReport(t, "clock", draw(st.booleans()), "off") for t in draw(st.lists(moment, max_size=2))
    ]
    if draw(st.booleans()):
        found.append(FacilityChange(draw(moment), other_ward()))
    if draw(st.booleans()):
        found.append(SamePerson(draw(moment), 100, draw(st.sampled_from([101, 200, 201]))))
    return found


END = EVENING + 200 * SECOND


def run(
    seen: pl.DataFrame, marks: list, cuts: list[int], save: bool = False
) -> tuple[list[Event], list[Exposure]]:
    rules, facility = CameraRules(ward(), "cam-1"), ward()
    total = Advance()
    since = EVENING
    for until in [*sorted(cuts), END]:
        t = pl.col("t").dt.timestamp("us")
        part = seen.filter((t >= since) & (t < until))
        now = [mark for mark in marks if since <= mark.t < until]
        more = rules.advance(until, part, now)
        total.events += more.events
        total.exposures += more.exposures
        facility = next((m.facility for m in reversed(now) if isinstance(m, FacilityChange)), facility)
        if save:
            rules = CameraRules.restore(rules.save(), facility, "cam-1")
        else:
            rules.open_state()
        since = until
    return total.events, total.exposures


def every(step: int) -> list[int]:
    """Cuts every so many microseconds: one of them is within the second in which a link is undecided."""
    return list(range(EVENING + step, END, step))


CUTS = st.one_of(
    st.lists(st.integers(1, 199 * SECOND).map(lambda t: EVENING + t), max_size=12, unique=True),
    st.integers(2 * SECOND, 8 * SECOND).map(every),
)


@settings(deadline=None, max_examples=150)
@given(people(), changes(), CUTS)
def test_any_cutting_gives_the_same_events(seen: pl.DataFrame, marks: list, cuts: list[int]) -> None:
    assert run(seen, marks, cuts) == run(seen, marks, [])


@settings(deadline=None, max_examples=50)
@given(people(), changes(), CUTS)
def test_a_saved_state_carries_on(seen: pl.DataFrame, marks: list, cuts: list[int]) -> None:
    assert run(seen, marks, cuts, save=True) == run(seen, marks, [])


@settings(deadline=None, max_examples=100)
@given(people(), changes())
def test_an_incident_that_is_not_open_is_silent_until_it_is_opened(seen: pl.DataFrame, marks: list) -> None:
    """What is closed may still be corrected or withdrawn; nothing is opened twice."""
    state: dict[str, EventType] = {}
    for event in run(seen, marks, [])[0]:
        known = state.get(event.incident)
        if event.type is EventType.OPENED:
            assert known in (None, EventType.WITHDRAWN)
        elif known is EventType.CLOSED:
            assert event.type in (EventType.CORRECTED, EventType.WITHDRAWN)
        else:
            assert known is EventType.OPENED
        if event.type in (EventType.OPENED, EventType.CLOSED, EventType.WITHDRAWN):
            state[event.incident] = event.type


@settings(deadline=None, max_examples=60)
@given(people(), changes())
def test_no_incident_states_more_than_its_time_or_a_share_over_one(seen: pl.DataFrame, marks: list) -> None:
    """Also where a reviewer states that two tracks in view at the same time are one person."""
    for event in run(seen, marks, [])[0]:
        finding = event.finding
        if finding.measure.name == "held_s" and finding.subkind != "line_crossing":
            assert finding.measure.value * SECOND <= finding.end - finding.start + 1
        for share in (finding.assessable_share, finding.detector_confidence, finding.rule_confidence):
            assert share is None or 0 <= share <= 1


def test_an_incident_that_is_over_is_not_opened_again_by_a_fact_that_changes_the_role() -> None:
    """A mask violation of staff is over; then the person turns out to be one who was seen as a resident."""
    rows = []
    for track, x, worn in ((100, 12.0, "staff_ppe"), (101, 4.0, "resident")):
        masks = (lambda t: "unmasked") if track == 100 else None
        seen = observe([Person(track, [(0, x, 9), (1, x, 9)], masks=masks)], hz=2.0, start=EVENING)
        for name in ("resident", "staff_ppe", "staff_no_ppe", "outsider"):
            read = pl.when(pl.col("frame") == 0).then(0.91 if name == worn else 0.03).cast(pl.Float32)
            seen = seen.with_columns(read.alias(f"role_{name}"))
        rows.append(seen)
    people_seen = pl.concat(rows).sort("t", "track")
    events = run(people_seen, [], [])[0]
    [closed] = [
        event for event in events if event.type is EventType.CLOSED and event.finding.kind[:4] == "mask"
    ]
    events = run(people_seen, [SamePerson(closed.t + 1, 100, 101)], [])[0]
    types = [event.type for event in events if event.incident == closed.incident]
    assert types.count(EventType.OPENED) == types.count(EventType.CLOSED) == 1


def test_the_scenes_of_the_property_tests_have_every_kind_of_event() -> None:
    kinds: set[tuple[str, EventType]] = set()

    @settings(deadline=None, max_examples=60, database=None, derandomize=True)
    @given(people(), changes())
    def collect(seen: pl.DataFrame, marks: list) -> None:
        kinds.update((event.finding.kind, event.type) for event in run(seen, marks, [])[0])

    collect()
    assert {kind for kind, _ in kinds} >= {"zone_crossing", "mask_absent", "contact", "camera_health"}
    assert {event for _, event in kinds} == set(EventType)


def test_the_scenes_of_the_property_tests_have_every_mark() -> None:
    marked = dict.fromkeys(("ignored", "static", "reflection"), 0)
    reasons: set[str] = set()

    @settings(deadline=None, max_examples=60, database=None, derandomize=True)
    @given(people(), changes())
    def collect(seen: pl.DataFrame, marks: list) -> None:
        rules = CameraRules(ward(), "cam-1")
        events = rules.advance(END, seen, marks).events
        for name in marked:
            marked[name] += getattr(rules.marked, name)
        reasons.update(event.reason for event in events)

    collect()
    assert all(marked.values())
    assert all(any(word in reason for reason in reasons) for word in ("static", "reflection"))
