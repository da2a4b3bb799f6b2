"""Doors: locations inside the view where more trajectories begin and end than lost tracks explain.

A track also begins and ends where the detector loses a person: anywhere, and more often where more people
are. The doors are therefore found with a scan statistic (Kulldorff 1997, Poisson model). It searches the
discs whose number of beginnings and endings is least likely if these were distributed in proportion to the
time that walking people spent there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree
from scipy.special import pdtrc

from incidents.rules.machines.plan import Bools, Floats, Ints, microseconds
from pipelines.suggestion.floor import CELL_M
from pipelines.suggestion.tracks import MAX_GAP_S
from pipelines.suggestion.trajectories import Trajectories, end_points
from vision.frames import SECOND

MIN_WALKERS = 10
"""Fewest people who walked for a door to be proposed.

Project default (docs/defaults.md).
"""
MIN_USES = 5
"""Least number of tracks that begin or end at a door, beyond the number expected by chance.

Project default (docs/defaults.md).
"""
SCAN_RADIUS_M = 0.6
"""Radius of the discs of the scan: half the width of a door, and the step in front of it.

Project default (docs/defaults.md).
"""
DOOR_RADIUS_M = 1.0
"""Radius around the centre of a door within which ends belong to it, and least distance of two doors.

Project default (docs/defaults.md).
"""
MAX_P_VALUE = 1e-4
"""Largest p-value of a door. It is strict because people are not lost exactly in proportion to time spent.

Project default (docs/defaults.md).
"""
MAX_DOORS = 20
"""Most doors that are searched for in one view.

Project default (docs/defaults.md).
"""
RESUME_DISTANCE_M = 1.5
"""A person who appears within MAX_GAP_S and this distance of where another was lost counts as the same.
The rules do not link all of these.

Project default (docs/defaults.md).
"""
REAPPEAR_WITHIN_S = 10.0
"""A person who appears within this time and walking distance of where another was lost may be the same.

Project default (docs/defaults.md).
"""
WALKING_SPEED_M_S = 1.4
"""Speed of a person while out of sight.

Project default (docs/defaults.md).
"""
MAX_RESUMED_SHARE = 0.5
"""Where more than this share of the tracks resume nearby, an obstacle hides people: it is no door.

Project default (docs/defaults.md).
"""
MIN_PERSON_HEIGHT_PX = 48
"""Where people are smaller than this, the detector loses them in the distance: of people of 32 to 64 px in
held-out images it found fewer than half.

Project default (docs/defaults.md).
"""
POLYGON_MARGIN_M = 0.25
"""Margin of a door's polygon around the ends of trajectories, so that feet there are well inside.

Project default (docs/defaults.md).
"""
FRAME_EDGE_MARGIN = 0.04
"""Distance from the frame edge, in frame heights, within which a box belongs to a person who enters or leaves
there: about one step, because a track begins with the second detection of a person.

Project default (docs/defaults.md).
"""
SIDES = ("left", "top", "right", "bottom")
"""The edges of the frame."""
PASSAGE_GAP = 0.08
"""Distance along an edge, in frame heights, above which two ends belong to different passages.

Project default (docs/defaults.md).
"""


@dataclass(frozen=True)
class Door:
    """A location where people appear and disappear.

    Attributes:
        polygon: (K, 2) normalised, convex.
        position: its centre, m on the ground.
        image_position: its centre, normalised.
        entries: tracks that ended there: people who went in.
        exits: tracks that began there: people who came out.
        tracks: number of different persons.
        expected: number of ends that chance would give there.
        p_value: probability that chance alone gives as many ends anywhere in the view, at most 1.
    """

    polygon: tuple[tuple[float, float], ...]
    position: tuple[float, float]
    image_position: tuple[float, float]
    entries: int
    exits: int
    tracks: int
    expected: float
    p_value: float


@dataclass(frozen=True)
class Passage:
    """A part of an edge of the frame, from `low` to `high` (0..1 along it), where people enter and leave."""

    side: str
    low: float
    high: float
    entered: int
    left: int


@dataclass(frozen=True)
class Doors:
    """The doors and passages of a view, the number of people who walked, and what was rejected and why."""

    doors: tuple[Door, ...]
    passages: tuple[Passage, ...]
    people: int
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _PathEnds:
    """The E beginnings and endings of the trajectories of people who walked."""

    position: Floats
    t: Ints
    person: Ints
    begins: Bools
    height_px: Floats

    def take(self, keep: Bools) -> _PathEnds:
        return _PathEnds(
            self.position[keep], self.t[keep], self.person[keep], self.begins[keep], self.height_px[keep]
        )


def find_doors(trajectories: Trajectories) -> Doors:
    """The doors in a view, most used first, and the passages at its edges."""
    rows = np.concatenate([trajectories.first_row, trajectories.last_row])
    begins = np.repeat([True, False], len(trajectories))
    position = np.concatenate([end_points(trajectories, True), end_points(trajectories, False)])
    box = trajectories.samples.box[rows]
    side = _side(box, trajectories.samples.aspect[rows])
    own = np.tile(trajectories.walked, 2) & _within_watched(trajectories, trajectories.samples.t[rows])
    passages = _passages(trajectories, rows[own], side[own], begins[own])
    people = trajectories.walker_count
    if people < MIN_WALKERS:
        reason = f"no door is proposed: expected at least {MIN_WALKERS} people who walked, got {people}"
        return Doors((), passages, people, (reason,))
    inside = own & (side < 0) & np.isfinite(position[:, 0])
    ends = _PathEnds(
        position[inside],
        trajectories.samples.t[rows][inside],
        trajectories.samples.person[rows][inside],
        begins[inside],
        (box[:, 3] - box[:, 1])[inside] * trajectories.ground.height_px,
    )
    notices = []
    broken = _resumed(ends, MAX_GAP_S, RESUME_DISTANCE_M, 0.0)
    if broken.any():
        notices.append(
            f"{int(broken.sum())} of {len(broken)} beginnings and endings inside the view belong to tracks "
            f"that broke and resumed within {MAX_GAP_S:g} s nearby: they are no door"
        )
    doors, more = _scan(trajectories, ends.take(~broken))
    return Doors(doors, passages, people, (*notices, *more))


def _side(box: Floats, aspect: Floats) -> Ints:
    """(N,) index into SIDES of the edge of the frame that a box touches, -1 where it touches none."""
    off = np.column_stack([box[:, 0], box[:, 1], aspect - box[:, 2], 1 - box[:, 3]])
    return np.where(off.min(axis=1) <= FRAME_EDGE_MARGIN, off.argmin(axis=1), -1)


def _within_watched(trajectories: Trajectories, t: Ints) -> Bools:
    """Which times (N,) lie well inside a watched interval: at its ends trajectories are cut off."""
    margin = microseconds(MAX_GAP_S)
    result = np.zeros(len(t), dtype=np.bool_)
    for start, end in trajectories.watched_intervals:
        result |= (t >= start + margin) & (t < end - margin)
    return result


def _passages(trajectories: Trajectories, rows: Ints, side: Ints, begins: Bools) -> tuple[Passage, ...]:
    found = []
    for index, name in enumerate(SIDES):
        at = rows[side == index]
        upright = name in ("left", "right")
        box = trajectories.samples.box[at]
        # Along the left and right edges the feet count, along the others the centre of the box.
        along = box[:, 3] if upright else (box[:, 0] + box[:, 2]) / 2
        order = np.argsort(along, kind="stable")
        came = begins[side == index][order]
        length = 1.0 if upright else trajectories.ground.aspect
        for part in np.split(np.arange(len(order)), np.flatnonzero(np.diff(along[order]) > PASSAGE_GAP) + 1):
            if len(part) < MIN_USES:
                continue
            low, high = (float(np.clip(along[order][k] / length, 0, 1)) for k in (part[0], part[-1]))
            entered = int(came[part].sum())
            found.append(Passage(name, round(low, 3), round(high, 3), entered, len(part) - entered))
    return tuple(sorted(found, key=lambda passage: -passage.entered - passage.left))


def _resumed(ends: _PathEnds, max_gap_s: float, distance_m: float, speed_m_s: float) -> Bools:
    """Which beginnings and endings (E,) belong to a track that was lost and resumed.

    A trajectory ends, and another begins within `max_gap_s` and within `distance_m` plus the distance that
    is walked in the meantime at `speed_m_s`.
    """
    result = np.zeros(len(ends.t), dtype=np.bool_)
    ended, begun = np.flatnonzero(~ends.begins), np.flatnonzero(ends.begins)
    begun = begun[np.argsort(ends.t[begun], kind="stable")]
    low = np.searchsorted(ends.t[begun], ends.t[ended], side="right")
    count = np.searchsorted(ends.t[begun], ends.t[ended] + microseconds(max_gap_s), side="right") - low
    one = np.repeat(ended, count)
    other = begun[np.arange(len(one)) - np.repeat(np.cumsum(count) - count - low, count)]
    apart = np.hypot(*(ends.position[one] - ends.position[other]).T)
    near = apart <= distance_m + speed_m_s * (ends.t[other] - ends.t[one]) / SECOND
    result[one[near]] = result[other[near]] = True
    return result


def _scan(trajectories: Trajectories, ends: _PathEnds) -> tuple[tuple[Door, ...], list[str]]:
    """The discs that chance explains least, one after another, each without the ends of those before."""
    if not len(ends.t):
        return (), []
    resumed = _resumed(ends, REAPPEAR_WITHIN_S, RESUME_DISTANCE_M, WALKING_SPEED_M_S)
    rows = np.flatnonzero(trajectories.walking_rows())
    cell, where = np.unique(np.round(trajectories.position[rows] / CELL_M), axis=0, return_inverse=True)
    spent = np.asarray(np.bincount(where.ravel(), weights=trajectories.duration_s[rows]), dtype=np.float64)
    share = _within(cell * CELL_M, spent, ends.position) / max(float(spent.sum()), 1e-9)
    free = np.ones(len(ends.t), dtype=np.bool_)
    doors: list[Door] = []
    notices: list[str] = []
    while len(doors) < MAX_DOORS and free.any():
        count = _within(ends.position[free], np.ones(int(free.sum())), ends.position)
        total = float(free.sum())
        expected = total * share
        worth = np.where(free, _likelihood_ratio(count, expected, total), -np.inf)
        best = int(worth.argmax())
        middle = _mean_shift(ends.position[best], ends.position[free])
        members = free & (np.hypot(*(ends.position - middle).T) <= DOOR_RADIUS_M)
        p_value = _p_value(float(count[best]), float(expected[best]), int(free.sum()))
        if worth[best] <= 0 or p_value > MAX_P_VALUE or not members.any():
            break
        free &= ~members
        reason = _rejection(ends, resumed, members)
        if reason is not None:
            notices.append(f"no door at {_location(trajectories, middle)}: {reason}")
            continue
        door = _door(trajectories, ends.take(members), middle, float(expected[best]), p_value)
        if door.tracks - door.expected >= MIN_USES:
            doors.append(door)
    return tuple(sorted(doors, key=lambda door: door.expected - door.tracks)), notices


def _within(points: Floats, weights: Floats, centres: Floats) -> Floats:
    """Sum (C,) of the weights (N,) of points (N, 2) within SCAN_RADIUS_M of centres (C, 2)."""
    found = cKDTree(points).query_ball_point(centres, SCAN_RADIUS_M)
    return np.array([weights[near].sum() for near in found])


def _likelihood_ratio(count: Floats, expected: Floats, total: float) -> Floats:
    """Kulldorff's log likelihood ratio (C,) of discs with `count` of `total` ends; 0 without an excess."""
    expected = np.clip(expected, 1e-6, total - 1e-6)
    rest = np.maximum(total - count, 1e-9)
    ratio = count * np.log(np.maximum(count, 1e-9) / expected) + rest * np.log(rest / (total - expected))
    return np.where(count > expected, ratio, 0.0)


def _p_value(count: float, expected: float, discs: int) -> float:
    """Probability that any of `discs` independent discs has as many ends (Bonferroni), at most 1."""
    if count < 1:
        return 1.0
    return float(min(1.0, pdtrc(count - 1, expected) * discs))  # scipy.stats.poisson takes a second to import


def _mean_shift(start: Floats, positions: Floats) -> Floats:
    """The mean of the positions near `start`, moved until it stays the same (mean shift)."""
    middle = start
    for _ in range(5):
        near = positions[np.hypot(*(positions - middle).T) <= DOOR_RADIUS_M]
        middle = near.mean(axis=0) if len(near) else middle
    return middle


def _rejection(ends: _PathEnds, resumed: Bools, members: Bools) -> str | None:
    height_px = float(np.median(ends.height_px[members]))
    if height_px < MIN_PERSON_HEIGHT_PX:
        return (
            f"people are {height_px:.0f} px tall where {int(members.sum())} tracks begin or end: "
            "the detector loses them in the distance"
        )
    if resumed[members].mean() > MAX_RESUMED_SHARE:
        return (
            f"{int(resumed[members].sum())} of {int(members.sum())} tracks that begin or end there resume "
            f"within {REAPPEAR_WITHIN_S:g} s nearby: an obstacle hides people"
        )
    return None


def _location(trajectories: Trajectories, middle: Floats) -> str:
    x, y = trajectories.ground.to_image(middle[None])[0]
    return f"[{x:.2f}, {y:.2f}]"


def _door(
    trajectories: Trajectories, ends: _PathEnds, middle: Floats, expected: float, p_value: float
) -> Door:
    off = np.hypot(*(ends.position - middle).T)
    core = ends.position[off <= np.quantile(off, 0.9)]
    angle = np.arange(16) * np.pi / 8
    ring = POLYGON_MARGIN_M * np.column_stack([np.cos(angle), np.sin(angle)])
    hull = cv2.convexHull((core[:, None] + ring).reshape(-1, 2).astype(np.float32))[:, 0].astype(np.float64)
    image = trajectories.ground.to_image(hull)
    frame = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float32)
    _, clipped = cv2.intersectConvexConvex(cv2.convexHull(image.astype(np.float32))[:, 0], frame)
    drawn = np.asarray(clipped, dtype=np.float32) * (trajectories.ground.aspect, 1)
    corners = cv2.approxPolyDP(drawn.astype(np.float32), 0.004, True)[:, 0] / (trajectories.ground.aspect, 1)
    x, y = trajectories.ground.to_image(middle[None])[0].tolist()
    return Door(
        polygon=tuple((round(float(x), 4), round(float(y), 4)) for x, y in np.clip(corners, 0, 1)),
        position=(float(middle[0]), float(middle[1])),
        image_position=(round(x, 4), round(y, 4)),
        entries=int((~ends.begins).sum()),
        exits=int(ends.begins.sum()),
        tracks=len(np.unique(ends.person)),
        expected=expected,
        p_value=p_value,
    )
