"""What the gate knows of the people in view: where each was last, whether anything is undecided, how tall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.frames import SECOND
from vision.state import State

Boxes = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

REMEMBERED_US = 3 * SECOND
"""Microseconds for which a person is expected near the last place: as long as the tracker predicts a track.
Project default (docs/defaults.md)."""
MAX_PREDICTED_US = SECOND // 2
"""Microseconds for which a person is expected to go on walking. Project default (docs/defaults.md)."""
MISSED_US = SECOND
"""Microseconds without a detection from which on a person is searched for as rarely as one who keeps still,
unless something moves at the place. Project default (docs/defaults.md)."""
STILL_US = 2 * SECOND
"""Microseconds for which a person has kept still before the detections become fewer: most dwells and
contacts are decided by then. Project default (docs/defaults.md)."""
STILL_HEIGHTS = 0.06
"""Distance, in heights of the person, within which the box of a person who keeps still jitters.
Project default (docs/defaults.md)."""
NEW_US = 5 * SECOND
"""Microseconds after which a person is no longer new: until then roles and masks are undecided.
Project default (docs/defaults.md)."""
MASK_CHECKS = 6
"""Checks of the face after which the mask state of a person who keeps still is decided.
Project default (docs/defaults.md)."""
NEAR_HEIGHTS = 2.0
"""Distance between two people, in heights of the taller, within which a contact is undecided: 3.3 m for
people of 1.65 m, and the rule asks for 2 m. Project default (docs/defaults.md)."""


@dataclass
class _Person:
    """One tracked person.

    Attributes:
        box: (4,) px, last seen.
        seen: time of that box, microseconds.
        speed: (2,) px per microsecond of the centre.
        since: time of the first box.
        place: (2,) centre where the person last began to keep still, px.
        still_since: time of it.
        checks: checks of the face.
        examined: time of the last frame in which the place was detected in, microseconds.
    """

    box: Boxes
    seen: int
    speed: Boxes
    since: int
    place: Boxes
    still_since: int
    checks: int
    examined: int

    @classmethod
    def at(cls, box: Boxes, t: int) -> _Person:
        """A person who was not seen before."""
        return cls(box, t, np.zeros(2), t, _centre(box), t, 0, t)

    def move(self, box: Boxes, t: int) -> None:
        """Take the next box."""
        centre = _centre(box)
        if t > self.seen:
            self.speed = (centre - _centre(self.box)) / (t - self.seen)
        if float(np.abs(centre - self.place).max()) > STILL_HEIGHTS * (box[3] - box[1]):
            self.place, self.still_since = centre, t
        self.box, self.seen = box, t

    def active(self, t: int) -> bool:
        """Whether the person moves, or is new, or the mask state is undecided."""
        still = t - self.still_since >= STILL_US
        if t - self.seen > MISSED_US:
            return False
        return not still or t - self.since < NEW_US or self.checks < MASK_CHECKS

    def predicted(self, t: int) -> Boxes:
        """The box expected at `t`: enlarged to where a walking person may be, px."""
        ahead = self.box + np.tile(self.speed * min(t - self.seen, MAX_PREDICTED_US), 2)
        return np.concatenate([np.minimum(self.box, ahead)[:2], np.maximum(self.box, ahead)[2:]])


@dataclass(frozen=True)
class Update:
    """The people tracked in one frame.

    Attributes:
        t: of the frame, microseconds.
        tracks: (N,) ids.
        boxes: (N, 4) px.
        checked: (N,) whether the face was checked.
    """

    t: int
    tracks: Ints
    boxes: Boxes
    checked: Bools


class PeopleInView:
    """The people of one camera who were tracked in the last seconds."""

    def __init__(self) -> None:
        """Begin without people."""
        self._people: dict[int, _Person] = {}

    def __len__(self) -> int:
        """Number of people."""
        return len(self._people)

    def update(self, update: Update) -> None:
        """Take the people tracked in the next frame; those not seen for REMEMBERED_US are dropped."""
        t = update.t
        rows = zip(update.tracks.tolist(), update.boxes, update.checked.tolist(), strict=True)
        for track, box, checked in rows:
            person = self._people.get(track)
            if person is None:
                person = self._people[track] = _Person.at(box, t)
            else:
                person.move(box, t)
            person.checks += checked
        self._people = {n: p for n, p in self._people.items() if t - p.seen <= REMEMBERED_US}

    def places(self, t: int) -> tuple[Boxes, Bools, Ints]:
        """Where people are expected at `t`.

        Returns:
            Boxes (N, 4), px; whether each moves or something about the person is undecided (N,); the
            microseconds since the place of each was detected in (N,).
        """
        self._people = {n: p for n, p in self._people.items() if t - p.seen <= REMEMBERED_US}
        people = list(self._people.values())
        if not people:
            return np.zeros((0, 4)), np.zeros(0, np.bool_), np.zeros(0, np.int64)
        boxes = np.stack([p.predicted(t) for p in people])
        active = np.array([p.active(t) for p in people])
        heights = boxes[:, 3] - boxes[:, 1]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)
        np.fill_diagonal(apart, np.inf)
        near = (apart < NEAR_HEIGHTS * np.maximum(heights[:, None], heights[None])).any(axis=1)
        near &= t - np.array([p.seen for p in people]) <= MISSED_US
        return boxes, active | near, t - np.array([p.examined for p in people], np.int64)

    def examine(self, which: Bools, t: int) -> None:
        """Note that the places of these people, in the order of `places`, are detected in at `t`."""
        for person, is_examined in zip(self._people.values(), which.tolist(), strict=True):
            if is_examined:
                person.examined = t

    def state(self) -> State:
        """The people: `numbers` (N, 6) and `values` (N, 8)."""
        numbers = [[n, p.seen, p.since, p.still_since, p.checks, p.examined] for n, p in self._people.items()]
        values = [np.concatenate([p.box, p.speed, p.place]) for p in self._people.values()]
        return {
            "numbers": np.array(numbers, np.int64).reshape(-1, 6),
            "values": np.array(values, np.float64).reshape(-1, 8),
        }

    def restore(self, state: State) -> None:
        """Take over the people of `state`."""
        self._people = {}
        values = state["values"].astype(np.float64)
        for (n, seen, since, still, *counts), row in zip(state["numbers"].tolist(), values, strict=True):
            self._people[n] = _Person(row[:4], seen, row[4:6], since, row[6:], still, *counts)


BANDS = 8
"""Bands of the picture, from top to bottom, in which the heights of people are averaged: people lower in the
picture are nearer. Project default (docs/defaults.md)."""
HEIGHT_EDGES_PX = 2.0 ** np.arange(3, 11.5, 0.25)
"""Edges of the classes of heights, px; four classes an octave. Project default (docs/defaults.md)."""
MEMORY_US = 3600 * SECOND
"""Microseconds in which what was learned of heights loses two thirds of its weight.
Project default (docs/defaults.md)."""
MIN_WEIGHT = 10.0
"""Seconds of one person in view from which on heights are taken as known. Project default
(docs/defaults.md)."""
SMALL_SHARE = 0.1
"""Share of people who may be smaller than the smallest who counts: the far end of a view has no end.
Project default (docs/defaults.md)."""
MAX_WEIGHT_US = SECOND
"""Most that one sighting weighs, microseconds. Project default (docs/defaults.md)."""
UNKNOWN_TIMES = 1.3
"""Height of a person, in heights of what moved, where none is known. Project default (docs/defaults.md)."""
MAX_HIDDEN = 3.0
"""Height of a person, in heights of what moved, at most. Project default (docs/defaults.md)."""


class PersonHeights:
    """How tall the people of a camera are, px: in all, and by the place of their feet."""

    def __init__(self) -> None:
        """Begin without knowledge."""
        self._counts = np.zeros(len(HEIGHT_EDGES_PX) + 1)
        self._bands = np.zeros((BANDS, 2))  # seconds, seconds x height
        self._last = 0

    def update(self, update: Update, picture_height: int) -> None:
        """Take the people tracked in the next frame."""
        elapsed = max(0, update.t - self._last) if self._last else 0
        self._last = update.t
        fade = float(np.exp(-elapsed / MEMORY_US))
        self._counts *= fade
        self._bands *= fade
        weight = min(elapsed, MAX_WEIGHT_US) / SECOND
        heights = update.boxes[:, 3] - update.boxes[:, 1]
        np.add.at(self._counts, np.searchsorted(HEIGHT_EDGES_PX, heights), weight)
        rows = self._band(update.boxes[:, 3], picture_height)
        np.add.at(self._bands, rows, np.column_stack([np.full(len(rows), weight), weight * heights]))

    def smallest(self) -> float | None:
        """Height, px, that SMALL_SHARE of the people stay below; None where too few were seen."""
        total = float(self._counts.sum())
        if total < MIN_WEIGHT:
            return None
        place = int(np.searchsorted(np.cumsum(self._counts), SMALL_SHARE * total))
        return float(HEIGHT_EDGES_PX[max(0, place - 1)])

    def expected(self, foot_y: float, moved: float, picture_height: int) -> float:
        """Height, px, of the person of whom a part moved.

        Args:
            foot_y: lower end of what moved, px.
            moved: height of what moved, px: the person is at least as tall, and rarely more than
                MAX_HIDDEN times, because walking moves the whole of a person.
            picture_height: px.
        """
        seconds, sums = self._bands.T
        band = int(self._band(np.array([foot_y]), picture_height)[0])
        known = float(sums[band] / seconds[band]) if seconds[band] >= 1.0 else 0.0
        return float(np.clip(known, UNKNOWN_TIMES * moved if not known else moved, MAX_HIDDEN * moved))

    def state(self) -> State:
        """What was learned: `counts`, `bands` and `last`."""
        return {"counts": self._counts, "bands": self._bands, "last": np.array(self._last, np.int64)}

    def restore(self, state: State) -> None:
        """Take over what was learned."""
        self._counts, self._bands = state["counts"].astype(np.float64), state["bands"].astype(np.float64)
        self._last = int(state["last"])

    @staticmethod
    def _band(foot_y: Boxes, picture_height: int) -> Ints:
        return np.clip(foot_y * BANDS // picture_height, 0, BANDS - 1).astype(np.int64)


def _centre(box: Boxes) -> Boxes:
    return np.asarray((box[:2] + box[2:]) / 2, np.float64)
