"""Advice: people too small to be found, and footage that plays too fast or too slowly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from incidents.watched.advice import Advice, advice, fit_heights, walking_speeds
from incidents.watched.hour import Ability
from incidents.watched.picture import DetectorView
from tests.incidents.rules.rule_scenes import (
    HEIGHT,
    Person,
    box_zone,
    line,
    observe,
    scene,
)
from vision.ground import locate
from zones.facility import Facility, Line, Zone, ZoneType

NEAR = box_zone("near", ZoneType.STAFF_ONLY, 2, 9, 14, 11)
GATE = line("gate", ZoneType.GATE, (2, 2), (6, 2))


def corridor(people: Sequence[Person]) -> pl.DataFrame:
    """Rows of a view along a floor: people of 0.1 frame heights at the top edge, 0.5 at the lower one."""
    rows = observe(people)
    tall = (0.1 + 0.4 * pl.col("foot_y") / HEIGHT) * HEIGHT
    return rows.with_columns(y1=(pl.col("y2") - tall).cast(pl.Float32))


def told(
    rows: pl.DataFrame, *places: Zone | Line, imgsz: int = 416, regions: bool = False, metric: bool = False
) -> dict[str, str]:
    facility: Facility = scene(*places, calibrated=metric)
    able = [Ability(rule="zone_crossing", place=place.id, able=True, reason="") for place in places]
    camera = facility.cameras[0]
    view = DetectorView(imgsz, regions)
    found: tuple[Advice, ...] = advice(locate(rows, camera), seen(rows, view), camera, able, view, metric)
    return {item.about: item.sentence for item in found}


def seen(rows: pl.DataFrame, view: DetectorView) -> np.ndarray:
    """The height of each person as the detector saw it, where all rows are of one size of picture."""
    return (rows["y2"] - rows["y1"]).to_numpy() * view.scale(max(rows["width"][0], rows["height"][0]))


def walkers(speed: float, count: int = 6) -> list[Person]:
    """People who walk across the picture at a speed, m/s."""
    seconds = min(8.0, 14 / speed)
    return [Person(n, [(0, 1, 2.5 + n), (seconds, 1 + speed * seconds, 2.5 + n)]) for n in range(count)]


UP_AND_DOWN = [Person(1, [(0, 8, 5), (10, 8, 11)]), Person(2, [(0, 4, 11), (10, 4, 6)])]


def test_the_height_of_people_is_fitted_to_their_place_also_where_some_sit() -> None:
    rows = corridor(UP_AND_DOWN)
    sitting = corridor([Person(3, [(0, 10, 9), (3, 10, 9)])]).with_columns(y1=pl.col("y2") - 50)
    fit = fit_heights(locate(pl.concat([rows, sitting]), scene(calibrated=False).cameras[0]))
    assert fit is not None
    assert (fit.slope, fit.offset) == (pytest.approx(0.4, abs=0.02), pytest.approx(0.1, abs=0.02))


def test_a_gate_at_the_back_where_no_one_was_found_is_named_with_the_size_that_it_takes() -> None:
    # At y = 2 m of 12: 0.167 of the frame height, 160 px of 1280 x 960: 27 px at 208.
    rows = corridor(UP_AND_DOWN)
    assert "small_people" not in told(rows, GATE, NEAR)
    text = told(rows, GATE, NEAR, imgsz=208)["small_people"]
    assert text.startswith(
        "camera cam-1: people may be missed: under 32 px of the picture, as scaled to 208 px, they are often "
        "not found, and people at gate (about 26 px) would be lower than that; use "
    )
    assert "near" not in text.replace("nearer", "")
    assert "--imgsz 256 into another home" in text
    assert "small_people" not in told(rows, GATE, NEAR, imgsz=256)


def test_a_gate_that_can_raise_nothing_is_not_named() -> None:
    rows = corridor(UP_AND_DOWN)
    unable = [Ability(rule="zone_crossing", place="gate", able=False, reason="closed")]
    camera = scene(GATE, calibrated=False).cameras[0]
    view = DetectorView(208)
    assert advice(locate(rows, camera), seen(rows, view), camera, unable, view, False) == ()


@pytest.mark.parametrize(("small", "named"), [(0, False), (2, False), (6, True), (100, True)])
def test_small_people_are_said_from_a_share_on(small: int, named: bool) -> None:
    rows = observe([Person(1, [(0, 8, 6), (19.8, 8, 6)])])[:100]  # 130 px of 1280: 42 px at 416
    index = pl.int_range(pl.len())
    rows = rows.with_columns(y1=pl.when(index < small).then(pl.col("y2") - 80).otherwise(pl.col("y1")))
    text = told(rows).get("small_people", "")
    assert bool(text) is named
    if named:
        assert f"{small} % of the person-seconds" in text
        assert "--imgsz 512" in text


@pytest.mark.parametrize(("tall", "named"), [(20, True), (31, True), (33, False), (60, False)])
def test_with_regions_people_are_small_in_the_picture_itself(tall: int, named: bool) -> None:
    rows = observe([Person(1, [(0, 8, 6), (19.8, 8, 6)])]).with_columns(
        y1=(pl.col("y2") - tall).cast(pl.Float32)
    )
    text = told(rows, regions=True).get("small_people", "")
    assert bool(text) is named
    if named:
        assert "under 32 px of the picture they are often not found" in text
        assert "--imgsz" not in text
        assert text.endswith("use a camera nearer to them, or its stream of more pixels")
    assert told(rows)["small_people"], "as a whole, the picture shows them under 32 px"


def test_people_too_small_for_any_size_need_another_camera() -> None:
    rows = observe([Person(1, [(0, 8, 6), (19.8, 8, 6)])]).with_columns(y1=pl.col("y2") - 10)
    text = told(rows)["small_people"]
    assert "--imgsz" not in text
    assert text.endswith("use a camera nearer to them")


@pytest.mark.parametrize(
    ("speed", "metric", "seems"),
    [
        (1.3, True, None),
        (1.9, True, None),
        (2.2, True, "too fast"),
        (2.6, True, "too fast"),
        (0.5, True, "too slowly"),
        (0.7, True, None),
        (1.3, False, None),
        (3.9, False, "too fast"),  # a box is 130 px and 80 px to the metre: 1.6 m, so 2.4 heights/s
        (0.5, False, None),
    ],
)
def test_footage_at_the_wrong_speed_is_said(speed: float, metric: bool, seems: str | None) -> None:
    text = told(observe(walkers(speed)), metric=metric).get("speed")
    assert (text is None) if seems is None else (text is not None and f"seems to play {seems}" in text)


def test_a_few_people_who_run_tell_nothing_of_the_speed() -> None:
    assert "speed" not in told(observe(walkers(3.0, count=4)), metric=True)


def test_people_seen_from_above_have_no_body_heights_to_tell_by() -> None:
    rows = observe(walkers(3.9)).with_columns(y1=pl.col("y2") - 60)
    assert len(walking_speeds(locate(rows, scene(calibrated=False).cameras[0]), "heights")) == 0


@pytest.mark.parametrize(
    ("short", "lasting", "named"), [(3, 0, True), (2, 0, False), (3, 2, True), (3, 3, False), (0, 5, False)]
)
def test_people_who_are_found_for_moments_only_are_said(short: int, lasting: int, named: bool) -> None:
    people = [
        Person(n, [(2 * n, 3 + n, 5), (2 * n + (1 if n < short else 3), 3 + n, 5)])
        for n in range(short + lasting)
    ]
    text = told(observe(people)).get("fragments", "")
    assert bool(text) is named
    if named:
        assert f"{short} of {short + lasting} tracks" in text
        assert "--imgsz 1280 into another home" in text
        assert "--imgsz" not in told(observe(people), imgsz=1280)["fragments"]
