from __future__ import annotations

import numpy as np
import supervision as sv
from crowd import CAMERA_M, HEIGHT, WIDTH, calibration, project
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.tracking import motion
from vision.tracking.boxes import cut_off_edges, overlaps, unoccluded
from vision.tracking.floor import Floor
from zones.people import NOMINAL_HEIGHT_M

boxes_in_frame = st.tuples(
    st.integers(0, 600), st.integers(0, 400), st.integers(1, 200), st.integers(1, 300)
).map(lambda box: [box[0], box[1], box[0] + box[2], box[1] + box[3]])


def state(box: tuple[float, float, float, float] = (300, 200, 340, 300)) -> tuple[np.ndarray, np.ndarray]:
    return motion.initial_state(np.array(box, float), 60 * np.eye(2))


@settings(max_examples=30)
@given(st.floats(0.01, 60))
def test_the_uncertainty_of_a_place_grows_no_faster_than_people_walk(seconds: float) -> None:
    mean, covariance = state()
    _, later = motion.predict(mean[None], covariance[None], np.array([seconds]), 60 * np.eye(2)[None])
    spread = np.sqrt(later[0, 0, 0]) / 60
    assert spread <= 0.1 + motion.SPEED_SD * seconds
    assert (np.linalg.eigvalsh(later[0]) > 0).all()
    assert np.sqrt(later[0, 2, 2]) / 60 <= motion.SPEED_SD * 1.001


@settings(max_examples=30)
@given(st.lists(st.floats(0.02, 2), min_size=1, max_size=6))
def test_steps_in_time_add_up(parts: list[float]) -> None:
    mean, covariance = state()
    mean[2:4] = (40, -20)
    metre = 60 * np.eye(2)[None]
    stepped = mean[None], covariance[None]
    for dt in parts:
        stepped = motion.predict(*stepped, np.array([dt]), metre)
    once = motion.predict(mean[None], covariance[None], np.array([sum(parts)]), metre)
    assert np.allclose(stepped[0], once[0], atol=1e-6)
    assert np.allclose(stepped[1], once[1], atol=1e-4)


def test_a_box_without_legs_fits_a_person_who_is_half_hidden() -> None:
    mean, covariance = state()
    seen = np.array(
        [[300, 200, 340, 300], [300, 200, 340, 250], [300, 200, 340, 360], [600, 200, 640, 300.0]]
    )
    density, visibilities = motion.log_densities(mean[None], covariance[None], seen)
    names = list(motion.VISIBILITIES)
    assert [names[v] for v in visibilities[0, :2]] == ["whole", "without legs"]
    assert density[0, 0] > density[0, 1] > density[0, 2] > density[0, 3]


def test_the_scale_of_the_floor_is_that_of_the_camera() -> None:
    floor = Floor(calibration(), (WIDTH, HEIGHT))
    where = np.array([(-2.0, 9.0), (0.0, 12.0), (3.0, 16.0)])
    feet = project(np.column_stack([where, np.zeros(3)]))[:, :2]
    heads = project(np.column_stack([where, np.full(3, NOMINAL_HEIGHT_M)]))[:, :2]
    tall = feet[:, 1] - heads[:, 1]
    step = 0.05
    for axis in (0, 1):
        moved = where + step * np.eye(2)[axis]
        true = (project(np.column_stack([moved, np.zeros(3)]))[:, :2] - feet) / step
        assert np.allclose(floor.px_per_metre(feet, tall)[:, :, axis], true, rtol=0.03, atol=0.3)
    assert np.allclose(floor.distances(feet[:1], feet[1:2], tall[:1]), np.hypot(2, 3), atol=0.02)
    grown = floor.height_ratios(feet[[1]], feet[[0]])
    assert np.allclose(grown, tall[0] / tall[1], rtol=0.05)
    assert CAMERA_M > NOMINAL_HEIGHT_M


def test_without_calibration_or_above_the_horizon_a_persons_height_is_the_yardstick() -> None:
    feet, tall = np.array([[300.0, 300.0], [300.0, -4000.0]]), np.array([100.0, 100.0])
    own = np.tile(100 / NOMINAL_HEIGHT_M * np.eye(2), (2, 1, 1))
    assert np.allclose(Floor(None, (WIDTH, HEIGHT)).px_per_metre(feet, tall), own)
    assert np.allclose(Floor(calibration(), (WIDTH, HEIGHT)).px_per_metre(feet, tall)[1], own[1])
    assert np.allclose(
        Floor(None, (0, 0)).distances(feet[:1], feet[:1] + np.array([100, 0]), tall[:1]), NOMINAL_HEIGHT_M
    )
    assert np.allclose(Floor(None, (0, 0)).height_ratios(feet, feet + 50), 1)


def test_the_person_whose_feet_are_lower_covers_the_other() -> None:
    boxes = np.array([[0, 0, 40, 100], [10, 10, 50, 130], [200, 0, 240, 100.0]])
    assert unoccluded(boxes, np.ones(3, bool)).tolist() == [False, False, True]
    assert unoccluded(boxes, np.array([True, False, True])).tolist() == [True, False, True]
    assert unoccluded(boxes + np.array([0, 0, 0, 1]), np.array([False, True, True])).tolist() == [
        False,
        True,
        True,
    ]
    box = np.array([[0, 50, 40, 150.0]])
    assert cut_off_edges(box, (640, 480)).tolist() == [[True, False, False, False]]
    assert cut_off_edges(box, (0, 0)).tolist() == [[False] * 4]


@given(st.lists(boxes_in_frame, min_size=1, max_size=6), st.lists(boxes_in_frame, max_size=6))
def test_overlaps_are_those_of_supervision(one: list[list[float]], other: list[list[float]]) -> None:
    boxes, others = np.array(one, float), np.array(other, float).reshape(-1, 4)
    np.testing.assert_allclose(overlaps(boxes, others), sv.box_iou_batch(boxes, others), atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_people_are_corrected_together_as_alone(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    states = [state((x, 100.0, x + 40, 200.0)) for x in rng.uniform(0, 500, count).tolist()]
    means, covariances = (np.stack(part) for part in zip(*states, strict=True))
    detected = motion.boxes(means) + rng.normal(0, 5, (count, 4))
    noise = motion.edge_noise(rng.integers(0, 5, count), rng.random((count, 4)) < 0.3)
    together = motion.correct(means, covariances, detected, noise)
    for n in range(count):
        alone = motion.correct(means[[n]], covariances[[n]], detected[[n]], noise[[n]])
        for part, single in zip(together, alone, strict=True):
            np.testing.assert_allclose(part[[n]], single, rtol=1e-12, atol=1e-9)
        # The correction takes the state towards the detection, and makes it surer.
        assert np.trace(together[1][n]) < np.trace(covariances[n])
