"""The health of a camera: how long it does not see, how severe that is, and what raises nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from incidents.rules.engine import CameraRules, CoverageChange, HealthReport
from incidents.rules.events import Event, EventType, Measure
from incidents.rules.health import least_outage_s
from tests.incidents.rules.rule_scenes import NOON, box_zone, judge, scene, seconds
from zones.facility import Place, ZoneType

S = 1_000_000
OPENED, ALERTED, EXTENDED, CORRECTED, CLOSED, WITHDRAWN = EventType
HALL = scene()


def at(second: float, state: str | None, cause: str = "") -> CoverageChange:
    return CoverageChange(NOON + round(second * S), state, cause)


def events(marks: Sequence[CoverageChange | HealthReport], end: float, facility=HALL) -> tuple[Event, ...]:
    """What happens until a second, before it."""
    return judge(facility, None, marks, NOON + round(end * S)).events


def told(found: Sequence[Event]) -> list[tuple[EventType, float, str]]:
    return [(event.type, *seconds(event.t), event.finding.severity) for event in found]


def test_a_camera_that_is_offline_for_a_minute_is_an_incident():
    found = events([at(0, "analysed"), at(10, "offline", "no route to host"), at(100, "analysed")], 300)
    assert told(found) == [
        (OPENED, 70, "low"),
        (ALERTED, 70, "low"),
        (EXTENDED, 130, "low"),
        (CLOSED, 160, "low"),
    ]
    opened, closed = found[0].finding, found[-1].finding
    assert (opened.kind, opened.subkind, opened.zone) == ("camera_health", "offline", None)
    assert (opened.people, opened.identity, opened.detector_confidence) == ((), (), None)
    assert opened.measure == Measure("lasted_s", 60.0, 60.0)
    assert opened.cause == "no route to host"
    assert seconds(closed.start, closed.end) == (10, 100)
    assert closed.measure.value == 90


@pytest.mark.parametrize(("end", "count"), [(69.9, 0), (70.1, 1)])
def test_a_shorter_outage_is_none(end, count):
    found = events([at(10, "offline"), at(end, "analysed")], 300)
    assert [event.type for event in found].count(OPENED) == count


def test_it_becomes_medium_in_an_extension_when_it_lasts_longer_than_five_minutes():
    found = events([at(0, "dark")], 440)
    # 300 s are not yet longer than five minutes.
    assert told(found) == [
        (OPENED, 60, "low"),
        (ALERTED, 60, "low"),
        (EXTENDED, 120, "low"),
        (EXTENDED, 180, "low"),
        (EXTENDED, 240, "low"),
        (EXTENDED, 300, "low"),
        (EXTENDED, 360, "medium"),
        (EXTENDED, 420, "medium"),
    ]


@pytest.mark.parametrize(
    ("facility", "state"),
    [
        (HALL, "covered"),
        (HALL, "moved"),
        (scene(box_zone("g", ZoneType.GATE, 1, 1, 4, 4)), "offline"),
        (scene(box_zone("g", ZoneType.PERIMETER, 1, 1, 4, 4)), "dark"),
        (scene().model_copy(update={"cameras": (scene().cameras[0].model_copy(
            update={"places": (Place.GATE,)}),)}), "blurred"),
    ],
    ids=["covered", "moved", "zone of a gate", "perimeter", "place"],
)  # fmt: skip
def test_a_camera_that_is_covered_or_at_a_gate_is_severe_at_once(facility, state):
    least = least_outage_s(state)
    found = events([at(0, state)], 61, facility)
    assert told(found)[:2] == [(OPENED, least, "high"), (ALERTED, least, "high")]


@pytest.mark.parametrize(
    ("state", "least"),
    [
        ("offline", 60),
        ("undecodable", 60),
        ("dark", 60),
        ("blurred", 30),
        ("frozen", 10),
        ("moved", 10),
        ("covered", 5),
    ],
)
def test_each_state_has_a_threshold_of_its_own(state, least):
    assert not events([at(0, state), at(least - 0.1, "analysed")], 300)
    [opened, *_] = events([at(0, state), at(least + 0.1, "analysed")], 300)
    assert (opened.type, *seconds(opened.t)) == (OPENED, least)
    assert opened.finding.measure == Measure("lasted_s", least, least)
    assert opened.finding.thresholds["min_outage_s"] == least


@pytest.mark.parametrize("state", ["analysed", "idle", "planned"])
def test_planned_maintenance_and_seeing_raise_nothing(state):
    assert events([at(0, state)], 3000) == ()


def test_maintenance_that_is_planned_meanwhile_ends_an_outage():
    found = events([at(0, "offline"), at(90, "planned"), at(900, "analysed")], 1000)
    assert told(found) == [
        (OPENED, 60, "low"),
        (ALERTED, 60, "low"),
        (EXTENDED, 120, "low"),
        (CLOSED, 150, "low"),
    ]
    assert seconds(found[-1].finding.end) == (90,)


def test_an_outage_that_flaps_is_one_incident():
    # 40 s offline, 20 s seen, again and again: a minute offline is reached at 80 s.
    marks = [at(60 * i + s, state) for i in range(5) for s, state in ((0, "offline"), (40, "analysed"))]
    found = events(marks, 600)
    opened = [event for event in found if event.type is OPENED]
    assert [seconds(event.t, event.finding.start) for event in opened] == [(80, 0)]
    assert (found[-1].type, *seconds(found[-1].t, found[-1].finding.end)) == (CLOSED, 340, 280)
    assert found[-1].finding.measure.value == 200


def test_outages_more_than_a_minute_apart_are_two_incidents():
    found = events([at(0, "offline"), at(70, "analysed"), at(130.1, "offline"), at(200, "analysed")], 600)
    assert [seconds(event.t)[0] for event in found if event.type is CLOSED] == [130, 260]


def test_two_states_in_turn_are_two_incidents():
    found = events([at(0, "frozen"), at(70, "covered")], 200)
    assert [(event.finding.subkind, *seconds(event.t)) for event in found if event.type is OPENED] == [
        ("frozen", 10),
        ("covered", 75),
    ]
    assert len({event.incident for event in found}) == 2


def test_it_alerts_again_every_ten_minutes():
    found = events([at(0, "offline")], 1300)
    assert [seconds(event.t)[0] for event in found if event.type is ALERTED] == [60, 660, 1260]
    assert seconds(*found[-1].finding.alerts) == (60, 660, 1260)


def test_a_clock_that_is_off_is_an_incident_at_once():
    begins, ends = (
        HealthReport(NOON + s * S, "clock", failing, "3 s ahead") for s, failing in ((10, True), (50, False))
    )
    found = events([begins, ends], 300)
    assert told(found) == [
        (OPENED, 10, "low"),
        (ALERTED, 10, "low"),
        (EXTENDED, 70, "low"),
        (CLOSED, 110, "low"),
    ]
    assert (found[0].finding.subkind, found[0].finding.cause) == ("clock", "3 s ahead")


def test_an_outage_at_the_end_of_the_footage_is_open():
    rules = CameraRules(HALL, "cam-1")
    found = rules.advance(NOON + 100 * S, marks=[at(0, "offline")]).events
    assert [event.type for event in found] == [OPENED, ALERTED]
    (state,) = rules.open_state().events
    assert (state.incident, *seconds(state.finding.end)) == (found[0].incident, 100)


def test_time_without_footage_is_no_outage():
    assert events([at(0, "offline"), at(50, None)], 1000) == ()
    found = events([at(0, "offline"), at(70, None)], 1000)
    assert told(found)[-1] == (CLOSED, 130, "low")
    assert seconds(found[-1].finding.end) == (70,)
