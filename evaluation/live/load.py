"""How many live cameras a machine holds: a watch of more and more cameras, until it is late."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluation.bench.machine import machine
from evaluation.bench.sets import BenchSet
from evaluation.live.processes import TreeCost
from evaluation.live.site import LiveSite, served
from evaluation.live.watch_process import WatchProcess
from zones.errors import LazarettoError

LATENCY_BAR_S = 2.0
"""Bar: 95 of 100 results are in the ledger so soon after the frame that decided came, seconds. Project
default (docs/defaults.md)."""
DROPPED_BAR = 0.01
"""Bar: share of frames that are dropped because the device is busy, at most. Project default
(docs/defaults.md)."""
ANALYSED_BAR = 0.95
"""Bar: the camera that fares worst has this share of the frames that were due analysed, at least. Project
default (docs/defaults.md)."""
LATE_BAR_S = 1.0
"""A server that sent a picture later than this was too busy for the figures to count, seconds. Project
default (docs/defaults.md)."""


@dataclass(frozen=True)
class LoadRequest:
    """What to find out.

    Attributes:
        bench: the set whose footage the cameras show.
        cameras_first: number of cameras to begin with.
        cameras_most: number of cameras at which the search ends.
        seconds: how long each number of cameras is watched.
        warm_up_s: how long it is watched before that.
        fps: analysed frames per camera and second, at most.
        options: further words for `lazaretto watch`.
    """

    bench: BenchSet
    cameras_first: int = 4
    cameras_most: int = 32
    seconds: float = 60.0
    warm_up_s: float = 20.0
    fps: float = 5.0
    options: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            LazarettoError: the search would have no number of cameras.
        """
        if not 1 <= self.cameras_first <= self.cameras_most:
            raise LazarettoError(
                f"expected at least one camera and at most {self.cameras_most} to begin with, "
                f"got {self.cameras_first}"
            )


@dataclass(frozen=True)
class LoadPoint:
    """A number of cameras.

    Attributes:
        cameras: how many.
        seconds: how long they were measured.
        results, alerts: latencies: count, p50, p95 and max, seconds; None = none came.
        frames_per_s: frames analysed in a second, of all cameras.
        due_per_s: frames that should have been.
        dropped: share of frames that were dropped because the device was busy.
        dropped_worst: the same of the camera that fared worst.
        analysed_worst: share of the frames due that were analysed of the camera that fared worst.
        worst: that camera.
        main_cpu, readers_cpu, server_cpu: processor seconds per second: of the process that analyses, of
            those that read, and of the server, which is no part of the watch.
        main_mb: resident memory of the process that analyses, megabytes (10^6 bytes).
        reader_mb: memory of a reader, shared pages in part: the mean.
        server_late_s: by how much the server was late, at most, seconds.
        faults: what the watch says is wrong with itself.
    """

    cameras: int
    seconds: float
    results: Mapping[str, float] | None
    alerts: Mapping[str, float] | None
    frames_per_s: float
    due_per_s: float
    dropped: float
    dropped_worst: float
    analysed_worst: float
    worst: str
    main_cpu: float
    readers_cpu: float
    server_cpu: float
    main_mb: float
    reader_mb: float
    server_late_s: float
    faults: Sequence[str] = ()

    @property
    def misses(self) -> list[str]:
        """By which bars the machine does not hold these cameras, as half sentences; empty = it holds them."""
        found = []
        p95 = None if self.results is None else self.results["p95"]
        if p95 is None:
            found.append("no result came")
        elif p95 > LATENCY_BAR_S:
            found.append(f"p95 of the latency {p95:.2f} s")
        if self.dropped > DROPPED_BAR:
            found.append(f"{self.dropped:.1%} of the frames dropped")
        if self.analysed_worst < ANALYSED_BAR:
            found.append(f"camera {self.worst} had {self.analysed_worst:.0%} of its frames analysed")
        return [*found, *self.faults]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        made: dict[str, object] = {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }
        return {**made, "held": not self.misses, "misses": self.misses}


@dataclass(frozen=True)
class LoadResult:
    """The answer.

    Attributes:
        request: what was asked.
        began: when, ISO 8601.
        machine: see `machine`.
        points: by number of cameras.
    """

    request: LoadRequest
    began: str
    machine: Mapping[str, object]
    points: Sequence[LoadPoint] = field(default_factory=tuple)

    @property
    def held(self) -> int:
        """The most cameras that the machine holds; 0 = not even the fewest that were tried."""
        return max((point.cameras for point in self.points if not point.misses), default=0)

    @property
    def sentence(self) -> str:
        """The answer for people."""
        bars = (
            f"p95 of the latency at most {LATENCY_BAR_S:.0f} s, at most {DROPPED_BAR:.0%} of the frames "
            f"dropped, at least {ANALYSED_BAR:.0%} of the frames of every camera analysed"
        )
        missed = min((point.cameras for point in self.points if point.misses), default=None)
        beyond = "more were not tried" if missed is None else f"{missed} are too many"
        return f"This machine holds {self.held} cameras ({bars}); {beyond}."

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        request = self.request
        return {
            "set": request.bench.name,
            "began": self.began,
            "machine": dict(self.machine),
            "seconds": request.seconds,
            "warm_up_s": request.warm_up_s,
            "fps": request.fps,
            "options": list(request.options),
            "bars": {"latency_p95_s": LATENCY_BAR_S, "dropped": DROPPED_BAR, "analysed": ANALYSED_BAR},
            "held": self.held,
            "points": [point.to_dict() for point in self.points],
        }


def find_most(first: int, most: int, holds: Callable[[int], bool]) -> int:
    """The largest number up to `most` that holds, to within an eighth; 0 = none does.

    Doubles from `first` on while it holds, then halves what lies between.

    Args:
        first: number to begin with.
        most: largest number that is tried.
        holds: whether a number holds; called once for each that is tried.
    """
    good, bad, number = 0, most + 1, first
    while good < number < bad:
        if holds(number):
            good = number
            number = min(2 * number, most)
        else:
            bad = number
    while bad - good > max(1, good // 8):
        number = (good + bad) // 2
        if holds(number):
            good = number
        else:
            bad = number
    return good


def find_load(request: LoadRequest, announce: Callable[[str], None] = lambda _: None) -> LoadResult:
    """Watch more and more cameras until the machine does not hold them.

    Args:
        request: what to find out.
        announce: called with a sentence before and after each number of cameras.

    Raises:
        LazarettoError: a watch did not begin or ended, or the footage cannot be served.
    """
    began, state = datetime.now(UTC).isoformat(timespec="seconds"), machine()
    points: list[LoadPoint] = []

    def holds(count: int) -> bool:
        announce(f"{count} cameras: {request.warm_up_s + request.seconds:.0f} s, and the start")
        point = _measure(request, count)
        points.append(point)
        announce(f"{count} cameras: " + ("held" if not point.misses else "; ".join(point.misses)))
        if point.server_late_s > LATE_BAR_S:
            announce(
                f"{count} cameras: the server was up to {point.server_late_s:.1f} s late, so the machine "
                "served less than was due"
            )
        return not point.misses

    find_most(request.cameras_first, request.cameras_most, holds)
    return LoadResult(request, began, state, tuple(sorted(points, key=lambda point: point.cameras)))


@dataclass(frozen=True)
class _Look:
    at: float
    cameras: Mapping[str, Mapping[str, Any]]
    cost: TreeCost
    server_s: float


def _measure(request: LoadRequest, count: int) -> LoadPoint:
    with tempfile.TemporaryDirectory(prefix="lazaretto-bench-") as name:
        folder = Path(name)
        with served(request.bench, count, folder) as site:
            options = ("--fps", str(request.fps), *request.options)
            with WatchProcess(site.facility, folder / "home", folder / "log", options) as watch:
                watch.wait_until_analysing(count)
                time.sleep(request.warm_up_s)
                before, _ = _look(watch, site)
                time.sleep(request.seconds)
                after, status = _look(watch, site, before.at)
                return _point(request, before, after, status, site.server.state().late_s)


def _look(watch: WatchProcess, site: LiveSite, since: float | None = None) -> tuple[_Look, Mapping[str, Any]]:
    """The watch now, with latencies from `since` on."""
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        window = 0.0 if since is None else time.monotonic() - since
        if (status := watch.status(window)) is not None:
            now = time.monotonic()
            return _Look(now, status["cameras"], watch.cost(), site.server.state().cpu_s), status
        time.sleep(0.2)
    raise LazarettoError("expected an answer of the watch within 60 s, got none")


def _point(
    request: LoadRequest, before: _Look, after: _Look, status: Mapping[str, Any], late_s: float
) -> LoadPoint:
    seconds = after.at - before.at
    due = seconds * request.fps

    def grown(camera: str, count: str) -> int:
        return int(after.cameras[camera][count]) - int(before.cameras[camera][count])

    names = list(after.cameras)
    frames = {name: grown(name, "frames") for name in names}
    dropped = {name: grown(name, "dropped") for name in names}
    analysed = {name: grown(name, "analysed") for name in names}
    worst = min(names, key=lambda name: analysed[name])
    readers = after.cost.readers
    latency = status["ledger"]["latency_s"]
    return LoadPoint(
        cameras=len(names),
        seconds=seconds,
        results=latency["results"],
        alerts=latency["alerts"],
        frames_per_s=sum(analysed.values()) / seconds,
        due_per_s=due * len(names) / seconds,
        dropped=sum(dropped.values()) / max(1, sum(frames.values())),
        dropped_worst=max(dropped[name] / max(1, frames[name]) for name in names),
        analysed_worst=analysed[worst] / due,
        worst=worst,
        main_cpu=(after.cost.main.cpu_s - before.cost.main.cpu_s) / seconds,
        readers_cpu=after.cost.readers_cpu_s(before.cost) / seconds,
        server_cpu=(after.server_s - before.server_s) / seconds,
        main_mb=after.cost.main.rss_mb,
        reader_mb=sum(cost.pss_mb for cost in readers.values()) / max(1, len(readers)),
        server_late_s=late_s,
        faults=tuple(status["faults"]),
    )
