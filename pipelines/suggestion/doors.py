"""Doors: places inside the view where people appear and vanish more often than their walks explain.

A track also begins and ends where the detector loses somebody: anywhere, the more often the more people
are there. So the places are sought by a scan statistic (Kulldorff 1997, Poisson model): discs whose number
of beginnings and endings is the least likely if these fell in proportion to the seconds that walkers spent.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import poisson

from incidents.rules.episode import Bools, Floats, Ints, microseconds
from incidents.rules.stitching import MAX_GAP_S
from pipelines.suggestion.floor import CELL_M
from pipelines.suggestion.walks import Walks, ends_of
from vision.frames import SECOND

FEWEST = 10
"""Walkers below which no door is proposed [D]."""
USES = 5
"""Tracks that must begin or end at a door, and by how many more than chance would give [D]."""
RADIUS_M = 0.6
"""Of the discs that are compared: half a door's width and the stride before it [D]."""
REACH_M = 1.0
"""What lies this near to the middle of a door belongs to it; two doors are no nearer [D]."""
CHANCE = 1e-4
"""Probability that chance alone gives as many somewhere in the picture, above which it is no door [D].
Strict, for people are not lost quite in proportion to the time they spend."""
MOST = 20
"""Doors looked for in one view [D]."""
BROKEN_M = 1.5
"""Somebody who appears within MAX_GAP_S of, and this near to, where another vanished is the same, though the
rules leave it in doubt [D]."""
AGAIN_S = 10.0
"""Who appears within this, and within reach of where another vanished, may be the same behind a post [D]."""
PACE_M_S = 1.4
"""Reach of somebody out of sight: walking speed [D]."""
OCCLUDED = 0.5
"""A place whose tracks go on so in more than this share is where sight is broken, not a door [D]."""
SMALL_PX = 48
"""Where people are lower than this the detector loses them: they vanish in the distance [D]. Of people from
32 to 64 px in held-out stills fewer than half were found."""
MARGIN_M = 0.25
"""A door's polygon reaches this far beyond the places [D], so that feet there are well inside."""
EDGE = 0.04
"""A box this near to an edge of the frame, in frame heights, is of somebody who comes or goes there [D]: the
stride of a step, for tracks begin when a person is seen for the second time."""
SIDES = ("left", "top", "right", "bottom")
PASSAGE = 0.08
"""Places along an edge further apart than this, in frame heights, are different ways in [D]."""


@dataclass(frozen=True)
class Door:
    """A place where people appear and vanish.

    Attributes:
        polygon: (K, 2) normalised, convex; place: its middle, m on the floor.
        middle: its middle, normalised.
        entries: tracks that ended there: who went in. exits: tracks that began there: who came out.
        tracks: different people; expected: how many ends chance would give there.
        chance: probability of so many somewhere in the picture if only chance were at work, at most 1.
    """

    polygon: tuple[tuple[float, float], ...]
    place: tuple[float, float]
    middle: tuple[float, float]
    entries: int
    exits: int
    tracks: int
    expected: float
    chance: float


@dataclass(frozen=True)
class Passage:
    """A stretch of an edge of the frame over which people come and go; low and high, 0..1 along it."""

    side: str
    low: float
    high: float
    entered: int
    left: int


@dataclass(frozen=True)
class Doors:
    """What was found of doors and passages; `paths` people came and went, `notices` say what is none."""

    doors: tuple[Door, ...]
    passages: tuple[Passage, ...]
    paths: int
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _Ends:
    """Beginnings and endings of walkers' paths; E of them."""

    place: Floats
    t: Ints
    path: Ints
    begins: Bools
    height: Floats

    def take(self, keep: Bools) -> _Ends:
        return _Ends(self.place[keep], self.t[keep], self.path[keep], self.begins[keep], self.height[keep])


def find_doors(walk: Walks) -> Doors:
    """The doors in a view, most used first, and the passages at its edges."""
    rows, begins = np.concatenate([walk.first, walk.last]), np.repeat([True, False], len(walk))
    place = np.concatenate([ends_of(walk, True), ends_of(walk, False)])
    box = walk.samples.box[rows]
    side = _side(box, walk.samples.aspect[rows])
    own = np.tile(walk.walker, 2) & _while_watched(walk, walk.samples.t[rows])
    passages = _passages(walk, rows[own], side[own], begins[own])
    if walk.walkers < FEWEST:
        said = f"no door is proposed: {walk.walkers} people walked, expected at least {FEWEST}"
        return Doors((), passages, walk.walkers, (said,))
    inside = own & (side < 0) & np.isfinite(place[:, 0])
    ends = _Ends(
        place[inside],
        walk.samples.t[rows][inside],
        walk.samples.person[rows][inside],
        begins[inside],
        (box[:, 3] - box[:, 1])[inside] * walk.surface.lines,
    )
    notices = []
    broken = _goes_on(ends, MAX_GAP_S, BROKEN_M, 0.0)
    if broken.any():
        notices.append(
            f"{int(broken.sum())} of {len(broken)} beginnings and endings inside the view are tracks that "
            f"broke off and went on within {MAX_GAP_S:g} s nearby: no door"
        )
    doors, more = _scan(walk, ends.take(~broken))
    return Doors(doors, passages, walk.walkers, (*notices, *more))


def _side(box: Floats, aspect: Floats) -> Ints:
    """(N,) index into SIDES of the edge of the frame that a box touches, -1 where it touches none."""
    off = np.column_stack([box[:, 0], box[:, 1], aspect - box[:, 2], 1 - box[:, 3]])
    return np.where(off.min(axis=1) <= EDGE, off.argmin(axis=1), -1)


def _while_watched(walk: Walks, t: Ints) -> Bools:
    """Which moments (N,) lie well within a watched stretch: at its ends tracks are cut short."""
    margin = microseconds(MAX_GAP_S)
    result = np.zeros(len(t), dtype=np.bool_)
    for start, end in walk.watched:
        result |= (t >= start + margin) & (t < end - margin)
    return result


def _passages(walk: Walks, rows: Ints, side: Ints, begins: Bools) -> tuple[Passage, ...]:
    found = []
    for index, name in enumerate(SIDES):
        at = rows[side == index]
        upright = name in ("left", "right")
        box = walk.samples.box[at]
        # At the upper and lower edge where the box is; at the others where the feet are.
        along = box[:, 3] if upright else (box[:, 0] + box[:, 2]) / 2
        order = np.argsort(along, kind="stable")
        came = begins[side == index][order]
        length = 1.0 if upright else walk.surface.aspect
        for part in np.split(np.arange(len(order)), np.flatnonzero(np.diff(along[order]) > PASSAGE) + 1):
            if len(part) < USES:
                continue
            low, high = (float(np.clip(along[order][k] / length, 0, 1)) for k in (part[0], part[-1]))
            entered = int(came[part].sum())
            found.append(Passage(name, round(low, 3), round(high, 3), entered, len(part) - entered))
    return tuple(sorted(found, key=lambda passage: -passage.entered - passage.left))


def _goes_on(ends: _Ends, wait_s: float, reach_m: float, pace_m_s: float) -> Bools:
    """Which beginnings and endings (E,) have a partner: a path that ends, and another that begins within
    `wait_s` of it, at most `reach_m` and what is walked meanwhile at `pace_m_s` away.
    """
    result = np.zeros(len(ends.t), dtype=np.bool_)
    gone, born = np.flatnonzero(~ends.begins), np.flatnonzero(ends.begins)
    born = born[np.argsort(ends.t[born], kind="stable")]
    low = np.searchsorted(ends.t[born], ends.t[gone], side="right")
    count = np.searchsorted(ends.t[born], ends.t[gone] + microseconds(wait_s), side="right") - low
    one = np.repeat(gone, count)
    other = born[np.arange(len(one)) - np.repeat(np.cumsum(count) - count - low, count)]
    apart = np.hypot(*(ends.place[one] - ends.place[other]).T)
    near = apart <= reach_m + pace_m_s * (ends.t[other] - ends.t[one]) / SECOND
    result[one[near]] = result[other[near]] = True
    return result


def _scan(walk: Walks, ends: _Ends) -> tuple[tuple[Door, ...], list[str]]:
    """The discs that chance explains least, one after the other, each without what the ones before hold."""
    if not len(ends.t):
        return (), []
    again = _goes_on(ends, AGAIN_S, BROKEN_M, PACE_M_S)
    rows = np.flatnonzero(walk.of_walkers())
    cell, where = np.unique(np.round(walk.place[rows] / CELL_M), axis=0, return_inverse=True)
    spent = np.asarray(np.bincount(where.ravel(), weights=walk.seconds[rows]), dtype=np.float64)
    share = _within(cell * CELL_M, spent, ends.place) / max(float(spent.sum()), 1e-9)
    free = np.ones(len(ends.t), dtype=np.bool_)
    doors: list[Door] = []
    notices: list[str] = []
    while len(doors) < MOST and free.any():
        count = _within(ends.place[free], np.ones(int(free.sum())), ends.place)
        total = float(free.sum())
        expected = total * share
        worth = np.where(free, _likelihood(count, expected, total), -np.inf)
        best = int(worth.argmax())
        middle = _settle(ends.place[best], ends.place[free])
        members = free & (np.hypot(*(ends.place - middle).T) <= REACH_M)
        chance = _chance(float(count[best]), float(expected[best]), int(free.sum()))
        if worth[best] <= 0 or chance > CHANCE or not members.any():
            break
        free &= ~members
        said = _refused(ends, again, members)
        if said is not None:
            notices.append(f"no door at {_place(walk, middle)}: {said}")
            continue
        door = _door(walk, ends.take(members), middle, float(expected[best]), chance)
        if door.tracks - door.expected >= USES:
            doors.append(door)
    return tuple(sorted(doors, key=lambda door: door.expected - door.tracks)), notices


def _within(points: Floats, weights: Floats, centres: Floats) -> Floats:
    """Sum (C,) of the weights (N,) of points (N, 2) within RADIUS_M of centres (C, 2)."""
    found = cKDTree(points).query_ball_point(centres, RADIUS_M)
    return np.array([weights[near].sum() for near in found])


def _likelihood(count: Floats, expected: Floats, total: float) -> Floats:
    """Kulldorff's log likelihood ratio (C,) of discs that hold `count` of `total`; 0 where not in excess."""
    expected = np.clip(expected, 1e-6, total - 1e-6)
    rest = np.maximum(total - count, 1e-9)
    ratio = count * np.log(np.maximum(count, 1e-9) / expected) + rest * np.log(rest / (total - expected))
    return np.where(count > expected, ratio, 0.0)


def _chance(count: float, expected: float, discs: int) -> float:
    """Probability that any of `discs` independent discs would hold so many (Bonferroni), at most 1."""
    return float(min(1.0, poisson.sf(count - 1, expected) * discs))


def _settle(start: Floats, places: Floats) -> Floats:
    """The middle of the places near to `start`, moved to until it stays (mean shift)."""
    middle = start
    for _ in range(5):
        near = places[np.hypot(*(places - middle).T) <= REACH_M]
        middle = near.mean(axis=0) if len(near) else middle
    return middle


def _refused(ends: _Ends, again: Bools, members: Bools) -> str | None:
    height = float(np.median(ends.height[members]))
    if height < SMALL_PX:
        return (
            f"people are {height:.0f} px tall where {int(members.sum())} tracks begin or end: "
            "they vanish in the distance"
        )
    if again[members].mean() > OCCLUDED:
        return (
            f"{int(again[members].sum())} of {int(members.sum())} tracks that begin or end there go on "
            f"within {AGAIN_S:g} s nearby: something hides people"
        )
    return None


def _place(walk: Walks, middle: Floats) -> str:
    x, y = walk.surface.to_image(middle[None])[0]
    return f"[{x:.2f}, {y:.2f}]"


def _door(walk: Walks, ends: _Ends, middle: Floats, expected: float, chance: float) -> Door:
    off = np.hypot(*(ends.place - middle).T)
    core = ends.place[off <= np.quantile(off, 0.9)]
    angle = np.arange(16) * np.pi / 8
    ring = MARGIN_M * np.column_stack([np.cos(angle), np.sin(angle)])
    hull = cv2.convexHull((core[:, None] + ring).reshape(-1, 2).astype(np.float32))[:, 0].astype(np.float64)
    image = walk.surface.to_image(hull)
    frame = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float32)
    _, clipped = cv2.intersectConvexConvex(cv2.convexHull(image.astype(np.float32))[:, 0], frame)
    drawn = np.asarray(clipped, dtype=np.float32) * (walk.surface.aspect, 1)
    corners = cv2.approxPolyDP(drawn.astype(np.float32), 0.004, True)[:, 0] / (walk.surface.aspect, 1)
    x, y = walk.surface.to_image(middle[None])[0].tolist()
    return Door(
        polygon=tuple((round(float(x), 4), round(float(y), 4)) for x, y in np.clip(corners, 0, 1)),
        place=(float(middle[0]), float(middle[1])),
        middle=(round(x, 4), round(y, 4)),
        entries=int((~ends.begins).sum()),
        exits=int(ends.begins.sum()),
        tracks=len(np.unique(ends.path)),
        expected=expected,
        chance=chance,
    )
