"""How well the state of a mask is told, person by person: masked, unmasked, incorrect, or not assessed.

What is decided of a person followed through a clip:

1. by rule: the rules raise `mask_absent` or `mask_incorrect` of the person: unmasked, or incorrect (unmasked
   where they raise both);
2. by majority: else, the state that most assessed looks say; of equal ones, the least severe, as the rule
   has it;
3. not assessed: no look gave a face that could be assessed (from the rule's least face height on).

A true person is the one followed track, of all those that are in the person's box (of which half the looks
have the middle of the upper quarter in it) for at least half of their time in the clip's stated time, that
was seen longest there; shorter ones of the same person count as fragments, and are told, and so are people
whom the truth does not name. A true person who was not followed is not assessed.

Accuracy is right over assessed; coverage is assessed over all true people. The second never excuses the
first: a system that assesses nobody makes no mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from evaluation.bootstrap import draws, ratio, share
from evaluation.truth import ClipTruth, PersonTruth
from incidents.intervals import Estimate
from incidents.rules.engine import evaluate_rules
from incidents.rules.mask import KINDS, STATES
from incidents.rules.samples import Samples, read_samples
from incidents.rules.stitching import stitch_tracklets
from pipelines.observe_footage import ObservedFootage
from vision.frames import SECOND
from vision.ground import locate
from vision.roles import assign_roles
from zones.facility import Camera, Facility

TRUE_STATES = ("masked", "unmasked", "incorrect")
NOT_ASSESSED = "not assessed"
DECISIONS = (*TRUE_STATES, NOT_ASSESSED)
HEAD = 0.125
"""The middle of the upper quarter of a person's box, where the head is, as a share of its height."""


@dataclass(frozen=True)
class Decision:
    """What is decided of one followed person.

    Attributes:
        path: code of the person within the clip.
        state: of `DECISIONS`.
        by: rule, majority or nothing.
        looks: at the face, assessed or not; votes: state -> assessed looks that said so.
    """

    path: int
    state: str
    by: Literal["rule", "majority", "nothing"]
    looks: int
    votes: Mapping[str, int]


@dataclass(frozen=True)
class Outcome:
    """One true person, and what was decided of them.

    Attributes:
        clip: its name.
        truth: the true state.
        decision: None = the person was not followed.
    """

    clip: str
    truth: str
    decision: Decision | None

    @property
    def decided(self) -> str:
        """Of `DECISIONS`."""
        return NOT_ASSESSED if self.decision is None else self.decision.state


@dataclass(frozen=True)
class ClipOutcome:
    """The true people of a clip; fragments: further tracks of theirs; others: people not in the truth."""

    people: tuple[Outcome, ...]
    fragments: int
    others: int


@dataclass(frozen=True)
class MaskFigures:
    """Figures over all true people.

    Attributes:
        accuracy: right of assessed; coverage: assessed of all.
        recall: true state -> right of all whose state it is.
        precision: state -> right of all who are said to be in it.
        confusion: true state -> decision -> people.
    """

    accuracy: Estimate
    coverage: Estimate
    recall: Mapping[str, Estimate]
    precision: Mapping[str, Estimate]
    confusion: Mapping[str, Mapping[str, int]]


def compare(observed: ObservedFootage, truth: ClipTruth, facility: Facility, camera: Camera) -> ClipOutcome:
    """Decide of everybody in a clip, and compare with the truth."""
    samples, decisions = decide(observed, facility, camera)
    seconds = (samples.t - observed.start) / SECOND
    paths = np.unique(samples.person)
    owners = np.full(len(paths), -1)
    held = np.zeros((len(truth.people), len(paths)), dtype=np.int64)
    for p, path in enumerate(paths.tolist()):
        rows = samples.person == path
        for n, person in enumerate(truth.people):
            there = _there(samples, rows, seconds, person)
            held[n, p] = there if 2 * there >= rows.sum() else 0
        if held[:, p].any():
            owners[p] = int(held[:, p].argmax())
    people: list[Outcome] = []
    for n, person in enumerate(truth.people):
        own = np.flatnonzero(owners == n)
        best = decisions[int(own[held[n, own].argmax()])] if len(own) else None
        people.append(Outcome(truth.clip, person.state, best))
    found = sum(item.decision is not None for item in people)
    return ClipOutcome(tuple(people), int((owners >= 0).sum()) - found, int((owners < 0).sum()))


def _there(
    samples: Samples, rows: npt.NDArray[np.bool_], seconds: npt.NDArray[np.float64], person: PersonTruth
) -> int:
    """How many of the rows are of somebody at the place and in the time of a true person."""
    inside = rows.copy()
    if person.first is not None:
        inside &= seconds >= person.first.us / SECOND
    if person.until is not None:
        inside &= seconds <= person.until.us / SECOND
    if person.box is not None:
        x1, y1, x2, y2 = person.box
        left, top, right, bottom = samples.box.T
        x, y = (left + right) / 2 / samples.aspect, top + HEAD * (bottom - top)
        inside &= (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)
    return int(inside.sum())


def decide(observed: ObservedFootage, facility: Facility, camera: Camera) -> tuple[Samples, list[Decision]]:
    """What is decided of each person followed, in the order of their paths; and the samples behind it."""
    known_from = facility.rules.role_confidence
    seen = assign_roles(locate(observed.observations, camera), camera, known_from)
    samples = stitch_tracklets(read_samples(seen, camera.id, facility.rules.mask.min_face_px)[0], known_from)
    state_of = {kind: STATES[vote] for vote, kind in KINDS.items()}
    raised: dict[int, set[str]] = {}
    for finding in evaluate_rules(observed.observations, facility, camera).findings:
        if finding.kind in state_of:
            raised.setdefault(finding.tracks[0], set()).add(state_of[finding.kind])
    decisions = []
    for path in np.unique(samples.person).tolist():
        rows = samples.person == path
        votes = {state: int((samples.vote[rows] == vote).sum()) for vote, state in STATES.items()}
        said: set[str] = set().union(*(raised.get(int(t), set()) for t in np.unique(samples.track[rows])))
        looks = int(samples.attempted[rows].sum())
        if said:
            state = "unmasked" if "unmasked" in said else "incorrect"
            decisions.append(Decision(path, state, "rule", looks, votes))
        elif any(votes.values()):
            # The states stand in the order of their severity: max takes the first of equal ones.
            decisions.append(Decision(path, max(votes, key=lambda s: votes[s]), "majority", looks, votes))
        else:
            decisions.append(Decision(path, NOT_ASSESSED, "nothing", looks, votes))
    return samples, decisions


def figures(people: Sequence[Outcome], resamples: int, seed: int) -> MaskFigures:
    """Figures over true people, drawn anew person by person."""
    truth, said = (np.array([getattr(p, name) for p in people]) for name in ("truth", "decided"))
    drawn = draws(len(people), resamples, seed)
    assessed, right = said != NOT_ASSESSED, truth == said
    everybody = np.ones(len(people), dtype=np.bool_)

    def portion(part: npt.NDArray[np.bool_], whole: npt.NDArray[np.bool_]) -> Estimate:
        again = ratio((drawn @ (part & whole)).astype(float), (drawn @ whole).astype(float))
        return share(int((part & whole).sum()), int(whole.sum()), again, len(people))

    return MaskFigures(
        accuracy=portion(right, assessed),
        coverage=portion(assessed, everybody),
        recall={state: portion(right, truth == state) for state in TRUE_STATES},
        precision={state: portion(right, said == state) for state in TRUE_STATES},
        confusion={
            state: {word: int(((truth == state) & (said == word)).sum()) for word in DECISIONS}
            for state in TRUE_STATES
        },
    )
