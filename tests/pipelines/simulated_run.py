"""Analyse a simulated stream of four minutes into a home, in a process that kills itself on the way.

    python -m tests.pipelines.simulated_run HOME MOMENT SEQ

MOMENT: `checkpoint` (of segment SEQ, just written) or `ledger` (the segment just entered, and the checkpoint
before not yet removed).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from incidents.ledger import Ledger
from pipelines.analysis import checkpoint
from pipelines.analysis.segments import FileStream, SegmentSink, StreamAnalysis
from tests.logs import MODELS
from tests.pipelines.simulated import CAMERA, SimulatedFrame, frames_of, simulated_bundle, simulated_source
from tests.vision.tracking.crowd import Crowd, Post, View, wanderers
from vision.frames import SEGMENT
from vision.perception import Perception
from zones.facility import load_facility

FPS = 1.0
START = 29_000_000 * SEGMENT + SEGMENT // 3
FACILITY = Path(__file__).parents[2] / "data" / "facility.yaml"
KEY = "stream"
ONE_FILE = ((KEY, 0, 201),)
TWO_FILES = ((KEY, 0, 90), ("later", 90, 201))
"""Key of the stream, number of its first view, and number of the first view after it."""


@cache
def views() -> tuple[View, ...]:
    crowd = Crowd(wanderers(4, 200, 5), [Post(0, 9, 0.35), Post(2.5, 11, 0.5)], seed=5)
    return tuple(crowd.views(200, FPS))


def analyse(
    home: Path,
    warn: Callable[[str], None] = lambda _: None,
    files: Sequence[tuple[str, int, int]] = ONE_FILE,
) -> int:
    """Analyse the stream, or the rest of it; returns the number of frames analysed now."""
    bundle = simulated_bundle(views(), fps=FPS)
    perception, reached, analysed = Perception(bundle, CAMERA, KEY), None, 0
    with Ledger.open(home / "ledger.db") as ledger:
        run = ledger.runs.start(load_facility(FACILITY), MODELS, {})
        sink = SegmentSink(home, ledger, run, lambda *_: None, warn)
        for key, first, end in files:
            part = frames_of(views(), START)[first:end]
            frames = [SimulatedFrame(frame.image, frame.t, n, frame.camera) for n, frame in enumerate(part)]
            stream = FileStream(simulated_source(frames), key, (0, 0))
            analysis = StreamAnalysis(sink, stream, perception, bundle, reached)
            analysis.run()
            reached, analysed = analysis.reached, analysed + analysis.frames
    return analysed


def main(home: Path, moment: str, seq: str) -> None:
    """Analyse, and die at that moment."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    write, keep_only = checkpoint.write, checkpoint.keep_only

    def write_checkpoint(home: Path, item: checkpoint.Checkpoint) -> None:
        write(home, item)
        if (moment, item.seq) == ("checkpoint", int(seq)):
            die()

    def keep(home: Path, stream: str, segment: int) -> None:
        if (moment, segment) == ("ledger", int(seq)):
            die()
        keep_only(home, stream, segment)

    checkpoint.write, checkpoint.keep_only = write_checkpoint, keep
    analyse(home)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
