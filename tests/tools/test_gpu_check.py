"""The check of networks on a GPU, run on the CPU against itself."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
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
    assert len(list(folder.glob("*.png"))) == 2 and (folder / "clips" / "yard.npz").is_file()
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


@pytest.fixture(scope="module")
def clip(frames: Path) -> Any:
    [held] = check.read_clips(frames)
    return replace(held, packets=held.packets[:60])


def test_the_path_of_pictures_is_measured_stage_by_stage(
    frames: Path, clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RUN_S": 0.3, "CAMERAS": (2,), "DECODERS": (2,)}.items():
        monkeypatch.setattr(check.path, name, value)
    monkeypatch.setattr("models.call_timing.TIMED_S", 0.0)
    budget = check.Budget(1000)
    whole, stages = check.Check(check.read_frames(frames), "cpu", budget), check.Stages(budget)
    whole.load()
    check.whole_path(whole, check.read_clips(frames), stages)
    assert stages.failed == []
    [decoded] = stages.results["decoding"]
    assert decoded["pictures"] == 250 and set(decoded["levels_apart"].values()) == {0}
    assert len(whole.comparisons) == 4 and all(item.agrees for item in whole.comparisons)
    assert all(item.objects > 3 for item in whole.comparisons)
    [cameras] = stages.results["cameras"]
    assert cameras["threads"] == 2 and cameras["decoder"] == "Ffmpeg" and cameras["decoded_per_s"] > 0
    assert stages.results["decoding_speed"][0]["pictures_per_s"] > 0
    assert [item["pictures"] for item in stages.results["ffmpeg"]] == [250]
    assert set(stages.results["pictures"][0]["ms"]) >= {"colours", "input of the network"}


def test_a_stage_that_fails_is_one_sentence_and_the_others_go_on() -> None:
    stages = check.Stages(check.Budget(60))

    def fail() -> dict[str, Any]:
        raise RuntimeError("the driver is too old\nand a trace of many lines")

    stages.keep("decoding", "first", 1, fail)
    stages.keep("decoding", "second", 1, lambda: {"pictures": 3})
    stages.keep("decoding", "third", 600, lambda: {"pictures": 4})
    assert [(item.stage, item.reason) for item in stages.failed] == [
        ("first", "RuntimeError: the driver is too old")
    ]
    assert stages.results["decoding"] == [{"stage": "second", "pictures": 3}]
    assert [item.what for item in stages.skipped] == ["third"]


def test_pictures_that_differ_or_are_missing_are_reported(clip: Any) -> None:
    with pytest.raises(check.path.DisagreesError, match="expected 250 pictures, as the CPU decodes, got 60"):
        check.path.check_decoding(clip, check.path.ffmpeg(clip, "cpu"))
    other = {0: 255 - clip.pictures[0]}
    wrong = replace(clip, packets=clip.packets[:5], frames=5, pictures=other)
    with pytest.raises(check.path.DisagreesError, match="expected pictures within 2 levels"):
        check.path.check_decoding(wrong, check.path.ffmpeg(wrong, "cpu"))


def test_pictures_held_on_a_device_stand_in_for_decoded_ones(clip: Any) -> None:
    held = check.path.Held(clip, "cpu")
    surfaces = list(check.path.all_frames(held, clip.packets[:4]))
    assert len(surfaces) == 4 and surfaces[0].nv12.shape == (864, 768)
    picture = check.path.bgr_of_nv12(surfaces[0].nv12, clip.colours).numpy()
    assert np.abs(picture.astype(int) - clip.pictures[0]).mean() < 3  # its chroma is averaged once more


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
    assert whole.skipped[-1].reason == "out of memory"


def test_what_does_not_fit_the_time_is_listed() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    late = check.Check([image], "cpu", check.Budget(0.0))
    late._speed("person", "torch-f32", StubNetworks(), [image])
    assert late.speeds == [] and late.skipped[-1].what.startswith("person in torch-f32: speed at batch 1, 2")


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
