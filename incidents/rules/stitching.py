"""Tracks that succeed each other: one person, lost at an occlusion and found again under a new id.

Without this, every switch of ids would end dwell timers and split one event into several.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from incidents.rules.episode import Bools, Floats, Ints, microseconds, separated_times
from incidents.rules.samples import ROLES, Samples
from vision.frames import SECOND
from zones.facility import Role
from zones.people import FRAME_EDGE_SHARE

MAX_GAP_S = 3.0
"""A successor begins at most this long after the other track ended [D]."""
MAX_ERROR_M = 1.0
"""... and at most this far on the ground from where the other ended, or would have walked on to [D]."""
MAX_ERROR_HEIGHTS = 0.5
"""... or, where the ground is not known, this many heights of the person's box [D]."""
VELOCITY_WINDOW_S = 1.0
"""How somebody walks is seen in the last second before, and the first second after, a switch [D]."""
MIN_VELOCITY_SPAN_S = 0.4
"""Less than this says nothing of how somebody walks [D]."""
MAX_WALKING_SPEED_M_S = 2.5
"""m/s: what looks faster is a box that jumped, not a walk [D]."""
MIN_ERROR_RATIO = 2.0
"""A link is in doubt when another one of either track is not at least this many times as far off [D]."""
MIN_ERROR_MARGIN_M = 0.3
"""... or not by so many metres more: as good as equal, for feet jitter by that [D]."""
INHERITED_CONFIDENCE = 0.9
"""What is left of a role's confidence when a successor takes it over [D]."""

_UNKNOWN = ROLES.index(Role.UNKNOWN)


def stitch_tracklets(samples: Samples, known_from: float) -> Samples:
    """Give tracks that succeed each other one person code, and re-sort by (person, t).

    A track succeeds another when it begins within MAX_GAP_S of the other's end and near to it, or to where
    either would have walked meanwhile, both away from the edges of the frame, and no third track could as
    well be either of the two: a doubtful link is none. It takes over the other's role, at
    INHERITED_CONFIDENCE times its confidence, when that is still at least `known_from` and more than its
    own; when it has another role of its own that is as sure, it is another person.

    Expects samples in which each track is a person of its own.
    """
    first = np.flatnonzero(np.diff(samples.person, prepend=-1))
    last = np.append(first, len(samples))[1:] - 1
    role, confidence = samples.role[first].copy(), samples.role_confidence[first].copy()
    person = np.arange(len(first))
    # In order of time, so that a chain of switches is followed from its first track.
    for one, other in _links(samples, first, last):
        sure = confidence[one] * INHERITED_CONFIDENCE
        own = 0.0 if role[other] == _UNKNOWN else confidence[other]
        if role[one] != _UNKNOWN and sure >= known_from and sure > own:
            role[other], confidence[other] = role[one], sure
        elif role[other] != role[one] and _UNKNOWN not in (role[other], role[one]):
            continue
        person[other] = person[one]
    if (person == np.arange(len(first))).all():
        return samples
    size = last - first + 1
    joined = replace(
        samples,
        person=np.repeat(np.unique(person, return_inverse=True)[1], size),
        role=np.repeat(role, size),
        role_confidence=np.repeat(confidence, size),
    )
    return joined.take(np.lexsort((joined.t, joined.person)))


def _links(samples: Samples, first: Ints, last: Ints) -> list[tuple[int, int]]:
    """Pairs (track, successor) of person codes by the time of the switch; nobody has two of either."""
    clear = _clear_of_edges(samples)
    ends, begins = np.flatnonzero(clear[last]), np.flatnonzero(clear[first])
    begins = begins[np.argsort(samples.t[first[begins]], kind="stable")]
    born = samples.t[first[begins]]
    gone = samples.t[last[ends]]
    low = np.searchsorted(born, gone, side="right")
    count = np.searchsorted(born, gone + microseconds(MAX_GAP_S), side="right") - low
    one = np.repeat(ends, count)
    other = begins[np.arange(len(one)) - np.repeat(np.cumsum(count) - count - low, count)]
    off = _prediction_error(samples, last[one], first[other])
    near = off <= MAX_ERROR_M
    one, other, off = one[near], other[near], off[near]
    next_but_one = _skips_a_tracklet(one, other)
    one, other, off = one[~next_but_one], other[~next_but_one], off[~next_but_one]
    sure = _is_unambiguous(one, off) & _is_unambiguous(other, off)
    one, other = one[sure], other[sure]
    order = np.argsort(samples.t[first[other]], kind="stable")
    return list(zip(one[order].tolist(), other[order].tolist(), strict=True))


def _skips_a_tracklet(one: Ints, other: Ints) -> Bools:
    """Which links (L,) skip a track that may stand between: a chain of two switches is no doubtful one."""
    after: dict[int, set[int]] = {}
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        after.setdefault(a, set()).add(b)
    skips = (
        any(b in after.get(between, ()) for between in after[a])
        for a, b in zip(one.tolist(), other.tolist(), strict=True)
    )
    return np.fromiter(skips, dtype=np.bool_, count=len(one))


def _is_unambiguous(track: Ints, off: Floats) -> Bools:
    """Which links (L,), `off` by so much, are far better than every other one of the same `track` (L,)."""
    result = np.ones(len(track), dtype=np.bool_)
    order = np.lexsort((off, track))
    same = track[order][1:] == track[order][:-1]
    result[order[1:]] = ~same  # not the best of its track
    best, second = order[:-1][same], order[1:][same]
    close = off[second] < np.maximum(MIN_ERROR_RATIO * off[best], off[best] + MIN_ERROR_MARGIN_M)
    result[best[close]] = False
    return result


def _clear_of_edges(samples: Samples) -> Bools:
    """Rows (N,) whose box is not at an edge of the frame, where people leave and enter the view."""
    x1, y1, x2, y2 = samples.box.T
    near, far = FRAME_EDGE_SHARE, 1 - FRAME_EDGE_SHARE
    return np.asarray((x1 > near) & (y1 > near) & (x2 < samples.aspect - near) & (y2 < far), dtype=np.bool_)


def _prediction_error(samples: Samples, end: Ints, begin: Ints) -> Floats:
    """How far (L,) links miss, from rows `end` to rows `begin`, m; half a height counts as MAX_ERROR_M.

    Between the two, the person walked on as before for a while and stood, or stood and then came as
    afterwards; the least of both.
    """
    metric = np.asarray(np.isfinite(samples.ground[end] + samples.ground[begin]).all(axis=1))
    height = np.minimum(*(samples.box[rows, 3] - samples.box[rows, 1] for rows in (end, begin)))
    feet = samples.isotropic()

    def place(rows: Ints) -> Floats:
        scaled = feet[rows] * (MAX_ERROR_M / MAX_ERROR_HEIGHTS / height)[:, None]
        return np.asarray(np.where(metric[:, None], samples.ground[rows], scaled))

    # Rows up to VELOCITY_WINDOW_S before the end and after the begin, of the same persons.
    pace = microseconds(VELOCITY_WINDOW_S)
    moments = separated_times(samples.person, samples.t, pace)
    earlier = np.searchsorted(moments, moments[end] - pace)
    later = np.searchsorted(moments, moments[begin] + pace, side="right") - 1
    gap = (samples.t[begin] - samples.t[end]) / SECOND
    misses = []
    for start, stop, way in ((earlier, end, 1), (begin, later, -1)):
        seconds = (samples.t[stop] - samples.t[start]) / SECOND
        walk = _velocity(place(stop) - place(start), seconds) * gap[:, None] * way
        off = (place(begin) - place(end)) * way
        # How much of that walk brings the person nearest to the other end of the gap.
        share = np.clip((off * walk).sum(axis=1) / np.maximum((walk**2).sum(axis=1), 1e-9), 0, 1)
        misses.append(np.hypot(*(off - share[:, None] * walk).T))
    return np.asarray(np.minimum(*misses))


def _velocity(step: Floats, seconds: Floats) -> Floats:
    """Velocities (L, 2), m/s, of steps (L, 2); zero where too little was seen, or it was no walk."""
    velocity = step / np.maximum(seconds, MIN_VELOCITY_SPAN_S)[:, None]
    # False for NaN as well.
    walked = (seconds >= MIN_VELOCITY_SPAN_S) & (np.hypot(*velocity.T) <= MAX_WALKING_SPEED_M_S)
    return np.asarray(np.where(walked[:, None], velocity, 0.0))
