from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models import exporting
from models.devices import Device, Predictor
from models.errors import ModelError
from models.registry import resolve


@pytest.mark.parametrize("flag", ["gpu", "cuda:x", "cpu:0", "", "auto:1", "mps"])
def test_devices_that_are_none_are_refused(flag: str) -> None:
    with pytest.raises(ModelError, match="expected a device among auto, cpu, cuda, cuda:N"):
        Device.choose(flag)


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    assert str(Device.choose("auto")) == ("cuda:0" if torch.cuda.is_available() else "cpu")


def test_a_gpu_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ModelError, match="expected a CUDA GPU number 99, found"):
        Device.choose("cuda:99")


@pytest.mark.parametrize("imgsz", [0, 100, -32])
def test_sizes_that_the_network_cannot_take_are_refused(imgsz: int) -> None:
    with pytest.raises(ModelError, match="multiple of 32"):
        Predictor(resolve("person"), Device("cpu"), imgsz, 0.25, None)


def test_nobody_in_a_blank_image_and_nothing_for_no_image() -> None:
    predict = Predictor(resolve("person"), Device("cpu"), 320, 0.25, None)
    assert predict.classes == ("person",)
    assert [rows.shape for rows in predict([np.zeros((240, 320, 3), np.uint8)])] == [(0, 6)]
    assert predict([]) == []


def test_an_export_is_made_once_and_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAZARETTO_CACHE", str(tmp_path / "cache"))
    made = exporting.openvino(resolve("person"))
    first = {path: path.stat().st_mtime_ns for path in made.iterdir()}
    assert exporting.openvino(resolve("person")) == made
    assert {path: path.stat().st_mtime_ns for path in made.iterdir()} == first
    assert [path.name for path in made.parent.iterdir()] == [made.name]


def test_a_cache_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("LAZARETTO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match="cannot export person below"):
        exporting.openvino(resolve("person"))
