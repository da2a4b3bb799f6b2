"""Selects the packets of a recording that make a clip, so that a clip needs no decoding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path
from statistics import median

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vision.frames import SECOND
from vision.sources.container import (
    MAX_REORDERED_FRAMES,
    open_video,
    seek_before,
    stamp_of_index,
    timeline_of,
)
from vision.sources.timeline import Timeline, index_time

COPYABLE_PIXEL_FORMATS = frozenset({"yuv420p", "yuvj420p"})
"""Pixel formats that every browser plays in H.264: 4:2:0 with 8 bits."""
MIN_CLOCK_HZ = 10_000
"""Least units per second of the time base of a clip."""
IDR, SPS, PPS = 5, 7, 8
"""Types of NAL units (ITU-T H.264, table 7-1): IDR picture, sequence parameter set, picture parameter set."""
CLOCK = Fraction(1, 90_000)
"""Time base of clips whose times are given by a frame rate."""


@dataclass(frozen=True, slots=True)
class Packets:
    """Packets of one file that make a clip, their times counted from its first picture.

    Attributes:
        stream: the stream of the open file that they belong to.
        packets: in decoding order, the first one a key frame; timestamps are in `time_base`.
        time_base: seconds per unit.
        moments: stream times of the pictures, microseconds UTC, in the order in which they are shown.
        end_us: when the last picture stops being shown.
    """

    stream: VideoStream
    packets: list[Packet[VideoStream]]
    time_base: Fraction
    moments: list[int]
    end_us: int


@contextmanager
def packets_between(
    path: Path,
    source_start: int,
    fps: float | None,
    start: int,
    end: int,
    longest_lead: int,
    playable: bool = True,
) -> Iterator[Packets | None]:
    """The packets that show [start, end] (microseconds UTC), from the last key frame before `start`.

    The file is open as long as the context lasts.

    Args:
        path: a video file.
        source_start: stream time of its first picture, microseconds UTC.
        fps: rate that replaces its timestamps, or None.
        start: of the window.
        end: of the window.
        longest_lead: how much earlier the first packet may be, microseconds.
        playable: whether browsers must play the packets.

    Yields:
        None where times are missing, no key frame lies at most `longest_lead` before `start`, or the window
        holds no picture. If they must be playable, also where the video is not H.264 in 4:2:0 with 8 bits,
        parameter sets are missing or change, or the key frame is no IDR picture.

    Raises:
        SourceError: the file cannot be opened.
    """
    with ExitStack() as stack:
        yield _picked(stack, path, source_start, fps, max(start, source_start), end, longest_lead, playable)


def _picked(
    stack: ExitStack,
    path: Path,
    source_start: int,
    fps: float | None,
    start: int,
    end: int,
    longest_lead: int,
    playable: bool,
) -> Packets | None:
    if path.is_dir() or not path.is_file():
        return None
    container, stream = stack.enter_context(open_video(path))
    timeline = timeline_of(path, container, stream, source_start, fps)
    context = stream.codec_context
    plays = context.name == "h264" and context.pix_fmt in COPYABLE_PIXEL_FORMATS
    if timeline.by_dts or (playable and not plays):
        return None
    first_index = timeline.first_index(start) if fps is not None else 0
    wanted = timeline.at(start - source_start) if fps is None else stamp_of_index(path, first_index)
    if wanted is None:
        return None
    if not seek_before(container, stream, timeline, wanted, keys=1):
        container, stream = stack.enter_context(open_video(path))
    group = _gather(container, stream, timeline, wanted, first_index, end)
    if not group or (playable and not _self_contained(group, context.extradata or b"")):
        return None
    return _timed(stream, group, timeline, wanted, first_index, (start, end), longest_lead)


def _gather(
    container: InputContainer,
    stream: VideoStream,
    timeline: Timeline,
    wanted: int,
    first_index: int,
    end: int,
) -> list[Packet[VideoStream]]:
    """Packets from the key frame at or before `wanted` to just past `end`; empty where a packet is damaged.

    The cut lies where no later packet is shown before a kept one: so no picture is left out, and every
    picture that another was predicted from is kept.
    """
    limit = None if timeline.fps is not None else timeline.at(end - timeline.start)
    count = 0 if timeline.fps is None else timeline.first_index(end + 1) - first_index
    kept: list[Packet[VideoStream]] = []
    beyond = 0
    for packet in container.demux(stream):
        if not packet.size or not (kept or packet.is_keyframe):
            continue
        if packet.pts is None or packet.is_discard or packet.is_corrupt:
            return []
        if packet.is_keyframe and packet.pts <= wanted:
            kept = []
        kept.append(packet)
        if packet.pts >= wanted and (limit is None or packet.pts > limit):
            beyond += 1
        if beyond > count + MAX_REORDERED_FRAMES:
            break
    shown = sorted(stamp for stamp in map(_stamp, kept) if stamp >= wanted)
    if limit is None and shown:
        limit = shown[min(count, len(shown)) - 1]
    inside = [n for n, packet in enumerate(kept) if limit is not None and _stamp(packet) <= limit]
    if not inside:
        return []
    cut = inside[-1] + 1
    while any(_stamp(later) < max(map(_stamp, kept[:cut])) for later in kept[cut:]):
        cut += 1
    return kept[:cut]


def _timed(
    stream: VideoStream,
    group: list[Packet[VideoStream]],
    timeline: Timeline,
    wanted: int,
    first_index: int,
    window: tuple[int, int],
    longest_lead: int,
) -> Packets | None:
    """Give packets their times in the clip; None where the clip would begin too early or miss the window."""
    shown = sorted(map(_stamp, group))
    if len(set(shown)) < len(shown):
        return None
    if timeline.fps is None:
        # The time base separates the decoding times of pictures that are shown in one unit of the source.
        fine = ceil(timeline.time_base * MIN_CLOCK_HZ)
        time_base = timeline.time_base / fine
        offsets = [(stamp - shown[0]) * fine for stamp in shown]
        moments = [timeline.start + timeline.elapsed(stamp) for stamp in shown]
    else:
        time_base = CLOCK
        offsets = [round(n / timeline.fps / CLOCK) for n in range(len(shown))]
        index = first_index - sum(stamp < wanted for stamp in shown)
        moments = [index_time(timeline.start, index + n, timeline.fps) for n in range(len(shown))]
    start, end = window
    if start - moments[0] > longest_lead or not any(start <= t <= end for t in moments):
        return None
    steps = [after - before for before, after in pairwise(offsets)]
    step = int(median(steps)) if steps else max(1, round(1 / (25 * time_base)))
    # Decoding times are computed anew, each as late as possible. Then the last packet is decoded when it is
    # shown, and decoding and showing give the same length of the track, whichever a player reads.
    rank = {stamp: n for n, stamp in enumerate(shown)}
    latest = length = offsets[-1] + step
    for packet in reversed(group):
        packet.pts = offsets[rank[_stamp(packet)]]
        packet.dts = min(packet.pts, latest - 1)
        packet.duration = latest - packet.dts
        packet.time_base = time_base
        latest = packet.dts
    return Packets(stream, group, time_base, moments, moments[0] + int(length * time_base * SECOND))


def _stamp(packet: Packet[VideoStream]) -> int:
    if packet.pts is None:
        raise ValueError("expected a packet with a presentation time, got one without")
    return packet.pts


def _self_contained(group: list[Packet[VideoStream]], extradata: bytes) -> bool:
    """Whether packets begin with an IDR picture and need no parameter sets but those of the header.

    MP4 players read only the header's parameter sets. After another kind of key frame, some decoders show
    nothing until the next IDR picture.
    """
    if extradata[:1] == b"\1" and len(extradata) > 6:
        size = (extradata[4] & 3) + 1
        known = set(_header_units(extradata))
    else:
        size = 0
        known = {unit for unit in _units(extradata, 0) if unit[0] & 31 in (SPS, PPS)}
    if not known:
        return False
    for n, packet in enumerate(group):
        units = list(_units(bytes(packet), size))
        kinds = {unit[0] & 31 for unit in units}
        if n == 0 and IDR not in kinds:
            return False
        if any(unit[0] & 31 in (SPS, PPS) and unit not in known for unit in units):
            return False
    return True


def _header_units(extradata: bytes) -> Iterator[bytes]:
    """The parameter sets of an avcC header (ISO/IEC 14496-15, 5.3.3.1)."""
    at = 5
    for mask in (31, 255):
        count = extradata[at] & mask if at < len(extradata) else 0
        at += 1
        for _ in range(count):
            length = int.from_bytes(extradata[at : at + 2], "big")
            yield extradata[at + 2 : at + 2 + length]
            at += 2 + length


def _units(data: bytes, size: int) -> Iterator[bytes]:
    """NAL units of a packet: each after a length of `size` bytes, or, if `size` is 0, after a start code."""
    if size:
        at = 0
        while at + size < len(data):
            length = int.from_bytes(data[at : at + size], "big")
            if length:
                yield data[at + size : at + size + length]
            at += size + length
        return
    for part in data.split(b"\0\0\1"):
        unit = part.rstrip(b"\0")
        if unit:
            yield unit
