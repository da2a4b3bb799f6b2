"""Decoding on a GPU: what is asked of FFmpeg, and what is said where there is no GPU."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.errors import ModelError
from tests.running import lazaretto, one_sentence
from vision.frames import Frame
from vision.sources import hardware
from vision.sources.files import open_source

YARD = Path(__file__).parents[3] / "data" / "yard.mp4"


def has_nvdec() -> bool:
    try:
        hardware.check_decoder("nvdec")
    except ModelError:
        return False
    return True


def pictures(decoder: str, count: int = 12) -> list[Frame]:
    source = open_source(YARD, "yard", 0, decoder=decoder)
    return [item for item in islice(source.frames(), count) if isinstance(item, Frame)]


@pytest.mark.parametrize("wrong", ["gpu", "cpu:1", "nvdec:", "nvdec:x", ""])
def test_a_decoder_that_there_is_not_is_refused(wrong: str) -> None:
    hardware.check_decoder("cpu")
    with pytest.raises(ModelError, match=f"expected a decoder among cpu, nvdec, nvdec:N, got {wrong!r}"):
        hardware.check_decoder(wrong)


@pytest.mark.parametrize(("decoder", "number"), [("nvdec", 0), ("nvdec:99", 99)])
def test_a_machine_without_a_gpu_says_so(decoder: str, number: int) -> None:
    if number == 0 and has_nvdec():
        pytest.skip("this machine has NVDEC")
    with pytest.raises(ModelError) as caught:
        hardware.check_decoder(decoder)
    expected = rf"decoder {decoder}: expected a CUDA GPU number {number}, found \d GPU\(s\) on this machine"
    assert re.fullmatch(expected, str(caught.value))


def test_a_gpu_that_cannot_decode_is_told_from_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise NotImplementedError("hwaccel not supported")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(hardware.av.CodecContext, "create", refused)
    expected = (
        "expected an NVIDIA GPU, and a driver with its video libraries, for the decoder nvdec:0, got: "
        "hwaccel not supported"
    )
    with pytest.raises(ModelError, match=expected):
        hardware.check_decoder("nvdec:0")


def test_every_pass_over_a_file_asks_ffmpeg_for_the_gpu_and_shares_its_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[Any, ...]] = []

    def recorded(kind: str, device: str, **settings: Any) -> None:
        asked.append((kind, device, settings["options"], settings["allow_software_fallback"]))

    expected = pictures("cpu")
    monkeypatch.setattr(hardware, "HWAccel", recorded)
    found = pictures("nvdec:1")
    assert asked == [("cuda", "1", {"primary_ctx": "1"}, True)]
    assert [frame.t for frame in found] == [frame.t for frame in expected]
    pictures("cpu")
    assert len(asked) == 1, "the CPU asks for no GPU"


def test_an_analysis_with_a_decoder_that_is_not_here_writes_nothing(tmp_path: Path) -> None:
    if has_nvdec():
        pytest.skip("this machine has NVDEC")
    home = tmp_path / "home"
    facility = YARD.with_name("facility.yaml")
    ran = lazaretto("analyze", f"yard={YARD}", "--facility", facility, "--decoder", "nvdec", "--home", home)
    assert ran.code == 2 and "decoder nvdec: expected a CUDA GPU number 0, found" in one_sentence(ran)
    assert not home.exists()


def test_nvdec_decodes_what_the_cpu_decodes() -> None:
    if not has_nvdec():
        pytest.skip("needs an NVIDIA GPU with NVDEC")
    for one, other in zip(pictures("cpu"), pictures("nvdec"), strict=True):
        assert one.t == other.t and one.size == other.size
        np.testing.assert_array_equal(one.image, other.image)
