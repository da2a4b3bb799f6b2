"""The exposure log: entered on the belief of the moment, and taken back when more is known."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from incidents.rules.engine import CameraRules, FacilityChange, SamePerson
from incidents.rules.exposure import Exposure
from tests.incidents.rules.rule_scenes import NOON, Person, Seen, box_zone, judge, observe, scene, stay
from zones.facility import Pair, Role, Rules, ZoneType

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


def test_an_entry_is_withdrawn_when_one_of_the_two_turns_out_to_be_another_person() -> None:
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


def in_parts(place, people: list[Person], hz: float, cuts: list[int], end: int) -> list[Exposure]:
    """The entries as they are written, where the state is saved and restored at every cut."""
    seen, moment = observe(people, hz), pl.col("t").dt.timestamp("us")
    rules, since, written = CameraRules(place, "cam-1"), NOON, []
    for until in [NOON + second * S for second in (*cuts, end)]:
        written += rules.advance(until, seen.filter((moment >= since) & (moment < until))).exposures
        rules, since = CameraRules.restore(rules.save(), place, "cam-1"), until
        rules.open_state()
    return written


LONG = scene(CARE, NURSES, default_role=Role.RESIDENT, contact_pairs=tuple(Pair))
LEAVES = [
    Person(1, [(0, 5.5, 6), (940, 5.5, 6), (941, 5.5, 1), (1100, 5.5, 1)]),
    Person(7, [(0, 7, 6), (940, 7, 6), (941, 14, 9), (1100, 14, 9)]),
]


@pytest.mark.parametrize("others", [0, 3])
def test_long_care_is_over_when_its_incident_is_closed_and_the_state_can_be_saved_then(others: int) -> None:
    """The slot of the pair is freed; with other pairs before it, the saved table is shorter than that."""
    early = [stay(2 + n, 15 - n / 2, 1, 0, 10) for n in range(others)]
    late = [replace(one, knots=[(max(t, 0.5), x, y) for t, x, y in one.knots]) for one in LEAVES]
    people = early + (late if others else LEAVES)
    whole = in_parts(LONG, people, 2.0, [], 1300)
    assert (whole[-1].end, whole[-1].exceeded, whole[-1].withdrawn) == (NOON + 940 * S, True, None)
    assert in_parts(LONG, people, 2.0, list(range(960, 1100, 10)), 1300) == whole


@pytest.mark.parametrize("late", [1016, 1040, 1064])
def test_long_care_that_was_none_is_withdrawn_from_a_saved_state_too(late: int) -> None:
    people = [LEAVES[0], replace(LEAVES[1], clothes=read_from(late, Role.OUTSIDER))]
    whole = in_parts(LONG, people, 2.0, [], 1300)
    assert whole[-1].withdrawn == "the person is now believed to be outsider"
    assert in_parts(LONG, people, 2.0, list(range(960, 1100, 20)), 1300) == whole


def test_the_slot_of_a_pair_is_used_again_by_others_who_have_no_entry() -> None:
    others = [
        Person(30, [(1003, 8.5, 3), (1200, 8.5, 3)]),
        Person(31, [(1003, 14, 4.2), (1014.5, 14, 4.2), (1015, 8.5, 4.2), (1200, 8.5, 4.2)]),
    ]
    written = in_parts(LONG, [*LEAVES, *others], 2.0, [], 1500)
    assert {tuple(person.track for person in entry.people) for entry in written} == {(1, 7)}
    assert written[-1].end == NOON + 940 * S


SHORT = scene(CARE, NURSES, default_role=Role.RESIDENT, rules=Rules(merge_s=8.0))


def comes_back(apart: float, back: float, until: float, **more) -> Person:
    """A resident who is at the nurse until `apart`, and again from `back` on."""
    knots = [(0, 7, 6), (apart, 7, 6), (apart + 0.2, 14, 6), (back, 14, 6), (back + 0.2, 7, 6), (until, 7, 6)]
    return Person(7, knots, **more)


def test_care_that_is_followed_by_other_care_is_entered_to_its_end() -> None:
    result = judge(SHORT, observe([stay(1, 5.5, 6, 0, 120), comes_back(40, 50, 70)]))
    assert [(entry.start - NOON, entry.end - NOON) for entry in result.entries] == [
        (0, 40 * S),
        (50.2 * S, 70 * S),
    ]
    once = judge(SHORT, observe([stay(1, 5.5, 6, 0, 120), comes_back(40, 300, 301)]))
    assert once.entries == result.entries[:1]


@pytest.mark.parametrize("late", [50.0, 50.2, 50.4])
def test_both_entries_are_withdrawn_when_the_role_changes_as_the_second_begins(late: float) -> None:
    resident = comes_back(20, 40, 80, clothes=read_from(late, Role.STAFF_NO_PPE))
    result = judge(SHORT, observe([stay(1, 5.5, 6, 0, 120), resident]))
    assert result.entries == ()
    assert (result.withdrawn[0].start, result.withdrawn[0].end) == (NOON, NOON + 20 * S)
    reasons = {entry.withdrawn for entry in result.withdrawn}
    assert reasons == {"the person is now believed to be staff_no_ppe"}


@pytest.mark.parametrize(("lost", "returns"), [(30, 50), (150, 200)])
def test_an_entry_holds_again_when_the_belief_returns(lost: int, returns: int) -> None:
    apart = Person(7, [(0, 7, 6), (20, 7, 6), (21, 14, 6), (300, 14, 6)])
    other = scene(CARE, NURSES, default_role=Role.STAFF_NO_PPE)
    marks = [FacilityChange(NOON + lost * S, other), FacilityChange(NOON + returns * S, WARD)]
    nurse = stay(1, 5.5, 6, 0, 300)
    assert len(run(nurse, apart, marks=marks[:1]).withdrawn) == 1
    (entry,) = run(nurse, apart, marks=marks).entries
    assert (entry.start, entry.end) == (NOON, NOON + 20 * S)
