"""The observations of a camera as arrays, by person: what suggestions are made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from incidents.rules.machines.link import MAX_GAP_US
from incidents.rules.machines.plan import Floats, Ints, Small
from incidents.whole_log import evaluate_observations, rows_by_person
from vision.frames import SECOND
from zones.facility import Camera, Facility

MAX_GAP_S = MAX_GAP_US / SECOND
"""Longest time for which the rules link a person who was lost, s."""


@dataclass(frozen=True)
class Samples:
    """One row per person and analysed frame, sorted by (person, t); N rows.

    Attributes:
        person: (N,) code 0, 1, ... of a person: one track, or several tracks that the rules linked.
        t: (N,) microseconds UTC.
        foot: (N, 2) foot point, normalised 0..1 of the frame; hidden feet may be below the frame.
        found: (N,) how the foot point was found, a code of `vision.ground.Foot`.
        aspect: (N,) frame width / height.
        box: (N, 4) x1, y1, x2, y2 in frame heights.
        ground: (N, 2) m, NaN where not known.
        ground_se: (N,) standard error, m, NaN where not known.
    """

    person: Ints
    t: Ints
    foot: Floats
    found: Small
    aspect: Floats
    box: Floats
    ground: Floats
    ground_se: Floats

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.t)


def read_samples(observations: pl.DataFrame, facility: Facility, camera: Camera) -> Samples:
    """The observations of a camera, with the persons whom the rules find in them.

    Raises:
        RuleError: a row is of another camera, or has no time.
        CalibrationError: the calibration points of the camera do not determine the ground plane.
    """
    links = evaluate_observations(observations, facility, camera.id).links
    kept = rows_by_person(observations, facility, camera, links)
    rows = kept.rows

    def columns(*names: str) -> Floats:
        return np.column_stack([rows[name] for name in names])

    return Samples(
        person=kept.person,
        t=rows["t"].copy(),
        foot=columns("x", "y"),
        found=rows["found"].copy(),
        aspect=kept.aspect,
        box=columns("x1", "y1", "x2", "y2"),
        ground=columns("gx", "gy"),
        ground_se=rows["gse"].copy(),
    )
