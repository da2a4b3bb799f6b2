"""The footage that evidence of a camera is cut from, as the ledger's index of recordings knows it."""

from __future__ import annotations

from incidents.evidence import ClipSource
from incidents.ledger import Ledger


def clip_sources(ledger: Ledger, camera: str, start: int, end: int) -> tuple[ClipSource, ...]:
    """The recordings of a camera that overlap [start, end), microseconds UTC; none of them is opened.

    A recording that was entered for several streams, such as after a change of settings, or before and after
    it grew, is given once, as it was when it was longest.
    """
    by_length = sorted(ledger.recordings.between(camera, start, end), key=lambda item: item.end)
    found = {
        (item.path, item.start): ClipSource(item.path, item.start, item.fps, item.end, item.mark, item.clock)
        for item in by_length
    }
    return tuple(found.values())
