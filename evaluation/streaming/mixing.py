"""Files in an order in which a camera is occupied for a share of its time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from evaluation.streaming.clips import load
from evaluation.streaming.packetising import CLOCK_HZ
from zones.errors import LazarettoError


def mix(occupied: Sequence[Path], empty: Sequence[Path], share: float, seconds: float) -> list[Path]:
    """Files for a mount that shows occupied ones for a share of the time.

    The share is met to within the length of one file.

    Args:
        occupied: files in which people are seen.
        empty: files without people; of the same codec.
        share: 0 to 1.
        seconds: length of what is repeated, at least.

    Raises:
        LazarettoError: a file cannot be sent, a file that is needed is not given, or the share is none.
    """
    if not 0 <= share <= 1:
        raise LazarettoError(f"expected a share of time between 0 and 1, got {share}")
    if (share > 0 and not occupied) or (share < 1 and not empty):
        missing = "occupied" if not occupied else "empty"
        raise LazarettoError(f"expected {missing} files, as the share of occupied time is {share}; got none")
    with_people, without = cycle(occupied), cycle(empty)
    made: list[Path] = []
    total_s = occupied_s = 0.0
    while total_s < seconds:
        is_occupied = share == 1 or (share > 0 and occupied_s < share * total_s) or (share > 0 and not made)
        path = next(with_people if is_occupied else without)
        length_s = load(path).ticks / CLOCK_HZ
        total_s += length_s
        occupied_s += length_s if is_occupied else 0.0
        made.append(path)
    return made
