"""The three ways in which a facility file says what the ground plane is, and what a rectangle gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tsai import PETS_VIEW_001

from zones.calibration import calibrate
from zones.facility import CalibrationSpec, json_schema
from zones.validation import Loc

GROUND = [(0, 0), (3, 0), (3, 5), (0, 5)]
ORIGIN, SIDE = np.array([-10.0, -6.0]), np.array([[0.8, -0.6], [0.6, 0.8]])


def seen(*ground: tuple[float, float]) -> list[list[float]]:
    """Where a published camera, taken without its lens, sees places of a turned and shifted plane."""
    return [
        list(map(float, p)) for p in PETS_VIEW_001.floor(ORIGIN + np.array(ground) @ SIDE, distorted=False)
    ]


def rectangle(**more: Any) -> dict[str, Any]:
    return {"rectangle": {"corners": seen(*GROUND), "width": 3, "length": 5, **more}}


WALKING: dict[str, Any] = {
    "focal": 1.6,
    "pitch_deg": 20.0,
    "roll_deg": -1.0,
    "height_m": 4.0,
    "mean_height_m": 1.65,
    "height_sd_m": 0.08,
    "people": 12,
    "boxes": 200,
    "residual": 0.03,
    "check_error_m": 0.12,
    "covariance": [[0.01, -0.003, 0, 0], [-0.003, 0.001, 0, 0], [0, 0, 1e-5, 0], [0, 0, 0, 1e-3]],
}


def lengths(*errors: float) -> list[dict[str, Any]]:
    pairs = (((0, 0), (3, 5)), ((3, 0), (0, 5)))[: len(errors)]
    return [
        {"image": seen(*pair), "length": math.hypot(3, 5) + error}
        for pair, error in zip(pairs, errors, strict=True)
    ]


def covariance(value: float, place: tuple[int, int], diagonal: float = 1.0) -> dict[str, Any]:
    matrix = np.eye(4) * diagonal
    matrix[place] = value
    return {"walking": {**WALKING, "covariance": matrix.tolist()}}


def test_a_rectangle_gives_the_plane_and_distances_on_it() -> None:
    calibration = calibrate(CalibrationSpec.model_validate(rectangle()))
    ground = np.array([(0, 0), (1, 2), (3, 5), (4, 7), (-1, 2)], dtype=float)
    assert calibration.ground(seen(*ground)) == pytest.approx(ground, abs=1e-6)
    assert calibration.check_error == math.inf


def test_lengths_measured_beside_it_check_a_rectangle() -> None:
    spec = CalibrationSpec.model_validate(rectangle(check=lengths(0.06, -0.1)))
    calibration = calibrate(spec)
    assert calibration.check_error == pytest.approx(0.08, abs=1e-6)
    assert 0 <= calibration.unexplained < 0.08
    point = seen((1, 1))
    assert np.isfinite(calibration.locate(point, (0.001, 0.001))[1]).all()


def test_a_small_rectangle_knows_less_far_from_it() -> None:
    spec = CalibrationSpec.model_validate(rectangle(check=lengths(0.0, 0.0)))
    calibration = calibrate(spec)
    one, other = np.array(seen((1, 2), (6, 10))), np.array(seen((2, 3), (7, 11)))
    _, se = calibration.distances(one, other, (0, 0), (0, 0))
    assert se[1] > 3 * se[0]


def test_a_walking_camera_has_the_horizon_and_scale_of_its_parameters() -> None:
    calibration = calibrate(CalibrationSpec.model_validate({"walking": {**WALKING, "roll_deg": 0.0}}))
    # On the axis of the picture, the ray to the centre meets the floor at height / tan(pitch).
    centre = calibration.ground([(0.5, 0.5)])[0]
    assert centre == pytest.approx([0, 4 / math.tan(math.radians(20))])
    horizon = 0.5 - 1.6 * math.tan(math.radians(20))
    assert np.isnan(calibration.ground([(0.5, horizon - 0.001)])).all()
    assert np.isfinite(calibration.ground([(0.5, horizon + 0.01)])).all()
    grid = np.array([(0.1, 0.9), (0.5, 0.5), (0.9, 0.3)])
    assert calibration.image(calibration.ground(grid)) == pytest.approx(grid)
    assert calibration.check_error == 0.12


def test_an_error_of_scale_is_not_made_less_by_being_near() -> None:
    """Only ln height is unsure: the error of every distance is that share of it, wherever it is."""
    scale = [[0.0] * 4 for _ in range(4)]
    scale[3][3] = 0.05**2
    spec = CalibrationSpec.model_validate({"walking": {**WALKING, "covariance": scale}})
    calibration = calibrate(spec)
    ground = np.array([(0, 8), (0.5, 8), (3, 8), (3, 20), (0, 20), (0, 20.3)], dtype=float)
    one, other = calibration.image(ground[:-1]), calibration.image(ground[1:])
    distance, se = calibration.distances(one, other, (0, 0), (0, 0))
    assert se == pytest.approx(0.05 * distance, rel=1e-3)


def test_the_parameters_errors_are_those_of_simulated_cameras() -> None:
    spec = CalibrationSpec.model_validate({"walking": WALKING})
    calibration = calibrate(spec)
    image = np.array([(0.3, 0.6), (0.4, 0.6), (0.5, 0.8)])
    one, other = image[[0, 0, 1]], image[[1, 2, 2]]
    _, se = calibration.distances(one, other, (0, 0), (0, 0))
    small = np.array(WALKING["covariance"]) / 25
    generator = np.random.default_rng(3)
    found = []
    for shift in generator.multivariate_normal(np.zeros(4), small, 600):
        moved = {
            **WALKING,
            "focal": WALKING["focal"] * math.exp(shift[0]),
            "pitch_deg": WALKING["pitch_deg"] + math.degrees(shift[1]),
            "roll_deg": WALKING["roll_deg"] + math.degrees(shift[2]),
            "height_m": WALKING["height_m"] * math.exp(shift[3]),
        }
        plane = calibrate(CalibrationSpec.model_validate({"walking": moved}))
        found.append(plane.distances(one, other, (0, 0), (0, 0))[0])
    assert np.std(found, axis=0) == pytest.approx(se / 5, rel=0.12)


COVARIANCE_NEGATIVE = [[1, 2, 0, 0], [2, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
COVARIANCE_ASYMMETRIC = [[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("data", "loc", "code", "words"),
    [
        ({}, (), "conflict", "none"),
        ({**rectangle(), "walking": WALKING}, (), "conflict", "rectangle and walking"),
        ({**rectangle(), "check": [{"image": [0.1, 0.1], "ground": [0, 0]}]},
         ("check",), "conflict", "rectangle"),
        (rectangle(corners=[[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]),
         ("rectangle", "corners"), "geometry", "convex"),
        (rectangle(corners=[[0.1, 0.1], [0.9, 0.1], [0.5, 0.2], [0.1, 0.9]]),
         ("rectangle", "corners"), "geometry", "convex"),
        (rectangle(corners=[[0.1, 0.1], [0.12, 0.1], [0.12, 0.12], [0.1, 0.12]]),
         ("rectangle", "corners"), "geometry", "0.0004"),
        (rectangle(width=0), ("rectangle", "width"), "greater_than", "0"),
        (rectangle(check=[{"image": [[0.1, 0.1], [0.1, 0.1]], "length": 1}]),
         ("rectangle", "check", 0, "image"), "geometry", "twice"),
        ({"walking": {**WALKING, "covariance": COVARIANCE_NEGATIVE}},
         ("walking", "covariance"), "geometry", "negative"),
        ({"walking": {**WALKING, "covariance": COVARIANCE_ASYMMETRIC}},
         ("walking", "covariance"), "geometry", "symm"),
        ({"walking": {**WALKING, "focal": 0.0}}, ("walking", "focal"), "greater_than", "0.1"),
    ],
)  # fmt: skip
def test_a_specification_that_determines_no_plane_is_refused(
    data: dict[str, Any], loc: Loc, code: str, words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        CalibrationSpec.model_validate(data)
    (error,) = caught.value.errors()
    assert (*error["loc"], *error["ctx"].get("at", ())) == loc
    assert error["type"] == code and words in error["msg"]


def test_the_json_schema_knows_all_three() -> None:
    fields = json_schema()["$defs"]["CalibrationSpec"]["properties"]
    assert set(fields) == {"points", "check", "rectangle", "walking"}
    assert "covariance" in json_schema()["$defs"]["WalkingSpec"]["properties"]
