"""Distances on PETS 2009 by each way to calibrate, against the published camera of the same image points.

Nothing here is fitted to the yard: constants are those of the program, and the mean height is that of its
country. Run with `-rA` or `-s` to see the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from scipy.optimize import linear_sum_assignment
from supervision import box_iou_batch

from models.devices import Device
from pipelines.calibration.people import people_of
from pipelines.observe_footage import observe_footage
from tests.running import ROOT
from tests.zones.tsai import PETS_VIEW_001
from vision.ground import foot_sigma
from vision.networks import ModelBundle, PerceptionSettings
from zones.calibration import Calibration, calibrate
from zones.calibration.people import PersonBoxes
from zones.calibration.walking import Assumptions, fit_walking
from zones.facility import CalibrationSpec, Camera, Place

Array = npt.NDArray[np.float64]

PETS = ROOT.parent / "shared" / "data" / "pets2009"
SIZE = np.array([PETS_VIEW_001.width, PETS_VIEW_001.height], dtype=np.float64)
ASPECT = float(SIZE[0] / SIZE[1])
FPS = 7.0
NEAR_M = 4.0
# Adults in England, both sexes mixed: 1.753 and 1.619 m (Health Survey for England), and 2.5 cm of shoes.
ENGLAND = Assumptions(mean_height_m=1.71, height_sd_m=0.08)

pytestmark = pytest.mark.skipif(not PETS.is_dir(), reason="the evaluation data are not beside this checkout")


@dataclass(frozen=True)
class Feet:
    """Foot points as found and as labelled, normalised, of people in frames; N each."""

    frame: npt.NDArray[np.int64]
    found: Array
    labelled: Array
    sigma: Array


@dataclass(frozen=True)
class Figures:
    mean: float
    bias: float
    pairs: int
    within_one: float
    within_two: float
    best_scale_mean: float


def measure(calibration: Calibration, feet: Feet) -> Figures:
    """Distances of all pairs who are truly under NEAR_M apart in the same frame."""
    ground = PETS_VIEW_001.ground(feet.labelled)
    ones, others = [], []
    for frame in np.unique(feet.frame):
        rows = np.flatnonzero(feet.frame == frame)
        a, b = np.triu_indices(len(rows), 1)
        ones.append(rows[a])
        others.append(rows[b])
    one, other = np.concatenate(ones), np.concatenate(others)
    true = np.hypot(*(ground[one] - ground[other]).T)
    near = true < NEAR_M
    one, other, true = one[near], other[near], true[near]
    found, se = calibration.distances(feet.found[one], feet.found[other], feet.sigma[one], feet.sigma[other])
    error = found - true
    scale = float(found @ true / (found @ found))
    return Figures(
        mean=round(float(np.abs(error).mean()), 4),
        bias=round(float(error.mean()), 4),
        pairs=len(error),
        within_one=round(float((np.abs(error) < se).mean()), 3),
        within_two=round(float((np.abs(error) < 2 * se).mean()), 3),
        best_scale_mean=round(float(np.abs(found * scale - true).mean()), 4),
    )


@pytest.fixture(scope="module")
def labels() -> Array:
    """Frame from 0, person, left, top, right, bottom (px)."""
    rows = np.loadtxt(PETS / "gt_mot.txt", delimiter=",")[:, :6]
    return np.column_stack([rows[:, 0] - 1, rows[:, 1], rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]])


@pytest.fixture(scope="module")
def labelled(labels: Array) -> Feet:
    foot = feet_of(labels[:, 2:])
    return Feet(labels[:, 0].astype(np.int64), foot, foot, np.zeros_like(foot))


@pytest.fixture(scope="module")
def seen() -> pl.DataFrame:
    bundle = ModelBundle.load(Device.choose("cpu"), PerceptionSettings())
    camera = Camera(id="yard", places=(Place.YARD,))
    return observe_footage(PETS / "vtest.avi", bundle, camera, start=0, source_fps=FPS).observations


@pytest.fixture(scope="module")
def detected(seen: pl.DataFrame, labels: Array) -> Feet:
    """Detected feet of the people whose boxes overlap a labelled one by half, one to one."""
    frames = seen["frame"].to_numpy()
    boxes = seen.select("x1", "y1", "x2", "y2").to_numpy().astype(np.float64)
    parts = []
    for frame in np.unique(frames):
        ours, true = np.flatnonzero(frames == frame), np.flatnonzero(labels[:, 0] == frame)
        overlap = box_iou_batch(boxes[ours], labels[true, 2:])
        rows, columns = linear_sum_assignment(-overlap)
        good = overlap[rows, columns] >= 0.5
        parts.append(np.column_stack([ours[rows[good]], true[columns[good]]]))
    match = np.concatenate(parts)
    height = (boxes[match[:, 0], 3] - boxes[match[:, 0], 1]) / SIZE[1]
    return Feet(
        frames[match[:, 0]],
        feet_of(boxes[match[:, 0]]),
        feet_of(labels[match[:, 1], 2:]),
        foot_sigma(height, ASPECT),
    )


def feet_of(boxes: Array) -> Array:
    return np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]]) / SIZE


def by_points(seed: int) -> Calibration:
    """Eight marks over the yard and three to check by, each off by a pixel (one standard deviation)."""
    yard = np.array(
        [
            (-14.5, -3.5),
            (-17.5, -10),
            (-14.5, -11.5),
            (-8, -12),
            (-1.5, -11),
            (0.5, -6.5),
            (-5, 3.5),
            (-9, -5),
        ],
        dtype=np.float64,
    )
    image = PETS_VIEW_001.floor(yard) + np.random.default_rng(seed).normal(0, 1, yard.shape) / SIZE
    points = [{"image": i, "ground": g} for i, g in zip(image.tolist(), yard.tolist(), strict=True)]
    spec = CalibrationSpec.model_validate({"points": points[:8], "check": points[8:]})
    return calibrate(spec, ASPECT)


def by_walking(people: PersonBoxes) -> Calibration:
    spec = CalibrationSpec(walking=fit_walking(people, ENGLAND).spec)
    return calibrate(spec, ASPECT)


def as_people(labels: Array) -> PersonBoxes:
    return PersonBoxes(
        labels[:, 2:] / np.tile(SIZE, 2),
        labels[:, 1].astype(np.int64),
        np.round(labels[:, 0] / FPS * 1e6).astype(np.int64),
        ASPECT,
    )


def test_by_point_pairs(labelled: Feet, detected: Feet) -> None:
    figures = [measure(by_points(seed), labelled) for seed in range(10)]
    print("points, labelled feet:", figures)
    assert figures[0].pairs == 2734
    assert max(figure.mean for figure in figures) <= 0.15
    # A pixel is up to a quarter of a metre here, and three check marks are off by one too.
    assert sum(by_points(seed).check_error <= 0.25 for seed in range(10)) >= 8
    assert np.mean([figure.within_two for figure in figures]) >= 0.9
    feet = measure(by_points(0), detected)
    print("points, detected feet:", feet)
    assert feet.mean <= 0.3 and feet.within_two >= 0.8


def test_by_labelled_people_who_walk(labels: Array, labelled: Feet, detected: Feet) -> None:
    calibration = by_walking(as_people(labels))
    figures = measure(calibration, labelled)
    print("walking (labelled boxes), labelled feet:", figures, "check", calibration.check_error)
    assert figures.mean <= 0.4
    assert figures.within_two >= 0.8
    feet = measure(calibration, detected)
    print("walking (labelled boxes), detected feet:", feet)
    assert feet.mean <= 0.4


def test_by_detected_people_who_walk(seen: pl.DataFrame, labelled: Feet, detected: Feet) -> None:
    calibration = by_walking(people_of(seen)[0])
    figures = measure(calibration, labelled)
    print("walking (detected boxes), labelled feet:", figures, "check", calibration.check_error)
    assert figures.mean <= 0.4
    assert figures.within_two >= 0.8
    assert calibration.check_error <= 0.25
    feet = measure(calibration, detected)
    print("walking (detected boxes), detected feet:", feet)
    assert feet.mean <= 0.4 and feet.within_two >= 0.8


def test_the_published_camera_inverts_itself() -> None:
    yard = np.array([(-14.5, -3.5), (-5, 3.5), (0.5, -6.5)], dtype=np.float64)
    assert PETS_VIEW_001.ground(PETS_VIEW_001.floor(yard)) == pytest.approx(yard, abs=1e-6)
