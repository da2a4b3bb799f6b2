"""Clips for the check of decoding: the packets that the pipeline would give a decoder, and true pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from gpu_checks.report import CannotRunError
from models.agreement import Image
from models.runtimes.surfaces import Colours
from vision.sources.nvdec import START_CODES, Surface

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

PACKETS = 250
"""Packets of a clip, at most: 10 s at 25 frames/s."""
PICTURES = 3
"""Pictures of a clip that are compared."""


@dataclass(frozen=True)
class Clip:
    """A video in packets, from its first key frame on.

    Attributes:
        name: of the file; codec: FFmpeg's name; rate: frames per second.
        size: width and height, px.
        packets: in decoding order, with start codes.
        frames: pictures in them, as FFmpeg decodes them.
        colours: how they are coded.
        pictures: by number in the order in which they are shown: H x W x 3 BGR, from the CPU.
    """

    name: str
    codec: str
    rate: float
    size: tuple[int, int]
    packets: tuple[bytes, ...]
    frames: int
    colours: Colours
    pictures: dict[int, Image]


class Ffmpeg:
    """A decoder by FFmpeg, whose pictures are on the CPU: in software, or NVDEC; a `SurfaceDecoder`."""

    def __init__(self, codec: str, decoder: str = "cpu") -> None:
        """Open it.

        Args:
            codec: FFmpeg's name of the codec.
            decoder: see `vision.sources.hardware`.
        """
        import av

        from vision.sources.hardware import accelerator

        self._codec = av.CodecContext.create(codec, "r", hwaccel=accelerator(decoder))

    def decode(self, data: bytes, pts: int) -> list[Surface]:
        """The pictures that are complete with a packet."""
        import av

        packet = av.Packet(data)
        packet.pts = packet.dts = pts
        return [_surface(frame) for frame in self._codec.decode(packet)]  # type: ignore[attr-defined]

    def finish(self) -> list[Surface]:
        """The pictures that are left."""
        return [_surface(frame) for frame in self._codec.decode(None)]  # type: ignore[attr-defined]


class Held:
    """The pictures of a clip, converted on the CPU and held on a device, one a packet: a `SurfaceDecoder`.

    It stands in where there is no NVDEC, so that what follows decoding can still be measured.
    """

    def __init__(self, clip: Clip, device: str) -> None:
        """Bring the pictures to the device."""
        import torch

        planes = [_nv12(picture) for picture in clip.pictures.values()]
        self._surfaces = [torch.from_numpy(nv12).to(device) for nv12 in planes]

    def decode(self, data: bytes, pts: int) -> list[Surface]:
        """The next of the pictures."""
        return [Surface(pts, self._surfaces[pts % len(self._surfaces)])]

    def finish(self) -> list[Surface]:
        """Nothing: every packet gave its picture."""
        return []


def _nv12(picture: Image) -> npt.NDArray[np.uint8]:
    height, width = picture.shape[:2]
    planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    chroma = (
        planes[height:].reshape(2, height // 2, width // 2).transpose(1, 2, 0).reshape(height // 2, width)
    )
    return np.ascontiguousarray(np.concatenate([planes[:height], chroma]), np.uint8)


def _surface(frame: VideoFrame) -> Surface:
    import torch

    return Surface(frame.pts or 0, torch.from_numpy(frame.to_ndarray(format="nv12")))


def read_clips(folder: Path) -> list[Clip]:
    """The clips in a folder of frames, in order of their names.

    Raises:
        CannotRunError: one cannot be read.
    """
    clips = []
    for path in sorted((folder / "clips").glob("*.npz")):
        try:
            with np.load(path) as held:
                clips.append(_clip(path.stem, held))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise CannotRunError(f"{path}: expected a clip that `frames` wrote: {error}") from error
    return clips


def _clip(name: str, held: Any) -> Clip:
    data, ends = held["data"].tobytes(), held["ends"].tolist()
    return Clip(
        name=name,
        codec=str(held["codec"]),
        rate=float(held["rate"]),
        size=(int(held["size"][0]), int(held["size"][1])),
        packets=tuple(data[first:last] for first, last in zip([0, *ends], ends, strict=False)),
        frames=int(held["frames"]),
        colours=Colours(int(held["colours"][0]), bool(held["colours"][1])),
        pictures=dict(zip(held["numbers"].tolist(), held["pictures"], strict=True)),
    )


def write_clip(video: Path, folder: Path) -> Path | None:
    """Write the clip of a video as .npz; needs PyAV.

    Returns:
        The file; None where the video is not 8 bit 4:2:0, which is left to the CPU.

    Raises:
        CannotRunError: the video cannot be read.
    """
    import av
    from av.video.reformatter import VideoReformatter

    try:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            if stream.codec_context.pix_fmt not in ("yuv420p", "yuvj420p"):
                return None
            codec, rate = stream.codec_context.name, float(stream.average_rate or 25)
            packets = [bytes(packet) for packet in islice(annex_b(container.demux(stream), stream), PACKETS)]
            decoder = av.CodecContext.create(codec, "r")
            frames: list[VideoFrame] = []
            for number, data in enumerate([*packets, None]):
                packet = None if data is None else av.Packet(data)
                if packet is not None:
                    packet.pts = packet.dts = number
                frames += decoder.decode(packet)  # type: ignore[attr-defined]
    except (av.FFmpegError, IndexError) as error:
        raise CannotRunError(f"{video}: expected a video, it cannot be decoded: {error}") from error
    if not frames:
        raise CannotRunError(f"{video}: expected a video, got one without frames")
    numbers = sorted({len(frames) * part // PICTURES for part in range(PICTURES)})
    reformatter = VideoReformatter()
    first = frames[0]
    full_range = first.format.name == "yuvj420p" or first.color_range == 2
    pictures = [reformatter.reformat(frames[n], format="bgr24", threads=1).to_ndarray() for n in numbers]
    path = folder / "clips" / f"{video.stem}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        data=np.frombuffer(b"".join(packets), np.uint8),
        ends=np.cumsum([len(data) for data in packets]),
        codec=codec,
        rate=rate,
        size=np.array([first.width, first.height]),
        frames=len(frames),
        colours=np.array([int(first.colorspace), int(full_range)]),
        numbers=np.array(numbers),
        pictures=np.stack(pictures),
    )
    return path


def annex_b(packets: Iterator[Packet[VideoStream]], stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Packets of a stream with start codes, as decoders on GPUs take them; without the empty last one."""
    from av.bitstream import BitStreamFilterContext

    name = START_CODES.get(stream.codec_context.name)
    through = BitStreamFilterContext(name, stream) if name else None
    for packet in packets:
        if packet.size:
            yield from through.filter(packet) if through is not None else [packet]


def all_frames(decoder: Any, packets: Sequence[bytes]) -> Iterator[Surface]:
    """All pictures of packets, in the order in which they are shown."""
    for number, data in enumerate(packets):
        yield from decoder.decode(data, number)
    yield from decoder.finish()
