"""Floor and doors against the truth of synthetic people: a corridor with three doors, tracks that break."""

from __future__ import annotations

import cv2
import numpy as np
import polars as pl
import pytest

from pipelines.suggestion.doors import Doors, find_doors
from pipelines.suggestion.floor import Floor, find_floor
from pipelines.suggestion.trajectories import Trajectories, read_trajectories
from tests.incidents.rules.rule_scenes import HEIGHT, NOON, PX_PER_M, WIDTH, norm, scene
from tests.pipelines.suggestion.corridor import DOORS, GROUND, Corridor, broken, corridor, table
from zones.facility import Camera, Facility

HOURS = 12.0
WATCHED = (NOON, NOON + round(HOURS * 3600e6))


def walked(log: pl.DataFrame, calibrated: bool = True, watched: tuple[int, int] = WATCHED) -> Trajectories:
    facility = scene(calibrated=calibrated)
    return read_trajectories(log, facility, facility.cameras[0], [watched])


def overlap(floor: Floor) -> float:
    """Intersection over union with the true floor, on a raster of 1 cm."""
    size = (1600, 1200)
    found, true = np.zeros(size[::-1], np.uint8), np.zeros(size[::-1], np.uint8)
    for polygon in floor.polygons:
        cv2.fillPoly(found, [np.round(np.array(polygon) * size).astype(np.int32)], 1)
    cv2.fillPoly(true, [np.round(np.array(norm(*GROUND)) * size).astype(np.int32)], 1)
    return float((found & true).sum() / (found | true).sum())


def misses(doors: Doors) -> tuple[list[float], int]:
    """Distance of each true door from the nearest found, m; number of found doors over 0.5 m from all."""
    found = np.array([np.array(door.image_position) * (16, 12) for door in doors.doors]).reshape(-1, 2)
    apart = np.hypot(*(found[:, None] - np.array(DOORS)).transpose(2, 0, 1))
    return apart.min(axis=0).tolist(), int((apart.min(axis=1) > 0.5).sum())


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_the_doors_and_the_floor_of_a_day_are_found(seed: int, calibrated: bool) -> None:
    truth = corridor(HOURS, seed=seed)
    trajectories = walked(truth.log, calibrated)
    floor, why = find_floor(trajectories)
    doors = find_doors(trajectories)
    off, false = misses(doors)
    print(
        f"\n{seed=} {calibrated=}: doors off by {', '.join(f'{m:.2f}' for m in off)} m, {false} false", end=""
    )
    print(f", floor overlaps the true one by {overlap(floor):.3f}" if floor else "")
    assert max(off) <= 0.5
    assert false <= 1
    assert floor is not None and why is None
    assert overlap(floor) >= 0.8
    assert len(floor.polygons) == 1
    assert floor.time_inside > 0.95
    assert trajectories.ground.calibrated == calibrated


def test_a_door_counts_the_people_who_came_and_went() -> None:
    truth = corridor(HOURS, seed=7, switched=0.0)
    doors = find_doors(walked(truth.log)).doors
    for place, uses in zip(DOORS, truth.uses, strict=True):
        door = min(doors, key=lambda d: float(np.hypot(*(np.array(d.image_position) * (16, 12) - place))))
        assert door.entries + door.exits == pytest.approx(uses, rel=0.1)
        assert door.tracks - door.expected > 0.8 * uses
        assert door.p_value < 1e-6


def test_tracks_that_break_in_the_middle_of_the_floor_are_no_door() -> None:
    """No person uses a door and every track breaks once, anywhere: breaks are where people walk."""
    truth = corridor(HOURS, seed=3, to_doors=0.0, switched=1.0, outage_s=(4.0, 8.0), stroll_s=60.0)
    assert truth.switches > 140
    assert not find_doors(walked(truth.log)).doors


def test_an_obstacle_that_hides_people_is_no_door() -> None:
    """Every person is lost for some seconds at one place, for longer than the rules stitch."""
    log = broken(corridor(HOURS, seed=5, to_doors=0.0, switched=0.0).log, at_m=8.0, reach_m=1.2, lost_s=5.0)
    found = find_doors(walked(log))
    assert not found.doors
    assert any("obstacle" in notice for notice in found.notices)


def test_people_who_become_too_small_to_be_seen_are_no_door() -> None:
    truth = corridor(HOURS, seed=1)
    small = truth.log.with_columns(y1=pl.col("y2") - 40)
    found = find_doors(walked(small))
    assert not found.doors
    assert any("in the distance" in notice for notice in found.notices)


def test_the_ends_of_the_corridor_are_named_as_edges() -> None:
    truth = corridor(HOURS, seed=2, to_doors=0.3, switched=0.0)
    passages = find_doors(walked(truth.log)).passages
    assert {passage.side for passage in passages} == {"left", "right"}
    seen = sum(passage.entered + passage.left for passage in passages)
    assert seen == pytest.approx(2 * truth.people - sum(truth.uses), rel=0.05)
    for passage in passages:
        assert 4 / 12 < passage.low < passage.high < 7 / 12


def test_the_beginning_and_end_of_footage_make_no_door() -> None:
    """Twelve intervals of footage begin and end while people walk around one place."""
    truth = corridor(HOURS, seed=4, to_doors=0.0, switched=0.0)
    standing, intervals = [], []
    for hour in range(12):
        start = NOON + hour * 3_600_000_000
        intervals.append((start, start + 60_000_000))
        standing.append(_standing(start, start + 60_000_000, 10_000 + 10 * hour))
    log = pl.concat([truth.log, *standing]).sort("t", "track")
    facility = scene()
    camera = facility.cameras[0]
    kept = log.filter(
        pl.any_horizontal(
            pl.col("t").dt.timestamp("us").is_between(start, end - 1) for start, end in intervals
        )
    )
    assert not find_doors(read_trajectories(kept, facility, camera, intervals)).doors
    # Taken for one day without a break, the same people seem to disappear there.
    assert find_doors(read_trajectories(kept, facility, camera, [WATCHED])).doors


def _standing(start: int, end: int, track: int) -> pl.DataFrame:
    """Eight people who walk up to 1.5 m from one place and back, from `start` to `end`."""
    draw = np.random.default_rng(track)
    parts = []
    for person in range(8):
        seconds = (start - NOON) / 1e6 + np.arange(0, (end - start) / 1e6, 0.2)
        turn = 2 * np.pi * (seconds - seconds[0] + 2.5 * person) / draw.uniform(15, 25)
        off = np.abs(np.sin(turn * (seconds[-1] - seconds) / (seconds[-1] - seconds[0])))
        place = np.column_stack([5.0 + 1.5 * off, np.full(len(seconds), 5.5)])
        parts.append(table(seconds, place * PX_PER_M, np.full(len(seconds), track + person), "cam-1"))
    return pl.concat(parts)


def test_few_people_give_a_reason_instead_of_a_proposal() -> None:
    trajectories = walked(corridor(1.0, people=4, seed=0, switched=0.0).log)
    floor, why = find_floor(trajectories)
    assert floor is None and why is not None and "got 4" in why
    doors = find_doors(trajectories)
    assert not doors.doors and "no door is proposed" in doors.notices[0]


def test_a_single_path_and_a_poster_of_a_person_make_no_floor() -> None:
    truth: Corridor = corridor(HOURS, seed=6)
    seconds = np.arange(100, 130, 0.2)
    astray = np.column_stack([np.linspace(1, 15, len(seconds)), np.full(len(seconds), 10.0)])
    poster = np.tile((8.0, 1.5), (len(seconds), 1)) + np.random.default_rng(0).normal(
        0, 0.05, (len(seconds), 2)
    )
    more = [
        table(seconds, astray * PX_PER_M, np.full(len(seconds), 9_000), "cam-1"),
        *(
            table(seconds + 900 * k, poster * PX_PER_M, np.full(len(seconds), 9_001 + k), "cam-1")
            for k in range(20)
        ),
    ]
    floor, _ = find_floor(walked(pl.concat([truth.log, *more]).sort("t", "track")))
    assert floor is not None
    assert overlap(floor) >= 0.8
    lowest = max(y for polygon in floor.polygons for _, y in polygon)
    highest = min(y for polygon in floor.polygons for _, y in polygon)
    assert highest > 3.5 / 12 and lowest < 7.5 / 12


def test_without_a_calibration_lengths_come_from_the_height_of_people() -> None:
    facility: Facility = scene(calibrated=False)
    camera: Camera = facility.cameras[0]
    ground = read_trajectories(corridor(1.0, 20).log, facility, camera, [WATCHED]).ground
    assert not ground.calibrated
    assert ground.metres_per_height == pytest.approx(1.65 * HEIGHT / 130)
    there = np.array([[0.25, 0.5], [0.75, 0.5]])
    assert ground.to_image(ground.to_floor(there)) == pytest.approx(there)
    assert np.diff(ground.to_floor(there)[:, 0])[0] == pytest.approx(
        0.5 * WIDTH / HEIGHT * ground.metres_per_height
    )
