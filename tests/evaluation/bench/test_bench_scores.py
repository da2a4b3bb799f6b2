"""Event scores of workloads, bars and medians."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.bench.bars import Bar, bars_of
from evaluation.bench.measuring import Timing, median
from evaluation.bench.rows import BoxRow, observations_of
from evaluation.bench.scoring import truth_basis, truth_of
from evaluation.bench.sets import BenchCamera, BenchSet, one_video
from tests.footage import write_video
from tests.incidents.rules.rule_scenes import box_zone, scene
from zones.errors import LazarettoError
from zones.facility import Role, ZoneType

LAWN = box_zone("lawn", ZoneType.STAFF_ONLY, 8, 0, 16, 12)
FACILITY = scene(LAWN, default_role=Role.RESIDENT, default_role_confidence=0.9)
CAMERA = FACILITY.cameras[0]


def walk(first: int, last: int, x: float, track: int = 1) -> list[BoxRow]:
    """A person who stands at a place: x is the share of the width of a frame of 160 x 120 px."""
    return [(f, track, x * 160 - 5, 40, x * 160 + 5, 80, 0.9) for f in range(first, last)]


@pytest.fixture
def bench(tmp_path: Path) -> BenchSet:
    video = write_video(tmp_path / "20261124T080000Z.mp4", 100)
    facility = tmp_path / "facility.yaml"
    facility.write_text(FACILITY.text)
    tracks = tmp_path / "truth.txt"
    rows = [*walk(0, 30, 0.2), *walk(30, 80, 0.8), *walk(0, 100, 0.3, track=2)]
    lines = (f"{f + 1},{n},{x1},{y1},{x2 - x1},{y2 - y1}\n" for f, n, x1, y1, x2, y2, _ in rows)
    # The last frame is beyond the video, as where footage was cut.
    tracks.write_text("".join(lines) + "400,1,1,1,5,5\n")
    return one_video(video, facility, CAMERA.id, tracks=tracks)


def score(bench: BenchSet, rows: list[BoxRow], folder: Path) -> tuple[int, int, int]:
    truth = truth_of(bench)
    assert truth is not None
    table = observations_of(rows, bench.cameras[0].video, FACILITY, CAMERA)
    table.write_parquet(folder / f"{CAMERA.id}.parquet")
    found = truth.score(folder).score
    return found.events, found.alarms, found.found


def test_boxes_of_any_workload_are_judged_by_the_rules_of_the_truth(bench: BenchSet, tmp_path: Path) -> None:
    assert score(bench, [*walk(0, 30, 0.2, 5), *walk(30, 80, 0.8, 5)], tmp_path) == (1, 1, 1)
    assert score(bench, walk(0, 100, 0.2), tmp_path) == (1, 0, 0)
    assert score(bench, [], tmp_path) == (1, 0, 0)
    late = [*walk(0, 30, 0.2, 5), *walk(30, 80, 0.8, 5), *walk(82, 100, 0.3, 6)]
    assert score(bench, late, tmp_path) == (1, 1, 1)
    assert truth_basis(bench) == "true tracks, judged by the same rules"


def test_events_of_cameras_without_truth_are_not_scored(bench: BenchSet, tmp_path: Path) -> None:
    events = tmp_path / "events.json"
    noted = {"kind": "zone_crossing", "zone": "lawn", "start": 3}
    later = {"kind": "zone_crossing", "zone": "lawn", "start": 300}
    content = {"schema": 1, "cameras": [{"camera": CAMERA.id, "events": [noted, later]}]}
    events.write_text(json.dumps(content))
    cameras = (BenchCamera(CAMERA.id, bench.cameras[0].video, "facts"),)
    by_facts = BenchSet("x", bench.facility, cameras, events)
    rows = [*walk(0, 30, 0.2), *walk(30, 80, 0.8)]
    # The second event is beyond the footage.
    assert score(by_facts, rows, tmp_path) == (1, 1, 1)
    content["cameras"] = [{"camera": "another", "events": [noted]}]
    events.write_text(json.dumps(content))
    assert truth_of(by_facts) is None
    assert truth_of(BenchSet("x", bench.facility, cameras)) is None


def test_two_kinds_of_truth_are_refused(bench: BenchSet) -> None:
    with pytest.raises(LazarettoError, match="expected true tracks of one camera without true events"):
        one_video(bench.cameras[0].video, bench.facility, CAMERA.id, bench.tracks, bench.tracks)


def timing(name: str, seconds: float, cameras: int = 1, mb: float = 100) -> Timing:
    return Timing(name, cameras, 60.0 * cameras, 300, 1.0, seconds, seconds * 2, mb)


def test_a_missed_bar_says_by_how_much() -> None:
    timings = {
        "decode": timing("decode", 1),
        "track": timing("track", 60),
        "pipeline": timing("pipeline", 10),
    }
    speed, f1 = bars_of("busy", timings, {"track": 0.9, "pipeline": 0.95}, None)
    assert (speed.value, speed.missed_by) == (6.0, 2.0) and speed.sentence.endswith("missed by 2")
    assert f1.missed_by == 0 and f1.sentence.endswith("held") and f1.to_dict()["held"] is True
    [quiet] = bars_of("quiet", timings, {}, None)
    assert (quiet.bar, quiet.value) == (1.5, 10.0)
    many = {"pipeline": timing("pipeline", 60, cameras=16)}
    real_time, memory = bars_of("many", many, {}, 70.0)
    assert (real_time.bar, real_time.value) == (20.0, 16.0) and memory.missed_by == pytest.approx(10.0)
    assert bars_of("many", {"pipeline": timing("pipeline", 60, cameras=8)}, {}, None) == []
    assert bars_of(None, timings, {}, 70.0) == [] == bars_of("busy", {}, {}, None)
    assert not Bar("x", "at most", 2.0, 2.0, "s").missed_by


def test_medians_of_runs() -> None:
    middle = median([timing("decode", 5, mb=1), timing("decode", 1, mb=9), timing("decode", 2, mb=3)])
    assert (middle.working_s, middle.cpu_s, middle.peak_mb) == (2, 4, 3)
    assert middle.speed == 30 and middle.cpu_s_per_camera_hour == 240
