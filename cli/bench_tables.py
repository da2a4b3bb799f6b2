"""The tables of `lazaretto bench`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evaluation.bench.run import BenchResult
    from evaluation.live.load import LoadPoint, LoadResult

MEANINGS = (
    "decode: decoding alone. track: YOLO.track on every frame. supervision: detector, ByteTrack, "
    "PolygonZones. gate: motion, 320 px regions, ByteTrack. pipeline: ours, everything. "
    "cam-s/s: camera-seconds per second. CPU-s/h: processor seconds per camera-hour. MB: most memory."
)
"""What the names of workloads and columns mean."""


def workload_table(result: BenchResult) -> Table:
    """A row for each workload: medians, and the accuracy of its events."""
    bench = result.request.bench
    columns = (
        *("workload", "cam-s/s", "x track", "x decode", "CPU-s/h"),
        *("frames", "MB", "F1", "found", "alarms"),
    )
    number = len(bench.cameras)
    title = f"{bench.name}: {number} camera{'s' * (number > 1)}, medians of {result.request.repeats}"
    made = Table(*columns, title=title, caption=MEANINGS, box=SIMPLE_HEAD, padding=0)
    for name, row in result.rows.items():
        timing, score = row.timing, None if row.score is None else row.score.score
        made.add_row(
            name,
            f"{timing.speed:.2f}",
            _number(result.ratio(name, "track"), 2),
            _number(result.ratio(name, "decode"), 3),
            f"{timing.cpu_s_per_camera_hour:.0f}",
            str(timing.frames),
            f"{timing.peak_mb:.0f}",
            _number(None if score is None else score.f, 3),
            "-" if score is None else f"{score.found}/{score.events}",
            "-" if score is None else str(score.alarms),
        )
    return made


def machine_text(result: BenchResult) -> str:
    """What the figures depend on: the processor, its cores and capabilities, the footage, the runtime."""
    machine, settings = result.machine, result.request.settings
    listed = machine["capabilities"]
    able = ", ".join(map(str, listed)) if isinstance(listed, list) and listed else "none of those asked for"
    used = next(iter(result.rows.values())).timing.footage_s
    return (
        f"Machine: {machine['processor']}, {machine['cores_usable']} cores, capabilities: {able}. "
        f"{used:.0f} camera-seconds, runtime {settings.runtime}. Ratios of one run count, and only on such a "
        "machine; under a minute or two, little can be told."
    )


def curve_table(result: BenchResult) -> Table:
    """A row for each workload and number of cameras."""
    columns = ("workload", "cameras", "wall s per camera-s", "CPU-s per camera-s", "peak MB")
    made = Table(*columns, "MB per further camera", title="Cost against cameras")
    for name, points in result.curve.items():
        for point in points:
            timing = point.timing
            last = point is points[-1]
            made.add_row(
                name,
                str(point.cameras),
                f"{timing.working_s / timing.footage_s:.4f}",
                f"{timing.cpu_s / timing.footage_s:.4f}",
                f"{timing.peak_mb:.0f}",
                _number(result.mb_per_camera(name), 1) if last else "",
                end_section=last,
            )
    return made


def load_table(result: LoadResult) -> Table:
    """A column for each number of live cameras."""
    points = result.points
    machine = result.machine
    caption = (
        f"{machine['processor']}, {machine['cores_usable']} cores. Latency: from the arrival of the deciding "
        "frame to the commit in the ledger. The server plays the cameras and is no part of the watch."
    )
    title = f"{result.request.bench.name}: live cameras, {result.request.seconds:.0f} s each"
    made = Table(title=title, caption=caption, box=SIMPLE_HEAD)
    made.add_column("cameras")
    for point in points:
        made.add_column(str(point.cameras), justify="right")

    def add(name: str, value: Callable[[LoadPoint], str]) -> None:
        made.add_row(name, *(value(point) for point in points))

    def add_latencies(what: str, values: Callable[[LoadPoint], Mapping[str, float]]) -> None:
        add(f"{what}, median, s", lambda point: _number(values(point).get("p50"), 2))
        add(f"{what}, p95, s", lambda point: _number(values(point).get("p95"), 2))
        add(f"{what}, longest, s", lambda point: _number(values(point).get("max"), 2))

    add_latencies("latency", lambda point: point.results or {})
    add("alerts", lambda point: f"{(point.alerts or {}).get('count', 0):.0f}")
    add_latencies("of alerts", lambda point: point.alerts or {})
    add("frames a second", lambda point: f"{point.frames_per_s:.1f} of {point.due_per_s:.0f}")
    add("dropped", lambda point: f"{point.dropped:.2%}")
    add("dropped, worst camera", lambda point: f"{point.dropped_worst:.2%}")
    add("analysed, worst camera", lambda point: f"{point.analysed_worst:.1%}")
    add("cores, analysis", lambda point: f"{point.main_cpu:.2f}")
    add("cores, readers", lambda point: f"{point.readers_cpu:.2f}")
    add("cores, server", lambda point: f"{point.server_cpu:.2f}")
    add("MB, analysis", lambda point: f"{point.main_mb:.0f}")
    add("MB, a reader", lambda point: f"{point.reader_mb:.0f}")
    add("held", lambda point: "no" if point.misses else "yes")
    return made


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
