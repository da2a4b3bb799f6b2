"""What each track has looked like, kept in memory for as long as the track, and compared as evidence."""

from __future__ import annotations

import numpy as np

KEPT = 8
"""Views kept of a person, the newest; one a second, they span a turn of the body."""
SLOPE, EVEN = 11.7, 0.57
"""Log odds that two views are of one person: SLOPE * (cosine - EVEN), fitted by `lazaretto models evaluate
appearance` to held-out people of public images, one kind of pairs weighing as much as the other."""
MOST = 3.0
"""Log odds that one comparison can give at most, either way: clothes repeat, and light changes [D]."""


class Gallery:
    """The newest views of one person, unit vectors, and their normalised mean."""

    def __init__(self) -> None:
        """Begin without views."""
        self._views: list[np.ndarray] = []
        self._mean: np.ndarray | None = None

    def __len__(self) -> int:
        """How many views there are."""
        return len(self._views)

    @property
    def mean(self) -> np.ndarray | None:
        """The normalised mean (D,) of the views; None without any."""
        return self._mean

    def add(self, view: np.ndarray) -> None:
        """Add a view (D,); the oldest beyond KEPT is forgotten."""
        self._views = [*self._views[-(KEPT - 1) :], view]
        total = np.sum(self._views, axis=0)
        self._mean = total / max(float(np.linalg.norm(total)), 1e-9)

    def take(self, other: Gallery) -> None:
        """Add the views of another gallery."""
        for view in other._views:
            self.add(view)


def log_odds(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """Log odds that two views (D,), or means of views, are of one person; 0 where there is none."""
    if one is None or other is None:
        return 0.0
    return float(np.clip(SLOPE * (float(one @ other) - EVEN), -MOST, MOST))
