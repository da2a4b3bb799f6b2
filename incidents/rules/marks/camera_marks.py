"""The marks of a camera: which rows raise nothing, and how many they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incidents.rules.compiling import records
from incidents.rules.machines.plan import Bools
from incidents.rules.machines.tables import Table
from incidents.rules.marks.marking import Chunk, mark_rows
from incidents.rules.marks.tables import MAX_TRACKS, PAIR, MarkCode, MarkTables, empty_marks
from zones.checking.ignoring import ignored_share, in_ignored
from zones.facility import Camera, Facility

REASONS = {
    MarkCode.STATIC: "the person is marked static: never seen to move, as a statue or a poster",
    MarkCode.REFLECTION: "the person is marked as a suspected reflection of another one",
}
"""Why an incident ends when a track of it is marked."""


@dataclass(frozen=True, slots=True)
class MarkCounts:
    """How many rows were seen, and how many of them raised nothing; a row is one person at one moment.

    How much time a row stands for is decided where person-seconds are counted (`incidents.watched`), so that
    no part can be more than the whole.

    Attributes:
        seen: all rows.
        ignored: where the camera ignores people.
        static: of tracks that were never seen to move.
        reflection: of tracks that are suspected of being a reflection.
    """

    seen: int = 0
    ignored: int = 0
    static: int = 0
    reflection: int = 0

    def __sub__(self, other: MarkCounts) -> MarkCounts:
        """The rows since another moment."""
        return MarkCounts(
            self.seen - other.seen,
            self.ignored - other.ignored,
            self.static - other.static,
            self.reflection - other.reflection,
        )

    def __add__(self, other: MarkCounts) -> MarkCounts:
        """The rows of both."""
        return MarkCounts(
            self.seen + other.seen,
            self.ignored + other.ignored,
            self.static + other.static,
            self.reflection + other.reflection,
        )


NO_ROWS = MarkCounts()
"""Counts of time in which no person was seen."""


@dataclass(frozen=True)
class MarkedRows:
    """The rows of a chunk with their marks.

    Attributes:
        rows: (N,) as they were given, those with a mark silent.
        codes: (N,) of `MarkCode`.
        begins: (N,) the mark that a track gets at a row, if a row of it before was not silent; else 0.
    """

    rows: Table
    codes: np.ndarray
    begins: np.ndarray


class CameraMarks:
    """The marks of one camera, from a moment on. What is marked depends on the rows until then alone."""

    def __init__(self) -> None:
        """Begin with a camera of which nothing was seen."""
        self.tables = empty_marks()

    def take(self, rows: Table, facility: Facility, camera: Camera) -> MarkedRows:
        """Mark rows (N,), sorted by time and track, which follow those that were given before.

        `silent` is set in the rows themselves.
        """
        count = len(rows)
        codes, begins = np.zeros(count, np.int8), np.zeros(count, np.int8)
        ignored = np.zeros(count, np.int8)
        if camera.ignore:
            ignored[_in_ignored(rows, camera)] = 1
        rule = facility.rules.mask
        slots = np.zeros(count, np.int64)
        change = float(rule.min_change), float(rule.min_changing_share)
        mark_rows(self.tables, Chunk(rows, ignored, *change, slots, codes, begins))
        rows["silent"] = codes != MarkCode.NONE
        return MarkedRows(rows, codes, begins)

    @property
    def counts(self) -> MarkCounts:
        """All rows so far, and those that raised nothing."""
        rows = self.tables.totals["rows"]
        marks = (MarkCode.IGNORED, MarkCode.STATIC, MarkCode.REFLECTION)
        return MarkCounts(int(rows.sum()), *(int(rows[mark]) for mark in marks))

    def save(self) -> dict[str, np.ndarray]:
        """The state, without what is not in use: tables by name, and the slots of the pairs."""
        tables = self.tables
        tracks, places = tables.tracks.copy(), tables.places.copy()
        tracks[tracks["used"] == 0] = np.zeros((), tracks.dtype)
        places[places["used"] == 0] = np.zeros((), places.dtype)
        where = np.flatnonzero(tables.pairs["used"].ravel())
        return {
            "marked_tracks": tracks[: _in_use(tracks)],
            "marked_places": places[: _in_use(places)],
            "marked_pairs": tables.pairs.ravel()[where],
            "marked_slots": where.astype(np.int64),
            "marked_totals": tables.totals.copy(),
        }

    def restore(self, saved: dict[str, np.ndarray]) -> None:
        """Take over what was saved."""
        tables = empty_marks()
        for name in ("tracks", "places", "totals"):
            held = saved[f"marked_{name}"]
            getattr(tables, name)[: len(held)] = held
        pairs = np.zeros(MAX_TRACKS * MAX_TRACKS, PAIR)
        pairs[saved["marked_slots"]] = saved["marked_pairs"]
        self.tables = MarkTables(
            tables.tracks, tables.places, records(pairs.reshape(MAX_TRACKS, MAX_TRACKS)), tables.totals
        )


def _in_use(table: np.ndarray) -> int:
    used = np.flatnonzero(table["used"])
    return int(used[-1]) + 1 if len(used) else 0


def _in_ignored(rows: Table, camera: Camera) -> Bools:
    if ignored_share(camera) == 1:
        # So are feet that are taken to stand beyond the edge of the picture.
        return np.ones(len(rows), dtype=np.bool_)
    return in_ignored(camera, np.column_stack([rows["x"], rows["y"]]))


SAVED = {name: table.dtype for name, table in CameraMarks().save().items()}
"""Names and types of what `CameraMarks.save` gives."""
