"""Tracks that succeed each other: one person, lost at an occlusion and found again under a new id.

Without this, every switch of ids would end dwell timers and split one event into several.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from incidents.rules.episode import Bools, Ints, microseconds
from incidents.rules.samples import ROLES, Samples
from zones.facility import Role

MAX_S = 3.0
"""A successor begins at most this long after the other track ended [D]."""
MAX_M = 1.0
"""... and at most this far from there on the ground [D]."""
MAX_HEIGHTS = 0.5
"""... or, where the ground is not known, this many heights of the person's box [D]."""
EDGE = 0.01
"""A box this near to an edge of the frame, in frame heights, is of somebody who leaves or enters the view."""
CERTAINTY = 0.9
"""What is left of a role's confidence when a successor takes it over [D]."""

_UNKNOWN = ROLES.index(Role.UNKNOWN)


def follow(samples: Samples, known_from: float) -> Samples:
    """Give tracks that succeed each other one path, and re-sort by (path, t).

    A track succeeds another when it begins within MAX_S of the other's end and near to it, both away from
    the edges of the frame, and no third track could as well be either of the two: a doubtful link is
    none. It takes over the other's role, at CERTAINTY times its confidence, when that is still at least
    `known_from` and more than its own; when it has another role of its own that is as sure, it is
    somebody else.

    Expects samples in which each track is a path.
    """
    first = np.flatnonzero(np.diff(samples.path, prepend=-1))
    last = np.append(first, len(samples))[1:] - 1
    role, confidence = samples.role[first].copy(), samples.role_confidence[first].copy()
    path = np.arange(len(first))
    # In order of time, so that a chain of switches is followed from its first track.
    for one, other in _links(samples, first, last):
        sure = confidence[one] * CERTAINTY
        own = 0.0 if role[other] == _UNKNOWN else confidence[other]
        if role[one] != _UNKNOWN and sure >= known_from and sure > own:
            role[other], confidence[other] = role[one], sure
        elif role[other] != role[one] and _UNKNOWN not in (role[other], role[one]):
            continue
        path[other] = path[one]
    if (path == np.arange(len(first))).all():
        return samples
    size = last - first + 1
    joined = replace(
        samples,
        path=np.repeat(np.unique(path, return_inverse=True)[1], size),
        role=np.repeat(role, size),
        role_confidence=np.repeat(confidence, size),
    )
    return joined.take(np.lexsort((joined.t, joined.path)))


def _links(samples: Samples, first: Ints, last: Ints) -> list[tuple[int, int]]:
    """Pairs (track, successor) of path codes by the time of the switch; nobody has two of either."""
    clear = _clear_of_edges(samples)
    ends, begins = np.flatnonzero(clear[last]), np.flatnonzero(clear[first])
    begins = begins[np.argsort(samples.t[first[begins]], kind="stable")]
    born = samples.t[first[begins]]
    gone = samples.t[last[ends]]
    low = np.searchsorted(born, gone, side="right")
    count = np.searchsorted(born, gone + microseconds(MAX_S), side="right") - low
    one = np.repeat(ends, count)
    other = begins[np.arange(len(one)) - np.repeat(np.cumsum(count) - count - low, count)]
    near = _near(samples, last[one], first[other])
    one, other = one[near], other[near]
    single = (np.bincount(one)[one] == 1) & (np.bincount(other)[other] == 1)
    one, other = one[single], other[single]
    order = np.argsort(samples.t[first[other]], kind="stable")
    return list(zip(one[order].tolist(), other[order].tolist(), strict=True))


def _clear_of_edges(samples: Samples) -> Bools:
    x1, y1, x2, y2 = samples.box.T
    return np.asarray(
        (x1 > EDGE) & (y1 > EDGE) & (x2 < samples.aspect - EDGE) & (y2 < 1 - EDGE), dtype=np.bool_
    )


def _near(samples: Samples, one: Ints, other: Ints) -> Bools:
    metres = np.hypot(*(samples.ground[one] - samples.ground[other]).T)
    foot = samples.isotropic()
    height = np.minimum(*(samples.box[rows, 3] - samples.box[rows, 1] for rows in (one, other)))
    heights = np.hypot(*(foot[one] - foot[other]).T) / height
    return np.asarray(np.where(np.isnan(metres), heights <= MAX_HEIGHTS, metres <= MAX_M), dtype=np.bool_)
