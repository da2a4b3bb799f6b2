"""A belief that changes moves an incident to another machine, takes it back, or raises it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from incidents.rules.engine import CameraRules, FacilityChange
from incidents.rules.events import Event, EventType
from tests.incidents.rules.rule_scenes import (
    NOON,
    Person,
    box_zone,
    events_of,
    judge,
    observe,
    scene,
    seconds,
    stay,
)
from zones.facility import Facility, MaskRule, Pair, Role, Rules, ZoneType

S = 1_000_000
CARE = box_zone("care", ZoneType.CARE_STATION, 2, 2, 9, 8)
ROOMS = box_zone("rooms", ZoneType.COMMON, 12, 5.5, 14, 6.5, origin_role=Role.RESIDENT, origin_confidence=0.9)
WARD = scene(CARE, ROOMS, default_role=Role.STAFF_PPE, contact_pairs=tuple(Pair))
OPENED, ALERTED, EXTENDED, CORRECTED, CLOSED, WITHDRAWN = EventType


def reads(*steps: tuple[float, Role | None]) -> Callable[[float], Role | None]:
    """What the clothes are read as, from each second on."""
    return lambda at: next((role for second, role in reversed(steps) if at >= second), None)


def bare(second: float) -> str:
    return "unmasked" if abs(2 * second - round(2 * second)) < 1e-6 else "not_sampled"


def told(events: tuple[Event, ...]) -> list[tuple[EventType, float]]:
    return [(event.type, *seconds(event.t)) for event in events]


@pytest.mark.parametrize("at", [16, 20, 30])
@pytest.mark.parametrize("role", [Role.STAFF_NO_PPE, Role.OUTSIDER])
def test_contact_of_a_nurse_who_is_none_goes_on_as_the_same_incident(at: int, role: Role) -> None:
    nurse = stay(1, 11, 6, 0, 40, clothes=reads((at, role)))
    seen = observe([nurse, stay(7, 12.5, 6, 0, 40)])
    events = judge(WARD, seen).events
    assert len({event.incident for event in events}) == 1
    assert told(events)[:3] == [(OPENED, 10), (ALERTED, 10), (CORRECTED, at)]
    assert [event.type for event in events].count(OPENED) == 1 and events[-1].type is CLOSED
    first, corrected = events[0].finding, events[2].finding
    assert [person.role for person in corrected.people] == [role, "resident"]
    assert (first.severity, corrected.severity) == ("medium", "high")
    assert (corrected.opened, corrected.start) == (first.opened, first.start)
    assert events[-1].finding.end == NOON + 40 * S

    rules = CameraRules(WARD, "cam-1")
    rules.advance(NOON + 45 * S, seen)
    (open_,) = rules.open_state().events
    assert open_.finding.id == events[0].incident and open_.finding.severity == "high"


@pytest.mark.parametrize(
    ("before", "after"), [(Role.STAFF_PPE, Role.RESIDENT), (Role.RESIDENT, Role.STAFF_PPE)]
)
def test_a_mask_that_is_absent_stays_the_same_incident_where_other_samples_count(
    before: Role, after: Role
) -> None:
    person = stay(1, 12, 6, 0, 60, masks=bare, clothes=reads((30, after)))
    events = events_of(scene(CARE, default_role=before), [person], hz=10)
    assert len({event.incident for event in events}) == 1
    assert [event.type for event in events if event.type is not EXTENDED] == [
        OPENED,
        ALERTED,
        CORRECTED,
        CLOSED,
    ]


def test_a_mask_that_was_absent_is_corrected_after_its_end_and_not_opened_again() -> None:
    person = Person(
        1,
        [(0, 12, 6), (200, 12, 6)],
        masks=lambda at: bare(at) if at < 20 else "not_sampled",
        clothes=reads((120, Role.RESIDENT)),
    )
    events = events_of(scene(CARE, default_role=Role.STAFF_PPE), [person], hz=10)
    assert len({event.incident for event in events}) == 1
    types = [event.type for event in events if event.type is not EXTENDED]
    assert types == [OPENED, ALERTED, CLOSED, CORRECTED]
    assert events[-1].finding.people[0].role == "resident"


def test_an_incident_of_another_id_is_withdrawn_first_and_names_what_replaces_it() -> None:
    """Contact in the care station and then beside it: as care the second part alone counts."""
    nurse = Person(
        1, [(0, 7.5, 6), (15, 7.5, 6), (16, 11, 6), (60, 11, 6)], clothes=reads((40, Role.STAFF_PPE))
    )
    resident = Person(7, [(0, 6, 6), (15, 6, 6), (16, 12.5, 6), (60, 12.5, 6)])
    events = events_of(scene(CARE, default_role=Role.RESIDENT, contact_pairs=tuple(Pair)), [nurse, resident])
    now = [event for event in events if event.t == NOON + 40 * S]
    assert [event.type for event in now] == [WITHDRAWN, OPENED, ALERTED]
    old, new = now[0], now[1]
    assert old.incident == events[0].incident != new.incident
    assert (old.replaced_by, new.replaces) == (new.incident, (old.incident,))
    assert events[-1].type is CLOSED and events[-1].incident == new.incident


def changed(kind: str) -> tuple[Facility, Facility, list[Person]]:
    """A facility, another one that ends the incident of the people, who are found to be staff at 30 s."""
    clothes = reads((30, Role.STAFF_PPE))
    if kind == "zone":
        one, other = (
            scene(box_zone("z", ZoneType.STAFF_ONLY, 4, 4, x, 8), default_role=Role.RESIDENT) for x in (8, 9)
        )
        return one, other, [stay(1, 6, 6, 0, 60, clothes=clothes)]
    if kind == "removed zone":
        one = scene(box_zone("z", ZoneType.STAFF_ONLY, 4, 4, 8, 8), default_role=Role.RESIDENT)
        return one, scene(default_role=Role.RESIDENT), [stay(1, 6, 6, 0, 60, clothes=clothes)]
    one, other = (
        scene(
            contact_pairs=(Pair.RESIDENT_RESIDENT,),
            default_role=Role.RESIDENT,
            rules=Rules(mask=MaskRule(min_samples=samples)),
        )
        for samples in (8, 9)
    )
    return one, other, [stay(1, 5.5, 6, 0, 60, clothes=clothes), stay(7, 7, 6, 0, 60)]


@pytest.mark.parametrize("kind", ["zone", "removed zone", "contact"])
def test_an_incident_that_a_change_of_the_facility_file_closed_is_judged_by_what_is_learnt_later(
    kind: str,
) -> None:
    one, other, people = changed(kind)
    events = events_of(one, people, marks=[FacilityChange(NOON + 20 * S, other)])
    mine = [event for event in events if event.incident == events[0].incident]
    assert told(tuple(mine)) == [
        (OPENED, mine[0].t / S - NOON / S),
        *told(tuple(mine[1:2])),
        (CLOSED, 20),
        (WITHDRAWN, 30),
    ]
    assert mine[-1].reason == "the person is now believed to be staff_ppe: it was no incident"


def test_a_change_of_the_facility_file_takes_no_incident_back_whose_roles_stay() -> None:
    one, other, people = changed("zone")
    events = events_of(
        one,
        [replace(people[0], clothes=reads((30, Role.RESIDENT)))],
        marks=[FacilityChange(NOON + 20 * S, other)],
    )
    mine = [event.type for event in events if event.incident == events[0].incident]
    assert mine == [OPENED, ALERTED, CLOSED, CORRECTED]


@pytest.mark.parametrize("by", ["clothes", "facility file"])
def test_a_closed_incident_that_was_withdrawn_is_raised_again_when_the_belief_returns(by: str) -> None:
    staff, resident = Role.STAFF_PPE, Role.RESIDENT
    zone = box_zone("z", ZoneType.STAFF_ONLY, 4, 4, 8, 8)
    there = Person(1, [(0, 6, 6), (20, 6, 6), (21, 14, 6), (300, 14, 6)])
    place, marks = scene(zone, default_role=resident), []
    if by == "clothes":
        there = replace(there, clothes=reads((100, staff), (106, resident)))
    else:
        marks = [
            FacilityChange(NOON + 100 * S, scene(zone, default_role=staff)),
            FacilityChange(NOON + 130 * S, place),
        ]
    events = events_of(place, [there], marks=marks)
    assert len({event.incident for event in events}) == 1
    types = [event.type for event in events if event.type is not CORRECTED]
    assert types == [OPENED, ALERTED, EXTENDED, CLOSED, WITHDRAWN, OPENED, ALERTED, CLOSED]
    again = events[-1] if by != "clothes" else next(e for e in reversed(events) if e.type is CLOSED)
    assert (again.finding.start, again.finding.end) == (events[3].finding.start, events[3].finding.end)
