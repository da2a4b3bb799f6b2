"""Decoding of files on an NVIDIA GPU (NVDEC) by FFmpeg, whose build in PyAV's wheel can do it.

The container, the packets, their timestamps and the order of pictures stay FFmpeg's, as on the CPU, and so
does what it notices: packets that the container marks, pictures whose references are missing. What NVDEC does
not tell is damage inside a picture, which a decoder on the CPU finds while it reads the picture. So the CPU
is the default, and footage that arrives damaged has to be decoded there.
"""

from __future__ import annotations

import re

import av
from av.codec.hwaccel import HWAccel

from models.devices import Device
from models.errors import ModelError

CPU, NVDEC = "cpu", "nvdec"
LIMIT = (
    "NVDEC does not tell damage inside a picture: one that arrived damaged counts as watched; decode on the "
    "CPU where footage comes over a bad line"
)
"""What is said of every analysis that decodes on a GPU."""


def accelerator(decoder: str) -> HWAccel | None:
    """What a container is opened with to decode on a GPU; None for the CPU.

    Pictures are copied to the memory of the CPU, where crops and clips are made. A codec that NVDEC does not
    decode is decoded on the CPU.

    Args:
        decoder: cpu, nvdec or nvdec:N, the GPU's number as torch numbers them.

    Raises:
        ModelError: there is no such decoder.
    """
    found = re.fullmatch(rf"{CPU}|{NVDEC}(?::(\d+))?", decoder)
    if found is None:
        raise ModelError(f"expected a decoder among cpu, nvdec, nvdec:N, got {decoder!r}")
    if decoder == CPU:
        return None
    # One context for all cameras, that of torch: each of its own takes hundreds of MB.
    options: dict[str, object] = {"primary_ctx": "1"}
    return HWAccel("cuda", found[1] or "0", allow_software_fallback=True, options=options)


def check_decoder(decoder: str) -> None:
    """Refuse a decoder that this machine does not have.

    Args:
        decoder: as of `accelerator`.

    Raises:
        ModelError: there is no such decoder, or no such GPU or no driver for its video.
    """
    acceleration = accelerator(decoder)
    if acceleration is None:
        return
    try:
        av.CodecContext.create("h264", "r", hwaccel=acceleration)
    except (av.FFmpegError, OSError, NotImplementedError, ValueError) as error:
        # FFmpeg's own reason, such as "Operation not permitted", does not tell that there is no GPU.
        _require_gpu(decoder)
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ModelError(
            f"expected an NVIDIA GPU, and a driver with its video libraries, for the decoder {decoder}, got: "
            f"{reason}"
        ) from error


def _require_gpu(decoder: str) -> None:
    try:
        Device.choose(decoder.replace(NVDEC, "cuda"))
    except ModelError as error:
        raise ModelError(f"decoder {decoder}: {error}") from error
