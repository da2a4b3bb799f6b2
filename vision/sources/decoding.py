"""Decoding of recorded video: frames in display order with exact time and index, and every gap between them.

Time comes from the file's timestamps; `frame_clock` says what becomes of those that cannot be right. A pass
begins at the start of the file, or at a key frame where the frames that are wanted can be found by their
timestamps (`decoding_pass` reads it).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from vision.clock import Stop
from vision.sources.container import (
    open_video,
    seek_before,
    stamp_of_index,
    timeline_of,
)
from vision.sources.decoded_frame import DecodedFrame
from vision.sources.decoding_pass import DecodingPass, PassStart, SeekTooLateError
from vision.sources.frame_clock import ClockNote
from vision.sources.gaps import Gap, ResumePoint
from vision.sources.hardware import CPU, accelerator

SEEK_KEY_FRAMES = (2, 16)
"""Key frames before a seek target at which decoding begins: first 2, then 16 if the decoder gives no frame
before the target. Cameras with intra refresh mark key frames whose image is complete only later."""


def decode_frames(
    path: Path,
    start: int,
    fps: float | None,
    *,
    after: ResumePoint | None = None,
    since: int | None = None,
    anchored: bool = False,
    stop: Stop | None = None,
    aspect: Fraction | None = None,
    decoder: str = CPU,
) -> Iterator[DecodedFrame | Gap | ClockNote]:
    """Decode a video file whose first frame is at `start` (microseconds UTC).

    Args:
        path: the file.
        start: stream time of its first frame.
        fps: frame rate that replaces the file's timestamps: frame n is at start + n / fps.
        after: resume after this frame. The frames are exactly those of an uninterrupted pass: decoding
            begins at a key frame before it, or at the start of the file if timestamps do not identify it.
        since: begin with the first frame at or after this time. Unless `fps` is given, indexes are then
            counted from this frame, so that a cut from the end of a long file need not read all of it.
        anchored: the timestamps are of several clocks (see `ClockState`), so that `since` is found by reading
            the file from its start.
        stop: once it is set, reading ends, and no gap is given for the rest of the file.
        aspect: width over height of the upright picture by the camera's setting; None = as the file states.
        decoder: what decodes it, see `vision.sources.hardware`.

    Raises:
        SourceError: the file cannot be opened.
    """
    stop = stop or Stop()
    with open_video(path) as (container, stream):
        timeline = timeline_of(path, container, stream, start, fps)
        # With decoding times only, the display time of a reordered frame follows from counting all frames.
        can_seek = not (timeline.by_dts and stream.codec_context.has_b_frames)
    if since is not None and fps is not None:
        number = timeline.first_index(since)
        after = ResumePoint(number - 1, since - 1) if number > 0 else None
        since = None
    from_start = PassStart()
    stamp: int | None = None
    last_t: int | None = None
    if after is not None:
        from_start, last_t = PassStart(skip_index=after.index), after.t
        if not after.by_index:
            stamp = timeline.at(last_t - start) if fps is None else stamp_of_index(path, after.index, stop)
    elif since is not None and anchored:
        from_start = PassStart(skip_until=since)
    elif since is not None:
        last_t = since - 1
        from_start = PassStart(last_t=last_t, skip_elapsed=last_t - start)
        stamp = timeline.at(last_t - start)
    if stamp is not None and last_t is not None and can_seek:
        elapsed = last_t - start if fps is None else timeline.elapsed(stamp)
        index = after.index + 1 if after is not None else 0
        for keys in SEEK_KEY_FRAMES:
            with open_video(path, accelerator(decoder)) as (container, stream):
                if not seek_before(container, stream, timeline, stamp, keys, stop):
                    break
                at_target = PassStart(
                    index, last_t, skip_elapsed=elapsed, after_seek=True, continues=after is not None
                )
                try:
                    yield from DecodingPass(container, stream, timeline, at_target, stop, aspect).read()
                    return
                except SeekTooLateError:
                    continue
    with open_video(path, accelerator(decoder)) as (container, stream):
        yield from DecodingPass(container, stream, timeline, from_start, stop, aspect).read()
