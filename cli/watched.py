"""What was watched and what could have been judged, for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from cli.output import print_line
from incidents.local_time import local_iso
from incidents.watched.hour import HourCounts
from incidents.watched.summary import CameraWatch, duration_text, watch_sentences
from vision.frames import SECOND

if TYPE_CHECKING:
    from pipelines.replay import Replay  # Only named here: it takes long to import.


MOST_SHOWN = 20
"""Times without watching that `coverage` shows; JSON holds all. Project default (docs/defaults.md)."""
GOING_ON_US = 15 * SECOND
"""A time without watching that ends this shortly before now may go on: an outage is accounted for every 10 s.
Project default (docs/defaults.md)."""


def print_watched(watches: Sequence[CameraWatch]) -> None:
    """Print what stands beside a count of incidents."""
    for text in watch_sentences(watches):
        print_line(text)


def warn_watched(watches: Sequence[CameraWatch]) -> None:
    """The same on standard error, where standard output holds JSON."""
    for text in watch_sentences(watches):
        print(text, file=sys.stderr)


def log_text(found: Replay) -> str:
    """How much of the log a replay evaluated: "220 observations in 3 clock hours of the log of yard"."""
    cameras = found.cameras
    of = cameras[0].camera if len(cameras) == 1 else f"{len(cameras)} cameras"
    hours = f"{found.hours} clock hour{'' if found.hours == 1 else 's'}"
    count = f"{found.observations} observation{'' if found.observations == 1 else 's'}"
    return f"{count} in {hours} of the log of {of}"


def hours_table(watches: Sequence[CameraWatch], timezone: str) -> Table:
    """One row for each camera and clock hour, with times in a time zone; shares are of person-seconds."""
    table = Table(
        title="What was watched, by camera and hour; shares of person-seconds",
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("camera", min_width=8, overflow="fold")
    table.add_column("hour", no_wrap=True)
    for column in ("watched", "person-s", "feet", "metres", "role", "small", "crowd", "faces"):
        table.add_column(column, justify="right", no_wrap=True)
    for watch in watches:
        if not watch.hours:
            table.add_row(watch.camera, "-", duration_text(watch.watched_s), *["-"] * 7)
        for hour in watch.hours:
            table.add_row(
                watch.camera,
                local_iso(hour.hour, timezone)[2:13].replace("T", " ") + "h",
                duration_text(hour.watched_s),
                f"{hour.person_s:,.0f}",
                *(_share(hour, part) for part in _parts(hour)),
                f"{hour.tracks_assessed}/{hour.tracks}",
            )
    return table


def not_watched_table(watches: Sequence[CameraWatch], timezone: str, now: int) -> Table | None:
    """The latest times that were not watched, with their causes; None where there are none.

    `now`, microseconds UTC: what reaches up to a moment before it may go on.
    """
    lost = sorted((item for watch in watches for item in watch.not_watched), key=lambda item: item.start)
    if not lost:
        return None
    shown = lost[-MOST_SHOWN:]
    earlier = f", the last {MOST_SHOWN} of {len(lost)}" if len(lost) > MOST_SHOWN else ""
    table = Table(
        title=f"What was not watched{earlier}", title_justify="left", box=None, padding=(0, 1, 0, 0)
    )
    table.add_column("camera", min_width=8, overflow="fold")
    table.add_column("from", no_wrap=True)
    table.add_column("for", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("cause", overflow="fold")
    for item in shown:
        begun = local_iso(item.start, timezone)[2:19].replace("T", " ")
        going_on = ", and on" if now - item.end < GOING_ON_US else ""
        table.add_row(
            item.camera, begun, duration_text(item.length / SECOND) + going_on, item.state.value, item.cause
        )
    return table


def _parts(hour: HourCounts) -> tuple[float, ...]:
    return hour.feet_s, hour.metres_s, hour.role_s, hour.small_s, hour.crowded_s


def _share(hour: HourCounts, part: float) -> str:
    return f"{part / hour.person_s:.0%}" if hour.person_s else "-"
