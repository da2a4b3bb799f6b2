"""Masks: votes, what may vote, and the edges of the window."""

from __future__ import annotations

import pytest

from incidents.rules.events import Measure
from incidents.rules.machines.mask import mask_state
from incidents.rules.machines.rows import UNMASKED
from tests.incidents.rules.rule_scenes import NOON, Person, box_zone, dressed, incidents_of, scene, stay
from zones.facility import Role, ZoneType

S = 1_000_000


def evaluate(person: Person, *places, hz: float = 1.0):
    """The incidents of a person who wears the clothes of a resident, unless others are given."""
    return incidents_of(scene(*places), dressed([person]), hz)


def states(*values: str, hz: float = 1.0, **more) -> Person:
    return stay(3, 6, 6, 0, (len(values) - 1) / hz, masks=lambda second: values[round(second * hz)], **more)


def test_ten_seconds_without_a_mask_are_a_finding():
    (finding,) = evaluate(states(*["unmasked"] * 11))
    assert (finding.kind, finding.subkind, finding.zone, finding.identity) == ("mask_absent", "", None, (3,))
    assert finding.measure == Measure("agreeing_share", 1.0, 0.6)
    assert (finding.start, finding.end) == (NOON, NOON + 10 * S)
    assert (finding.mask_state, finding.assessable_share, finding.severity) == ("unmasked", 1.0, "medium")
    assert finding.rule_confidence == 1.0


def test_a_mask_worn_incorrectly_is_a_finding():
    (finding,) = evaluate(states(*["incorrect"] * 11))
    assert (finding.kind, finding.mask_state, finding.severity) == ("mask_incorrect", "incorrect", "low")


def test_a_mask_that_is_worn_is_not_a_finding():
    assert evaluate(states(*["masked"] * 60)) == ()


@pytest.mark.parametrize(("count", "fires"), [(8, True), (7, False)])
def test_a_finding_needs_eight_samples(count, fires):
    assert bool(evaluate(states(*["unmasked"] * count))) is fires


@pytest.mark.parametrize(("count", "fires"), [(26, True), (25, False)])
def test_a_finding_needs_a_span_of_five_seconds(count, fires):
    assert bool(evaluate(states(*["unmasked"] * count, hz=5.0), hz=5.0)) is fires


@pytest.mark.parametrize(("agree", "fires"), [(6, True), (5, False)])
def test_sixty_percent_of_ten_must_agree(agree, fires):
    findings = evaluate(states(*["masked"] * (10 - agree), *["unmasked"] * agree))
    assert bool(findings) is fires
    if fires:
        assert (findings[0].start - NOON, findings[0].end - NOON) == (4 * S, 9 * S)


def test_samples_further_apart_than_the_window_do_not_add_up():
    # Eight votes over 10.5 s: never more than seven within 10 s.
    person = stay(3, 6, 6, 0, 10.5, masks=lambda _: "unmasked")
    assert evaluate(person, hz=2 / 3) == ()
    assert len(evaluate(stay(3, 6, 6, 0, 9.8, masks=lambda _: "unmasked"), hz=1 / 1.4)) == 1


def test_a_sample_that_was_not_assessed_does_not_vote_and_is_reported():
    # Seen from behind half of the time: unmasked whenever assessed.
    (finding,) = evaluate(states(*["unmasked", "turned"] * 20, hz=2.0), hz=2.0)
    assert finding.kind == "mask_absent"
    assert finding.assessable_share == pytest.approx(20 / 39)
    assert evaluate(states(*["turned"] * 60)) == ()


def test_a_sample_that_was_not_due_does_not_count_as_attempted():
    (finding,) = evaluate(states(*["unmasked", "not_sampled"] * 20, hz=2.0), hz=2.0)
    assert finding.assessable_share == 1.0


def test_a_small_face_does_not_vote():
    assert evaluate(states(*["unmasked"] * 11, face_px=31.0)) == ()


def test_samples_in_or_near_an_exempt_zone_do_not_vote():
    table = box_zone("table", ZoneType.EXEMPT, 4, 4, 8, 8)
    assert evaluate(states(*["unmasked"] * 11), table) == ()
    assert evaluate(stay(3, 8.2, 6, 0, 20, masks=lambda _: "unmasked"), table) == ()
    assert len(evaluate(stay(3, 8.4, 6, 0, 20, masks=lambda _: "unmasked"), table)) == 1


@pytest.mark.parametrize(
    ("role", "end", "fires"),
    [(Role.RESIDENT, 120, False), (Role.RESIDENT, 140, True), (Role.STAFF_NO_PPE, 20, True)],
)
def test_a_swab_at_a_care_station_takes_two_minutes(role, end, fires):
    care = box_zone("swab", ZoneType.CARE_STATION, 4, 4, 8, 8)
    assert bool(evaluate(stay(3, 6, 6, 0, end, clothes=role, masks=lambda _: "unmasked"), care)) is fires


@pytest.mark.parametrize(("apart_s", "count"), [(60, 1), (61, 2)])
def test_findings_within_a_minute_are_one_incident(apart_s, count):
    # Nothing is assessed in between.
    person = stay(
        3,
        6,
        6,
        0,
        20 + apart_s,
        masks=lambda second: "unmasked" if not 10 < second < 10 + apart_s else "turned",
    )
    findings = evaluate(person)
    assert len(findings) == count
    assert findings[-1].end - NOON == (20 + apart_s) * S


def test_absent_and_incorrect_are_separate_findings():
    kinds = [finding.kind for finding in evaluate(states(*["unmasked"] * 20, *["incorrect"] * 20))]
    assert sorted(kinds) == ["mask_absent", "mask_incorrect"]


def test_the_mask_state_needs_as_many_votes_as_a_finding():
    # Votes: masked, incorrect, unmasked.
    assert mask_state(4, 0.6, (1, 0, 3)) == UNMASKED
    assert mask_state(4, 0.6, (1, 0, 2)) == -1
    assert mask_state(4, 0.8, (1, 0, 3)) == -1


def test_no_samples_give_no_findings():
    assert incidents_of(scene(box_zone("table", ZoneType.EXEMPT, 4, 4, 8, 8)), []) == ()


@pytest.mark.parametrize(("change", "fires"), [(0.0, False), (0.009, False), (0.01, True), (0.3, True)])
def test_a_painted_face_that_never_changes_raises_nothing(change, fires):
    person = states(*["unmasked"] * 60, hz=2.0, extra={"face_change": change})
    assert bool(evaluate(person, hz=2.0)) is fires


@pytest.mark.parametrize(("every", "fires"), [(4, True), (5, False)])
def test_a_quarter_of_the_assessments_must_show_a_change(every, fires):
    change = [0.3 if n % every == every - 1 else 0.0 for n in range(40)]
    person = states(*["unmasked"] * 40, hz=2.0, extra={"face_change": change})
    assert bool(evaluate(person, hz=2.0)) is fires


def test_a_face_without_any_measured_change_is_evaluated():
    assert evaluate(states(*["unmasked"] * 11, extra={"face_change": None}))
