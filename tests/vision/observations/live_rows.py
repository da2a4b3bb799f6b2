"""Live rows for the tests of append logs: whole seconds of people who walk, around the end of an hour.

Run as a program, it appends them in a process of its own. Arguments: home, seconds before and after the end
of the hour. It prints the time of each append.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import polars as pl

from tests.incidents.rules.rule_scenes import NOON, long_log
from vision.frames import SECOND
from vision.observations import HOUR, AppendLog, rounded

CAMERA = "cam-1"
END = NOON + HOUR
"""The end of the hour around which the rows lie."""


@cache
def live_rows(before: int, after: int) -> pl.DataFrame:
    """Rows of some seconds before and after `END`, as the log returns them."""
    later = pl.duration(microseconds=END - before * SECOND - NOON)
    return rounded(long_log((before + after) / 3600)).with_columns(t=pl.col("t") + later)


def between(rows: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
    """The rows with start <= t < end."""
    moment = pl.col("t").dt.timestamp("us")
    return rows.filter((moment >= start) & (moment < end))


def seconds(before: int, after: int, since: int | None = None) -> Iterator[tuple[pl.DataFrame, int]]:
    """The same rows second by second from `since` on, each second with its end."""
    rows = live_rows(before, after)
    for end in range(END - (before - 1) * SECOND, END + (after + 1) * SECOND, SECOND):
        if since is None or end > since:
            yield between(rows, max(end - SECOND, since or 0), end), end


if __name__ == "__main__":
    before, after = int(sys.argv[2]), int(sys.argv[3])
    with AppendLog(Path(sys.argv[1]), CAMERA, sync_every_s=1.0) as log:
        for piece, end in seconds(before, after, log.until):
            log.append(piece, end)
            print(end, flush=True)
