"""The state of the marks: tables of numbers, bounded, which can be saved as they are.

Boxes are in frame heights, times in microseconds UTC, lengths of time in microseconds.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from incidents.rules.compiling import records
from incidents.rules.machines.tables import Table


class MarkCode(IntEnum):
    """The mark of a row; a row that has one is silent."""

    NONE = 0
    IGNORED = 1
    """The foot point lies where the camera ignores people."""
    STATIC = 2
    """The track was never seen to move: a statue, a poster."""
    REFLECTION = 3
    """The track mirrors another one at the same time."""


MAX_TRACKS = 64
"""Tracks that are kept at a time; of those out of view, the ones unseen for longest make room."""
MAX_PLACES = 32
"""Places that are kept of tracks that are gone; static ones are kept longest."""

_EDGES = [(f"{name}{edge}", "f8") for name in ("box", "low", "high") for edge in range(4)]
TRACK = np.dtype(
    [
        ("used", "i1"),
        ("track", "i8"),
        ("last", "i8"),  # last row
        ("seen", "i8"),  # time in view: the sum of these
        ("judged", "i8"),  # last row that was judged for stillness
        ("still", "i8"),  # time judged without being seen to move
        ("moved", "i1"),  # it was seen to move, or its face to change
        ("static", "i1"),
        ("raised", "i1"),  # a row of it was not silent
        ("mark", "i1"),  # of its last row, other than IGNORED
        ("partner", "i8"),  # slot of the track that it mirrors, or -1
        ("score", "i8"),  # sum, millionths
        ("rows", "i8"),
        ("readings", "i8"),  # changes of the picture around the face that were measured
        ("changing", "i8"),  # those of a living face
        ("first0", "f8"),  # its first box
        ("first1", "f8"),
        ("first2", "f8"),
        ("first3", "f8"),
        *_EDGES,  # its box, smoothed over time, and the least and greatest values of it
    ]
)
PLACE = np.dtype(
    [("used", "i1"), ("last", "i8"), ("still", "i8"), ("moved", "i1"), ("static", "i1"), *_EDGES]
)
PAIR = np.dtype(
    [
        ("used", "i1"),
        ("last", "i8"),  # last moment at which both were in view
        ("both", "i8"),  # time for which both were in view
        # On a floor: the top of the lower box is at the bottom of the upper one.
        ("lower", "i1"),  # 0 = the first of the pair is the lower one, 1 = the second; -1 = neither
        ("since", "i8"),  # since when
        ("fits", "i8"),  # time for which the geometry held
        ("misses", "i8"),  # time for which it has not held, up to now
        ("path", "f8"),  # way that both went, heights of the upper one
        # Every second: where both are, and how each moved in the second before, in its own heights.
        ("step", "i8"),
        ("a_x", "f8"),
        ("a_y", "f8"),
        ("b_x", "f8"),
        ("b_y", "f8"),
        ("moving", "i1"),  # the two movements are known
        ("a_dx", "f8"),
        ("b_dx", "f8"),
        # In glass: changes of speed that were opposite at the same moment.
        ("matched", "i8"),
        ("opposed", "i8"),  # time for which nothing contradicted it
    ]
)
TOTALS = np.dtype([("rows", "i8")])


class MarkTables(NamedTuple):
    """The state.

    Attributes:
        tracks: (MAX_TRACKS,) of `TRACK`.
        places: (MAX_PLACES,) of `PLACE`: where tracks that are gone were last.
        pairs: (MAX_TRACKS, MAX_TRACKS) of `PAIR`: of the tracks in two slots, the smaller number first.
        totals: (4,) of `TOTALS`, by `MarkCode`: rows.
    """

    tracks: Table
    places: Table
    pairs: Table
    totals: Table


def empty_marks() -> MarkTables:
    """The state before the first row."""
    return MarkTables(
        records(np.zeros(MAX_TRACKS, TRACK)),
        records(np.zeros(MAX_PLACES, PLACE)),
        records(np.zeros((MAX_TRACKS, MAX_TRACKS), PAIR)),
        records(np.zeros(len(MarkCode), TOTALS)),
    )
