"""A process that writes to a ledger until it has written enough or is killed.

`ledger_writer.py LEDGER STREAM COUNT`: segment and incident number n in one transaction, the review of
the incident in another; then n on a line, when both are committed. Goes on where the stream ended.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ledger_samples import MODELS, T0, facility, incident

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from vision.frames import SECOND


def main(path: str, stream: str, count: int) -> None:
    """Write; see above."""
    camera = stream.split("-")[0]
    with Ledger.open(Path(path)) as ledger:
        run = ledger.runs.start(facility(), MODELS, {"stream": stream})
        for n in range(len(ledger.segments.of_stream(stream)), count):
            start, end = T0 + n * SECOND, T0 + (n + 1) * SECOND
            state = State.ANALYSED if n % 2 else State.IDLE
            found = incident(camera=camera, start=start, end=end)
            with ledger.transaction():
                ledger.segments.commit(
                    stream, camera, n, "f.mp4", start, end, 5, "p", [Interval(camera, start, end, state)], run
                )
                ledger.incidents.record(found, run)
            ledger.workflow.transition(found.id, "in_review", "r1", None, end)
            print(n, flush=True)
        ledger.runs.finish(run, "complete")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
