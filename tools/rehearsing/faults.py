"""What goes wrong in a rehearsal, and when: the truth beside which the coverage is set."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from evaluation.streaming import ServerProcess
from zones.errors import LazarettoError

CYCLE_S = 240.0
"""Seconds after which the faults of the flapping cameras come again."""
NOTHING_COMES = ("silent", "refused")
"""Faults in which a camera gives nothing at all."""


@dataclass
class Fault:
    """Something that was wrong.

    Attributes:
        camera: id of the camera; "" = all of them.
        kind: what.
        start, end: microseconds UTC by the clock of this computer; end None = it lasts.
        seen_s: seconds after which the ledger said that the camera is not watched; None = not while the fault
            lasted.
    """

    camera: str
    kind: str
    start: int
    end: int | None = None
    seen_s: float | None = None


@dataclass(order=True)
class Step:
    """Something to do at a time, seconds from the beginning."""

    at: float
    do: Callable[[], None] = field(compare=False)


def now() -> int:
    """Microseconds UTC."""
    return time.time_ns() // 1000


class Truth:
    """What was wrong so far."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.faults: list[Fault] = []

    def begin(self, camera: str, kind: str) -> Fault:
        """A fault begins."""
        fault = Fault(camera, kind, now())
        self.faults.append(fault)
        return fault

    def end(self, kind: str, camera: str = "") -> None:
        """The fault of that kind ends."""
        for fault in self.faults:
            if (fault.kind, fault.camera) == (kind, camera) and fault.end is None:
                fault.end = now()

    @property
    def lasting(self) -> list[Fault]:
        """The faults that last."""
        return [fault for fault in self.faults if fault.end is None]

    def of(self, camera: str) -> list[Fault]:
        """The faults that a camera suffered."""
        return [fault for fault in self.faults if fault.camera in ("", camera)]


class FlappingCameras:
    """Three cameras that drop, hang, refuse, freeze, are covered and send garbage."""

    def __init__(
        self, server: ServerProcess, truth: Truth, names: Sequence[str], media: dict[str, Path], covered: Path
    ) -> None:
        """Prepare.

        Args:
            server: serves them.
            truth: takes what is done.
            names: three cameras.
            media: the footage of each.
            covered: a video of a covered lens.
        """
        self._server, self._truth, self._names = server, truth, names
        self._media, self._covered = media, covered

    def steps(self, seconds: float) -> list[Step]:
        """What is done in so many seconds."""
        hangs, refuses, covered = self._names
        plan = [
            (25.0, 0.0, hangs, "dropped"),
            (60.0, 30.0, hangs, "silent"),
            (150.0, 0.0, hangs, "dropped"),
            (40.0, 25.0, refuses, "refused"),
            (100.0, 80.0, refuses, "frozen"),
            (30.0, 80.0, covered, "covered"),
            (150.0, 45.0, covered, "garbage"),
        ]
        steps: list[Step] = []
        turn = 0.0
        while turn < seconds:
            for at, lasts, name, kind in plan:
                if turn + at + lasts + 10.0 < seconds:
                    steps.append(Step(turn + at, lambda name=name, kind=kind: self._begin(name, kind)))  # type: ignore[misc]
                    steps.append(Step(turn + at + lasts, lambda name=name, kind=kind: self._end(name, kind)))  # type: ignore[misc]
            turn += CYCLE_S
        return steps

    def _begin(self, name: str, kind: str) -> None:
        self._truth.begin(name, kind)
        server = self._server
        if kind == "silent":
            server.set(name, silent=True, no_packets=True)
        elif kind == "refused":
            server.set(name, close_at_once=True)
        elif kind == "frozen":
            server.set(name, frozen=True)
        elif kind == "garbage":
            server.set(name, garbage="payload")
        elif kind == "covered":
            server.call(name, "switch", str(self._covered))
        if kind in ("dropped", "refused"):
            server.call(name, "close_clients")

    def _end(self, name: str, kind: str) -> None:
        if kind == "covered":
            self._server.call(name, "switch", str(self._media[name]))
        else:
            self._server.call(name, "clear")
        self._truth.end(kind, name)


class LockedLedger:
    """Another process that holds the ledger."""

    def __init__(self, ledger: Path, truth: Truth) -> None:
        """Prepare."""
        self._path, self._truth = ledger, truth
        self._connection: sqlite3.Connection | None = None

    def lock(self) -> None:
        """Hold it."""
        self._connection = sqlite3.connect(self._path, timeout=30)
        self._connection.execute("BEGIN IMMEDIATE")
        self._truth.begin("", "ledger locked")

    def release(self) -> None:
        """Let it go."""
        if self._connection is not None:
            self._connection.rollback()
            self._connection.close()
        self._truth.end("ledger locked")


class SmallDisk:
    """A disk in memory for the footage, which is filled once; use it as a context manager.

    Attributes:
        available: whether one could be mounted; else `folder` is an ordinary folder.
    """

    def __init__(self, folder: Path, megabytes: int, truth: Truth) -> None:
        """Prepare."""
        self.folder, self._megabytes, self._truth = folder, megabytes, truth
        self.available = False

    def __enter__(self) -> SmallDisk:
        """Mount it, which needs the rights of root."""
        self.folder.mkdir(parents=True)
        words = ["mount", "-t", "tmpfs", "-o", f"size={self._megabytes}m", "tmpfs", str(self.folder)]
        try:
            self.available = subprocess.run(words, capture_output=True, check=False).returncode == 0
        except OSError:
            self.available = False
        return self

    def __exit__(self, *_: object) -> None:
        """Unmount it."""
        if self.available:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self) -> None:
        """Leave no byte free."""
        with (self.folder / ".filler").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 20)):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        self._truth.begin("", "disk full")

    def empty(self) -> None:
        """Give back what was taken."""
        (self.folder / ".filler").unlink()
        self._truth.end("disk full")


def covered_lens(path: Path, like: Path, seconds: float = 20.0) -> Path:
    """Write what a camera sends whose lens is covered: almost black, with noise.

    Args:
        path: the video to be written.
        like: a video whose size and rate it has.
        seconds: its length.

    Raises:
        LazarettoError: the video cannot be read.
    """
    try:
        with av.open(str(like)) as container:
            source = container.streams.video[0]
            width, height, rate = source.width, source.height, source.average_rate
    except (OSError, av.FFmpegError) as error:
        raise LazarettoError(f"{like}: expected a video, got: {error}") from error
    assert rate is not None, "a video of a set has a rate"
    rng = np.random.default_rng(11)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate, options={"preset": "veryfast", "bf": "0", "g": "30"})
        assert isinstance(stream, av.VideoStream), "libx264 encodes video"
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(round(seconds * float(rate))):
            luma = np.clip(rng.normal(24, 2, (height, width)), 16, 235).astype(np.uint8)
            planes = np.concatenate([luma, np.full((height // 2, width), 128, np.uint8)])
            output.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        output.mux(stream.encode())
    return path
