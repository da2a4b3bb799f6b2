"""Heights above the floor: recovered from the plane alone, or refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zones.calibration import Calibration, calibrate, pinhole
from zones.calibration.homography import apply, project
from zones.calibration.spec import CalibrationPoint, CalibrationSpec, WalkingSpec
from zones.calibration.vertical import vertical

ASPECT = 16 / 9


def parameters(focal: float, pitch_deg: float, roll_deg: float, height_m: float) -> np.ndarray:
    return np.array([math.log(focal), math.radians(pitch_deg), math.radians(roll_deg), math.log(height_m)])


def seen(p: np.ndarray, places: np.ndarray, height_m: float | np.ndarray) -> np.ndarray:
    """Normalised image points (N, 2) of points so high above ground places (N, 2), by similar triangles.

    A point Z above the floor of a camera at height C is seen where a floor point C / (C - Z) times as far is.
    """
    height = math.exp(p[3])
    inverse = np.linalg.inv(pinhole.homography(p, ASPECT))
    inverse *= np.sign(apply(inverse, np.array([(0.0, 20.0)]))[1][0])
    stretch = height / (height - np.asarray(height_m))
    return project(inverse, places * np.broadcast_to(stretch, len(places))[:, None]) / (ASPECT, 1)


def marked(p: np.ndarray, turn: np.ndarray, across: float = 0.3, down: float = 0.17) -> Calibration:
    """Calibrated by nine marks, so far apart in the picture, in ground axes of any orientation and hand."""
    image = np.array([(0.5 + i * across, 0.73 + j * down) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    ground = project(pinhole.homography(p, ASPECT), image * (ASPECT, 1)) @ turn.T + (7, -3)
    points = tuple(
        CalibrationPoint(image=(i[0], i[1]), ground=(g[0], g[1]))
        for i, g in zip(image.tolist(), ground.tolist(), strict=True)
    )
    return calibrate(CalibrationSpec(points=points), ASPECT)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.8, 3), st.floats(15, 60), st.floats(-8, 8), st.floats(2.5, 8), st.floats(0, 6.28),
    st.sampled_from([1.0, -1.0]),
)  # fmt: skip
def test_heads_lead_to_the_feet_below_them_whatever_the_axes(focal, pitch, roll, height, angle, hand):
    p = parameters(focal, pitch, roll, height)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * (1, hand)
    upright = vertical(marked(p, turn))
    assert upright is not None
    assert upright.camera.focal == pytest.approx(focal, rel=1e-4)
    places = np.array([(0.0, 7.0), (2.0, 9.0), (-3.0, 14.0)])
    heads, sigma = seen(p, places, 1.65), np.zeros((3, 2))
    found, error = upright.below(heads, sigma, 1.65, 0.1)
    assert found == pytest.approx(places @ turn.T + (7, -3), abs=1e-3)
    # Of a person 0.1 m taller, the head is seen there when they are that share of the way nearer.
    shift = np.hypot(*places.T) * 0.1 / (height - 1.65)
    assert (error >= shift * 0.999).all()
    assert upright.statures(places @ turn.T + (7, -3), heads[:, 1]) == pytest.approx(1.65, abs=1e-3)


def test_the_stated_error_is_that_of_people_of_different_heights():
    p, rng = parameters(1.5, 20, 0, 3.5), np.random.default_rng(7)
    upright = vertical(marked(p, np.eye(2)))
    assert upright is not None
    places = np.column_stack([rng.uniform(-3, 3, 4000), rng.uniform(5, 18, 4000)])
    sigma = np.full((4000, 2), 0.003)
    heads = seen(p, places, rng.normal(1.65, 0.1, 4000)) + rng.normal(size=(4000, 2)) * sigma
    found, error = upright.below(heads, sigma, 1.65, 0.1)
    off = np.hypot(*(found - places - (7, -3)).T)
    assert np.sqrt(np.mean((off / error) ** 2)) == pytest.approx(1, abs=0.1)


def test_a_camera_found_from_walking_people_has_heights_too():
    p = parameters(1.2, 25, 2, 3.0)
    spec = WalkingSpec(
        focal=1.2, pitch_deg=25, roll_deg=2, height_m=3, mean_height_m=1.65, height_sd_m=0.08, people=9,
        boxes=90, residual=0.05, check_error_m=0.1,
        covariance=tuple(tuple(1e-4 if i == j else 0.0 for j in range(4)) for i in range(4)),
    )  # fmt: skip
    upright = vertical(calibrate(CalibrationSpec(walking=spec), ASPECT))
    assert upright is not None
    places = np.array([(1.0, 6.0)])
    sharp = upright.below(seen(p, places, 1.65), np.zeros((1, 2)), 1.65, 0.0)
    assert sharp[0] == pytest.approx(places, abs=1e-6)
    assert sharp[1][0] > 0.05, "what the calibration leaves open is part of the error"


def test_refuses_to_tell_heights_from_straight_above_and_from_marks_too_rough():
    plan = tuple(
        CalibrationPoint(image=(x, y), ground=(10 * x, 10 / ASPECT * y))
        for x, y in ((0, 0), (1, 0), (1, 1), (0, 1), (0.5, 0.3))
    )
    assert vertical(calibrate(CalibrationSpec(points=plan), ASPECT)) is None
    p = parameters(1.5, 30, 0, 3)
    assert vertical(marked(p, np.eye(2))) is not None
    assert vertical(marked(p, np.eye(2), 0.03, 0.03)) is None, "marks of a pixel's error, 50 px apart"
