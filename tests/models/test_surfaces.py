"""Pictures on a device, with the device the CPU: the colours and sizes that the path over arrays gives."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from av.video.reformatter import Interpolation, VideoReformatter
from hypothesis import given, settings
from hypothesis import strategies as st

from models.devices import Detector, Device
from models.registry import resolve
from models.runtimes import surfaces
from models.runtimes.combining import CombinedCalls
from models.runtimes.network import letterbox
from models.runtimes.surfaces import Colours, bgr_of_nv12, grey_of_nv12
from vision.detection import PersonDetector
from vision.gate.planner import DetectionPlan
from vision.gate.regions import draw, pack, region_around

YARD = Path(__file__).parents[2] / "data" / "yard.mp4"
UNKNOWN, LIMITED, FULL = 0, 1, 2


Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


def frame_and_surface(planes: Planes) -> tuple[av.VideoFrame, torch.Tensor]:
    """A 4:2:0 frame of PyAV, and the NV12 surface that a decoder on a GPU makes of the same video."""
    luma, cb, cr = planes
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], "yuv420p")
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        rows[:, : values.shape[1]] = values
    chroma = np.stack([cb, cr], -1).reshape(cb.shape[0], luma.shape[1])
    return frame, torch.from_numpy(np.concatenate([luma, chroma]))


def noise(width: int, height: int, seed: int) -> Planes:
    rng = np.random.default_rng(seed)
    sides = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    one, two, three = (rng.integers(0, 256, shape).astype(np.uint8) for shape in sides)
    return one, two, three


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(8, 120), st.integers(8, 80)),
    st.sampled_from([0, 1, 2, 4, 5, 6, 7, 9]),
    st.sampled_from([UNKNOWN, LIMITED, FULL]),
    st.integers(0, 999),
)
def test_colours_are_those_of_the_path_over_arrays(
    halves: tuple[int, int], matrix: int, value_range: int, seed: int
) -> None:
    width, height = 2 * halves[0], 2 * halves[1]
    frame, surface = frame_and_surface(noise(width, height, seed))
    frame.colorspace, frame.color_range = matrix, value_range
    expected = VideoReformatter().reformat(frame, width, height, format="bgr24", threads=1).to_ndarray()
    found = bgr_of_nv12(surface, Colours(matrix, value_range == FULL)).numpy()
    assert np.abs(found.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("value_range", [LIMITED, FULL])
def test_grey_pictures_are_those_of_the_path_over_arrays(matrix: int, value_range: int) -> None:
    frame = next(av.open(str(YARD)).decode(video=0))
    planes = [np.frombuffer(p, np.uint8).reshape(p.height, p.line_size)[:, : p.width] for p in frame.planes]
    frame, surface = frame_and_surface((planes[0], planes[1], planes[2]))
    frame.colorspace, frame.color_range = matrix, value_range
    reduced = VideoReformatter().reformat(
        frame, 192, 144, format="gray8", interpolation=Interpolation.AREA, threads=1
    )
    found = grey_of_nv12(surface, Colours(matrix, value_range == FULL), (192, 144)).numpy()
    apart = np.abs(found.astype(int) - reduced.to_ndarray())
    # Swscale weighs the colours at an edge in another order where the matrix is not that of grey.
    assert np.quantile(apart, 0.99) <= 2 and abs(float(found.mean()) - float(reduced.to_ndarray().mean())) < 1


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.integers(0, 99))
def test_sizes_are_changed_as_opencv_changes_them(w: int, h: int, to_w: int, to_h: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (h, w, 3)).astype(np.uint8)
    found = surfaces.resized(torch.from_numpy(image), (to_w, to_h)).numpy()
    expected = cv2.resize(image, (to_w, to_h), interpolation=cv2.INTER_LINEAR)
    assert found.shape == expected.shape and np.abs(found.astype(int) - expected).max() <= 1


def test_what_is_no_nv12_surface_is_refused() -> None:
    for shape in ((90,), (91, 64), (90, 65), (3, 90, 64)):
        with pytest.raises(ValueError, match="expected an NV12 surface"):
            bgr_of_nv12(torch.zeros(shape, dtype=torch.uint8), Colours())
    with pytest.raises(ValueError, match="of 2 bytes each"):
        grey_of_nv12(torch.zeros((90, 64), dtype=torch.int16), Colours(), (8, 8))


def test_inputs_are_drawn_from_tensors_as_from_arrays() -> None:
    image = cv2.GaussianBlur(noise(640, 360, 3)[0], (9, 9), 0)[..., None].repeat(3, 2)
    tensor = torch.from_numpy(image)
    regions = [
        region_around((50, 60, 90, 160), 1.3, (640, 360)),
        region_around((300, 9, 420, 350), 0.5, (640, 360)),
    ]
    packed = pack(regions)
    for mine, other in zip(draw(image, regions, packed), draw(tensor, regions, packed), strict=True):
        assert np.abs(mine.astype(int) - other.numpy()).max() <= 1
    (inputs, places), (others, same) = (
        letterbox([image, image[:90]], 320),
        letterbox([tensor, tensor[:90]], 320),
    )
    assert places == same and np.abs(inputs.astype(int) - others.numpy()).max() <= 1


def test_people_are_found_in_tensors_as_in_arrays() -> None:
    frame = next(av.open(str(YARD)).decode(video=0)).to_ndarray(format="bgr24")
    detector = PersonDetector(resolve("person"), Device.choose("cpu", "torch-f32"))
    whole, _ = detector.planned(frame, DetectionPlan(scales=(416,)))
    strong = whole[whole[:, 4] > 0.3]
    assert len(strong) >= 2
    regions = tuple(region_around(row[:4].tolist(), 1.0, (frame.shape[1], frame.shape[0])) for row in strong)
    for plan in (DetectionPlan(scales=(416,)), DetectionPlan(regions=regions, packed=pack(regions))):
        rows, _ = detector.planned(frame, plan)
        others, _ = detector.planned(torch.from_numpy(frame), plan)
        rows, others = rows[rows[:, 4] > 0.2], others[others[:, 4] > 0.2]
        assert len(rows) == len(others) > 0
        assert np.abs(rows[:, :4] - others[:, :4]).max() < 0.5


def test_without_torch_as_its_form_a_network_takes_tensors_too() -> None:
    frame = next(av.open(str(YARD)).decode(video=0)).to_ndarray(format="bgr24")
    detect = Detector(resolve("person"), Device.choose("cpu"), 416, 0.3, None)
    [rows], [others] = detect([frame]), detect([torch.from_numpy(frame)])
    assert len(rows) == len(others) > 0 and np.abs(rows[:, :4] - others[:, :4]).max() < 0.5


def test_tensors_of_several_calls_are_joined_and_not_mixed_with_arrays() -> None:
    kinds: list[type] = []

    def run(inputs: np.ndarray | torch.Tensor) -> np.ndarray:
        kinds.append(type(inputs))
        return np.asarray(inputs).reshape(len(inputs), -1).mean(axis=1)

    combined: CombinedCalls[np.ndarray] = CombinedCalls(run, most=16)
    array = np.full((2, 4, 4, 3), 5, np.uint8)
    assert combined(array).tolist() == [5, 5]
    assert combined(torch.from_numpy(array + 1)).tolist() == [6, 6]
    assert kinds == [np.ndarray, torch.Tensor]
