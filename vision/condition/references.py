"""The views that a camera is expected to show: one, as it looks by day, at night, in other light.

The first good view is accepted. A view in which the same edges are in place, but fewer of them, is the same
view in another light, or with other things in it; once it has been good for a while it is remembered beside
the first. None replaces the first, and none is remembered that is shifted against it: a camera that sags
slowly must not take its expected view along.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vision.condition.comparing import STEADY_PX, Comparison, Reference, compare
from vision.condition.view import Edges, Floats, Picture
from vision.state import State

MAX_REFERENCES = 6
"""Views that are remembered. Project default (docs/defaults.md)."""
LIKE_SHARE = 0.8
"""Share of windows in place, from which on a view is like a remembered one. Project default
(docs/defaults.md)."""
LEARN_SHARE, LEARN_S = 0.5, 60.0
"""A view that is less like it, but has this share in place, is remembered beside the first once it has been
seen for so many seconds without a break: twice what a condition needs to be raised, so that nothing that is
about to be raised is learned. Project default (docs/defaults.md)."""
MIN_COMPARABLE = 3
"""Windows with edges that a view needs to be accepted by itself: a camera that begins with a covered lens
must not take it for its view. Project default (docs/defaults.md)."""


class References:
    """The expected views of one camera."""

    def __init__(self) -> None:
        """Expect nothing: the first good view will be accepted."""
        self._views: list[Reference] = []
        self._current = 0
        self._confirmed = False
        self._other_light_s = 0.0

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the accepted view, px; None before there is one."""
        return self._views[0].picture.shape[:2] if self._views else None

    @property
    def confirmed(self) -> bool:
        """Whether the next view is accepted whatever it shows."""
        return self._confirmed

    def accept_next(self) -> None:
        """Forget the expected views, and accept the next one whatever it shows."""
        self._views, self._current, self._confirmed = [], 0, True
        self.interrupt()

    def compare(
        self, view: Picture, edges: Edges, detail: Floats, contrast: Floats, t: int
    ) -> Comparison | None:
        """Compare a view with the expected one that is most like it; None before there is one."""
        if not self._views:
            return None
        best = compare(view, edges, detail, contrast, self._views[self._current])
        if best.in_place < LIKE_SHARE:
            for number, reference in enumerate(self._views):
                if number == self._current:
                    continue
                other = compare(view, edges, detail, contrast, reference)
                if other.in_place > best.in_place:
                    best, self._current = other, number
        if best.in_place >= LIKE_SHARE:
            self._views[self._current] = replace(self._views[self._current], used=t)
        return best

    def learn(
        self,
        view: Picture,
        edges: Edges,
        detail: Floats,
        contrast: Floats,
        t: int,
        comparison: Comparison | None,
        seconds: float,
    ) -> None:
        """Remember a view that nothing impairs, if it is the first, or was long seen in another light.

        `seconds`: for which the view speaks.
        """
        if comparison is None:
            if self._confirmed or int(edges.comparable.sum()) >= MIN_COMPARABLE:
                self._views, self._current = [Reference(view, detail, contrast, used=t)], 0
                self._confirmed = False
            return
        if not LEARN_SHARE <= comparison.in_place < LIKE_SHARE or comparison.shift is None:
            self.interrupt()
            return
        self._other_light_s += seconds
        if self._other_light_s < LEARN_S:
            return
        self.interrupt()
        base = self._views[self._current].offset
        offset = base[0] + comparison.shift.x, base[1] + comparison.shift.y
        if max(map(abs, offset)) > STEADY_PX:
            return
        if len(self._views) == MAX_REFERENCES:
            oldest = min(range(1, MAX_REFERENCES), key=lambda number: self._views[number].used)
            del self._views[oldest]
        self._views.append(Reference(view, detail, contrast, offset, t))
        self._current = len(self._views) - 1

    def interrupt(self) -> None:
        """Say that the view is impaired, or not known: another light must be seen anew."""
        self._other_light_s = 0.0

    def state(self) -> State:
        """The views, one after the other along the first axis of each array."""
        views = self._views
        return {
            "pictures": np.stack([v.picture for v in views]) if views else np.zeros((0, 0, 0), np.uint8),
            "detail": np.stack([v.detail for v in views]) if views else np.zeros((0, 0), np.float32),
            "contrast": np.stack([v.contrast for v in views]) if views else np.zeros((0, 0), np.float32),
            "offsets": np.array([v.offset for v in views], np.float64).reshape(-1, 2),
            "used": np.array([v.used for v in views], np.int64),
            "current": np.array([self._current, self._confirmed], np.int64),
            "other_light_s": np.array(self._other_light_s),
        }

    def restore(self, state: State) -> None:
        """Take over a state."""
        parts = (state[name] for name in ("pictures", "detail", "contrast", "offsets", "used"))
        self._views = [
            Reference(
                picture.astype(np.uint8),
                detail.astype(np.float32),
                contrast.astype(np.float32),
                (float(offset[0]), float(offset[1])),
                int(used),
            )
            for picture, detail, contrast, offset, used in zip(*parts, strict=True)
        ]
        self._current, confirmed = state["current"].astype(int).tolist()
        self._confirmed = bool(confirmed)
        self._other_light_s = float(state["other_light_s"])
