"""A process that writes to a home as an analysis and a watch do, until it is told to stop or is killed.

`home_writer.py HOME`: for minute n of the footage, rows of `gate` are appended to its append log, rows of
`yard` are written as a part, and evidence is made in a hidden folder and renamed; then one transaction of the
ledger tells of all that; then n is printed. Hours are merged when they are over. A line on standard input
stops it.
"""

from __future__ import annotations

import secrets
import select
import sys
from pathlib import Path

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from pipelines.home import Home
from tests.incidents.ledger.ledger_samples import MODELS, T0, facility, incident
from tests.observing import rows
from tests.sealed_home import FILES, seal
from vision.frames import SECOND
from vision.observations import AppendLog, write_part
from vision.observations.upkeep import compact

MINUTE = 60 * SECOND


def main(path: str) -> None:
    """Write; see above."""
    home = Home(Path(path))
    home.prepare()
    (home.path / "roles").mkdir(exist_ok=True)
    (home.path / "roles" / "model.json").write_text("{}")
    with Ledger.open(home.ledger) as ledger, AppendLog(home.path, "gate", sync_every_s=1e9) as log:
        run = ledger.runs.start(facility(), MODELS, {})
        n = 0
        while not select.select([sys.stdin], [], [], 0)[0]:
            write_minute(home, ledger, log, run, n)
            print(n, flush=True)
            n += 1
        ledger.runs.finish(run, "complete")


def write_minute(home: Home, ledger: Ledger, log: AppendLog, run: str, n: int) -> None:
    start, end = T0 + n * MINUTE, T0 + (n + 1) * MINUTE
    times = [start + k * SECOND for k in range(0, 60, 5)]
    log.append(rows(times, "gate"), end)
    part = write_part(home.path, rows(times, "yard"), "yard", start)
    found = incident(start=start, end=start + 12 * SECOND)
    folder = home.evidence_folder(found)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    temporary.mkdir(parents=True)
    for name in FILES.values():
        (temporary / name).write_bytes((name + found.id).encode() * 100)
    temporary.rename(folder)
    with ledger.transaction():
        for camera, where in (("yard", part.as_posix()), ("gate", "")):
            ledger.segments.commit(
                f"{camera}-live",
                camera,
                n,
                "rtsp",
                start,
                end,
                12,
                where,
                [Interval(camera, start, end, State.ANALYSED)],
                run,
            )
        ledger.incidents.record(found, run)
        for kind, name in FILES.items():
            seal(home, ledger, found, kind, name, (folder / name).read_bytes())
    if n % 60 == 59:
        compact(home.path, "yard", start)


if __name__ == "__main__":
    main(sys.argv[1])
