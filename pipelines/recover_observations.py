"""Torn files of the observation log: found, named, set aside, and what they cost told in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from incidents.coverage import WATCHED, clip
from incidents.ledger import Ledger
from vision.observations import LOG_FOLDER, log, upkeep
from vision.observations.schema import HOUR

CAUSE = "observation log torn"
"""Of coverage that was lost with a file of the log."""


@dataclass(frozen=True)
class Loss:
    """A torn file, and what was lost with it.

    Attributes:
        camera, path: whose and which file, as it was called.
        aside: what it is called now.
        why: what is wrong with it.
        intervals: (start, end) of the footage whose observations are gone, microseconds UTC, in order of
            time; empty = none, for another file holds the same rows.
    """

    camera: str
    path: Path
    aside: Path
    why: str
    intervals: tuple[tuple[int, int], ...]


def recover(home: Path, ledger: Ledger, camera: str) -> list[Loss]:
    """Set aside what is torn of a camera's log, after saying in the ledger that it is no longer watched time.

    Safe to repeat after a kill. Nothing else may write to the home meanwhile.

    Raises:
        LazarettoError: the log or the ledger cannot be written.
    """
    losses = []
    for hour, error in list(upkeep.torn_files(home, camera)):
        intervals = _lost(ledger, camera, hour, error.path)
        with ledger.transaction():
            for start, end in intervals:
                ledger.coverage.withdraw(camera, start, end, CAUSE)
        losses.append(Loss(camera, error.path, upkeep.set_aside(error.path), error.why, intervals))
    return losses


def _lost(ledger: Ledger, camera: str, hour: int, path: Path) -> tuple[tuple[int, int], ...]:
    """When footage was watched of which nothing but the torn file holds the observations."""
    folder = (Path(LOG_FOLDER) / camera / path.parent.name).as_posix()
    kept = upkeep.intact_parts(path.parent)
    lost: list[tuple[int, int]] = []
    for segment in ledger.segments.within(camera, hour, hour + HOUR):
        place, _, name = segment.part.rpartition("/")
        if place != folder or name in kept or (path.name != log.HOUR_FILE and name != path.name):
            continue
        for piece in clip(segment.coverage, (segment.start, segment.end)):
            if piece.state in WATCHED and lost and lost[-1][1] == piece.start:
                lost[-1] = lost[-1][0], piece.end
            elif piece.state in WATCHED:
                lost.append((piece.start, piece.end))
    return tuple(lost)
