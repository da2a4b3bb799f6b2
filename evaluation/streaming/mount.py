"""One stream of a camera, as the server serves it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from evaluation.streaming import clips
from evaluation.streaming.faults import Faults, Full
from evaluation.streaming.feed import Feed, Receiver, Sent
from evaluation.streaming.login import Login
from vision.clock import Clock


@dataclass(frozen=True)
class Options:
    """How a mount behaves while it is well.

    Attributes:
        pace: how much faster than its file it plays; timestamps too, so that it is a camera of more frames
            per second.
        live: whether all clients see the same moment, as at a camera, and begin at its next key frame.
            Otherwise each sees the files from their beginning.
        loop: whether the files are repeated for ever; else the session says goodbye (RTCP BYE) at the end.
        start_s: where in the files it begins, in seconds; with the next key frame from there.
        login: who may see it; None = everybody.
        sessions: how many clients it serves at once.
        full: how it answers one more client.
        sets_in_sdp, sets_in_band: where the parameter sets stand.
        linger_s: how long a session whose connection broke without a TEARDOWN counts as one.
        session_timeout_s: silence of a client after which its session ends.
        reports_s: seconds between two sender reports.
        first_report_s: seconds from PLAY to the first sender report.
        first_stamp: RTP timestamp of the first picture; None = by chance.
    """

    pace: float = 1.0
    live: bool = True
    loop: bool = True
    start_s: float = 0.0
    login: Login | None = None
    sessions: int = 1000
    full: Full = 453
    sets_in_sdp: bool = True
    sets_in_band: bool = True
    linger_s: float = 0.0
    session_timeout_s: float = 60.0
    reports_s: float = 5.0
    first_report_s: float = 0.0
    first_stamp: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came: `at_s` on the monotonic clock, and the status; None = not answered."""

    at_s: float
    method: str
    status: int | None


class Client(Protocol):
    """A connection that plays."""

    @property
    def dropped(self) -> int:
        """Pictures that were left out because it did not read."""

    def close(self) -> None:
        """End it at once, without a word."""


@dataclass
class Mount:
    """A stream that is served under `path`; `RtspServer.mount` makes it.

    Attributes:
        path: such as `/yard/main`.
        options: how it behaves while it is well.
        faults: what is wrong with it; may be changed at any time.
        asked: the latest 1,000 requests.
        clients: connections with a session, and those of sessions that linger.
    """

    path: str
    options: Options
    clock: Clock
    media: Sequence[clips.Clip]
    faults: Faults = field(default_factory=Faults)
    asked: deque[Asked] = field(default_factory=lambda: deque(maxlen=1000))
    clients: list[Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare the feed that all clients share."""
        self._base = secrets.randbits(32) if self.options.first_stamp is None else self.options.first_stamp
        self._loop: asyncio.AbstractEventLoop | None = None
        self._feeds: list[Feed] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._shared = self._feed()

    def _feed(self) -> Feed:
        options = self.options
        feed = Feed(
            self.media,
            self.faults,
            self.clock,
            pace=options.pace,
            loop=options.loop,
            start_s=options.start_s,
            first_stamp=self._base,
        )
        self._feeds.append(feed)
        return feed

    @property
    def latest(self) -> Sent | None:
        """What was due last of the stream that all clients share; None before the first picture."""
        return self._shared.sent[-1] if self._shared.sent else None

    @property
    def sent(self) -> tuple[Sent, ...]:
        """The last 10,000 pictures of the stream that all clients share: which timestamp was due when."""
        return tuple(self._shared.sent)

    @property
    def playing(self) -> Path:
        """The file that the stream that all clients share is at."""
        return self._shared.playing.path

    @property
    def late_s(self) -> float:
        """Seconds by which a picture was late, at most: the server's machine was busy."""
        return max(feed.late_s for feed in self._feeds)

    @property
    def codec(self) -> str:
        """h264 or hevc."""
        return self.media[0].codec

    def switch(self, media: Path | Sequence[Path], *, close: bool = False) -> None:
        """Show other files from the next picture on, of any size and codec; timestamps go on.

        Args:
            media: the files.
            close: whether the connections are closed, as most cameras do when their settings are changed.

        Raises:
            LazarettoError: a file cannot be sent.
        """
        self.media = load(media, self.options)
        for feed in tuple(self._feeds):
            feed.switch(self.media)
        if close:
            self.close_clients()

    def close_clients(self) -> None:
        """Close the connections of all clients, without a word."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._close_clients)

    def _close_clients(self) -> None:
        for client in tuple(self.clients):
            client.close()

    def note(self, method: str, status: int | None) -> None:
        """For the server: remember a request."""
        self.asked.append(Asked(time.monotonic(), method, status))

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """For the server, in its loop: let time pass."""
        self._loop = loop
        if self.options.live:
            self._run(self._shared)

    def _run(self, feed: Feed) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(feed.run())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler({"message": f"{self.path} ended", "exception": error})
            self._close_clients()

    @property
    def stamp(self) -> int:
        """For the server: the RTP timestamp from which those of a client that plays now count."""
        return self._shared.stamp if self.options.live else self._base % 2**32

    def play(self, receiver: Receiver) -> asyncio.Task[None] | None:
        """For the server: give pictures to a client; returns what is to be cancelled at its end."""
        if self.options.live:
            self._shared.receivers.append(receiver)
            return None
        feed = self._feed()
        feed.receivers.append(receiver)
        return self._run(feed)

    def leave(self, receiver: Receiver) -> None:
        """For the server: give no more pictures to a client."""
        for feed in tuple(self._feeds):
            if receiver in feed.receivers:
                feed.receivers.remove(receiver)
                if feed is not self._shared:
                    self._feeds.remove(feed)


def load(media: Path | Sequence[Path], options: Options) -> tuple[clips.Clip, ...]:
    """Read files for a mount.

    Raises:
        LazarettoError: a file cannot be sent.
    """
    paths = [media] if isinstance(media, Path) else media
    return tuple(clips.load(Path(path), options.sets_in_band) for path in paths)
