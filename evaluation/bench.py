"""How fast: this pipeline against decoding alone and against the loop that a user would write today.

Each workload runs in a process of its own, one after the other, so that its peak memory is its own.
Loading models and libraries is left out of the time of every workload, and stated.
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
class Figures:
    """What one workload took.

    Attributes:
        workload: decode, loop or pipeline.
        footage_s: seconds of footage that it dealt with.
        frames: how many frames it looked at.
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
class Job:
    """What to time: the arguments of `lazaretto bench`."""

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


def measure(workload: str, job: Job) -> Figures:
    """Run one workload in a process of its own and read its figures.

    Raises:
        LazarettoError: it failed; the message ends with what it said.
    """
    command = [sys.executable, "-m", "evaluation.bench", workload, json.dumps(asdict(job))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise LazarettoError(
            f"bench {workload}: expected it to end well, got exit {done.returncode}: {said[-1]}"
        )
    return Figures(**json.loads(done.stdout.strip().splitlines()[-1]))


def _decode(job: Job) -> Callable[[], int]:
    from vision.sources.decoding import decode_frames
    from vision.sources.files import open_source
    from vision.sources.gaps import Gap

    source = open_source(job.video, job.camera)

    def work() -> int:
        return sum(
            not isinstance(p, Gap) for p in decode_frames(source.info.path, source.info.start_us, None)
        )

    return work


def _loop(job: Job) -> Callable[[], int]:
    from models.devices import Device
    from models.offline import yolo
    from models.registry import resolve

    model = yolo(resolve(job.person).path)
    device = str(Device.choose(job.device))

    def work() -> int:
        count = 0
        for result in model.track(
            source=job.video, stream=True, imgsz=job.loop_imgsz, classes=[0], device=device, verbose=False
        ):
            count += 1
            _ = result.boxes.xyxy.cpu().numpy(), result.boxes.id
        return count

    return work


def _pipeline(job: Job) -> Callable[[], int]:
    from incidents.ledger import Ledger
    from models.devices import Device
    from pipelines.analyze import AnalyzeRequest, analyze
    from pipelines.assignment import assign
    from pipelines.home import Home
    from vision.perception import ModelBundle, Models, PerceptionSettings
    from zones.facility import load_facility

    facility = load_facility(job.facility)
    footage, faults = assign([job.video], facility, job.camera)
    if faults:
        raise faults[0]
    settings = PerceptionSettings(fps=job.fps, imgsz=job.imgsz)
    models = Models(job.person, job.face, job.mask)
    bundle = ModelBundle.load(Device.choose(job.device, job.runtime), settings, models)
    bundle.warm_up()

    def work() -> int:
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder))
            with Ledger.open(home.ledger) as ledger:
                outcome = analyze(AnalyzeRequest(facility, footage, home), ledger, bundle)
            if outcome.faults:
                raise outcome.faults[0]
            return sum(item.frames for item in outcome.cameras)

    return work


def main(workload: str, job: Job) -> Figures:
    """Run one workload in this process."""
    from vision.sources.files import open_source

    began = time.perf_counter()
    work = {"decode": _decode, "loop": _loop, "pipeline": _pipeline}[workload](job)
    ready = time.perf_counter()
    frames = work()
    done = time.perf_counter()
    info = open_source(job.video, job.camera).info
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    footage = (info.duration_us or 0) / 1e6
    return Figures(workload, footage, frames, ready - began, done - ready, peak)


if __name__ == "__main__":
    print(json.dumps(asdict(main(sys.argv[1], Job(**json.loads(sys.argv[2]))))))
