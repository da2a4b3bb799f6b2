"""Decoding on a GPU: packets in, NV12 surfaces in its memory out, by NVDEC through PyNvVideoCodec.

The container is not opened here: the caller has the packets, those of H.264 and H.265 with start codes
(Annex B).
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = "PyNvVideoCodec"
INSTALL = "pip install 'lazaretto[gpu]'"
CODECS = {
    "h264": "H264",
    "hevc": "HEVC",
    "av1": "AV1",
    "vp8": "VP8",
    "vp9": "VP9",
    "mpeg4": "MPEG4",
    "mpeg2video": "MPEG2",
}
"""FFmpeg's names of the codecs that NVDEC decodes, and PyNvVideoCodec's."""
START_CODES = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
"""FFmpeg's bitstream filters that put start codes before the units of a packet, by codec."""


class NvdecError(Exception):
    """NVDEC cannot decode this: a sentence that says why."""


@dataclass(frozen=True)
class Surface:
    """A decoded picture in the memory of a device.

    Attributes:
        pts: the timestamp of its packet.
        nv12: (H * 3 / 2, W), uint8, see `models.runtimes.surfaces`. It is a copy: the decoder writes over its
            own.
    """

    pts: int
    nv12: Tensor


class SurfaceDecoder(Protocol):
    """What decodes the packets of one video, given in decoding order by one thread."""

    def decode(self, data: bytes, pts: int) -> list[Surface]:
        """Take a packet: the pictures that are complete, in the order in which they are shown."""

    def finish(self) -> list[Surface]:
        """The pictures that are left, after the last packet."""


def missing() -> str | None:
    """What of this machine NVDEC lacks to be used, with the remedy; None if the package can be loaded."""
    if importlib.util.find_spec(PACKAGE) is None:
        return f"it needs the package {PACKAGE} ({INSTALL})"
    try:
        importlib.import_module(PACKAGE)
    except Exception as error:  # it raises what its search for a driver raises
        return f"the package {PACKAGE} cannot be loaded: {first_line(error)}"
    return None


def first_line(error: BaseException) -> str:
    """The text of an error up to its first line break, at most 200 characters."""
    return (str(error).strip().split("\n")[0] or type(error).__name__)[:200]


class Nvdec:
    """A decoder of one video on a GPU; a `SurfaceDecoder`."""

    def __init__(self, codec: str, gpu: int = 0) -> None:
        """Open a decoder.

        Args:
            codec: FFmpeg's name of the codec.
            gpu: number of the GPU, as torch numbers them.

        Raises:
            NvdecError: the package or the driver is missing, or this GPU does not decode the codec.
        """
        if codec not in CODECS:
            raise NvdecError(f"expected a codec among {', '.join(CODECS)}, got {codec}")
        reason = missing()
        if reason is not None:
            raise NvdecError(f"expected a machine with NVDEC, and {reason}")
        import torch

        self._library: Any = importlib.import_module(PACKAGE)
        kind = getattr(self._library.cudaVideoCodec, CODECS[codec])
        try:
            self._decoder: Any = self._library.CreateDecoder(gpuid=gpu, codec=kind, usedevicememory=True)
            # A stream of its own, so that copies do not wait for the networks.
            self._stream: Any = torch.cuda.Stream(device=gpu)  # type: ignore[no-untyped-call]
        except Exception as error:  # the library has its own, beside RuntimeError and ValueError
            raise NvdecError(f"expected NVDEC to decode {codec}: {first_line(error)}") from error
        self._gpu = gpu

    def decode(self, data: bytes, pts: int) -> list[Surface]:
        """Take a packet; see `SurfaceDecoder`.

        Raises:
            NvdecError: the decoder refuses the packet, or gives pictures that are not 8 bit 4:2:0.
        """
        held = np.frombuffer(data, np.uint8)  # the packet holds an address only
        packet = self._library.PacketData()
        packet.bsl_data, packet.bsl, packet.pts = held.ctypes.data if len(held) else 0, len(held), pts
        try:
            frames = self._decoder.Decode(packet)
        except Exception as error:
            raise NvdecError(f"NVDEC refused a packet: {first_line(error)}") from error
        return self._copies(frames)

    def finish(self) -> list[Surface]:
        """The pictures that are left; see `SurfaceDecoder`."""
        return self.decode(b"", 0)  # a packet without data ends the stream

    def _copies(self, frames: Any) -> list[Surface]:
        import torch
        from torch.utils.dlpack import from_dlpack

        if not frames:
            return []
        found = []
        try:
            with torch.cuda.stream(self._stream):
                for frame in frames:
                    if "NV12" not in str(frame.format):
                        raise NvdecError(f"expected pictures of 8 bit 4:2:0 (NV12), got {frame.format}")
                    shared = from_dlpack(frame)  # waits, on the stream, for the decoder
                    copy = shared.reshape(shared.shape[0], shared.shape[1]).clone()
                    copy.record_stream(torch.cuda.default_stream(self._gpu))
                    found.append(Surface(int(frame.getPTS()), copy))
            self._stream.synchronize()  # the next packet may be decoded into the same memory
        except RuntimeError as error:
            raise NvdecError(f"a picture of NVDEC cannot be read: {first_line(error)}") from error
        return found
