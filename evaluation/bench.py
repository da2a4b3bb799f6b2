"""Speed of this pipeline, of decoding alone, and of the loop over YOLO.track that a user would write.

The workloads run one after the other, each in its own process, so that the peak memory is that of the
workload. The time for loading models and libraries is measured apart.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from zones.errors import LazarettoError

WORKLOADS = ("decode", "loop", "pipeline")


@dataclass(frozen=True)
class Timing:
    """Time and memory of one workload.

    Attributes:
        workload: decode, loop or pipeline.
        footage_s: seconds of footage.
        frames: frames decoded, detected in, or analysed.
        loading_s: seconds before the first frame (libraries, models, exports).
        working_s: seconds for the footage.
        peak_mb: largest resident memory, megabytes (10^6 bytes).
    """

    workload: str
    footage_s: float
    frames: int
    loading_s: float
    working_s: float
    peak_mb: float

    @property
    def speed(self) -> float:
        """Camera-seconds per second."""
        return self.footage_s / self.working_s


@dataclass(frozen=True)
class BenchRequest:
    """What to time: the options of `lazaretto bench`."""

    video: str
    facility: str
    camera: str
    person: str
    face: str
    mask: str
    device: str
    fps: float
    imgsz: int
    loop_imgsz: int
    runtime: str = "auto"


@dataclass(frozen=True)
class BenchResult:
    """The timing of a workload, and its speed relative to that of the loop and of decoding."""

    timing: Timing
    times_the_loop: float
    share_of_decoding: float

    def to_dict(self) -> dict[str, str | float]:
        """The result for JSON."""
        return {
            **asdict(self.timing),
            "speed": round(self.timing.speed, 2),
            "times_the_loop": round(self.times_the_loop, 2),
            "share_of_decoding": round(self.share_of_decoding, 4),
        }


def run_bench(request: BenchRequest) -> list[BenchResult]:
    """Time every workload.

    Raises:
        LazarettoError: a workload failed.
    """
    timings = {workload: time_workload(workload, request) for workload in WORKLOADS}
    loop, decoding = timings["loop"].speed, timings["decode"].speed
    return [BenchResult(item, item.speed / loop, item.speed / decoding) for item in timings.values()]


def time_workload(workload: str, request: BenchRequest) -> Timing:
    """Run one workload in its own process.

    Raises:
        LazarettoError: the workload failed; the message ends with the last line that it printed.
    """
    command = [sys.executable, "-m", "evaluation.bench", workload, json.dumps(asdict(request))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        printed = done.stderr.strip().splitlines() or ["nothing"]
        reason = printed[-1].partition(": ")[2] or printed[-1]  # without the name of the exception
        raise LazarettoError(f"bench {workload}: {reason}")
    return Timing(**json.loads(done.stdout.strip().splitlines()[-1]))


def _decode(request: BenchRequest) -> Callable[[], int]:
    from vision.sources.decoding import decode_frames
    from vision.sources.files import open_source
    from vision.sources.gaps import Gap

    source = open_source(request.video, request.camera)

    def work() -> int:
        return sum(
            not isinstance(p, Gap) for p in decode_frames(source.info.path, source.info.start_us, None)
        )

    return work


def _loop(request: BenchRequest) -> Callable[[], int]:
    from models.devices import Device
    from models.offline import yolo
    from models.registry import resolve

    model = yolo(resolve(request.person).path)
    device = str(Device.choose(request.device))

    def work() -> int:
        count = 0
        for result in model.track(
            source=request.video,
            stream=True,
            imgsz=request.loop_imgsz,
            classes=[0],
            device=device,
            verbose=False,
        ):
            count += 1
            _ = result.boxes.xyxy.cpu().numpy(), result.boxes.id
        return count

    return work


def _pipeline(request: BenchRequest) -> Callable[[], int]:
    from incidents.ledger import Ledger
    from models.devices import Device
    from pipelines.analysis import AnalyzeRequest
    from pipelines.analyze import analyze
    from pipelines.assignment import assign
    from pipelines.home import Home
    from vision.networks import ModelBundle, Models, PerceptionSettings
    from zones.facility import load_facility

    facility = load_facility(request.facility)
    assigned = assign([request.video], facility, request.camera)
    if assigned.faults:
        raise assigned.faults[0]
    settings = PerceptionSettings(fps=request.fps, imgsz=request.imgsz)
    models = Models(request.person, request.face, request.mask)
    bundle = ModelBundle.load(Device.choose(request.device, request.runtime), settings, models)
    bundle.warm_up()

    def work() -> int:
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder))
            with Ledger.open(home.ledger) as ledger:
                job = AnalyzeRequest(facility, assigned.footage, home, accept_file_dates=True)
                outcome = analyze(job, ledger, bundle)
            if outcome.faults:
                raise outcome.faults[0]
            return sum(item.frames for item in outcome.cameras)

    return work


def main(workload: str, request: BenchRequest) -> Timing:
    """Run one workload in this process."""
    from vision.sources.files import open_source

    began = time.perf_counter()
    work = {"decode": _decode, "loop": _loop, "pipeline": _pipeline}[workload](request)
    ready = time.perf_counter()
    frames = work()
    done = time.perf_counter()
    info = open_source(request.video, request.camera).info
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    footage = (info.duration_us or 0) / 1e6
    return Timing(workload, footage, frames, ready - began, done - ready, peak)


if __name__ == "__main__":
    print(json.dumps(asdict(main(sys.argv[1], BenchRequest(**json.loads(sys.argv[2]))))))
