"""Who came back: a new track may be somebody who was lost behind a post a moment ago.

Three things speak for or against it, each as log odds that are added: how alike the two look, whether the
lost person can have walked there, and whether somebody unknown may as well appear there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from vision.frames import SECOND
from vision.tracking import motion
from vision.tracking.boxes import Size, at_way_out
from vision.tracking.floor import Floor
from vision.tracking.gallery import log_odds
from vision.tracking.motion import Floats
from vision.tracking.track import Track

RUN = 2.5
"""m/s: faster than people move in a facility; nobody returns from farther away [D]."""
SLACK_M = 1.0
"""m that a return may miss that bound by: boxes of half hidden people lie badly [D]."""
SLACK_HEIGHTS = 0.3
"""Standard deviation of a foot point when a person emerges half hidden, in heights [D]."""
WHERE = (-1.5, 2.0)
"""Log odds that the place of a return can give at least and at most, once it can be reached [D]: a model of
walking is not right about where people stop for a talk."""
LEFT = 2.0
"""Log odds against the return of somebody last seen on the way out of the frame [D]."""
STRANGER_AT_EDGE, STRANGER_INSIDE = 3.0, 0.5
"""Log odds of somebody new, at the edge of the frame, where people enter, and within it, where they do not
come from nowhere, but from doors at most [D]."""
ENOUGH = 1.0
"""Log odds from which on a new track is taken for the lost person [D]."""
UNSEEN = round(0.4 * SECOND)
"""A person in view is missed for a frame or two; only one unseen for longer can be elsewhere [D]."""
ASTRAY = SECOND
"""A person who emerges beside another may have been taken for the other for this long [D]."""


def stranger(box: Floats, size: Size) -> float:
    """Log odds that somebody who appears in `box` (4,) of a frame of `size` (px) is somebody new."""
    return STRANGER_AT_EDGE if at_way_out(box, size, 0.5) else STRANGER_INSIDE


def tempered(odds: Floats) -> Floats:
    """Log odds of a place (N,), less sure of themselves: bounded by WHERE, above it nearly."""
    low, high = WHERE
    return np.maximum(np.minimum(odds, high + (odds - high) / 10), low)


def returned(new: Track, others: Iterable[Track], t: int, floor: Floor) -> Track | None:
    """The lost person who a new track is, or None."""
    if new.gallery.mean is None:
        return None
    candidates = [
        old
        for old in others
        if old is not new
        and old.identity is not None
        and len(old.gallery)
        and old.born < new.born
        and t - old.seen >= UNSEEN
        and old.seen <= new.born + ASTRAY
    ]
    if not candidates:
        return None
    alike = np.array([log_odds(new.gallery.mean, old.gallery.mean) for old in candidates])
    odds = alike + _places(new, candidates, floor) - stranger(new.first, floor.size)
    best = int(odds.argmax())
    return candidates[best] if odds[best] > ENOUGH else None


def _places(new: Track, old: Sequence[Track], floor: Floor) -> Floats:
    """Log odds (N,) of where a new track began, had it been each old one; -inf where it cannot have been.

    The density of a walk since the last sight, against any place in the frame.
    """
    gap = np.array([max(0, new.born - track.seen) for track in old]) / SECOND
    means = np.stack([track.anchor[0] for track in old])
    covariances = np.stack([track.anchor[1] for track in old])
    tall = np.maximum(means[:, 4], new.first[3] - new.first[1])
    foot = np.tile([(new.first[0] + new.first[2]) / 2, new.first[3]], (len(old), 1))
    metre = floor.px_per_metre(means[:, :2], means[:, 4])
    now, covariances = motion.predict(means, covariances, gap, metre)
    spread = covariances[:, :2, :2] + ((SLACK_HEIGHTS * tall) ** 2)[:, None, None] * np.eye(2)
    off = (foot - now[:, :2])[..., None]
    distance = (off * np.linalg.solve(spread, off)).sum(axis=(1, 2))
    density = -0.5 * (distance + np.log(np.linalg.det(spread))) - np.log(2 * np.pi)
    rooms = np.array([motion.room(floor.size, height) * height**2 for height in tall.tolist()])
    gone = [
        any(at_way_out(box, floor.size, 0.1) for box in pair)
        for pair in zip(motion.boxes(means), motion.boxes(now), strict=True)
    ]
    places = tempered(density + np.log(rooms)) - np.where(gone, LEFT, 0.0)
    return np.where(floor.apart(means[:, :2], foot, tall) > SLACK_M + RUN * gap, -np.inf, places)
