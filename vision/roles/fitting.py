"""Learning what roles wear from a few labelled crops, in seconds, and how far to trust the result.

A regularised multinomial logistic regression. Everything that says how good it is, its temperature and
its guard too, comes from cross-validation over people: crops of one person are never on both sides, or
the same jacket, seen a second later, would count as a success.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from vision.roles.assignment import MIN_READING_SHARE, MIN_ROLE_CONFIDENCE, READING_CORRELATION
from vision.roles.model import FeatureIdentity, HeldOut, LabelCount, RoleError, RoleModel, distances, softmax
from zones.facility import Role

STRENGTH = 1.0
"""Inverse of the L2 penalty on features of unit variance and, all together, unit length: the best of 0.1,
1, 10 and 100 by the held-out likelihood on people in protective clothing (the card of `ppe`)."""
FOLDS = 5
LEAST_TRACKS = 2
"""Of a class: with one person there is nobody to check on, and an average would be that person's vector."""
LIKE_LABELLED = 0.95
"""Share of the crops of people held out that the guard lets pass as like those labelled [D]."""
BINS = 10
FLAT = 1e-6
"""Features that vary less (standard deviation) are constant, and are not blown up to unit variance."""


@dataclass(frozen=True)
class Labelled:
    """Labelled crops.

    Attributes:
        features: (N, D).
        classes: (N,) number of the class of each.
        tracks: (N,) who is on it; equal for crops of one person in one stretch of footage.
        groups: (N,) what must not be on both sides of the cross-validation, where that is more than a
            track, such as all the people in one picture; None = the tracks.
    """

    features: np.ndarray
    classes: np.ndarray
    tracks: Sequence[str]
    groups: Sequence[str] | None = None


def fit(
    labelled: Labelled,
    classes: Sequence[tuple[Role, ...]],
    features: FeatureIdentity,
    *,
    facility: str | None,
    made: str,
    guarded: bool = True,
    unknown_from: float = MIN_ROLE_CONFIDENCE,
) -> RoleModel:
    """Train on labelled crops. Deterministic: the same labels give the same model.

    Args:
        labelled: the crops.
        classes: the roles that each class stands for.
        features: which features they are.
        facility: code of the facility it is for.
        made: now, ISO 8601.
        guarded: tell people like nobody labelled; not where one class stands for everybody else.
        unknown_from: confidence under which a track counts as unknown in the figures.

    Raises:
        RoleError: fewer than two classes, or of one fewer than LEAST_TRACKS people; or a person with two.
    """
    chosen, tracks = np.asarray(labelled.classes), np.asarray(labelled.tracks, dtype=str)
    x = np.asarray(labelled.features, dtype=np.float64)
    counts = _counts(chosen, tracks, classes)
    groups = tracks if labelled.groups is None else np.asarray(labelled.groups, dtype=str)
    folds = _folds(chosen, groups, len(classes))
    logits, away = np.zeros((len(x), len(classes))), np.zeros(len(x))
    for fold in range(folds.max() + 1):
        apart = folds == fold
        part = _Fitted.to(x[~apart], chosen[~apart], tracks[~apart], len(classes))
        z = part.standardised(x[apart])
        logits[apart] = part.logits(z)
        away[apart] = distances(z, part.centres, part.spread).min(axis=1)
    weights = _weights(chosen, tracks)
    temperature = _temperature(logits, chosen, weights, [count.tracks for count in counts])
    guard = _quantile(away, weights, LIKE_LABELLED) if guarded else None
    shares = softmax(logits / temperature)
    if guard is not None:
        shares[away > guard] = 0
    whole = _Fitted.to(x, chosen, tracks, len(classes))
    return RoleModel(
        facility=facility,
        made=made,
        features=features,
        classes=tuple(classes),
        mean=_rounded(whole.mean),
        scale=_rounded(whole.scale),
        coefficients=tuple(_rounded(row) for row in whole.coefficients),
        intercepts=_rounded(whole.intercepts),
        temperature=temperature,
        centres=tuple(_rounded(row) for row in whole.centres) if guarded else (),
        spread=_rounded(whole.spread) if guarded else (),
        guard=guard,
        counts=counts,
        held_out=_held_out(shares, chosen, tracks, int(folds.max()) + 1, unknown_from),
    )


@dataclass(frozen=True)
class _Fitted:
    """One regression and the statistics around it; see `RoleModel` for the fields."""

    mean: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray
    centres: np.ndarray
    spread: np.ndarray

    @classmethod
    def to(cls, x: np.ndarray, chosen: np.ndarray, tracks: np.ndarray, classes: int) -> _Fitted:
        from sklearn.linear_model import LogisticRegression  # a second to import: not for looking only

        weights = _weights(chosen, tracks)
        mean = np.average(x, axis=0, weights=weights)
        deviation = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weights))
        # Together of unit length on average, so that STRENGTH means the same for any number of features.
        scale = np.where(deviation > FLAT, deviation, 1.0) * np.sqrt(x.shape[1])
        z = (x - mean) / scale
        regression = LogisticRegression(C=STRENGTH, max_iter=1000).fit(z, chosen, sample_weight=weights)
        coefficients, intercepts = regression.coef_, regression.intercept_
        if classes == 2:  # one row, for the second against the first
            coefficients = np.vstack([-coefficients, coefficients]) / 2
            intercepts = np.concatenate([-intercepts, intercepts]) / 2
        centres = np.stack(
            [np.average(z[chosen == k], axis=0, weights=weights[chosen == k]) for k in range(classes)]
        )
        within = np.sqrt(np.average((z - centres[chosen]) ** 2, axis=0, weights=weights))
        # Features that no labelled person varies in would make every other person infinitely strange.
        spread = np.maximum(within, 0.3 / np.sqrt(x.shape[1]))
        return cls(mean, scale, coefficients, intercepts, centres, spread)

    def standardised(self, x: np.ndarray) -> np.ndarray:
        return np.asarray((x - self.mean) / self.scale)

    def logits(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(z @ self.coefficients.T + self.intercepts)


def _counts(
    chosen: np.ndarray, tracks: np.ndarray, classes: Sequence[tuple[Role, ...]]
) -> tuple[LabelCount, ...]:
    names = [" or ".join(role.value for role in members) for members in classes]
    if len(classes) < 2:
        raise RoleError(f"expected labels of at least two roles, got {', '.join(names) or 'none'}")
    owners: dict[str, int] = {}
    for track, k in zip(tracks.tolist(), chosen.tolist(), strict=True):
        if owners.setdefault(track, k) != k:
            raise RoleError(
                f"expected one role per person, got {names[owners[track]]} and {names[k]} for track {track}"
            )
    people = Counter(owners.values())
    for k, name in enumerate(names):
        if people[k] < LEAST_TRACKS:
            raise RoleError(
                f"expected labelled crops of at least {LEAST_TRACKS} people as {name}, got {people[k]}: "
                "label another person, or more footage"
            )
    return tuple(LabelCount(crops=int((chosen == k).sum()), tracks=people[k]) for k in range(len(classes)))


def _folds(chosen: np.ndarray, groups: np.ndarray, classes: int) -> np.ndarray:
    """Fold (N,) of each crop: groups of each class are dealt out in turn, so that none lacks in training."""
    rng = np.random.default_rng(0)
    foremost = {
        str(name): int(np.bincount(chosen[groups == name], minlength=classes).argmax())
        for name in np.unique(groups)
    }
    dealt = [[name for name, k in foremost.items() if k == wanted] for wanted in range(classes)]
    count = min(FOLDS, *(max(LEAST_TRACKS, len(names)) for names in dealt))
    fold = {
        name: number % count for names in dealt for number, name in enumerate(rng.permutation(names).tolist())
    }
    return np.array([fold[group] for group in groups.tolist()])


def _weights(chosen: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """Weights (N,), mean 1: classes count alike, and within a class its people, however many crops each."""
    people = {k: len(np.unique(tracks[chosen == k])) for k in np.unique(chosen).tolist()}
    crops = Counter(tracks.tolist())
    weights = np.array(
        [1 / (people[k] * crops[t]) for k, t in zip(chosen.tolist(), tracks.tolist(), strict=True)]
    )
    return np.asarray(weights / weights.mean())


def _temperature(logits: np.ndarray, chosen: np.ndarray, weights: np.ndarray, people: Sequence[int]) -> float:
    """The temperature (Guo et al. 2017) at which held-out logits (N, K) are the most likely.

    Right answers are given no more than (n + 1) / (n + 2) of n people, Laplace's rule of succession, as
    Platt (1999) smooths his targets: a few people told without a mistake prove no certainty.
    """
    n = np.asarray(people, dtype=np.float64)[chosen]
    right = (n + 1) / (n + 2)
    classes = logits.shape[1]
    targets = np.repeat(((1 - right) / (classes - 1))[:, None], classes, axis=1)
    targets[np.arange(len(chosen)), chosen] = right

    def loss(log_temperature: float) -> float:
        shares = softmax(logits / np.exp(log_temperature))
        return float(-(weights[:, None] * targets * np.log(np.maximum(shares, 1e-12))).sum())

    best = minimize_scalar(loss, bounds=(np.log(0.02), np.log(20)), method="bounded")
    return float(np.exp(best.x))


def _quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, share)), len(values) - 1)])


def _held_out(
    shares: np.ndarray, chosen: np.ndarray, tracks: np.ndarray, folds: int, unknown_from: float
) -> HeldOut:
    names = np.unique(tracks)
    truth = np.array([chosen[tracks == name][0] for name in names])
    best, confidence = combine(shares, tracks, names)
    known = confidence >= unknown_from
    right = best == truth
    return HeldOut(
        folds=folds,
        tracks=len(names),
        crops=len(chosen),
        crop_accuracy=float((shares.argmax(axis=1) == chosen)[shares.any(axis=1)].mean())
        if shares.any()
        else 0.0,
        calibration_error=calibration_error(shares.max(axis=1), shares.argmax(axis=1) == chosen),
        unknown_from=unknown_from,
        tracks_unknown=float(1 - known.mean()),
        track_accuracy=float(right[known].mean()) if known.any() else None,
        tracks_wrong=float((known & ~right).mean()),
    )


def combine(shares: np.ndarray, tracks: np.ndarray, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class (M,) and confidence (M,) of the named tracks from crops' probabilities (N, K), no prior.

    As `assign_roles` weighs the readings of a track; confidence 0 where most are like nobody labelled.
    """
    best, confidence = np.zeros(len(names), dtype=int), np.zeros(len(names))
    for number, name in enumerate(names):
        own = shares[tracks == name]
        like = own[own.sum(axis=1) > 0]
        if 2 * len(like) < len(own):
            continue
        worth = len(like) / (1 + (len(like) - 1) * READING_CORRELATION)
        odds = softmax(
            worth
            * np.log(np.clip(like, MIN_READING_SHARE, 1 - MIN_READING_SHARE)).mean(axis=0, keepdims=True)
        )[0]
        best[number], confidence[number] = odds.argmax(), odds.max()
    return best, confidence


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error (Naeini et al. 2015) in BINS bins; answers of no confidence are left out."""
    told = confidence > 0
    confidence, right = confidence[told], right[told]
    if not len(confidence):
        return 0.0
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(float(confidence[bins == b].sum()) - float(right[bins == b].sum())) for b in np.unique(bins)]
    return float(sum(gaps) / len(confidence))


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    """Seven significant digits: more would be noise, and a file that people may read."""
    return tuple(float(f"{value:.7g}") for value in np.asarray(values).tolist())
