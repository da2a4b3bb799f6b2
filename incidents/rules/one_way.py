"""People who walk in the wrong direction through a one-way zone."""

from __future__ import annotations

import numpy as np

from incidents.rules.episode import Bools, Floats, Ints, microseconds, run_starts
from incidents.rules.position import on_ground
from incidents.rules.samples import Samples
from zones.facility import Camera, Zone, ZoneRule

MIN_STEP_BACK = 3.0
"""How far a person must have moved in the wrong direction, in units of the hysteresis: 0.9 m by default, more
than a step aside. Project default (docs/defaults.md)."""
AGREEING_SAMPLES = 3
"""Successive samples whose least progress counts as reached. One wrong box far ahead would otherwise make all
later samples look like a way back. Project default (docs/defaults.md)."""


def walks_wrong_way(
    samples: Samples, zone: Zone, camera: Camera, rule: ZoneRule, inside: Bools
) -> tuple[Bools, dict[str, float]]:
    """Rows (N,) of people who have moved back in a one-way zone, and the thresholds by name.

    Progress is measured along the direction from the mean of the polygon's corners to `toward`, since the
    person entered the zone; on the ground if the camera is calibrated, else in the frame.

    Args:
        samples: N rows.
        zone: a zone of type one_way that has `toward`.
        camera: the camera of the zone.
        rule: the hysteresis, and the gap after which a new stay begins.
        inside: (N,) whether each sample is of a person in the zone.
    """
    on = np.zeros(len(samples), dtype=np.bool_)
    used: dict[str, float] = {}
    arrow = np.vstack([np.mean(zone.polygon, axis=0), zone.toward or (0.0, 0.0)])
    entered = run_starts(samples.person, samples.t, microseconds(rule.max_gap_s)) | ~inside
    stay = np.cumsum((entered | np.roll(~inside, 1)).astype(np.int64))
    for aspect in samples.aspects():
        ends = on_ground(arrow, camera, aspect)
        points, name, step = samples.ground, "hysteresis_m", rule.hysteresis_m
        if ends is None:
            ends, points = arrow * (aspect, 1.0), samples.isotropic()
            name, step = "hysteresis_frame", rule.hysteresis_frame
        way = (ends[1] - ends[0]) / np.hypot(*(ends[1] - ends[0]))
        progress = points @ way
        rows = np.flatnonzero(inside & (samples.aspect == aspect) & np.isfinite(progress))
        used |= {name: step, "step_back": MIN_STEP_BACK}
        if len(rows):
            on[rows] = _behind(progress[rows], stay[rows]) >= MIN_STEP_BACK * step
    return on, used


def _behind(progress: Floats, stay: Ints) -> Floats:
    """Distance (M,) of each sample behind the farthest progress of its stay; `stay` must not decrease."""
    low, span = progress.min(), np.ptp(progress) + 1
    reached = progress - low
    for back in range(1, AGREEING_SAMPLES):
        earlier = np.roll(progress - low, back)
        # Nothing is reached before there are enough samples.
        earlier[:back] = 0
        earlier[back:][stay[back:] != stay[:-back]] = 0
        reached = np.minimum(reached, earlier)
    number = np.unique(stay, return_inverse=True)[1]
    farthest = np.maximum.accumulate(reached + number * span) - number * span
    return np.asarray(farthest - (progress - low), dtype=np.float64)
