"""Recorded video decoded: pictures in display order with exact time and index, and every loss between them.

Time comes from the file's timestamps alone. A picture whose timestamp is missing or goes back is dropped
and counted. A picture that the decoder marks as damaged is dropped too, and so are those that were
predicted from it, up to the next key frame: what cannot be trusted is no observation and no evidence.
A limit: where packets vanished without the decoder noticing (a transport stream with a hole), it fills in,
and the filled-in pictures come through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from vision.frames import SECOND
from vision.sources.container import (
    nominal_rate,
    open_video,
    seek_before,
    stamp_of_index,
    stated_duration,
    timeline_of,
)
from vision.sources.timeline import DisplayOrder, Timeline

LONGEST_STEP = 2 * SECOND
"""Pictures further apart than this, and than three of the nominal steps, have a gap between them [D]."""
DISTRUST = 10 * SECOND
"""Without a key frame, pictures are trusted again after this long: some cameras refresh bit by bit [D]."""
KEYS_BEFORE = (2, 16)
"""Key frames before a place from which decoding begins there: two, and more where that did not do. Cameras
that refresh the picture bit by bit mark key frames after which it takes a while to be whole."""
MOST_READ_ERRORS = 100
"""Errors of the container in a row after which its rest is given up."""
STATED_LENGTH = frozenset({"mov", "matroska", "avi", "asf"})
"""Containers whose header states how long the video is, so that a file that was cut off is noticed."""


class GapKind(StrEnum):
    """Why there are no pictures: none were stored, they cannot be decoded, or their times make no sense."""

    MISSING = "gap"
    UNDECODABLE = "undecodable"
    DISORDER = "disorder"


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of footage without a usable picture, between two that are usable.

    Attributes:
        kind: see `GapKind`.
        start: t of the last usable picture before it, or of the start of the footage; microseconds UTC.
        end: t of the first usable picture after it, or where the footage should have ended.
        frames: pictures known to be lost; 0 for a gap.
        cause: half a sentence for people.
    """

    kind: GapKind
    start: int
    end: int
    frames: int
    cause: str


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a pass over a source stopped: the last picture that was dealt with. Its `Frame` has both.

    Attributes:
        index: index of that picture in its source.
        t: its stream time, microseconds UTC.
    """

    index: int
    t: int


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A decoded picture that has not been converted yet: index in its source, and stream time."""

    index: int
    t: int
    _frame: VideoFrame
    _reformatter: VideoReformatter

    def bgr(self) -> np.ndarray:
        """The picture as height x width x 3, uint8, BGR, turned upright by the file's rotation.

        Rotations by other than a multiple of 90 degrees are ignored.
        """
        # One thread: converting is cheap, and the processor's cores belong to decoding and inference.
        image = self._reformatter.reformat(self._frame, format="bgr24", threads=1).to_ndarray()
        turns = round(self._frame.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


@dataclass(frozen=True, slots=True)
class _Beginning:
    """How a pass begins.

    Attributes:
        index: number of the first picture that is not passed over, or of the first one read.
        last_t: stream time of the last picture before the pass, or None.
        skip_elapsed: pass over pictures up to this (µs from the first picture of the file).
        skip_index: pass over pictures up to this number.
        sought: the demuxer was moved, and may stand between key frames.
    """

    index: int = 0
    last_t: int | None = None
    skip_elapsed: int | None = None
    skip_index: int | None = None
    sought: bool = False


def decode_frames(
    path: Path, start: int, fps: float | None, *, after: ResumePoint | None = None, since: int | None = None
) -> Iterator[DecodedFrame | Gap]:
    """Decode a video file whose first picture is at `start` (microseconds UTC).

    Args:
        path: the file.
        start: stream time of its first picture.
        fps: rate that replaces the file's timestamps: the n-th picture is at start + n / fps.
        after: go on after this picture, exactly as an uninterrupted pass would: its successors are
            decoded from a key frame before it, or from the start where timestamps cannot tell the place.
        since: begin with the first picture at or after this time. Unless `fps` is given, indexes then
            count from there, so that cutting from the end of a long file needs no pass over the rest.

    Raises:
        SourceError: the file cannot be opened.
    """
    with open_video(path) as (container, stream):
        timeline = timeline_of(path, container, stream, start, fps)
        # Decoding times tell when a reordered picture is shown only by counting from the first.
        sought = not (timeline.by_dts and stream.codec_context.has_b_frames)
    if since is not None and fps is not None:
        number = timeline.first_index(since)
        after = ResumePoint(number - 1, since - 1) if number > 0 else None
        since = None
    whole = _Beginning()
    stamp: int | None = None
    if after is not None:
        whole = _Beginning(0, after.t, skip_index=after.index)
        stamp = timeline.at(after.t - start) if fps is None else stamp_of_index(path, after.index)
    elif since is not None:
        whole = _Beginning(0, since - 1, skip_elapsed=since - 1 - start)
        stamp = timeline.at(since - 1 - start)
    if stamp is not None and sought:
        elapsed = (
            whole.last_t - start if fps is None and whole.last_t is not None else timeline.elapsed(stamp)
        )
        index = after.index + 1 if after is not None else 0
        for keys in KEYS_BEFORE:
            with open_video(path) as (container, stream):
                if not seek_before(container, stream, timeline, stamp, keys):
                    break
                part = _Beginning(index, whole.last_t, skip_elapsed=elapsed, sought=True)
                try:
                    yield from _Pass(container, stream, timeline, part).read()
                    return
                except _LateError:
                    continue
    with open_video(path) as (container, stream):
        yield from _Pass(container, stream, timeline, whole).read()


class _LateError(Exception):
    """After a seek, the decoder showed no picture before the place that was wanted."""


class _Pass:
    """One pass over an opened file, from its beginning to its end."""

    def __init__(
        self, container: InputContainer, stream: VideoStream, timeline: Timeline, beginning: _Beginning
    ) -> None:
        self._container = container
        self._stream = stream
        self._timeline = timeline
        self._index = beginning.index
        self._last_t = beginning.last_t
        self._last_stamp: int | None = None
        self._shown_stamp: int | None = None
        self._interlaced = False
        self._skip_elapsed = beginning.skip_elapsed
        self._skip_index = beginning.skip_index
        self._await_key = beginning.sought
        self._proven = not beginning.sought
        self._order = DisplayOrder()
        self._reformatter = VideoReformatter()
        self._distrusting = False
        self._distrusted_at: int | None = None
        self._kind = GapKind.UNDECODABLE
        self._cause: str | None = None
        self._lost = 0
        self._counting = beginning.sought
        self._headless: bool | None = None
        rate = timeline.fps or nominal_rate(stream)
        self._step = int(SECOND / rate) if rate else SECOND
        self._gap = max(LONGEST_STEP, 3 * self._step)

    def read(self) -> Iterator[DecodedFrame | Gap]:
        for item in self._decoded():
            if isinstance(item, str):
                self._damaged(item)
            else:
                yield from self._shown(item)
        yield from self._ended()

    def _packets(self) -> Iterator[Packet[VideoStream] | str]:
        """Packets in decoding order; a text where the container reports an error."""
        failures = 0
        while failures <= MOST_READ_ERRORS:
            try:
                for packet in self._container.demux(self._stream):
                    # An empty packet would tell the decoder that the stream is over.
                    if not packet.size or (self._await_key and not packet.is_keyframe):
                        continue
                    self._await_key = False
                    failures = 0
                    yield packet
                return
            except (av.FFmpegError, OSError) as error:
                failures += 1
                yield _reason(error)

    def _decoded(self) -> Iterator[VideoFrame | str]:
        """Frames in display order; a text where the decoder or the container reports an error."""
        for packet in self._packets():
            if isinstance(packet, str):
                yield packet
                continue
            stamp = self._timeline.stamp(packet)
            self._note(packet, stamp)
            try:
                yield from self._stream.decode(packet)
            except av.FFmpegError as error:
                if self._timeline.by_dts:
                    self._order.leave_first()
                if (self._timeline.by_dts or stamp is None) and self._skip_elapsed is None:
                    self._index += 1
                    self._lost += 1
                yield _reason(error)
        try:
            yield from self._stream.decode(None)
        except av.FFmpegError as error:
            yield _reason(error)

    def _note(self, packet: Packet[VideoStream], stamp: int | None) -> None:
        if self._headless is None:
            self._headless = self._distrusting = not packet.is_keyframe
        if stamp is not None and not packet.is_discard:
            self._order.enter(stamp, packet.is_keyframe)

    def _shown(self, frame: VideoFrame) -> Iterator[DecodedFrame | Gap]:
        stamp, vanished = self._pair(frame)
        hidden = stamp is not None and stamp < self._timeline.origin
        if hidden or self._skip_elapsed is not None:
            if hidden or stamp is None or self._timeline.elapsed(stamp) <= (self._skip_elapsed or 0):
                if self._trusted(frame, self._timeline.t(stamp, self._index)):
                    self._forgive()
                    self._proven = True
                return
            if not self._proven:
                raise _LateError
            if vanished and self._skip_elapsed is not None:
                vanished = [s for s in vanished if self._timeline.elapsed(s) > self._skip_elapsed]
            self._skip_elapsed = None
        # Where nothing is known to be wrong, a packet without a picture is a second field.
        if self._cause is not None and vanished:
            self._index += len(vanished)
            self._lost += len(vanished)
        index, t = self._index, self._timeline.t(stamp, self._index)
        trusted = self._trusted(frame, t)
        if not trusted and vanished is None:
            return  # it comes late, and was counted among the vanished
        # Number 0 is the first picture that can be shown, whatever remains of those before it.
        self._counting = self._counting or trusted or self._cause is not None
        self._index += self._counting
        if not trusted:
            self._lost += 1
            return
        if self._skip_index is not None:
            if index <= self._skip_index:
                self._forgive()
                return
            self._skip_index = None
        if t is None or (self._last_t is not None and t <= self._last_t):
            self._damaged(self._disorder(t), GapKind.DISORDER)
            self._lost += 1
            return
        yield from self._gap_until(t)
        self._last_t, self._last_stamp, self._interlaced = t, stamp, frame.interlaced_frame
        yield DecodedFrame(index, t, frame, self._reformatter)

    def _pair(self, frame: VideoFrame) -> tuple[int | None, list[int] | None]:
        """A frame's timestamp, and those due before it that gave no picture (None: `DisplayOrder.leave`)."""
        if not self._timeline.by_dts:
            stamp = frame.pts if frame.pts is not None else frame.dts
            if stamp is not None:
                self._shown_stamp = stamp
                return stamp, self._order.leave(stamp)
            # MPEG program streams may stamp one picture of several: the others follow at the nominal step.
            if self._shown_stamp is not None:
                step = frame.duration or round(Fraction(self._step, SECOND) / self._timeline.time_base)
                self._shown_stamp += step
            return self._shown_stamp, []
        # After damage it is unknown how many pictures vanished; a key frame tells the place again.
        vanished = self._order.skip_to_key() if frame.key_frame and self._cause is not None else []
        return self._order.leave_first(), vanished

    def _trusted(self, frame: VideoFrame, t: int | None) -> bool:
        if frame.is_corrupt:
            self._damaged("the decoder marks pictures as damaged")
            return False
        if self._distrusting:
            if self._distrusted_at is None:
                self._distrusted_at = t
            waited = 0 if t is None or self._distrusted_at is None else t - self._distrusted_at
            self._distrusting = not frame.key_frame and waited <= DISTRUST
        return not self._distrusting

    def _damaged(self, cause: str, kind: GapKind = GapKind.UNDECODABLE) -> None:
        if self._cause is None:
            self._kind, self._cause = kind, cause
        if kind is GapKind.UNDECODABLE:
            self._distrusting, self._distrusted_at = True, None

    def _forgive(self) -> None:
        self._kind, self._cause, self._lost = GapKind.UNDECODABLE, None, 0

    def _disorder(self, t: int | None) -> str:
        if t is None or self._last_t is None:
            return "pictures carry no timestamp"
        back = (self._last_t - t) / SECOND
        return f"timestamps go back by {back:.3f} s; a given frame rate reads such a file by counting"

    def _gap_until(self, t: int) -> Iterator[Gap]:
        start = self._timeline.start if self._last_t is None else self._last_t
        headless = bool(self._headless) and self._last_t is None
        if self._lost or self._cause is not None or headless:
            cause = self._cause or "the footage begins between two key frames"
            if t > start:
                yield Gap(self._kind, start, t, self._lost, cause)
        elif t - start > self._gap:
            yield Gap(GapKind.MISSING, start, t, 0, f"no picture for {(t - start) / SECOND:.3f} s")
        self._forgive()

    def _ended(self) -> Iterator[Gap]:
        if not self._proven:
            raise _LateError
        if self._skip_elapsed is not None or self._skip_index is not None:
            return
        last = self._timeline.start if self._last_t is None else self._last_t
        tail = self._order.due_after(self._last_stamp)
        end = last + (len(tail) + self._lost) * self._step
        if tail and self._timeline.fps is None:
            end = max(end, self._timeline.start + self._timeline.elapsed(max(tail)) + self._step)
        missing, stated = self._missing()
        end = max(end, last + self._step + missing if missing else 0)
        # In interlaced video, what remains may be the second field of the last picture.
        if self._cause is None and end - last <= self._gap and (not tail or self._interlaced):
            return
        self._lost += len(tail)
        self._cause = self._cause or stated or "the decoder gave no picture for the last packets"
        yield from self._gap_until(max(end, last + self._step))

    def _missing(self) -> tuple[int, str]:
        """Microseconds by which the file ends before its header says it does, and what to tell about it."""
        stated = stated_duration(self._container, self._stream)
        if (
            self._last_stamp is None
            or stated is None
            or not STATED_LENGTH & set(self._container.format.name.split(","))
        ):
            return 0, ""
        read = self._timeline.elapsed(self._last_stamp) + self._step
        missing = stated - read
        if missing <= self._gap:
            return 0, ""
        rate = nominal_rate(self._stream)
        if self._timeline.fps is not None and rate is not None:
            missing = int(missing * rate / self._timeline.fps)
        return missing, f"the file states {stated / SECOND:.1f} s and ends after {read / SECOND:.1f} s"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
