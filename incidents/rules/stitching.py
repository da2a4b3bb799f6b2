"""Stitching of tracklets: a person who was lost at an occlusion and detected again under a new track id.

Without it, each change of the id would end dwell timers and split one event into several.
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
"""Longest time from the end of a tracklet to the start of its successor, s.
Project default (docs/defaults.md)."""
MAX_ERROR_M = 1.0
"""Largest distance on the ground between the start of the successor and the position predicted for it, m.
Project default (docs/defaults.md)."""
MAX_ERROR_HEIGHTS = 0.5
"""The same where the ground position is not known, in heights of the person's box.
Project default (docs/defaults.md)."""
VELOCITY_WINDOW_S = 1.0
"""Time before the end of a tracklet, and after the start of its successor, from which velocities are
computed, s. Project default (docs/defaults.md)."""
MIN_VELOCITY_SPAN_S = 0.4
"""Shortest time from which a velocity is computed, s. Project default (docs/defaults.md)."""
MAX_WALKING_SPEED_M_S = 2.5
"""Highest velocity that is used, m/s; a higher one comes from a box that jumped.
Project default (docs/defaults.md)."""
MIN_ERROR_RATIO = 2.0
"""A link is ambiguous if another link of either tracklet has an error smaller than this many times its own.
Project default (docs/defaults.md)."""
MIN_ERROR_MARGIN_M = 0.3
"""A link is also ambiguous if another link's error is larger by less than this, m: feet jitter by as much.
Project default (docs/defaults.md)."""
INHERITED_CONFIDENCE = 0.9
"""Factor of the role confidence that a successor takes over. Project default (docs/defaults.md)."""

_UNKNOWN = ROLES.index(Role.UNKNOWN)


def stitch_tracklets(samples: Samples, known_from: float) -> Samples:
    """Give tracklets of one person the same person code, and sort by (person, t) again.

    Two tracklets are linked if the second begins within MAX_GAP_S after the end of the first, near the
    position predicted from either, both away from the edges of the frame. An ambiguous link, for which a
    third tracklet fits about as well, is not used.

    The second tracklet takes over the role of the first, with INHERITED_CONFIDENCE times its confidence, if
    that is at least `known_from` and higher than its own. If it has another known role with a confidence as
    high, the two are different persons.

    Args:
        samples: samples in which each track is a person of its own.
        known_from: confidence from which a role is known, 0..1.
    """
    first = np.flatnonzero(np.diff(samples.person, prepend=-1))
    last = np.append(first, len(samples))[1:] - 1
    role, confidence = samples.role[first].copy(), samples.role_confidence[first].copy()
    person = np.arange(len(first))
    # In order of time, so that a chain of links starts from its first tracklet.
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
    """Links (tracklet, successor) of person codes, by start of the successor.

    A tracklet has one successor at most, and is the successor of one tracklet at most.
    """
    clear = _clear_of_edges(samples)
    ends, begins = np.flatnonzero(clear[last]), np.flatnonzero(clear[first])
    begins = begins[np.argsort(samples.t[first[begins]], kind="stable")]
    born = samples.t[first[begins]]
    gone = samples.t[last[ends]]
    low = np.searchsorted(born, gone, side="right")
    count = np.searchsorted(born, gone + microseconds(MAX_GAP_S), side="right") - low
    one = np.repeat(ends, count)
    other = begins[np.arange(len(one)) - np.repeat(np.cumsum(count) - count - low, count)]
    error = _prediction_error(samples, last[one], first[other])
    near = error <= MAX_ERROR_M
    one, other, error = one[near], other[near], error[near]
    skipping = _skips_a_tracklet(one, other)
    one, other, error = one[~skipping], other[~skipping], error[~skipping]
    clearly = _is_unambiguous(one, error) & _is_unambiguous(other, error)
    one, other = one[clearly], other[clearly]
    order = np.argsort(samples.t[first[other]], kind="stable")
    return list(zip(one[order].tolist(), other[order].tolist(), strict=True))


def _skips_a_tracklet(one: Ints, other: Ints) -> Bools:
    """Links (L,) a -> c for which links a -> b and b -> c exist: they do not make those ambiguous."""
    after: dict[int, set[int]] = {}
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        after.setdefault(a, set()).add(b)
    skips = (
        any(b in after.get(between, ()) for between in after[a])
        for a, b in zip(one.tolist(), other.tolist(), strict=True)
    )
    return np.fromiter(skips, dtype=np.bool_, count=len(one))


def _is_unambiguous(tracklet: Ints, error: Floats) -> Bools:
    """Links (L,) with a clearly smaller `error` (L,) than every other link of the same `tracklet` (L,)."""
    result = np.ones(len(tracklet), dtype=np.bool_)
    order = np.lexsort((error, tracklet))
    same = tracklet[order][1:] == tracklet[order][:-1]
    result[order[1:]] = ~same  # not the best of its tracklet
    best, second = order[:-1][same], order[1:][same]
    close = error[second] < np.maximum(MIN_ERROR_RATIO * error[best], error[best] + MIN_ERROR_MARGIN_M)
    result[best[close]] = False
    return result


def _clear_of_edges(samples: Samples) -> Bools:
    """Rows (N,) whose box is not at an edge of the frame, where people leave and enter the view."""
    x1, y1, x2, y2 = samples.box.T
    near, far = FRAME_EDGE_SHARE, 1 - FRAME_EDGE_SHARE
    return np.asarray((x1 > near) & (y1 > near) & (x2 < samples.aspect - near) & (y2 < far), dtype=np.bool_)


def _prediction_error(samples: Samples, end: Ints, begin: Ints) -> Floats:
    """Error (L,), m, of links from rows `end` to rows `begin`: the distance from the predicted position.

    The prediction assumes that the person walked on with the velocity before the gap and then stood, or stood
    and then walked with the velocity after the gap. The smaller error counts. Where the ground position is
    not known, MAX_ERROR_HEIGHTS box heights count as MAX_ERROR_M.
    """
    metric = np.asarray(np.isfinite(samples.ground[end] + samples.ground[begin]).all(axis=1))
    height = np.minimum(*(samples.box[rows, 3] - samples.box[rows, 1] for rows in (end, begin)))
    feet = samples.isotropic()

    def place(rows: Ints) -> Floats:
        scaled = feet[rows] * (MAX_ERROR_M / MAX_ERROR_HEIGHTS / height)[:, None]
        return np.asarray(np.where(metric[:, None], samples.ground[rows], scaled))

    # Rows of the same persons up to VELOCITY_WINDOW_S before the end and after the start.
    window = microseconds(VELOCITY_WINDOW_S)
    moments = separated_times(samples.person, samples.t, window)
    earlier = np.searchsorted(moments, moments[end] - window)
    later = np.searchsorted(moments, moments[begin] + window, side="right") - 1
    gap = (samples.t[begin] - samples.t[end]) / SECOND
    errors = []
    for start, stop, way in ((earlier, end, 1), (begin, later, -1)):
        seconds = (samples.t[stop] - samples.t[start]) / SECOND
        walk = _velocity(place(stop) - place(start), seconds) * gap[:, None] * way
        off = (place(begin) - place(end)) * way
        # The share of the walk that ends nearest to the other side of the gap.
        share = np.clip((off * walk).sum(axis=1) / np.maximum((walk**2).sum(axis=1), 1e-9), 0, 1)
        errors.append(np.hypot(*(off - share[:, None] * walk).T))
    return np.asarray(np.minimum(*errors))


def _velocity(step: Floats, seconds: Floats) -> Floats:
    """Velocities (L, 2), m/s, of steps (L, 2), m; zero where they last too briefly or are too fast."""
    velocity = step / np.maximum(seconds, MIN_VELOCITY_SPAN_S)[:, None]
    # False for NaN as well.
    walked = (seconds >= MIN_VELOCITY_SPAN_S) & (np.hypot(*velocity.T) <= MAX_WALKING_SPEED_M_S)
    return np.asarray(np.where(walked[:, None], velocity, 0.0))
