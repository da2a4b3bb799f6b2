"""Decoding on a GPU: what is asked of FFmpeg, and what is said where there is no GPU."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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


def test_a_machine_without_a_gpu_says_so() -> None:
    if has_nvdec():
        pytest.skip("this machine has NVDEC")
    with pytest.raises(
        ModelError, match=r"expected an NVIDIA GPU, and a driver .*, for the decoder nvdec, got: \w+"
    ):
        hardware.check_decoder("nvdec")


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
    assert ran.code == 2 and "expected an NVIDIA GPU" in one_sentence(ran)
    assert not home.exists()


def test_nvdec_decodes_what_the_cpu_decodes() -> None:
    if not has_nvdec():
        pytest.skip("needs an NVIDIA GPU with NVDEC")
    for one, other in zip(pictures("cpu"), pictures("nvdec"), strict=True):
        assert one.t == other.t and one.size == other.size
        np.testing.assert_array_equal(one.image, other.image)
