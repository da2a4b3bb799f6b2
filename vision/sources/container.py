"""A recorded video opened: its one video stream, and the way to a place in it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from vision.frames import SECOND
from vision.sources.timeline import SourceError, Timeline, exact_rate

FIRST_BACK_OFF = 2 * SECOND
"""How far a seek steps back when it landed after the wanted key frame; doubled at every step."""
REORDERING = 32
"""Pictures by which display order may differ from decoding order: H.264 and HEVC allow 16, doubled."""
HIGHEST_RATE = 240
"""A container that states more pictures per second than this states its clock's resolution instead."""
NOT_FOOTAGE = {
    **dict.fromkeys(("tty", "bin", "adf", "xbin", "idf"), "text"),
    **dict.fromkeys(("image2", "gif", "apng", "ico"), "a picture"),
    **dict.fromkeys(("hls", "concat", "concatf", "dash"), "a list of other files"),
}
"""Formats that FFmpeg would open though they are no recording, and what they are."""


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video file; yields the container and its first video stream that is not a cover picture.

    Raises:
        SourceError: there is no such file, it is no video, has no video stream, or no decoder exists.
    """
    try:
        # Recorders write metadata in whatever encoding their makers used: it must not stop the reading.
        # An MP4's edit list says where the video begins, but must not trim it: what is stored is shown.
        container = av.open(
            str(path), "r", container_options={"advanced_editlist": "0"}, metadata_errors="replace"
        )
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: expected a video file, got {_why_not(path, error)}") from error
    with container:
        yield container, _video_stream(path, container)


def _why_not(path: Path, error: Exception) -> str:
    if not path.exists():
        return "no such file"
    if path.is_dir():
        return "a folder"
    if path.stat().st_size == 0:
        return "an empty file"
    reason = getattr(error, "strerror", None) or str(error)
    if path.suffix.lower() in {".mp4", ".mov", ".m4v"} and isinstance(error, av.InvalidDataError):
        return f"one that cannot be opened ({reason}; a recording that was cut off has lost its index)"
    return f"one that cannot be opened ({reason})"


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    for name in container.format.name.split(","):
        what = "a picture" if name.endswith("_pipe") else NOT_FOOTAGE.get(name)
        if what is not None:
            raise SourceError(f"{path}: expected a video file, got {what}")
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue
        if stream.codec_context is None:
            raise SourceError(f"{path}: expected a video that can be decoded, got an unknown codec")
        stream.thread_type = "AUTO"
        return stream
    kinds = ", ".join(sorted({str(stream.type) for stream in container.streams})) or "nothing"
    raise SourceError(f"{path}: expected a video stream, got {kinds} only")


def timeline_of(
    path: Path, container: InputContainer, stream: VideoStream, start: int, fps: float | None
) -> Timeline:
    """The clock of an opened file whose video begins at `start` (microseconds UTC).

    Raises:
        SourceError: `fps` is not a positive number.
    """
    rate = None if fps is None else exact_rate(fps)
    by_dts = "avi" in container.format.name.split(",")
    origin = stream.start_time
    if origin is None:
        # Matroska leaves it open where it cannot tell the decoding times.
        with open_video(path) as (again, anew):
            packets = islice((packet for packet in again.demux(anew) if packet.size), REORDERING)
            stamps = [packet.dts if by_dts else packet.pts for packet in packets]
        origin = min((stamp for stamp in stamps if stamp is not None), default=0)
    elif "mov" in container.format.name.split(","):
        # Before zero are pictures that the edit list hides: a clip cut between key frames holds some.
        origin = max(0, origin)
    return Timeline(start, origin, stream.time_base or Fraction(1, SECOND), rate, by_dts)


def seek_before(
    container: InputContainer, stream: VideoStream, timeline: Timeline, stamp: int, keys: int
) -> bool:
    """Move the demuxer so that at least `keys` key frames at or before `stamp` are still to come.

    A seek may land on any packet (MPEG-TS has no index), so where it landed is looked at, and it
    steps back until satisfied.

    Returns:
        False when the start of the file came first or the file cannot be sought: open it anew and
        read from there.
    """
    wanted = timeline.elapsed(stamp)
    back_off = 0
    while wanted > back_off:
        target = timeline.at(wanted - back_off)
        try:
            container.seek(target, stream=stream)
            if _keys_before(container, stream, timeline, stamp, keys):
                container.seek(target, stream=stream)
                return True
        except (av.FFmpegError, OSError):
            return False
        back_off = back_off * 2 or FIRST_BACK_OFF
    return False


def _keys_before(
    container: InputContainer, stream: VideoStream, timeline: Timeline, stamp: int, keys: int
) -> bool:
    for packet in container.demux(stream):
        shown = timeline.stamp(packet)
        decoded = packet.dts if packet.dts is not None else shown
        if decoded is None:
            continue
        if decoded > stamp:
            return False
        if packet.is_keyframe and shown is not None and shown <= stamp:
            keys -= 1
            if keys == 0:
                return True
    return False


def stamp_of_index(path: Path, index: int) -> int | None:
    """Timestamp of picture number `index`, found by passing over the packets without decoding them.

    Returns:
        None when timestamps cannot tell: missing, going back, interlaced (a packet may be half a
        picture), or fewer pictures than that. Then only decoding from the start can.
    """
    with open_video(path) as (container, stream):
        if _interlaced(container, stream):
            return None
    with open_video(path) as (container, stream):
        waiting: list[int] = []
        before = 0
        try:
            for stamp in _stamps(container, stream, timeline_of(path, container, stream, 0, None)):
                # A picture's number is settled once all those that may be shown before it have been seen.
                heapq.heappush(waiting, stamp)
                if len(waiting) > REORDERING:
                    earliest = heapq.heappop(waiting)
                    if before == index:
                        return earliest
                    before += 1
        except (av.FFmpegError, _NoOrderError):
            return None
    rest = sorted(waiting)
    return rest[index - before] if index - before < len(rest) else None


class _NoOrderError(Exception):
    """The timestamps do not tell the order of the pictures."""


def _stamps(container: InputContainer, stream: VideoStream, timeline: Timeline) -> Iterator[int]:
    """The timestamps of the pictures that can be shown: from the first key frame on."""
    first: int | None = None
    previous: int | None = None
    for packet in container.demux(stream):
        if not packet.size or packet.is_discard:
            continue
        stamp = timeline.stamp(packet)
        if stamp is None or (previous is not None and packet.dts is not None and packet.dts < previous):
            raise _NoOrderError
        previous = packet.dts
        if first is None and packet.is_keyframe:
            first = stamp
        if first is not None and stamp >= max(first, timeline.origin):
            yield stamp


def _interlaced(container: InputContainer, stream: VideoStream) -> bool:
    try:
        for frame in container.decode(stream):
            return bool(frame.interlaced_frame)
    except (av.FFmpegError, OSError):
        return True
    return True


def stated_duration(container: InputContainer, stream: VideoStream) -> int | None:
    """Microseconds of video by the file's own account, or None."""
    if stream.duration is not None and stream.time_base is not None:
        # Of an AVI file that was cut off FFmpeg shortens the duration; the number of frames stays as stated.
        rate = stream.average_rate
        counted = int(stream.frames * SECOND / rate) if rate and "avi" in container.format.name else 0
        return max(counted, int(stream.duration * stream.time_base * SECOND))
    if container.duration is None or stream.time_base is None:
        return container.duration
    # Matroska states where the video ends, not how long it is.
    ends = "matroska" in container.format.name
    return container.duration - (int((stream.start_time or 0) * stream.time_base * SECOND) if ends else 0)


def last_frame_time(container: InputContainer, stream: VideoStream, timeline: Timeline) -> int | None:
    """When the last picture is shown, microseconds after the first; None where it cannot be told quickly.

    Moves the demuxer to the end. MP4 states the sum of the decoding steps, which may be seconds less.
    """
    stated = stated_duration(container, stream)
    if stated is None:
        return None
    try:
        container.seek(timeline.at(stated), stream=stream)
        stamps = [timeline.stamp(packet) for packet in container.demux(stream) if packet.size]
    except (av.FFmpegError, OSError):
        return None
    return max((timeline.elapsed(stamp) for stamp in stamps if stamp is not None), default=None)


def nominal_rate(stream: VideoStream) -> Fraction | None:
    """Pictures per second by the file's own account, or None where it gives none that is believable."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= HIGHEST_RATE:
            return rate
    return None
