"""Homes with a log that was not analysed: observations written down, and a ledger that knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from vision import observations
from vision.frames import SECOND
from zones.facility import Facility

MODELS = {"person": {"name": "made", "sha256": "a" * 64, "runtime": "torch"}}
HOUR = observations.HOUR


def log_home(home: Path, facility: Facility, logs: Mapping[str, pl.DataFrame], run: str | None = None) -> str:
    """Write a log as an analysis would: parts by the hour, coverage, segments; returns the run's id."""
    home.mkdir(parents=True, exist_ok=True)
    with Ledger.open(home / "ledger.db") as ledger:
        run = run or ledger.runs.start(facility, MODELS, {})
        for camera, log in logs.items():
            moment = pl.col("t").dt.timestamp("us")
            parts = log.with_columns(hour=moment // HOUR * HOUR).partition_by("hour", maintain_order=True)
            for part in parts:
                rows = part.drop("hour")
                first, last = rows.select(moment.min().alias("a"), moment.max().alias("b")).row(0)
                written = observations.write_part(home, rows, camera, first)
                ledger.segments.commit(
                    stream_key=f"{camera}-{first}",
                    camera=camera,
                    seq=0,
                    source="made",
                    start=first,
                    end=last + SECOND // 5,
                    frames=rows["t"].n_unique(),
                    part=written.as_posix(),
                    coverage=[Interval(camera, first, last + SECOND // 5, State.ANALYSED)],
                    run_id=run,
                )
                ledger.segments.mark_evaluated(camera, first, last + SECOND // 5)
    return run
