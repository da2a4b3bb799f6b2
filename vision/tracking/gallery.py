"""The embeddings of one person, kept in memory for as long as the track, and their comparison."""

from __future__ import annotations

import numpy as np

MAX_EMBEDDINGS = 8
"""Newest embeddings kept of a person. At one a second they span a turn of the body."""
LOG_ODDS_SLOPE, EVEN_COSINE = 11.7, 0.57
"""Log odds that two embeddings are of one person: LOG_ODDS_SLOPE * (cosine - EVEN_COSINE). Fitted by
`lazaretto models evaluate appearance` to held-out people of public images, with equal weight of pairs of one
person and pairs of two."""
MAX_LOG_ODDS = 3.0
"""Bound of the log odds of one comparison, either way: different people wear the same clothes, and light
changes. Project default (docs/defaults.md)."""


class Gallery:
    """The newest embeddings of one person (unit vectors), and their normalised mean."""

    def __init__(self) -> None:
        """Begin without embeddings."""
        self._embeddings: list[np.ndarray] = []
        self._mean: np.ndarray | None = None

    def __len__(self) -> int:
        """How many embeddings there are."""
        return len(self._embeddings)

    @property
    def embeddings(self) -> tuple[np.ndarray, ...]:
        """The embeddings (D,), oldest first."""
        return tuple(self._embeddings)

    @property
    def mean(self) -> np.ndarray | None:
        """The normalised mean (D,) of the embeddings; None without any."""
        return self._mean

    def add(self, embedding: np.ndarray) -> None:
        """Add an embedding (D,); the oldest beyond MAX_EMBEDDINGS is dropped."""
        self._embeddings = [*self._embeddings[-(MAX_EMBEDDINGS - 1) :], embedding]
        total = np.sum(self._embeddings, axis=0)
        self._mean = total / max(float(np.linalg.norm(total)), 1e-9)

    def extend(self, other: Gallery) -> None:
        """Add the embeddings of another gallery."""
        for embedding in other.embeddings:
            self.add(embedding)


def same_person_log_odds(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """Log odds that two embeddings (D,), or means of embeddings, are of one person; 0 where one is None."""
    if one is None or other is None:
        return 0.0
    log_odds = LOG_ODDS_SLOPE * (float(one @ other) - EVEN_COSINE)
    return max(-MAX_LOG_ODDS, min(MAX_LOG_ODDS, log_odds))
