"""Recover the observation log: set torn files aside and enter what is lost with them in the coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from incidents.coverage import WATCHED, clip
from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.log_upkeep import choose_cameras
from vision.observations import LOG_FOLDER, log, upkeep
from vision.observations.schema import HOUR

TORN_CAUSE = "observation log torn"
"""Cause in the coverage of time whose observations were lost with a torn file."""


@dataclass(frozen=True)
class Loss:
    """A torn file, and what was lost with it.

    Attributes:
        camera: id of the camera.
        path: the torn file under its old name.
        aside: the torn file under its new name.
        reason: what is wrong with the file.
        intervals: [start, end) of the footage whose observations are lost, microseconds UTC, in order of
            time; empty when another file holds the same observations.
    """

    camera: str
    path: Path
    aside: Path
    reason: str
    intervals: tuple[tuple[int, int], ...]


def recover_log(home: Home, cameras: Sequence[str] | None = None) -> list[Loss]:
    """Set the torn files of the log aside, and enter in the ledger that their time is no longer watched.

    It is safe to repeat after a kill.

    Args:
        home: the home.
        cameras: ids; None = all cameras of the log.

    Raises:
        LazarettoError: there is no log or no such camera; the log or the ledger cannot be written; the home
            is in use.
    """
    names = choose_cameras(home, cameras)
    losses: list[Loss] = []
    with home.exclusive(), Ledger.open(home.ledger, create=False) as ledger:
        for name in names:
            upkeep.clean_leftovers(home.path, name)
            losses += _recover_camera(home.path, ledger, name)
    return losses


def _recover_camera(home: Path, ledger: Ledger, camera: str) -> list[Loss]:
    losses = []
    for hour, error in list(upkeep.torn_files(home, camera)):
        intervals = _lost_time(ledger, camera, hour, error.path)
        with ledger.transaction():
            for start, end in intervals:
                ledger.coverage.withdraw(camera, start, end, TORN_CAUSE)
        losses.append(Loss(camera, error.path, upkeep.set_aside(error.path), error.why, intervals))
    return losses


def _lost_time(ledger: Ledger, camera: str, hour: int, path: Path) -> tuple[tuple[int, int], ...]:
    """Return the watched time whose observations only the torn file holds."""
    folder = (Path(LOG_FOLDER) / camera / path.parent.name).as_posix()
    kept = upkeep.intact_parts(path.parent)
    lost: list[tuple[int, int]] = []
    for segment in ledger.segments.within(camera, hour, hour + HOUR):
        part_folder, _, name = segment.part.rpartition("/")
        if part_folder != folder or name in kept or (path.name != log.HOUR_FILE and name != path.name):
            continue
        for interval in clip(segment.coverage, (segment.start, segment.end)):
            if interval.state in WATCHED and lost and lost[-1][1] == interval.start:
                lost[-1] = lost[-1][0], interval.end
            elif interval.state in WATCHED:
                lost.append((interval.start, interval.end))
    return tuple(lost)
