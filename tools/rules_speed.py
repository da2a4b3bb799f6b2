"""Time the rules on synthetic logs: a day, a second at a time, and the size of the state that is carried.

Usage: python tools/rules_speed.py [--hours 24] [--days 30]

Prints one line for each figure, in processor seconds. Nothing is written.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parent.parent))

from incidents.rules.engine import CameraRules
from tests.incidents.rules.rule_scenes import NOON, box_zone, line, long_log, scene
from vision.frames import SECOND
from zones.facility import Facility, Pair, Role, ZoneType

HOUR = 3600 * SECOND


def yard() -> Facility:
    """A calibrated camera with four zones, a line, and every pair of roles that can be in contact."""
    return scene(
        box_zone("staff", ZoneType.STAFF_ONLY, 1, 1, 5, 5),
        box_zone("common", ZoneType.COMMON, 5, 1, 11, 5),
        box_zone("care", ZoneType.CARE_STATION, 11, 1, 15, 5),
        box_zone("door", ZoneType.ROOM_DOOR, 1, 8, 5, 11),
        line("gate", ZoneType.GATE, (8, 5), (8, 11)),
        default_role=Role.RESIDENT,
        contact_pairs=tuple(Pair),
    )


def take(rules: CameraRules, log: pl.DataFrame, step: int, first: int, last: int) -> tuple[list[float], int]:
    """Give a log to the rules in chunks of `step` microseconds; seconds of each, and the number of events."""
    t = log["t"].dt.timestamp("us").to_numpy()
    seconds, events, since = [], 0, first
    while since < last:
        until = min(since + step, last)
        low, high = t.searchsorted([since, until]).tolist()
        begun = time.process_time()
        events += len(rules.advance(until, log[low:high]).events)
        seconds.append(time.process_time() - begun)
        since = until
    return seconds, events


def later(log: pl.DataFrame, hour: int) -> pl.DataFrame:
    """A log moved by hours. Track ids are random in a real log: those of another hour are others."""
    shift = pl.col("t") + pl.duration(microseconds=hour * HOUR)
    return log.with_columns(shift.alias("t"), (pl.col("track") + hour * 100_000).alias("track"))


def main() -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="length of the long log")
    parser.add_argument("--days", type=int, default=30, help="days over which the state is carried")
    options = parser.parse_args()
    facility = yard()
    warm = CameraRules(facility, "cam-1")
    warm.advance(NOON + SECOND, long_log(1 / 3600, people=2))

    five = long_log(1 / 6, people=5)
    seconds, events = take(CameraRules(facility, "cam-1"), five, SECOND, NOON, NOON + 600 * SECOND)
    print(
        f"a chunk of one second, five people: median {statistics.median(seconds) * 1000:.2f} ms, "
        f"95 % under {sorted(seconds)[int(0.95 * len(seconds))] * 1000:.2f} ms ({events} events)"
    )

    # Twenty people for three minutes of each hour, for a month: what is carried must not grow.
    rules, sizes = CameraRules(facility, "cam-1"), []
    for hour in range(options.days * 24):
        first = NOON + hour * HOUR
        take(
            rules,
            later(long_log(1 / 20, people=20, seed=hour, stay_s=40), hour),
            60 * SECOND,
            first,
            first + 180 * SECOND,
        )
        sizes.append(len(rules.save()) / 1024)
    if sizes:
        print(
            f"state with twenty people in view: {sizes[0]:.1f} KiB after 3 minutes, {sizes[-1]:.1f} KiB "
            f"after {options.days} days, {max(sizes):.1f} KiB at most"
        )

    rules, total, rows, events = CameraRules(facility, "cam-1"), 0.0, 0, 0
    for hour in range(round(options.hours)):
        log = later(long_log(1, people=3, seed=hour), hour)
        seconds, found = take(rules, log, HOUR, NOON + hour * HOUR, NOON + (hour + 1) * HOUR)
        total, rows, events = total + sum(seconds), rows + len(log), events + found
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{options.hours:g} hours, three people, {rows:,} rows: {total:.2f} s, {events} events, "
        f"most memory of the process {peak:.0f} MiB, state {len(rules.save()) / 1024:.1f} KiB"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
