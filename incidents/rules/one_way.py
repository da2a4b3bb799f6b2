"""People who walk against the way that a one-way zone allows."""

from __future__ import annotations

import numpy as np

from incidents.rules.episode import Bools, Floats, Ints, microseconds, run_starts
from incidents.rules.position import on_ground
from incidents.rules.samples import Samples
from zones.facility import Camera, Zone, ZoneRule

MIN_STEP_BACK = 3.0
"""So many times the hysteresis somebody must have moved the wrong way [D]: 0.9 m, more than a step aside."""
AGREEING_SAMPLES = 3
"""How far somebody has got the right way is what this many samples in a row agree on [D]: one wild box ahead
would make all that follows a way back."""


def walks_wrong_way(
    samples: Samples, zone: Zone, camera: Camera, rule: ZoneRule, inside: Bools
) -> tuple[Bools, dict[str, float]]:
    """Rows (N,) of people in a zone who are farther back than they have been, and the thresholds by name.

    Progress is along the line from the middle of the polygon's corners to `toward`, on the ground where the
    camera is calibrated, since the person came into the zone.

    Args:
        samples: N rows.
        zone: of type one_way, with `toward`.
        camera: whose zone it is.
        rule: hysteresis and the gap after which a stay begins anew.
        inside: (N,) whether each person is in the zone.
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
    """How far (M,) each sample is behind the farthest point of its stay, a code that does not decrease."""
    low, span = progress.min(), np.ptp(progress) + 1
    reached = progress - low
    for back in range(1, AGREEING_SAMPLES):
        earlier = np.roll(progress - low, back)
        # Nothing is agreed on before there are enough samples.
        earlier[:back] = 0
        earlier[back:][stay[back:] != stay[:-back]] = 0
        reached = np.minimum(reached, earlier)
    number = np.unique(stay, return_inverse=True)[1]
    farthest = np.maximum.accumulate(reached + number * span) - number * span
    return np.asarray(farthest - (progress - low), dtype=np.float64)
