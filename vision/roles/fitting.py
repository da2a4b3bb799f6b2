"""Training of the role classifier on a few labelled crops, and its held-out figures.

The classifier is a regularised multinomial logistic regression. Its figures, its temperature and its guard
come from cross-validation over people: crops of one person are never in both training and test. Otherwise
the same jacket, seen a second later, would count as a success.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from vision.roles.assignment import MIN_READING_SHARE, MIN_ROLE_CONFIDENCE, READING_CORRELATION
from vision.roles.model import FeatureIdentity, HeldOut, LabelCount, RoleError, RoleModel, distances
from zones.facility import Role

INVERSE_PENALTY = 1.0
"""Inverse of the L2 penalty, for features scaled to unit variance and together to unit length. The best of
0.1, 1, 10 and 100 by held-out likelihood on people in protective clothing (see the card of `ppe`)."""
FOLDS = 5
"""Maximum number of folds of the cross-validation."""
MIN_TRACKS_PER_CLASS = 2
"""Minimum number of people per class. With one person, none is left to test on, and the mean of the class
would be that person's feature vector."""
GUARD_QUANTILE = 0.95
"""Share of held-out crops that the guard accepts as similar to the labelled people. Project default
(docs/defaults.md)."""
CALIBRATION_BINS = 10
"""Number of bins of the expected calibration error."""
MIN_DEVIATION = 1e-6
"""Features with a smaller standard deviation are constant and are not scaled to unit variance."""


@dataclass(frozen=True)
class Labelled:
    """Labelled crops.

    Attributes:
        features: features, (N, D).
        classes: index of the class of each crop, (N,).
        tracks: id of the person on each crop, (N,).
        groups: group of each crop, (N,), for example all people in one image; a group is never in both
            training and test. None = the tracks.
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
        labelled: the labelled crops.
        classes: the roles that each class stands for.
        features: identity of the features.
        facility: code of the facility that the model is for; None = any.
        made: time of training, ISO 8601.
        guarded: add a guard that detects people unlike all labelled people. Not used if one class stands for
            all other people.
        unknown_from: confidence below which a track counts as unknown in the figures.

    Raises:
        RoleError: there are fewer than two classes, fewer than MIN_TRACKS_PER_CLASS people of a class, or two
            classes for one person.
    """
    chosen, tracks = np.asarray(labelled.classes), np.asarray(labelled.tracks, dtype=str)
    x = np.asarray(labelled.features, dtype=np.float64)
    counts = _counts(chosen, tracks, classes)
    groups = tracks if labelled.groups is None else np.asarray(labelled.groups, dtype=str)
    folds = _folds(chosen, groups, len(classes))
    logits, distance = np.zeros((len(x), len(classes))), np.zeros(len(x))
    for fold in range(folds.max() + 1):
        held_out = folds == fold
        part = _Fitted.fit(x[~held_out], chosen[~held_out], tracks[~held_out], len(classes))
        z = part.standardised(x[held_out])
        logits[held_out] = part.logits(z)
        distance[held_out] = distances(z, part.centres, part.spread).min(axis=1)
    weights = _weights(chosen, tracks)
    temperature = _temperature(logits, chosen, weights, [count.tracks for count in counts])
    guard = _quantile(distance, weights, GUARD_QUANTILE) if guarded else None
    shares = softmax(logits / temperature, axis=1)
    if guard is not None:
        shares[distance > guard] = 0
    whole = _Fitted.fit(x, chosen, tracks, len(classes))
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
    """A fitted regression with its statistics; see `RoleModel` for the fields."""

    mean: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray
    centres: np.ndarray
    spread: np.ndarray

    @classmethod
    def fit(cls, x: np.ndarray, chosen: np.ndarray, tracks: np.ndarray, classes: int) -> _Fitted:
        from sklearn.linear_model import LogisticRegression  # imported here because it takes a second

        weights = _weights(chosen, tracks)
        mean = np.average(x, axis=0, weights=weights)
        deviation = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weights))
        # Unit length on average, so that INVERSE_PENALTY does not depend on the number of features.
        scale = np.where(deviation > MIN_DEVIATION, deviation, 1.0) * np.sqrt(x.shape[1])
        z = (x - mean) / scale
        regression = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000).fit(
            z, chosen, sample_weight=weights
        )
        coefficients, intercepts = regression.coef_, regression.intercept_
        if classes == 2:  # scikit-learn gives one row, for the second class against the first
            coefficients = np.vstack([-coefficients, coefficients]) / 2
            intercepts = np.concatenate([-intercepts, intercepts]) / 2
        centres = np.stack(
            [np.average(z[chosen == k], axis=0, weights=weights[chosen == k]) for k in range(classes)]
        )
        within = np.sqrt(np.average((z - centres[chosen]) ** 2, axis=0, weights=weights))
        # Without a minimum, a feature that is constant in the labels would make other people too distant.
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
        if people[k] < MIN_TRACKS_PER_CLASS:
            raise RoleError(
                f"expected labelled crops of at least {MIN_TRACKS_PER_CLASS} people as {name}, "
                f"got {people[k]}: label another person, or more footage"
            )
    return tuple(LabelCount(crops=int((chosen == k).sum()), tracks=people[k]) for k in range(len(classes)))


def _folds(chosen: np.ndarray, groups: np.ndarray, classes: int) -> np.ndarray:
    """Fold of each crop, (N,): the groups of each class are distributed evenly over the folds."""
    rng = np.random.default_rng(0)
    main_class = {
        str(name): int(np.bincount(chosen[groups == name], minlength=classes).argmax())
        for name in np.unique(groups)
    }
    by_class = [[name for name, k in main_class.items() if k == wanted] for wanted in range(classes)]
    count = min(FOLDS, *(max(MIN_TRACKS_PER_CLASS, len(names)) for names in by_class))
    fold = {
        name: number % count
        for names in by_class
        for number, name in enumerate(rng.permutation(names).tolist())
    }
    return np.array([fold[group] for group in groups.tolist()])


def _weights(chosen: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """Weights of crops, (N,), mean 1: classes have equal weight, and so have the people of a class."""
    people = {k: len(np.unique(tracks[chosen == k])) for k in np.unique(chosen).tolist()}
    crops = Counter(tracks.tolist())
    weights = np.array(
        [1 / (people[k] * crops[t]) for k, t in zip(chosen.tolist(), tracks.tolist(), strict=True)]
    )
    return np.asarray(weights / weights.mean())


def _temperature(logits: np.ndarray, chosen: np.ndarray, weights: np.ndarray, people: Sequence[int]) -> float:
    """The temperature (Guo et al. 2017) that maximises the likelihood of held-out logits (N, K).

    The target of the right class is (n + 1) / (n + 2) for n people, by Laplace's rule of succession, as Platt
    (1999) smooths targets: a few people without a mistake do not prove certainty.
    """
    n = np.asarray(people, dtype=np.float64)[chosen]
    right = (n + 1) / (n + 2)
    classes = logits.shape[1]
    targets = np.repeat(((1 - right) / (classes - 1))[:, None], classes, axis=1)
    targets[np.arange(len(chosen)), chosen] = right

    def loss(log_temperature: float) -> float:
        shares = softmax(logits / np.exp(log_temperature), axis=1)
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
    best, confidence = combine_readings(shares, tracks, names)
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
        recognised=tuple(float((known & right)[truth == k].mean()) for k in range(shares.shape[1])),
    )


def combine_readings(
    shares: np.ndarray, tracks: np.ndarray, names: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Class (M,) and confidence (M,) of the named tracks, from the probabilities (N, K) of their crops.

    Readings are combined as in `assign_roles`, without a prior. The confidence is 0 if most crops of a track
    show a person unlike all labelled people.
    """
    best, confidence = np.zeros(len(names), dtype=int), np.zeros(len(names))
    for number, name in enumerate(names):
        own = shares[tracks == name]
        familiar = own[own.sum(axis=1) > 0]
        if 2 * len(familiar) < len(own):
            continue
        effective = len(familiar) / (1 + (len(familiar) - 1) * READING_CORRELATION)
        clipped = np.clip(familiar, MIN_READING_SHARE, 1 - MIN_READING_SHARE)
        combined = np.asarray(softmax(effective * np.log(clipped).mean(axis=0)))
        best[number], confidence[number] = combined.argmax(), combined.max()
    return best, confidence


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error (Naeini et al. 2015); answers with confidence 0 are left out."""
    answered = confidence > 0
    confidence, right = confidence[answered], right[answered]
    if not len(confidence):
        return 0.0
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [abs(float(confidence[bins == b].sum()) - float(right[bins == b].sum())) for b in np.unique(bins)]
    return float(sum(gaps) / len(confidence))


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    """Round to seven significant digits, so that the file of the model stays readable."""
    return tuple(float(f"{value:.7g}") for value in np.asarray(values).tolist())
