"""The files of one camera as one source: read one after the other, with the gaps between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from vision.clock import Stop
from vision.frames import SECOND, Frame
from vision.sources.decoding_pass import MIN_GAP_US
from vision.sources.files import FileSource
from vision.sources.frame_clock import ClockNote
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.protocol import Heartbeat, SourceItem
from vision.sources.timeline import SourceError

MAX_UNSTATED_US = 60 * SECOND
"""A file may go on for this long after the end that its container states. So a file that ends earlier than
this before the point of resumption is not read again."""


@dataclass(frozen=True)
class RecordingSource:
    """Files of one camera in order of time; a `Source`. A file is opened when its turn comes.

    Time that two files share is taken from the one that begins earlier. A file that cannot be read is a gap,
    and does not end the source. Each file is sampled from its first frame, as if it were read alone.
    The index of a frame is its index in its file.

    Attributes:
        name: the folder, as shown to people.
        files: the files, in any order.
        ends: it does.

    Raises:
        SourceError: there are no files, or they are of several cameras.
    """

    name: str
    files: Sequence[FileSource]
    ends: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse what is not the recording of one camera; sort the files by time."""
        cameras = sorted({file.camera for file in self.files})
        if len(cameras) != 1:
            raise SourceError(
                f"{self.name}: expected files of one camera, got {', '.join(cameras) or 'none'}"
            )
        in_order = sorted(self.files, key=lambda file: (file.start_us, file.name))
        object.__setattr__(self, "files", tuple(in_order))

    @property
    def camera(self) -> str:
        """Id of the camera."""
        return self.files[0].camera

    @property
    def start_us(self) -> int:
        """Stream time of the first frame, microseconds UTC."""
        return self.files[0].start_us

    @property
    def duration_us(self) -> int | None:
        """From the start to the latest end that a file states, microseconds; None if one states none."""
        durations = [(file.start_us, file.duration_us) for file in self.files]
        if any(duration is None for _, duration in durations):
            return None
        return max(start + (duration or 0) for start, duration in durations) - self.start_us

    @property
    def rate(self) -> float | None:
        """Frames per second of the first file, or None."""
        return self.files[0].rate

    def open(
        self, stop: Stop, after: ResumePoint | None = None, min_interval_us: int = 0
    ) -> Iterator[SourceItem]:
        """Read the frames of all files, as `FileSource.open` does those of one.

        Resumed, it gives what an uninterrupted pass gives after that frame. If several files may hold the
        frame, they are decoded from their start. Never raises: a file that cannot be opened is a gap.
        """
        return _Pass(self.files, stop, after, min_interval_us).read()


@dataclass
class _Pass:
    """One pass over the files.

    Attributes:
        known: what comes before this time has been given, microseconds UTC.
        last_t: time of the last frame given, or None.
    """

    files: Sequence[FileSource]
    stop: Stop
    after: ResumePoint | None
    min_interval_us: int
    known: int = field(init=False)
    last_t: int | None = field(init=False)

    def __post_init__(self) -> None:
        self.known = self.files[0].start_us if self.after is None else self.after.t
        self.last_t = None if self.after is None else self.after.t

    def read(self) -> Iterator[SourceItem]:
        files, resumed = self._to_read()
        for number, file in enumerate(files):
            after = self.after if file is resumed else None
            try:
                yield from self._between(file)
                for item in file.open(self.stop, after, self.min_interval_us):
                    yield from self._unless_known(item)
            except SourceError as error:
                following = files[number + 1].start_us if number + 1 < len(files) else None
                yield from self._unreadable(file, following, str(error))
            if self.stop.is_set():
                return

    def _to_read(self) -> tuple[Sequence[FileSource], FileSource | None]:
        """The files to read, and the one to resume.

        That is none if several may hold the frame, because its index then does not say which of them does.
        They are all read from their start, and what was given before is dropped.
        """
        if self.after is None:
            return self.files, None
        t = self.after.t
        ends = [file.start_us + (file.duration_us or 0) + MAX_UNSTATED_US for file in self.files]
        files = [
            file for file, end in zip(self.files, ends, strict=True) if end >= t or file.duration_us is None
        ]
        holding = [file for file in files if file.start_us <= t]
        return files, holding[0] if len(holding) == 1 else None

    def _between(self, file: FileSource) -> Iterator[Gap]:
        """The time between the files before and this one."""
        step = round(SECOND / file.rate) if file.rate else 0
        end = self.known if self.last_t is None else max(self.known, self.last_t + step)
        if file.start_us - end > max(MIN_GAP_US, self.min_interval_us):
            missing = (file.start_us - end) / SECOND
            yield Gap(GapKind.MISSING, end, file.start_us, 0, f"no file for {missing:.3f} s")
            self.known = file.start_us

    def _unless_known(self, item: SourceItem) -> Iterator[SourceItem]:
        if isinstance(item, ClockNote):
            yield item
        elif isinstance(item, Heartbeat):
            if item.t > self.known:
                self.known = item.t
                yield item
        elif isinstance(item, Frame):
            if item.t >= self.known and (self.last_t is None or item.t > self.last_t):
                self.known = self.last_t = item.t
                yield item
        elif item.end > self.known:
            yield replace(item, start=max(item.start, self.known))
            self.known = item.end

    def _unreadable(self, file: FileSource, following: int | None, cause: str) -> Iterator[Gap]:
        """The time of a file that cannot be read; of unknown duration, it lasts until the next one begins."""
        stated = None if file.duration_us is None else file.start_us + file.duration_us
        end = stated or following or self.known
        if end > self.known and not self.stop.is_set():
            yield Gap(GapKind.UNDECODABLE, self.known, end, 0, cause)
            self.known = end
