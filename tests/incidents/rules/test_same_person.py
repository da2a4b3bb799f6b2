"""A reviewer finds two tracks to be one person: what was told of the two is taken back or goes on."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from incidents.rules.engine import Advance, CameraRules, SamePerson
from incidents.rules.events import EventType
from tests.incidents.rules.rule_scenes import (
    NOON,
    RESIDENTS,
    Person,
    box_zone,
    judge,
    observe,
    scene,
    stay,
)
from zones.facility import Pair, Role, Rules, ZoneType

S = 1_000_000
CARE = box_zone("care", ZoneType.CARE_STATION, 2, 2, 9, 8)
NURSES = box_zone(
    "nurses", ZoneType.COMMON, 2, 5.5, 6.5, 6.5, origin_role=Role.STAFF_PPE, origin_confidence=0.9
)
WARD = scene(CARE, NURSES, **RESIDENTS)
YARD = scene(contact_pairs=(Pair.RESIDENT_RESIDENT,), **RESIDENTS)


def apart_from(second: float) -> list[Person]:
    """Two people near each other until a moment, and in view until 400 s."""
    return [
        stay(1, 5.5, 6, 0, 400),
        Person(7, [(0, 7, 6), (second, 7, 6), (second + 1, 14, 6), (400, 14, 6)]),
    ]


@pytest.mark.parametrize("known", [25, 200])
def test_a_contact_of_one_person_is_withdrawn(known: int) -> None:
    """While it lasts, and when it is over."""
    events = judge(YARD, observe(apart_from(30)), [SamePerson(NOON + known * S, 1, 7)]).events
    assert [event.type for event in events][-1] is EventType.WITHDRAWN
    assert events[-1].t == NOON + known * S and "to be one person" in events[-1].reason
    assert len({event.incident for event in events}) == 1


@pytest.mark.parametrize("known", [25, 200])
def test_care_of_one_person_is_withdrawn(known: int) -> None:
    result = judge(WARD, observe(apart_from(30)), [SamePerson(NOON + known * S, 1, 7)])
    assert result.entries == () and len(result.withdrawn) == 1


def test_an_incident_that_is_over_does_not_end_the_one_that_goes_on() -> None:
    """Short contacts of tracks 1 and 7 keep their incident open while that of 1 and 8 goes on."""

    def now_and_then(at: np.ndarray) -> np.ndarray:
        away = np.zeros((len(at), 2))
        away[(at > 19.5) & (((at - 19.6) % 2.8) > 0.3), 0] = 1.4
        return away

    seventh = [(0, 6, 6), (12, 6, 6), (12.2, 10, 6), (19.4, 10, 6), (19.6, 6, 6), (33, 6, 6)]
    people = [stay(1, 5, 6, 0, 80), Person(7, seventh, jitter=now_and_then), stay(8, 5, 7.2, 20.4, 80)]
    place = scene(contact_pairs=(Pair.RESIDENT_RESIDENT,), rules=Rules(merge_s=8.0), **RESIDENTS)
    result = judge(place, observe(people), [SamePerson(NOON + 31_900_000, 7, 8)])
    spans = [((found.start - NOON) / S, (found.end - NOON) / S) for found in result.findings]
    assert spans == [(0.0, 12.0), (20.4, 80.0)]


@pytest.mark.parametrize("known", [11, 15, 19])
def test_a_fact_gives_the_same_after_a_saved_state(known: int) -> None:
    """Track 90 begins too far away to be linked to track 7, which was lost before."""
    people = [stay(1, 5.5, 6, 0, 60), stay(7, 6.5, 6, 0, 6), Person(90, [(8.4, 7.0, 6.9), (20, 7.0, 6.9)])]
    seen, fact = observe(people), SamePerson(NOON + known * S, 7, 90)
    whole = CameraRules(YARD, "cam-1").advance(NOON + 400 * S, seen, [fact])
    rules, parts = CameraRules(YARD, "cam-1"), Advance()
    moment = pl.col("t").dt.timestamp("us")
    parts.events += rules.advance(fact.t, seen.filter(moment < fact.t)).events
    rules = CameraRules.restore(rules.save(), YARD, "cam-1")
    parts.events += rules.advance(NOON + 400 * S, seen.filter(moment >= fact.t), [fact]).events
    assert parts.events == whole.events
