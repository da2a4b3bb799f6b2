"""Grouping of tracks by appearance, so that one key labels all tracks of a group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SAME_CLOTHES_QUANTILE = 0.9
"""Tracks are grouped up to this quantile of the distances between the first and second half of a track."""
MIN_CROPS_TO_HALVE = 4
"""Minimum number of crops of a track whose halves are compared."""
DEFAULT_DISTANCE = 0.05
"""Cosine distance used if no track has that many crops; 0 is identical, 1 is unrelated. Project default
(docs/defaults.md)."""


def group_by_appearance(features: np.ndarray, tracks: Sequence[str], dimension: int) -> list[list[str]]:
    """Group tracks by appearance, the largest group first.

    Average linkage (Sokal and Michener 1958) of cosine distances between the mean features of the tracks. The
    distance threshold comes from the footage: the distance of a person to the same person some time later.

    Args:
        features: features (N, D) of crops, from `RoleFeatures.read`.
        tracks: the track of each crop, (N,); crops of a track are in order of time.
        dimension: number of first columns that are the embedding.
    """
    names, means = _means(features, tracks, dimension)
    if len(names) < 2:
        return [[name] for name in names]
    labels = _cluster(
        means, distance_threshold=_same_clothes_distance(features, tracks, dimension), n_clusters=None
    )
    crops = {name: sum(track == name for track in tracks) for name in names}
    groups = [[names[n] for n in np.flatnonzero(labels == k)] for k in range(labels.max() + 1)]
    return sorted(groups, key=lambda group: (-sum(crops[name] for name in group), group))


def split_in_two(features: np.ndarray, tracks: Sequence[str], dimension: int) -> list[list[str]]:
    """Split a group of tracks in two by appearance; a group of one track is returned whole."""
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
    """Embedding and colours with equal weight, as unit vectors."""
    parts = [features[:, :dimension], features[:, dimension:]]
    scaled = [p / np.maximum(np.linalg.norm(p, axis=1, keepdims=True), 1e-9) for p in parts if p.shape[1]]
    return np.asarray(np.hstack(scaled) / np.sqrt(len(scaled)))


def _same_clothes_distance(features: np.ndarray, tracks: Sequence[str], dimension: int) -> float:
    of, vectors = np.asarray(tracks, dtype=str), _vectors(features, dimension)
    distances = []
    for name in sorted(set(tracks)):
        own = vectors[of == name]
        if len(own) >= MIN_CROPS_TO_HALVE:
            first, second = own[: len(own) // 2].mean(axis=0), own[len(own) // 2 :].mean(axis=0)
            cosine = float(first @ second) / float(np.linalg.norm(first) * np.linalg.norm(second))
            distances.append(max(1 - cosine, 1e-6))
    return float(np.quantile(distances, SAME_CLOTHES_QUANTILE)) if distances else DEFAULT_DISTANCE


def _cluster(means: np.ndarray, **options: float | None) -> np.ndarray:
    from sklearn.cluster import AgglomerativeClustering  # imported here because it takes a second

    return np.asarray(
        AgglomerativeClustering(metric="cosine", linkage="average", **options).fit(means).labels_
    )
