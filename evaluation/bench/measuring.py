"""Time, processor time and memory of one workload, in a process of its own.

The time for loading models and libraries is measured apart. Processor time is that of all threads, and of
processes that the workload started. Memory is the largest resident memory of the process.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from evaluation.bench.rows import observations_of
from evaluation.bench.sets import BenchCamera, BenchSet
from evaluation.bench.work import Job, WorkSettings
from evaluation.bench.workloads import loaded
from vision.frames import SECOND
from zones.errors import LazarettoError


@dataclass(frozen=True)
class Timing:
    """What one run of a workload took.

    Attributes:
        workload: its name.
        cameras: of the set.
        footage_s: camera-seconds of footage.
        frames: frames decoded (decode), or analysed.
        loading_s: seconds before the first frame (libraries, models, exports).
        working_s: seconds for the footage.
        cpu_s: processor seconds for the footage, user and system, of all threads.
        peak_mb: largest resident memory, megabytes (10^6 bytes).
        counts: further counts of the workload.
    """

    workload: str
    cameras: int
    footage_s: float
    frames: int
    loading_s: float
    working_s: float
    cpu_s: float
    peak_mb: float
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def speed(self) -> float:
        """Camera-seconds per second."""
        return self.footage_s / self.working_s

    @property
    def cpu_s_per_camera_hour(self) -> float:
        """Processor seconds for an hour of a camera."""
        return self.cpu_s / self.footage_s * 3600


@dataclass(frozen=True)
class Task:
    """A workload on a set, for a process of its own.

    Attributes:
        workload: its name.
        bench: the set.
        settings: how it analyses.
        logs: folder for the observations of its tracks, one file for each camera; None = not wanted.
    """

    workload: str
    bench: BenchSet
    settings: WorkSettings
    logs: Path | None = None

    def to_json(self) -> str:
        """The task as JSON."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Read `to_json`."""
        data = json.loads(text)
        bench = data["bench"]
        for name in ("facility", "events", "tracks"):
            bench[name] = None if bench[name] is None else Path(bench[name])
        cameras = tuple(
            BenchCamera(**{**camera, "video": Path(camera["video"])}) for camera in bench["cameras"]
        )
        return cls(
            data["workload"],
            BenchSet(**{**bench, "cameras": cameras}),
            WorkSettings(**data["settings"]),
            None if data["logs"] is None else Path(data["logs"]),
        )


def measure(task: Task) -> Timing:
    """Run a workload in a process of its own.

    Raises:
        LazarettoError: the workload failed; the message ends with the last line that it printed.
    """
    command = [sys.executable, "-m", "evaluation.bench.measuring"]
    done = subprocess.run(command, input=task.to_json(), capture_output=True, text=True, check=False)
    if done.returncode:
        printed = done.stderr.strip().splitlines() or ["nothing"]
        reason = printed[-1].partition(": ")[2] or printed[-1]  # without the name of the exception
        raise LazarettoError(f"bench {task.workload}: {reason}")
    return Timing(**json.loads(done.stdout.strip().splitlines()[-1]))


def measure_here(task: Task) -> Timing:
    """Run a workload in this process."""
    began = time.perf_counter()
    job = Job.open(task.bench, task.settings)
    footage_s = sum(times.duration for _, _, times in job.cameras()) / SECOND
    with loaded(task.workload, job) as run:
        ready, processor = time.perf_counter(), _processor_s()
        done = run()
        finished, spent = time.perf_counter(), _processor_s() - processor
        peak = _peak_mb()
        if task.logs is not None and task.workload != "decode":
            logs = done.read_logs() if done.read_logs is not None else None
            for camera, part, _ in job.cameras():
                table = (
                    observations_of(done.rows[camera.id], camera.video, job.facility, part)
                    if logs is None
                    else logs[camera.id]
                )
                table.write_parquet(task.logs / f"{camera.id}.parquet")
    cameras = len(task.bench.cameras)
    took = finished - ready
    return Timing(
        task.workload, cameras, footage_s, done.frames, ready - began, took, spent, peak, done.counts
    )


def _processor_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(item.ru_utime + item.ru_stime for item in used)


def _peak_mb() -> float:
    """Largest resident memory of this process, megabytes.

    On Linux from VmHWM: `ru_maxrss` of a process includes the memory of the one that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def median(timings: list[Timing]) -> Timing:
    """The medians of several runs of a workload on one set."""
    import statistics

    names = ("loading_s", "working_s", "cpu_s", "peak_mb")
    middle = {name: statistics.median(getattr(item, name) for item in timings) for name in names}
    return replace(timings[0], **middle)


if __name__ == "__main__":
    os.environ.setdefault("YOLO_VERBOSE", "false")
    print(json.dumps(asdict(measure_here(Task.from_json(sys.stdin.read())))))
