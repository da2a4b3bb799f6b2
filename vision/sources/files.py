"""Recorded footage as a source: a video file or an image sequence, its properties and its frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from fractions import Fraction
from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vision.clock import Stop
from vision.frames import SAMPLING_TOLERANCE_US, SECOND, Frame
from vision.sources.container import (
    choice_note,
    last_frame_time,
    nominal_rate,
    open_video,
    stated_duration,
    timeline_of,
)
from vision.sources.decoded_frame import DecodedFrame
from vision.sources.decoding import decode_frames
from vision.sources.fingerprint import fingerprint
from vision.sources.frame_clock import ClockNote
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.hardware import CPU
from vision.sources.images import image_files, image_frames, image_offsets, image_step, is_image_sequence
from vision.sources.pixels import PixelShape, shape_notes, square_image
from vision.sources.protocol import Heartbeat, SourceItem
from vision.sources.start_time import StartOrigin, find_start, start_from_clock
from vision.sources.timeline import SourceError, exact_rate


@dataclass(frozen=True)
class SourceInfo:
    """Properties of a source.

    Attributes:
        path: the file, folder or pattern.
        codec: name of the video codec; "images" for an image sequence.
        width: width of the first frame, upright and with square pixels, px.
        height: height of the first frame, upright and with square pixels, px.
        average_rate: frames per second as stated by the container, or None.
        frames: number of frames as stated by the container, or None.
        duration_us: duration as stated by the container, microseconds, or None; scaled if `fps` is given.
        start_us: stream time of the first frame, microseconds UTC.
        start_origin: where the start time comes from; "mtime" is a guess that only a user may accept.
        fingerprint: see `vision.sources.fingerprint`.
        notes: sentences about what should be checked: the shape of the pixels, several videos in the file.
        start_notes: one sentence for each other source of time that disagrees.
    """

    path: Path
    codec: str
    width: int
    height: int
    average_rate: float | None
    frames: int | None
    duration_us: int | None
    start_us: int
    start_origin: StartOrigin
    fingerprint: str
    notes: tuple[str, ...] = ()
    start_notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileSource:
    """A video file or an image sequence that can be read any number of times; a `Source`.

    Attributes:
        info: its properties.
        camera: id of the camera that recorded it.
        fps: frame rate that replaces the file's timestamps, or None.
        aspect: width over height of the upright picture by the camera's setting; None = as the file states.
        decoder: what decodes it, see `vision.sources.hardware`.
        ends: it does.
    """

    info: SourceInfo
    camera: str
    fps: float | None = None
    aspect: Fraction | None = None
    decoder: str = CPU
    ends: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The path."""
        return str(self.info.path)

    @property
    def start_us(self) -> int:
        """Stream time of the first frame, microseconds UTC."""
        return self.info.start_us

    @property
    def duration_us(self) -> int | None:
        """Duration as stated by the container, microseconds, or None."""
        return self.info.duration_us

    @property
    def rate(self) -> float | None:
        """Frames per second: as given, else as stated by the container, else None."""
        return self.fps or self.info.average_rate

    def open(
        self, stop: Stop, after: ResumePoint | None = None, min_interval_us: int = 0
    ) -> Iterator[SourceItem]:
        """Open the source and read it: what `frames` gives, notes on its clock, and last, how far it reaches.

        Raises:
            SourceError: the source can no longer be opened. Reading raises it too, if the file changes.
        """
        if is_image_sequence(self.info.path):
            image_files(self.info.path)
        else:
            with open_video(self.info.path):
                pass
        return self._items(after, min_interval_us, stop)

    def frames(
        self, after: ResumePoint | None = None, min_interval_us: int = 0, stop: Stop | None = None
    ) -> Iterator[Frame | Gap]:
        """Read sampled frames and all gaps, in order of time.

        A frame is sampled if it comes at least `min_interval_us` after the last sampled frame, with a
        tolerance of a millisecond, by the file's timestamps. All frames are decoded, but only sampled
        frames are converted, to square pixels. The size may change from frame to frame, as it does in the
        file.

        Args:
            after: resume after this frame, the last one that an earlier pass yielded. The frames are bit
                for bit those of an uninterrupted pass.
            min_interval_us: minimum interval between sampled frames, microseconds; 0 = every frame.
            stop: once it is set, reading ends, and no gap is given for what was not read.

        Raises:
            SourceError: the source can no longer be opened.
        """
        for item in self._items(after, min_interval_us, stop or Stop()):
            if isinstance(item, Frame | Gap):
                yield item

    def _items(self, after: ResumePoint | None, min_interval_us: int, stop: Stop) -> Iterator[SourceItem]:
        step = max(0, min_interval_us - SAMPLING_TOLERANCE_US)
        path, start = self.info.path, self.info.start_us
        if is_image_sequence(path):
            images = image_files(path)
            for read in image_frames(
                images, self.camera, start, self.fps, after=after, min_interval_us=step, stop=stop
            ):
                if isinstance(read, Frame):
                    image = square_image(read.image, self.aspect)
                    read = Frame(image, read.t, read.index, read.camera)
                yield read
            if not stop.is_set():
                offsets = image_offsets(images, self.fps)
                yield Heartbeat(start + offsets[-1] + image_step(offsets, self.fps))
            return
        size = _size(path)
        sampled = seen = None if after is None else after.t
        lasts = round(SECOND / self.rate) if self.rate else 0
        for item in decode_frames(
            path, start, self.fps, after=after, stop=stop, aspect=self.aspect, decoder=self.decoder
        ):
            if isinstance(item, ClockNote):
                yield item
            elif isinstance(item, Gap):
                seen = item.end - lasts
                yield item
            else:
                seen = item.t
                if sampled is None or item.t - sampled >= step:
                    sampled = item.t
                    yield Frame(item, item.t, item.index, self.camera)
        if seen is None or stop.is_set():
            return
        end = start + (self.duration_us or 0)
        if 0 < _size(path) < size and end > seen + lasts:
            yield Gap(GapKind.UNDECODABLE, seen, end, 0, "the file became shorter while it was read")
        elif lasts:
            yield Heartbeat(seen + lasts)


def _size(path: Path) -> int:
    """Bytes of a file; 0 where it is gone: what is open can still be read to its end."""
    return path.stat().st_size if path.is_file() else 0


def open_source(
    path: str | Path,
    camera: str,
    start: int | None = None,
    fps: float | None = None,
    tz: str | tzinfo = "Asia/Ho_Chi_Minh",
    aspect: Fraction | None = None,
    decoder: str = CPU,
) -> FileSource:
    """Open a source: read its properties and its start time.

    Args:
        path: a video file, or an image sequence given as a folder, a pattern or a single image.
        camera: id of the camera that recorded it.
        start: stream time of the first frame, microseconds UTC. None = from the source of time trusted
            most, see `vision.sources.start_time`; the last one, the modification time less the duration, is a
            guess.
        fps: frame rate that replaces the file's timestamps; required for images whose names state no times.
        tz: time zone of times in names without an offset.
        aspect: width over height of the upright picture by the camera's setting; None = as the file states.
        decoder: what decodes its frames, see `vision.sources.hardware`.

    Raises:
        SourceError: there is no such source, nothing in it can be decoded, or it has neither timestamps nor
            `fps`.
    """
    path = Path(path)
    zone = ZoneInfo(tz) if isinstance(tz, str) else tz
    read_info = _sequence_info if is_image_sequence(path) else _video_info
    return FileSource(read_info(path, start, fps, zone, aspect), camera, fps, aspect, decoder)


def images_between(
    path: Path,
    source_start: int,
    fps: float | None,
    start: int,
    end: int,
    aspect: Fraction | None = None,
    *,
    anchored: bool = False,
) -> Iterator[tuple[int, np.ndarray]]:
    """All frames with start <= t <= end of a source that begins at `source_start`: pairs of t and BGR image.

    The images are upright and have square pixels; `aspect` is as of `open_source`, `anchored` as of
    `decode_frames`.

    Raises:
        SourceError: the source cannot be opened.
    """
    for t, item in pictures_between(path, source_start, fps, start, end, aspect, anchored=anchored):
        yield t, item if isinstance(item, np.ndarray) else item.bgr()


def pictures_between(
    path: Path,
    source_start: int,
    fps: float | None,
    start: int,
    end: int,
    aspect: Fraction | None = None,
    *,
    anchored: bool = False,
) -> Iterator[tuple[int, np.ndarray | DecodedFrame]]:
    """The same frames as `images_between`; those of a video are not converted yet.

    Raises:
        SourceError: the source cannot be opened.
    """
    if is_image_sequence(path):
        for frame in image_frames(image_files(path), "", source_start, fps, since=start):
            if isinstance(frame, Frame):
                if frame.t > end:
                    return
                yield frame.t, square_image(frame.image, aspect)
        return
    for item in decode_frames(path, source_start, fps, since=start, anchored=anchored, aspect=aspect):
        if isinstance(item, DecodedFrame):
            if item.t > end:
                return
            yield item.t, item


def source_span(path: Path, fps: float | None) -> int | None:
    """Duration of a source as stated by its container, at least up to its last frame; None if it states none.

    Raises:
        SourceError: the source cannot be opened.
    """
    if is_image_sequence(path):
        offsets = image_offsets(image_files(path), fps)
        return offsets[-1] + image_step(offsets, fps)
    with open_video(path) as (container, stream):
        stated = _duration(container, stream, fps)
        if fps is not None or stated is None:
            return stated
        return max(
            stated, last_frame_time(container, stream, timeline_of(path, container, stream, 0, None)) or 0
        )


def _sequence_info(
    path: Path, start: int | None, fps: float | None, tz: tzinfo, aspect: Fraction | None
) -> SourceInfo:
    images = image_files(path)
    first = next((item for item in image_frames(images, "", 0, fps) if isinstance(item, Frame)), None)
    if first is None:
        raise SourceError(f"{path}: expected images, got {len(images)} files of which none can be read")
    height, width = square_image(first.image, aspect).shape[:2]
    stored = first.image.shape[1], first.image.shape[0]
    notes = shape_notes(stored, False, None, PixelShape(aspect=aspect))
    offsets = image_offsets(images, fps)
    step = image_step(offsets, fps)
    found = find_start(images[0], tz, start, folder=path.resolve().name if path.is_dir() else None)
    return SourceInfo(
        path=path,
        codec="images",
        width=width,
        height=height,
        average_rate=fps or SECOND / step,
        frames=len(images),
        duration_us=offsets[-1] + step,
        start_us=found.t,
        start_origin=found.origin,
        fingerprint=fingerprint(path),
        start_notes=found.notes,
        notes=notes,
    )


def _video_info(
    path: Path, start: int | None, fps: float | None, tz: tzinfo, aspect: Fraction | None
) -> SourceInfo:
    with open_video(path) as (container, stream):
        pixels = PixelShape.of(stream, aspect)
        frame = _first_frame(path, container, stream)
        timeline = timeline_of(path, container, stream, 0, fps)
        if fps is None and not timeline.by_dts and frame.pts is None and frame.dts is None:
            raise SourceError(
                f"{path}: expected a video with timestamps, got none (give its frame rate: --source-fps)"
            )
        average = nominal_rate(stream)
        duration = _duration(container, stream, fps)
        first = int(timeline.origin * timeline.time_base * SECOND)
        found = find_start(
            path,
            tz,
            start,
            metadata=(container.metadata, stream.metadata),
            clock=start_from_clock(first, container.format.name, tz),
            duration=duration or 0,
        )
        rotated = round(frame.rotation / 90) % 2 == 1
        stored, in_codec = (frame.width, frame.height), stream.codec_context.sample_aspect_ratio
        width, height = pixels.square(stored, rotated, in_codec)
        notes = (*choice_note(container, stream), *shape_notes(stored, rotated, in_codec, pixels))
        return SourceInfo(
            path=path,
            codec=stream.codec_context.name,
            width=height if rotated else width,
            height=width if rotated else height,
            average_rate=float(average) if average else None,
            frames=stream.frames or None,
            duration_us=duration,
            start_us=found.t,
            start_origin=found.origin,
            fingerprint=fingerprint(path),
            notes=notes,
            start_notes=found.notes,
        )


def _duration(container: InputContainer, stream: VideoStream, fps: float | None) -> int | None:
    duration, rate = stated_duration(container, stream), nominal_rate(stream)
    if fps is None or duration is None:
        return duration
    return int(duration * rate / exact_rate(fps)) if rate else None


def _first_frame(path: Path, container: InputContainer, stream: VideoStream) -> VideoFrame:
    reason = "it holds no frames"
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                reason = error.strerror or str(error)
                continue
            if frames:
                return frames[0]
    except av.FFmpegError as error:
        reason = error.strerror or str(error)
    raise SourceError(f"{path}: expected a video, got one of which no frame can be decoded ({reason})")
