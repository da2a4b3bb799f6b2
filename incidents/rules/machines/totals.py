"""Cumulative contact: how long each person was in contact in total, over all contacts."""

from __future__ import annotations

from incidents.rules.compiling import compiled
from incidents.rules.machines.tables import Table


@compiled
def add_contact(person: Table, pasts: Table, start: int, end: int, length: int) -> None:
    """Count [start, end], of which `length` was in contact; time that is counted already counts once."""
    if start < person.covered:
        length = min(length, end - person.covered)
        start = person.covered
    if end <= start:
        return
    person.covered = end
    n = person.intervals
    if n > 0 and pasts[n - 1].end == start:
        pasts[n - 1].end = end
        pasts[n - 1].length += length
        return
    if n == len(pasts):
        # Join the two that are nearest to each other.
        best = 0
        for k in range(1, n - 1):
            if pasts[k + 1].start - pasts[k].end < pasts[best + 1].start - pasts[best].end:
                best = k
        pasts[best].end = pasts[best + 1].end
        pasts[best].length += pasts[best + 1].length
        for k in range(best + 1, n - 1):
            pasts[k].start = pasts[k + 1].start
            pasts[k].end = pasts[k + 1].end
            pasts[k].length = pasts[k + 1].length
        n -= 1
    pasts[n].start = start
    pasts[n].end = end
    pasts[n].length = length
    person.intervals = n + 1


@compiled
def total_since(person: Table, pasts: Table, since: int) -> int:
    """Microseconds of contact of a person from `since` on."""
    total = 0
    for k in range(person.intervals):
        if pasts[k].end > since:
            total += min(pasts[k].length, pasts[k].end - since)
    return total


@compiled
def join_pasts(one: Table, other: Table, mine: Table, theirs: Table) -> None:
    """Add tracks and contact of the later person to those of the earlier one."""
    for k in range(other.tracks):
        n = one.tracks
        if n == len(mine):
            # The first track stays; the oldest of the others goes.
            for m in range(1, n - 1):
                mine[m].track = mine[m + 1].track
            n -= 1
        mine[n].track = theirs[k].track
        one.tracks = n + 1
    for k in range(other.intervals):
        start, length = theirs[k].start, theirs[k].length
        if start < one.covered:
            length = min(length, theirs[k].end - one.covered)
            start = one.covered
        if length <= 0:
            continue
        n = one.intervals
        if n == len(mine):
            mine[0].end = mine[1].end
            mine[0].length += mine[1].length
            for m in range(1, n - 1):
                mine[m].start = mine[m + 1].start
                mine[m].end = mine[m + 1].end
                mine[m].length = mine[m + 1].length
            n -= 1
        mine[n].start = start
        mine[n].end = theirs[k].end
        mine[n].length = length
        one.intervals = n + 1
        one.covered = theirs[k].end
