"""What every source of frames offers: a file, a sequence of files or images, and a camera that never ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from vision.clock import Stop
from vision.frames import Frame
from vision.sources.frame_clock import ClockNote
from vision.sources.gaps import Gap, ResumePoint
from vision.sources.timeline import SourceError


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Time has passed without a frame, and without a fault that would be a gap.

    Attributes:
        t: all frames and gaps before this stream time have been given, microseconds UTC.
    """

    t: int


SourceItem: TypeAlias = Frame | Gap | Heartbeat | ClockNote
"""What a source gives, in order of stream time; of a note on its clock, only the place among the others
counts. The times of frames increase. A gap starts no earlier than
the frame, gap end or heartbeat before it, and no later item goes back before a gap's end or a heartbeat."""


class Source(Protocol):
    """A source of the frames of one camera. It need not end, and need not know when.

    Each pass has a `Stop` of its own. When it is set, the items end within a bounded time, and no gap is
    invented for what was not read. How long a blocked read takes to end is told in `vision.sources.opening`.
    """

    @property
    def camera(self) -> str:
        """Id of the camera."""

    @property
    def name(self) -> str:
        """The path or address as shown to people; never with a password."""

    @property
    def start_us(self) -> int | None:
        """Stream time of the first frame, microseconds UTC; None if only reading can tell."""

    @property
    def duration_us(self) -> int | None:
        """Stated duration, microseconds; None if unknown, or if the source does not end."""

    @property
    def ends(self) -> bool:
        """Whether the source ends by itself."""

    @property
    def rate(self) -> float | None:
        """Nominal frames per second, or None."""

    def open(
        self, stop: Stop, after: ResumePoint | None = None, min_interval_us: int = 0
    ) -> Iterator[SourceItem]:
        """Open the source for one pass; the iterator closes it at its end, or on its `close`.

        Args:
            stop: ends the pass, also while it opens or reads.
            after: resume after this frame. A source that cannot go back begins with what comes next.
            min_interval_us: minimum interval between frames, microseconds; 0 = every frame.

        Raises:
            SourceError: the source cannot be opened. Reading may raise it too.
        """


def read(
    source: Source, stop: Stop, after: ResumePoint | None = None, min_interval_us: int = 0
) -> Iterator[SourceItem]:
    """Open a source and give its items, all in the thread that asks for them.

    Given to a `Prefetch`, a source that is slow to open or to read delays no other. The arguments are those
    of `Source.open`.

    Raises:
        SourceError: the source cannot be opened or read, and `stop` is not the reason.
    """
    if stop.is_set():
        return
    try:
        yield from source.open(stop, after, min_interval_us)
    except SourceError:
        if not stop.is_set():
            raise
