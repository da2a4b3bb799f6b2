"""Recordings that a run could not read, kept in the ledger until a run reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from incidents.ledger import Ledger, Unread, UnreadReason
from pipelines.analysis.scenes import OpenedSource
from pipelines.assignment import Footage
from pipelines.home import Home
from vision.sources.start_time import StartOrigin, find_start
from zones.facility import Facility


def unread_of(item: Footage, tz: tzinfo, reason: UnreadReason = UnreadReason.UNREADABLE) -> Unread:
    """A recording that could not be read, with its time as far as the user or its name tells.

    Args:
        item: how it was named.
        tz: zone of times without an offset.
        reason: why it was not read.
    """
    try:
        found = find_start(item.path, tz, item.start)
    except OSError:
        start = None  # The name tells nothing, and the file's date, which is a guess, cannot be read.
    else:
        start = None if found.origin is StartOrigin.MTIME else found.t
    return Unread(item.camera.id, item.path.absolute(), start, reason)


def record_unusable_run(
    home: Home, facility: Facility, footage: Sequence[Footage], unread: Sequence[Unread]
) -> None:
    """Enter a run of which no recording could be read, so that later counts tell of them.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    with Ledger.open(home.ledger) as ledger:
        run = ledger.runs.start(facility, {}, {"sources": [str(item.path) for item in footage]})
        ledger.unread.enter(unread)
        ledger.runs.finish(run, "failed")


def settle_unread(
    ledger: Ledger,
    camera: str,
    footage: Sequence[Footage],
    sources: Sequence[OpenedSource],
    unread: Sequence[Unread],
) -> None:
    """Enter the recordings of a camera that a run could not read, and take out those that it has read.

    Args:
        ledger: of the home.
        camera: id of the camera, of which the run has analysed all that it could.
        footage: all that was given to the run.
        sources: what could be opened, without copies.
        unread: what could not be read.
    """
    mine = [item for item in unread if item.camera == camera]
    failed = {item.path for item in mine}
    starts = {item.footage.path: item.source.start_us for item in sources}
    read = [item.path for item in footage if item.camera.id == camera]
    ledger.unread.enter(mine)
    ledger.unread.forget(
        camera, {path.absolute(): starts.get(path) for path in read if path.absolute() not in failed}
    )
