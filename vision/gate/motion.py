"""Motion against a background that survives slow light, flicker, noise and rain.

The luma is reduced to GRID_PX on the longer side. For each of its pixels, a running mean and a running mean
deviation are kept. A pixel has changed where it differs from the mean by several times its own deviation:
so each camera, and each leaf that the wind moves, sets its own threshold. A shift of the whole picture (light
that is switched, an exposure that is adjusted) is taken out by the median first; where most of the picture
has changed, the background begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vision.frames import SECOND
from vision.state import State

GRID_PX = 192
"""Longer side of the reduced luma, px. A person 60 px high in a picture of 1920 x 1080 covers six by two of
its pixels. Project default (docs/defaults.md)."""
BACKGROUND_S = 10.0
"""Seconds in which the background follows a change by two thirds. Project default (docs/defaults.md)."""
OCCUPIED_BACKGROUND_S = 120.0
"""The same where something moves: a chair that was moved becomes background, a person who walks does not.
Project default (docs/defaults.md)."""
DEVIATION_S = 20.0
"""Seconds in which the deviation follows. Project default (docs/defaults.md)."""
MIN_DIFFERENCE, MAX_DIFFERENCE = 8.0, 40.0
"""Bounds of a pixel's threshold, grey levels: noise that is coded in steps lies below the first, and beyond
the second a person in dark clothes on a dark floor would be missed. Project default (docs/defaults.md)."""
DEVIATIONS = 5.0
"""Threshold of a pixel, in its own mean deviations: noise of a normal distribution exceeds 5 mean deviations
(4 standard deviations) once in 16,000 pixels. Project default (docs/defaults.md)."""
MIN_AREA = 5
"""Least number of reduced pixels that change together, after single ones were removed.
Project default (docs/defaults.md)."""
MAX_CHANGED_SHARE = 0.5
"""Share of the picture from which on a change is one of the whole picture: light, or the camera itself.
Project default (docs/defaults.md)."""
MAX_GAP_US = 30 * SECOND
"""After a longer time without a frame the background begins anew, microseconds.
Project default (docs/defaults.md)."""

FUTILE_GRID = (16, 9)
"""Columns and rows of the grid in which motion without a person is counted. Project default
(docs/defaults.md)."""
FUTILE_COUNT = 5.0
"""Detections at a place that moved and showed no person, from which on motion there is futile: a clock in the
picture, a tree, a fan, rain. Project default (docs/defaults.md)."""
FUTILE_MEMORY_S = 60.0
"""Seconds in which they lose two thirds of their weight. Project default (docs/defaults.md)."""

Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Motion:
    """What moved in a frame.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 of connected changes, px of the frame.
        whole: the whole picture changed, or there was nothing to compare: `boxes` says nothing.
    """

    boxes: Boxes
    whole: bool


class MotionDetector:
    """Compares the frames of one camera with its background; frames come in order of time."""

    def __init__(self) -> None:
        """Begin without a background."""
        self._mean: npt.NDArray[np.float32] | None = None
        self._deviation: npt.NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._last = 0

    def detect(self, grey: npt.NDArray[np.uint8], size: tuple[int, int], t: int, people: Boxes) -> Motion:
        """Find what moved, and let the background follow.

        Args:
            grey: the reduced luma of the frame, see `reduced_size`.
            size: width and height of the frame, px.
            t: of the frame, microseconds.
            people: (N, 4) boxes of the people in view, px: the background does not follow there.
        """
        luma = grey.astype(np.float32)
        mean = self._mean
        if mean is None or mean.shape != luma.shape or not 0 <= t - self._last <= MAX_GAP_US:
            return self._begin_again(luma, t)
        seconds, self._last = (t - self._last) / SECOND, t
        difference = luma - mean
        # A median over every fourth pixel is as good, and three times as fast.
        difference -= np.median(difference[::2, ::2])
        change = np.abs(difference)
        threshold = np.clip(DEVIATIONS * self._deviation, MIN_DIFFERENCE, MAX_DIFFERENCE)
        changed = cv2.morphologyEx(
            (change > threshold).astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)
        )
        if changed.mean() > MAX_CHANGED_SHARE:
            return self._begin_again(luma, t)
        joined = cv2.dilate(changed, np.ones((5, 5), np.uint8))
        scale = np.array([size[0] / luma.shape[1], size[1] / luma.shape[0]] * 2)
        boxes = _boxes(np.asarray(joined, np.uint8), np.asarray(changed, np.uint8))
        self._follow(luma, change, joined > 0, seconds, people / scale)
        return Motion(boxes * scale, False)

    def state(self) -> State:
        """The background: `mean` and `deviation` (H, W), and `last`, a time."""
        mean = np.zeros((0, 0), np.float32) if self._mean is None else self._mean
        return {"mean": mean, "deviation": self._deviation, "last": np.array(self._last, np.int64)}

    def restore(self, state: State) -> None:
        """Take over a state."""
        mean = state["mean"].astype(np.float32)
        self._mean = mean if mean.size else None
        self._deviation = state["deviation"].astype(np.float32)
        self._last = int(state["last"])

    def _begin_again(self, luma: npt.NDArray[np.float32], t: int) -> Motion:
        if self._deviation.shape != luma.shape:
            self._deviation = np.full(luma.shape, MIN_DIFFERENCE / DEVIATIONS, np.float32)
        self._mean, self._last = luma, t
        return Motion(np.zeros((0, 4)), True)

    def _follow(
        self,
        luma: npt.NDArray[np.float32],
        change: npt.NDArray[np.float32],
        moving: npt.NDArray[np.bool_],
        seconds: float,
        people: Boxes,
    ) -> None:
        assert self._mean is not None, "there is a background"
        share = np.where(
            moving, _share(seconds, OCCUPIED_BACKGROUND_S), _share(seconds, BACKGROUND_S)
        ).astype(np.float32)
        noise = np.full(luma.shape, _share(seconds, DEVIATION_S), np.float32)
        for x1, y1, x2, y2 in people.round().astype(int).clip(0).tolist():
            share[y1 : y2 + 1, x1 : x2 + 1] = 0
            noise[y1 : y2 + 1, x1 : x2 + 1] = 0
        self._mean = np.asarray(self._mean + share * (luma - self._mean), np.float32)
        change = np.minimum(change, np.float32(MAX_DIFFERENCE))
        self._deviation = np.asarray(self._deviation + noise * (change - self._deviation), np.float32)


class FutileMotion:
    """Where motion was detected in again and again, and no person was found."""

    def __init__(self) -> None:
        """Begin without a count."""
        columns, rows = FUTILE_GRID
        self._count = np.zeros((rows, columns))
        self._last = 0

    def enter(self, boxes: Boxes, people: Boxes, size: tuple[int, int], t: int) -> None:
        """Count the moving boxes (N, 4) that were detected in, px, and show none of the people (M, 4)."""
        self._count *= np.exp(-max(0, t - self._last) / SECOND / FUTILE_MEMORY_S) if self._last else 1.0
        self._last = t
        seen = np.zeros_like(self._count, np.bool_)
        for box in people:
            seen[_cells(box, size)] = True
        moved = np.zeros_like(seen)
        for box in boxes:
            moved[_cells(box, size)] = True
        self._count[moved & ~seen] += 1.0
        self._count[seen] = 0.0

    def at(self, boxes: Boxes, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """For each box (N, 4), px, whether motion is futile in all of it."""
        futile = self._count >= FUTILE_COUNT
        return np.array([bool(futile[_cells(box, size)].all()) for box in boxes], np.bool_)

    def state(self) -> State:
        """The counts: `count` and `last`."""
        return {"count": self._count, "last": np.array(self._last, np.int64)}

    def restore(self, state: State) -> None:
        """Take over the counts of `state`."""
        self._count, self._last = state["count"].astype(np.float64), int(state["last"])


def _cells(box: Boxes, size: tuple[int, int]) -> tuple[slice, slice]:
    """The rows and columns of the grid that a box (4,), px, covers."""
    columns, rows = FUTILE_GRID
    x1, y1, x2, y2 = box / np.tile([size[0] / columns, size[1] / rows], 2)
    left, top = min(columns - 1, max(0, int(x1))), min(rows - 1, max(0, int(y1)))
    return slice(top, max(top + 1, int(np.ceil(y2)))), slice(left, max(left + 1, int(np.ceil(x2))))


def reduced_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the reduced luma of frames of this width and height, px."""
    scale = min(1.0, GRID_PX / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _share(seconds: float, constant: float) -> float:
    return float(1 - np.exp(-seconds / constant))


def _boxes(joined: npt.NDArray[np.uint8], changed: npt.NDArray[np.uint8]) -> Boxes:
    """Boxes (N, 4) of connected places that hold MIN_AREA changed pixels, in reduced px."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    if count == 1:
        return np.zeros((0, 4))
    area = np.bincount(labels[changed > 0], minlength=count)
    kept = [stats[n] for n in range(1, count) if area[n] >= MIN_AREA]
    x, y, width, height, _ = np.array(kept, np.float64).reshape(-1, 5).T
    # The dilation added two pixels on each side.
    return np.column_stack([x + 1, y + 1, x + width - 1, y + height - 1])
