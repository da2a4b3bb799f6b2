"""Containers of recorded video: the video stream of a file, its duration, and seeking in it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from vision.clock import Stop
from vision.frames import SECOND
from vision.sources.timeline import SourceError, Timeline, exact_rate

FIRST_BACK_OFF_US = 2 * SECOND
"""First step by which a seek target is moved back if too few key frames follow; doubled each time."""
MAX_REORDERED_FRAMES = 32
"""Frames by which display order may differ from decoding order: H.264 and HEVC allow 16; this is double."""
MAX_FRAME_RATE = 240
"""Frames per second; a higher stated rate is the resolution of the container's clock."""
PICTURES = Disposition.timed_thumbnails | Disposition.still_image
"""Video streams that are no recording if there is another."""
MAX_INDEX_ENTRIES = 1000
"""Entries of an index that tell the usual step between frames."""
NOT_FOOTAGE = {
    **dict.fromkeys(("tty", "bin", "adf", "xbin", "idf"), "text"),
    **dict.fromkeys(("image2", "gif", "apng", "ico"), "an image"),
    **dict.fromkeys(("hls", "concat", "concatf", "dash"), "a list of other files"),
}
"""Formats that FFmpeg opens although they are not recorded video, with what they are."""


@contextmanager
def open_video(
    path: Path, accelerator: HWAccel | None = None
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video file; yields the container and the video stream that counts: the largest.

    Cover images and previews do not count. Of streams of one size, the first counts.

    Args:
        path: the file.
        accelerator: what decodes it, see `vision.sources.hardware`; None for the CPU.

    Raises:
        SourceError: there is no such file, it is not a video, has no video stream, or its codec is unknown.
    """
    try:
        # Some recorders write metadata in an unknown text encoding; this must not stop reading.
        # The edit list of an MP4 gives the start of the video, but must not trim it: all frames are read.
        container = av.open(
            str(path),
            "r",
            container_options={"advanced_editlist": "0"},
            metadata_errors="replace",
            hwaccel=accelerator,
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
        what = "an image" if name.endswith("_pipe") else NOT_FOOTAGE.get(name)
        if what is not None:
            raise SourceError(f"{path}: expected a video file, got {what}")
    videos = _videos(container)
    if videos:
        known = [stream for stream in videos if stream.codec_context is not None]
        if not known:
            raise SourceError(f"{path}: expected a video that can be decoded, got an unknown codec")
        largest = max(known, key=lambda stream: stream.width * stream.height)
        largest.thread_type = "AUTO"
        return largest
    kinds = ", ".join(sorted({str(stream.type) for stream in container.streams})) or "nothing"
    raise SourceError(f"{path}: expected a video stream, got {kinds} only")


def _videos(container: InputContainer) -> list[VideoStream]:
    """The video streams that are recordings: no cover images, previews or single pictures beside them."""
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    moving = [s for s in videos if s.frames != 1 and not s.disposition & PICTURES]
    return moving or videos


def choice_note(container: InputContainer, chosen: VideoStream) -> tuple[str, ...]:
    """A sentence that names the videos of a file and the one that is read; none where it holds only one."""
    videos = _videos(container)
    if len(videos) < 2:
        return ()
    sizes = ", ".join(
        f"stream {stream.index}: {stream.width} x {stream.height}"
        if stream.codec_context is not None
        else f"stream {stream.index}: unknown codec"
        for stream in videos
    )
    which = f"only the largest, stream {chosen.index}, is analysed"
    return (f"the file holds {len(videos)} videos ({sizes}): {which}",)


def timeline_of(
    path: Path, container: InputContainer, stream: VideoStream, start: int, fps: float | None
) -> Timeline:
    """The timeline of an open file whose video begins at `start` (microseconds UTC).

    Raises:
        SourceError: `fps` is not a positive number.
    """
    rate = None if fps is None else exact_rate(fps)
    by_dts = "avi" in container.format.name.split(",")
    origin = stream.start_time
    if origin is None:
        # Matroska gives no start time if it does not know the decoding times.
        with open_video(path) as (again, anew):
            packets = islice((packet for packet in again.demux(anew) if packet.size), MAX_REORDERED_FRAMES)
            stamps = [packet.dts if by_dts else packet.pts for packet in packets]
        origin = min((stamp for stamp in stamps if stamp is not None), default=0)
    elif "mov" in container.format.name.split(","):
        # Frames before zero are hidden by the edit list; a clip cut between key frames has some.
        origin = max(0, origin)
    return Timeline(start, origin, stream.time_base or Fraction(1, SECOND), rate, by_dts)


def seek_before(
    container: InputContainer,
    stream: VideoStream,
    timeline: Timeline,
    stamp: int,
    keys: int,
    stop: Stop | None = None,
) -> bool:
    """Seek so that at least `keys` key frames at or before `stamp` follow, unless `stop` is set before.

    A seek may land on any packet (MPEG-TS has no index). So the landing position is checked, and the
    target is moved back until enough key frames follow.

    Returns:
        False if the start of the file was reached first, or the file does not allow seeking: the caller
        must open the file again and read from its start.
    """
    stop = stop or Stop()
    wanted = timeline.elapsed(stamp)
    back_off = 0
    while wanted > back_off and not stop.is_set():
        target = timeline.at(wanted - back_off)
        try:
            container.seek(target, stream=stream)
            if _keys_before(container, stream, timeline, stamp, keys, stop):
                container.seek(target, stream=stream)
                return True
        except (av.FFmpegError, OSError):
            return False
        back_off = back_off * 2 or FIRST_BACK_OFF_US
    return False


def _keys_before(
    container: InputContainer, stream: VideoStream, timeline: Timeline, stamp: int, keys: int, stop: Stop
) -> bool:
    for packet in container.demux(stream):
        if stop.is_set():
            return False
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


def stamp_of_index(path: Path, index: int, stop: Stop | None = None) -> int | None:
    """Timestamp of frame number `index`, found by reading all packets before it without decoding them.

    Returns:
        None if the timestamps do not identify the frame: they are missing or go back, the video is
        interlaced (a packet may be half a frame), or it has fewer frames. Then only decoding from the
        start of the file finds the frame. None too if `stop` is set before it is found.
    """
    with open_video(path) as (container, stream):
        if _interlaced(container, stream):
            return None
    with open_video(path) as (container, stream):
        waiting: list[int] = []
        before = 0
        try:
            for stamp in _stamps(container, stream, timeline_of(path, container, stream, 0, None)):
                if stop is not None and stop.is_set():
                    return None
                # A frame's index is known once all frames that may be shown before it have been read.
                heapq.heappush(waiting, stamp)
                if len(waiting) > MAX_REORDERED_FRAMES:
                    earliest = heapq.heappop(waiting)
                    if before == index:
                        return earliest
                    before += 1
        except (av.FFmpegError, _NoOrderError):
            return None
    rest = sorted(waiting)
    return rest[index - before] if index - before < len(rest) else None


class _NoOrderError(Exception):
    """The timestamps do not give the order of the frames."""


def _stamps(container: InputContainer, stream: VideoStream, timeline: Timeline) -> Iterator[int]:
    """The timestamps of the frames that can be shown: from the first key frame on."""
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
    """Duration of the video as stated by the file, microseconds; None if it states none."""
    if stream.duration is not None and stream.time_base is not None:
        # FFmpeg shortens the duration of a truncated AVI file, but keeps the stated number of frames.
        rate = stream.average_rate
        counted = int(stream.frames * SECOND / rate) if rate and "avi" in container.format.name else 0
        return max(counted, int(stream.duration * stream.time_base * SECOND))
    if container.duration is None or stream.time_base is None:
        return container.duration
    # Matroska states the end time of the video, not its duration.
    ends = "matroska" in container.format.name
    return container.duration - (int((stream.start_time or 0) * stream.time_base * SECOND) if ends else 0)


def holds_no_more(container: InputContainer, stream: VideoStream, last_read: int | None) -> bool:
    """Whether the index of an MP4 file lists nothing behind a packet, `last_read` by its decoding time.

    Then no picture is lost, however long the file says that the last one lasts.
    """
    if "mov" not in container.format.name.split(",") or last_read is None:
        return False
    entries = stream.index_entries
    return len(entries) > 0 and max(entry.timestamp for entry in entries) <= last_read


def last_frame_time(container: InputContainer, stream: VideoStream, timeline: Timeline) -> int | None:
    """Time of the last frame, microseconds after the first; None if seeking to the end does not show it.

    Seeks to the end of the file. The duration that MP4 states is the sum of the decoding steps, which may be
    seconds less.
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
    """Frames per second as stated by the file; None if it states no believable rate.

    An MP4 file states none but the number of frames over the whole duration, which one long last frame makes
    meaningless. There the usual step between frames counts.
    """
    usual = _usual_rate(stream)
    if usual is not None and stream.average_rate and usual > 2 * stream.average_rate:
        return usual
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= MAX_FRAME_RATE:
            return rate
    return None


def _usual_rate(stream: VideoStream) -> Fraction | None:
    """Frames per second by the median step of the index of an MP4 file; None for other files."""
    if stream.container is None or "mov" not in stream.container.format.name.split(","):
        return None
    stamps = [entry.timestamp for entry in islice(stream.index_entries, MAX_INDEX_ENTRIES)]
    steps = sorted(later - earlier for earlier, later in pairwise(stamps) if later > earlier)
    if not steps or stream.time_base is None:
        return None
    return min(Fraction(MAX_FRAME_RATE), 1 / (steps[len(steps) // 2] * stream.time_base))
