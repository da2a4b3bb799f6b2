"""The check of networks on a GPU, run on the CPU against itself."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from models.devices import Poses
from tests.running import ROOT, YARD

SCRIPT = ROOT / "tools" / "gpu_check.py"
NOT_NEEDED = (
    *("polars", "av", "openvino", "pydantic", "scipy", "sqlite_utils", "sklearn", "supervision", "trackers"),
    *("lap", "typer", "rich", "ruamel.yaml", "matplotlib", "pandas", "nncf", "onnx", "onnxruntime"),
)
"""Packages that need not be on the machine with the GPU."""
BLOCKED = (
    "import sys, runpy; sys.modules.update(dict.fromkeys({names!r})); sys.argv = sys.argv[1:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_check"] = module
    spec.loader.exec_module(module)
    return module


check = load_script()


def run_script(*arguments: str | Path, blocked: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    start = [sys.executable, "-c", BLOCKED.format(names=blocked)] if blocked else [sys.executable]
    return subprocess.run(
        [*start, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, timeout=500, check=False
    )


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    ran = run_script("frames", YARD, "--output", folder, "--count", "2")
    assert ran.returncode == 0, ran.stderr
    assert len(list(folder.glob("*.png"))) == 2
    return folder


def test_the_cpu_agrees_with_itself_without_the_packages_that_are_not_needed(
    frames: Path, tmp_path: Path
) -> None:
    output = tmp_path / "report.json"
    arguments = ("run", frames, "--device", "cpu", "--seconds", "10", "--output", output)
    ran = run_script(*arguments, blocked=NOT_NEEDED)
    assert ran.returncode == 0, ran.stderr
    report = json.loads(output.read_text())
    assert report["status"] == "agrees" and report["frames"]["count"] == 2
    compared = {item["network"]: item for item in report["comparisons"]}
    assert {"person", "face", "appearance"} <= set(compared)
    assert compared["person"]["objects"] > 0 and compared["appearance"]["objects"] > 0
    assert all(item["agrees"] and item["form"] == "torch-f32" for item in report["comparisons"])
    assert any(item["what"] == "everything on a GPU" for item in report["not_checked"])


def test_what_keeps_the_check_from_running_is_one_sentence(frames: Path, tmp_path: Path) -> None:
    ran = run_script("run", tmp_path, "--device", "cpu")
    assert ran.returncode == 2 and "expected frames (.png or .npy)" in ran.stderr
    assert json.loads(ran.stdout)["status"] == "cannot run"
    ran = run_script("run", frames, "--device", "cuda:99")
    assert ran.returncode == 2 and "expected a CUDA GPU number 99" in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def poses(boxes: list[list[float]]) -> list[Poses]:
    """Faces in one image, each with its landmarks in the middle of the box."""
    rows = np.array(boxes, np.float32).reshape(-1, 5)
    centres = (rows[:, None, :2] + rows[:, None, 2:4]) / 2
    landmarks = np.concatenate([np.repeat(centres, 5, axis=1), np.ones((len(rows), 5, 1))], axis=2)
    return [Poses(rows, landmarks.astype(np.float32))]


FACES = [[10.0, 10.0, 40.0, 50.0, 0.9], [60.0, 10.0, 90.0, 50.0, 0.5]]
LIMIT = check.TOLERANCES["cuda", "torch-f16"]


def faults(found: list[list[float]]) -> tuple[str, ...]:
    image = np.zeros((100, 100, 3), np.uint8)
    _, _, sentences = check.compare_poses(poses(FACES), poses(found), [image], 100, 0.05, LIMIT)
    return tuple(sentences)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, None),
        ({(0, 2): 40.5}, None),
        ({(0, 2): 44.0}, "edges of boxes"),
        ({(0, 4): 0.8}, "scores"),
        ({(1, 0): 64.0}, "landmarks"),
    ],
)
def test_differences_beyond_a_tolerance_are_named(
    change: dict[tuple[int, int], float], expected: str | None
) -> None:
    found = [list(row) for row in FACES]
    for (row, column), value in change.items():
        found[row][column] = value
    sentences = faults(found)
    assert (sentences == ()) if expected is None else any(expected in item for item in sentences)


def test_a_missing_detection_counts_unless_its_score_is_at_the_threshold() -> None:
    assert any("on one device only, got 1 of 2" in item for item in faults(FACES[:1]))
    at_threshold = [70.0, 60.0, 90.0, 90.0, 0.06]
    assert faults([*FACES, at_threshold]) == ()


def test_boxes_are_paired_one_to_one_by_overlap() -> None:
    one = np.array([[0.0, 0, 10, 10], [0, 0, 10, 12]])
    other = np.array([[0.0, 0, 10, 12], [50, 50, 60, 60]])
    assert check.pairs(one, other) == [(1, 0)]


def test_probabilities_and_embeddings_are_compared_row_by_row() -> None:
    one = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert check.compare_probabilities(one, one, LIMIT)[1] == ()
    measures, sentences = check.compare_probabilities(one, one[::-1], LIMIT)
    assert measures["other_class"] == 2 and "class probabilities" in sentences[0]
    unit = np.eye(3)
    assert check.compare_embeddings(unit, unit, LIMIT)[1] == ()
    assert "cosine" in check.compare_embeddings(unit, np.roll(unit, 1, axis=0), LIMIT)[1][0]
    assert check.compare_embeddings(unit, np.full((3, 3), np.nan), LIMIT)[1], "not a number is no agreement"


class StubNetworks:
    """Networks whose person detector counts its calls and lacks memory for more than 8 images."""

    def __init__(self) -> None:
        self.imgsz = {"person": 32, "face": 32, "mask": 32, "appearance": 32}
        self.batches: set[int] = set()

    def people(self, images: list[Any]) -> None:
        if len(images) > 8:
            raise RuntimeError("out of memory")
        self.batches.add(len(images))

    face = mask = embed = people

    def alone(self, _: str) -> Any:
        class Network:
            def run(self, inputs: np.ndarray) -> np.ndarray:
                return inputs

        return Network()


def test_speed_is_measured_by_batch_size_until_the_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "TIMED_S", 0.0)
    image = np.zeros((32, 32, 3), np.uint8)
    whole = check.Check([image], "cpu", check.Budget(60))
    stub = StubNetworks()
    whole._speed("person", "torch-f32", stub, [image])
    assert stub.batches == {1, 2, 4, 8} and [item.batch for item in whole.speeds] == [1, 2, 4, 8]
    assert all(item.images_per_s > 0 and item.network_images_per_s > 0 for item in whole.speeds)
    assert [item.reason for item in whole.skipped] == ["out of memory"]


def test_what_does_not_fit_the_time_is_listed() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    late = check.Check([image], "cpu", check.Budget(0.0))
    late._speed("person", "torch-f32", StubNetworks(), [image])
    assert late.speeds == [] and late.skipped[0].what.startswith("person in torch-f32: speed at batch 1, 2")
