"""The time for which people raised nothing, from a log alone, without the rules."""

from __future__ import annotations

import polars as pl

from incidents.rules.machines.tables import FOREVER
from incidents.rules.marks.camera_marks import CameraMarks, MarkedTime
from incidents.rules.reading import in_order, moments_of, rows_of
from zones.facility import Camera, Facility


def marked_time(observations: pl.DataFrame, facility: Facility, camera: Camera, since: int) -> MarkedTime:
    """The time from `since` on (microseconds UTC) for which people of a log were ignored or marked.

    What is before it is given so that tracks and places are known, as far as the log goes back.

    Raises:
        RuleError: a row is of another camera, or has no time.
    """
    ordered = in_order(observations, camera.id, 0, FOREVER)
    edge = int(moments_of(ordered).searchsorted(since))
    marks = CameraMarks()
    for _, rows in rows_of(ordered[:edge], facility, camera):
        marks.take(rows, facility, camera)
    before = marks.time
    for _, rows in rows_of(ordered[edge:], facility, camera):
        marks.take(rows, facility, camera)
    return marks.time - before
