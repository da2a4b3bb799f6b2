"""Tracks that succeed each other: one person under two ids, and who is somebody else."""

from __future__ import annotations

import pytest
from rule_scenes import Person, box_zone, samples_of, scene, stay

from incidents.rules.samples import ROLES
from incidents.rules.succession import follow
from incidents.rules.zone import judge_zones
from zones.facility import Role, ZoneType


def paths(*people: Person, calibrated: bool = True, known_from: float = 0.7) -> dict[int, int]:
    """The first track of the path of each track."""
    samples = follow(samples_of(people, scene(calibrated=calibrated)), known_from)
    first: dict[int, int] = {}
    return {
        track: first.setdefault(path, track)
        for path, track in zip(samples.path.tolist(), samples.track.tolist(), strict=True)
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
def test_a_successor_begins_soon_and_near(second, linked):
    assert paths(stay(5, 6, 6, 0, 10), second) == {5: 5, 2: 5 if linked else 2}


@pytest.mark.parametrize(("metres", "linked"), [(0.8, True), (0.82, False)])
def test_without_calibration_half_the_height_of_the_box_is_near(metres, linked):
    people = stay(5, 6, 6, 0, 10), stay(2, 6 + metres, 6, 12, 20)
    assert (paths(*people, calibrated=False)[2] == 5) is linked


def test_chains():
    people = [stay(9 - i, 6, 6, 10 * i, 10 * i + 8) for i in range(4)]
    assert set(paths(*people).values()) == {9}


def test_a_doubtful_link_is_none():
    gone = stay(1, 6, 6, 0, 10)
    assert len(set(paths(gone, stay(2, 6.5, 6, 12, 20), stay(3, 5.5, 6, 11, 20)).values())) == 3
    assert len(set(paths(gone, stay(2, 6.5, 6, 0, 9), stay(3, 6.2, 6, 11, 20)).values())) == 3


def test_at_the_edge_of_the_frame_people_leave_and_enter():
    assert paths(stay(5, 0.2, 6, 0, 10), stay(2, 0.2, 6, 12, 20))[2] == 2


def roles(*people: Person) -> dict[int, tuple[Role, float]]:
    samples = follow(samples_of(people, scene()), 0.7)
    return {
        track: (ROLES[role], pytest.approx(confidence))
        for track, role, confidence in zip(
            samples.track.tolist(), samples.role.tolist(), samples.role_confidence.tolist(), strict=True
        )
    }


def test_a_successor_of_unknown_role_takes_the_role_over_with_less_confidence():
    found = roles(*(stay(i, 6, 6, 10 * i, 10 * i + 8, role=role, role_confidence=0.8)
                    for i, role in enumerate([Role.RESIDENT, Role.UNKNOWN, Role.UNKNOWN])))  # fmt: skip
    assert found[1] == (Role.RESIDENT, 0.72)
    # 0.8 x 0.9 x 0.9 is under 0.7: still the same person, no longer surely a resident.
    assert found[2][0] is Role.UNKNOWN


def test_a_surer_other_role_is_somebody_else():
    nurse = {"role": Role.STAFF_PPE}
    assert paths(stay(5, 6, 6, 0, 10), stay(2, 6, 6, 12, 20, **nurse, role_confidence=0.9))[2] == 2
    found = roles(stay(5, 6, 6, 0, 10), stay(2, 6, 6, 12, 20, **nurse, role_confidence=0.75))
    assert found[2] == (Role.RESIDENT, 0.81)


def test_one_stay_under_two_ids_is_one_finding_of_the_first():
    facility = scene(box_zone("staff", ZoneType.STAFF_ONLY, 4, 4, 8, 8))
    people = stay(5, 6, 6, 0, 1.2), stay(2, 6, 6.2, 2, 3)
    (finding,) = judge_zones(follow(samples_of(people, facility), 0.7), facility, facility.cameras[0])
    assert finding.tracks == (5,)
    assert finding.end - finding.start == 3_000_000
    assert judge_zones(samples_of(people, facility), facility, facility.cameras[0]) == []


def test_nobody_there():
    assert len(follow(samples_of([], scene()), 0.7)) == 0
