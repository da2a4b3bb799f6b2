"""Zone crossings: hysteresis, dwell, gaps, lines and their directions, in metres and in frame heights."""

from __future__ import annotations

import numpy as np
import pytest

from incidents.rules.events import Basis, Measure
from tests.incidents.rules.rule_scenes import (
    MIDNIGHT,
    NOON,
    RESIDENTS,
    Person,
    box_zone,
    dressed,
    incidents_of,
    judge,
    line,
    observe,
    plane,
    scene,
    seconds,
    stay,
)
from zones.facility import CalibrationPoint, CalibrationSpec, Direction, Effect, Role, Rule, ZoneType

S = 1_000_000
STAFF = box_zone("staff", ZoneType.STAFF_ONLY, 4, 4, 8, 8)
PERIMETER = line("fence", ZoneType.PERIMETER, (8, 0), (8, 12))


def evaluate(facility, *people, hz=5.0, start=NOON):
    """The incidents of people who wear the clothes of residents, unless they wear others."""
    return incidents_of(facility, dressed(people), hz, start)


def times(finding):
    return seconds(finding.start, finding.end)


class TestZone:
    def test_a_stay_where_the_role_is_denied_is_a_finding(self):
        (finding,) = evaluate(scene(STAFF), stay(7, 6, 6, 10, 14))
        assert (finding.kind, finding.subkind, finding.zone) == ("zone_crossing", "zone_entry", "staff")
        (person,) = finding.people
        assert (finding.identity, person.track, person.role, person.basis) == (
            (7,),
            7,
            "resident",
            Basis.CLOTHES,
        )
        assert 0.91 <= person.confidence < 1
        assert times(finding) == (10, 14)
        assert finding.severity == "high"
        assert finding.detector_confidence == pytest.approx(0.8)
        assert finding.rule_confidence == pytest.approx(person.confidence, abs=1e-6)
        assert finding.measure == Measure("held_s", 4.0, 2.0)
        assert finding.thresholds["hysteresis_m"] == 0.3
        assert finding.thresholds["dwell_s"] == 2.0
        assert finding.distance_min is None and finding.mask_state is None

    def test_a_stay_where_the_role_is_allowed_is_not(self):
        assert evaluate(scene(STAFF), stay(7, 6, 6, 0, 60, clothes=Role.STAFF_PPE)) == ()

    def test_a_default_role_has_no_confidence_and_at_most_a_medium_severity(self):
        # It is the statement of the engineer; nothing was seen of the person that says so.
        (finding,) = incidents_of(scene(STAFF, **RESIDENTS), [stay(7, 6, 6, 10, 14)])
        (person,) = finding.people
        assert (person.role, person.confidence, person.basis) == ("resident", None, Basis.CAMERA_DEFAULT)
        assert (finding.severity, finding.rule_confidence) == ("medium", 1.0)
        fence = box_zone("fence", ZoneType.PERIMETER, 4, 4, 8, 8)
        (finding,) = incidents_of(scene(fence, **RESIDENTS), [stay(7, 6, 6, 10, 14)])
        assert finding.severity == "critical"

    @pytest.mark.parametrize(("end", "count"), [(2.0, 1), (1.8, 0)])
    def test_the_dwell_is_two_seconds(self, end, count):
        assert len(evaluate(scene(STAFF), stay(7, 6, 6, 0, end))) == count

    @pytest.mark.parametrize("kind", [ZoneType.GATE, ZoneType.PERIMETER])
    @pytest.mark.parametrize(("end", "count"), [(1.0, 1), (0.8, 0)])
    def test_the_dwell_is_one_second_at_gate_and_perimeter(self, kind, end, count):
        assert len(evaluate(scene(box_zone("g", kind, 4, 4, 8, 8)), stay(7, 6, 6, 0, end))) == count

    @pytest.mark.parametrize(("inside_m", "count"), [(0.31, 1), (0.29, 0)])
    def test_a_person_enters_by_the_hysteresis_only(self, inside_m, count):
        assert len(evaluate(scene(STAFF), stay(7, 4 + inside_m, 6, 0, 10))) == count

    def test_a_person_leaves_at_the_edge_and_not_before(self):
        # In at 1 s, then 5 cm from the edge until 10 s, then out.
        walk = [(0, 4.5, 6), (1, 4.5, 6), (1.2, 4.05, 6), (10, 4.05, 6), (10.2, 3.9, 6), (20, 3.9, 6)]
        (finding,) = evaluate(scene(STAFF), Person(7, walk))
        assert times(finding) == (0, 10)

    def test_without_calibration_the_hysteresis_is_a_share_of_the_frame_height(self):
        # 2 % of 12 m of floor is 0.24 m.
        facility = scene(STAFF, calibrated=False)
        assert evaluate(facility, stay(7, 4.23, 6, 0, 10)) == ()
        (finding,) = evaluate(facility, stay(7, 4.25, 6, 0, 10))
        assert finding.thresholds["hysteresis_frame"] == 0.02

    def test_a_narrow_zone_can_be_entered(self):
        facility = scene(box_zone("strip", ZoneType.STAFF_ONLY, 4, 4, 4.4, 8))
        (finding,) = evaluate(facility, stay(7, 4.2, 6, 0, 10))
        assert finding.thresholds["hysteresis_m"] == pytest.approx(0.1, abs=1e-3)

    def test_two_samples_are_not_a_stay_even_over_a_bridged_gap(self):
        assert evaluate(scene(STAFF), stay(7, 6, 6, 0, 2.8, gaps=[(0, 2.8)])) == ()

    @pytest.mark.parametrize(("gap_s", "count"), [(3.0, 1), (3.2, 0)])
    def test_gaps_of_three_seconds_are_bridged(self, gap_s, count):
        person = stay(7, 6, 6, 0, 2 + gap_s, gaps=[(1, 1 + gap_s)])
        assert len(evaluate(scene(STAFF), person)) == count

    @pytest.mark.parametrize(("away_s", "count"), [(60.0, 1), (60.2, 2)])
    def test_stays_within_sixty_seconds_are_one_incident(self, away_s, count):
        back = 4 + away_s
        walk = [(0, 6, 6), (4, 6, 6), (4.2, 1, 6), (back - 0.2, 1, 6), (back, 6, 6), (back + 4, 6, 6)]
        findings = evaluate(scene(STAFF), Person(7, walk))
        assert len(findings) == count
        assert times(findings[-1])[1] == pytest.approx(back + 4)

    def test_a_person_who_is_there_when_the_curfew_begins_is_found(self):
        evening = MIDNIGHT - 2 * 3600 * S  # 22:00
        facility = scene(box_zone("hall", ZoneType.COMMON, 4, 4, 8, 8))
        (finding,) = evaluate(facility, stay(7, 6, 6, -60, 30), start=evening)
        assert (finding.start - evening, finding.end - evening) == (0, 30 * S)

    def test_an_unknown_role_is_capped_at_medium_but_not_at_a_gate(self):
        facility = scene(STAFF, box_zone("gate", ZoneType.GATE, 10, 4, 14, 8))
        outside, inside = evaluate(
            facility, stay(1, 6, 6, 0, 9, clothes=Role.UNKNOWN), stay(2, 12, 6, 0, 9, clothes=Role.UNKNOWN)
        )
        assert (inside.severity, outside.severity) == ("medium", "high")

    def test_a_zone_that_reaches_the_horizon_is_compared_in_the_frame(self):
        # A camera that looks along the floor, with the horizon at y = 0.25 of the frame, from 3 m above it:
        # the box of a person at y = 0.5 is half as high as the way from their feet to the horizon.
        points = [((x, y), (4 * (x - 0.5) / (y - 0.25), 4 / (y - 0.25))) for x, y in
                  [(0.1, 0.5), (0.9, 0.5), (0.1, 0.9), (0.9, 0.9), (0.5, 0.7)]]  # fmt: skip
        spec = CalibrationSpec(points=tuple(CalibrationPoint(image=i, ground=g) for i, g in points))
        facility = scene(box_zone("far", ZoneType.STAFF_ONLY, 4, 1, 8, 8), calibration=spec)
        (finding,) = evaluate(facility, stay(7, 6, 6, 0, 10))
        assert "hysteresis_frame" in finding.thresholds
        facility = scene(box_zone("near", ZoneType.STAFF_ONLY, 4, 4, 8, 8), calibration=spec)
        assert len(evaluate(facility, stay(7, 6, 6, 0, 10), stay(8, 6, 2, 0, 10))) == 1

    def test_metres_and_frame_heights_agree_on_a_floor_seen_from_above(self):
        rng = np.random.default_rng(1)
        people = [
            Person(track, [(2 * i, *rng.uniform((2, 2), (10, 10))) for i in range(20)]) for track in range(5)
        ]
        metric, plain = (
            evaluate(scene(STAFF), *people),
            evaluate(scene(STAFF, calibrated=False), *people),
        )
        assert len(metric) == len(plain) > 0
        for one, other in zip(metric, plain, strict=True):
            assert abs(one.start - other.start) <= 0.4 * S


def cross(*xs: tuple[float, float], y: float = 6.0, **more) -> Person:
    return Person(7, [(second, x, y) for second, x in xs], **more)


class TestLine:
    def test_a_crossing_towards_the_right_of_a_line_drawn_downwards_is_right_to_left(self):
        # For a person walking down the image, the left side of the image (small x) is on the right.
        (finding,) = evaluate(scene(PERIMETER), cross((0, 6), (4, 10), (6, 10)))
        assert (finding.subkind, finding.zone, finding.severity) == ("line_crossing", "fence", "critical")
        assert finding.thresholds["direction"] == "right_to_left"
        # Clear of the line by 0.3 m at 8.4 m (the first sample beyond 8.3), kept for 1 s.
        assert times(finding) == (pytest.approx(2.4), pytest.approx(3.4))

    def test_only_the_denied_direction_is_a_finding(self):
        gate = line("g", ZoneType.GATE, (8, 0), (8, 12), denied=Direction.LEFT_TO_RIGHT)
        away, back = cross((0, 6), (4, 10), (6, 10)), cross((0, 10), (4, 6), (6, 6))
        assert evaluate(scene(gate), away) == ()
        assert evaluate(scene(gate), back)[0].thresholds["direction"] == "left_to_right"

    @pytest.mark.parametrize(("end", "count"), [(3.4, 1), (3.2, 0)])
    def test_a_crossing_needs_the_dwell_on_the_far_side(self, end, count):
        assert len(evaluate(scene(PERIMETER), cross((0, 6), (end, 6 + end)))) == count

    def test_a_one_way_line_needs_the_longer_dwell(self):
        lane = line("w", ZoneType.ONE_WAY, (8, 0), (8, 12), denied=Direction.RIGHT_TO_LEFT)
        assert evaluate(scene(lane), cross((0, 6), (4, 10))) == ()
        assert len(evaluate(scene(lane), cross((0, 6), (4, 10), (5, 10)))) == 1

    @pytest.mark.parametrize(("before", "after"), [(7.8, 10), (6, 8.2)])
    def test_both_sides_must_be_reached_by_the_hysteresis(self, before, after):
        assert evaluate(scene(PERIMETER), cross((0, before), (2, before), (4, after), (20, after))) == ()

    def test_jitter_about_the_line_is_not_a_crossing(self):
        person = cross((0, 6), (2, 7.9), (60, 7.9), jitter=lambda at: np.column_stack(
            [0.25 * np.sin(9 * at) * (at > 3), np.zeros(len(at))]))  # fmt: skip
        assert evaluate(scene(PERIMETER), person) == ()

    def test_a_step_back_within_the_dwell_is_not_a_crossing(self):
        assert evaluate(scene(PERIMETER), cross((0, 6), (2, 8.6), (2.2, 8.6), (3, 6), (9, 6))) == ()

    def test_two_samples_beyond_the_line_are_not_a_crossing(self):
        walk = [(0, 6), (9.8, 6), (10, 9), (10.2, 9), (10.4, 6), (20, 6)]
        assert evaluate(scene(PERIMETER), cross(*walk)) == ()

    def test_a_person_who_hesitates_crosses_when_they_stay(self):
        walk = [(0, 6), (2, 8.6), (2.2, 8.6), (3, 7), (3.4, 7), (5, 10), (8, 10)]
        (finding,) = evaluate(scene(PERIMETER), cross(*walk))
        assert times(finding) == (pytest.approx(4.2), pytest.approx(5.2))

    def test_jitter_while_crossing_is_one_crossing(self):
        walk = [(0, 7), (2, 8.1), (2.2, 7.9), (2.4, 8.1), (2.6, 7.9), (2.8, 8.1), (4, 10), (6, 10)]
        assert len(evaluate(scene(PERIMETER), cross(*walk))) == 1

    def test_walking_around_the_end_of_a_line_is_not_a_crossing(self):
        short = line("fence", ZoneType.PERIMETER, (8, 4), (8, 12))
        around = Person(7, [(0, 6, 6), (2, 6, 2), (4, 10, 2), (6, 10, 6), (9, 10, 6)])
        assert evaluate(scene(short), around) == ()
        assert len(evaluate(scene(short), Person(7, [(0, 6, 6), (4, 10, 6), (9, 10, 6)]))) == 1

    def test_walking_around_the_end_with_jitter_through_the_line_is_not_a_crossing(self):
        short = line("fence", ZoneType.PERIMETER, (8, 4), (8, 12))
        walk = [
            (0, 7, 6),
            (2, 7, 3.6),
            (3, 8.2, 3.6),
            (4, 8.2, 6),
            (5, 7.8, 6),
            (6, 8.2, 6),
            (7, 10, 6),
            (9, 10, 6),
        ]
        assert evaluate(scene(short), Person(7, walk)) == ()

    def test_a_crossing_out_of_sight_for_too_long_does_not_count(self):
        facility = scene(PERIMETER)
        assert len(evaluate(facility, cross((0, 6), (2, 6), (5, 10), (8, 10), gaps=[(2, 5)]))) == 1
        assert evaluate(facility, cross((0, 6), (2, 6), (5.2, 10), (8, 10), gaps=[(2, 5.2)])) == ()

    def test_crossing_there_and_back_within_a_minute_is_one_incident(self):
        walk = [(0, 6), (4, 10), (20, 10), (24, 6), (30, 6)]
        (finding,) = evaluate(scene(PERIMETER), cross(*walk))
        assert times(finding) == (pytest.approx(2.4), pytest.approx(23.4))

    def test_without_calibration_lines_use_frame_heights(self):
        (finding,) = evaluate(scene(PERIMETER, calibrated=False), cross((0, 6), (4, 10), (6, 10)))
        assert finding.thresholds["hysteresis_frame"] == 0.02

    def test_mirrored_ground_axes_do_not_change_the_direction(self):
        spec = plane()
        mirrored = CalibrationSpec(
            points=tuple(
                CalibrationPoint(image=p.image, ground=(-p.ground[0], p.ground[1])) for p in spec.points
            ),
            check=tuple(
                CalibrationPoint(image=p.image, ground=(-p.ground[0], p.ground[1])) for p in spec.check
            ),
        )
        (finding,) = evaluate(scene(PERIMETER, calibration=mirrored), cross((0, 6), (4, 10), (6, 10)))
        assert finding.thresholds["direction"] == "right_to_left"


class TestSubkinds:
    NIGHT = MIDNIGHT - 3600 * S  # 23:00

    @pytest.mark.parametrize("kind", [ZoneType.GATE, ZoneType.PERIMETER])
    def test_an_outsider_at_gate_or_perimeter_is_an_entry_and_critical(self, kind):
        place, way = box_zone("g", kind, 4, 4, 8, 8), line("h", kind, (10, 0), (10, 12))
        stays = stay(1, 6, 6, 0, 9, clothes=Role.OUTSIDER)
        walks = Person(2, [(0, 8, 2), (4, 12, 2), (9, 12, 2)], clothes=Role.OUTSIDER)
        for finding in evaluate(scene(place, way), stays, walks):
            assert (finding.subkind, finding.severity) == ("outsider_entry", "critical")
        assert evaluate(scene(STAFF), stays)[0].subkind == "zone_entry"
        assert {f.subkind for f in evaluate(scene(place), stay(1, 6, 6, 0, 9))} == {"zone_entry"}

    @pytest.mark.parametrize(
        ("knots", "subkind"),
        [
            ([(0, 6, 6), (5, 6, 6), (8, 12, 6)], "left_room"),
            ([(0, 12, 6), (3, 6, 6), (9, 6, 6)], "zone_entry"),
        ],
        ids=["out of the door", "up to the door"],
    )
    def test_a_resident_who_comes_out_of_a_door_at_night_has_left_a_room(self, knots, subkind):
        facility = scene(box_zone("door-1", ZoneType.ROOM_DOOR, 4, 4, 8, 8))
        assert evaluate(facility, Person(7, knots), start=NOON) == ()
        (finding,) = evaluate(facility, Person(7, knots), start=self.NIGHT)
        assert (finding.subkind, finding.severity, finding.zone) == (subkind, "high", "door-1")
        (nurse,) = evaluate(facility, Person(7, knots, clothes=Role.STAFF_NO_PPE), start=self.NIGHT)
        assert nurse.subkind == "zone_entry"

    @pytest.mark.parametrize(
        ("way", "subkind"),
        [({"denied": Direction.RIGHT_TO_LEFT}, "left_room"), ({}, "line_crossing"),
         ({"rules": (Rule(roles=(Role.RESIDENT,), direction=Direction.RIGHT_TO_LEFT, effect=Effect.DENY),)},
          "left_room")],
        ids=["denied", "direction not configured", "by a rule"],
    )  # fmt: skip
    def test_a_line_of_a_door_needs_the_direction_out_of_the_room(self, way, subkind):
        door = line("door-2", ZoneType.ROOM_DOOR, (8, 0), (8, 12), **way)
        (finding,) = evaluate(scene(door), cross((0, 6), (4, 10), (6, 10)), start=self.NIGHT)
        assert (finding.subkind, finding.thresholds["direction"]) == (subkind, "right_to_left")


def test_notices_name_places_that_can_never_raise_an_incident():
    facility = scene(
        line("lane", ZoneType.ONE_WAY, (8, 0), (8, 12)), box_zone("table", ZoneType.EXEMPT, 1, 1, 3, 3), STAFF
    )
    assert judge(facility, observe([])).notices == (
        "camera cam-1: lane (one_way) denies no role anything: it never raises an incident",
    )


def test_no_samples_give_no_findings():
    assert evaluate(scene(STAFF, PERIMETER)) == ()
