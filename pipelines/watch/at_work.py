"""The watches that are at work on a home, as its locks and its ledger tell of them."""

from __future__ import annotations

from dataclasses import dataclass

from incidents.ledger import Ledger
from pipelines.home import Home

TASK = "watch"
"""The task of the locks that a watch holds."""


@dataclass(frozen=True)
class WatchAtWork:
    """A watch that is at work.

    Attributes:
        pid: number of its process.
        cameras: ids of the cameras that it watches.
        facility: code of the facility; "" = the ledger does not tell of this watch.
        version: SHA-256 of the facility file with which it began.
        in_force: the version in force for that facility; None = none is. Where it is another one, the watch
            takes it up.
    """

    pid: int
    cameras: tuple[str, ...]
    facility: str = ""
    version: str = ""
    in_force: str | None = None


def watches_at_work(home: Home) -> list[WatchAtWork]:
    """The watches that are at work on a home; nothing is written.

    Raises:
        LazarettoError: the locks or the ledger cannot be read.
    """
    held: dict[int, list[str]] = {}
    for holder in home.holders():
        if holder.use.task == TASK:
            held.setdefault(holder.pid, []).append(holder.use.camera)
    return [_told(home, pid, tuple(sorted(cameras))) for pid, cameras in sorted(held.items())]


def _told(home: Home, pid: int, cameras: tuple[str, ...]) -> WatchAtWork:
    """A watch with what its run tells: of several watches, the one that began last."""
    if home.ledger.exists():
        with Ledger.open(home.ledger, read_only=True) as ledger:
            name = ledger.runs.watching(ledger.clock())
            run = None if name is None else ledger.runs.get(name)
            sources = None if run is None else run.settings.get("sources")
            if run is not None and run.finished is None and _are_among(cameras, sources):
                current = ledger.publications.in_force(run.facility)
                in_force = None if current is None else current.version
                return WatchAtWork(pid, cameras, run.facility, run.facility_version, in_force)
    return WatchAtWork(pid, cameras)


def _are_among(cameras: tuple[str, ...], sources: object) -> bool:
    """Whether a run began with one of these cameras; others may have been published since."""
    return isinstance(sources, dict) and any(name in sources for name in cameras)
