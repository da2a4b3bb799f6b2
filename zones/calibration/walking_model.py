"""The model of people who walk over a level floor in front of a pinhole camera, and its robust fit.

The parameters p (4,) are those of `zones.calibration.pinhole`. Three kinds of residuals are minimised: the
heights of boxes, each person having one height; the pace of each person; and the deviation of the camera from
what is assumed about lenses and mounting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from zones.calibration import pinhole
from zones.calibration.homography import Array, CalibrationError
from zones.calibration.people import Ints
from zones.calibration.pinhole import FOCAL, HEIGHT, PITCH, ROLL

BOX_SIGMA = 0.04
"""Standard deviation of a box height, relative: both ends with the 3 % of a foot point.

Project default (docs/defaults.md).
"""
FOCAL_PRIOR = (1.61, 0.36)
"""Focal length without other knowledge: median, in frame heights, and standard deviation of its logarithm.
95 % are 2.8 to 12 mm over a sensor 3.6 mm high (1/3 inch), the usual range of lenses for video surveillance.

Project default (docs/defaults.md).
"""
FIELD_OF_VIEW_SIGMA = 0.05
"""Relative standard deviation of a focal length from a data sheet: lenses vary, and so does the sensor crop.

Project default (docs/defaults.md).
"""
ROLL_SIGMA = math.radians(5)
"""Standard deviation of the roll of mounted cameras, rad.

Project default (docs/defaults.md).
"""
MIN_PACE_M_S = 0.5
"""People slower than this stand or shuffle; the noise of their foot points would count as movement.

Project default (docs/defaults.md).
"""
PACE_SIGMA = 0.2
"""Standard deviation of the logarithm of one person's pace, turns included.

Project default (docs/defaults.md).
"""


@dataclass(frozen=True)
class Assumptions:
    """What is known before the fit.

    Attributes:
        mean_height_m: mean height of the people, shoes included, m.
        height_sd_m: standard deviation of height between people, m.
        view_deg: horizontal field of view from the data sheet of the camera, degrees, or None.
    """

    mean_height_m: float
    height_sd_m: float
    view_deg: float | None = None

    def focal(self, aspect: float) -> tuple[float, float]:
        """Mean and standard deviation of the logarithm of the focal length in frame heights."""
        if self.view_deg is None:
            return math.log(FOCAL_PRIOR[0]), FOCAL_PRIOR[1]
        focal = aspect / 2 / math.tan(math.radians(self.view_deg) / 2)
        return math.log(focal), FIELD_OF_VIEW_SIGMA


@dataclass(frozen=True)
class WalkingData:
    """The boxes and strides of people that a camera is fitted to.

    Attributes:
        boxes: (N, 4) left, top, right, bottom, centred coordinates.
        person: (N,) code 0, 1, ... of the person.
        before, after: (M, 4) boxes at both ends of a stride.
        stride_s: (M,) duration of the stride.
        stride_person: (M,) code of the person.
    """

    boxes: Array
    person: Ints
    before: Array
    after: Array
    stride_s: Array
    stride_person: Ints

    def without(self, persons: Ints) -> WalkingData:
        """The data without some persons."""
        keep, stay = ~np.isin(self.person, persons), ~np.isin(self.stride_person, persons)
        return WalkingData(
            self.boxes[keep],
            self.person[keep],
            self.before[stay],
            self.after[stay],
            self.stride_s[stay],
            self.stride_person[stay],
        )


def initial_parameters(data: WalkingData, assumed: Assumptions, aspect: float) -> Array:
    """Parameters (4,) in closed form: a linear fit of box heights over the image gives horizon and height.

    Raises:
        CalibrationError: people do not get larger towards the bottom of the image.
    """
    focal = math.exp(assumed.focal(aspect)[0])
    foot = np.column_stack([(data.boxes[:, 0] + data.boxes[:, 2]) / 2, data.boxes[:, 3]])
    height = data.boxes[:, 3] - data.boxes[:, 1]
    line = np.linalg.lstsq(np.column_stack([foot, np.ones(len(foot))]), height, rcond=None)[0]
    if line[1] <= 0:
        raise CalibrationError(
            "expected people who stand lower in the image to be larger, got the contrary: no level floor"
        )
    roll = float(np.clip(-math.atan2(line[0], line[1]), -0.2, 0.2))
    horizon = -line[2] / line[1]
    pitch = float(np.clip(math.atan2(-horizon, focal), -0.2, 1.2))
    # Near the horizon a person covers person height / camera height of the distance from feet to horizon.
    ratio = float(np.clip(line[1] * math.cos(pitch) ** 2, 0.05, 1.2))
    return np.array([math.log(focal), pitch, roll, math.log(assumed.mean_height_m / ratio)])


def fit_parameters(
    data: WalkingData, assumed: Assumptions, aspect: float, start: Array, rounds: int = 8
) -> Array:
    """Parameters (4,) by reweighted least squares, in which outliers lose their weight (soft L1).

    Raises:
        CalibrationError: no camera above a level floor explains the data.
    """
    p = start
    for turn in range(rounds):
        weights = residual_weights(p, data, assumed)
        found = least_squares(
            lambda q, w=weights: residuals(q, data, assumed, aspect, *w), p, x_scale=(0.2, 0.05, 0.02, 0.1)
        )
        step, p = float(np.abs(found.x - p).max()), np.asarray(found.x, dtype=np.float64)
        if turn > 1 and step < 1e-5:
            break
    if not np.isfinite(p).all() or not _plausible(p, data):
        raise CalibrationError(
            "expected people whose heights agree with a level floor below a camera, got heights that do not"
        )
    return p


def _plausible(p: Array, data: WalkingData) -> bool:
    """Whether nine tenths of the people stand in front of the camera, and lens and height are possible."""
    foot = pinhole.ends(p, data.boxes)[0]
    below = np.isfinite(pinhole.ground(p, foot)).all() and (pinhole.ground(p, foot)[:, 1] > 0).mean() > 0.9
    return bool(
        below and 0.15 < math.exp(p[FOCAL]) < 40 and 0.5 < math.exp(p[HEIGHT]) < 150 and p[PITCH] < 1.5
    )


def residual_weights(p: Array, data: WalkingData, assumed: Assumptions) -> tuple[Array, Array]:
    """Weights (N,) of boxes and (M,) of strides for the next round; too slow strides have weight 0."""
    height = height_residuals(p, data, assumed)[0] / BOX_SIGMA
    speed = _stride_speeds(p, data)
    moving = speed > MIN_PACE_M_S
    pace = _pace_residuals(speed, data, moving.astype(np.float64)) / PACE_SIGMA
    return _soft_weight(height), np.where(moving, _soft_weight(pace), 0.0)


def _soft_weight(residual: Array) -> Array:
    return np.asarray((1 + residual**2) ** -0.25, dtype=np.float64)


def residuals(
    p: Array, data: WalkingData, assumed: Assumptions, aspect: float, boxes: Array, paces: Array
) -> Array:
    """All residuals in standard deviations, with weights (N,) of boxes and (M,) of strides."""
    height, person = height_residuals(p, data, assumed, boxes)
    focal, sigma = assumed.focal(aspect)
    pace = _pace_residuals(_stride_speeds(p, data), data, paces)
    relative = assumed.height_sd_m / assumed.mean_height_m
    return np.concatenate(
        [
            boxes * height / BOX_SIGMA,
            person / relative,
            paces * pace / PACE_SIGMA,
            [(p[FOCAL] - focal) / sigma, p[ROLL] / ROLL_SIGMA],
        ]
    )


def height_residuals(
    p: Array, data: WalkingData, assumed: Assumptions, weights: Array | None = None
) -> tuple[Array, Array]:
    """Residuals (N,) of ln height, and deviation (K,) of each person's ln height from the mean.

    A person's height is the weighted mean of the heights of their boxes, shrunk towards the mean of all.
    """
    log_height = np.log(np.clip(pinhole.statures(p, data.boxes) / assumed.mean_height_m, 0.05, 20))
    own = np.ones(len(log_height)) if weights is None else weights**2
    relative = assumed.height_sd_m / assumed.mean_height_m
    total = np.bincount(data.person, own) + (BOX_SIGMA / relative) ** 2
    person = np.bincount(data.person, own * log_height) / total
    return log_height - person[data.person], person[np.bincount(data.person) > 0]


def _stride_speeds(p: Array, data: WalkingData) -> Array:
    if not len(data.stride_s):
        return np.zeros(0)
    step = pinhole.ground(p, pinhole.ends(p, data.after)[0]) - pinhole.ground(
        p, pinhole.ends(p, data.before)[0]
    )
    return np.asarray(np.hypot(step[:, 0], step[:, 1]) / data.stride_s, dtype=np.float64)


def _pace_residuals(speed: Array, data: WalkingData, weights: Array) -> Array:
    """Deviation (M,) of ln speed from the weighted mean of the same person."""
    if not len(speed):
        return np.zeros(0)
    log_speed = np.log(np.clip(speed, 0.01, 50))
    own = weights**2
    total = np.bincount(data.stride_person, own)
    mean = np.divide(
        np.bincount(data.stride_person, own * log_speed), total, out=np.zeros_like(total), where=total > 0
    )
    return np.asarray(log_speed - mean[data.stride_person], dtype=np.float64)
