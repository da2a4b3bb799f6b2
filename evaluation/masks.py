"""How well mask states are decided, person by person: masked, unmasked, incorrect, or not assessed.

The state of a person in a clip is decided

1. by rule, if the rules raise `mask_absent` (unmasked) or `mask_incorrect` (incorrect) of the person and
   do not withdraw it; unmasked if they raise both;
2. else by majority: the state that most assessed samples of the face give; of equal counts the least
   severe, as in the mask rule;
3. else not assessed: no sample showed a face that could be assessed (from the rule's minimum face height).

A person of the rules (linked tracks) belongs to the true person in whose box it is for at least half
of its samples within the stated time of the clip; the middle of the upper quarter of its own box has to lie
in the true box. The one with most samples there gives the decision of the true person. Others of the same
true person are counted as fragments, and people whom the truth does not name are counted too. A true person
without one is not assessed.

Accuracy is the share of correct decisions among assessed people; coverage is the share of assessed people
among all true people. Both are needed: a system that assesses no face makes no mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt

from evaluation.bootstrap import RESAMPLES, SEED, resample_counts, safe_ratio, share_estimate
from evaluation.formats import TruthError
from evaluation.report import Report
from evaluation.setup import (
    DEFAULT_PERCEPTION,
    PerceptionRequest,
    ProgressBars,
    facility_and_camera,
    no_progress,
    run_settings,
)
from evaluation.truth import ClipTruth, PersonTruth, read_masks
from incidents.intervals import Estimate
from incidents.rules.mask import KINDS, STATES
from incidents.whole_log import PersonRows, evaluate_observations, rows_by_person
from pipelines.observe_footage import ObservedFootage, observe_footage
from vision.frames import SECOND
from zones.facility import Camera, Facility

TRUE_STATES = ("masked", "unmasked", "incorrect")
NOT_ASSESSED = "not assessed"
DECISIONS = (*TRUE_STATES, NOT_ASSESSED)
HEAD_HEIGHT_SHARE = 0.125
"""Height of the head's middle below the top of a person's box, as a share of the box: the middle of its upper
quarter."""


@dataclass(frozen=True)
class Decision:
    """The mask state decided of one person of the rules.

    Attributes:
        person: code of the person within the clip.
        state: one of `DECISIONS`.
        by: rule, majority or nothing.
        samples: attempts to assess the face.
        votes: state -> assessed samples that gave it.
    """

    person: int
    state: str
    by: Literal["rule", "majority", "nothing"]
    samples: int
    votes: Mapping[str, int]


@dataclass(frozen=True)
class Outcome:
    """One true person and the decision.

    Attributes:
        clip: name of the clip.
        truth: the true state.
        decision: None = the person was not tracked.
    """

    clip: str
    truth: str
    decision: Decision | None

    @property
    def decided(self) -> str:
        """The decided state, one of `DECISIONS`."""
        return NOT_ASSESSED if self.decision is None else self.decision.state


@dataclass(frozen=True)
class ClipOutcome:
    """The outcome of a clip.

    Attributes:
        people: the true people.
        fragments: further tracks of true people.
        others: people whom the truth does not name.
    """

    people: tuple[Outcome, ...]
    fragments: int
    others: int


@dataclass(frozen=True)
class MaskAccuracy:
    """Accuracy over all true people.

    Attributes:
        accuracy: correct among assessed; coverage: assessed among all.
        recall: true state -> correct among all people in that state.
        precision: decided state -> correct among all people for whom it was decided.
        confusion: true state -> decision -> people.
    """

    accuracy: Estimate
    coverage: Estimate
    recall: Mapping[str, Estimate]
    precision: Mapping[str, Estimate]
    confusion: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class MasksRequest:
    """An evaluation of mask states in clips.

    Attributes:
        clips: video files.
        truth: truth file, see `truth`.
        facility: facility file for its thresholds; None = the defaults.
        camera: id of the camera of the clips.
        perception: how the clips are analysed.
        resamples, seed: of the bootstrap.
    """

    clips: Sequence[Path]
    truth: Path
    facility: str | None = None
    camera: str | None = None
    perception: PerceptionRequest = DEFAULT_PERCEPTION
    resamples: int = RESAMPLES
    seed: int = SEED


@dataclass(frozen=True)
class MasksEvaluation:
    """The result of a `MasksRequest`."""

    people: tuple[Outcome, ...]
    clips: int
    accuracy: MaskAccuracy
    report: Report


def evaluate_masks(request: MasksRequest, progress_bars: ProgressBars = no_progress) -> MasksEvaluation:
    """Analyse clips and compare the mask states with the truth.

    Raises:
        TruthError: the truth cannot be read, or lacks a clip.
        SourceError: a clip cannot be read.
        LazarettoError: the facility or camera is not there.
        ModelError: weights or the device are not available.
    """
    truth = {item.clip: item for item in read_masks(request.truth).clips}
    if missing := next((clip for clip in request.clips if clip.name not in truth), None):
        raise TruthError(f"{request.truth}: expected the truth of {missing.name}, got {', '.join(truth)}")
    facility, camera = facility_and_camera(request.facility, request.camera)
    bundle = request.perception.load()
    source_fps = request.perception.source_fps
    outcomes: list[ClipOutcome] = []
    for clip in request.clips:
        with progress_bars(clip.name) as progress:
            observed = observe_footage(
                clip, bundle, camera, start=0, source_fps=source_fps, progress=progress
            )
        outcomes.append(clip_outcome(observed, truth[clip.name], facility, camera))
    people = tuple(person for outcome in outcomes for person in outcome.people)
    accuracy = mask_accuracy(people, request.resamples, request.seed)
    fragments = sum(outcome.fragments for outcome in outcomes)
    others = sum(outcome.others for outcome in outcomes)
    report = Report(
        question="masks",
        settings={
            **run_settings(bundle, source_fps),
            "clips": [str(clip) for clip in request.clips],
            "truth": str(request.truth),
            "facility": request.facility,
            "facility_version": facility.version,
            "camera": camera.id,
        },
        weights=bundle.weights,
        seed=request.seed,
        resamples=request.resamples,
        unit="person",
        units=len(people),
        counts={
            "people": len(people),
            "fragments": fragments,
            "others": others,
            "confusion": accuracy.confusion,
            "decisions": [decision_row(person) for person in people],
        },
        figures={
            "accuracy": accuracy.accuracy,
            "coverage": accuracy.coverage,
            "recall": accuracy.recall,
            "precision": accuracy.precision,
        },
        notes=(f"{fragments} further tracks of these people, {others} of people not in the truth",),
    )
    return MasksEvaluation(people, len(request.clips), accuracy, report)


class DecisionRow(TypedDict):
    """One true person in a report."""

    clip: str
    truth: str
    decided: str
    tracked: bool
    by: str
    samples: int
    votes: dict[str, int]


def decision_row(outcome: Outcome) -> DecisionRow:
    """One true person for a report."""
    decision = outcome.decision
    return {
        "clip": outcome.clip,
        "truth": outcome.truth,
        "decided": outcome.decided,
        "tracked": decision is not None,
        "by": decision.by if decision else "nothing",
        "samples": decision.samples if decision else 0,
        "votes": dict(decision.votes) if decision else {},
    }


def clip_outcome(
    observed: ObservedFootage, truth: ClipTruth, facility: Facility, camera: Camera
) -> ClipOutcome:
    """Decide the state of each person in a clip, and compare with the truth."""
    samples, decisions = decide(observed, facility, camera)
    seconds = (samples.rows["t"] - observed.start) / SECOND
    codes = np.unique(samples.person)
    owners = np.full(len(codes), -1)
    held = np.zeros((len(truth.people), len(codes)), dtype=np.int64)
    for c, code in enumerate(codes.tolist()):
        rows = samples.person == code
        for n, person in enumerate(truth.people):
            inside = _samples_inside(samples, rows, seconds, person)
            held[n, c] = inside if 2 * inside >= rows.sum() else 0
        if held[:, c].any():
            owners[c] = int(held[:, c].argmax())
    people: list[Outcome] = []
    for n, person in enumerate(truth.people):
        own = np.flatnonzero(owners == n)
        longest = decisions[int(own[held[n, own].argmax()])] if len(own) else None
        people.append(Outcome(truth.clip, person.state, longest))
    tracked = sum(item.decision is not None for item in people)
    return ClipOutcome(tuple(people), int((owners >= 0).sum()) - tracked, int((owners < 0).sum()))


def _samples_inside(
    samples: PersonRows, rows: npt.NDArray[np.bool_], seconds: npt.NDArray[np.float64], person: PersonTruth
) -> int:
    """Number of the rows that lie in the box and in the time of a true person."""
    inside = rows.copy()
    if person.first is not None:
        inside &= seconds >= person.first.us / SECOND
    if person.until is not None:
        inside &= seconds <= person.until.us / SECOND
    if person.box is not None:
        x1, y1, x2, y2 = person.box
        left, top, right, bottom = (samples.rows[name] for name in ("x1", "y1", "x2", "y2"))
        x, y = (left + right) / 2 / samples.aspect, top + HEAD_HEIGHT_SHARE * (bottom - top)
        inside &= (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)
    return int(inside.sum())


def decide(
    observed: ObservedFootage, facility: Facility, camera: Camera
) -> tuple[PersonRows, list[Decision]]:
    """The samples of the people in a clip, and the decision for each person in the order of their codes."""
    result = evaluate_observations(observed.observations, facility, camera.id)
    samples = rows_by_person(observed.observations, facility, camera, result.links)
    track, vote, tried = (samples.rows[name] for name in ("track", "vote", "tried"))
    state_of = {kind: STATES[vote] for vote, kind in KINDS.items()}
    raised: dict[int, set[str]] = {}
    for finding in result.findings:
        if finding.kind in state_of:
            raised.setdefault(finding.people[0].track, set()).add(state_of[finding.kind])
    decisions = []
    for code in np.unique(samples.person).tolist():
        rows = samples.person == code
        votes = {state: int((vote[rows] == number).sum()) for number, state in STATES.items()}
        by_rule: set[str] = set().union(*(raised.get(int(t), set()) for t in np.unique(track[rows])))
        attempts = int(tried[rows].sum())
        if by_rule:
            state = "unmasked" if "unmasked" in by_rule else "incorrect"
            decisions.append(Decision(code, state, "rule", attempts, votes))
        elif any(votes.values()):
            # STATES is ordered by severity and max takes the first of equal counts: the least severe.
            state = max(votes, key=lambda name: votes[name])
            decisions.append(Decision(code, state, "majority", attempts, votes))
        else:
            decisions.append(Decision(code, NOT_ASSESSED, "nothing", attempts, votes))
    return samples, decisions


def mask_accuracy(people: Sequence[Outcome], resamples: int, seed: int) -> MaskAccuracy:
    """Accuracy over true people, with intervals from a bootstrap over them."""
    truth = np.array([person.truth for person in people])
    decided = np.array([person.decided for person in people])
    counts = resample_counts(len(people), resamples, seed)
    assessed, correct = decided != NOT_ASSESSED, truth == decided

    def share(part: npt.NDArray[np.bool_], whole: npt.NDArray[np.bool_]) -> Estimate:
        resampled = safe_ratio((counts @ (part & whole)).astype(float), (counts @ whole).astype(float))
        return share_estimate(int((part & whole).sum()), int(whole.sum()), resampled, len(people))

    return MaskAccuracy(
        accuracy=share(correct, assessed),
        coverage=share(assessed, np.ones(len(people), dtype=np.bool_)),
        recall={state: share(correct, truth == state) for state in TRUE_STATES},
        precision={state: share(correct, decided == state) for state in TRUE_STATES},
        confusion={
            state: {word: int(((truth == state) & (decided == word)).sum()) for word in DECISIONS}
            for state in TRUE_STATES
        },
    )
