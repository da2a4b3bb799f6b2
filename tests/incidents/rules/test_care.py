"""The exposure log: entered on the belief of the moment, and taken back when more is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from incidents.rules.engine import SamePerson
from tests.incidents.rules.rule_scenes import NOON, Person, Seen, box_zone, judge, observe, scene, stay
from zones.facility import Role, ZoneType

S = 1_000_000
CARE = box_zone("care", ZoneType.CARE_STATION, 2, 2, 9, 8)
NURSES = box_zone(
    "nurses", ZoneType.COMMON, 2, 5.5, 6.5, 6.5, origin_role=Role.STAFF_PPE, origin_confidence=0.9
)
WARD = scene(CARE, NURSES, default_role=Role.RESIDENT)
NURSE, RESIDENT = stay(1, 5.5, 6, 0, 30), stay(7, 7, 6, 0, 30)


def run(*people: Person, marks=()) -> Seen:
    return judge(WARD, observe(people, 5.0), marks)


def read_from(second: float, role: Role):
    return lambda at: role if at >= second else None


def test_care_is_entered_once() -> None:
    result = run(NURSE, RESIDENT)
    (entry,) = result.entries
    assert [person.role for person in entry.people] == ["staff_ppe", "resident"]
    assert (entry.start, entry.end, result.withdrawn) == (NOON, NOON + 30 * S, ())


def test_an_entry_is_withdrawn_when_one_of_the_two_turns_out_to_be_somebody_else() -> None:
    result = run(NURSE, replace(RESIDENT, clothes=read_from(20, Role.STAFF_NO_PPE)))
    assert result.entries == ()
    (entry,) = result.withdrawn
    assert entry.start == NOON and entry.withdrawn == "the person is now believed to be staff_no_ppe"


@pytest.mark.parametrize("late", [30, 200])
def test_an_entry_is_withdrawn_also_after_the_contact_while_both_are_known(late: int) -> None:
    apart = Person(7, [(0, 7, 6), (20, 7, 6), (24, 14, 6), (300, 14, 6)], read_from(late, Role.OUTSIDER))
    result = run(replace(NURSE, knots=[(0, 5.5, 6), (300, 5.5, 6)]), apart)
    assert result.entries == ()
    (entry,) = result.withdrawn
    assert NOON + 20 * S <= entry.end < NOON + 24 * S and entry.people[1].role == "outsider"


def test_an_entry_says_what_the_roles_rest_on_last() -> None:
    (entry,) = run(NURSE, replace(RESIDENT, clothes=read_from(20, Role.RESIDENT))).entries
    assert [person.basis.value for person in entry.people] == ["zone of origin", "clothes"]


def test_contact_that_turns_out_to_be_care_is_entered_from_its_start() -> None:
    nurse = replace(stay(1, 8.5, 6, 0, 30), clothes=read_from(10, Role.STAFF_PPE))
    (entry,) = run(nurse, RESIDENT).entries
    assert (entry.start, entry.end) == (NOON, NOON + 30 * S)


def test_two_tracks_that_a_reviewer_finds_to_be_one_person_have_one_entry() -> None:
    """Both tracks are at the care station at once, as when a detector sees one person twice."""
    twice = stay(8, 7.1, 6, 8, 30)
    apart = run(NURSE, RESIDENT, twice)
    assert len(apart.entries) == 2 and apart.withdrawn == ()
    joined = run(NURSE, RESIDENT, twice, marks=[SamePerson(NOON + 25 * S, 7, 8)])
    assert [entry.start for entry in joined.entries] == [NOON]
    (entry,) = joined.withdrawn
    assert [person.track for person in entry.people] == [1, 8] and "to be one person" in str(entry.withdrawn)
