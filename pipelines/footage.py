"""The footage that evidence of a camera is cut from, as the ledger's index of recordings knows it."""

from __future__ import annotations

from incidents.evidence import ClipSource
from incidents.ledger import Ledger


def clip_sources(ledger: Ledger, camera: str, start: int, end: int) -> tuple[ClipSource, ...]:
    """The recordings of a camera that overlap [start, end), microseconds UTC; none of them is opened.

    A recording that was entered for several streams, such as after a change of settings, is given once.
    """
    found = {
        (item.path, item.start): ClipSource(item.path, item.start, item.fps, item.end, item.mark)
        for item in ledger.recordings.between(camera, start, end)
    }
    return tuple(found.values())
