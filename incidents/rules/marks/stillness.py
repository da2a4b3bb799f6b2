"""Tracks that were never seen to move: statues, posters, screens that stand still.

The edges of a track's box are smoothed over about a second. While the difference between the least and the
greatest value of each edge is a few percent of the height, the track was not seen to move; after two minutes
it is static. A track that once moved is never static. What is known of a track that is gone stays with its
place: a track that begins at the place of a static one is static at once, and one that begins where a moving
one was last is taken for the same person.
"""

from __future__ import annotations

import math

from incidents.rules.compiling import compiled
from incidents.rules.machines.tables import Table
from incidents.rules.marks.tables import MarkTables
from vision.frames import SECOND

STATIC_AFTER_US = 120 * SECOND
"""Time in view after which a track that was never seen to move is static, microseconds.
Project default (docs/defaults.md)."""
MAX_SPREAD = 0.05
"""Difference between the least and the greatest value of an edge of a smoothed box, in heights of the person,
up to which it was not seen to move. Project default (docs/defaults.md)."""
MAX_STEP = 0.25
"""Way that two opposite edges of a box go in the same direction, in heights of the person, from which a track
moved in any case: no jitter of a detector is as large. Project default (docs/defaults.md)."""
SMOOTHING_US = SECOND
"""Time over which boxes are smoothed, microseconds."""
WARM_UP_US = SECOND
"""Time after which the smoothed box of a new track is judged, microseconds."""
MAX_GAP_US = 3 * SECOND
"""Longest time that counts between two rows of a track, microseconds: the tracker predicts it for as long."""
LOST_US = 70 * SECOND
"""How long a track out of view is remembered under its id, microseconds; the tracker re-identifies lost
tracks for 60 s."""
SAME_PLACE = 0.1
"""Greatest distance between the edges of two boxes at one place, in heights of the person: single boxes vary
more than smoothed ones. Project default (docs/defaults.md)."""
SAME_PERSON_OVERLAP = 0.5
"""Intersection over union from which a track that begins is taken for the moving one that was lost there.
Project default (docs/defaults.md)."""
MOVED_PLACE_US = 3600 * SECOND
"""How long the place of a lost track that moved is kept, microseconds. Project default (docs/defaults.md)."""
DRIFT_US = 600 * SECOND
"""Time over which a static track may drift, as the light of a day moves its box, microseconds.
Project default (docs/defaults.md)."""
MIN_HIDDEN_SHARE = 0.02
"""Share of a box that a moving person covers from which its row is not judged."""
MIN_FACE_READINGS = 8
"""Readings of the picture around a face from which its changes tell that the person lives: as many as the
mask rule needs by default."""


@compiled
def overlap(one: Table, other: Table) -> float:
    """Area that the boxes of two rows have in common."""
    wide = min(one.x2, other.x2) - max(one.x1, other.x1)
    tall = min(one.y2, other.y2) - max(one.y1, other.y1)
    return wide * tall if wide > 0 and tall > 0 else 0.0


@compiled
def is_at(place: Table, row: Table) -> bool:
    """Whether the box of a row is that of a place, within what single boxes vary."""
    far = max(
        abs(place.box0 - row.x1),
        abs(place.box1 - row.y1),
        abs(place.box2 - row.x2),
        abs(place.box3 - row.y2),
    )
    return bool(far <= SAME_PLACE * max(row.y2 - row.y1, 1e-6))


@compiled
def is_near(place: Table, row: Table) -> bool:
    """Whether the box of a row overlaps that of a place as boxes of one person do."""
    wide = min(place.box2, row.x2) - max(place.box0, row.x1)
    tall = min(place.box3, row.y2) - max(place.box1, row.y1)
    if wide <= 0 or tall <= 0:
        return False
    both = (place.box2 - place.box0) * (place.box3 - place.box1) + (row.x2 - row.x1) * (row.y2 - row.y1)
    return bool(wide * tall >= SAME_PERSON_OVERLAP * (both - wide * tall))


@compiled
def take_over(track: Table, place: Table) -> None:
    """What is known of a place becomes known of a track."""
    track.still = max(track.still, place.still)
    track.static = place.static
    track.box0, track.box1, track.box2, track.box3 = place.box0, place.box1, place.box2, place.box3
    track.low0, track.low1, track.low2, track.low3 = place.low0, place.low1, place.low2, place.low3
    track.high0, track.high1, track.high2, track.high3 = place.high0, place.high1, place.high2, place.high3


@compiled
def inherit(tables: MarkTables, k: int, row: Table) -> bool:
    """Find what is known of the place at which the track of slot k begins; whether anything is."""
    track, t = tables.tracks[k], row.t
    # A static place comes first, then a person who moved, then a track that was in view for too short a time.
    for wanted in range(3):
        for m in range(len(tables.tracks)):
            other = tables.tracks[m]
            if m == k or other.used == 0 or other.last >= t or other.judged == 0:
                continue
            if wanted == 1:
                if other.moved == 1 and is_near(other, row):
                    track.moved = 1
                    return True
            elif other.moved == 0 and other.static == (1 if wanted == 0 else 0) and is_at(other, row):
                take_over(track, other)
                other.static = 0
                other.judged = 0
                return True
        for m in range(len(tables.places)):
            place = tables.places[m]
            if place.used == 0:
                continue
            if wanted == 1:
                if place.moved == 1 and t - place.last <= MOVED_PLACE_US and is_near(place, row):
                    track.moved = 1
                    return True
            elif place.moved == 0 and place.static == (1 if wanted == 0 else 0) and is_at(place, row):
                take_over(track, place)
                place.used = 0
                return True
    return False


@compiled
def leave(tables: MarkTables, k: int) -> None:
    """Keep the place of the track of slot k, which is gone."""
    track = tables.tracks[k]
    if track.judged == 0:
        return
    best, oldest = -1, math.inf
    for m in range(len(tables.places)):
        place = tables.places[m]
        if place.used == 0:
            best = m
            break
        # Static places are given up last.
        age = place.last + (1e18 if place.static == 1 else 0.0)
        if age < oldest:
            best, oldest = m, age
    place = tables.places[best]
    place.used = 1
    place.last = track.last
    place.still = track.still
    place.moved = track.moved
    place.static = track.static
    place.box0, place.box1, place.box2, place.box3 = track.box0, track.box1, track.box2, track.box3
    place.low0, place.low1, place.low2, place.low3 = track.low0, track.low1, track.low2, track.low3
    place.high0, place.high1, place.high2, place.high3 = track.high0, track.high1, track.high2, track.high3


@compiled
def has_stepped(track: Table, row: Table) -> bool:
    """Whether the box of a row is so far from the first one of its track that no jitter explains it."""
    left, right = row.x1 - track.first0, row.x2 - track.first2
    top, bottom = row.y1 - track.first1, row.y2 - track.first3
    across = min(abs(left), abs(right)) if left * right > 0 else 0.0
    down = min(abs(top), abs(bottom)) if top * bottom > 0 else 0.0
    return bool(max(across, down) > MAX_STEP * max(row.y2 - row.y1, 1e-6))


@compiled
def spread(track: Table) -> float:
    """The largest difference between the least and the greatest value of an edge, in heights."""
    wide = max(
        track.high0 - track.low0, track.high1 - track.low1, track.high2 - track.low2, track.high3 - track.low3
    )
    return float(wide / max(track.box3 - track.box1, 1e-6))


@compiled
def smooth(track: Table, row: Table, share: float) -> None:
    """Move the smoothed box by a share of the way to the box of a row."""
    track.box0 += share * (row.x1 - track.box0)
    track.box1 += share * (row.y1 - track.box1)
    track.box2 += share * (row.x2 - track.box2)
    track.box3 += share * (row.y2 - track.box3)


@compiled
def widen(track: Table, share: float) -> None:
    """Let the least and the greatest values follow the smoothed box by a share, and take it in."""
    track.low0 = min(track.low0 + share * (track.box0 - track.low0), track.box0)
    track.low1 = min(track.low1 + share * (track.box1 - track.low1), track.box1)
    track.low2 = min(track.low2 + share * (track.box2 - track.low2), track.box2)
    track.low3 = min(track.low3 + share * (track.box3 - track.low3), track.box3)
    track.high0 = max(track.high0 + share * (track.box0 - track.high0), track.box0)
    track.high1 = max(track.high1 + share * (track.box1 - track.high1), track.box1)
    track.high2 = max(track.high2 + share * (track.box2 - track.high2), track.box2)
    track.high3 = max(track.high3 + share * (track.box3 - track.high3), track.box3)


@compiled
def begin_at(track: Table, row: Table) -> None:
    """The smoothed box, its least and its greatest values are those of a row."""
    track.box0, track.box1, track.box2, track.box3 = row.x1, row.y1, row.x2, row.y2
    track.low0, track.low1, track.low2, track.low3 = row.x1, row.y1, row.x2, row.y2
    track.high0, track.high1, track.high2, track.high3 = row.x1, row.y1, row.x2, row.y2


@compiled
def lives(track: Table, row: Table, min_change: float, min_share: float) -> bool:
    """Whether the face of a track is seen to change, as the faces of people do and painted ones do not."""
    if math.isnan(row.change):
        return False
    track.readings += 1
    # The log holds 32-bit numbers: a value equal to the threshold must not fail by rounding.
    if row.change >= min_change - 1e-6:
        track.changing += 1
    enough = track.readings >= MIN_FACE_READINGS
    return bool(enough and track.changing >= min_share * track.readings)


@compiled
def judge_stillness(
    tables: MarkTables, k: int, row: Table, hidden: bool, min_change: float, min_share: float
) -> None:
    """Take a row of the track in slot k.

    Args:
        tables: the state.
        k: the slot.
        row: the row.
        hidden: a moving person covers a part of the box: it says nothing about stillness.
        min_change, min_share: of the mask rule: what a living face shows.
    """
    track = tables.tracks[k]
    if track.moved == 1:
        # Its place is known when it is lost.
        track.box0, track.box1, track.box2, track.box3 = row.x1, row.y1, row.x2, row.y2
        track.judged = row.t
        return
    if has_stepped(track, row):
        _moved(tables, k, row)
        return
    if hidden:
        return
    gap = 0 if track.judged == 0 else min(row.t - track.judged, MAX_GAP_US)
    young = track.still < WARM_UP_US
    if track.judged == 0:
        begin_at(track, row)  # Rows before it were hidden.
    track.judged = row.t
    if young and inherit(tables, k, row):
        young = track.still < WARM_UP_US
        track.first0, track.first1 = track.box0, track.box1
        track.first2, track.first3 = track.box2, track.box3
    if track.moved == 1:
        return
    smooth(track, row, gap / (gap + SMOOTHING_US))
    if young:
        track.low0, track.low1, track.low2, track.low3 = track.box0, track.box1, track.box2, track.box3
        track.high0, track.high1, track.high2, track.high3 = track.box0, track.box1, track.box2, track.box3
    else:
        widen(track, gap / DRIFT_US if track.static == 1 else 0.0)
    track.still += gap
    if spread(track) > MAX_SPREAD or lives(track, row, min_change, min_share):
        _moved(tables, k, row)
    elif track.still >= STATIC_AFTER_US:
        track.static = 1


@compiled
def _moved(tables: MarkTables, k: int, row: Table) -> None:
    """The track of slot k is seen to move; what was static at its place is no longer."""
    track = tables.tracks[k]
    track.moved = 1
    track.static = 0
    for m in range(len(tables.places)):
        if tables.places[m].static == 1 and is_at(tables.places[m], row):
            tables.places[m].used = 0
            tables.places[m].static = 0
    track.box0, track.box1, track.box2, track.box3 = row.x1, row.y1, row.x2, row.y2
    track.judged = row.t
