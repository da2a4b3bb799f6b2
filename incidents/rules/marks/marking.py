"""The marks of rows, instant by instant."""

from __future__ import annotations

from typing import NamedTuple

from incidents.rules.compiling import compiled
from incidents.rules.machines.tables import Ints, Small, Table
from incidents.rules.marks.mirroring import MOST_PEOPLE, step_pair
from incidents.rules.marks.stillness import (
    LOST_US,
    MAX_GAP_US,
    MIN_HIDDEN_SHARE,
    begin_at,
    judge_stillness,
    leave,
    overlap,
)
from incidents.rules.marks.tables import MarkCode, MarkTables

_NONE, _IGNORED = int(MarkCode.NONE), int(MarkCode.IGNORED)
_STATIC, _REFLECTION = int(MarkCode.STATIC), int(MarkCode.REFLECTION)
_PARTNER_GONE_US = 2_000_000
"""Time after which what is mirrored is out of view, microseconds."""


class Chunk(NamedTuple):
    """The rows of a chunk, and the room for their marks.

    Attributes:
        rows: (N,) of `incidents.rules.machines.rows.ROW`, sorted by time and track.
        ignored: (N,) 1 where the camera ignores people.
        min_change, min_share: of the mask rule: what a living face shows.
        slots: (N,) room.
        codes: (N,) receives the marks, codes of `MarkCode`.
        begins: (N,) receives the mark where a track gets one of which a row before was not silent.
    """

    rows: Table
    ignored: Small
    min_change: float
    min_share: float
    slots: Ints
    codes: Small
    begins: Small


@compiled
def mark_rows(tables: MarkTables, chunk: Chunk) -> None:
    """Mark the rows of a chunk, in which all rows of an instant are; `tables`, the state, is changed."""
    rows = chunk.rows
    i = 0
    while i < len(rows):
        last = i + 1
        while last < len(rows) and rows[last].t == rows[i].t:
            last += 1
        _instant(tables, chunk, i, last)
        i = last


@compiled
def _instant(tables: MarkTables, chunk: Chunk, first: int, last: int) -> None:
    """Mark the rows [first, last), which are of one instant."""
    rows, slots, codes, ignored = chunk.rows, chunk.slots, chunk.codes, chunk.ignored
    tracks, totals, t = tables.tracks, tables.totals, rows[first].t
    for k in range(len(tracks)):
        if tracks[k].used == 1 and t - tracks[k].last > LOST_US:
            _release(tables, k)
    # Tracks that are known come first: what is in view is not lost.
    for i in range(first, last):
        slots[i] = -1
        if i == first or rows[i].track != rows[i - 1].track:
            for k in range(len(tracks)):
                if tracks[k].used == 1 and tracks[k].track == rows[i].track:
                    slots[i] = k
                    break
    for i in range(first, last):
        repeated = i > first and rows[i].track == rows[i - 1].track
        gap = 0
        if slots[i] < 0 and not repeated:
            slots[i] = _enter(tables, rows[i], slots, first, last)
        elif slots[i] >= 0:
            gap = min(t - tracks[slots[i]].last, MAX_GAP_US)
        if slots[i] >= 0:
            track = tracks[slots[i]]
            track.last = t
            track.seen += gap
            track.rows += 1
            track.score += rows[i].score
    for i in range(first, last):
        if slots[i] >= 0:
            track = tracks[slots[i]]
            hidden = track.moved == 0 and _is_hidden(tracks, rows, i, first, last, slots)
            judge_stillness(tables, slots[i], rows[i], hidden, chunk.min_change, chunk.min_share)
    _mirror(tables, rows, first, last, slots)
    for i in range(first, last):
        if i > first and rows[i].track == rows[i - 1].track:
            codes[i] = codes[i - 1]
            totals[codes[i]].rows += 1
            continue
        code = _NONE
        if slots[i] >= 0:
            track = tracks[slots[i]]
            if track.static == 1:
                code = _STATIC
            elif track.partner >= 0:
                code = _REFLECTION
            if code != _NONE and track.mark == _NONE and track.raised == 1:
                chunk.begins[i] = code
            track.mark = code
            if code == _NONE and ignored[i] == 0:
                track.raised = 1
        codes[i] = _IGNORED if ignored[i] == 1 else code
        totals[codes[i]].rows += 1


@compiled
def _mirror(tables: MarkTables, rows: Table, first: int, last: int, slots: Ints) -> None:
    """Compare each two tracks of an instant, and end marks of what mirrors nothing in view any more."""
    tracks, t = tables.tracks, rows[first].t
    if last - first <= MOST_PEOPLE:
        for i in range(first, last):
            for m in range(i + 1, last):
                a, b = slots[i], slots[m]
                if a >= 0 and b >= 0 and a != b:
                    if a < b:
                        step_pair(tables, a, b, rows[i], rows[m])
                    else:
                        step_pair(tables, b, a, rows[m], rows[i])
    for i in range(first, last):
        if slots[i] >= 0 and tracks[slots[i]].partner >= 0:
            track = tracks[slots[i]]
            if last - first > MOST_PEOPLE or t - tracks[track.partner].last > _PARTNER_GONE_US:
                track.partner = -1


@compiled
def _is_hidden(tracks: Table, rows: Table, i: int, first: int, last: int, slots: Ints) -> bool:
    """Whether a person who moved covers a part of the box of row i."""
    area = (rows[i].x2 - rows[i].x1) * (rows[i].y2 - rows[i].y1)
    for m in range(first, last):
        moving = m != i and slots[m] >= 0 and tracks[slots[m]].moved == 1
        if moving and overlap(rows[i], rows[m]) > MIN_HIDDEN_SHARE * area:
            return True
    return False


@compiled
def _enter(tables: MarkTables, row: Table, slots: Ints, first: int, last: int) -> int:
    """A slot for a new track; -1 where all are of tracks in view."""
    tracks, best = tables.tracks, -1
    for k in range(len(tracks)):
        if tracks[k].used == 0:
            best = k
            break
        taken = False
        for m in range(first, last):
            taken = taken or slots[m] == k
        if not taken and (best < 0 or tracks[k].last < tracks[best].last):
            best = k
    if best < 0:
        return -1
    if tracks[best].used == 1:
        _release(tables, best)
    track = tracks[best]
    track.used = 1
    track.track = row.track
    track.last = row.t
    track.seen = 0
    track.judged = 0
    track.still = 0
    track.moved = 0
    track.static = 0
    track.raised = 0
    track.mark = _NONE
    track.partner = -1
    track.score = 0
    track.rows = 0
    track.readings = 0
    track.changing = 0
    begin_at(track, row)
    track.first0, track.first1, track.first2, track.first3 = row.x1, row.y1, row.x2, row.y2
    return best


@compiled
def _release(tables: MarkTables, k: int) -> None:
    """Free the slot of a track that is gone; its place is kept."""
    leave(tables, k)
    for m in range(len(tables.tracks)):
        tables.pairs[k, m].used = 0
        tables.pairs[m, k].used = 0
        if tables.tracks[m].partner == k:
            tables.tracks[m].partner = -1
    tables.tracks[k].used = 0
