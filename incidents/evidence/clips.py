"""Cut a clip out of recorded footage, as an MP4 file that plays in any browser.

Where the footage allows it, its packets are copied: the clip then holds the same bits as the recording,
from the key frame before the wanted moment. Otherwise the pictures are encoded again as H.264. Sound is
never copied.

Players show a clip in true proportions. A copied clip keeps the recorded pixels and states their shape, in
the container and in the codec. Where the recording states another shape or none, only that statement is
changed: the coded pictures stay bit for bit. An encoded clip has square pixels.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.video.stream import VideoStream

from incidents.evidence.encoding import Picture, Shown, encode, target
from incidents.evidence.footage import ClipSource, footage_in
from incidents.evidence.remux import Packets, packets_between
from vision.frames import SECOND, to_iso
from vision.sources.container import open_video
from vision.sources.decoded_frame import Converters, DecodedFrame
from vision.sources.files import pictures_between
from vision.sources.frame_clock import ClockState
from vision.sources.pixels import PixelShape, Size, same
from vision.sources.timeline import SourceError
from zones.errors import LazarettoError

LONGEST_LEAD = 5 * SECOND
"""How much earlier than wanted a copied clip may begin, at a key frame, in microseconds. Beyond that the clip
is encoded. Project default (docs/defaults.md)."""
FINEST_SHAPE = 2**14
"""Denominator up to which a clip states the shape of its pixels: H.264 has 16 bits for either side, and a
pixel may be up to 4 times as wide as high."""


class EvidenceError(LazarettoError):
    """Evidence cannot be cut, drawn, written or read."""


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What a clip is.

    Attributes:
        start_us: stream time of its first picture, microseconds UTC.
        end_us: when its last picture stops being shown.
        frames: number of pictures.
        width: px, as a player shows it.
        height: px, as a player shows it.
        mode: "copied" = the recording itself; "encoded" = anew from its pictures.
        codec: always "h264".
        bytes: length of the file.
        sha256: of the file, 64 hexadecimal digits.
    """

    start_us: int
    end_us: int
    frames: int
    width: int
    height: int
    mode: Literal["copied", "encoded"]
    codec: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A clip that was cut.

    Attributes:
        info: what it is.
        picture: the picture nearest to the moment asked for, as recorded: it was never encoded again.
        missing: a sentence for each recording of that time that is gone or was replaced.
    """

    info: ClipInfo
    picture: Picture
    missing: tuple[str, ...] = ()


def cut_clip(
    sources: Sequence[ClipSource],
    start: int,
    end: int,
    out: Path,
    moment: int | None = None,
    aspect: Fraction | None = None,
    quick: bool = False,
) -> Cut:
    """Write the footage of [start, end] (microseconds UTC) to `out`, an MP4 file with its index in front.

    Copied when one H.264 file in 4:2:0 with 8 bits holds it all, has a key frame at most `LONGEST_LEAD`
    before, is sound and has regular timestamps; a copied clip begins at that key frame. Encoded otherwise,
    across any number of files, with time kept: where there is no footage, the last picture stays. The window
    is clipped to what there is. A clip's time is stream time: t seconds into it is `start_us` + t.

    Args:
        sources: the camera's footage; only what overlaps the window is opened, if its end is known.
        start: of the window.
        end: of the window.
        out: path of the clip.
        moment: of the picture that is returned; None = `start`.
        aspect: width over height of the upright picture by the camera's setting; None = as the files state.
        quick: whether people wait for it: a clip that must be encoded is then larger and sooner done.

    Raises:
        EvidenceError: the window is empty, no source has footage in it, a source cannot be read, or the
            disk refuses the clip. Then `out` does not exist.
    """
    if end < start:
        raise EvidenceError(f"expected a clip that ends after {to_iso(start)}, got {to_iso(end)}")
    moment = start if moment is None else moment
    try:
        footage = footage_in(sources, start, end)
        if not footage.sources and footage.missing:
            raise SourceError("; ".join(footage.missing))
        cut = _cut_copied(footage.sources, start, end, out, moment, aspect)
        cut = cut or _cut_encoded(footage.sources, start, end, out, moment, aspect, quick)
        if cut is None:
            raise EvidenceError(
                f"expected footage from {to_iso(start)} to {to_iso(end)}, got none in {_names(sources)}"
            )
        return replace(cut, missing=footage.missing)
    except BaseException as error:
        with contextlib.suppress(OSError):
            out.unlink(missing_ok=True)
        if isinstance(error, av.FFmpegError | OSError):
            raise EvidenceError(f"{out}: the clip cannot be written: {error.strerror or error}") from error
        if isinstance(error, SourceError):
            raise EvidenceError(f"no clip of {to_iso(start)}: {error}") from error
        raise


def _cut_copied(
    sources: Sequence[ClipSource], start: int, end: int, out: Path, moment: int, aspect: Fraction | None
) -> Cut | None:
    if len(sources) != 1 or sources[0].clock is not ClockState.REGULAR:
        return None
    path, begin, fps = sources[0].path, sources[0].start_us, sources[0].fps
    with packets_between(path, begin, fps, start, end, LONGEST_LEAD) as picked:
        picture = None if picked is None else _copied(path, picked, out, moment, aspect)
        if picked is None or picture is None:
            return None
        return Cut(_info(out, picked.moments[0], picked.end_us, "copied"), picture)


def _cut_encoded(
    sources: Sequence[ClipSource],
    start: int,
    end: int,
    out: Path,
    moment: int,
    aspect: Fraction | None,
    quick: bool,
) -> Cut | None:
    pictures = _Nearest(_pictures(sources, start, end, aspect), moment)
    shown = encode(pictures, out, quick)
    if shown is None or pictures.best is None:
        return None
    return Cut(_info(out, *shown, "encoded"), pictures.best.picture())


class _Nearest(Iterator[Shown]):
    """Passes pictures on, and keeps the one nearest to a moment; of two as near, the earlier one."""

    def __init__(self, pictures: Iterator[Shown], moment: int) -> None:
        self._pictures, self._moment = pictures, moment
        self.best: Shown | None = None

    def __next__(self) -> Shown:
        picture = next(self._pictures)
        if self.best is None or abs(picture.t - self._moment) < abs(self.best.t - self._moment):
            self.best = picture
        return picture


def _names(sources: Sequence[ClipSource]) -> str:
    return ", ".join(str(source.path) for source in sources) or "no source at all"


def _copied(path: Path, picked: Packets, out: Path, moment: int, aspect: Fraction | None) -> Picture | None:
    """Write packets as they are, but for the shape of the pixels that they state, and decode what comes out.

    Returns:
        The picture nearest to `moment`; None where the clip does not decode or does not show the true
        proportions, and must be encoded.
    """
    pixels = PixelShape.of(picked.stream, aspect)
    stored, turned = (picked.stream.width, picked.stream.height), aspect is not None and _turned(path)
    shape = pixels.ratio(stored, turned, pixels.in_codec).limit_denominator(FINEST_SHAPE)
    try:
        with target(out, picked.moments[0]) as container:
            track = container.add_stream_from_template(picked.stream, opaque=True)
            track.time_base = picked.time_base
            for packet in _shaped(picked, track, shape):
                packet.stream = track
                container.mux(packet)
    except _NotRestatedError:
        return None
    nearest = min(range(len(picked.moments)), key=lambda n: abs(picked.moments[n] - moment))
    frames, image = 0, None
    try:
        with open_video(out) as (clip, stream):
            stated = PixelShape.of(stream, None)
            if not same(stated.ratio(stored, False, stated.in_codec), shape):
                return None
            for frame in clip.decode(stream):
                if frame.is_corrupt or (frames == 0 and frame.pts != 0):
                    return None
                if frames == nearest:
                    shown = DecodedFrame(
                        nearest, picked.moments[nearest], frame, Converters(), stated, stated.in_codec
                    )
                    image = shown.bgr()
                frames += 1
    except (av.FFmpegError, SourceError):
        return None
    if image is None or frames != len(picked.packets):
        return None
    return Picture(picked.moments[nearest], image)


class _NotRestatedError(Exception):
    """The parameter sets of a recording cannot be read well enough to change what they state."""


def _shaped(picked: Packets, track: VideoStream, shape: Fraction) -> Iterator[Packet[VideoStream]]:
    """Packets whose parameter sets, and the track that they go to, state the shape of the pixels.

    Raises:
        _NotRestatedError: that fails.
    """
    in_codec = picked.stream.codec_context.sample_aspect_ratio
    if same(in_codec or Fraction(1), shape):
        yield from picked.packets
        return
    text = f"h264_metadata=sample_aspect_ratio={shape.numerator}/{shape.denominator}"
    try:
        change = BitStreamFilterContext(text, picked.stream, track)
        packets = [changed for packet in [*picked.packets, None] for changed in change.filter(packet)]
    except av.FFmpegError as error:
        raise _NotRestatedError from error
    context = track.codec_context
    context.sample_aspect_ratio, context.codec_tag = shape, "\0\0\0\0"
    for packet in packets:
        packet.time_base = picked.time_base
        yield packet


def _turned(path: Path) -> bool:
    """Whether the pictures of a file must be turned by 90 degrees to be upright."""
    with open_video(path) as (container, stream):
        for packet in container.demux(stream):
            # The file may begin with damaged packets.
            with contextlib.suppress(av.FFmpegError):
                for frame in packet.decode():
                    return round(frame.rotation / 90) % 2 == 1
    return False


def _shown_size(path: Path) -> Size:
    """Width and height of a clip as a player shows it, px."""
    with open_video(path) as (container, stream):
        pixels, first = PixelShape.of(stream, None), next(container.decode(stream))
    turned = round(first.rotation / 90) % 2 == 1
    width, height = pixels.square((first.width, first.height), turned, pixels.in_codec)
    return (height, width) if turned else (width, height)


def _pictures(
    sources: Sequence[ClipSource], start: int, end: int, aspect: Fraction | None
) -> Iterator[Shown]:
    last: int | None = None
    for source in sources:
        anchored = source.clock is ClockState.ANCHORED
        for t, item in pictures_between(
            source.path, source.start_us, source.fps, start, end, aspect, anchored=anchored
        ):
            # Where files overlap, the earlier one is shown to its end.
            if last is None or t > last:
                last = t
                yield Shown(t, item)


def _info(out: Path, start: int, end: int, mode: Literal["copied", "encoded"]) -> ClipInfo:
    with open_video(out) as (container, stream):
        frames = sum(1 for packet in container.demux(stream) if packet.size)
    width, height = _shown_size(out)
    with out.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ClipInfo(start, end, frames, width, height, mode, "h264", out.stat().st_size, digest)
