"""Writes evidence in a process of its own, to be killed or to run out of disk.

Arguments: video, folder of the evidence, bytes a file may have at most (0 = any), number of folders.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from incidents.evidence import ClipSource, EvidenceError, write_evidence
from tests.incidents.evidence.evidence_samples import CAMERA, INCIDENT, SOURCE_START, WINDOW, people

if __name__ == "__main__":
    video, folder, most, times = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    print("ready", flush=True)
    for number in range(times):
        try:
            write_evidence(
                folder / str(number),
                sources=[ClipSource(video, SOURCE_START)],
                window=WINDOW,
                observations=people(),
                camera=CAMERA,
                incident=INCIDENT,
            )
        except EvidenceError as error:
            sys.exit(str(error))
