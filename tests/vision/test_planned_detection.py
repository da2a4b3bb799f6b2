"""Detection as the gate plans it: regions find whom the whole picture shows, in any company."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import supervision as sv
import torch

from models.devices import Device, all_streams
from models.registry import resolve
from vision.detection import PersonDetector, merge_scales, without_duplicates
from vision.frames import SECOND, Frame
from vision.gate.planner import TARGET_HEIGHT_PX, DetectionPlan
from vision.gate.regions import pack, region_around
from vision.networks import ModelBundle, PerceptionSettings
from vision.sources.files import open_source

YARD = Path(__file__).parents[2] / "data" / "yard.mp4"


def yard_frames(count: int) -> list[np.ndarray]:
    """Frames of the sample yard, ten seconds apart."""
    frames = open_source(YARD, "yard", start=0).frames(min_interval_us=10 * SECOND)
    return [item.image for item, _ in zip(frames, range(count), strict=False) if isinstance(item, Frame)]


@pytest.fixture(scope="module")
def detector() -> PersonDetector:
    return PersonDetector(resolve("person"), Device.choose("cpu", streams=all_streams()))


def plan_around(rows: np.ndarray, size: tuple[int, int]) -> DetectionPlan:
    regions = []
    for x1, y1, x2, y2 in rows[:, :4].tolist():
        margin = 0.3 * (y2 - y1)
        box = x1 - margin, y1 - margin, x2 + margin, y2 + margin
        regions.append(region_around(box, TARGET_HEIGHT_PX / (y2 - y1), size))
    return DetectionPlan(regions=tuple(regions), packed=pack(regions))


def test_regions_find_the_people_whom_the_whole_picture_shows(detector: PersonDetector) -> None:
    found = total = 0
    for image in yard_frames(5):
        rows, _ = detector.planned(image, DetectionPlan(scales=(640,)))
        strong = rows[rows[:, 4] >= 0.5]
        plan = plan_around(strong, (image.shape[1], image.shape[0]))
        again, _ = detector.planned(image, plan)
        overlaps = sv.box_iou_batch(strong[:, :4], again[:, :4])
        found += int((overlaps.max(axis=1, initial=0.0) > 0.5).sum())
        total += len(strong)
    # A person who stands in two scales may be missed in one; most are not.
    assert total >= 10 and found >= 0.8 * total


def test_a_person_at_the_edge_of_a_region_is_reported_as_cut_off(detector: PersonDetector) -> None:
    [image] = yard_frames(1)
    rows, _ = detector.planned(image, DetectionPlan(scales=(640,)))
    inside = rows[(rows[:, 0] > 60) & (rows[:, 2] < image.shape[1] - 60) & (rows[:, 4] > 0.5)]
    x1, y1, x2, y2 = inside[0, :4].tolist()
    # The region ends in the middle of the person.
    region = region_around((x1 - 150, y1 - 30, (x1 + x2) / 2, y2 + 30), 1.0, image.shape[1::-1])
    people, cut = detector.planned(image, DetectionPlan(regions=(region,), packed=pack([region])))
    for box in people:
        assert box[2] < region.x2 - 1
    assert all(box[2] >= region.x2 - 3 or box[0] <= region.x1 + 3 or box[1] <= region.y1 + 3 for box in cut)


def test_what_a_camera_yields_does_not_depend_on_what_runs_beside_it(detector: PersonDetector) -> None:
    images = yard_frames(6)
    plans = [
        plan_around(detector.planned(image, DetectionPlan(scales=(416,)))[0], image.shape[1::-1])
        for image in images
    ]
    alone = [detector.planned(image, plan)[0] for image, plan in zip(images, plans, strict=True)]
    with ThreadPoolExecutor(6) as pool:
        beside = list(pool.map(detector.planned, images * 4, plans * 4))
    for number, (rows, _) in enumerate(beside):
        expected = alone[number % len(images)]
        assert rows.shape == expected.shape
        assert np.abs(rows[:, :4] - expected[:, :4]).max(initial=0) <= 0.5
        assert np.abs(rows[:, 4] - expected[:, 4]).max(initial=0) <= 1e-3


def test_each_scale_counts_for_the_heights_that_it_sees_well() -> None:
    def row(height: float, score: float) -> np.ndarray:
        return np.array([[0, 0, height / 2, height, score]], np.float32)

    coarse, fine = 0.25, 1.0
    assert len(merge_scales([row(80, 0.9), row(80, 0.5)], [coarse, fine])) == 1
    # 80 px are 20 in the coarse input: the fine one alone counts.
    assert merge_scales([row(80, 0.9), row(80, 0.5)], [coarse, fine])[0, 4] == pytest.approx(0.5)
    # 400 px are too large for the fine one.
    assert merge_scales([row(400, 0.3), row(400, 0.9)], [coarse, fine])[0, 4] == pytest.approx(0.3)


def test_of_two_boxes_of_one_person_the_stronger_stays() -> None:
    rows = np.array([[0, 0, 10, 20, 0.4], [1, 0, 11, 20, 0.8], [50, 0, 60, 20, 0.3]], np.float32)
    assert without_duplicates(rows)[:, 4].tolist() == pytest.approx([0.8, 0.3])


class TensorsOnCpu(Device):
    """Hands pictures over as a GPU would get them, to networks that run in torch on the CPU."""

    def __str__(self) -> str:
        return "cpu"


def test_pictures_in_the_memory_of_the_device_show_the_same_people() -> None:
    settings = PerceptionSettings()
    there = ModelBundle.load(TensorsOnCpu("cuda", runtime="torch-f32"), settings)
    here = ModelBundle.load(Device("cpu", runtime="torch-f32"), settings)
    [image] = yard_frames(1)
    assert isinstance(there.device.picture(image), torch.Tensor)
    assert isinstance(here.device.picture(image), np.ndarray)
    whole = DetectionPlan(scales=(416,))
    rows, _ = here.start_detection(image, whole).result()
    for plan in (whole, plan_around(rows[rows[:, 4] >= 0.5], (image.shape[1], image.shape[0]))):
        expected, cut = here.start_detection(image, plan).result()
        found, also_cut = there.start_detection(image, plan).result()
        assert len(expected) >= 3 and len(found) == len(expected) and len(also_cut) == len(cut)
        np.testing.assert_allclose(found[:, :4], expected[:, :4], atol=0.5)
        np.testing.assert_allclose(found[:, 4], expected[:, 4], atol=0.01)
