"""Boxes of people from which a camera can be found: whole, upright, and evenly spread over the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zones.calibration.homography import Array
from zones.people import FRAME_EDGE_SHARE

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WIDTH_TO_HEIGHT_RANGE = (0.18, 0.65)
"""Width over height of the box of a whole person who stands or walks. Below it is half a person; above it are
two people, or a person who sits or bends.

Project default (docs/defaults.md).
"""
MAX_COVERED_SHARE = 0.05
"""A person whose box is covered by another in more than this share may be partly hidden.

Project default (docs/defaults.md).
"""
MIN_BOXES_PER_TRACK = 5
"""Fewest such boxes of a track that is used; shorter tracks are often false detections.

Project default (docs/defaults.md).
"""
GRID_CELLS = (8, 12)
"""Columns and rows of the grid over the image in whose cells boxes are selected."""
MAX_BOXES_PER_CELL = 2
"""Most boxes of one track in one cell; boxes near in time add no information."""
MAX_BOXES = 20_000
"""Most boxes that are used; of longer logs, every n-th track is used. A fit then takes seconds."""
SECOND = 1_000_000


@dataclass(frozen=True)
class PersonBoxes:
    """Boxes of people over time, N rows in any order.

    Attributes:
        boxes: (N, 4) left, top, right, bottom, normalised 0..1 of the frame.
        track: (N,) track id.
        t: (N,) time, microseconds.
        aspect: width over height of the frame.
    """

    boxes: Array
    track: Ints
    t: Ints
    aspect: float

    def centred(self) -> Array:
        """Boxes (N, 4) from the centre of the frame, in frame heights."""
        return np.asarray((self.boxes - 0.5) * (self.aspect, 1, self.aspect, 1), dtype=np.float64)

    def take(self, rows: Ints | Bools) -> PersonBoxes:
        """The given rows."""
        return PersonBoxes(self.boxes[rows], self.track[rows], self.t[rows], self.aspect)


def whole(people: PersonBoxes) -> Bools:
    """Which boxes (N,) show a person from head to foot, as far as their shape, edge and overlap show."""
    box = people.boxes * (people.aspect, 1, people.aspect, 1)
    width, height = box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]
    inside = (box[:, :2] > FRAME_EDGE_SHARE).all(axis=1)
    inside &= (box[:, 2] < people.aspect - FRAME_EDGE_SHARE) & (box[:, 3] < 1 - FRAME_EDGE_SHARE)
    shape = np.divide(width, height, out=np.zeros_like(width), where=height > 0)
    good = inside & (shape >= WIDTH_TO_HEIGHT_RANGE[0]) & (shape <= WIDTH_TO_HEIGHT_RANGE[1])
    return np.asarray(good & (_covered(box, people.t) <= MAX_COVERED_SHARE), dtype=np.bool_)


def _covered(box: Array, t: Ints) -> Array:
    """Largest share (N,) of each box that another box of the same time covers."""
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


def smoothed(people: PersonBoxes, seconds: float) -> PersonBoxes:
    """Each row replaced by the mean, time included, of its track's rows within half of `seconds` of it.

    Otherwise the jitter of boxes from frame to frame looks like walking towards and away from the camera.
    """
    order = np.lexsort((people.t, people.track))
    _, index = np.unique(people.track[order], return_inverse=True)
    moment = people.t[order] - people.t.min(initial=0)
    # One time axis for all tracks, on which they are further apart than any window.
    half = round(seconds * SECOND / 2)
    clock = moment + index * (int(moment.max(initial=0)) + 2 * half + 1)
    low, high = np.searchsorted(clock, clock - half), np.searchsorted(clock, clock + half, side="right")
    values = np.column_stack([people.boxes[order], moment])
    total = np.vstack([np.zeros(5), np.cumsum(values, axis=0)])
    mean = (total[high] - total[low]) / (high - low)[:, None]
    t = np.round(mean[:, 4]).astype(np.int64) + people.t.min(initial=0)
    return PersonBoxes(mean[:, :4], people.track[order], t, people.aspect)


def in_long_tracks(people: PersonBoxes) -> Bools:
    """Which rows (N,) are of tracks with at least MIN_BOXES_PER_TRACK rows."""
    _, index, count = np.unique(people.track, return_inverse=True, return_counts=True)
    return np.asarray(count[index] >= MIN_BOXES_PER_TRACK, dtype=np.bool_)


def evenly_spread(people: PersonBoxes) -> Ints:
    """Rows: of each track at most MAX_BOXES_PER_CELL per cell of the image, the first and last by time."""
    names, index = np.unique(people.track, return_inverse=True)
    foot = np.column_stack([(people.boxes[:, 0] + people.boxes[:, 2]) / 2, people.boxes[:, 3]])
    cell = np.clip((foot * GRID_CELLS).astype(np.int64), 0, np.array(GRID_CELLS) - 1)
    key = (index * GRID_CELLS[0] + cell[:, 0]) * GRID_CELLS[1] + cell[:, 1]
    order = np.lexsort((people.t, key))
    begins = np.flatnonzero(np.diff(key[order], prepend=-1))
    ends = np.append(begins[1:], len(order)) - 1
    chosen = np.concatenate(
        [
            order[np.round(begins + (ends - begins) * share).astype(np.int64)]
            for share in np.linspace(0, 1, MAX_BOXES_PER_CELL)
        ]
    )
    rows = np.unique(chosen)
    if len(rows) > MAX_BOXES:
        every = int(np.ceil(len(rows) / MAX_BOXES))
        rows = rows[np.isin(index[rows], np.arange(0, len(names), every))]
    return np.asarray(rows, dtype=np.int64)


def strides(people: PersonBoxes, seconds: float) -> tuple[Ints, Ints]:
    """Strides: rows of a track, and rows of it `seconds` later (within a tenth). Strides do not overlap."""
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
