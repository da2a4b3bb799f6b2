"""Links between tracklets: a person who was lost at an occlusion and detected again under a new track id.

Without them, each change of the id would end dwell timers and split one event into several. A link is decided
at a fixed delay after the start of the new track.
"""

from __future__ import annotations

import math

from incidents.rules.compiling import compiled
from incidents.rules.machines.plan import UNKNOWN
from incidents.rules.machines.tables import FOREVER, TRAIL, Table
from vision.frames import SECOND

MAX_GAP_US = 3 * SECOND
"""Longest time from the end of a tracklet to the start of its successor, microseconds.
Project default (docs/defaults.md)."""
MAX_ERROR_M = 1.0
"""Largest distance on the ground between the start of the successor and the position predicted for it, m.
Project default (docs/defaults.md)."""
MAX_ERROR_HEIGHTS = 0.5
"""The same where the ground position is not known, in heights of the person's box.
Project default (docs/defaults.md)."""
VELOCITY_WINDOW_US = 1 * SECOND
"""Time before the end of a tracklet, and after the start of its successor, from which velocities are
computed, microseconds. Project default (docs/defaults.md)."""
MIN_VELOCITY_SPAN_S = 0.4
"""Shortest time from which a velocity is computed, s. Project default (docs/defaults.md)."""
MAX_WALKING_SPEED_M_S = 2.5
"""Highest velocity that is used, m/s; a higher one comes from a box that jumped.
Project default (docs/defaults.md)."""
MIN_ERROR_RATIO = 2.0
"""A link is ambiguous if another link of either tracklet has an error smaller than this many times its own.
Project default (docs/defaults.md)."""
MIN_ERROR_MARGIN_M = 0.3
"""A link is also ambiguous if another link's error is larger by less than this, m: feet jitter by as much.
Project default (docs/defaults.md)."""
INHERITED_CONFIDENCE = 0.9
"""Factor of the confidence of a role when it is compared with that of a successor.
Project default (docs/defaults.md)."""
_MIN_TRAIL_STEP_US = SECOND // 10


@compiled
def add_to_trail(person: Table, trail: Table, t: int, gx: float, gy: float, ix: float, iy: float) -> None:
    """Keep a position of a person: the newest, and those of the last second at least 0.1 s apart."""
    n = person.trail
    if n >= 2 and trail[n - 1].t - trail[n - 2].t < _MIN_TRAIL_STEP_US:
        n -= 1  # the newest is replaced
    drop = 0
    # The oldest kept is the first within the window.
    while drop < n and (t - trail[drop].t > VELOCITY_WINDOW_US or n - drop >= TRAIL):
        drop += 1
    for k in range(n - drop):
        trail[k] = trail[k + drop]
    n -= drop
    point = trail[n]
    point.t = t
    point.gx = gx
    point.gy = gy
    point.ix = ix
    point.iy = iy
    person.trail = n + 1


@compiled
def next_decision(delay: int, persons: Table) -> int:
    """The earliest moment at which a link is to be decided, or FOREVER."""
    due = FOREVER
    for p in range(len(persons)):
        person = persons[p]
        if person.used == 1 and person.decided == 0:
            due = min(due, person.born + delay)
    return due


@compiled
def undecided_at(delay: int, persons: Table, due: int) -> int:
    """The person with the smallest uid whose link is to be decided at `due`."""
    best = -1
    for p in range(len(persons)):
        person = persons[p]
        due_now = person.used == 1 and person.decided == 0 and person.born + delay == due
        if due_now and (best < 0 or person.uid < persons[best].uid):
            best = p
    return best


@compiled
def predecessor_of(settings: Table, persons: Table, trails: Table, p: int) -> int:
    """The person whom person p continues, or -1.

    The two are linked if p begins within MAX_GAP_US after the end of the other, near the position predicted
    from either, both away from the edges of the frame. An ambiguous link, for which a third person fits about
    as well, is not used; nor is one between two persons with different known roles.
    """
    best, error = -1, math.inf
    for q in range(len(persons)):
        e = link_error(persons, trails, q, p)
        if e < error:
            best, error = q, e
    if best < 0:
        return -1
    enough = max(MIN_ERROR_RATIO * error, error + MIN_ERROR_MARGIN_M)
    for q in range(len(persons)):
        if q != best and link_error(persons, trails, q, p) < enough:
            return -1
        if q != p and link_error(persons, trails, best, q) < enough:
            return -1
    one, other = persons[best], persons[p]
    if one.role != other.role and one.role != UNKNOWN and other.role != UNKNOWN:
        sure = one.confidence * INHERITED_CONFIDENCE
        if not (sure >= settings.known_from and sure > other.confidence):
            return -1
    return best


@compiled
def link_error(persons: Table, trails: Table, one: int, other: int) -> float:
    """Error, m, of the link from person `one` to person `other`; infinite where there can be none.

    The prediction assumes that the person walked on with the velocity before the gap and then stood, or stood
    and then walked with the velocity after the gap. The smaller error counts. Where the ground position is
    not known, MAX_ERROR_HEIGHTS box heights count as MAX_ERROR_M.
    """
    a, b = persons[one], persons[other]
    if one == other or a.used == 0 or b.used == 0 or a.trail == 0 or b.trail == 0:
        return math.inf
    gap = b.born - a.last
    if gap <= 0 or gap > MAX_GAP_US or a.clear == 0 or b.born_clear == 0:
        return math.inf
    last, first = trails[one, a.trail - 1], trails[one, 0]
    begun, newest = b.born, trails[other, b.trail - 1]
    metric = not math.isnan(last.gx) and not math.isnan(b.born_gx)
    scale = 1.0
    if not metric:
        scale = MAX_ERROR_M / MAX_ERROR_HEIGHTS / min(a.tall, b.born_tall)
    ex, ey = (last.gx, last.gy) if metric else (last.ix * scale, last.iy * scale)
    bx, by = (b.born_gx, b.born_gy) if metric else (b.born_ix * scale, b.born_iy * scale)
    sx, sy = (first.gx, first.gy) if metric else (first.ix * scale, first.iy * scale)
    nx, ny = (newest.gx, newest.gy) if metric else (newest.ix * scale, newest.iy * scale)
    off_x, off_y = bx - ex, by - ey
    before = _missed(off_x, off_y, ex - sx, ey - sy, (last.t - first.t) / SECOND, gap / SECOND)
    after = _missed(off_x, off_y, nx - bx, ny - by, (newest.t - begun) / SECOND, gap / SECOND)
    error = min(before, after)
    return error if error <= MAX_ERROR_M else math.inf


@compiled
def _missed(off_x: float, off_y: float, step_x: float, step_y: float, seconds: float, gap: float) -> float:
    """Distance by which a walk with the velocity of a step misses an offset."""
    walk_x, walk_y = 0.0, 0.0
    if seconds >= MIN_VELOCITY_SPAN_S:
        vx, vy = step_x / seconds, step_y / seconds
        # False for NaN as well.
        if math.hypot(vx, vy) <= MAX_WALKING_SPEED_M_S:
            walk_x, walk_y = vx * gap, vy * gap
    square = walk_x * walk_x + walk_y * walk_y
    # The share of the walk that ends nearest to the other side of the gap.
    share = min(1.0, max(0.0, (off_x * walk_x + off_y * walk_y) / max(square, 1e-9)))
    return math.hypot(off_x - share * walk_x, off_y - share * walk_y)
