"""Comparison of two versions of the rules: gained, lost and changed incidents, and scores by verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from incidents.comparison import MAX_APART_US, Score, compare
from incidents.comparison_payload import ChangePayload
from incidents.record import Incident, Status
from incidents.rules.events import Basis, Person
from tests.incidents.ledger.ledger_samples import T0, incident
from vision.frames import SECOND


def crossing(zone: str = "lawn", at: float = 0, length: float = 5, track: int = 1, **more: Any) -> Incident:
    start = T0 + round(at * SECOND)
    return incident(
        kind="zone_crossing",
        subkind="zone_entry",
        zone=zone,
        people=(Person(track, "resident", 0.9, Basis.CLOTHES),),
        start=start,
        end=start + round(length * SECOND),
        **more,
    )


def decided(item: Incident, verdict: Status) -> Incident:
    return replace(item, status=verdict, decision=verdict.value)


def test_equal_incidents_are_the_same_whatever_the_thresholds() -> None:
    found = compare([crossing()], [crossing(thresholds={"dwell_s": 9.0})])
    assert (len(found.same), found.changed, found.gained, found.lost) == (1, (), (), ())


def test_incidents_of_one_version_only_are_gained_or_lost() -> None:
    stays, goes, comes = crossing(track=1), crossing(track=2), crossing(track=3)
    found = compare([stays, goes], [stays, comes])
    assert [change.old for change in found.lost] == [goes]
    assert [change.new for change in found.gained] == [comes]


@pytest.mark.parametrize(
    ("new", "names"),
    [
        (crossing(length=9), ["end"]),
        (crossing(severity="low"), ["severity"]),
        (crossing(at=2, length=3), ["start"]),
        (crossing(at=65, length=3), ["start", "end"]),
        (crossing(zone="garden"), ["zone"]),
    ],
)
def test_an_event_with_different_fields_is_changed(new: Incident, names: list[str]) -> None:
    found = compare([crossing()], [new])
    assert [[name for name, _, _ in change.differences] for change in found.changed] == [names]
    assert (found.gained, found.lost) == ((), ())


@pytest.mark.parametrize(
    "new",
    [
        crossing(at=5 + MAX_APART_US / SECOND + 1),
        crossing(track=2),
        replace(crossing(), camera="gate", id="0" * 16),
        replace(crossing(), kind="mask_absent", zone=None, id="0" * 16),
    ],
)
def test_another_time_person_camera_or_kind_is_another_event(new: Incident) -> None:
    found = compare([crossing()], [new])
    assert (len(found.gained), len(found.lost)) == (1, 1)


def test_the_nearest_incident_matches_and_those_of_the_same_zone_come_first() -> None:
    old = crossing(at=0.1, length=30)
    early, late = crossing(at=1, length=5), crossing(at=10, length=18)
    found = compare([old], [early, late])
    assert [change.new for change in found.changed] == [late]
    elsewhere = crossing(zone="garden", at=0.2, length=30)
    found = compare([old], [elsewhere, early])
    assert [change.new for change in found.changed] == [early]
    assert [change.new for change in found.gained] == [elsewhere]


def test_verdicts_give_precision_and_recall() -> None:
    right, wrong, unsure, open_ = (crossing(track=track) for track in range(1, 5))
    unseen = crossing(track=9)
    recorded = [
        decided(right, Status.CONFIRMED),
        decided(wrong, Status.FALSE_ALARM),
        decided(unsure, Status.INCONCLUSIVE),
        open_,
        decided(unseen, Status.CONFIRMED),
    ]
    moved = crossing(track=1, at=1, length=4)
    found = compare([right, wrong, unsure, open_], [moved, unsure, crossing(track=5)], recorded)
    assert [(change.verdict, change.recorded) for change in found.changed] == [("confirmed", right.id)]
    assert {change.incident.id: change.verdict for change in found.lost} == {
        wrong.id: "false_alarm",
        open_.id: None,
    }
    assert [change.verdict for change in found.gained] == [None]
    assert [item.id for item in found.missed] == [unseen.id]
    old, new = found.scores["zone_crossing", "lawn"]
    assert old == Score(confirmed=1, missed=1, false_alarms=1, undecided=2)
    assert new == Score(confirmed=1, missed=1, false_alarms=0, undecided=2)
    assert (old.precision, new.precision, old.recall, new.recall) == ((1, 2), (1, 1), (1, 2), (1, 2))
    assert found.scores["", ""] == (old, new)


def test_a_reported_incident_counts_as_confirmed_and_is_missed_if_lost() -> None:
    right = crossing()
    recorded = [replace(decided(right, Status.CONFIRMED), status=Status.REPORTED)]
    found = compare([right], [], recorded)
    assert [change.verdict for change in found.lost] == ["confirmed"]
    assert found.missed == ()
    _, new = found.scores["zone_crossing", "lawn"]
    assert (new.precision, new.recall) == ((0, 0), (0, 1))


incidents = st.lists(
    st.builds(
        crossing,
        zone=st.sampled_from(["lawn", "gate"]),
        at=st.integers(0, 200).map(float),
        length=st.integers(0, 40).map(float),
        track=st.integers(1, 3),
    ),
    max_size=8,
    unique_by=lambda item: item.id,
)


@settings(deadline=None)
@given(incidents, incidents)
def test_every_incident_is_in_one_list_and_swapping_the_versions_swaps_the_lists(
    old: list[Incident], new: list[Incident]
) -> None:
    found = compare(old, new)
    both = [*found.same, *found.changed]
    assert sorted(c.old.id for c in [*both, *found.lost] if c.old) == sorted(item.id for item in old)
    assert sorted(c.new.id for c in [*both, *found.gained] if c.new) == sorted(item.id for item in new)
    back = compare(new, old)
    assert len(back.same) == len(found.same)
    assert compare(old, old).changed == compare(old, old).gained == ()


def test_a_change_and_a_score_are_json_with_a_schema() -> None:
    confirmed = decided(crossing(), Status.CONFIRMED)
    found = compare([crossing()], [crossing(severity="low")], [confirmed])
    [change] = found.changed
    written = change.to_payload().to_dict()
    Draft202012Validator(ChangePayload.model_json_schema()).validate(written)
    assert written == {
        "id": crossing().id,
        "old_id": crossing().id,
        "new_id": crossing().id,
        "recorded": confirmed.id,
        "camera": "yard",
        "kind": "zone_crossing",
        "zone": "lawn",
        "severity": "low",
        "start": "2026-11-24T15:00:00.000000+07:00",
        "end": "2026-11-24T15:00:05.000000+07:00",
        "verdict": "confirmed",
        "differences": {"severity": {"old": "high", "new": "low"}},
    }
    assert list(found.scores[("", "")][1].to_payload().to_dict().items()) == [
        ("raised", 1),
        ("confirmed", 1),
        ("missed", 0),
        ("false_alarms", 0),
        ("undecided", 0),
        ("precision", 1.0),
        ("recall", 1.0),
    ]
    assert Score().to_payload().precision is None
