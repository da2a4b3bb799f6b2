"""Video files as coded pictures that are ready to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext

from evaluation.streaming.packetising import CLOCK_HZ, nal_type, nal_units, payloads
from zones.errors import LazarettoError

_FILTERS = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
_SETS = {"h264": (7, 8), "hevc": (32, 33, 34)}
_DELIMITER = {"h264": 9, "hevc": 35}
_IDR = {"h264": (5,), "hevc": (19, 20)}


@dataclass(frozen=True)
class Picture:
    """One coded picture.

    Attributes:
        number: from 0, in the order of the file.
        due: when it is sent, in ticks of 1/90,000 s from the beginning of the clip.
        shown: its timestamp, in the same ticks; not before `due`.
        key: whether decoding can begin with it.
        payloads: the RTP payloads.
    """

    number: int
    due: int
    shown: int
    key: bool
    payloads: tuple[bytes, ...]


@dataclass(frozen=True)
class Clip:
    """The pictures of one file.

    Attributes:
        path: the file.
        codec: h264 or hevc.
        sets: parameter sets, in the order VPS (H.265 only), SPS, PPS.
        pictures: in the order of decoding; the first is an IDR picture.
        ticks: duration, in ticks of 1/90,000 s.
    """

    path: Path
    codec: str
    sets: tuple[bytes, ...]
    pictures: tuple[Picture, ...]
    ticks: int


@lru_cache(maxsize=256)
def load(path: Path, sets_in_band: bool = True) -> Clip:
    """Read a file; each call for the same file gives the same clip.

    Args:
        path: a video file in H.264 or H.265.
        sets_in_band: whether the parameter sets are repeated before key frames.

    Raises:
        LazarettoError: the file cannot be read, or cannot be sent as it is.
    """
    try:
        with av.open(str(path)) as container:
            return _read(container, path, sets_in_band)
    except (OSError, av.FFmpegError) as error:
        raise LazarettoError(f"{path}: expected a video file that can be read, got: {error}") from error


def _read(container: av.container.InputContainer, path: Path, sets_in_band: bool) -> Clip:
    if not container.streams.video:
        raise LazarettoError(f"{path}: expected a video stream, found none")
    stream = container.streams.video[0]
    codec = stream.codec_context.name
    if codec not in _FILTERS:
        raise LazarettoError(f"{path}: expected H.264 or H.265, found {codec}")
    to_annex_b = BitStreamFilterContext(_FILTERS[codec], stream)
    packets = []
    for packet in container.demux(stream):
        packets.extend(to_annex_b.filter(packet if packet.size else None))
    if not packets:
        raise LazarettoError(f"{path}: expected pictures, found none")
    coded = [nal_units(bytes(packet)) for packet in packets]
    kinds = [nal_type(unit, codec) for unit in coded[0]]
    sets = tuple(next((u for u in coded[0] if nal_type(u, codec) == kind), b"") for kind in _SETS[codec])
    if not all(sets) or not any(kind in _IDR[codec] for kind in kinds):
        raise LazarettoError(
            f"{path}: expected an IDR picture with parameter sets first, found NAL units of the types {kinds}"
        )
    dts, pts = [p.dts for p in packets if p.dts is not None], [p.pts for p in packets if p.pts is not None]
    time_base = packets[0].time_base
    if len(dts) < len(packets) or len(pts) < len(packets):
        raise LazarettoError(f"{path}: expected a timestamp at each picture, found pictures without")
    due = [round((t - dts[0]) * time_base * CLOCK_HZ) for t in dts]
    shown = [round((t - dts[0]) * time_base * CLOCK_HZ) for t in pts]
    # Pictures are as far apart at the seam as they are on the whole.
    pitch = round(due[-1] / (len(due) - 1)) if len(due) > 1 else CLOCK_HZ
    return Clip(
        path=path,
        codec=codec,
        sets=sets,
        pictures=tuple(
            Picture(
                n,
                due[n],
                shown[n],
                packet.is_keyframe,
                tuple(payloads(_sent(units, codec, sets_in_band), codec)),
            )
            for n, (packet, units) in enumerate(zip(packets, coded, strict=True))
        ),
        ticks=due[-1] + pitch,
    )


def _sent(units: Sequence[bytes], codec: str, sets_in_band: bool) -> list[bytes]:
    left_out = {_DELIMITER[codec], *(() if sets_in_band else _SETS[codec])}
    return [unit for unit in units if nal_type(unit, codec) not in left_out]
