"""The homography and its error, against known cameras, simulated noise and a published lens camera."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tsai import PETS_VIEW_001

from zones.calibration import Calibration, CalibrationError, calibrate
from zones.calibration.marks import MARK_SIGMA
from zones.errors import LazarettoError
from zones.facility import CalibrationPoint, CalibrationSpec

Array = npt.NDArray[np.float64]

# A camera on a wall that looks down a corridor 3 m wide and 20 m long.
CORRIDOR = np.array([[2.2, 0.15, -1.35], [0.05, -4.0, 4.6], [0.01, 0.95, -0.18]])
ASPECT = 16 / 9
MARKS = np.array([(0.15, 0.9), (0.85, 0.92), (0.7, 0.45), (0.35, 0.42), (0.5, 0.65), (0.2, 0.6)])


def apply(homography: Array, points: Array) -> Array:
    """Ground of normalised image points, by a homography of (x * aspect, y, 1)."""
    mapped = np.column_stack([points * (ASPECT, 1), np.ones(len(points))]) @ homography.T
    return mapped[:, :2] / mapped[:, 2:]


def spec(image: Array, ground: Array, check: int = 0) -> CalibrationSpec:
    marks = tuple(
        CalibrationPoint(image=(float(i[0]), float(i[1])), ground=(float(g[0]), float(g[1])))
        for i, g in zip(image, ground, strict=True)
    )
    return CalibrationSpec(points=marks[: len(marks) - check], check=marks[len(marks) - check :])


def corridor(count: int = len(MARKS), check: int = 0) -> Calibration:
    return calibrate(spec(MARKS[:count], apply(CORRIDOR, MARKS[:count]), check), ASPECT)


@pytest.mark.parametrize("count", [4, 5, 6])
def test_recovers_a_known_homography(count: int) -> None:
    calibration = corridor(count)
    found = calibration.homography / calibration.homography[2, 2] * CORRIDOR[2, 2]
    assert found == pytest.approx(CORRIDOR, abs=1e-6)
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 9), np.linspace(0.3, 1, 9)), axis=-1).reshape(-1, 2)
    ground = apply(CORRIDOR, grid)
    assert calibration.ground(grid) == pytest.approx(ground, abs=1e-6)
    assert calibration.image(ground) == pytest.approx(grid, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    st.floats(2, 12),
    st.floats(0.2, 1.2),
    st.floats(-0.3, 0.3),
    st.floats(0.5, 2),
    st.floats(-200, 200),
    st.booleans(),
)
def test_recovers_any_pinhole_camera_wherever_its_origin(
    height: float, tilt: float, roll: float, focal: float, origin: float, mirrored: bool
) -> None:
    sin, cos = math.sin(tilt), math.cos(tilt)
    # Rows: right, down and forward of a camera that looks along +y, tilted down, over the floor z = 0.
    axes = np.array([[1, 0, 0], [0, -sin, -cos], [0, cos, -sin]])
    turn = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
    axes = turn @ axes
    inner = np.array([[focal, 0, ASPECT / 2], [0, focal, 0.5], [0, 0, 1]])
    to_image = inner @ np.column_stack([axes[:, 0], axes[:, 1], -height * axes[:, 2]])
    to_ground = np.linalg.inv(to_image)
    image = np.array([(0.1, 0.75), (0.9, 0.75), (0.9, 0.98), (0.1, 0.98), (0.5, 0.85)])
    depth = 1 / (np.column_stack([image * (ASPECT, 1), np.ones(5)]) @ to_ground.T)[:, 2]
    assume((depth > 0).all() and (depth < 100).all())  # marks below the horizon
    ground = apply(to_ground, image) * (-1 if mirrored else 1, 1) + origin
    calibration = calibrate(spec(image, ground), ASPECT)
    assert calibration.ground(image) == pytest.approx(ground, abs=1e-6)
    assert calibration.image(ground) == pytest.approx(image, abs=1e-6)


def test_points_at_or_above_the_horizon_have_no_ground() -> None:
    calibration = corridor()
    # The scale 0.01 x' + 0.95 y - 0.18 is zero on the horizon.
    on = (0.18 - 0.01 * 0.5 * ASPECT) / 0.95
    points = np.array([(0.5, on), (0.5, on - 0.01), (0.5, 0), (0.5, on + 0.01), (np.nan, 0.5)])
    ground = calibration.ground(points)
    assert np.isnan(ground).all(axis=1).tolist() == [True, True, True, False, True]
    position, error = calibration.locate(points, np.full((5, 2), 0.002))
    assert np.isnan(position).all(axis=1).tolist() == [True, True, True, False, True]
    assert np.isnan(error).tolist() == [True, True, True, False, True]


def test_ground_behind_the_camera_has_no_image() -> None:
    calibration = corridor()
    camera = calibration.ground([(0.5, 1.0)])[0]
    away = calibration.ground([(0.5, 0.5)])[0] - camera
    assert np.isnan(calibration.image([camera - 50 * away])).all()
    assert not np.isnan(calibration.image([camera + 50 * away])).any()


def test_the_standard_errors_are_those_of_simulated_noise() -> None:
    """Marks and foot points are both displaced at random: the marks once per fit, and all feet share it."""
    true = corridor()
    points = np.array([(0.2, 0.9), (0.3, 0.88), (0.5, 0.7), (0.8, 0.5), (0.5, 0.4)])
    sigma = np.array([(0.004, 0.002), (0.001, 0.003), (0.001, 0.003), (0.003, 0.003), (0.002, 0.002)])
    ground = apply(CORRIDOR, MARKS)
    generator = np.random.default_rng(7)
    found = []
    for _ in range(1500):
        image = MARKS + generator.normal(size=MARKS.shape) * MARK_SIGMA / (ASPECT, 1)
        plane = calibrate(spec(image, ground), ASPECT)
        found.append(plane.ground(points + generator.normal(size=points.shape) * sigma))
    offset = np.array(found) - true.ground(points)
    position, error = true.locate(points, sigma)
    assert error == pytest.approx(np.sqrt((offset**2).sum(axis=2).mean(axis=0)), rel=0.1)
    one, other = np.array([0, 2, 3, 0]), np.array([1, 0, 4, 4])
    distance, se = true.distances(points[one], points[other], sigma[one], sigma[other])
    assert distance == pytest.approx(np.hypot(*(position[one] - position[other]).T))
    apart = np.hypot(*np.moveaxis(np.array(found)[:, one] - np.array(found)[:, other], 2, 0))
    assert se == pytest.approx(apart.std(axis=0), rel=0.1)


def test_an_error_that_all_share_hardly_tells_on_a_short_distance() -> None:
    calibration = corridor()
    points = np.array([(0.4, 0.6), (0.42, 0.6), (0.7, 0.9)])
    _, error = calibration.locate(points, (0, 0))
    _, se = calibration.distances(points[[0, 0]], points[[1, 2]], (0, 0), (0, 0))
    assert se[0] < 0.3 * error[0]
    assert se[0] < se[1]


def test_two_at_one_place_have_the_mean_error_of_all_directions() -> None:
    point, sigma = np.array([(0.5, 0.6)]), (0.002, 0.002)
    distance, se = corridor().distances(point, point, sigma, sigma)
    _, error = corridor().locate(point, sigma)
    assert distance.tolist() == [0]
    assert 0 < se[0] < error[0] * 1.01


def test_what_check_points_show_beyond_the_known_error_is_added() -> None:
    ground = apply(CORRIDOR, MARKS)
    ground[4:] += [(0.3, 0.4), (0.0, 0.1)]
    calibration = calibrate(spec(MARKS, ground, check=2), ASPECT)
    assert calibration.check_error == pytest.approx(0.3)
    # Where it was checked, with the error of a mark, an error is on the whole what the check says.
    sigma = (MARK_SIGMA / ASPECT, MARK_SIGMA)
    _, error = calibration.locate(MARKS[4:], sigma)
    assert np.sqrt((error**2).mean()) == pytest.approx(0.3)
    _, se = calibration.distances(MARKS[:1], MARKS[1:2], sigma, sigma)
    assert se[0] >= calibration.unexplained > 0.25


def test_marks_that_do_not_fit_say_how_wrong_they_are() -> None:
    generator = np.random.default_rng(1)
    ground = apply(CORRIDOR, MARKS)
    exact = calibrate(spec(MARKS, ground), ASPECT)
    rough = calibrate(spec(MARKS + generator.normal(0, 0.01, MARKS.shape), ground), ASPECT)
    point = np.array([(0.5, 0.6)])
    assert rough.locate(point, (0, 0))[1][0] > 2 * exact.locate(point, (0, 0))[1][0]


def test_without_check_points_each_mark_is_predicted_by_the_others() -> None:
    ground = apply(CORRIDOR, MARKS)
    ground[4] += (0.2, 0)
    calibration = calibrate(spec(MARKS, ground), ASPECT)
    alone = []
    for i in range(len(MARKS)):
        rest = np.delete(np.arange(len(MARKS)), i)
        others = calibrate(spec(MARKS[rest], ground[rest]), ASPECT)
        alone.append(np.hypot(*(others.ground(MARKS[[i]]) - ground[[i]])[0]))
    assert calibration.check_error == pytest.approx(np.mean(alone))
    assert calibration.check_error > 0.1


def test_four_marks_alone_cannot_be_checked() -> None:
    calibration = corridor(4)
    assert calibration.check_error == math.inf
    position, error = calibration.locate(MARKS[:1], np.full((1, 2), 0.002))
    assert np.isfinite(position).all()
    assert error.tolist() == [math.inf]


def test_marks_that_the_others_cannot_predict_are_left_out_of_the_check() -> None:
    # Four corners and the crossing of the diagonals: without a corner, three marks lie on one line.
    image = np.array([(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8), (0.5, 0.5)])
    ground = image * 10
    ground[4] += (0.06, 0.08)
    assert calibrate(spec(image, ground), 1.0).check_error == pytest.approx(0.1)


def test_a_check_point_beyond_the_horizon_leaves_the_error_unknown() -> None:
    image = np.vstack([MARKS, (0.5, 0.05)])
    ground = np.vstack([apply(CORRIDOR, MARKS), (0, 90)])
    assert calibrate(spec(image, ground, check=1), ASPECT).check_error == math.inf


def unchecked(image: Array, ground: Array) -> CalibrationSpec:
    """A specification that has not been through the checks of the facility file."""
    marks = tuple(
        CalibrationPoint.model_construct(image=tuple(i), ground=tuple(g))
        for i, g in zip(image.tolist(), ground.tolist(), strict=True)
    )
    return CalibrationSpec.model_construct(points=marks, check=())


def test_marks_that_fix_no_plane_are_refused() -> None:
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=float)
    line = np.array([(0, 0), (0.5, 0.5), (1, 1), (0, 1)])
    for image, ground in ((line, line), (line, square), (square, line), (square, square[[0, 1, 2, 2]])):
        with pytest.raises(CalibrationError, match=r"no 3 lie on one line|one side of the horizon"):
            calibrate(unchecked(image, ground))
    with pytest.raises(CalibrationError, match="at different positions, got all at one"):
        calibrate(unchecked(square, square[[0, 0, 0, 0]]))
    with pytest.raises(CalibrationError, match="at least 4 calibration points, got 3"):
        calibrate(unchecked(square[:3], square[:3]))


def test_swapped_marks_are_refused() -> None:
    square = np.array([(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)])
    with pytest.raises(
        CalibrationError, match=r"one side of the horizon, got points\[\d\] beyond it"
    ) as caught:
        calibrate(spec(square, square[[0, 1, 3, 2]]))
    assert isinstance(caught.value, LazarettoError)


@pytest.mark.parametrize("aspect", [0, -1, math.nan, math.inf])
def test_a_frame_has_an_aspect(aspect: float) -> None:
    with pytest.raises(CalibrationError, match="expected a frame aspect above 0"):
        calibrate(spec(MARKS, apply(CORRIDOR, MARKS)), aspect)


def test_no_points_are_no_points() -> None:
    calibration = corridor()
    position, error = calibration.locate([], np.empty((0, 2)))
    assert (position.shape, error.shape) == ((0, 2), (0,))
    assert calibration.ground(np.empty((0, 2))).shape == (0, 2)
    with pytest.raises(ValueError, match=r"expected points of shape \(N, 2\), got \(2,\)"):
        calibration.ground((0.5, 0.5))


# The yard of PETS 2009: ten marks of a half-metre grid and six to check, as an engineer would measure them.
YARD = [
    (-14.5, -3.5), (-17.5, -10), (-14.5, -11.5), (-8, -12), (-1.5, -11),
    (-11.5, -5.5), (-9, -8), (0.5, -6.5), (-5, 3.5), (-1, -0.5),
    (-16.5, -6.5), (-13, -12.5), (-9, -0.5), (-6.5, -3.5), (-1, -9.5), (0, -3),
]  # fmt: skip


def test_a_published_lens_camera_is_met_within_centimetres() -> None:
    # Two corners of a published zone of the data set, which fix the sense of the camera's rotations.
    corners = PETS_VIEW_001.floor([(-12, -12), (-4, -5)]) * (768, 576)
    assert corners == pytest.approx(np.array([(556.9, 369.4), (430.4, 221.1)]), abs=0.1)

    yard = np.array(YARD, dtype=float)
    calibration = calibrate(spec(PETS_VIEW_001.floor(yard).round(4), yard, check=6))
    assert calibration.check_error < 0.03

    area = np.stack(np.meshgrid(np.arange(-16, 1, 0.5), np.arange(-12, 3, 0.5)), axis=-1).reshape(-1, 2)
    seen = PETS_VIEW_001.floor(area)
    inside = ((seen >= 0) & (seen <= 1)).all(axis=1)
    area, found = area[inside], calibration.ground(seen[inside])
    assert np.hypot(*(found - area).T).mean() < 0.05
    true = np.hypot(*(area[:, None] - area[None]).transpose(2, 0, 1))
    distance = np.hypot(*(found[:, None] - found[None]).transpose(2, 0, 1))
    near = (true > 0) & (true < 4)
    assert np.abs(distance - true)[near].mean() < 0.03


def test_without_its_lens_the_published_camera_is_met_exactly() -> None:
    yard = np.array(YARD, dtype=float)
    calibration = calibrate(spec(PETS_VIEW_001.floor(yard, distorted=False), yard, check=6))
    assert calibration.check_error < 1e-6


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_where_a_point_lies_does_not_depend_on_how_many_points_come_with_it(count: int, seed: int) -> None:
    """To the last bit: whether two tracks are linked must not depend on how the footage is cut."""
    generator = np.random.default_rng(seed)
    points = np.float32(generator.uniform((0, 0.3), (1, 1), (count, 2))).astype(np.float64)
    whole = corridor().ground(points)
    for part in (1, count - 1):
        parts = [corridor().ground(points[k : k + part]) for k in range(0, count, part)]
        assert np.vstack(parts).tobytes() == whole.tobytes()
