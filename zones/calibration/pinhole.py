"""A tilted pinhole camera over a level floor: its ground plane, and the people who stand on it.

Coordinates: (u, v) from the centre of the frame, in frame heights, u right, v down. Parameters p (4,):
ln focal length (frame heights), pitch and roll (radians), ln camera height (m).
"""

from __future__ import annotations

import math

import numpy as np

from zones.calibration.homography import Array, apply
from zones.calibration.plane import Calibration
from zones.calibration.spec import WalkingSpec

FOCAL, PITCH, ROLL, HEIGHT = range(4)
# The centre of a frame of aspect 0, in which centred coordinates are those of the homography.
_CENTRE = np.array([0.0, 0.5])


def parameters(spec: WalkingSpec) -> Array:
    """The parameters (4,) of a fitted camera."""
    pitch, roll = math.radians(spec.pitch_deg), math.radians(spec.roll_deg)
    return np.array([math.log(spec.focal), pitch, roll, math.log(spec.height_m)])


def plane(spec: WalkingSpec, aspect: float) -> Calibration:
    """The ground plane of a fitted camera, for a frame of the given width over height."""
    p = parameters(spec)
    matrix = homography(p, aspect)
    inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    ahead = np.array([(0.0, 1e6)])  # far enough to be in front of the camera at any pitch
    inverse = np.asarray(inverse * np.sign(apply(inverse, ahead)[1][0]), dtype=np.float64)
    value, vector = np.linalg.eigh(np.asarray(spec.covariance, dtype=np.float64))
    factor = derivative(p, aspect) @ (vector * np.sqrt(np.clip(value, 0, None)))
    return Calibration(matrix, inverse, aspect, spec.check_error_m, factor)


def homography(p: Array, aspect: float) -> Array:
    """(3, 3) from (x * aspect, y, 1) to the ground: x right, y away, m, from the point below the camera."""
    focal, height = math.exp(p[FOCAL]), math.exp(p[HEIGHT])
    sin, cos = math.sin(p[PITCH]), math.cos(p[PITCH])
    turn = np.array([[math.cos(p[ROLL]), math.sin(p[ROLL])], [-math.sin(p[ROLL]), math.cos(p[ROLL])]]) / focal
    centred = np.column_stack([turn, -turn @ (aspect / 2, 0.5)])
    right, down, ahead = centred[0], centred[1], np.array([0.0, 0.0, 1.0])
    return np.stack([height * right, height * (cos * ahead - sin * down), cos * down + sin * ahead])


def derivative(p: Array, aspect: float, step: float = 1e-6) -> Array:
    """(9, 4): how the elements of `homography` change with the parameters."""
    columns = []
    for axis in np.eye(4) * step:
        columns.append((homography(p + axis, aspect) - homography(p - axis, aspect)).ravel() / (2 * step))
    return np.column_stack(columns)


def ends(p: Array, boxes: Array) -> tuple[Array, Array]:
    """Foot and head (N, 2) of upright people in boxes (N, 4: left, top, right, bottom; centred coordinates).

    The axis of a person passes the centre of the box and points to the vanishing point of verticals; it
    meets the bottom of the box at the foot and the top at the head.
    """
    focal, sin, cos = math.exp(p[FOCAL]), math.sin(p[PITCH]), math.cos(p[PITCH])
    centre = np.column_stack([boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]]) / 2
    down = np.array([-math.sin(p[ROLL]), math.cos(p[ROLL])]) * focal * cos - centre * sin
    half = (boxes[:, 3] - boxes[:, 1]) / 2
    half_axis = down * (half / down[:, 1])[:, None]
    return centre + half_axis, centre - half_axis


def ground(p: Array, points: Array) -> Array:
    """Ground position (N, 2), m, of centred image points (N, 2); meaningless above the horizon."""
    numerator, scale = apply(homography(p, 0.0), points + _CENTRE)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(numerator / scale[:, None], dtype=np.float64)


def statures(p: Array, boxes: Array) -> Array:
    """Height (N,), m, of upright people in boxes (N, 4, centred), standing where their feet are seen."""
    foot, head = ends(p, boxes)
    numerator, scale = apply(homography(p, 0.0), head + _CENTRE)
    with np.errstate(divide="ignore", invalid="ignore"):
        # The ray through the head is above the foot at this share of its way to the floor.
        along = ground(p, foot)[:, 1] / numerator[:, 1]
        return np.asarray(math.exp(p[HEIGHT]) * (1 - along * scale), dtype=np.float64)
