"""Rows of the observation log for tests."""

from __future__ import annotations

import polars as pl

from vision.frames import from_iso
from vision.observations import SCHEMA

START = from_iso("2026-11-24T08:59:59Z")


def rows(times: list[int], camera: str = "yard") -> pl.DataFrame:
    columns: dict[str, object] = {name: [None] * len(times) for name in SCHEMA}
    columns.update(
        camera=[camera] * len(times),
        t=pl.Series(times, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
        track=list(range(len(times))),
    )
    return pl.DataFrame(columns, schema=SCHEMA)
