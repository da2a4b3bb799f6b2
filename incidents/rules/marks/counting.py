"""The rows of people who raised nothing, from a log alone, without the rules."""

from __future__ import annotations

import polars as pl

from incidents.rules.machines.tables import FOREVER
from incidents.rules.marks.camera_marks import CameraMarks, MarkCounts
from incidents.rules.reading import in_order, moments_of, rows_of
from zones.facility import Camera, Facility


def count_marks(observations: pl.DataFrame, facility: Facility, camera: Camera, since: int) -> MarkCounts:
    """The rows of a log from `since` on (microseconds UTC), and those of people who were ignored or marked.

    What is before it is given so that tracks and places are known, as far as the log goes back.

    Raises:
        RuleError: a row is of another camera, or has no time.
    """
    ordered = in_order(observations, camera.id, 0, FOREVER)
    edge = int(moments_of(ordered).searchsorted(since))
    marks = CameraMarks()
    for _, rows in rows_of(ordered[:edge], facility, camera):
        marks.take(rows, facility, camera)
    before = marks.counts
    for _, rows in rows_of(ordered[edge:], facility, camera):
        marks.take(rows, facility, camera)
    return marks.counts - before
