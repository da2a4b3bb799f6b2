"""What events of incidents mean: when each is emitted, what it states, and what it says of earlier ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from incidents.rules.engine import CameraRules, FacilityChange, SamePerson
from incidents.rules.events import Basis, Event, EventType
from tests.incidents.rules.rule_scenes import (
    NOON,
    RESIDENTS,
    Person,
    box_zone,
    dressed,
    events_of,
    incidents_of,
    judge,
    observe,
    roles_of,
    scene,
    seconds,
    stay,
    tracks_of,
)
from zones.facility import Effect, Facility, Pair, Role, Rule, Rules, ZoneType

S = 1_000_000
OPENED, ALERTED, EXTENDED, CORRECTED, CLOSED, WITHDRAWN = EventType
STAFF = box_zone("staff", ZoneType.STAFF_ONLY, 4, 4, 8, 8)
YARD = scene(STAFF, **RESIDENTS)
MEETING = scene(contact_pairs=(Pair.RESIDENT_RESIDENT,), **RESIDENTS)
GROUP = scene(contact_pairs=(), **RESIDENTS)


def told(events: tuple[Event, ...]) -> list[tuple[EventType, float]]:
    """Types and moments, s."""
    return [(event.type, *seconds(event.t)) for event in events]


class TestCourse:
    """An incident from beginning to end."""

    def test_a_stay_is_opened_at_the_dwell_extended_every_minute_and_closed_by_the_clock(self):
        events = events_of(YARD, [stay(7, 6, 6, 10, 150)])
        assert told(events) == [
            (OPENED, 12),
            (ALERTED, 12),
            (EXTENDED, 72),
            (EXTENDED, 132),
            (EXTENDED, 192),
            (CLOSED, 210),
        ]
        # `end` is the last sample before or at the moment, not the moment of the event.
        assert [seconds(event.finding.end)[0] for event in events] == [12, 12, 72, 132, 150, 150]
        assert {(event.finding.start, event.finding.opened, event.incident) for event in events} == {
            (NOON + 10 * S, NOON + 12 * S, events[0].incident)
        }
        assert [event.finding.measure.value for event in events] == [2, 2, 62, 122, 140, 140]
        assert [event.reason for event in events] == ["", "", "", "", "", "ended"]

    def test_it_is_not_extended_while_nothing_is_added(self):
        rules = Rules(merge_s=200.0)
        events = events_of(scene(STAFF, rules=rules, **RESIDENTS), [stay(7, 6, 6, 0, 30)])
        # At 62 s the end is that of 30 s, which was not stated yet; at 122 and 182 s nothing is new.
        assert told(events) == [(OPENED, 2), (ALERTED, 2), (EXTENDED, 62), (CLOSED, 230)]

    def test_it_alerts_again_after_every_period_while_it_lasts(self):
        rules = Rules(realert_s=50.0)
        events = events_of(scene(STAFF, rules=rules, **RESIDENTS), [stay(7, 6, 6, 0, 120)])
        alerts = [event for event in events if event.type is ALERTED]
        assert [seconds(event.t)[0] for event in alerts] == [2, 52, 102]
        assert [seconds(*event.finding.alerts) for event in alerts] == [(2,), (2, 52), (2, 52, 102)]

    def test_it_is_closed_by_the_clock_without_any_rows(self):
        rules = CameraRules(YARD, "cam-1")
        rules.advance(NOON + 21 * S, observe([stay(7, 6, 6, 10, 20)]))
        assert rules.advance(NOON + 80 * S).events[-1].type is EXTENDED
        # What is due at a moment belongs to the chunk that reaches beyond it.
        assert rules.advance(NOON + 80 * S).events == []
        (closed,) = rules.advance(NOON + 80 * S + 1).events
        assert (closed.type, *seconds(closed.t, closed.finding.end)) == (CLOSED, 80, 20)
        assert rules.open_state().events == []

    def test_it_stays_open_where_the_footage_ends(self):
        rules = CameraRules(YARD, "cam-1")
        events = rules.advance(NOON + 21 * S, observe([stay(7, 6, 6, 10, 20)])).events
        assert told(tuple(events)) == [(OPENED, 12), (ALERTED, 12)]
        (state,) = rules.open_state().events
        assert (state.type, state.t, state.incident) == (EXTENDED, NOON + 21 * S, events[0].incident)
        assert seconds(state.finding.end) == (20,)

    def test_a_stay_that_may_still_join_keeps_it_open(self):
        # Back 59 s after the end, and in the zone for the dwell 61 s after it.
        walk = [(0, 6, 6), (4, 6, 6), (4.2, 1, 6), (62.8, 1, 6), (63, 6, 6), (66, 6, 6)]
        events = events_of(YARD, [Person(7, walk)])
        assert told(events) == [(OPENED, 2), (ALERTED, 2), (EXTENDED, 62), (EXTENDED, 122), (CLOSED, 126)]
        # It leaves again before the dwell.
        walk = [
            (0, 6, 6),
            (4, 6, 6),
            (4.2, 1, 6),
            (62.8, 1, 6),
            (63, 6, 6),
            (64, 6, 6),
            (64.2, 1, 6),
            (90, 1, 6),
        ]
        closed = events_of(YARD, [Person(7, walk)])[-1]
        assert closed.type is CLOSED and 64 <= seconds(closed.t)[0] <= 67
        assert seconds(closed.finding.end) == (4,)

    def test_every_incident_is_opened_once_and_ended_once(self):
        people = [
            stay(1, 6, 6, 0, 200, masks=lambda _: "unmasked"),
            stay(2, 7, 6, 20, 150),
            stay(3, 5, 6, 10, 170),
        ]
        facility = scene(STAFF, contact_pairs=(Pair.RESIDENT_RESIDENT,), **RESIDENTS)
        events = events_of(facility, people, 2.0)
        assert {event.finding.kind for event in events} == {
            "zone_crossing",
            "contact",
            "gathering",
            "mask_absent",
        }
        for name in {event.incident for event in events}:
            types = [event.type for event in events if event.incident == name]
            assert types[:2] == [OPENED, ALERTED] and types[-1] is CLOSED
            assert types.count(OPENED) == types.count(CLOSED) == 1
        assert [event.t for event in events] == sorted(event.t for event in events)


def nurse_from(moment: float, track: int = 7, end: float = 40.0) -> Person:
    """A person whose clothes are read as protective from a moment on."""
    return stay(track, 6, 6, 0, end, clothes=lambda s: Role.STAFF_PPE if s >= moment else None)


class TestBelief:
    """A role is a belief at a moment; what is learnt later withdraws or corrects."""

    def test_a_resident_by_default_whose_clothes_turn_out_to_be_protective(self):
        events = events_of(YARD, [nurse_from(6)])
        opened, withdrawn = events[0], events[-1]
        (person,) = opened.finding.people
        assert (opened.type, *seconds(opened.t)) == (OPENED, 2)
        assert (person.role, person.confidence, person.basis) == ("resident", None, Basis.CAMERA_DEFAULT)
        assert opened.finding.severity == "medium"
        assert withdrawn.type is WITHDRAWN and withdrawn.incident == opened.incident
        assert 6 <= seconds(withdrawn.t)[0] <= 20
        assert withdrawn.reason == "the person is now believed to be staff_ppe, who is allowed here"
        assert withdrawn.replaced_by is None
        assert incidents_of(YARD, [nurse_from(6)]) == ()

    def test_staff_by_default_whose_clothes_turn_out_to_be_those_of_a_resident(self):
        facility = scene(STAFF, default_role=Role.STAFF_PPE, default_role_confidence=0.8)
        person = stay(7, 6, 6, 0, 40, clothes=lambda s: Role.RESIDENT if s >= 6 else None)
        opened = events_of(facility, [person])[0]
        assert opened.type is OPENED and seconds(opened.t)[0] >= 6
        # The whole stay is part of it.
        assert seconds(opened.finding.start) == (0,)
        (finding,) = incidents_of(facility, [person])
        assert seconds(finding.start, finding.end) == (0, 40)
        assert roles_of(finding) == ("resident",) and finding.people[0].basis is Basis.CLOTHES

    def test_an_unknown_person_who_turns_out_to_be_a_resident_is_corrected(self):
        person = stay(7, 6, 6, 0, 20, clothes=lambda s: Role.RESIDENT if s >= 6 else None)
        events = events_of(scene(STAFF), [person])
        assert told(events[:3]) == [(OPENED, 2), (ALERTED, 2), (CORRECTED, 6)]
        opened, _, corrected = events[:3]
        assert opened.finding.people[0].basis is Basis.NONE and opened.finding.people[0].role == "unknown"
        assert (opened.finding.severity, corrected.finding.severity) == ("medium", "high")
        assert roles_of(corrected.finding) == ("resident",)
        assert corrected.reason == "the person is now believed to be resident"
        assert corrected.incident == opened.incident

    def test_a_belief_that_changes_after_the_end_corrects_or_withdraws_what_is_closed(self):
        walk = [(0, 6, 6), (10, 6, 6), (10.2, 1, 6), (120, 1, 6)]
        for role, last in ((Role.STAFF_PPE, WITHDRAWN), (Role.RESIDENT, CORRECTED)):
            person = Person(7, walk, clothes=lambda s, r=role: r if s >= 100 else None)
            events = events_of(scene(STAFF), [person])
            closed, after = (event for event in events if event.type in (CLOSED, last))
            assert (closed.type, *seconds(closed.t)) == (CLOSED, 70)
            assert (after.type, *seconds(after.t)) == (last, 100)
            assert after.incident == closed.incident and role.value in after.reason

    def test_a_belief_that_changes_back_opens_again_from_the_same_start(self):
        def clothes(second: float) -> Role | None:
            return None if second < 4 else Role.STAFF_PPE if second < 10 else Role.RESIDENT

        events = events_of(YARD, [stay(7, 6, 6, 0, 60, clothes=clothes)])
        types = [event.type for event in events if event.type in (OPENED, WITHDRAWN)]
        assert types == [OPENED, WITHDRAWN, OPENED]
        assert len({event.incident for event in events}) == 1
        assert seconds(events[-1].finding.start, events[-1].finding.end) == (0, 60)

    def test_a_resident_who_turns_out_to_be_a_nurse_breaks_up_contact_and_gathering(self):
        people = [stay(i, 3 + 1.5 * i, 6, 0, 100) for i in range(2)]
        nurse = Person(2, [(0, 6, 6), (100, 6, 6)], clothes=lambda s: Role.STAFF_PPE if s >= 70 else None)
        facility = scene(contact_pairs=(Pair.RESIDENT_RESIDENT,), **RESIDENTS)
        events = events_of(facility, [*people, nurse], 2.0)
        gone = [event for event in events if event.type is WITHDRAWN]
        assert sorted((event.finding.kind, event.finding.identity) for event in gone) == [
            ("contact", (1, 2)),
            ("gathering", (0,)),
        ]
        assert all(event.t >= NOON + 70 * S for event in gone)
        (left,) = incidents_of(facility, [*people, nurse], 2.0)
        assert (left.kind, left.identity) == ("contact", (0, 1))


class TestOnePerson:
    """Two tracks turn out to be one person."""

    def test_a_change_of_the_id_goes_on_as_one_incident(self):
        events = events_of(YARD, [stay(1, 6, 6, 0, 20), stay(2, 6, 6, 20.2, 40)])
        assert told(events) == [(OPENED, 2), (ALERTED, 2), (EXTENDED, 62), (CLOSED, 100)]
        assert seconds(events[-1].finding.end) == (40,)
        assert events[-1].finding.measure.value == pytest.approx(40)

    def test_a_reviewer_states_that_two_tracks_are_one_person(self):
        # Too long out of sight for a link.
        people = [stay(1, 6, 6, 0, 10), stay(2, 6, 6, 20, 40)]
        fact = SamePerson(NOON + 30 * S, 1, 2)
        events = events_of(YARD, people, marks=[fact])
        first, later = (event for event in events if event.type is OPENED)
        (gone,) = (event for event in events if event.type is WITHDRAWN)
        assert (gone.t, gone.incident, gone.replaced_by) == (fact.t, later.incident, first.incident)
        assert gone.reason == (
            "a reviewer found tracks 0000000000000001 and 0000000000000002 to be one person"
        )
        (finding,) = judge(YARD, observe(people), [fact]).findings
        assert (finding.identity, *seconds(finding.start, finding.end)) == ((1,), 0, 40)
        # 10 s out of sight are no stay.
        assert finding.measure.value == 30

    def test_the_order_of_the_tracks_of_a_fact_does_not_matter_and_unknown_tracks_are_ignored(self):
        people = [stay(1, 6, 6, 0, 10), stay(2, 6, 6, 20, 40)]
        one, other, none = (
            events_of(YARD, people, marks=[SamePerson(NOON + 30 * S, *tracks)])
            for tracks in ((1, 2), (2, 1), (1, 99))
        )
        assert [replace(event, reason="") for event in one] == [replace(event, reason="") for event in other]
        assert none == events_of(YARD, people)

    def test_a_fact_joins_the_contacts_of_both_tracks(self):
        people = [stay(1, 6, 6, 0, 30), stay(2, 6, 6, 40, 80), stay(3, 7, 6, 0, 80)]
        found = judge(MEETING, observe(people), [SamePerson(NOON + 60 * S, 1, 2)]).findings
        (finding,) = (one for one in found if one.kind == "contact")
        assert (finding.identity, *seconds(finding.start, finding.end)) == ((1, 3), 0, 80)
        assert finding.measure.value == 70

    def test_a_gathering_goes_on_with_a_member_under_another_id(self):
        people = [stay(i, 3 + 1.5 * i, 6, 0, 90) for i in range(2)]
        switched = [*people, stay(2, 6, 6, 0, 40), stay(3, 6, 6, 41, 90)]
        (finding,) = incidents_of(GROUP, switched, 2.0)
        assert seconds(finding.start, finding.end) == (0, 90)
        assert tracks_of(finding) == (0, 1, 2)


def changed(**more: object) -> Facility:
    """The yard with another zone beside the one that was there, or with other rules in it."""
    camera = YARD.cameras[0].model_copy(update={"zones": (STAFF.model_copy(update=more), OTHER)})
    return YARD.model_copy(update={"cameras": (camera,)})


OTHER = box_zone("other", ZoneType.STAFF_ONLY, 9, 4, 13, 8)


class TestFacilityChange:
    """Another facility file comes into force."""

    PEOPLE = (stay(1, 6, 6, 0, 60), stay(2, 11, 6, 0, 60))
    CHANGE = NOON + 20 * S

    def find(self, facility: Facility, after: Facility):
        return judge(facility, observe(self.PEOPLE), [FacilityChange(self.CHANGE, after)])

    def test_an_incident_in_a_zone_that_changed_ends_and_one_elsewhere_goes_on(self):
        bigger = box_zone("staff", ZoneType.STAFF_ONLY, 3, 3, 8, 8)
        seen = self.find(changed(), changed(polygon=bigger.polygon))
        (closed,) = (e for e in seen.of(CLOSED) if e.t == self.CHANGE)
        assert closed.finding.zone == "staff"
        assert closed.reason == "staff was changed in the facility file"
        assert seconds(closed.finding.end) == (19.8,)
        found = [(f.zone, *seconds(f.start, f.end)) for f in seen.findings]
        assert found == [("other", 0, 60), ("staff", 0, 19.8), ("staff", 20, 60)]
        # The new zone begins with nothing: its dwell starts anew.
        assert seconds(seen.findings[-1].opened) == (22,)

    def test_an_incident_in_a_zone_that_was_removed_ends(self):
        camera = YARD.cameras[0].model_copy(update={"zones": (OTHER,)})
        seen = self.find(changed(), YARD.model_copy(update={"cameras": (camera,)}))
        (closed,) = (e for e in seen.of(CLOSED) if e.t == self.CHANGE)
        assert closed.reason == "staff was removed from the facility file"
        assert [(f.zone, *seconds(f.end)) for f in seen.findings] == [("other", 60), ("staff", 19.8)]

    def test_a_new_name_changes_nothing(self):
        seen = self.find(changed(), changed(name="Store of the nurses"))
        assert seen.events == judge(changed(), observe(self.PEOPLE)).events

    def test_a_rule_that_allows_the_person_ends_it(self):
        allowed = Rule(roles=(Role.RESIDENT,), effect=Effect.ALLOW)
        seen = self.find(changed(), changed(rules=(allowed,)))
        assert [(f.zone, *seconds(f.start, f.end)) for f in seen.findings] == [
            ("other", 0, 60),
            ("staff", 0, 19.8),
        ]

    def test_another_default_role_corrects_or_withdraws_what_goes_on(self):
        camera = changed().cameras[0].model_copy(update={"default_role": Role.STAFF_PPE})
        seen = self.find(changed(), changed().model_copy(update={"cameras": (camera,)}))
        assert seen.findings == ()
        assert {event.t for event in seen.of(WITHDRAWN)} == {self.CHANGE}

    def test_other_thresholds_of_one_rule_do_not_end_incidents_of_another(self):
        facility = scene(STAFF, contact_pairs=(Pair.RESIDENT_RESIDENT,), **RESIDENTS)
        rules = facility.rules.model_copy(
            update={"contact": facility.rules.contact.model_copy(update={"min_s": 5.0})}
        )
        people = [stay(1, 6, 6, 0, 60), stay(2, 7, 6, 0, 60)]
        change = FacilityChange(self.CHANGE, facility.model_copy(update={"rules": rules}))
        seen = judge(facility, observe(people), [change])
        assert {(e.finding.kind, e.reason) for e in seen.of(CLOSED) if e.t == self.CHANGE} == {
            ("contact", "the rule for contact was changed in the facility file")
        }
        (again,) = (f for f in seen.findings if f.kind == "contact" and f.start >= self.CHANGE)
        assert seconds(again.start, again.opened) == (20, 25)


class TestPeopleOfIncidents:
    def test_clothes_are_stated_with_their_confidence(self):
        (finding,) = incidents_of(scene(STAFF), dressed([stay(7, 6, 6, 0, 9)]))
        (person,) = finding.people
        assert (person.role, person.basis) == ("resident", Basis.CLOTHES) and person.confidence > 0.9

    def test_a_zone_of_origin_is_stated_with_its_confidence(self):
        door = box_zone("door", ZoneType.COMMON, 1, 4, 3, 8, origin_role=Role.RESIDENT, origin_confidence=0.8)
        (finding,) = incidents_of(scene(STAFF, door), [Person(7, [(0, 2, 6), (4, 6, 6), (9, 6, 6)])])
        (person,) = finding.people
        assert (person.role, person.confidence, person.basis) == ("resident", 0.8, Basis.ORIGIN)
        assert finding.severity == "high"

    def test_clothes_unlike_all_that_were_labelled_give_an_unknown_role(self):
        strange = {f"role_{role}": 0.05 for role in Role if role is not Role.UNKNOWN}
        (finding,) = incidents_of(YARD, [stay(7, 6, 6, 0, 9, extra=strange)])
        assert roles_of(finding) == ("unknown",) and finding.severity == "medium"
