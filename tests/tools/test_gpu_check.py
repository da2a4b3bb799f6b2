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
    monkeypatch.setattr("models.call_timing.TIMED_S", 0.0)
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


@pytest.mark.parametrize(
    "arguments",
    [
        ["frames", str(YARD), "--output", "OUT", "--count", "0"],
        ["frames", str(YARD), "--output", "FILE"],
        ["run", "OUT", "--device", "cpu", "--seconds", "nan"],
        ["run", "OUT", "--device", "cpu", "--seconds", "-1"],
        ["run", "OUT", "--device", "cpu"],
        ["run", "BROKEN", "--device", "cpu"],
        ["run", "BROKEN", "--device", "cpu", "--output", "FILE/report.json"],
        ["run", "BROKEN", "--device", "cpu", "--output", "OUT"],
    ],
)
def test_what_cannot_run_is_one_sentence_and_exit_code_2(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "OUT").mkdir()
    (tmp_path / "FILE").write_text("a file")
    (tmp_path / "BROKEN").mkdir()
    (tmp_path / "BROKEN" / "0.npy").write_bytes(b"")
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 2 and "Traceback" not in ran.stderr, ran.stderr
    assert "expected" in ran.stderr.strip().splitlines()[-1]
