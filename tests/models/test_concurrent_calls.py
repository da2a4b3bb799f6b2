"""Networks that several threads call at the same time, and models compiled for the shapes that come often."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import cv2
import made_networks
import numpy as np
import pytest

from models.appearance.inference import Embedder
from models.appearance.sizes import HEIGHT, WIDTH
from models.devices import Classifier, Detector, Device, PoseDetector, all_streams, streams_for
from models.errors import ModelError
from models.exports.selection import plain_openvino
from models.registry import resolve
from models.runtimes import openvino_network
from models.runtimes.forms import Form, cpu_capabilities
from models.runtimes.network import Network

ROOT = Path(__file__).parents[2]
SCENE = ROOT / "data" / "keyframe.jpg"
SCORE, PX = 1e-3, 0.5
"""Differences that are allowed beside other calls."""


@pytest.fixture(scope="module")
def scenes() -> list[np.ndarray]:
    """Pictures of several shapes, all with people."""
    image = cv2.imread(str(SCENE))
    assert image is not None
    return [cv2.resize(image, size) for size in ((768, 576), (416, 320), (640, 360), (500, 500))]


def in_threads(calls: Sequence[Callable[[], Any]], turns: int = 3) -> list[list[Any]]:
    """The results of each call, each call in its own thread, all begun together."""
    begin = Barrier(len(calls))

    def work(call: Callable[[], Any]) -> list[Any]:
        begin.wait()
        return [call() for _ in range(turns)]

    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(work, call) for call in calls]]


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
@pytest.mark.parametrize("streams", [1, 2])
def test_what_is_found_does_not_depend_on_the_calls_beside(
    runtime: str, streams: int, scenes: list[np.ndarray]
) -> None:
    device = Device("cpu", runtime=runtime, streams=streams)
    detect = Detector(resolve("person"), device, 416, 0.25, None)
    faces = PoseDetector(resolve("face"), device, 192, 0.05)
    classify = Classifier(resolve("mask"), device, 96)
    crops = list(made_networks.pictures(5, 96))
    calls: list[Callable[[], Any]] = [
        *(lambda scene=scene: detect([scene])[0] for scene in scenes),
        lambda: faces([scenes[1]])[0].boxes,
        lambda: classify(crops),
    ]
    alone = [call() for call in calls]
    assert min(len(rows) for rows in alone[: len(scenes)]) >= 1
    for expected, results in zip(alone, in_threads(calls, 1 if runtime == "torch" else 3), strict=True):
        for found in results:
            assert found.shape == expected.shape
            assert found[:, :4] == pytest.approx(expected[:, :4], abs=PX)
            assert found[:, 4:] == pytest.approx(expected[:, 4:], abs=SCORE)


def test_images_of_one_call_do_not_depend_on_each_other(scenes: list[np.ndarray]) -> None:
    detect = Detector(resolve("person"), Device("cpu", streams=2), 416, 0.25, None)
    together = detect([*scenes, *scenes])
    assert len(together) == 2 * len(scenes)
    for rows, scene in zip(together, [*scenes, *scenes], strict=True):
        np.testing.assert_allclose(rows, detect([scene])[0], atol=1e-3)


@pytest.mark.parametrize("streams", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 19])
def test_embeddings_keep_their_order_however_a_batch_is_shared_out(streams: int, count: int) -> None:
    crops = np.random.default_rng(0).integers(0, 255, (count, HEIGHT, WIDTH, 3), np.uint8)
    embed = Embedder(resolve("appearance"), Device("cpu", streams=streams))
    found = embed(crops)
    assert found.shape == (count, 128)
    for crop, vector in zip(crops, found, strict=True):
        np.testing.assert_allclose(vector, embed(crop[None])[0], atol=1e-4)


def test_a_size_for_one_call_is_that_of_a_detector_of_this_size(scenes: list[np.ndarray]) -> None:
    several = Detector(resolve("person"), Device("cpu"), 416, 0.25, None)
    for imgsz in (224, 416, 640):
        one = Detector(resolve("person"), Device("cpu"), imgsz, 0.25, None)
        np.testing.assert_array_equal(several(scenes[:1], imgsz)[0], one(scenes[:1])[0])
    np.testing.assert_array_equal(several(scenes[:1])[0], several(scenes[:1], 416)[0])
    for wrong in (0, -32, 100):
        with pytest.raises(ModelError, match="multiple of 32"):
            several(scenes[:1], wrong)


def test_frequent_shapes_get_a_model_of_their_own_which_answers_the_same(
    scenes: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    detect = Detector(resolve("person"), Device("cpu"), 224, 0.25, None)
    expected = [detect([scene])[0] for scene in scenes]
    monkeypatch.setattr(openvino_network, "CALLS_BEFORE_FIXED_SHAPE", 2)
    monkeypatch.setattr(openvino_network, "MAX_FREQUENT_SHAPES", 2)
    compiled: list[list[int]] = []
    really = openvino_network.compile_model

    def recording(model: Any, precision: str, streams: int = 1) -> Any:
        compiled.append(list(model.inputs[0].get_partial_shape().get_min_shape()))
        return really(model, precision, streams)

    monkeypatch.setattr(openvino_network, "compile_model", recording)
    mixed = Detector(resolve("person"), Device("cpu"), 224, 0.25, None)
    for _ in range(4):
        for scene, rows in zip(scenes, expected, strict=True):
            np.testing.assert_allclose(mixed([scene])[0], rows, atol=1e-3)
    # One for every shape first. The first two scenes have one shape. The shape of the last one is as frequent
    # as those that came before it, and takes the place of neither while both are in use.
    assert compiled == [[0, 0, 0, 3], [1, 192, 224, 3], [1, 128, 224, 3]]
    for _ in range(3):
        np.testing.assert_allclose(mixed(scenes[3:])[0], expected[3], atol=1e-3)
    assert compiled[3:] == [[1, 224, 224, 3]]
    calls = in_threads([lambda scene=scene: mixed([scene])[0] for scene in scenes])
    for results, rows in zip(calls, expected, strict=True):
        for found in results:
            np.testing.assert_allclose(found, rows, atol=1e-3)


@pytest.mark.parametrize("precision", ["f32", "bf16"])
@pytest.mark.parametrize("streams", [1, 2])
def test_what_a_network_answers_does_not_depend_on_how_often_it_was_called(
    precision: str, streams: int, scenes: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    if precision == "bf16" and "BF16" not in cpu_capabilities():
        pytest.skip("this CPU has no bf16")
    monkeypatch.setattr(openvino_network, "CALLS_BEFORE_FIXED_SHAPE", 3)
    network = Network(plain_openvino(resolve("person")), Form("openvino", precision), "cpu", streams)
    first = [network.boxes([scene], 416, 0.05)[0] for scene in scenes]
    for _ in range(5):
        for scene, rows in zip(scenes, first, strict=True):
            np.testing.assert_allclose(network.boxes([scene], 416, 0.05)[0], rows, atol=1e-3)


def test_as_many_streams_as_cores_and_a_batch_for_each() -> None:
    assert 1 <= all_streams() <= 8
    assert streams_for(1) == 1 and streams_for(2) == streams_for(16) == all_streams()
    assert Device.choose("cpu", streams=3) == Device("cpu", streams=3)
    assert (Device("cpu").batch, Device("cpu", streams=3).batch) == (1, 3)


WITHOUT_TORCH = """
import ctypes, os, sys
import numpy as np
from models.appearance.inference import Embedder
from models.devices import Classifier, Detector, Device, PoseDetector
from models.registry import resolve

def no_library(*_):
    raise OSError("no such library")

library, exists = ctypes.CDLL, os.path.exists
ctypes.CDLL, os.path.exists = no_library, lambda path: False
device = Device.choose("auto")
ctypes.CDLL, os.path.exists = library, exists
assert str(device) == "cpu", device
Detector(resolve("person"), device, 320, 0.25, None)([np.zeros((240, 320, 3), np.uint8)])
PoseDetector(resolve("face"), device, 192, 0.25)([np.zeros((240, 320, 3), np.uint8)])
Classifier(resolve("mask"), device, 96)([np.zeros((96, 96, 3), np.uint8)])
Embedder(resolve("appearance"), device)(np.zeros((1, 128, 64, 3), np.uint8))
print(sorted({"torch", "torchvision", "ultralytics"} & set(sys.modules)))
"""


def test_networks_in_openvino_need_no_torch() -> None:
    for name in ("person", "face", "mask"):  # makes the exports, with torch, where there are none
        plain_openvino(resolve(name))
    Embedder(resolve("appearance"), Device("cpu"))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
