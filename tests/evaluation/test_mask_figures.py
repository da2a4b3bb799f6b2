from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from evaluation.masks import NOT_ASSESSED, Decision, Outcome, clip_outcome, decide, mask_accuracy
from evaluation.truth import ClipTruth
from tests.evaluation.scenes import seen
from tests.incidents.rules.rule_scenes import NOON, Masks, Person, observe, scene, stay

FACILITY = scene(calibrated=False)
CAMERA = FACILITY.cameras[0]
HZ = 5.0


def clip(*people: Person, frames: int = 100) -> Any:
    return seen(observe(people, HZ), frames, HZ, NOON)


def masked(state: str, every_s: float = 0.4) -> Masks:
    """A state at every sample; nothing between samples."""
    return lambda second: state if round(second * HZ) % round(every_s * HZ) == 0 else "not_sampled"


def person(track: int, state: str, x: float = 4.0, end: float = 19.8, **more: Any) -> Person:
    return stay(track, x, 6.0, 0.0, end, masks=masked(state), **more)


def truth(*people: dict[str, Any]) -> ClipTruth:
    return ClipTruth.model_validate({"clip": "a.mp4", "people": list(people)})


def test_an_incident_decides_and_else_the_majority_of_samples() -> None:
    bare = person(1, "unmasked", 2.0)
    covered = person(2, "masked", 5.0)
    brief = person(3, "unmasked", 8.0, end=2.0)  # too short for the rule: six samples
    away = person(4, "no_face", 11.0)
    small = person(5, "masked", 14.0, face_px=25.0)  # under the least face height of the rule
    _, decisions = decide(clip(bare, covered, brief, away, small), FACILITY, CAMERA)
    assert [(d.state, d.by) for d in decisions] == [
        ("unmasked", "rule"),
        ("masked", "majority"),
        ("unmasked", "majority"),
        (NOT_ASSESSED, "nothing"),
        (NOT_ASSESSED, "nothing"),
    ]
    assert decisions[1].samples == 50 and decisions[1].votes["masked"] == 50
    assert decisions[3].samples == 50 and not any(decisions[3].votes.values())


def test_of_equal_votes_the_least_severe_wins() -> None:
    both = stay(1, 4, 6, 0, 1.8, masks=lambda second: "unmasked" if round(second * HZ) % 2 else "masked")
    _, (decision,) = decide(clip(both), FACILITY, CAMERA)
    assert decision.votes["masked"] == decision.votes["unmasked"] == 5
    assert decision.state == "masked"


def test_a_person_is_the_longest_track_in_place_and_time_and_others_are_counted() -> None:
    long = person(1, "masked", 4.0, end=10.0)
    short = stay(2, 4.0, 6.0, 15.0, 17.0, masks=masked("unmasked"))
    elsewhere = person(3, "unmasked", 12.0)
    result = clip_outcome(
        clip(long, short, elsewhere), truth({"state": "masked", "box": [0, 0, 0.5, 1]}), FACILITY, CAMERA
    )
    (outcome,) = result.people
    assert outcome.decided == "masked"
    assert (result.fragments, result.others) == (1, 1)


def test_two_people_at_one_place_are_distinguished_by_time() -> None:
    first = person(1, "masked", 4.0, end=8.0)
    second = stay(2, 4.0, 6.0, 12.0, 19.8, masks=masked("unmasked"))
    true = truth({"state": "masked", "until": 10}, {"state": "unmasked", "from": "0:10"})
    result = clip_outcome(clip(first, second), true, FACILITY, CAMERA)
    assert [outcome.decided for outcome in result.people] == ["masked", "unmasked"]
    assert (result.fragments, result.others) == (0, 0)


def test_a_person_who_was_not_tracked_is_not_assessed() -> None:
    result = clip_outcome(clip(), truth({"state": "incorrect"}), FACILITY, CAMERA)
    assert result.people == (Outcome("a.mp4", "incorrect", None),)
    assert result.people[0].decided == NOT_ASSESSED


def outcomes(pairs: Sequence[tuple[str, str]]) -> list[Outcome]:
    return [Outcome("a", true, Decision(0, said, "majority", 1, {})) for true, said in pairs]


def test_accuracy_is_of_the_assessed_and_coverage_of_all() -> None:
    pairs = [("masked", "masked")] * 4 + [("unmasked", "masked")] + [("unmasked", NOT_ASSESSED)] * 3
    found = mask_accuracy(outcomes(pairs), 200, 0)
    assert found.accuracy.value == pytest.approx(4 / 5)
    assert found.coverage.value == pytest.approx(5 / 8)
    assert found.confusion["unmasked"] == {
        "masked": 1,
        "unmasked": 0,
        "incorrect": 0,
        NOT_ASSESSED: 3,
    }
    assert found.recall["unmasked"].value == 0.0 and found.recall["masked"].value == 1.0
    assert found.precision["masked"].value == pytest.approx(4 / 5)
    assert found.recall["incorrect"].value is None and found.precision["unmasked"].value is None
    low, high = found.coverage.low, found.coverage.high
    assert low is not None and high is not None and low < 5 / 8 < high


def test_without_assessed_people_there_is_no_accuracy() -> None:
    found = mask_accuracy(outcomes([("masked", NOT_ASSESSED)] * 3), 50, 0)
    assert found.accuracy.value is None
    assert found.coverage.value == 0.0 and found.coverage.interval == "exact"
