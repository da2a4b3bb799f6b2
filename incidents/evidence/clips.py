"""Cut a clip out of recorded footage, as an MP4 file that plays in any browser.

Where the footage allows it, its packets are copied: the clip then holds the same bits as the recording,
from the key frame before the wanted moment. Otherwise the pictures are encoded again as H.264. Sound is
never copied.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import PictureType

from incidents.evidence.remux import Packets, packets_between
from vision.frames import SECOND, to_iso
from vision.sources.container import open_video
from vision.sources.files import images_between, source_span
from vision.sources.timeline import SourceError
from zones.errors import LazarettoError

LONGEST_LEAD = 5 * SECOND
"""How much earlier than wanted a copied clip may begin, at a key frame, in microseconds. Beyond that the clip
is encoded. Project default (docs/defaults.md)."""
QUALITY = {"preset": "veryfast", "crf": "23", "profile": "high", "forced-idr": "1", "bf": "0"}
"""Settings of libx264. crf 23 is its own default and looks close to the source. Without B-frames a picture is
decoded when it is shown, so players agree on where a clip of irregular pictures ends.
Project default (docs/defaults.md)."""
KEY_FRAME_EVERY = 2 * SECOND
"""Longest time between key frames of an encoded clip, in microseconds. It lets a reviewer step back without
delay. Project default (docs/defaults.md)."""
CLOCK = Fraction(1, 90_000)
"""Time base of encoded clips: exact for the common frame rates, and every player knows it."""
NEAREST_WITHIN = 2 * SECOND
"""Largest time between a wanted moment and its picture, in microseconds.
Project default (docs/defaults.md)."""
SMPTE_170M, LIMITED_RANGE = 6, 1
"""How encoded pictures are converted from BGR (ITU-T H.273), said in the clip lest players guess by size."""


class EvidenceError(LazarettoError):
    """Evidence cannot be cut, drawn, written or read."""


@dataclass(frozen=True, slots=True)
class ClipSource:
    """Footage to cut from.

    Attributes:
        path: a video file or an image sequence.
        start_us: stream time of its first picture, microseconds UTC.
        fps: rate that replaces the file's timestamps, or None.
    """

    path: Path
    start_us: int
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What a clip is.

    Attributes:
        start_us: stream time of its first picture, microseconds UTC.
        end_us: when its last picture stops being shown.
        frames: number of pictures.
        width: px, as shown.
        height: px, as shown.
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


def cut_clip(sources: Sequence[ClipSource], start: int, end: int, out: Path) -> ClipInfo:
    """Write the footage of [start, end] (microseconds UTC) to `out`, an MP4 file with its index in front.

    Copied when one H.264 file in 4:2:0 with 8 bits holds it all, has a key frame at most `LONGEST_LEAD`
    before, and is sound; a copied clip begins at that key frame. Encoded otherwise, across any number of
    files, with time kept: where there is no footage, the last picture stays. The window is clipped to
    what there is. A clip's time is stream time: t seconds into it is `start_us` + t.

    Raises:
        EvidenceError: the window is empty, no source has footage in it, a source cannot be read, or the
            disk refuses the clip. Then `out` does not exist.
    """
    if end < start:
        raise EvidenceError(f"expected a clip that ends after {to_iso(start)}, got {to_iso(end)}")
    try:
        used = _overlapping(sources, start, end)
        picked = None
        if len(used) == 1:
            picked = packets_between(used[0].path, used[0].start_us, used[0].fps, start, end, LONGEST_LEAD)
        if picked is not None and _copied(picked, out):
            return _info(out, picked.start_us, picked.end_us, "copied")
        shown = _encoded(used, start, end, out)
        if shown is None:
            raise EvidenceError(
                f"expected footage from {to_iso(start)} to {to_iso(end)}, got none in {_names(sources)}"
            )
        return _info(out, *shown, "encoded")
    except BaseException as error:
        with contextlib.suppress(OSError):
            out.unlink(missing_ok=True)
        if isinstance(error, av.FFmpegError | OSError):
            raise EvidenceError(f"{out}: the clip cannot be written: {error.strerror or error}") from error
        if isinstance(error, SourceError):
            raise EvidenceError(f"no clip of {to_iso(start)}: {error}") from error
        raise


def nearest_picture(sources: Sequence[ClipSource], t: int) -> tuple[int, np.ndarray]:
    """The picture nearest to a moment (microseconds UTC): its stream time, and the BGR image.

    Raises:
        EvidenceError: no source has a picture within `NEAREST_WITHIN`, or one cannot be read.
    """
    best: tuple[int, np.ndarray] | None = None
    try:
        for source in _overlapping(sources, t - NEAREST_WITHIN, t + NEAREST_WITHIN):
            for moment, image in images_between(
                source.path, source.start_us, source.fps, t - NEAREST_WITHIN, t + NEAREST_WITHIN
            ):
                if best is None or abs(moment - t) < abs(best[0] - t):
                    best = (moment, image)
                if moment >= t:
                    break
    except SourceError as error:
        raise EvidenceError(f"no picture of {to_iso(t)}: {error}") from error
    if best is None:
        raise EvidenceError(f"expected footage of {to_iso(t)}, got none in {_names(sources)}")
    return best


def _overlapping(sources: Sequence[ClipSource], start: int, end: int) -> list[ClipSource]:
    """The sources that may have footage in the window, in order of time."""
    found = []
    for source in sorted(sources, key=lambda s: (s.start_us, str(s.path))):
        span = source_span(source.path, source.fps) if source.start_us <= end else 0
        # A second more: containers round what they state.
        if source.start_us <= end and (span is None or source.start_us + span + SECOND >= start):
            found.append(source)
    return found


def _names(sources: Sequence[ClipSource]) -> str:
    return ", ".join(str(source.path) for source in sources) or "no source at all"


@contextlib.contextmanager
def _target(out: Path, start: int) -> Iterator[OutputContainer]:
    # Bit-exact: the same footage gives the same file, on whatever version it was cut.
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(out), "w", format="mp4", options=options) as container:
        container.metadata["creation_time"] = to_iso(start)
        yield container


def _copied(picked: Packets, out: Path) -> bool:
    """Write packets as they are; False where what comes out does not decode, and must be encoded."""
    with open_video(picked.path) as (_, template), _target(out, picked.start_us) as container:
        track = container.add_stream_from_template(template, opaque=True)
        track.time_base = picked.time_base
        for packet in picked.packets:
            packet.stream = track
            container.mux(packet)
    frames = 0
    try:
        with open_video(out) as (clip, stream):
            for frame in clip.decode(stream):
                if frame.is_corrupt or (frames == 0 and frame.pts != 0):
                    return False
                frames += 1
    except (av.FFmpegError, SourceError):
        return False
    return frames == len(picked.packets)


def _encoded(sources: Sequence[ClipSource], start: int, end: int, out: Path) -> tuple[int, int] | None:
    """Encode the pictures of the window; returns when the first begins and the last ends, None if none is."""
    pictures = _pictures(sources, start, end)
    first = next(pictures, None)
    if first is None:
        return None
    begin, image = first
    # 4:2:0 needs even sides. Scaled, not cropped: boxes in shares of the frame stay where they are.
    width, height = (max(2, side + side % 2) for side in (image.shape[1], image.shape[0]))
    last, step, next_key = begin, SECOND // 25, begin
    with _target(out, begin) as container:
        stream = container.add_stream("libx264", rate=25, options=dict(QUALITY))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = CLOCK
        context.colorspace, context.color_range = SMPTE_170M, LIMITED_RANGE
        for t, picture in chain([first], pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(
                width, height, "yuv420p", dst_colorspace="SMPTE170M", dst_color_range="MPEG", threads=1
            )
            frame.time_base = CLOCK
            frame.pts = round(Fraction(t - begin, SECOND) / CLOCK)
            if t >= next_key:
                # By time, not by count: footage may have any rate, or none that is constant.
                frame.pict_type, next_key = PictureType.I, t + KEY_FRAME_EVERY
            container.mux(stream.encode(frame))
            if t > last:
                step, last = min(t - last, SECOND), t
        for packet in stream.encode():
            # The encoder knows a nominal rate only, and with it would end the last picture too early.
            packet.duration = round(Fraction(step, SECOND) / CLOCK)
            container.mux(packet)
    return begin, last + step


def _pictures(sources: Sequence[ClipSource], start: int, end: int) -> Iterator[tuple[int, np.ndarray]]:
    last: int | None = None
    for source in sources:
        for t, image in images_between(source.path, source.start_us, source.fps, start, end):
            # Where files overlap, the earlier one is shown to its end.
            if last is None or t > last:
                last = t
                yield t, image


def _info(out: Path, start: int, end: int, mode: Literal["copied", "encoded"]) -> ClipInfo:
    with open_video(out) as (container, stream):
        frames = sum(1 for packet in container.demux(stream) if packet.size)
    with open_video(out) as (container, stream):
        first = next(container.decode(stream))
    width, height = first.width, first.height
    if round(first.rotation / 90) % 2:
        width, height = height, width
    with out.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ClipInfo(start, end, frames, width, height, mode, "h264", out.stat().st_size, digest)
