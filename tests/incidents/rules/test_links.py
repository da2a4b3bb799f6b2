"""Links between tracklets: one person under two ids, or two persons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from incidents.rules.events import Event, EventType
from tests.incidents.rules.rule_scenes import (
    NOON,
    RESIDENTS,
    Person,
    box_zone,
    dressed,
    events_of,
    incidents_of,
    scene,
    seconds,
    stay,
)
from zones.facility import Pair, Role, Rules, ZoneRule, ZoneType

S = 1_000_000
EVERYWHERE = box_zone("floor", ZoneType.PERIMETER, 0, 0, 16, 12)
"""Everyone in view raises an incident here, within half a second."""
SOON = Rules(zone=ZoneRule(hysteresis_m=0.05, hysteresis_frame=0.005, dwell_gate_s=0.2))


def seen_everywhere(*people: Person, calibrated: bool = True) -> tuple[Event, ...]:
    return events_of(scene(EVERYWHERE, rules=SOON, calibrated=calibrated), people)


def linked_to(*people: Person, calibrated: bool = True) -> dict[int, int]:
    """The first track of the person of each track, as the events tell it.

    A link withdraws the incident of the later tracklet in favour of that of the person.
    """
    track_of: dict[str, int] = {}
    first: dict[int, int] = {}
    for event in seen_everywhere(*people, calibrated=calibrated):
        (track,) = event.finding.identity
        if event.type is EventType.OPENED:
            track_of[event.incident] = first[track] = track
        elif event.type is EventType.WITHDRAWN:
            first[track] = track_of[event.replaced_by or ""]
    assert set(first) == {person.track for person in people}
    for track in first:
        while first[first[track]] != first[track]:
            first[track] = first[first[track]]
    return first


@pytest.mark.parametrize(
    ("second", "linked"),
    [
        (stay(2, 6.9, 6, 12, 20), True),
        (stay(2, 7.1, 6, 12, 20), False),
        (stay(2, 6, 6, 13, 20), True),
        (stay(2, 6, 6, 13.2, 20), False),
        (stay(2, 6, 6, 10, 20), False),
    ],
    ids=["near", "too far", "in time", "too late", "at the same instant"],
)
def test_a_tracklet_that_begins_soon_and_near_is_linked_to(second, linked):
    assert linked_to(stay(5, 6, 6, 0, 10), second) == {5: 5, 2: 5 if linked else 2}


@pytest.mark.parametrize(("metres", "linked"), [(0.8, True), (0.82, False)])
def test_without_calibration_the_limit_is_half_the_height_of_the_box(metres, linked):
    people = stay(5, 6, 6, 0, 10), stay(2, 6 + metres, 6, 12, 20)
    assert (linked_to(*people, calibrated=False)[2] == 5) is linked


@pytest.mark.parametrize("calibrated", [True, False], ids=["calibrated", "uncalibrated"])
@pytest.mark.parametrize(
    ("knots", "linked"),
    [
        ([(12, 8.8, 6), (16, 14.4, 6)], True),
        ([(12, 8.8, 3), (16, 14.4, 3)], False),
        ([(12, 8.8, 6), (20, 8.8, 6)], True),
        ([(12, 6, 6), (20, 6, 6)], True),
        ([(12, 3.2, 6), (14, 0.4, 6)], True),
        ([(12, 2, 6), (20, 2, 6)], False),
        ([(12, 10.9, 6), (14, 14.4, 6)], False),
    ],
    ids=[
        "walks on",
        "walks elsewhere",
        "walked on and stopped",
        "stopped at once",
        "turned back",
        "too far back",
        "too far on",
    ],
)
def test_a_walking_person_is_linked_where_the_walk_leads(knots, linked, calibrated):
    walker = Person(5, [(7, 1.8, 6), (10, 6, 6)])  # 1.4 m/s
    assert (linked_to(walker, Person(2, knots), calibrated=calibrated)[2] == 5) is linked


def test_the_better_of_two_links_is_used_if_it_is_clearly_better():
    gone = stay(1, 6, 6, 0, 10)
    found = linked_to(gone, stay(2, 6.1, 6, 12, 20), stay(3, 6.9, 6, 11, 20))
    assert found == {1: 1, 2: 1, 3: 3}


def test_two_switches_in_a_row_are_not_ambiguous():
    assert set(linked_to(stay(1, 6, 6, 0, 10), stay(2, 6, 6, 11, 12), stay(3, 6, 6, 12.8, 20)).values()) == {
        1
    }


def test_several_tracklets_form_a_chain():
    people = [stay(9 - i, 6, 6, 10 * i, 10 * i + 8) for i in range(4)]
    assert set(linked_to(*people).values()) == {9}


def test_an_ambiguous_link_is_not_used():
    gone = stay(1, 6, 6, 0, 10)
    assert len(set(linked_to(gone, stay(2, 6.5, 6, 12, 20), stay(3, 5.5, 6, 11, 20)).values())) == 3
    assert len(set(linked_to(gone, stay(2, 6.5, 6, 0, 9), stay(3, 6.2, 6, 11, 20)).values())) == 3


def test_tracklets_at_the_edge_of_the_frame_are_not_linked_to():
    assert linked_to(stay(5, 0.2, 6, 0, 10), stay(2, 0.2, 6, 12, 20))[2] == 2


def test_a_tracklet_whose_clothes_are_not_read_has_the_role_that_was_read_before():
    # The role is a belief about the person, from all that was seen under any of the ids.
    people = stay(5, 6, 6, 0, 8, clothes=Role.RESIDENT), stay(2, 6, 6, 10, 18)
    closed = seen_everywhere(*people)[-1]
    assert (closed.type, closed.finding.end) == (EventType.CLOSED, NOON + 18 * S)
    assert [(one.track, one.role) for one in closed.finding.people] == [(5, "resident")]


def test_a_tracklet_with_another_certain_role_is_another_person():
    resident = stay(5, 6, 6, 0, 10, clothes=Role.RESIDENT)
    zone = box_zone("ward", ZoneType.STAFF_ONLY, 4, 4, 8, 8)
    nurse = stay(2, 6, 6, 12, 20, clothes=Role.STAFF_PPE)
    (finding,) = incidents_of(scene(zone), [resident, nurse])
    assert seconds(finding.start, finding.end) == (0, 10)
    # A reading that is less sure than the role of the earlier tracklet does not part them.
    doubtful = {
        "role_resident": 0.14,
        "role_staff_ppe": 0.6,
        "role_staff_no_ppe": 0.13,
        "role_outsider": 0.13,
    }
    (finding,) = incidents_of(scene(zone), [resident, stay(2, 6, 6, 12, 13.4, extra=doubtful)])
    assert seconds(finding.start, finding.end) == (0, 13.4)


def test_a_stay_under_two_ids_is_one_incident_of_the_first():
    zone = box_zone("staff", ZoneType.STAFF_ONLY, 4, 4, 8, 8)
    people = stay(5, 6, 6, 0, 1.2), stay(2, 6, 6.2, 2, 3)
    (finding,) = incidents_of(scene(zone), dressed(people))
    assert finding.identity == (5,)
    assert seconds(finding.start, finding.end, finding.opened) == (0, 3, 3)
    # Neither part is long enough.
    assert (
        incidents_of(scene(zone), dressed(people[:1])) == incidents_of(scene(zone), dressed(people[1:])) == ()
    )


def test_a_link_is_decided_a_second_after_the_start_of_the_new_track():
    people = stay(5, 6, 6, 0, 10), stay(2, 6, 6, 12, 20)
    events = seen_everywhere(*people)
    first, later = (event for event in events if event.type is EventType.OPENED)
    assert (first.finding.identity, later.finding.identity) == ((5,), (2,))
    assert seconds(first.t, later.t) == (0.4, 12.4)
    (withdrawn,) = (event for event in events if event.type is EventType.WITHDRAWN)
    assert (withdrawn.incident, withdrawn.replaced_by) == (later.incident, first.incident)
    assert withdrawn.reason == "the person is the one of an earlier incident, which goes on"
    assert seconds(withdrawn.t) == (13,)
    assert events[-1].incident == first.incident and seconds(events[-1].finding.end) == (20,)


def test_an_incident_that_the_link_makes_begin_earlier_replaces_that_of_the_later_track():
    # The first tracklet alone is too short for an incident.
    people = stay(5, 6, 6, 0, 0.2), stay(2, 6, 6, 1, 9)
    events = seen_everywhere(*people)
    early, late = (event for event in events if event.type is EventType.OPENED)
    assert (early.finding.identity, late.finding.identity) == ((2,), (5,))
    assert seconds(early.t, late.t, late.finding.start) == (1.4, 2, 0)
    (withdrawn,) = (event for event in events if event.type is EventType.WITHDRAWN)
    assert (withdrawn.incident, withdrawn.replaced_by) == (early.incident, late.incident)
    assert late.replaces == (early.incident,)


BREAKS = st.lists(st.tuples(st.floats(1, 46), st.floats(0.2, 2.0)), max_size=6)


def broken(
    track: int, knots: Sequence[tuple[float, float, float]], gaps: list[tuple[float, float]]
) -> list[Person]:
    """A person whose track ends at each gap (start, length, s), and begins anew after it under another id.

    Tracklets shorter than a second are left out: a tracker that loses people so often tracks no one.
    """
    times, xs, ys = (np.array(column, dtype=float) for column in zip(*knots, strict=True))
    tracklets, start = [], times[0]
    for begin, length in sorted(gaps):
        if begin - start >= 1 and begin + length <= times[-1] - 1:
            tracklets.append((start, begin))
            start = begin + length
    people = []
    for number, (low, high) in enumerate([*tracklets, (start, times[-1])]):
        inner = [t for t in times if low < t < high]
        at = [
            (t, float(np.interp(t, times, xs)), float(np.interp(t, times, ys))) for t in (low, *inner, high)
        ]
        people.append(Person(100 * track + number, at))
    return people


WALK = [(0, 2, 6), (3, 6, 6), (20, 6, 6.3), (25, 12, 6), (36, 12, 9), (42, 5, 9), (47, 5, 5), (55, 5, 5)]
MATE = [(0, 2, 11), (5, 6, 7.2), (30, 6.4, 7.3), (34, 12, 8), (42, 12.3, 8), (47, 14.8, 11)]


@settings(max_examples=40, deadline=None)
@given(BREAKS, BREAKS)
@example([], [(42.75, 2.0)])
def test_episodes_do_not_depend_on_where_tracks_are_broken(one, other):
    zones = box_zone("staff", ZoneType.STAFF_ONLY, 4, 4, 8, 8), box_zone("gate", ZoneType.GATE, 10, 4, 14, 10)
    facility = scene(*zones, contact_pairs=(Pair.RESIDENT_RESIDENT,), **RESIDENTS)

    def result_for(people: list[Person]) -> list[tuple[object, ...]]:
        found = (f for f in incidents_of(facility, people) if f.kind != "gathering")
        return sorted((f.kind, f.zone or "", len(f.people), f.start, f.end) for f in found)

    # Two people lost beside each other at once are in doubt, which is for appearance to settle.
    other = [(t, length) for t, length in other if all(abs(t - when) > 6 for when, _ in one)]
    whole = result_for([Person(100, WALK), Person(200, MATE)])
    tracklets = result_for([*broken(1, WALK, one), *broken(2, MATE, other)])
    assert len(whole) >= 4
    assert [row[:3] for row in tracklets] == [row[:3] for row in whole]
    for was, now in zip(whole, tracklets, strict=True):
        # An event that begins or ends out of sight has the time of the next sample.
        assert abs(was[3] - now[3]) <= 2_200_000 and abs(was[4] - now[4]) <= 2_200_000  # type: ignore[operator]


@pytest.mark.parametrize("end", [9.4, 20.0])
def test_a_person_who_is_seen_again_at_the_inner_edge_of_a_zone_is_still_in_it(end: float) -> None:
    """Inside by 0.2 m, less than the hysteresis, which alone would bring no person in."""
    zone = scene(box_zone("z", ZoneType.STAFF_ONLY, 4, 4, 8, 8), default_role=Role.RESIDENT)
    first = Person(1, [(0, 6, 6), (4, 6, 6), (6, 7.5, 6)])
    again = Person(90, [(8, 7.8, 6), (end, 7.8, 6), (end + 1, 9, 6), (end + 5, 12, 6)])
    (found,) = incidents_of(zone, [first, again])
    assert NOON + round(end * S) <= found.end <= NOON + round((end + 0.4) * S)


@pytest.mark.parametrize("again", [11.4, 14.0, 30.0])
def test_a_track_that_is_found_again_after_it_was_continued_is_no_second_person(again: float) -> None:
    zone = scene(box_zone("z", ZoneType.STAFF_ONLY, 4, 4, 8, 8), default_role=Role.RESIDENT)
    lost = stay(1, 6, 6, 0, 60, gaps=[(10, again)])
    events = events_of(zone, [lost, stay(90, 6.1, 6, 10.2, 60)])
    (opened,) = [event for event in events if event.type is EventType.OPENED]
    assert opened.finding.identity == (1,)
    assert events[-1].type is EventType.CLOSED
    assert (events[-1].finding.start, events[-1].finding.end) == (NOON, NOON + 60 * S)


def test_two_tracks_of_one_person_are_in_no_contact() -> None:
    place = scene(contact_pairs=tuple(Pair), default_role=Role.RESIDENT)
    lost = stay(1, 6, 6, 0, 60, gaps=[(10, 14)])
    assert events_of(place, [lost, stay(90, 6.1, 6, 11, 60)]) == ()


@pytest.mark.parametrize("gap", [0.4, 1.0, 2.0])
def test_contact_of_a_later_tracklet_counts_towards_the_totals_of_both_persons(gap: float) -> None:
    """The incident is open when the track of one of the two changes: its total is what it measured."""
    people = stay(1, 6, 6, 0, 60), stay(2, 6.8, 6, 0, 30), stay(3, 6.8, 6, 30 + gap, 60)
    facility = scene(contact_pairs=(Pair.RESIDENT_RESIDENT,), default_role=Role.RESIDENT)
    closed = [event for event in events_of(facility, people) if event.type is EventType.CLOSED]
    [contact] = [event.finding for event in closed if event.finding.kind == "contact"]
    assert contact.identity == (1, 2) and contact.measure.value > 55
    assert contact.cumulative_s == pytest.approx(contact.measure.value, abs=0.01)


@pytest.mark.parametrize("ids", [(5, 6), (6, 5)])
def test_of_two_tracks_of_a_person_at_one_instant_the_one_linked_last_counts_whatever_the_ids(
    ids: tuple[int, int],
) -> None:
    """A track that was lost is found again after another one was linked to it: the faces of that count."""
    lost, linked = ids
    people = (
        Person(lost, [(0, 6, 6), (40, 6, 6)], gaps=[(4.0, 7.0)], masks=lambda t: "masked"),
        Person(linked, [(4.2, 6, 6), (40, 6, 6)], masks=lambda t: "unmasked"),
    )
    found = incidents_of(scene(default_role=Role.RESIDENT), people)
    assert [(finding.kind, finding.identity) for finding in found] == [("mask_absent", (linked,))]
