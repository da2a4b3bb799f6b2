"""Running a benchmark: workloads in turn, several times; medians, event scores, bars, the curve of cost."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from evaluation.bench.bars import Bar, bars_of
from evaluation.bench.chart import Panel, draw
from evaluation.bench.machine import machine
from evaluation.bench.measuring import Task, Timing, measure, median
from evaluation.bench.scoring import EventScore, truth_basis, truth_of
from evaluation.bench.sets import BenchSet, shortened
from evaluation.bench.work import WORKLOADS, WorkSettings
from evaluation.report import write_json
from incidents.files import write_atomic
from zones.errors import LazarettoError

CURVE_CAMERAS = (1, 2, 4, 8, 16)
"""Numbers of cameras of a curve of cost. Project default (docs/defaults.md)."""
CURVE_WORKLOADS = ("decode", "pipeline")
"""Workloads of a curve of cost: what any analysis must pay, and ours. Project default (docs/defaults.md)."""
REPEATS = 3
"""Runs of each workload, of which the medians are stated. Project default (docs/defaults.md)."""

Announce = Callable[[str], None]


@dataclass(frozen=True)
class BenchRequest:
    """What to run.

    Attributes:
        bench: the set.
        settings: how the workloads analyse.
        workloads: their names, in order.
        repeats: runs of each, in turn: A B C A B C.
        seconds: run on the beginning of each video, cut at the next key frame; None = all of it.
        curve: numbers of cameras of a curve of cost; empty = no curve. Those above the set's are left out.
    """

    bench: BenchSet
    settings: WorkSettings = field(default_factory=WorkSettings)
    workloads: Sequence[str] = WORKLOADS
    repeats: int = REPEATS
    seconds: float | None = None
    curve: Sequence[int] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            LazarettoError: there is no such workload, or nothing to run.
        """
        for name in self.workloads:
            if name not in WORKLOADS:
                raise LazarettoError(f"expected a workload among {', '.join(WORKLOADS)}, got {name!r}")
        if not self.workloads or self.repeats < 1:
            raise LazarettoError("expected at least one workload and one run of it, got none")


@dataclass(frozen=True)
class Row:
    """A workload: the medians of its runs, and the score of its events."""

    timing: Timing
    runs: tuple[Timing, ...]
    score: EventScore | None


@dataclass(frozen=True)
class CurvePoint:
    """The medians of a workload on the first cameras of a set."""

    cameras: int
    timing: Timing


@dataclass(frozen=True)
class BenchResult:
    """The result of a request.

    Attributes:
        request: what was run.
        began: when, ISO 8601.
        machine: see `machine`.
        truth: where the true events come from.
        rows: by workload.
        curve: by workload, the points of its curve.
        bars: those that could be judged.
    """

    request: BenchRequest
    began: str
    machine: Mapping[str, object]
    truth: str
    rows: Mapping[str, Row]
    curve: Mapping[str, tuple[CurvePoint, ...]] = field(default_factory=dict)
    bars: tuple[Bar, ...] = ()

    def ratio(self, workload: str, other: str) -> float | None:
        """Speed of a workload in speeds of another; None if that did not run."""
        if other not in self.rows:
            return None
        return self.rows[workload].timing.speed / self.rows[other].timing.speed

    def mb_per_camera(self, workload: str) -> float | None:
        """Memory of a further camera, MB: from the fewest cameras of the curve to the most."""
        return _mb_per_camera(self.curve.get(workload, ()))

    def to_dict(self) -> dict[str, object]:
        """The result for JSON."""
        request = self.request
        return {
            "set": request.bench.name,
            "began": self.began,
            "machine": dict(self.machine),
            "settings": asdict(request.settings),
            "repeats": request.repeats,
            "seconds": request.seconds,
            "truth": self.truth,
            "cameras": [
                {"id": item.id, "video": str(item.video), "truth": item.truth, "occupied": item.occupied}
                for item in request.bench.cameras
            ],
            "workloads": [self._row(name) for name in self.rows],
            "curve": {
                name: {
                    "points": [_timing(point.timing) for point in points],
                    "mb_per_further_camera": _rounded(self.mb_per_camera(name)),
                }
                for name, points in self.curve.items()
            },
            "bars": [bar.to_dict() for bar in self.bars],
        }

    def _row(self, name: str) -> dict[str, object]:
        row = self.rows[name]
        return {
            **_timing(row.timing),
            "times_track": _rounded(self.ratio(name, "track")),
            "times_decoding": _rounded(self.ratio(name, "decode")),
            "event_accuracy": None if row.score is None else row.score.to_dict(),
            "runs": [
                {name: round(getattr(run, name), 3) for name in ("working_s", "cpu_s", "peak_mb")}
                for run in row.runs
            ],
        }

    def write(self, folder: Path) -> list[Path]:
        """Write the JSON, and the drawing of the curve where there is one, into a folder.

        Raises:
            LazarettoError: they cannot be written.
        """
        name = self.request.bench.name
        written = [folder / f"{name}.json"]
        write_json(self.to_dict(), written[0])
        if self.curve:
            written.append(folder / f"{name}-curve.svg")
            try:
                write_atomic(written[1], self.drawing().encode())
            except OSError as error:
                raise LazarettoError(f"{written[1]}: cannot be written: {error.strerror or error}") from error
        return written

    def drawing(self) -> str:
        """The curve of cost as SVG."""

        def lines(value: Callable[[Timing], float]) -> dict[str, list[tuple[int, float]]]:
            return {
                name: [(point.cameras, value(point.timing)) for point in points]
                for name, points in self.curve.items()
            }

        panels = [
            Panel("wall seconds per camera-second", lines(lambda item: item.working_s / item.footage_s)),
            Panel("processor seconds per camera-second", lines(lambda item: item.cpu_s / item.footage_s)),
            Panel("peak memory, MB", lines(lambda item: item.peak_mb)),
        ]
        return draw(f"{self.request.bench.name}: cost against cameras", panels)


def run_bench(request: BenchRequest, announce: Announce = lambda _: None) -> BenchResult:
    """Run a benchmark.

    Args:
        request: what to run.
        announce: called with a sentence before each run.

    Raises:
        LazarettoError: a workload failed, or the footage or its truth cannot be read.
    """
    began = datetime.now(UTC).isoformat(timespec="seconds")
    state = machine()
    with shortened(request.bench, request.seconds) as bench:
        truth = truth_of(bench)
        with tempfile.TemporaryDirectory(prefix="lazaretto-bench-") as name:
            logs = {workload: Path(name) / workload for workload in request.workloads}
            for folder in logs.values():
                folder.mkdir()
            # The observations of the first run are scored: all runs do the same.
            runs = _in_turn(request, bench, request.workloads, announce, "", logs if truth else {})
            scores = {
                workload: None if truth is None or workload == "decode" else truth.score(logs[workload])
                for workload in request.workloads
            }
        rows = {
            workload: Row(median(items), tuple(items), scores[workload]) for workload, items in runs.items()
        }
        curve = _curve(request, bench, announce)
    f1 = {name: None if row.score is None else row.score.score.f for name, row in rows.items()}
    timings = {name: row.timing for name, row in rows.items()}
    memory = _mb_per_camera(curve.get("pipeline", ()))
    bars = bars_of(bench.bars, timings, f1, memory)
    return BenchResult(request, began, state, truth_basis(bench), rows, curve, tuple(bars))


def _in_turn(
    request: BenchRequest,
    bench: BenchSet,
    workloads: Sequence[str],
    announce: Announce,
    where: str,
    logs: Mapping[str, Path],
) -> dict[str, list[Timing]]:
    """Run workloads in turn, so that a slow moment of the machine does not hit one of them alone."""
    runs: dict[str, list[Timing]] = {workload: [] for workload in workloads}
    for repeat in range(request.repeats):
        for workload in workloads:
            announce(f"{where}{workload}, run {repeat + 1} of {request.repeats}")
            target = logs.get(workload) if repeat == 0 else None
            runs[workload].append(measure(Task(workload, bench, request.settings, target)))
    return runs


def _curve(request: BenchRequest, bench: BenchSet, announce: Announce) -> dict[str, tuple[CurvePoint, ...]]:
    counts = sorted({number for number in request.curve if 1 <= number <= len(bench.cameras)})
    if not counts:
        return {}
    workloads = [name for name in CURVE_WORKLOADS if name in request.workloads]
    points: dict[str, list[CurvePoint]] = {name: [] for name in workloads}
    for count in counts:
        where = f"{count} camera{'s' * (count > 1)}: "
        runs = _in_turn(request, bench.first(count), workloads, announce, where, {})
        for name, items in runs.items():
            points[name].append(CurvePoint(count, median(items)))
    return {name: tuple(items) for name, items in points.items()}


def _mb_per_camera(points: Sequence[CurvePoint]) -> float | None:
    if len(points) < 2:
        return None
    first, last = points[0], points[-1]
    return (last.timing.peak_mb - first.timing.peak_mb) / (last.cameras - first.cameras)


def _timing(timing: Timing) -> dict[str, object]:
    return {
        "workload": timing.workload,
        "cameras": timing.cameras,
        "footage_s": round(timing.footage_s, 2),
        "frames": timing.frames,
        "counts": dict(timing.counts),
        "loading_s": round(timing.loading_s, 2),
        "working_s": round(timing.working_s, 3),
        "cpu_s": round(timing.cpu_s, 3),
        "peak_mb": round(timing.peak_mb, 1),
        "speed": round(timing.speed, 3),
        "cpu_s_per_camera_hour": round(timing.cpu_s_per_camera_hour, 1),
        "wall_s_per_camera_s": round(timing.working_s / timing.footage_s, 5),
        "cpu_s_per_camera_s": round(timing.cpu_s / timing.footage_s, 5),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
