"""The camera found from people who walk in its view and whose mean height is known.

A person of known height shows the scale wherever they stand. How the scale changes over the image gives the
horizon, and with it pitch, roll and height of the camera. Two weak effects show the focal length: heights
deviate from a straight line towards the horizon, and a person who turns keeps their pace, while a wrong focal
length stretches the floor away from the camera but not across. Prior knowledge about lenses adds the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zones.calibration.homography import Array, CalibrationError
from zones.calibration.people import (
    PersonBoxes,
    evenly_spread,
    in_long_tracks,
    smoothed,
    strides,
    whole,
)
from zones.calibration.pinhole import FOCAL, HEIGHT, PITCH, ROLL
from zones.calibration.plane import REFERENCE_DISTANCE_M
from zones.calibration.spec import WalkingSpec
from zones.calibration.walking_errors import distance_error, parameter_errors
from zones.calibration.walking_model import (
    Assumptions,
    WalkingData,
    fit_parameters,
    height_residuals,
    initial_parameters,
)

__all__ = ["Assumptions", "WalkingFit", "fit_walking"]

MIN_PEOPLE = 5
"""Fewest people: the mean height of five is off by about 4 cm.

Project default (docs/defaults.md).
"""
MIN_HEIGHT_RATIO = 1.15
"""Least ratio of the 95th to the 5th percentile of box heights. With less, different heights of people
cannot be separated from different distances.

Project default (docs/defaults.md).
"""
SMOOTHING_S = 1.0
"""Time over which boxes are averaged: about two steps.

Project default (docs/defaults.md).
"""
STRIDE_S = 2.0
"""Time over which the pace is measured: long against a step, short against a turn.

Project default (docs/defaults.md).
"""


@dataclass(frozen=True)
class WalkingFit:
    """A camera found from people.

    Attributes:
        spec: the calibration for the facility file.
        seen: number of boxes given.
        usable: number of boxes of whole, upright people in long tracks.
        strides: number of strides used.
        shape_residual: root mean square relative height residual by location, of people left out of the fit.
        focal_se: standard error of the focal length, relative.
        focal_unusual: deviation of the focal length from the assumed one, in standard deviations.
    """

    spec: WalkingSpec
    seen: int
    usable: int
    strides: int
    shape_residual: float
    focal_se: float
    focal_unusual: float


def fit_walking(people: PersonBoxes, assumed: Assumptions) -> WalkingFit:
    """Find the camera from boxes of people.

    Raises:
        CalibrationError: the people are too few, all at one distance, or not on a level floor.
    """
    if not (0.5 <= assumed.mean_height_m <= 2.5 and 0 < assumed.height_sd_m <= 0.5):
        raise CalibrationError(
            "expected a mean height of 0.5 to 2.5 m and a spread above 0 and at most 0.5 m, "
            f"got {assumed.mean_height_m:g} and {assumed.height_sd_m:g}"
        )
    if assumed.view_deg is not None and not 5 <= assumed.view_deg <= 150:
        raise CalibrationError(f"expected a field of view of 5 to 150 degrees, got {assumed.view_deg:g}")
    usable = people.take(whole(people))
    usable = smoothed(usable.take(in_long_tracks(usable)), SMOOTHING_S)
    data = _prepare(usable)
    p = fit_parameters(data, assumed, people.aspect, initial_parameters(data, assumed, people.aspect))
    covariance, shape = parameter_errors(data, assumed, people.aspect, p)
    residual = height_residuals(p, data, assumed)[0]
    person_count = len(np.unique(data.person))
    spec = _spec(
        p, covariance, assumed, person_count, len(data.boxes), float(np.sqrt((residual**2).mean())), 1.0
    )
    expected = distance_error(spec, data, people.aspect)
    expected_focal, focal_sigma = assumed.focal(people.aspect)
    # The heights of people left out of the fit show errors beyond the covariance.
    check = math.hypot(expected, REFERENCE_DISTANCE_M * shape)
    return WalkingFit(
        spec=spec.model_copy(update={"check_error_m": float(f"{check:.4g}")}),
        seen=len(people.boxes),
        usable=len(usable.boxes),
        strides=len(data.stride_s),
        shape_residual=shape,
        focal_se=math.sqrt(covariance[FOCAL, FOCAL]),
        focal_unusual=abs(p[FOCAL] - expected_focal) / focal_sigma,
    )


def _prepare(usable: PersonBoxes) -> WalkingData:
    rows = evenly_spread(usable)
    tracks, person = np.unique(usable.track[rows], return_inverse=True)
    if len(tracks) < MIN_PEOPLE:
        raise CalibrationError(
            f"expected at least {MIN_PEOPLE} people who are seen from head to foot, got {len(tracks)}"
        )
    boxes = usable.centred()
    height = boxes[rows, 3] - boxes[rows, 1]
    low, high = np.quantile(height, (0.05, 0.95))
    if high < MIN_HEIGHT_RATIO * low:
        raise CalibrationError(
            f"expected people at different distances (the nearest at least {MIN_HEIGHT_RATIO:g} times as "
            f"high as the farthest), got {high / low:.2f} times: no perspective"
        )
    first, last = strides(usable, STRIDE_S)
    kept = np.isin(usable.track[first], tracks)
    first, last = first[kept], last[kept]
    return WalkingData(
        boxes=boxes[rows],
        person=person.astype(np.int64),
        before=boxes[first],
        after=boxes[last],
        stride_s=(usable.t[last] - usable.t[first]) / 1e6,
        stride_person=np.searchsorted(tracks, usable.track[first]).astype(np.int64),
    )


def _spec(
    p: Array, covariance: Array, assumed: Assumptions, people: int, boxes: int, residual: float, check: float
) -> WalkingSpec:
    rows = [[float(f"{value:.4g}") for value in row] for row in (covariance + covariance.T) / 2]
    try:
        return WalkingSpec(
            focal=round(math.exp(p[FOCAL]), 4),
            pitch_deg=round(math.degrees(p[PITCH]), 3),
            roll_deg=round(math.degrees(p[ROLL]), 3),
            height_m=round(math.exp(p[HEIGHT]), 3),
            mean_height_m=assumed.mean_height_m,
            height_sd_m=assumed.height_sd_m,
            people=people,
            boxes=boxes,
            residual=float(f"{residual:.3g}"),
            check_error_m=check,
            covariance=tuple((a, b, c, d) for a, b, c, d in rows),
        )
    except ValueError as error:
        raise CalibrationError(
            "expected people from whom a camera can be found, got an impossible one "
            f"(focal length {math.exp(p[FOCAL]):.2f} frame heights, "
            f"pitch {math.degrees(p[PITCH]):.0f} degrees)"
        ) from error
