"""Tracks that mirror another one: on a polished or wet floor below it, or in glass beside it.

Two people who walk beside each other, in file or towards each other are told from a reflection by three
things. A reflection is never in view without what it mirrors; its detections score lower; and it repeats each
movement at the same moment, which people do once by chance and not many times.
"""

from __future__ import annotations

from incidents.rules.compiling import compiled
from incidents.rules.machines.tables import Table
from incidents.rules.marks.stillness import MAX_GAP_US
from incidents.rules.marks.tables import MarkTables
from vision.frames import SECOND

MOST_PEOPLE = 12
"""People in view up to whom reflections are suspected: in a crowd, some pair fits by chance.
Project default (docs/defaults.md)."""
MAX_ALONE_US = SECOND
"""Time for which a reflection may be in view without what it mirrors, microseconds.
Project default (docs/defaults.md)."""
MIN_FLOOR_US = 5 * SECOND
"""Time for which a track must stand head down under another one, microseconds.
Project default (docs/defaults.md)."""
MIN_FLOOR_SHARE = 0.8
"""Share of that time in which the boxes must fit. Project default (docs/defaults.md)."""
MIN_FLOOR_PATH = 1.5
"""Way that both must go together meanwhile, in heights of the upper one.
Project default (docs/defaults.md)."""
FLOOR_FIT = 0.08
"""Greatest distance between the middles of both boxes, and between the feet of the upper one and the top of
the lower one, in heights of the upper one: two and a half times what single boxes vary
(`vision.ground.FOOT_SIGMA`).
Project default (docs/defaults.md)."""
MAX_FLOOR_HEIGHT = 0.97
"""Largest height of a reflection on the floor, in heights of what it mirrors: a camera that is tilted down by
15 degrees or more shows it lower, 0.8 to 0.95 times as high. A person who stands in front is nearer, and
taller.
Project default (docs/defaults.md)."""
MIN_FLOOR_HEIGHT = 0.4
"""Smallest such height: the edge of the frame may cut a reflection off.
Project default (docs/defaults.md)."""
MIN_MATCHES = 6
"""Changes of speed at the same moment, in opposite directions, from which a track is taken for a reflection
in glass. Project default (docs/defaults.md)."""
MIN_CHANGE = 0.3
"""Least change of speed that counts, heights per second: a person who stops from a very slow walk.
Project default (docs/defaults.md)."""
MAX_DIFFERENCE = 0.3
"""Greatest difference between the opposite movements, or the changes of them, in heights in a second, with
which they still agree. Project default (docs/defaults.md)."""
MATCH_DIFFERENCE = 0.2
"""The same for a change that counts. Project default (docs/defaults.md)."""
STEP_US = SECOND
"""Time over which movements are compared, microseconds."""
LONGEST_STEP_US = 2 * SECOND
"""Longest such time; after a longer one the comparison begins anew."""
END_US = SECOND
"""Time for which a reflection on the floor may not fit before its mark ends, microseconds."""


@compiled
def reset_pair(pair: Table, t: int) -> None:
    """Begin with two tracks that are both in view for the first time."""
    pair.used = 1
    pair.last = t
    pair.both = 0
    pair.step = t
    pair.moving = 0
    pair.matched = 0
    pair.opposed = 0
    reset_floor(pair, -1, t)


@compiled
def reset_floor(pair: Table, lower: int, t: int) -> None:
    """Begin to look at which of two tracks is below the other one."""
    pair.lower = lower
    pair.since = t
    pair.fits = 0
    pair.misses = 0
    pair.path = 0.0


@compiled
def is_reflection_of(track: Table, other: Table, pair: Table) -> bool:
    """Whether a track was never in view without the other one, and its detections score lower."""
    alone = track.seen - pair.both > MAX_ALONE_US
    return bool(not alone and track.score * other.rows < other.score * track.rows)


@compiled
def floor_fits(upper: Table, lower: Table) -> bool:
    """Whether a box is where the reflection of the upper one on the floor is."""
    tall = upper.y2 - upper.y1
    off = max(abs((upper.x1 + upper.x2) - (lower.x1 + lower.x2)) / 2, abs(lower.y1 - upper.y2))
    ratio = (lower.y2 - lower.y1) / max(tall, 1e-6)
    near = off <= FLOOR_FIT * tall
    return bool(near and MIN_FLOOR_HEIGHT <= ratio <= MAX_FLOOR_HEIGHT)


@compiled
def step_floor(pair: Table, one: Table, two: Table, gap: int, t: int) -> None:
    """Compare the boxes of two tracks with those of a person and the reflection on the floor."""
    lower = 1 if two.y2 > one.y2 else 0
    fits = floor_fits(one, two) if lower == 1 else floor_fits(two, one)
    if fits:
        if pair.lower != lower:
            reset_floor(pair, lower, t)
        else:
            pair.fits += gap
        pair.misses = 0
    elif pair.lower >= 0:
        pair.misses += gap
        if pair.misses > END_US or pair.fits < MIN_FLOOR_SHARE * (t - pair.since) - END_US:
            reset_floor(pair, -1, t)


@compiled
def step_movement(pair: Table, one: Table, two: Table, t: int) -> None:
    """Compare the movements of two tracks over the last second, and their changes."""
    if t - pair.step < STEP_US and pair.step != t:
        return
    a_tall, b_tall = max(one.y2 - one.y1, 1e-6), max(two.y2 - two.y1, 1e-6)
    a_x, a_y = (one.x1 + one.x2) / 2, one.y2
    b_x, b_y = (two.x1 + two.x2) / 2, two.y2
    seconds = (t - pair.step) / SECOND
    if pair.step == t or t - pair.step > LONGEST_STEP_US:
        pair.moving = 0
        pair.matched = 0
        pair.opposed = 0
    else:
        a_dx, b_dx = (a_x - pair.a_x) / a_tall / seconds, (b_x - pair.b_x) / b_tall / seconds
        a_dy, b_dy = (a_y - pair.a_y) / a_tall / seconds, (b_y - pair.b_y) / b_tall / seconds
        if pair.lower >= 0 and max(abs(a_dx - b_dx), abs(a_dy - b_dy)) <= MAX_DIFFERENCE:
            pair.path += max(abs(a_dx), abs(a_dy)) * seconds if max(abs(a_dx), abs(a_dy)) > 0.1 else 0.0
        opposite = abs(a_dx + b_dx) <= MAX_DIFFERENCE and abs(a_dy - b_dy) <= MAX_DIFFERENCE
        if pair.moving == 1:
            a_change, b_change = a_dx - pair.a_dx, b_dx - pair.b_dx
            difference = abs(a_change + b_change)
            opposite = opposite and difference <= MAX_DIFFERENCE
            large = min(abs(a_change), abs(b_change)) >= MIN_CHANGE
            if opposite and large and difference <= MATCH_DIFFERENCE:
                pair.matched += 1
        if opposite:
            pair.opposed += t - pair.step
        else:
            pair.matched = 0
            pair.opposed = 0
        pair.moving = 1
        pair.a_dx = a_dx
        pair.b_dx = b_dx
    pair.step = t
    pair.a_x, pair.a_y, pair.b_x, pair.b_y = a_x, a_y, b_x, b_y


@compiled
def which_mirrors(pair: Table, one: Table, two: Table, t: int) -> int:
    """Which of two tracks is a reflection of the other one: 0 or 1, or -1 where neither is."""
    if (
        pair.lower >= 0
        and t - pair.since >= MIN_FLOOR_US
        and pair.fits >= MIN_FLOOR_SHARE * (t - pair.since)
        and pair.path >= MIN_FLOOR_PATH
    ):
        below, above = (two, one) if pair.lower == 1 else (one, two)
        if is_reflection_of(below, above, pair):
            return int(pair.lower)
    if pair.matched >= MIN_MATCHES:
        if is_reflection_of(two, one, pair):
            return 1
        if is_reflection_of(one, two, pair):
            return 0
    return -1


@compiled
def step_pair(tables: MarkTables, a: int, b: int, one: Table, two: Table) -> None:
    """Take the rows of one instant of the tracks in slots a < b."""
    tracks, pair, t = tables.tracks, tables.pairs[a, b], one.t
    if pair.used == 0:
        reset_pair(pair, t)
    gap = min(t - pair.last, MAX_GAP_US)
    pair.last = t
    pair.both += gap
    # What was never seen to move mirrors nothing.
    if tracks[a].moved == 0 and tracks[b].moved == 0:
        return
    step_floor(pair, one, two, gap, t)
    step_movement(pair, one, two, t)
    which = which_mirrors(pair, tracks[a], tracks[b], t)
    if which == 0:
        tracks[a].partner = b
    elif tracks[a].partner == b:
        tracks[a].partner = -1
    if which == 1:
        tracks[b].partner = a
    elif tracks[b].partner == a:
        tracks[b].partner = -1
