"""Which boxes of people tell something about the camera: whole, upright, and spread over the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zones.calibration.homography import Array
from zones.people import FRAME_EDGE_SHARE

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SLENDER = (0.18, 0.65)
"""Width over height of the box of a whole person who stands or walks [D]: below it, half of one; above it,
two, or one who sits or bends."""
OVERLAP = 0.05
"""A box of which another covers more than this share may be of a person who is partly hidden [D]."""
MIN_SEEN = 5
"""Fewest such boxes of a track that is used [D]: shorter ones are flashes of the detector."""
CELLS = (8, 12)
"""Columns and rows of the picture: the boxes used are spread evenly over its cells."""
PER_CELL = 2
"""Boxes used of one track in one cell: its neighbours in time say nothing new."""
MAX_BOXES = 20_000
"""Most boxes used; of longer logs, tracks are taken evenly. A fit then takes seconds."""
SECOND = 1_000_000


@dataclass(frozen=True)
class People:
    """Boxes of people over time, N rows in any order.

    Attributes:
        boxes: (N, 4) left, top, right, bottom, normalised 0..1 of the frame.
        track: (N,) who it is.
        t: (N,) microseconds.
        aspect: frame width / height.
    """

    boxes: Array
    track: Ints
    t: Ints
    aspect: float

    def centred(self) -> Array:
        """Boxes (N, 4) from the centre of the frame, in frame heights."""
        return np.asarray((self.boxes - 0.5) * (self.aspect, 1, self.aspect, 1), dtype=np.float64)

    def take(self, rows: Ints | Bools) -> People:
        """The given rows."""
        return People(self.boxes[rows], self.track[rows], self.t[rows], self.aspect)


def whole(people: People) -> Bools:
    """Rows (N,) of people who are seen from head to foot, as far as boxes tell."""
    box = people.boxes * (people.aspect, 1, people.aspect, 1)
    width, height = box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]
    inside = (box[:, :2] > FRAME_EDGE_SHARE).all(axis=1)
    inside &= (box[:, 2] < people.aspect - FRAME_EDGE_SHARE) & (box[:, 3] < 1 - FRAME_EDGE_SHARE)
    shape = np.divide(width, height, out=np.zeros_like(width), where=height > 0)
    good = inside & (shape >= SLENDER[0]) & (shape <= SLENDER[1])
    return np.asarray(good & (_covered(box, people.t) <= OVERLAP), dtype=np.bool_)


def _covered(box: Array, t: Ints) -> Array:
    """Share (N,) of each box that one other box of the same instant covers at most."""
    order = np.argsort(t, kind="stable")
    covered = np.zeros(len(box))
    here = np.arange(len(order))
    step = 0
    while len(here):
        step += 1
        here = here[here < len(order) - step]
        here = here[t[order[here + step]] == t[order[here]]]
        a, b = order[here], order[here + step]
        low, high = np.maximum(box[a, :2], box[b, :2]), np.minimum(box[a, 2:], box[b, 2:])
        common = np.prod(np.clip(high - low, 0, None), axis=1)
        for one in (a, b):
            area = np.prod(box[one, 2:] - box[one, :2], axis=1)
            share = np.divide(common, area, out=np.zeros_like(common), where=area > 0)
            np.maximum.at(covered, one, share)
    return covered


def steadied(people: People, seconds: float) -> People:
    """Each row replaced by the mean, time included, of its track's rows within half of `seconds` of it.

    The jitter of boxes from frame to frame would be taken for walking towards and away from the camera.
    """
    order = np.lexsort((people.t, people.track))
    _, index = np.unique(people.track[order], return_inverse=True)
    moment = people.t[order] - people.t.min(initial=0)
    # One clock for all, on which tracks lie farther apart than any window reaches.
    half = round(seconds * SECOND / 2)
    clock = moment + index * (int(moment.max(initial=0)) + 2 * half + 1)
    low, high = np.searchsorted(clock, clock - half), np.searchsorted(clock, clock + half, side="right")
    values = np.column_stack([people.boxes[order], moment])
    total = np.vstack([np.zeros(5), np.cumsum(values, axis=0)])
    mean = (total[high] - total[low]) / (high - low)[:, None]
    t = np.round(mean[:, 4]).astype(np.int64) + people.t.min(initial=0)
    return People(mean[:, :4], people.track[order], t, people.aspect)


def long_enough(people: People) -> Bools:
    """Rows (N,) of tracks with at least MIN_SEEN rows."""
    _, index, count = np.unique(people.track, return_inverse=True, return_counts=True)
    return np.asarray(count[index] >= MIN_SEEN, dtype=np.bool_)


def spread_out(people: People) -> Ints:
    """At most PER_CELL rows of each track in each cell of the picture, the first and the last by time."""
    names, index = np.unique(people.track, return_inverse=True)
    foot = np.column_stack([(people.boxes[:, 0] + people.boxes[:, 2]) / 2, people.boxes[:, 3]])
    cell = np.clip((foot * CELLS).astype(np.int64), 0, np.array(CELLS) - 1)
    key = (index * CELLS[0] + cell[:, 0]) * CELLS[1] + cell[:, 1]
    order = np.lexsort((people.t, key))
    begins = np.flatnonzero(np.diff(key[order], prepend=-1))
    ends = np.append(begins[1:], len(order)) - 1
    chosen = np.concatenate(
        [
            order[np.round(begins + (ends - begins) * share).astype(np.int64)]
            for share in np.linspace(0, 1, PER_CELL)
        ]
    )
    rows = np.unique(chosen)
    if len(rows) > MAX_BOXES:
        every = int(np.ceil(len(rows) / MAX_BOXES))
        rows = rows[np.isin(index[rows], np.arange(0, len(names), every))]
    return np.asarray(rows, dtype=np.int64)


def strides(people: People, seconds: float) -> tuple[Ints, Ints]:
    """Rows at which a track is and where it is `seconds` later (within a tenth): stretches end to end."""
    order = np.lexsort((people.t, people.track))
    track, t = people.track[order], people.t[order]
    length, slack = round(seconds * SECOND), round(seconds * SECOND / 10)
    edges = np.append(np.flatnonzero(np.diff(track, prepend=track[:1] - 1)), len(track))
    first: list[int] = []
    last: list[int] = []
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        row = low
        while row < high:
            later = low + int(np.searchsorted(t[low:high], t[row] + length - slack))
            if later >= high:
                break
            if t[later] <= t[row] + length + slack:
                first.append(row)
                last.append(later)
                row = later
            else:
                row += 1
    return order[np.array(first, dtype=np.int64)], order[np.array(last, dtype=np.int64)]
