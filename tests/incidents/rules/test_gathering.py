"""Gatherings: residents linked for a minute, while others join or leave."""

from __future__ import annotations

import pytest

from incidents.rules.events import Measure
from tests.incidents.rules.rule_scenes import (
    Person,
    dressed,
    incidents_of,
    judge,
    observe,
    scene,
    seconds,
    stay,
    tracks_of,
)
from zones.facility import Role

S = 1_000_000


def evaluate(*people: Person, hz: float = 2.0):
    """The gatherings of people who wear the clothes of residents, unless they wear others."""
    return incidents_of(scene(contact_pairs=()), dressed(people), hz)


def row(count: int, spacing_m: float, end: float = 60, first: int = 1, y: float = 6, **more) -> list[Person]:
    return [stay(first + i, 3 + spacing_m * i, y, 0, end, **more) for i in range(count)]


def times(finding):
    return seconds(finding.start, finding.end)


def test_three_residents_linked_by_less_than_two_metres_gather():
    (finding,) = evaluate(*row(3, 1.9))
    assert (finding.kind, finding.subkind, finding.zone) == ("gathering", "", None)
    # Its people change: the first one alone makes its identity.
    assert (finding.identity, tracks_of(finding)) == ((1,), (1, 2, 3))
    assert finding.measure == Measure("held_s", 60.0, 60.0)
    assert times(finding) == (0, 60)
    assert finding.severity == "medium"
    # The first and the third are 3.8 m apart and no link.
    assert finding.distance_median == pytest.approx(1.9, abs=0.0051)


@pytest.mark.parametrize(
    "people",
    [
        row(2, 1.0),
        row(3, 2.01),
        row(3, 1.0, end=59.5),
        [*row(2, 1.0), stay(9, 5, 6, 0, 60, clothes=Role.STAFF_PPE)],
        [*row(2, 1.0), stay(9, 5, 6, 0, 60, clothes=Role.UNKNOWN)],
    ],
    ids=["two", "too far", "too short", "staff", "unknown"],
)
def test_other_groups_are_not_a_gathering(people):
    assert evaluate(*people) == ()


def test_two_groups_are_two_findings():
    assert [tracks_of(f) for f in evaluate(*row(3, 1.5), *row(3, 1.5, first=11, y=11))] == [
        (1, 2, 3),
        (11, 12, 13),
    ]


def test_a_gathering_continues_while_members_change():
    people = [*row(2, 1.0, end=100), stay(3, 5, 6, 0, 50), stay(4, 5, 6.5, 40, 100)]
    (finding,) = evaluate(*people)
    assert times(finding) == (0, 100)
    # A member of 20 of the first 60 s is not counted among those who made the incident.
    assert tracks_of(finding) == (1, 2, 3)


def test_later_members_do_not_change_the_identity_of_an_incident():
    people = row(3, 1.0, end=60)
    later = [*row(3, 1.0, end=600), stay(9, 5, 6.5, 70, 600)]
    assert evaluate(*people)[0].id == evaluate(*later)[0].id


@pytest.mark.parametrize(("gap_s", "count"), [(3.0, 1), (3.5, 0)])
def test_a_loss_of_sight_of_three_seconds_is_bridged(gap_s, count):
    assert len(evaluate(*row(3, 1.0, gaps=[(30, 30 + gap_s)]))) == count


@pytest.mark.parametrize(("end", "count"), [(61, 0), (63, 1)])
def test_time_in_which_a_gathering_is_broken_up_does_not_count(end, count):
    people = [*row(2, 1.0, end=end), Person(3, [(0, 5, 6), (end, 5, 6)], gaps=[(30, 32)])]
    assert len(evaluate(*people)) == count


@pytest.mark.parametrize(("apart_s", "count"), [(60, 1), (60.5, 2)])
def test_gatherings_of_the_same_people_within_a_minute_are_one_incident(apart_s, count):
    people = row(3, 1.0, end=120 + apart_s, gaps=[(60, 60 + apart_s)])
    findings = evaluate(*people)
    assert len(findings) == count
    assert times(findings[-1])[1] == 120 + apart_s


def test_without_calibration_gathering_is_not_evaluated():
    seen = judge(scene(calibrated=False, contact_pairs=()), observe(dressed(row(3, 1.0)), 2.0))
    assert seen.findings == ()
    assert seen.notices == (
        "camera cam-1 is uncalibrated (no calibration points): gathering is not evaluated",
    )
