"""One pass over an open video file: what the decoder gives, in order of time, and what is missing in it.

A frame without a timestamp is dropped and counted. A frame that the decoder marks as damaged is dropped too,
and so are the frames that were predicted from it, up to the next key frame: a frame that cannot be trusted is
neither an observation nor evidence.

A limit: if packets are missing and the decoder does not notice (a transport stream with a hole), the decoder
fills the hole, and the filled-in frames pass as real ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vision.clock import Stop
from vision.frames import SECOND
from vision.sources.container import (
    holds_no_more,
    nominal_rate,
    stated_duration,
)
from vision.sources.decoded_frame import Converters, DecodedFrame
from vision.sources.frame_clock import ClockNote, ClockState, FrameClock
from vision.sources.gaps import Gap, GapKind
from vision.sources.opening import error_text
from vision.sources.pixels import PixelShape
from vision.sources.timeline import DisplayOrder, Timeline

MIN_GAP_US = 2 * SECOND
"""Frames further apart than this, and than three nominal frame steps, have a gap between them.
Project default (docs/defaults.md)."""
MAX_DISTRUST_US = 10 * SECOND
"""After damage, frames are trusted again after this time even without a key frame: cameras with intra refresh
send none. Project default (docs/defaults.md)."""
MAX_READ_ERRORS = 100
"""Consecutive read errors of the container after which the rest of the file is given up."""
CONTAINERS_WITH_DURATION = frozenset({"mov", "matroska", "avi", "asf"})
"""Containers whose header states the duration, so that a truncated file is noticed."""


@dataclass(frozen=True, slots=True)
class PassStart:
    """How a pass over a file begins.

    Attributes:
        index: index of the first frame that is not skipped, or of the first frame read.
        last_t: stream time of the last frame before the pass, or None.
        skip_elapsed: skip frames up to this time, microseconds after the first frame of the file.
        skip_index: skip frames up to this index.
        skip_until: skip frames before this stream time.
        after_seek: the demuxer was moved by a seek and may be between key frames.
        continues: `last_t` is the time of a frame, and not merely the time before which frames are skipped.
    """

    index: int = 0
    last_t: int | None = None
    skip_elapsed: int | None = None
    skip_index: int | None = None
    skip_until: int | None = None
    after_seek: bool = False
    continues: bool = False


@dataclass(frozen=True, slots=True)
class _Undated:
    """A decoded frame of which the stream time is not known yet."""

    index: int
    stamp: int | None
    frame: VideoFrame
    in_codec: Fraction | None


class SeekTooLateError(Exception):
    """After a seek, the decoder gave no frame before the target, so that frames may be missing behind it."""


class DecodingPass:
    """One pass over an open file, from its start or a seek target to its end."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        timeline: Timeline,
        pass_start: PassStart,
        stop: Stop,
        aspect: Fraction | None,
    ) -> None:
        """Prepare a pass.

        Args:
            container, stream: the open file and its video.
            timeline: of the file.
            pass_start: where it begins; the container is there.
            stop: once it is set, reading ends.
            aspect: width over height of the upright picture by the camera; None = as the file states.
        """
        self._container = container
        self._stream = stream
        self._timeline = timeline
        self._stop = stop
        self._order = DisplayOrder()
        self._converters = Converters()
        self._pixels = PixelShape.of(stream, aspect)
        self._in_codec = self._pixels.in_codec
        # The position: index of the next frame, and the last frame that was yielded.
        self._index = pass_start.index
        self._counting = pass_start.after_seek
        self._last_t = pass_start.last_t
        self._last_stamp: int | None = None
        self._interlaced = False
        self._shown = False
        # The timestamp of the last decoded frame, whether it was yielded or not.
        self._decoded_stamp: int | None = None
        # What is skipped at the beginning, and whether a frame before the seek target was seen.
        self._skip_elapsed = pass_start.skip_elapsed
        self._skip_index = pass_start.skip_index
        self._skip_until = pass_start.skip_until
        self._await_key = pass_start.after_seek
        self._target_confirmed = not pass_start.after_seek
        # The damage since the last frame that was yielded: its kind and cause, and the frames lost.
        self._kind = GapKind.UNDECODABLE
        self._cause: str | None = None
        self._lost = 0
        # Frames are not trusted from damage, or from a start without a key frame, up to the next key frame.
        self._distrusting = False
        self._distrusted_since: int | None = None
        self._starts_without_key: bool | None = None
        rate = timeline.fps or nominal_rate(stream)
        self._step = int(SECOND / rate) if rate else SECOND
        self._min_gap = max(MIN_GAP_US, 3 * self._step)
        self._clock: FrameClock[_Undated] = FrameClock(
            self._step, self._min_gap, pass_start.last_t if pass_start.continues else None
        )
        self._anchored = False
        self._last_read: int | None = None  # decoding time of the last packet, as in the file

    def read(self) -> Iterator[DecodedFrame | Gap | ClockNote]:
        """The frames, the gaps and the notes on the clock, in order of time.

        Raises:
            SeekTooLateError: after a seek, the decoder gave no frame before the target.
        """
        for item in self._decoded():
            if isinstance(item, str):
                self._note_damage(item)
            else:
                yield from self._handle_frame(item)
        if not self._stop.is_set():
            yield from self._dated(self._clock.finish())
            yield from self._end_of_file()

    def _packets(self) -> Iterator[Packet[VideoStream] | str]:
        """Packets in decoding order; the error text where the container reports an error."""
        failures = 0
        while failures <= MAX_READ_ERRORS:
            try:
                for packet in self._container.demux(self._stream):
                    if self._stop.is_set():
                        return
                    # The decoder would take an empty packet for the end of the stream.
                    if not packet.size or (self._await_key and not packet.is_keyframe):
                        continue
                    self._await_key = False
                    failures = 0
                    self._last_read = packet.dts if packet.dts is not None else self._last_read
                    yield packet
                return
            except (av.FFmpegError, OSError) as error:
                failures += 1
                yield error_text(error)

    def _decoded(self) -> Iterator[VideoFrame | str]:
        """Frames in display order; the error text where the decoder or the container reports an error."""
        for packet in self._packets():
            if isinstance(packet, str):
                yield packet
                continue
            stamp = self._timeline.stamp(packet)
            self._register(packet, stamp)
            if packet.is_corrupt and self._stream.codec_context.is_hwaccel:
                # A decoder on the CPU finds what is damaged in the picture; one on a GPU does not tell.
                yield "the container marks packets as damaged"
            try:
                yield from self._stream.decode(packet)
            except av.FFmpegError as error:
                if self._timeline.by_dts:
                    self._order.leave_first()
                if (self._timeline.by_dts or stamp is None) and self._skip_elapsed is None:
                    self._index += 1
                    self._lost += 1
                yield error_text(error)
        if self._stop.is_set():
            return
        try:
            yield from self._stream.decode(None)
        except av.FFmpegError as error:
            yield error_text(error)

    def _register(self, packet: Packet[VideoStream], stamp: int | None) -> None:
        if self._starts_without_key is None:
            self._starts_without_key = self._distrusting = not packet.is_keyframe
        if stamp is not None and not packet.is_discard:
            self._order.enter(stamp, packet.is_keyframe)

    def _handle_frame(self, frame: VideoFrame) -> Iterator[DecodedFrame | Gap | ClockNote]:
        if frame.key_frame:
            # The decoder is some frames ahead, but new parameters are valid from a key frame on only.
            self._in_codec = self._stream.codec_context.sample_aspect_ratio
        stamp, missing = self._match(frame)
        # Only before the first picture that is shown: later ones are of a clock that was restarted.
        hidden = not self._shown and stamp is not None and stamp < self._timeline.origin
        self._shown |= not hidden
        if hidden or self._skip_elapsed is not None:
            if hidden or stamp is None or self._timeline.elapsed(stamp) <= (self._skip_elapsed or 0):
                if self._trusted(frame, self._timeline.t(stamp, self._index)):
                    self._clear_damage()
                    self._target_confirmed = True
                return
            if not self._target_confirmed:
                raise SeekTooLateError
            if missing and self._skip_elapsed is not None:
                missing = [s for s in missing if self._timeline.elapsed(s) > self._skip_elapsed]
            self._skip_elapsed = None
        # Unless damage is known, a packet without a frame is the second field of an interlaced frame.
        if self._cause is not None and missing:
            self._index += len(missing)
            self._lost += len(missing)
        index, t = self._index, self._timeline.t(stamp, self._index)
        trusted = self._trusted(frame, t)
        if not trusted and missing is None:
            return  # this frame comes late and was already counted as missing
        # Index 0 is the first frame that can be shown; damaged frames before it are not counted.
        self._counting = self._counting or trusted or self._cause is not None
        self._index += self._counting
        if not trusted:
            self._lost += 1
            return
        if t is None:
            self._note_damage("frames have no timestamp", GapKind.DISORDER)
            self._lost += 1
            return
        yield from self._dated(self._clock.take(_Undated(index, stamp, frame, self._in_codec), t))

    def _dated(
        self, items: Iterator[tuple[_Undated, int] | ClockNote]
    ) -> Iterator[DecodedFrame | Gap | ClockNote]:
        """Give the frames that have their stream time, unless they are skipped, and the gaps before them."""
        for item in items:
            if isinstance(item, ClockNote):
                self._anchored |= item.state is ClockState.ANCHORED
                if lost := self._clock.lost:
                    self._note_damage(item.text, GapKind.DISORDER)
                    self._lost += lost
                yield item
                continue
            undated, t = item
            if self._skip_index is not None and undated.index <= self._skip_index:
                self._clear_damage()
                self._last_t = t
                continue
            if self._skip_until is not None and t < self._skip_until:
                self._clear_damage()
                self._last_t = t
                continue
            self._skip_index = self._skip_until = None
            yield from self._gap_until(t)
            self._last_t, self._last_stamp = t, undated.stamp
            self._interlaced = undated.frame.interlaced_frame
            yield DecodedFrame(
                undated.index, t, undated.frame, self._converters, self._pixels, undated.in_codec
            )

    def _match(self, frame: VideoFrame) -> tuple[int | None, list[int] | None]:
        """A frame's timestamp, and earlier timestamps without a frame (None: see `DisplayOrder.leave`)."""
        if not self._timeline.by_dts:
            stamp = frame.pts if frame.pts is not None else frame.dts
            if stamp is not None:
                self._decoded_stamp = stamp
                return stamp, self._order.leave(stamp)
            # MPEG program streams may stamp only some frames; the others follow at the nominal step.
            if self._decoded_stamp is not None:
                step = frame.duration or round(Fraction(self._step, SECOND) / self._timeline.time_base)
                self._decoded_stamp += step
            return self._decoded_stamp, []
        # After damage, the number of missing frames is unknown until a key frame identifies the position.
        missing = self._order.skip_to_key() if frame.key_frame and self._cause is not None else []
        return self._order.leave_first(), missing

    def _trusted(self, frame: VideoFrame, t: int | None) -> bool:
        if frame.is_corrupt:
            self._note_damage("the decoder marks frames as damaged")
            return False
        if self._distrusting:
            if self._distrusted_since is None:
                self._distrusted_since = t
            waited = 0 if t is None or self._distrusted_since is None else t - self._distrusted_since
            self._distrusting = not frame.key_frame and waited <= MAX_DISTRUST_US
        return not self._distrusting

    def _note_damage(self, cause: str, kind: GapKind = GapKind.UNDECODABLE) -> None:
        if self._cause is None:
            self._kind, self._cause = kind, cause
        if kind is GapKind.UNDECODABLE:
            self._distrusting, self._distrusted_since = True, None

    def _clear_damage(self) -> None:
        self._kind, self._cause, self._lost = GapKind.UNDECODABLE, None, 0

    def _gap_until(self, t: int) -> Iterator[Gap]:
        start = self._timeline.start if self._last_t is None else self._last_t
        no_key_yet = bool(self._starts_without_key) and self._last_t is None
        if self._lost or self._cause is not None or no_key_yet:
            cause = self._cause or "the file begins between two key frames"
            if t > start:
                yield Gap(self._kind, start, t, self._lost, cause)
        elif t - start > self._min_gap:
            yield Gap(GapKind.MISSING, start, t, 0, f"no frame for {(t - start) / SECOND:.3f} s")
        self._clear_damage()

    def _end_of_file(self) -> Iterator[Gap]:
        if not self._target_confirmed:
            raise SeekTooLateError
        skips = self._skip_elapsed, self._skip_index, self._skip_until
        if any(skip is not None for skip in skips):
            return
        last = self._timeline.start if self._last_t is None else self._last_t
        tail = self._order.due_after(self._last_stamp)
        end = last + (len(tail) + self._lost) * self._step
        if tail and self._timeline.fps is None and not self._anchored:
            end = max(end, self._timeline.start + self._timeline.elapsed(max(tail)) + self._step)
        missing, stated = self._missing_at_end()
        end = max(end, last + self._step + missing if missing else 0)
        # In interlaced video, the last packet may be the second field of the last frame.
        if self._cause is None and end - last <= self._min_gap and (not tail or self._interlaced):
            return
        self._lost += len(tail)
        self._cause = self._cause or stated or "the decoder gave no frame for the last packets"
        yield from self._gap_until(max(end, last + self._step))

    def _missing_at_end(self) -> tuple[int, str]:
        """Microseconds by which the file ends before its stated duration, and the cause; (0, "") if none."""
        stated = stated_duration(self._container, self._stream)
        if (
            self._last_stamp is None
            or self._anchored
            or self._clock.ends_with_outlier  # it is what states the duration
            or holds_no_more(self._container, self._stream, self._last_read)
            or stated is None
            or not CONTAINERS_WITH_DURATION & set(self._container.format.name.split(","))
        ):
            return 0, ""
        read = self._timeline.elapsed(self._last_stamp) + self._step
        missing = stated - read
        if missing <= self._min_gap:
            return 0, ""
        rate = nominal_rate(self._stream)
        if self._timeline.fps is not None and rate is not None:
            missing = int(missing * rate / self._timeline.fps)
        return missing, f"the file states {stated / SECOND:.1f} s and ends after {read / SECOND:.1f} s"
