"""Recorded footage as a source: which files there are, what each one is, and its frames."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vision.frames import Frame
from vision.sources.container import last_frame_time, nominal_rate, open_video, stated_duration, timeline_of
from vision.sources.decoding import Gap, ResumePoint, decode_frames
from vision.sources.images import IMAGE_SUFFIXES, image_frames, is_pattern, matches, members, natural_key
from vision.sources.start_time import StartOrigin, start_from_disk, start_from_metadata, start_from_name
from vision.sources.timeline import SourceError, exact_rate, index_time

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".dav", ".flv", ".h264", ".h265", ".hevc", ".m2ts", ".m4v", ".mjpeg", ".mkv"}
    | {".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ps", ".ts", ".webm", ".wmv"}
)
"""Endings by which a folder's videos are told from its other files. A file named outright may have any."""
TOLERANCE = 1_000
"""Microseconds by which a frame may come early and still be sampled: containers round to milliseconds."""
EDGE = 4 * 1024 * 1024
"""Bytes at each end of a file that its fingerprint covers."""


@dataclass(frozen=True)
class SourceInfo:
    """What a source is.

    Attributes:
        path: the file, folder or pattern.
        codec: name of the video codec; "images" for an image sequence.
        width: px of the first picture, upright.
        height: px of the first picture, upright.
        average_rate: pictures per second by the container's account, or None.
        frames: number of pictures by the container's account, or None.
        duration_us: microseconds by the container's account, or None; follows `fps` where that is given.
        start_us: stream time of the first picture, microseconds UTC.
        start_origin: where that comes from; "mtime" is a guess that deserves a warning.
        fingerprint: see `fingerprint`.
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


@dataclass(frozen=True)
class FileSource:
    """A video file or an image sequence, ready to be read any number of times.

    Attributes:
        info: what it is.
        camera: id of the camera that its frames belong to.
        fps: rate that replaces the file's timestamps, or None.
    """

    info: SourceInfo
    camera: str
    fps: float | None = None

    def frames(self, after: ResumePoint | None = None, min_interval_us: int = 0) -> Iterator[Frame | Gap]:
        """Sampled frames, and every loss of pictures where it happened; both in order of time.

        A frame is sampled when at least `min_interval_us` has passed since the last one that was, give
        or take a millisecond. The file's timestamps decide; every picture is decoded, but only those
        sampled are converted. The size may change from frame to frame, where the footage's does.

        Args:
            after: go on after this, the last frame that an earlier pass yielded: frames are then bit for
                bit those of an uninterrupted pass.
            min_interval_us: least time between two frames, microseconds; 0 = every frame.

        Raises:
            SourceError: the source can no longer be opened.
        """
        step = max(0, min_interval_us - TOLERANCE)
        if _is_sequence(self.info.path):
            yield from image_frames(
                _images(self.info.path),
                self.camera,
                self.info.start_us,
                _required(self.info.path, self.fps),
                after=after,
                min_interval_us=step,
            )
            return
        last = None if after is None else after.t
        for item in decode_frames(self.info.path, self.info.start_us, self.fps, after=after):
            if isinstance(item, Gap):
                yield item
            elif last is None or item.t - last >= step:
                last = item.t
                yield Frame(item.bgr(), item.t, item.index, self.camera)


def open_source(
    path: str | Path,
    camera: str,
    start: int | None = None,
    fps: float | None = None,
    tz: str | tzinfo = "Asia/Ho_Chi_Minh",
) -> FileSource:
    """Look at a source: what it is and when it began.

    Args:
        path: a video file; or an image sequence, as a folder, a pattern or one image.
        camera: id of the camera it belongs to.
        start: stream time of the first picture, microseconds UTC; None = from the container's
            creation time, else from the file name (for images: of the first one, else of the folder),
            else the time of the last change less the duration, which is a guess.
        fps: pictures per second, in place of the file's timestamps; an image sequence needs it.
        tz: time zone of file names without an offset.

    Raises:
        SourceError: there is no such source, nothing in it can be decoded, or it has no times and no
            `fps` gives them.
    """
    path = Path(path)
    zone = ZoneInfo(tz) if isinstance(tz, str) else tz
    look = _sequence_info if _is_sequence(path) else _video_info
    return FileSource(look(path, start, fps, zone), camera, fps)


def images_between(
    path: Path, source_start: int, fps: float | None, start: int, end: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Every picture with start <= t <= end of a source that begins at `source_start`: t and BGR image.

    Raises:
        SourceError: the source cannot be opened.
    """
    if _is_sequence(path):
        rate = _required(path, fps)
        for frame in image_frames(_images(path), "", source_start, rate, since=start):
            if isinstance(frame, Frame):
                if frame.t > end:
                    return
                yield frame.t, frame.image
        return
    for picture in decode_frames(path, source_start, fps, since=start):
        if not isinstance(picture, Gap):
            if picture.t > end:
                return
            yield picture.t, picture.bgr()


def source_span(path: Path, fps: float | None) -> int | None:
    """Microseconds that a source lasts at least, by its container's account; None where it gives none.

    Raises:
        SourceError: the source cannot be opened.
    """
    if _is_sequence(path):
        return index_time(0, len(_images(path)), exact_rate(_required(path, fps)))
    with open_video(path) as (container, stream):
        stated = _duration(container, stream, fps)
        if fps is not None or stated is None:
            return stated
        return max(
            stated, last_frame_time(container, stream, timeline_of(path, container, stream, 0, None)) or 0
        )


def expand(sources: Sequence[str | Path]) -> list[Path]:
    """Turn what a user names into sources, each one openable by `open_source`, in order and without repeats.

    A video file stands for itself. A folder stands for the videos directly in it, in natural order, or,
    if it has none, for the image sequence of its images. A pattern (`day/*.mp4`, `frames/%06d.jpg`,
    `frames/*.jpg`) likewise.

    Raises:
        SourceError: nothing is named, or something named does not exist or holds no footage.
    """
    if not sources:
        raise SourceError("expected at least one video file, folder or image pattern, got none")
    found: list[Path] = []
    for source in sources:
        found += _expand_one(source)
    return list(dict.fromkeys(found))


def _expand_one(source: str | Path) -> list[Path]:
    scheme = re.match(r"([a-z]+)://", str(source))
    if scheme:
        # Only the scheme is shown: an address may hold a password.
        raise SourceError(f"expected a file, folder or pattern, got a stream address ({scheme[1]}://...)")
    path = Path(source)
    pattern = is_pattern(path)
    if path.is_file():
        return [path]
    if not pattern and not path.is_dir():
        raise SourceError(f"{path}: expected a video file, folder or image pattern, got no such file")
    entries = matches(path) if pattern else sorted(path.iterdir(), key=natural_key)
    videos = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in VIDEO_SUFFIXES]
    if videos:
        return videos
    if any(entry.is_file() and entry.suffix.lower() in IMAGE_SUFFIXES for entry in entries):
        return [path]
    if pattern:
        raise SourceError(f"{path}: expected a pattern of video or image files, got one that matches none")
    folders = sum(entry.is_dir() for entry in entries)
    what = f"{folders} folders, which are not entered" if folders else f"{len(entries)} other files"
    what = what if entries else "an empty one"
    raise SourceError(f"{path}: expected a folder with video or image files, got {what}")


def fingerprint(path: Path) -> str:
    """What tells one source from another: SHA-256 (hex) over its size, first and last 4 MiB.

    Fast for archives of any size, and enough to notice that a recording was replaced or has grown; it
    is no proof that the bytes between are unchanged. An image sequence: over the names and sizes of all
    its files and the bytes of the first and the last.

    Raises:
        SourceError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        if _is_sequence(path):
            images = _images(path)
            for image in images:
                digest.update(f"{image.name}\0{image.stat().st_size}\0".encode())
            digest.update(images[0].read_bytes() + images[-1].read_bytes())
            return digest.hexdigest()
        with path.open("rb") as file:
            size = file.seek(0, 2)
            digest.update(f"{size}\0".encode())
            file.seek(0)
            digest.update(file.read(EDGE))
            file.seek(max(file.tell(), size - EDGE))
            digest.update(file.read(EDGE))
    except OSError as error:
        raise SourceError(f"{path}: expected a readable file, got {error.strerror}") from error
    return digest.hexdigest()


def _is_sequence(path: Path) -> bool:
    return path.is_dir() or is_pattern(path) or path.suffix.lower() in IMAGE_SUFFIXES


def _images(path: Path) -> list[Path]:
    found = members(path)
    if not found:
        raise SourceError(f"{path}: expected image files, got none")
    return found


def _required(path: Path, fps: float | None) -> float:
    if fps is None:
        raise SourceError(f"{path}: expected a frame rate (fps) for an image sequence, got none")
    return fps


def _sequence_info(path: Path, start: int | None, fps: float | None, tz: tzinfo) -> SourceInfo:
    rate = _required(path, fps)
    images = _images(path)
    first = next((item for item in image_frames(images, "", 0, rate) if isinstance(item, Frame)), None)
    if first is None:
        raise SourceError(f"{path}: expected images, got {len(images)} files of which none can be read")
    height, width = first.image.shape[:2]
    origin = StartOrigin.FLAG
    if start is None:
        start, origin = start_from_name(images[0].name, tz), StartOrigin.FILE_NAME
    if start is None and path.is_dir():
        start = start_from_name(path.resolve().name, tz)
    if start is None:
        start, origin = start_from_disk(images[0], 0), StartOrigin.MTIME
    duration = source_span(path, rate)
    return SourceInfo(
        path, "images", width, height, rate, len(images), duration, start, origin, fingerprint(path)
    )


def _video_info(path: Path, start: int | None, fps: float | None, tz: tzinfo) -> SourceInfo:
    with open_video(path) as (container, stream):
        frame = _first_frame(path, container, stream)
        by_dts = timeline_of(path, container, stream, 0, fps).by_dts
        if fps is None and not by_dts and frame.pts is None and frame.dts is None:
            raise SourceError(f"{path}: expected a video with timestamps, got none (give fps)")
        average = nominal_rate(stream)
        duration = _duration(container, stream, fps)
        origin = StartOrigin.FLAG
        if start is None:
            start, origin = start_from_metadata(container.metadata, stream.metadata), StartOrigin.METADATA
        if start is None:
            start, origin = start_from_name(path.name, tz), StartOrigin.FILE_NAME
        if start is None:
            start, origin = start_from_disk(path, duration or 0), StartOrigin.MTIME
        lying = round(frame.rotation / 90) % 2 == 1
        return SourceInfo(
            path=path,
            codec=stream.codec_context.name,
            width=frame.height if lying else frame.width,
            height=frame.width if lying else frame.height,
            average_rate=float(average) if average else None,
            frames=stream.frames or None,
            duration_us=duration,
            start_us=start,
            start_origin=origin,
            fingerprint=fingerprint(path),
        )


def _duration(container: InputContainer, stream: VideoStream, fps: float | None) -> int | None:
    duration, rate = stated_duration(container, stream), nominal_rate(stream)
    if fps is None or duration is None:
        return duration
    return int(duration * rate / exact_rate(fps)) if rate else None


def _first_frame(path: Path, container: InputContainer, stream: VideoStream) -> VideoFrame:
    reason = "it holds no pictures"
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
    raise SourceError(f"{path}: expected a video, got one of which no picture can be decoded ({reason})")
