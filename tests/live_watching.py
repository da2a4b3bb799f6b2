"""A live camera under test: it runs in a thread, and what it gives is kept and checked for holes."""

from __future__ import annotations

import itertools
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.streaming import Mount, RtspServer
from tests.footage import write_video
from tests.said import Said
from vision.clock import Stop
from vision.frames import SECOND, Frame
from vision.live.address import StreamAddress, read_address
from vision.live.camera import LiveCamera, StreamState, StreamStatus, preload_readers
from vision.live.clocks.steady import SteadyClock
from vision.live.reader import DETECTION, ReaderSettings
from vision.live.reader_process import ReaderLimits
from vision.sources.gaps import Gap
from vision.sources.protocol import Heartbeat, SourceItem

INTERVAL_US = SECOND // 5
SLACK_US = 2 * SECOND + INTERVAL_US
"""Frames further apart than this have a gap between them."""
TIMEOUTS_S = (1.5, 1.5)
"""To open a stream and to wait for a packet: short, so that tests are."""
PATIENCE_S = 30.0
"""For what a loaded machine takes long for."""


@dataclass
class Watched:
    """What a camera gave.

    Attributes:
        camera: the camera.
        begun: stream time from which it must account for, microseconds UTC.
        items: each with the moment of the monotonic clock at which it was given.
        notices: sentences for the log.
        error: what ended the pass, if anything did.
    """

    camera: LiveCamera
    begun: int
    items: list[tuple[float, SourceItem]] = field(default_factory=list)
    notices: Said = field(default_factory=Said)
    error: BaseException | None = None
    stop: Stop = field(default_factory=Stop)

    @property
    def stream(self) -> StreamStatus:
        """The state of the stream that is analysed."""
        return self.camera.status.streams[DETECTION]

    @property
    def frames(self) -> list[Frame]:
        return [item for _, item in list(self.items) if isinstance(item, Frame)]

    @property
    def gaps(self) -> list[Gap]:
        return [item for _, item in list(self.items) if isinstance(item, Gap)]

    def until(self, true: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> float:
        """Wait until something is true; returns how long that took, seconds."""
        begun = time.monotonic()
        while not self._holds(true):
            assert self.error is None, self.error
            passed = time.monotonic() - begun
            assert passed < patience_s, f"expected {what} within {patience_s} s; {self.told()}"
            time.sleep(0.02)
        return time.monotonic() - begun

    def _holds(self, true: Callable[[], Any]) -> bool:
        try:
            return bool(true())
        except (KeyError, IndexError):
            return False  # No stream, no item yet.

    def until_frames(self, count: int = 3, patience_s: float = PATIENCE_S) -> float:
        """Wait for so many more frames; returns how long that took, seconds."""
        wanted = len(self.frames) + count
        return self.until(lambda: len(self.frames) >= wanted, f"{count} frames", patience_s)

    def until_state(self, *states: StreamState, patience_s: float = PATIENCE_S) -> float:
        """Wait for a state of the stream; returns how long that took, seconds."""
        return self.until(lambda: self.stream.state in states, " or ".join(states), patience_s)

    @property
    def reader(self) -> int:
        """The id of the process that reads the camera."""
        [pid] = readers(self.camera.camera)
        return pid

    def told(self) -> str:
        """What it said, for messages."""
        return f"state {self.camera.status}, notices {self.notices}, gaps {self.gaps[-5:]}"

    def check_accounted(self) -> None:
        """Every moment is between frames or in a gap, and none twice."""
        known, frame_before = self.begun, False
        # Each frame that was dropped, because the machine was busy, makes one hole longer by its turn.
        spare = self.camera.status.dropped * INTERVAL_US
        for _, item in list(self.items):
            if isinstance(item, Frame):
                assert item.t >= known, f"a frame at {item.t - known} us before what is known; {self.told()}"
                limit = SLACK_US if frame_before else INTERVAL_US + 50_000
                spare -= max(0, item.t - known - limit)
                assert spare >= 0, f"{(item.t - known) / SECOND} s are in no gap; {self.told()}"
                known, frame_before = item.t, True
            elif isinstance(item, Gap):
                assert item.start >= known, f"gaps overlap by {known - item.start} us; {self.told()}"
                hole = item.start - known
                assert hole <= (SLACK_US if frame_before else 0), f"{hole} us are in no gap; {self.told()}"
                assert item.end > item.start
                known, frame_before = item.end, False
            elif isinstance(item, Heartbeat):
                assert item.t <= known or frame_before, "a heartbeat says that nothing is unknown before it"


def readers(camera: str = "") -> list[int]:
    """The ids of the processes that read cameras (all, or one)."""
    name = f"reader of camera {camera}"
    found = multiprocessing.active_children()
    return [
        one.pid for one in found if one.pid and one.name.startswith(name) and (not camera or one.name == name)
    ]


def resident_bytes(pid: int) -> int:
    """The memory of a process that is in RAM and its own."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024


def settings(camera: str, main: str | StreamAddress, **options: Any) -> ReaderSettings:
    """Settings of a reader with short timeouts."""
    address = read_address(main, {}) if isinstance(main, str) else main
    return ReaderSettings(camera, address, **{"timeouts_s": TIMEOUTS_S, **options})


@contextmanager
def watching(
    url: str | StreamAddress,
    camera: str = "yard",
    limits: ReaderLimits | None = None,
    slow_s: float = 0.0,
    **options: Any,
) -> Iterator[Watched]:
    """Watch a camera; at the end it is stopped, and what it gave is checked for holes.

    Args:
        url: of the stream that is analysed.
        camera: its id.
        limits: when its reader is given up.
        slow_s: what the analysis of a frame takes, seconds.
        **options: of `ReaderSettings`.
    """
    preload_readers()
    notices = Said()
    clock = SteadyClock()
    source = LiveCamera(settings(camera, url, **options), clock, notices, limits)
    watched = Watched(source, clock.now(), notices=notices)

    def run() -> None:
        try:
            for item in source.items(watched.stop, watched.begun, INTERVAL_US, tick_s=0.1):
                if item is not None:
                    watched.items.append((time.monotonic(), item))
                    time.sleep(slow_s if isinstance(item, Frame) else 0.0)
        except BaseException as error:
            watched.error = error
            raise

    thread = threading.Thread(target=run, name=f"test of {camera}", daemon=True)
    thread.start()
    try:
        yield watched
    finally:
        watched.stop.set()
        thread.join(10)
    assert not thread.is_alive(), "the pass did not end in time"
    assert watched.error is None, watched.error
    watched.check_accounted()


@dataclass
class Yard:
    """A server of cameras, each of which is wanted by one test alone.

    Attributes:
        server: the server.
        clips: what they show: small, large, h265; 25 pictures a second.
    """

    server: RtspServer
    clips: dict[str, Path]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def camera(self, shows: str = "small", **options: Any) -> tuple[Mount, str]:
        """A new camera, and its address."""
        path = f"/camera{next(self._numbers)}"
        return self.server.mount(path, self.clips[shows], **options), self.server.url(path)


@contextmanager
def yard(folder: Path) -> Iterator[Yard]:
    """A server whose cameras send a key frame each 0.4 s, so that tests wait for none."""
    h265 = {"x265-params": "log-level=error"}
    clips = {
        "small": write_video(folder / "small.mp4", 50, fps=25, gop=10, size=(320, 240)),
        "large": write_video(folder / "large.mp4", 50, fps=25, gop=10, size=(640, 480)),
        "h265": write_video(
            folder / "h265.mp4", 50, fps=25, gop=10, size=(320, 240), codec="libx265", options=h265
        ),
    }
    with RtspServer() as server:
        yield Yard(server, clips)


def together(cases: dict[str, Callable[[], object]]) -> None:
    """Check cases at the same time, as most of each is waiting; all that fail are told by their names.

    Raises:
        ExceptionGroup: of what the cases raised.
    """
    errors: list[Exception] = []

    def check(name: str, case: Callable[[], object]) -> None:
        try:
            case()
        except Exception as error:
            error.add_note(f"case: {name}")
            errors.append(error)

    threads = [threading.Thread(target=check, args=case) for case in cases.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise ExceptionGroup(f"{len(errors)} of {len(cases)} cases failed", errors)
