"""Stitching of tracklets: one person under two ids, or two persons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_scenes import Person, box_zone, samples_of, scene, stay

from incidents.rules.contact import evaluate_contact
from incidents.rules.samples import ROLES
from incidents.rules.stitching import stitch_tracklets
from incidents.rules.zone import evaluate_zones
from zones.facility import Pair, Role, ZoneType


def stitched(*people: Person, calibrated: bool = True, known_from: float = 0.7) -> dict[int, int]:
    """The first track of the person of each track."""
    samples = stitch_tracklets(samples_of(people, scene(calibrated=calibrated)), known_from)
    first: dict[int, int] = {}
    return {
        track: first.setdefault(person, track)
        for person, track in zip(samples.person.tolist(), samples.track.tolist(), strict=True)
    }


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
def test_a_tracklet_that_begins_soon_and_near_is_stitched(second, linked):
    assert stitched(stay(5, 6, 6, 0, 10), second) == {5: 5, 2: 5 if linked else 2}


@pytest.mark.parametrize(("metres", "linked"), [(0.8, True), (0.82, False)])
def test_without_calibration_the_limit_is_half_the_height_of_the_box(metres, linked):
    people = stay(5, 6, 6, 0, 10), stay(2, 6 + metres, 6, 12, 20)
    assert (stitched(*people, calibrated=False)[2] == 5) is linked


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
def test_a_walking_person_is_stitched_where_the_walk_leads(knots, linked, calibrated):
    walker = Person(5, [(7, 1.8, 6), (10, 6, 6)])  # 1.4 m/s
    assert (stitched(walker, Person(2, knots), calibrated=calibrated)[2] == 5) is linked


def test_the_better_of_two_links_is_used_if_it_is_clearly_better():
    gone = stay(1, 6, 6, 0, 10)
    found = stitched(gone, stay(2, 6.1, 6, 12, 20), stay(3, 6.9, 6, 11, 20))
    assert found == {1: 1, 2: 1, 3: 3}


def test_two_switches_in_a_row_are_not_ambiguous():
    assert set(stitched(stay(1, 6, 6, 0, 10), stay(2, 6, 6, 11, 12), stay(3, 6, 6, 12.8, 20)).values()) == {1}


def test_several_tracklets_form_a_chain():
    people = [stay(9 - i, 6, 6, 10 * i, 10 * i + 8) for i in range(4)]
    assert set(stitched(*people).values()) == {9}


def test_an_ambiguous_link_is_not_used():
    gone = stay(1, 6, 6, 0, 10)
    assert len(set(stitched(gone, stay(2, 6.5, 6, 12, 20), stay(3, 5.5, 6, 11, 20)).values())) == 3
    assert len(set(stitched(gone, stay(2, 6.5, 6, 0, 9), stay(3, 6.2, 6, 11, 20)).values())) == 3


def test_tracklets_at_the_edge_of_the_frame_are_not_stitched():
    assert stitched(stay(5, 0.2, 6, 0, 10), stay(2, 0.2, 6, 12, 20))[2] == 2


def roles(*people: Person) -> dict[int, tuple[Role, float]]:
    samples = stitch_tracklets(samples_of(people, scene()), 0.7)
    return {
        track: (ROLES[role], pytest.approx(confidence))
        for track, role, confidence in zip(
            samples.track.tolist(), samples.role.tolist(), samples.role_confidence.tolist(), strict=True
        )
    }


def test_a_tracklet_of_unknown_role_takes_the_role_over_with_less_confidence():
    found = roles(*(stay(i, 6, 6, 10 * i, 10 * i + 8, role=role, role_confidence=0.8)
                    for i, role in enumerate([Role.RESIDENT, Role.UNKNOWN, Role.UNKNOWN])))  # fmt: skip
    assert found[1] == (Role.RESIDENT, 0.72)
    # 0.8 x 0.9 x 0.9 is under 0.7: still the same person, no longer surely a resident.
    assert found[2][0] is Role.UNKNOWN


def test_a_tracklet_with_another_certain_role_is_another_person():
    nurse = {"role": Role.STAFF_PPE}
    assert stitched(stay(5, 6, 6, 0, 10), stay(2, 6, 6, 12, 20, **nurse, role_confidence=0.9))[2] == 2
    found = roles(stay(5, 6, 6, 0, 10), stay(2, 6, 6, 12, 20, **nurse, role_confidence=0.75))
    assert found[2] == (Role.RESIDENT, 0.81)


def test_a_stay_under_two_ids_is_one_finding_of_the_first():
    facility = scene(box_zone("staff", ZoneType.STAFF_ONLY, 4, 4, 8, 8))
    people = stay(5, 6, 6, 0, 1.2), stay(2, 6, 6.2, 2, 3)
    (finding,) = evaluate_zones(
        stitch_tracklets(samples_of(people, facility), 0.7), facility, facility.cameras[0]
    )
    assert finding.tracks == (5,)
    assert finding.end - finding.start == 3_000_000
    assert evaluate_zones(samples_of(people, facility), facility, facility.cameras[0]) == []


def test_no_samples_stay_no_samples():
    assert len(stitch_tracklets(samples_of([], scene()), 0.7)) == 0


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
def test_episodes_do_not_depend_on_where_tracks_are_broken(one, other):
    zones = box_zone("staff", ZoneType.STAFF_ONLY, 4, 4, 8, 8), box_zone("gate", ZoneType.GATE, 10, 4, 14, 10)
    facility = scene(*zones, contact_pairs=(Pair.RESIDENT_RESIDENT,))
    camera = facility.cameras[0]

    def result_for(people: list[Person]) -> list[tuple[object, ...]]:
        samples = stitch_tracklets(samples_of(people, facility), 0.5)
        found = [
            *evaluate_zones(samples, facility, camera),
            *evaluate_contact(samples, facility, camera).findings,
        ]
        return sorted((f.kind, f.zone or "", len(f.tracks), f.start, f.end) for f in found)

    # Two people lost beside each other at once are in doubt, which is for appearance to settle.
    other = [(t, length) for t, length in other if all(abs(t - when) > 6 for when, _ in one)]
    whole = result_for([Person(100, WALK), Person(200, MATE)])
    tracklets = result_for([*broken(1, WALK, one), *broken(2, MATE, other)])
    assert len(whole) >= 4
    assert [row[:3] for row in tracklets] == [row[:3] for row in whole]
    for was, now in zip(whole, tracklets, strict=True):
        # An event that begins or ends out of sight has the time of the next sample.
        assert abs(was[3] - now[3]) <= 2_200_000 and abs(was[4] - now[4]) <= 2_200_000  # type: ignore[operator]
