"""Cumulative contact: how long each person was in contact in total, over all contacts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from incidents.rules.episode import Ints

LIMITATION = (
    "totals hold per track, door anchor or reviewer's link: anonymous tracks do not survive leaving the view"
)
"""The limitation of every total. It is stated wherever a total is."""


@dataclass(frozen=True)
class CumulativeContact:
    """When each person was in contact: disjoint intervals, sorted by (person, start), shape (K,).

    A total counts one person's contact with all partners; time with two partners at once counts once. The
    official definition (11042/BYT-DP) is 15 minutes near one case. Which resident is a case is not known, and
    a partner who leaves the view and returns has another track. The exposure to one possible case is
    therefore at least the total of the pair and at most the total of the person. The total of the person is
    used: it only raises the severity, and a total that is too low would delay the review of a real exposure.

    Attributes:
        person: code of the person.
        start, end: of the interval, microseconds.
        before: length of all earlier intervals of the array, of all persons, microseconds.
    """

    person: Ints
    start: Ints
    end: Ints
    before: Ints

    @classmethod
    def from_intervals(cls, person: Ints, start: Ints, end: Ints) -> Self:
        """The union of the intervals (M,) of each person."""
        order = np.lexsort((start, person))
        person, start, end = person[order], start[order], end[order]
        # Shift the times of each person so that intervals of different persons cannot overlap.
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
        """The largest total of several persons, microseconds."""
        return max(self.within(person, since, until) for person in people)
