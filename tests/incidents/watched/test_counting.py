"""What could have been judged in an hour: abilities by the facility file, and counts by what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.coverage import Interval, State
from incidents.watched.counting import Looked, count_hour
from incidents.watched.hour import HourCounts
from incidents.whole_log import evaluate_observations, first_tracks
from tests.incidents.rules.rule_scenes import NOON, Person, box_zone, line, norm, observe, plane, scene, stay
from vision.frames import SECOND
from vision.observations import HOUR
from zones.facility import Facility, MaskRule, Place, Role, Rules, ZoneType

WALL = box_zone("wall", ZoneType.STAFF_ONLY, 6, 4, 10, 8)
RESIDENTS: dict[str, Any] = {"default_role": Role.RESIDENT, "default_role_confidence": 0.9}
NIGHT = NOON + 10 * HOUR  # 22:00 in Ho Chi Minh City, when the curfew begins


def count(
    facility: Facility,
    people: Sequence[Person] = (),
    hour: int = NOON,
    imgsz: int = 640,
    taught: bool = False,
    rows: pl.DataFrame | None = None,
    regions: bool = False,
    first: dict[int, int] | None = None,
) -> HourCounts:
    rows = observe(people, start=hour) if rows is None else rows
    coverage = [Interval("cam-1", hour, hour + 60 * SECOND, State.ANALYSED)]
    looked = [Looked(hour, hour + HOUR, imgsz, 5.0, taught, regions)]
    return count_hour(facility, facility.cameras[0], hour, rows, coverage, looked, first_tracks=first or {})


def at_a_gate(*places: Any) -> Facility:
    facility = scene(*places, **RESIDENTS)
    camera = facility.cameras[0].model_copy(update={"places": (Place.GATE,)})
    return facility.model_copy(update={"cameras": (camera,)})


def able(counts: HourCounts) -> set[str]:
    return {item.place or item.rule for item in counts.abilities if item.able}


def reason(counts: HourCounts, name: str) -> str:
    [found] = [item.reason for item in counts.abilities if (item.place or item.rule) == name]
    return found


def faces(track: int, seconds: float, hz: float, **more: Any) -> Person:
    """A masked person whose face is assessed `hz` times a second, seen five times a second."""
    step = round(5 / hz)
    return stay(
        track, 8, 6, 0, seconds, masks=lambda s: "masked" if round(s * 5) % step == 0 else "turned", **more
    )


def test_a_calibrated_camera_of_residents_can_raise_all_that_it_was_set_up_for() -> None:
    counts = count(scene(WALL, **RESIDENTS, contact_pairs=["resident_resident"]), [faces(1, 20, 1)])
    assert able(counts) == {"wall", "mask", "contact", "gathering"}
    assert (counts.analysed_s, counts.recorded_s) == (60, 60)


def test_a_camera_without_zones_metres_or_faces_can_raise_nothing() -> None:
    counts = count(scene(calibrated=False), [stay(1, 8, 6, 0, 20)])
    assert able(counts) == set()
    assert reason(counts, "zone_crossing") == "the camera has no zone or line that denies anything"
    assert reason(counts, "contact").startswith("no place is known in metres")
    assert reason(counts, "mask") == "no face could be assessed, of 1 track"


@pytest.mark.parametrize(
    ("place", "hour", "expected"),
    [
        (box_zone("p", ZoneType.COMMON, 6, 4, 10, 8), NOON, "it denies nothing at this time of day"),
        (box_zone("p", ZoneType.COMMON, 6, 4, 10, 8), NIGHT, ""),
        (box_zone("p", ZoneType.COMMON, 6, 4, 10, 8), NIGHT - HOUR, "it denies nothing at this time of day"),
        (box_zone("p", ZoneType.RESIDENT_ONLY, 6, 4, 10, 8), NOON, "it denies only outsider, staff_no_ppe"),
        (line("p", ZoneType.ONE_WAY, (2, 2), (2, 9)), NOON, "it denies no role anything"),
        (line("p", ZoneType.GATE, (2, 2), (2, 9)), NOON, ""),
    ],
)
def test_a_place_can_fire_only_in_hours_and_for_roles_that_it_denies(
    place: Any, hour: int, expected: str
) -> None:
    found = reason(count(scene(place, **RESIDENTS), hour=hour), "p")
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


def test_taught_roles_let_a_zone_fire_that_denies_only_staff() -> None:
    facility = scene(box_zone("p", ZoneType.RESIDENT_ONLY, 6, 4, 10, 8), **RESIDENTS)
    assert "p" not in able(count(facility))
    assert "p" in able(count(facility, taught=True))


@pytest.mark.parametrize(("error_m", "metric"), [(0.2, True), (0.3, False)])
def test_contact_needs_metres_as_accurate_as_the_rules_ask_for(error_m: float, metric: bool) -> None:
    facility = scene(WALL, **RESIDENTS, contact_pairs=["resident_resident"], calibration=plane(error_m))
    counts = count(facility, [stay(1, 8, 6, 0, 20)])
    assert ("contact" in able(counts)) is metric
    assert (counts.metres_s > 0) is metric


def test_person_seconds_with_feet_hidden_by_the_edge_of_the_frame_are_not_with_visible_feet() -> None:
    people = [stay(1, 8, 6, 0, 19.8), stay(2, 3, 12, 0, 9.8)]
    counts = count(scene(WALL, calibrated=False), people)
    assert (counts.person_s, counts.feet_s) == (pytest.approx(30), pytest.approx(20))


@pytest.mark.parametrize("columns", [1, 3])
def test_where_all_of_the_picture_is_ignored_no_contact_and_no_gathering_can_be_raised(columns: int) -> None:
    edges = [n / columns for n in range(columns + 1)]
    parts = tuple(((a, 0.0), (b, 0.0), (b, 1.0), (a, 1.0)) for a, b in pairwise(edges))
    pairs = {"contact_pairs": ["resident_resident"]}
    counts = count(scene(WALL, **RESIDENTS, **pairs, ignore=parts), [faces(1, 20, 1)])
    for name in ("wall", "contact", "gathering"):
        assert reason(counts, name) == "all of it lies where people are ignored"
    half = count(scene(WALL, **RESIDENTS, **pairs, ignore=(norm((0, 0), (8, 0), (8, 12), (0, 12)),)))
    assert {"contact", "gathering"} <= able(half)


def test_hidden_feet_alone_let_no_zone_fire() -> None:
    counts = count(scene(WALL, calibrated=False, **RESIDENTS), [stay(1, 8, 12, 0, 20)])
    assert reason(counts, "wall") == "all feet were hidden"


def test_the_default_role_of_a_camera_is_no_known_role() -> None:
    facility = scene(WALL, **RESIDENTS)
    assert count(facility, [stay(1, 8, 6, 0, 19.8)]).role_s == 0
    dressed = [stay(1, 8, 6, 0, 19.8, clothes=Role.STAFF_PPE), stay(2, 3, 3, 0, 19.8)]
    assert count(facility, dressed).role_s == pytest.approx(20)


def test_a_role_may_rest_on_what_was_seen_in_the_hour_before() -> None:
    door = box_zone("door", ZoneType.COMMON, 0, 0, 3, 3, origin_role=Role.STAFF_PPE)
    walk = Person(1, [(0, 1, 1), (5, 8, 6), (19.8, 8, 6)])
    rows = observe([walk], start=NOON - 10 * SECOND)
    assert count(scene(door), rows=rows).role_s == pytest.approx(10)
    later = rows.filter(pl.col("t").dt.timestamp("us") >= NOON)
    assert count(scene(door), rows=later).role_s == 0


@pytest.mark.parametrize(
    ("imgsz", "regions", "small"),
    [(314, False, True), (316, False, False), (640, False, False), (314, True, False)],
)
def test_people_are_small_at_the_scale_at_which_the_detector_saw_them(
    imgsz: int, regions: bool, small: bool
) -> None:
    people = [stay(1, 8, 6, 0, 19.8)]  # 130 px of 1280: 31.9 px at 314
    counts = count(scene(WALL), people, imgsz=imgsz, regions=regions)
    assert counts.small_s == (counts.person_s if small else 0)


@pytest.mark.parametrize(
    ("sizes", "small", "remedy"),
    [
        ((416, 208), 0.5, "--imgsz 320 into another home, or a camera nearer to them"),
        ((208, 416), 0.5, "the settings of the last run for all of it, into another home"),
        ((208, 224), 1.0, "--imgsz 320 into another home, or a camera nearer to them"),
        ((416, 640), 0.0, None),
    ],
)
def test_small_people_are_advised_on_where_they_are_counted_when_the_size_changed_within_the_hour(
    sizes: tuple[int, int], small: float, remedy: str | None
) -> None:
    facility = scene(WALL)
    rows = observe([stay(1, 8, 6, 0, 19.8)])  # 130 px of 1280: 21 px at 208, 42 px at 416
    parts = zip((NOON, NOON + 10 * SECOND, NOON + 20 * SECOND), sizes, strict=False)
    looked = [Looked(start, start + 10 * SECOND, imgsz, 5.0, False) for start, imgsz in parts]
    coverage = [Interval("cam-1", NOON, NOON + 20 * SECOND, State.ANALYSED)]
    counts = count_hour(facility, facility.cameras[0], NOON, rows, coverage, looked)
    assert counts.small_s == pytest.approx(small * counts.person_s)
    said = [item.sentence for item in counts.advice if item.about == "small_people"]
    assert len(said) == (remedy is not None)
    if remedy is not None:
        assert f"{100 * small:.0f} % of the person-seconds are of people lower than that" in said[0]
        assert "as the detector saw it, they are often not found" in said[0]
        assert said[0].endswith(f"use {remedy}")


@pytest.mark.parametrize(
    ("seconds", "hz", "face_px", "expected"),
    [
        (20, 1.0, 40, (1, 1)),
        (20, 0.5, 40, (1, 0)),  # 6 assessed faces in 10 s
        (4.8, 5.0, 40, (0, 0)),
        (5, 5.0, 40, (1, 1)),  # 26 assessed faces that span 5 s
        (5, 1.0, 40, (1, 0)),  # 6 of them
        (7, 1.0, 40, (1, 1)),
        (20, 5.0, 31, (1, 0)),  # under min_face_px
    ],
)
def test_tracks_need_eight_assessed_faces_within_ten_seconds_that_span_five(
    seconds: float, hz: float, face_px: float, expected: tuple[int, int]
) -> None:
    counts = count(scene(WALL), [faces(1, seconds, hz, face_px=face_px)])
    assert (counts.tracks, counts.tracks_assessed) == expected


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-12, 12), st.floats(1, 14), st.sampled_from([1.0, 2.5, 5.0]), st.booleans()),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([MaskRule(), MaskRule(min_samples=3, window_s=4.0, min_span_s=1.0)]),
)
def test_what_the_mask_rule_raised_in_an_hour_could_have_been_raised(
    visits: list[tuple[float, float, float, bool]], rule: MaskRule
) -> None:
    """However short the footage is, at the edge of an hour, and under another track after a loss of sight."""
    facility = scene(WALL, rules=Rules(mask=rule))
    people = []
    for number, (start, seconds, hz, switches) in enumerate(visits):
        step, middle = round(5 / hz), start + seconds / 2
        bare = partial(lambda s, step: "unmasked" if round(s * 5) % step == 0 else "turned", step=step)
        spans = [(start, middle), (middle + 0.5, middle + 0.5 + seconds / 2)]
        for part, (begin, end) in enumerate(spans if switches else [(start, start + seconds)]):
            people.append(stay(10 * number + part, 3 + 4 * number, 6, begin, end, masks=bare))
    rows = observe(people)
    raised = evaluate_observations(rows, facility, "cam-1")
    for hour in (NOON - HOUR, NOON):
        counts = count(facility, hour=hour, rows=rows, first=first_tracks(raised.links))
        opened = [f for f in raised.findings if f.kind == "mask_absent" and hour <= f.opened < hour + HOUR]
        assert "mask" in able(counts) or not opened
        assert counts.tracks_assessed >= len(opened)


def test_faces_where_people_are_ignored_could_raise_nothing() -> None:
    whole = norm((0, 0), (16, 0), (16, 12), (0, 12))
    counts = count(scene(WALL, ignore=(whole,)), [faces(1, 20, 5.0)])
    assert reason(counts, "mask") == "no person was seen for long enough"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0.5, 30)), max_size=4), st.integers(200, 700))
def test_no_part_exceeds_the_whole(stays: list[tuple[float, float]], imgsz: int) -> None:
    people = [stay(n, 3 + n, 5, start, start + length) for n, (start, length) in enumerate(stays)]
    counts = count(scene(WALL), people, imgsz=imgsz)
    parts = (counts.feet_s, counts.metres_s, counts.role_s, counts.small_s, counts.crowded_s)
    assert all(0 <= part <= counts.person_s for part in parts)
    assert counts.tracks_assessed <= counts.tracks <= len(people)


def test_a_gate_without_a_line_is_among_what_could_not_be_raised() -> None:
    counts = count(at_a_gate(WALL))
    assert "wall" in able(counts)
    assert reason(counts, "zone_crossing").startswith("the camera sees a gate, but has no line or zone")
    drawn = at_a_gate(WALL, line("g", ZoneType.GATE, (2, 2), (2, 9)))
    assert {"wall", "g"} <= able(count(drawn))
