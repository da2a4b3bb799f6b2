"""Close contact: distance and release, duration, gaps, who makes a pair, and what makes it grave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from incidents.rules.contact import LIMITATION
from incidents.rules.events import Measure
from tests.incidents.rules.rule_scenes import (
    NOON,
    PX_PER_M,
    RESIDENTS,
    Person,
    Seen,
    box_zone,
    dressed,
    judge,
    line,
    observe,
    plane,
    roles_of,
    scene,
    seconds,
    stay,
    tracks_of,
)
from zones.facility import ContactRule, Pair, Role, Rules, ZoneType

S = 1_000_000
NURSE = Role.STAFF_PPE


def see(*people: Person, facility=None, hz: float = 5.0) -> Seen:
    """What is found of people who wear the clothes of residents, unless they wear others."""
    return judge(facility or scene(), observe(dressed(people), hz))


def evaluate(*people: Person, facility=None, hz: float = 5.0):
    facility = facility or scene()
    contacts = see(*people, facility=facility, hz=hz)
    if facility.cameras[0].calibration is not None and facility == scene():
        # The limitation of a total is stated wherever there is a contact.
        assert [LIMITATION in notice for notice in contacts.notices] == [True] * bool(contacts.findings)
    return tuple(f for f in contacts.findings if f.kind == "contact")


def pair(distance_m: float, end: float, clothes: Role = NURSE, **more) -> tuple[Person, Person]:
    return stay(2, 6, 6, 0, end), stay(1, 6 + distance_m, 6, 0, end, clothes=clothes, **more)


def meeting(*distances: tuple[float, float], clothes: Role = NURSE) -> tuple[Person, Person]:
    """A resident who stands still, and a person at these distances from the resident (seconds, m)."""
    return (
        stay(2, 4, 6, distances[0][0], distances[-1][0]),
        Person(1, [(second, 4 + distance, 6) for second, distance in distances], clothes=clothes),
    )


def times(finding):
    return seconds(finding.start, finding.end)


def test_a_nurse_near_a_resident_is_a_finding():
    (finding,) = evaluate(*pair(1.5, 12))
    assert (finding.kind, finding.subkind, finding.zone) == ("contact", "staff_resident", None)
    assert finding.identity == tracks_of(finding) == (1, 2)
    assert roles_of(finding) == ("staff_ppe", "resident")
    assert times(finding) == (0, 12)
    assert finding.severity == "medium"
    assert finding.distance_min == pytest.approx(1.5, abs=1e-3)
    # The median is that of a histogram by centimetres.
    assert finding.distance_median == pytest.approx(1.5, abs=0.0051)
    assert finding.measure == Measure("held_s", 12.0, 10.0)
    # Two foot points, each 3 % of a box of 1.625 m along the line between them; the marks add little.
    assert finding.distance_se == pytest.approx(0.03 * 1.625 * 2**0.5, rel=0.01)
    assert 0.9 < finding.rule_confidence < 1
    assert finding.mask_state is None and finding.assessable_share is None


@pytest.mark.parametrize(("distance_m", "count"), [(1.99, 1), (2.01, 0)])
def test_contact_begins_under_two_metres(distance_m, count):
    assert len(evaluate(*pair(distance_m, 30))) == count


@pytest.mark.parametrize(("end", "count"), [(10.0, 1), (9.8, 0)])
def test_contact_must_be_held_for_ten_seconds(end, count):
    assert len(evaluate(*pair(1.5, end))) == count


@pytest.mark.parametrize(("then_m", "count"), [(2.29, 1), (2.31, 0)])
def test_contact_is_held_up_to_the_release_distance(then_m, count):
    assert len(evaluate(*meeting((0, 1.5), (2, 1.5), (2.2, then_m), (20, then_m)))) == count


@pytest.mark.parametrize(("gap_s", "count"), [(3.0, 1), (3.2, 0)])
def test_a_loss_of_sight_of_three_seconds_is_bridged(gap_s, count):
    resident, nurse = pair(1.5, 9 + gap_s)
    assert len(evaluate(resident, Person(**{**nurse.__dict__, "gaps": [(5, 5 + gap_s)]}))) == count


def test_time_seen_apart_is_bridged_but_does_not_count():
    def apart(before: float, after: float):
        a, b = before, before + 2.8
        return meeting((0, 1.5), (a, 1.5), (a + 0.2, 3.5), (b - 0.2, 3.5), (b, 1.5), (b + after, 1.5))

    assert evaluate(*apart(4, 5)) == ()
    (finding,) = evaluate(*apart(6, 6))
    assert times(finding) == (0, pytest.approx(14.8))


def test_contacts_apart_for_longer_than_the_gap_are_one_incident_within_a_minute():
    walk = [(0, 1.5), (12, 1.5), (12.2, 4), (40, 4), (40.2, 1.5), (52, 1.5)]
    (finding,) = evaluate(*meeting(*walk))
    assert times(finding) == (0, 52)


def test_noise_about_the_release_distance_is_nothing():
    rng = np.random.default_rng(3)
    resident, nurse = pair(2.5, 600, jitter=lambda at: rng.normal(0, 0.2, (len(at), 2)))
    assert evaluate(resident, nurse) == ()


@pytest.mark.parametrize(
    ("roles", "pairs", "subkind", "severity"),
    [
        ((Role.RESIDENT, Role.STAFF_NO_PPE), None, "staff_resident", "high"),
        ((Role.OUTSIDER, Role.RESIDENT), None, "outsider_any", "high"),
        ((Role.OUTSIDER, Role.UNKNOWN), None, "outsider_any", "medium"),
        ((Role.OUTSIDER, Role.OUTSIDER), None, None, None),
        ((Role.STAFF_PPE, Role.STAFF_NO_PPE), None, None, None),
        ((Role.UNKNOWN, Role.RESIDENT), None, None, None),
        ((Role.RESIDENT, Role.RESIDENT), None, None, None),
        ((Role.RESIDENT, Role.RESIDENT), (Pair.RESIDENT_RESIDENT,), "resident_resident", "medium"),
        ((Role.RESIDENT, Role.STAFF_PPE), (Pair.OUTSIDER_ANY,), None, None),
        ((Role.RESIDENT, Role.STAFF_PPE), (), None, None),
    ],
)
def test_roles_that_make_a_pair(roles, pairs, subkind, severity):
    facility = scene() if pairs is None else scene(contact_pairs=pairs)
    people = [stay(1, 6, 6, 0, 12, clothes=roles[0]), stay(2, 7, 6, 0, 12, clothes=roles[1])]
    findings = evaluate(*people, facility=facility)
    assert [(f.subkind, f.severity) for f in findings] == ([] if subkind is None else [(subkind, severity)])


def test_every_pair_of_a_group_is_evaluated():
    people = [stay(i, 6 + 0.3 * i, 6, 0, 12, clothes=NURSE if i < 2 else Role.RESIDENT) for i in range(5)]
    assert {finding.identity for finding in evaluate(*people)} == {(n, r) for n in (0, 1) for r in (2, 3, 4)}


class TestSeverity:
    @pytest.mark.parametrize(("touch_s", "severity"), [(3.0, "high"), (2.8, "medium")])
    def test_a_touch_of_three_seconds_is_severe(self, touch_s, severity):
        out = 5 + touch_s
        (finding,) = evaluate(
            *meeting((0, 1.5), (4.8, 1.5), (5, 0.45), (out, 0.45), (out + 0.2, 1.5), (15, 1.5))
        )
        assert finding.severity == severity
        assert finding.distance_min == pytest.approx(0.45, abs=1e-3)

    @pytest.mark.parametrize(
        ("state", "severity", "mask_state"),
        [("unmasked", "high", "unmasked"), ("masked", "medium", None), ("turned", "medium", None)],
    )
    def test_contact_with_an_unmasked_person_is_severe(self, state, severity, mask_state):
        (finding,) = evaluate(*pair(1.5, 12, masks=lambda _: state))
        assert (finding.severity, finding.mask_state) == (severity, mask_state)
        assert finding.assessable_share == (0.0 if state == "turned" else 1.0)

    def test_two_masked_people_have_the_state_masked(self):
        people = [Person(**{**p.__dict__, "masks": lambda _: "masked"}) for p in pair(1.5, 12)]
        assert evaluate(*people)[0].mask_state == "masked"

    def test_masks_before_the_contact_do_not_matter(self):
        resident, nurse = meeting((0, 8), (20, 8), (24, 1.5), (40, 1.5))
        nurse = Person(**{**nurse.__dict__, "masks": lambda s: "unmasked" if s < 20 else "masked"})
        assert evaluate(resident, nurse)[0].severity == "medium"

    @pytest.mark.parametrize(("second_s", "severity"), [(460, "high"), (430, "medium")])
    def test_fifteen_minutes_of_cumulative_contact_are_severe(self, second_s, severity):
        walk = [(0, 1.5), (450, 1.5), (450.5, 6), (600, 6), (600.5, 1.5), (600.5 + second_s, 1.5)]
        first, second = evaluate(*meeting(*walk), hz=2.0)
        assert (first.severity, second.severity) == ("medium", severity)


class TestCumulativeContact:
    """The time in contact within 24 hours."""

    def test_it_adds_up_for_a_person_over_all_partners(self):
        # A nurse with three residents, one after the other, for 6 minutes each.
        nurse = stay(1, 6, 6, 0, 1300, clothes=NURSE)
        residents = [stay(2 + i, 7, 6, 430 * i, 430 * i + 360) for i in range(3)]
        findings = sorted(evaluate(nurse, *residents, hz=2.0), key=lambda f: f.start)
        assert [f.cumulative_s for f in findings] == [360, 720, 1080]
        assert [f.severity for f in findings] == ["medium", "medium", "high"]
        # The record states the limitation of a total wherever a total was used.
        assert [f.thresholds.get("cumulative_limit") for f in findings] == [
            None,
            LIMITATION,
            LIMITATION,
        ]

    def test_two_partners_at_once_count_once(self):
        people = stay(1, 6, 6, 0, 600, clothes=NURSE), stay(2, 7, 6, 0, 600), stay(3, 5, 6, 0, 600)
        assert [(f.cumulative_s, f.severity) for f in evaluate(*people, hz=2.0)] == [(600, "medium")] * 2

    def test_it_counts_only_within_the_window(self):
        rules = Rules(contact=ContactRule(long_window_s=1000.0))
        nurse = stay(1, 6, 6, 0, 1600, clothes=NURSE)
        people = nurse, stay(2, 7, 6, 0, 500), stay(3, 7, 6, 1100, 1600)
        _, last = evaluate(*people, facility=scene(rules=rules), hz=2.0)
        assert last.cumulative_s == 500 and last.thresholds["long_window_s"] == 1000

    @pytest.mark.parametrize("times_met", [3, 20])
    def test_many_contacts_add_up_exactly(self, times_met):
        # 15 s in contact, 10 s apart, again and again: more often than intervals are kept apart.
        walk = []
        for number in range(times_met):
            begin = 25 * number
            walk += [(begin, 1.5), (begin + 15, 1.5), (begin + 15.5, 6), (begin + 24.5, 6)]
        (finding,) = evaluate(*meeting(*walk), hz=2.0)
        assert finding.cumulative_s == finding.measure.value == 15 * times_met

    def test_a_contact_longer_than_the_window_counts_as_long_as_the_window(self):
        rules = Rules(contact=ContactRule(long_window_s=100.0))
        (finding,) = evaluate(*pair(1.5, 150), facility=scene(rules=rules), hz=2.0)
        assert (finding.cumulative_s, finding.measure.value) == (100, 150)


class TestCareStation:
    CARE = scene(box_zone("care", ZoneType.CARE_STATION, 4, 4, 9, 8))

    def both(self, *people: Person, facility=None) -> Seen:
        return see(*people, facility=facility or self.CARE, hz=2.0)

    def test_care_by_staff_in_ppe_up_to_fifteen_minutes_is_logged_and_not_an_incident(self):
        contacts = self.both(*pair(1, 900))
        assert contacts.findings == ()
        (entry,) = contacts.entries
        assert (entry.zone, entry.exceeded) == ("care", False)
        assert [(one.track, one.role) for one in entry.people] == [(1, "staff_ppe"), (2, "resident")]
        assert (entry.start - NOON, entry.end - NOON, entry.held_s) == (0, 900 * S, 900.0)
        assert entry.distance_min == pytest.approx(1, abs=1e-3)
        assert entry.distance_median == pytest.approx(1, abs=0.0051)

    def test_care_by_staff_whose_clothes_are_read_late_is_logged_from_its_start(self):
        # Before, the two counted as residents, whose contact is not watched here.
        resident, nurse = pair(1, 60, clothes=lambda s: Role.STAFF_PPE if s >= 20 else None)
        facility = self.CARE.model_copy(
            update={"cameras": (self.CARE.cameras[0].model_copy(update=RESIDENTS),)}
        )
        contacts = self.both(resident, nurse, facility=facility)
        assert contacts.findings == ()
        (entry,) = contacts.entries
        assert (*seconds(entry.start, entry.end), entry.held_s) == (0, 60, 60)

    def test_longer_care_is_also_an_incident(self):
        contacts = self.both(*pair(1, 901))
        (finding,) = contacts.findings
        assert (finding.zone, finding.severity, finding.thresholds["min_s"]) == ("care", "high", 900.0)
        # It is over the limit with the first sample after 15 minutes.
        assert finding.alerts == (NOON + 900_500_000,)
        assert [entry.exceeded for entry in contacts.entries] == [True]

    @pytest.mark.parametrize(("second_s", "count"), [(445, 0), (455, 1)])
    def test_care_that_merges_into_one_incident_counts_together(self, second_s, count):
        walk = [(0, 1), (450, 1), (450.5, 4), (490, 4), (490.5, 1), (490.5 + second_s, 1)]
        contacts = self.both(*meeting(*walk))
        assert len(contacts.findings) == count
        assert [(e.held_s, e.exceeded) for e in contacts.entries] == [(450 + second_s, count == 1)]

    def test_passing_by_is_not_logged_and_contact_elsewhere_is_not_care(self):
        assert self.both(*pair(1, 9.5)).entries == ()
        assert self.both(*pair(1, 60), facility=scene()).entries == ()

    def test_allowed_care_does_not_add_to_cumulative_contact(self):
        # 14 minutes of care, then 2 minutes of contact beside the station.
        nurse = Person(1, [(0, 7, 6), (840, 7, 6), (850, 13, 6), (970, 13, 6)], clothes=NURSE)
        resident = Person(2, [(0, 6, 6), (840, 6, 6), (850, 12, 6), (970, 12, 6)])
        (finding,) = self.both(nurse, resident).findings
        assert finding.severity == "medium" and 118 < finding.cumulative_s < 130

    def test_contact_of_staff_without_ppe_is_not_care(self):
        assert len(evaluate(*pair(1, 12, clothes=Role.STAFF_NO_PPE), facility=self.CARE)) == 1

    def test_both_persons_must_be_at_the_care_station(self):
        people = stay(2, 9.2, 6, 0, 12), stay(1, 9.4, 6, 0, 12, clothes=NURSE)
        assert len(evaluate(*people, facility=self.CARE)) == 1


class TestSameRoom:
    PAIRS = (Pair.RESIDENT_RESIDENT,)

    def leave(self, delay: float, x: float = 2.0):
        return (
            Person(1, [(0, 2, 6), (6, 8, 6), (100, 8, 6)]),
            Person(2, [(delay, x, 6), (delay + 6, 8.5, 6), (delay + 100, 8.5, 6)]),
        )

    @pytest.mark.parametrize(("delay", "count"), [(60, 0), (60.4, 1)])
    def test_two_residents_who_leave_through_one_door_within_a_minute_share_a_room(self, delay, count):
        door = box_zone("door", ZoneType.ROOM_DOOR, 1, 5, 3, 7)
        assert len(evaluate(*self.leave(delay), facility=scene(door, contact_pairs=self.PAIRS))) == count

    @pytest.mark.parametrize(("delay", "count"), [(59, 0), (62, 1)])
    def test_the_same_holds_for_the_line_of_a_door(self, delay, count):
        door = line("door", ZoneType.ROOM_DOOR, (4, 0), (4, 12))
        assert len(evaluate(*self.leave(delay), facility=scene(door, contact_pairs=self.PAIRS))) == count

    def test_the_record_states_how_the_rooms_are_known(self):
        door, other = (box_zone(name, ZoneType.ROOM_DOOR, 1, y, 3, y + 2) for name, y in (("a", 5), ("b", 8)))
        one, _ = self.leave(0)
        two = Person(2, [(0, 2, 9), (6, 8.5, 6), (100, 8.5, 6)])
        (finding,) = evaluate(one, two, facility=scene(door, other, contact_pairs=self.PAIRS))
        assert finding.thresholds["rooms"] == "left_apart"
        (finding,) = evaluate(one, two, facility=scene(door, contact_pairs=self.PAIRS))
        assert finding.thresholds["rooms"] == "unknown"

    def test_unknown_rooms_count_as_different_unless_configured_otherwise(self):
        one, two = pair(1.5, 30, clothes=Role.RESIDENT)
        assert len(evaluate(one, two, facility=scene(contact_pairs=self.PAIRS))) == 1
        rules = Rules(contact=ContactRule(unknown_rooms=False))
        assert evaluate(one, two, facility=scene(contact_pairs=self.PAIRS, rules=rules)) == ()

    def test_a_shared_door_does_not_excuse_staff(self):
        facility = scene(box_zone("door", ZoneType.ROOM_DOOR, 1, 5, 3, 7))
        resident, nurse = self.leave(5)
        assert len(evaluate(resident, Person(**{**nurse.__dict__, "clothes": NURSE}), facility=facility)) == 1


class TestDistanceError:
    """People in boxes so high that their foot points are known to some decimetres only."""

    def rough(self, distance_m: float, box_m: float, end: float = 30.0) -> tuple[Person, Person]:
        box = {"y1": 480 - box_m * PX_PER_M, "y2": 480.0}
        return tuple(replace(person, extra=box) for person in pair(distance_m, end))

    def evaluate(self, *people: Person, rules: Rules | None = None):
        contacts = see(*people, facility=scene(rules=rules))
        return contacts.findings, [notice for notice in contacts.notices if LIMITATION not in notice]

    @pytest.mark.parametrize(("box_m", "count"), [(11.0, 1), (12.5, 0)])
    def test_an_uncertain_distance_is_not_evaluated_and_a_notice_says_so(self, box_m, count):
        # 3 % of the box, times the root of two: 0.47 and 0.53 m.
        findings, notices = self.evaluate(*self.rough(1.2, box_m))
        assert len(findings) == count
        assert notices == (
            []
            if count
            else [
                "camera cam-1: for 151 of 151 observations of two people near each other, the standard error "
                "of their distance is over 0.5 m: contact is not evaluated there"
            ]
        )

    def test_the_largest_error_is_configured_and_recorded(self):
        rules = Rules(contact=ContactRule(max_distance_se_m=1.0))
        (finding,), notices = self.evaluate(*self.rough(1.2, 12.5), rules=rules)
        assert notices == [] and finding.thresholds["max_distance_se_m"] == 1.0
        assert finding.distance_se == pytest.approx(0.53, abs=0.01)

    def test_people_who_are_clearly_apart_are_apart_whatever_the_error(self):
        _, notices = self.evaluate(*self.rough(4.0, 14.0))
        assert notices == []

    def test_the_smallest_distance_comes_with_its_own_error(self):
        (finding,) = evaluate(*meeting((0, 1.5), (10, 1.5), (12, 0.7), (14, 1.5), (30, 1.5)))
        assert finding.distance_min == pytest.approx(0.7, abs=1e-3)
        assert finding.distance_se == pytest.approx(0.03 * 1.625 * 2**0.5, rel=0.02)


class TestCalibration:
    @pytest.mark.parametrize(
        ("more", "reason"),
        [
            ({"calibrated": False}, "no calibration points"),
            ({"calibration": plane(0.26)}, "check error 0.26 m, expected at most 0.25 m"),
        ],
    )
    def test_without_calibration_contact_is_not_evaluated_and_a_notice_says_so(self, more, reason):
        contacts = see(*pair(1, 30), facility=scene(**more))
        assert contacts.findings == ()
        assert contacts.notices == tuple(
            f"camera cam-1 is uncalibrated ({reason}): {what} is not evaluated"
            for what in ("contact", "gathering")
        )

    def test_an_error_at_the_limit_is_good_enough(self):
        assert len(evaluate(*pair(1, 30), facility=scene(calibration=plane(0.249)))) == 1

    def test_four_points_without_check_points_are_not_enough(self):
        spec = plane().model_copy(update={"check": ()})
        contacts = see(*pair(1, 30), facility=scene(calibration=spec))
        assert "check error not known" in contacts.notices[0]

    def test_the_notice_is_given_without_observations_too(self):
        assert len(see(facility=scene(calibrated=False)).notices) == 2
