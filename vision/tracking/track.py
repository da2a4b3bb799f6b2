"""One person as the tracker knows them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vision.tracking.gallery import Gallery
from vision.tracking.motion import Floats


@dataclass(eq=False)
class Track:
    """One person, followed.

    Attributes:
        key: number of the track; unlike the identity, it is never exchanged.
        first: the box (4,) of the first detection.
        born: its time, microseconds.
        mean, covariance: state (6,) and (6, 6) at `at`; see `motion`.
        at: time of the state, microseconds.
        anchor: state and covariance right after the last detection.
        seen: time of the last detection, microseconds.
        strong: time of the last one that was not weak.
        hits: detections.
        identity: number of the person; None until confirmed.
        gallery: what the person looks like.
        aside: what was seen since the last crossing, until it is known whose it is.
        met: key of each track that the person crossed -> time of the last overlap.
        looked: time of the last look, microseconds.
        settled: that the person is nobody who was lost before, or is known to be.
    """

    key: int
    first: Floats
    born: int
    mean: Floats
    covariance: Floats
    at: int
    anchor: tuple[Floats, Floats]
    seen: int
    strong: int
    hits: int = 1
    identity: int | None = None
    gallery: Gallery = field(default_factory=Gallery)
    aside: Gallery = field(default_factory=Gallery)
    met: dict[int, int] = field(default_factory=dict)
    looked: int | None = None
    settled: bool = False

    def remember(self, view: np.ndarray, t: int) -> None:
        """Keep a clear view (D,) of the person, seen at `t`; during a crossing, aside."""
        (self.aside if self.met else self.gallery).add(view)
        self.looked = t

    def part(self, key: int) -> None:
        """Close the crossing with the track of that key; after the last one, what was set aside counts."""
        self.met.pop(key, None)
        if not self.met:
            self.gallery.take(self.aside)
            self.aside = Gallery()

    def resume(self, later: Track) -> None:
        """Go on as the track that turned out to be this person, with crossings that are not yet judged."""
        for name in ("mean", "covariance", "at", "anchor", "seen", "strong", "looked"):
            setattr(self, name, getattr(later, name))
        self.hits += later.hits
        self.settled = True
        (self.aside if self.met else self.gallery).take(later.gallery)
