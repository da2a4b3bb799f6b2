"""Recover the observation log: set torn files aside and enter what is lost with them in the coverage."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from incidents.coverage import WATCHED, clip
from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.locks import Use
from pipelines.log_upkeep import choose_cameras
from vision.observations import LOG_FOLDER, TornError, log, upkeep
from vision.observations.append_file import APPEND_SUFFIX, append_paths, scan, start_of
from vision.observations.schema import HOUR

TORN_CAUSE = "observation log torn"
"""Cause in the coverage of time whose observations were lost with a torn file."""


@dataclass(frozen=True)
class Loss:
    """A torn file, and what was lost with it.

    Attributes:
        camera: id of the camera.
        path: the torn file under its old name.
        aside: the torn file under its new name; of an append log, its torn end in a file of its own.
        bytes: length of what was set aside.
        reason: what is wrong with the file.
        intervals: [start, end) of the footage whose observations are lost, microseconds UTC, in order of
            time; empty when another file holds the same observations.
    """

    camera: str
    path: Path
    aside: Path
    bytes: int
    reason: str
    intervals: tuple[tuple[int, int], ...]


def recover_log(home: Home, cameras: Sequence[str] | None = None) -> list[Loss]:
    """Set the torn files of the log aside, and enter in the ledger that their time is no longer watched.

    It is safe to repeat after a kill. Only the hours with torn files are held while they are recovered: an
    analysis or a watch of other hours goes on.

    Args:
        home: the home.
        cameras: ids; None = all cameras of the log.

    Raises:
        InUseError: another process writes to an hour with a torn file.
        LazarettoError: there is no log or no such camera; the log or the ledger cannot be written.
    """
    names = choose_cameras(home, cameras)
    losses: list[Loss] = []
    with Ledger.open(home.ledger, create=False) as ledger:
        for name in names:
            upkeep.clean_leftovers(home.path, name)
            for hour in dict.fromkeys(hour for hour, _ in upkeep.torn_files(home.path, name)):
                with home.lock(Use(name, "recovery", hour, hour + HOUR)):
                    losses += _recover_hour(home.path, ledger, name, hour)
    return losses


def _recover_hour(home: Path, ledger: Ledger, camera: str, hour: int) -> list[Loss]:
    losses = []
    for error in list(upkeep.torn_files_of_hour(home, camera, hour)):
        path = error.path
        is_append_log = path.suffix == APPEND_SUFFIX
        kept = upkeep.intact_parts(path.parent)
        lost: list[tuple[int, int]] = []
        if not is_append_log:
            lost += _lost_segments(ledger, camera, hour, path, kept)
        if path.name == log.HOUR_FILE:
            lost += _lost_live(ledger, camera, (hour, hour + HOUR), path)
        elif is_append_log and path.name not in kept:
            lost += _lost_live(ledger, camera, _live_range(path, hour), path)
        intervals = _joined(lost)
        with ledger.transaction():
            for start, end in intervals:
                ledger.coverage.withdraw(camera, start, end, TORN_CAUSE)
        tail = upkeep.recover_append_log(path) if is_append_log else None
        aside = upkeep.set_aside(path) if tail is None else tail.aside
        losses.append(Loss(camera, path, aside, aside.stat().st_size, error.why, intervals))
    return losses


def _lost_segments(
    ledger: Ledger, camera: str, hour: int, path: Path, kept: set[str]
) -> list[tuple[int, int]]:
    """Return the watched time of segments whose observations only the torn file holds."""
    folder = (Path(LOG_FOLDER) / camera / path.parent.name).as_posix()
    lost: list[tuple[int, int]] = []
    for segment in ledger.segments.within(camera, hour, hour + HOUR):
        part_folder, _, name = segment.part.rpartition("/")
        if part_folder != folder or name in kept or (path.name != log.HOUR_FILE and name != path.name):
            continue
        inside = clip(segment.coverage, (segment.start, segment.end))
        lost += [(interval.start, interval.end) for interval in inside if interval.state in WATCHED]
    return lost


def _live_range(path: Path, hour: int) -> tuple[int, int]:
    """The time whose rows a torn append log held, or could have held: to the next file or the hour's end."""
    try:
        start = scan(path).until
    except TornError:
        start = start_of(path)
    later = [start_of(other) for other in append_paths(path.parent) if other.name > path.name]
    return start, min([*later, hour + HOUR])


def _lost_live(ledger: Ledger, camera: str, window: tuple[int, int], path: Path) -> list[tuple[int, int]]:
    """Return the watched time in the window of which no segment and no append log has the observations.

    Args:
        ledger: the ledger.
        camera: id of the camera.
        window: microseconds UTC.
        path: the torn file; segments whose part it is do not count.
    """
    start, end = window
    if start >= end:
        return []
    known = [
        (segment.start, segment.end)
        for segment in ledger.segments.within(camera, start, end)
        if not segment.part.endswith(f"/{path.name}")
    ]
    for other in append_paths(path.parent):
        with contextlib.suppress(TornError):
            found = scan(other)
            known.append((found.start, found.until))
    lost = [
        (item.start, item.end) for item in ledger.coverage.of(camera, start, end) if item.state in WATCHED
    ]
    for first, last in known:
        lost = [
            piece
            for low, high in lost
            for piece in ((low, min(high, first)), (max(low, last), high))
            if piece[0] < piece[1]
        ]
    return lost


def _joined(intervals: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Intervals in order of time, with those that touch or overlap as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return tuple(joined)
