"""NVDEC through a library of its shape that decodes on the CPU: packets in, copies of surfaces out."""

from __future__ import annotations

import ctypes
import sys
from contextlib import nullcontext
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
import torch
from av.bitstream import BitStreamFilterContext

from vision.sources.nvdec import Nvdec, NvdecError, missing

YARD = Path(__file__).parents[3] / "data" / "yard.mp4"


class Kinds(Enum):
    H264 = 4
    HEVC = 8


class Shared:
    """A picture in memory that the decoder writes over with the next packet, shared by DLPack."""

    def __init__(self, memory: torch.Tensor, pts: int, kind: str) -> None:
        self._memory, self._pts, self.format = memory, pts, f"Pixel_Format.{kind}"

    def __dlpack__(self, **options: Any) -> Any:
        return self._memory.__dlpack__()

    def __dlpack_device__(self) -> Any:
        return self._memory.__dlpack_device__()

    def getPTS(self) -> int:
        return self._pts


class Decoder:
    """Decodes H.264 on the CPU into memory that it uses again for every call."""

    def __init__(self, kind: str) -> None:
        self._codec: Any = av.CodecContext.create("h264", "r")
        self._kind = kind
        self._memory: list[torch.Tensor] = []

    def Decode(self, packet: Any) -> list[Shared]:
        read: Any = None
        if packet.bsl:
            read = av.Packet(ctypes.string_at(packet.bsl_data, packet.bsl))
            read.pts = read.dts = packet.pts
        frames = self._codec.decode(read)
        given = []
        for number, frame in enumerate(frames):
            nv12 = torch.from_numpy(frame.to_ndarray(format="nv12"))
            if number == len(self._memory):
                self._memory.append(torch.empty_like(nv12)[..., None])
            self._memory[number][..., 0] = nv12
            given.append(Shared(self._memory[number], frame.pts, self._kind))
        return given


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module in place of PyNvVideoCodec, and streams of the GPU that do nothing."""
    module: Any = ModuleType("PyNvVideoCodec")
    module.__spec__ = sys.__spec__
    module.cudaVideoCodec, module.kind = Kinds, "NV12"
    module.PacketData = type("PacketData", (), {})
    module.CreateDecoder = lambda gpuid, codec, usedevicememory: Decoder(module.kind)
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", module)

    class Stream:
        def __init__(self, **_: Any) -> None: ...

        def synchronize(self) -> None: ...

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "default_stream", lambda _: None)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
    return module  # type: ignore[no-any-return]


def packets(count: int) -> list[bytes]:
    with av.open(str(YARD)) as container:
        stream = container.streams.video[0]
        through = BitStreamFilterContext("h264_mp4toannexb", stream)
        found = [bytes(out) for packet in container.demux(stream) for out in through.filter(packet)]
    return found[:count]


def test_surfaces_are_copies_with_the_timestamps_of_their_packets(library: ModuleType) -> None:
    decoder = Nvdec("h264")
    data = packets(40)
    surfaces = [surface for n, part in enumerate(data) for surface in decoder.decode(part, 1000 + 40 * n)]
    surfaces += decoder.finish()
    # The packets are numbered in decoding order, and the pictures come in the order in which they are shown.
    assert sorted(surface.pts for surface in surfaces) == [1000 + 40 * n for n in range(40)]
    with av.open(str(YARD)) as container:
        # The last ones refer to pictures behind the cut.
        for surface, frame in zip(surfaces[:32], container.decode(video=0), strict=False):
            assert surface.nv12.shape == (864, 768)
            assert np.array_equal(surface.nv12.numpy(), frame.to_ndarray(format="nv12"))


def test_what_nvdec_cannot_decode_is_one_sentence(library: Any) -> None:
    with pytest.raises(NvdecError, match=r"expected a codec among h264, .*, got mjpeg"):
        Nvdec("mjpeg")
    library.kind = "P016"
    decoder = Nvdec("h264")
    with pytest.raises(NvdecError, match=r"expected pictures of 8 bit 4:2:0 \(NV12\), got Pixel_Format.P016"):
        for number, data in enumerate(packets(10)):
            decoder.decode(data, number)
        decoder.finish()

    def refuse(**_: Any) -> None:
        raise ValueError("CUDA_ERROR_NO_DEVICE\nmany lines")

    library.CreateDecoder = refuse
    with pytest.raises(NvdecError, match=r"^expected NVDEC to decode h264: CUDA_ERROR_NO_DEVICE$"):
        Nvdec("h264")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("vision.sources.nvdec.PACKAGE", "no_such_decoder")
    assert missing() == "it needs the package no_such_decoder (pip install 'lazaretto[gpu]')"
    with pytest.raises(NvdecError, match="expected a machine with NVDEC, and it needs the package"):
        Nvdec("h264")
    (tmp_path / "broken_decoder.py").write_text("raise RuntimeError('no driver\\nSteps to take')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("vision.sources.nvdec.PACKAGE", "broken_decoder")
    assert missing() == "the package broken_decoder cannot be loaded: no driver"
