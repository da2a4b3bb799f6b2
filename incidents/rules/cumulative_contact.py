"""How long people were in contact in all, however many contacts it took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from incidents.rules.episode import Ints

LIMITATION = (
    "totals hold per track, door anchor or reviewer's link: anonymous tracks do not survive leaving the view"
)
"""What bounds every total, to be stated wherever one is."""


@dataclass(frozen=True)
class CumulativeContact:
    """When each person was in contact disjoint intervals, sorted by (person, start), shape (K,).

    A total is of one person over all partners, and time with two at once counts once. The official
    definition (11042/BYT-DP) asks for 15 minutes near one case. Here nobody knows who is one: every resident
    may be, and a partner who leaves the view and returns is another track. The total of a pair is thus the
    least that the exposure to one possible case can have been, that of a person the most. It decides how
    soon somebody looks, not whether anybody does: too much costs a look, too little is a contact overlooked.

    Attributes:
        person: whose stretch it is.
        start, end: microseconds.
        before: time in all stretches before, of anybody, microseconds.
    """

    person: Ints
    start: Ints
    end: Ints
    before: Ints

    @classmethod
    def from_intervals(cls, person: Ints, start: Ints, end: Ints) -> Self:
        """The union of stretches (M,) of each person."""
        order = np.lexsort((start, person))
        person, start, end = person[order], start[order], end[order]
        # One clock for all, on which no two people meet.
        apart = int(end.max(initial=0)) - int(start.min(initial=0)) + 1
        shift = np.unique(person, return_inverse=True)[1] * apart
        reached = np.maximum.accumulate(end + shift)
        new = np.ones(len(person), dtype=np.bool_)
        new[1:] = start[1:] + shift[1:] > reached[:-1]
        first = np.flatnonzero(new)
        last = np.append(first[1:], len(person))[: len(first)] - 1
        begin, stop = start[first], reached[last] - shift[first]
        length = stop - begin
        return cls(person[first], begin, stop, np.cumsum(length) - length)

    def within(self, person: int, since: int, until: int) -> int:
        """Microseconds in contact between two moments."""
        low, high = np.searchsorted(self.person, [person, person + 1]).tolist()
        if low == high:
            return 0

        def up_to(moment: int) -> int:
            row = low + int(np.searchsorted(self.start[low:high], moment, side="right")) - 1
            if row < low:
                return int(self.before[low])
            return int(self.before[row]) + min(moment, int(self.end[row])) - int(self.start[row])

        return up_to(until) - up_to(since)

    def longest(self, people: Iterable[int], since: int, until: int) -> int:
        """The largest total of several people, microseconds."""
        return max(self.within(person, since, until) for person in people)
