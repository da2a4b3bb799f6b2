"""The error of a camera that was found from walking people: its covariance, and what it does to distances."""

from __future__ import annotations

import math

import numpy as np

from zones.calibration import pinhole
from zones.calibration.homography import Array
from zones.calibration.people import Ints
from zones.calibration.pinhole import HEIGHT
from zones.calibration.plane import REFERENCE_DISTANCE_M
from zones.calibration.spec import WalkingSpec
from zones.calibration.walking_model import (
    Assumptions,
    WalkingData,
    fit_parameters,
    residual_weights,
    residuals,
)

BOX_BIAS = 0.02
"""Systematic error of all boxes, relative to the median box height. More people do not reduce it.

Project default (docs/defaults.md).
"""
HEIGHT_BIAS_M = 0.03
"""Difference between the mean height of the people seen and the stated one, beyond chance.

Project default (docs/defaults.md).
"""
JACKKNIFE_GROUPS = 20
"""Groups of people that are left out, one at a time."""
PLACE_CELLS_PER_HEIGHT = 6
"""Cells per frame height in which the residuals of people left out are compared."""


def parameter_errors(data: WalkingData, assumed: Assumptions, aspect: float, p: Array) -> tuple[Array, float]:
    """Covariance (4, 4) of the parameters, and the height residual by location of people left out of the fit.

    The covariance is the larger, in every direction, of two: that of the model, which includes what is
    assumed about lenses and mounting; and that of a delete-a-group jackknife over people, which includes that
    the boxes of one person have correlated errors. Two errors that neither shows are added: a systematic
    error of the detector, and a difference of the mean height of these people from the stated one.
    """
    weights = residual_weights(p, data, assumed)
    slope = np.column_stack(
        [
            (
                residuals(p + h, data, assumed, aspect, *weights)
                - residuals(p - h, data, assumed, aspect, *weights)
            )
            / 2e-5
            for h in np.eye(4) * 1e-5
        ]
    )
    model = np.linalg.inv(slope.T @ slope)
    persons = np.unique(data.person)
    groups = [
        persons[start :: min(JACKKNIFE_GROUPS, len(persons))]
        for start in range(min(JACKKNIFE_GROUPS, len(persons)))
    ]
    left_out, log_heights, cells = [], [], []
    for group in groups:
        q = fit_parameters(data.without(group), assumed, aspect, p)
        left_out.append(q)
        out = np.isin(data.person, group)
        heights = pinhole.statures(q, data.boxes[out]) / assumed.mean_height_m
        log_heights.append(np.log(np.clip(heights, 0.05, 20)))
        cells.append(_cells(data.boxes[out]))
    shift = np.array(left_out) - np.mean(left_out, axis=0)
    jackknife = shift.T @ shift * (len(groups) - 1) / len(groups)
    covariance = _larger(np.asarray(model, dtype=np.float64), jackknife)
    height = np.median(data.boxes[:, 3] - data.boxes[:, 1])
    longer = data.boxes + np.array([0, -0.5, 0, 0.5]) * BOX_BIAS * height
    biased = WalkingData(longer, data.person, data.before, data.after, data.stride_s, data.stride_person)
    bias_shift = fit_parameters(biased, assumed, aspect, p) - p
    covariance = covariance + np.outer(bias_shift, bias_shift)
    covariance[HEIGHT, HEIGHT] += (HEIGHT_BIAS_M / assumed.mean_height_m) ** 2
    return covariance, _rms_by_cell(np.concatenate(log_heights), np.concatenate(cells))


def _larger(one: Array, other: Array) -> Array:
    """The least covariance that is, in the axes in which both are diagonal, no smaller than either."""
    root = np.linalg.cholesky(one)
    inverse = np.linalg.inv(root)
    value, vector = np.linalg.eigh(inverse @ other @ inverse.T)
    wide = root @ vector
    return np.asarray(wide * np.maximum(value, 1.0) @ wide.T, dtype=np.float64)


def _cells(boxes: Array) -> Ints:
    """Code (N,) of the cell in which each foot is."""
    column = np.floor((boxes[:, 0] + boxes[:, 2]) / 2 * PLACE_CELLS_PER_HEIGHT).astype(np.int64)
    return column * 1000 + np.floor(boxes[:, 3] * PLACE_CELLS_PER_HEIGHT).astype(np.int64)


def _rms_by_cell(log_heights: Array, cells: Ints) -> float:
    """Root mean square, over cells with at least three boxes, of the median of ln height in the cell."""
    medians = [
        float(np.median(log_heights[cells == cell]))
        for cell in np.unique(cells)
        if (cells == cell).sum() >= 3
    ]
    return float(np.sqrt(np.mean(np.square(medians)))) if medians else float(np.sqrt(np.mean(log_heights**2)))


def distance_error(spec: WalkingSpec, data: WalkingData, aspect: float) -> float:
    """Root mean square error, m, of REFERENCE_DISTANCE_M at the people's feet, in four directions."""
    plane = pinhole.plane(spec, aspect)
    foot = pinhole.ends(pinhole.parameters(spec), data.boxes)[0] / (aspect, 1) + 0.5
    centre = plane.ground(foot)
    centre = centre[np.isfinite(centre).all(axis=1)]
    square = []
    for angle in np.arange(4) * math.pi / 4:
        half = np.array([math.cos(angle), math.sin(angle)]) * REFERENCE_DISTANCE_M / 2
        _, se = plane.distances(plane.image(centre - half), plane.image(centre + half), (0, 0), (0, 0))
        square.append(se[np.isfinite(se)] ** 2)
    return float(np.sqrt(np.median(np.concatenate(square))))
