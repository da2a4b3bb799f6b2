"""Tracks that look alike, put together, so that one key can name them all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ALIKE = 0.9
"""Quantile of how far the second half of a track looks from its first: tracks no further apart on average
are taken for people in the same clothes."""
HALVED = 4
"""Crops of a track that make halves worth comparing."""
FALLBACK = 0.05
"""Distance used where no track has that many [D]; 0 is the same, 1 is unrelated."""


def group_by_appearance(features: np.ndarray, tracks: Sequence[str], dimension: int) -> list[list[str]]:
    """Groups of tracks whose people look alike, the largest first.

    Average linkage (Sokal and Michener 1958) of cosine distances between the tracks' mean features. How
    near is alike, the footage itself says: as near as one person is to the same person a while later.

    Args:
        features: (N, D) of crops, as `RoleFeatures.read` gives them.
        tracks: (N,) the track of each crop; crops of a track stand in order of time.
        dimension: how many of the first columns are the appearance vector.
    """
    names, means = _means(features, tracks, dimension)
    if len(names) < 2:
        return [[name] for name in names]
    labels = _cluster(means, distance_threshold=_alike(features, tracks, dimension), n_clusters=None)
    crops = {name: sum(track == name for track in tracks) for name in names}
    groups = [[names[n] for n in np.flatnonzero(labels == k)] for k in range(labels.max() + 1)]
    return sorted(groups, key=lambda group: (-sum(crops[name] for name in group), group))


def split_in_two(features: np.ndarray, tracks: Sequence[str], dimension: int) -> list[list[str]]:
    """The two most different halves of a group of tracks; the group itself where it has but one track."""
    names, means = _means(features, tracks, dimension)
    if len(names) < 2:
        return [names]
    labels = _cluster(means, n_clusters=2)
    return [[names[n] for n in np.flatnonzero(labels == k)] for k in range(2)]


def _means(features: np.ndarray, tracks: Sequence[str], dimension: int) -> tuple[list[str], np.ndarray]:
    names = sorted(set(tracks))
    of = np.asarray(tracks, dtype=str)
    vectors = _vectors(features, dimension)
    return names, np.array([vectors[of == name].mean(axis=0) for name in names])


def _vectors(features: np.ndarray, dimension: int) -> np.ndarray:
    """Appearance and colours with equal weight, as unit vectors."""
    parts = [features[:, :dimension], features[:, dimension:]]
    scaled = [p / np.maximum(np.linalg.norm(p, axis=1, keepdims=True), 1e-9) for p in parts if p.shape[1]]
    return np.asarray(np.hstack(scaled) / np.sqrt(len(scaled)))


def _alike(features: np.ndarray, tracks: Sequence[str], dimension: int) -> float:
    of, vectors = np.asarray(tracks, dtype=str), _vectors(features, dimension)
    distances = []
    for name in sorted(set(tracks)):
        own = vectors[of == name]
        if len(own) >= HALVED:
            first, second = own[: len(own) // 2].mean(axis=0), own[len(own) // 2 :].mean(axis=0)
            cosine = float(first @ second) / float(np.linalg.norm(first) * np.linalg.norm(second))
            distances.append(max(1 - cosine, 1e-6))
    return float(np.quantile(distances, ALIKE)) if distances else FALLBACK


def _cluster(means: np.ndarray, **how: float | None) -> np.ndarray:
    from sklearn.cluster import AgglomerativeClustering  # a second to import

    return np.asarray(AgglomerativeClustering(metric="cosine", linkage="average", **how).fit(means).labels_)
