from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.events.case import (
    Case,
    Span,
    case_of_ledger,
    case_of_tracks,
    case_of_video,
    true_observations,
)
from evaluation.events.estimates import ALL, event_accuracy
from evaluation.formats import Tracks, TruthError
from evaluation.truth import EventsFile
from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from incidents.scoring import Alarm, Event
from tests.evaluation.scenes import seen
from tests.incidents.ledger.ledger_samples import MODELS, T0, facility, incident
from tests.incidents.rules.rule_scenes import NOON, Person, box_zone, observe, scene, stay
from vision.frames import SECOND
from zones.facility import Role, ZoneType

TEN = 10 * SECOND
HOUR = 3600 * SECOND


def event(second: float, kind: str = "zone_crossing", camera: str = "a") -> Event:
    return Event(camera, kind, round(second * SECOND))


def alarm(second: float, kind: str = "zone_crossing", camera: str = "a") -> Alarm:
    return Alarm(camera, kind, round(second * SECOND), round(second * SECOND))


def scored(case: Case, **more: Any) -> Any:
    return event_accuracy(
        case, **{"tolerance": TEN, "bias": 1.0, "block_s": 60.0, "resamples": 300, "seed": 0, **more}
    )


def test_accuracy_by_kind_and_over_all_kinds() -> None:
    events = (event(10), event(700), event(1500, "contact"))
    alarms = (alarm(12), alarm(14), alarm(2000), alarm(1504, "contact"))
    found = scored(Case(events, alarms, (Span("a", 0, 2 * HOUR),)))
    assert list(found.kinds) == ["contact", "zone_crossing", ALL]
    zone, everything = found.kinds["zone_crossing"], found.kinds[ALL]
    assert (zone.score.events, zone.score.alarms, zone.score.found, zone.score.duplicates) == (2, 3, 1, 1)
    assert zone.recall.value == 0.5 and zone.precision.value == pytest.approx(1 / 3)
    assert everything.false_alarms_per_hour.value == pytest.approx(1.0)
    assert everything.median_delay_s.value == 3.0
    assert found.blocks == 120
    assert found.missed == (events[1],) and found.false_alarms == (alarms[1], alarms[2])
    for estimate in (zone.recall, zone.precision, zone.f, everything.false_alarms_per_hour):
        low, high = estimate.low, estimate.high
        assert low is not None and high is not None and low <= estimate.value <= high and low < high


def test_perfect_alarms_have_exact_intervals() -> None:
    found = scored(Case((event(10),), (alarm(12),), (Span("a", 0, HOUR),))).kinds[ALL]
    assert found.recall.interval == found.precision.interval == found.f.interval == "exact"
    assert found.recall.low == pytest.approx(0.025) and found.f.low == pytest.approx(0.025)
    assert found.false_alarms_per_hour.high == pytest.approx(3.689, abs=1e-3)
    assert found.median_delay_s.low is None


def test_the_seed_decides_the_intervals() -> None:
    case = Case(
        tuple(event(100 * n) for n in range(20)),
        tuple(alarm(100 * n + (2 if n % 3 else 50)) for n in range(20)),
        (Span("a", 0, HOUR),),
    )
    assert scored(case) == scored(case) != scored(case, seed=1)


def test_an_alarm_outside_the_known_time_counts_only_if_it_finds_an_event() -> None:
    case = Case((event(95),), (alarm(101), alarm(500)), (Span("a", 0, 100 * SECOND),))
    found = scored(case)
    assert found.kinds[ALL].score.found == 1 and found.kinds[ALL].score.alarms == 1
    assert found.not_scored == 1


def test_without_events_and_alarms_only_hours_are_known() -> None:
    found = scored(Case((), (), (Span("a", 0, HOUR),)))
    assert list(found.kinds) == [ALL]
    assert found.kinds[ALL].recall.value is None and found.kinds[ALL].f.value is None
    assert found.kinds[ALL].false_alarms_per_hour.value == 0.0


LAWN = box_zone("lawn", ZoneType.STAFF_ONLY, 8, 0, 16, 12)
FACILITY = scene(LAWN, default_role=Role.RESIDENT, default_role_confidence=0.9)
CAMERA = FACILITY.cameras[0]
WALKER = Person(1, [(0, 2, 6), (10, 12, 6), (30, 12, 6)])


def as_truth(people: list[Person], hz: float) -> Tracks:
    table = observe(people, hz)
    boxes = table.select("x1", "y1", "x2", "y2").to_numpy().astype(np.float64)
    flags = np.zeros(len(table), dtype=np.bool_)
    return Tracks(table["frame"].to_numpy(), table["track"].to_numpy(), boxes, flags)


def test_events_follow_from_true_tracks_by_the_rules() -> None:
    people = [WALKER, stay(2, 4, 3, 0, 30)]
    video = seen(observe(people, 5.0), 151, 5.0, NOON)
    case = case_of_tracks(video, as_truth(people, 5.0), FACILITY, CAMERA)
    assert [(e.kind, e.zone) for e in case.events] == [("zone_crossing", "lawn")]
    assert case.alarms[0].raised - case.alarms[0].start == 2 * SECOND
    found = scored(case).kinds[ALL]
    assert found.recall.value == found.precision.value == 1.0
    assert found.median_delay_s.value == 2.0  # the dwell


def test_true_observations_are_those_of_the_labelled_boxes() -> None:
    video = seen(observe([WALKER], 5.0), 151, 5.0, NOON)
    table = true_observations(as_truth([WALKER], 5.0), video, CAMERA.id)
    same = ["t", "frame", "x1", "y2", "foot_x", "foot_y", "width", "height", "camera"]
    assert table.select(same).equals(video.observations.select(same))
    assert table["mask_masked"].null_count() == len(table)


def test_a_false_alarm_near_a_missed_event_finds_it_only_within_the_tolerance() -> None:
    ghost = stay(9, 13, 9, 15, 30)
    video = seen(observe([ghost], 5.0), 151, 5.0, NOON)
    case = case_of_tracks(video, as_truth([WALKER], 5.0), FACILITY, CAMERA)
    # The walker reaches the lawn after some 6 s: the ghost's alarm at 15 s is within 10 s of it.
    assert scored(case).kinds[ALL].score.found == 1
    strict = scored(case, tolerance=2 * SECOND).kinds[ALL].score
    assert (strict.found, strict.alarms, strict.events) == (0, 1, 1)


def noted(*events: dict[str, Any], **more: Any) -> EventsFile:
    camera = {"camera": "cam-1", "events": list(events), **more}
    return EventsFile.model_validate({"schema": 1, "cameras": [camera]}, by_alias=True, by_name=False)


def test_a_video_against_a_file_whose_seconds_count_from_its_first_frame() -> None:
    video = seen(observe([WALKER], 5.0), 151, 5.0, NOON)
    file = noted({"kind": "zone_crossing", "zone": "lawn", "start": 6}, {"kind": "contact", "start": 500})
    case = case_of_video(video, file, FACILITY, CAMERA)
    assert case.events[0].start == NOON + 6 * SECOND and case.unobserved == 1
    assert scored(case).kinds[ALL].score.found == 1
    early = case_of_video(video, noted(until="0:03"), FACILITY, CAMERA)
    assert early.spans == (Span("cam-1", NOON, NOON + 3 * SECOND),)
    found = scored(early)
    assert found.not_scored == 1 and found.kinds[ALL].score.alarms == 0


def test_a_file_of_another_camera_is_an_error() -> None:
    video = seen(observe([WALKER], 5.0), 151, 5.0, NOON)
    other = EventsFile.model_validate({"schema": 1, "cameras": [{"camera": "gate", "events": []}]})
    with pytest.raises(TruthError, match="expected events of camera cam-1, got those of gate"):
        case_of_video(video, other, FACILITY, CAMERA)


def of_yard(*events: dict[str, Any], **more: Any) -> EventsFile:
    yard = {"camera": "yard", "events": list(events), **more}
    return EventsFile.model_validate({"schema": 1, "cameras": [yard]}, by_alias=True, by_name=False)


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    """Analysed for ten minutes from T0 on, then offline for ten, with one contact at T0 + 20 s."""
    with Ledger.open(tmp_path / "ledger.db") as opened:
        run = opened.runs.start(facility(), MODELS, {})
        end = T0 + 600 * SECOND
        opened.segments.commit(
            "s", "yard", 0, "v.mp4", T0, end, 3000, "", [Interval("yard", T0, end, State.ANALYSED)], run
        )
        start = T0 + 20 * SECOND
        opened.incidents.record(
            incident(start=start, end=start + 12 * SECOND, thresholds={"min_s": 10.0, "distance_m": 2.0}), run
        )
        yield opened


def test_a_ledger_against_a_file(ledger: Ledger) -> None:
    iso = "2026-11-24T08:00:00Z"
    file = of_yard(
        {"kind": "contact", "start": 18}, {"kind": "contact", "start": "15:00"}, start=iso, until="20:00"
    )
    case = case_of_ledger(ledger, file)
    assert case.spans == (Span("yard", T0, T0 + 600 * SECOND),)
    assert case.unobserved == 1  # while the camera was offline
    found = scored(case).kinds[ALL]
    assert found.recall.value == found.precision.value == 1.0
    assert found.score.hours == pytest.approx(1 / 6)
    assert found.median_delay_s.value == 12.0


def test_kinds_that_were_not_noted_are_not_scored(ledger: Ledger) -> None:
    file = EventsFile.model_validate(
        {"schema": 1, "kinds": ["zone_crossing"], "cameras": [{"camera": "yard", "events": []}]}
    )
    assert case_of_ledger(ledger, file).alarms == ()


def test_seconds_without_a_start_are_an_error_beside_a_ledger(ledger: Ledger) -> None:
    with pytest.raises(TruthError, match=r"camera yard: events\[0\].start: expected a time with an offset"):
        case_of_ledger(ledger, of_yard({"kind": "contact", "start": 18}))
    with pytest.raises(TruthError, match="camera yard: until: expected a time"):
        case_of_ledger(ledger, of_yard(until=60))


def test_a_time_without_analysed_footage_is_an_error(ledger: Ledger) -> None:
    late = {"from": "2026-11-25T00:00:00Z"}
    with pytest.raises(TruthError, match="expected analysed footage of yard"):
        case_of_ledger(ledger, of_yard(**late))
