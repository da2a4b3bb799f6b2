"""The camera from walking people: against known cameras, with true errors, and refused where it must be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from walkers import ASPECT, Pinhole, walk

from zones.calibration import Calibration, CalibrationError, calibrate
from zones.calibration.people import PersonBoxes, evenly_spread, smoothed, whole
from zones.calibration.walking import Assumptions, WalkingFit, fit_walking
from zones.facility import CalibrationSpec

KNOWN = Assumptions(1.65, 0.08)
NO_PEOPLE = PersonBoxes(np.empty((0, 4)), np.empty(0, np.int64), np.empty(0, np.int64), ASPECT)
FLOOR = np.stack(np.meshgrid(np.linspace(-3, 3, 5), np.linspace(6, 16, 6)), axis=-1).reshape(-1, 2)


def plane(found: WalkingFit) -> Calibration:
    return calibrate(CalibrationSpec(walking=found.spec), ASPECT)


def compare_distances(found: WalkingFit, camera: Pinhole) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True and found distances of all places of the floor that are under 4 m apart, and their errors."""
    image = camera.project(np.column_stack([FLOOR, np.zeros(len(FLOOR))]))
    a, b = np.triu_indices(len(FLOOR), 1)
    true = np.hypot(*(FLOOR[a] - FLOOR[b]).T)
    near = true < 4
    distance, se = plane(found).distances(image[a[near]], image[b[near]], (0, 0), (0, 0))
    return true[near], distance, se


@pytest.mark.parametrize(
    "camera",
    [Pinhole(), Pinhole(2.2, 14, -3, 5), Pinhole(1.0, 30, 0, 3), Pinhole(1.3, 40, 2, 6)],
    ids=["usual", "long", "wide", "steep"],
)
def test_finds_the_camera(camera: Pinhole) -> None:
    found = fit_walking(walk(camera, 30, 1), KNOWN)
    true, distance, se = compare_distances(found, camera)
    assert np.abs(distance - true).mean() < 0.3
    assert (np.abs(distance - true) < 3 * se).all()
    assert found.spec.roll_deg == pytest.approx(camera.roll, abs=1.5)
    assert found.spec.height_m == pytest.approx(camera.height, rel=0.15)
    assert found.spec.check_error_m < 0.25
    assert found.spec.people >= 20 and found.strides > 20


def test_the_field_of_view_of_the_data_sheet_helps() -> None:
    camera = Pinhole()
    view = 2 * math.degrees(math.atan(ASPECT / 2 / camera.focal))
    people = walk(camera, 20, 2)
    without, known = fit_walking(people, KNOWN), fit_walking(people, Assumptions(1.65, 0.08, view))
    assert known.focal_se < 0.06 < without.focal_se
    assert known.focal_unusual < 2 < fit_walking(people, Assumptions(1.65, 0.08, view / 2)).focal_unusual
    assert known.spec.check_error_m < without.spec.check_error_m
    true, distance, _ = compare_distances(known, camera)
    assert np.abs(distance - true).mean() < 0.12


def test_the_stated_error_is_the_real_one() -> None:
    """Six times, other people: most distances within one standard error, nearly all within two."""
    within = []
    for seed in range(6):
        true, distance, se = compare_distances(fit_walking(walk(Pinhole(), 12, 100 + seed), KNOWN), Pinhole())
        off = np.abs(distance - true) / se
        within.append([(off < 1).mean(), (off < 2).mean()])
    one, two = np.mean(within, axis=0)
    # Of 24 times 0.82 and 1.00; six times are a noisy sample, as all distances of one share its error.
    assert 0.5 < one < 0.95 and two > 0.9


def test_scale_follows_the_stated_height() -> None:
    people = walk(Pinhole(), 15, 3)
    one, other = fit_walking(people, KNOWN), fit_walking(people, Assumptions(1.65 * 1.1, 0.08 * 1.1))
    assert other.spec.height_m == pytest.approx(1.1 * one.spec.height_m, rel=0.02)


def test_the_order_of_boxes_does_not_matter() -> None:
    people = walk(Pinhole(), 10, 4)
    order = np.random.default_rng(0).permutation(len(people.boxes))
    one, other = fit_walking(people.take(order), KNOWN).spec, fit_walking(people, KNOWN).spec
    for name in ("focal", "pitch_deg", "roll_deg", "height_m", "check_error_m"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-3)


def test_people_who_are_cut_off_hidden_or_sit_do_not_matter() -> None:
    camera = Pinhole()
    clean = walk(camera, 20, 5)
    spoilt = clean.boxes.copy()
    generator = np.random.default_rng(5)
    cut = generator.random(len(spoilt)) < 0.15
    spoilt[cut, 3] -= 0.45 * (spoilt[cut, 3] - spoilt[cut, 1])  # legs behind a bench
    found = fit_walking(PersonBoxes(spoilt, clean.track, clean.t, ASPECT), KNOWN)
    true, distance, _ = compare_distances(found, camera)
    assert np.abs(distance - true).mean() < 0.25


def test_only_whole_people_count() -> None:
    boxes = np.array(
        [
            [0.30, 0.3, 0.36, 0.6],  # whole
            [0.001, 0.3, 0.06, 0.6],  # at the edge
            [0.40, 0.7, 0.46, 0.999],  # cut by the lower edge
            [0.50, 0.3, 0.70, 0.6],  # too wide
            [0.80, 0.3, 0.81, 0.6],  # too narrow
            [0.60, 0.65, 0.66, 0.95],
            [0.62, 0.70, 0.68, 0.95],  # over the one before
        ]
    )
    people = PersonBoxes(boxes, np.arange(7), np.zeros(7, np.int64), ASPECT)
    assert whole(people).tolist() == [True, False, False, False, False, False, False]
    later = PersonBoxes(boxes, np.arange(7), np.arange(7), ASPECT)
    assert whole(later).tolist() == [True, False, False, False, False, True, True]


def test_a_standing_person_counts_no_more_than_a_walking_person() -> None:
    standing = np.tile([0.3, 0.3, 0.34, 0.5], (500, 1))
    people = PersonBoxes(standing, np.zeros(500, np.int64), np.arange(500), ASPECT)
    assert len(evenly_spread(people)) == 2


def test_jitter_is_averaged_out_and_movement_is_not() -> None:
    generator = np.random.default_rng(2)
    t = np.arange(0, 10_000_000, 100_000)
    centre = np.linspace(0.2, 0.8, len(t))
    boxes = np.column_stack([centre - 0.02, np.full(len(t), 0.3), centre + 0.02, np.full(len(t), 0.6)])
    jitter = generator.normal(0, 0.01, boxes.shape)
    people = PersonBoxes(
        np.tile(boxes, (2, 1)) + np.vstack([jitter, 0 * jitter]),
        np.repeat([1, 2], len(t)),
        np.tile(t, 2),
        1.0,
    )
    after = smoothed(people, 1.0)
    still, moving = after.take(after.track == 1), after.take(after.track == 2)
    assert (still.boxes - moving.boxes).std() < 0.004
    # Where a window is cut off by an end of the track, time moves with place.
    middle = (moving.boxes[:, 0] + moving.boxes[:, 2]) / 2
    assert middle == pytest.approx(np.interp(moving.t, t, centre), abs=1e-6)


@pytest.mark.parametrize(
    ("people", "message"),
    [
        (walk(Pinhole(), 4, 6), "expected at least 5 people who are seen from head to foot, got 4"),
        (walk(Pinhole(), 12, 6, y=(9.0, 9.3)), "no perspective"),
        (NO_PEOPLE, "got 0"),
    ],
    ids=["few", "one place", "none"],
)  # fmt: skip
def test_people_from_whom_no_camera_can_be_found_are_refused(people: PersonBoxes, message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        fit_walking(people, KNOWN)


def test_a_picture_upside_down_is_refused() -> None:
    people = walk(Pinhole(), 12, 7)
    turned = PersonBoxes(1 - people.boxes[:, [2, 3, 0, 1]], people.track, people.t, ASPECT)
    with pytest.raises(CalibrationError, match="no level floor"):
        fit_walking(turned, KNOWN)


@pytest.mark.parametrize(
    "assumed", [Assumptions(0.2, 0.08), Assumptions(1.65, 0), Assumptions(1.65, 0.08, 180)]
)
def test_impossible_heights_and_views_are_refused(assumed: Assumptions) -> None:
    with pytest.raises(CalibrationError, match="expected a"):
        fit_walking(walk(Pinhole(), 6, 8), assumed)
