"""Re-identification: decides whether a new track is a person who was lost shortly before.

Three log odds are added: how similar the embeddings are, whether the lost person can have walked to the
place, and whether a person who was not seen before would appear there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from vision.frames import SECOND
from vision.tracking import motion
from vision.tracking.boxes import Size, near_exit
from vision.tracking.floor import Floor
from vision.tracking.gallery import same_person_log_odds
from vision.tracking.motion import Floats
from vision.tracking.track import Track

MAX_SPEED = 2.5
"""Fastest movement between loss and re-identification, m/s; people in a facility are slower.
Project default (docs/defaults.md)."""
MAX_PLACE_ERROR_M = 1.0
"""Tolerance of that limit, m: boxes of half hidden people are inexact. Project default (docs/defaults.md)."""
FOOT_ERROR_HEIGHTS = 0.3
"""Standard deviation of the foot point of a person who comes out of an occlusion, in box heights.
Project default (docs/defaults.md)."""
PLACE_LOG_ODDS = (-1.5, 2.0)
"""Least and largest log odds of a place within reach. They are bounded because the motion model does not
know where people stop. Project default (docs/defaults.md)."""
EXITED_LOG_ODDS = 2.0
"""Log odds against a person who was last seen leaving the frame. Project default (docs/defaults.md)."""
NEW_PERSON_LOG_ODDS_AT_EDGE, NEW_PERSON_LOG_ODDS_INSIDE = 3.0, 0.5
"""Log odds of a person who was not seen before: near the edge of the frame, where people enter, and inside,
where they can only come through a door. Project default (docs/defaults.md)."""
EXIT_HEIGHTS, ENTRY_HEIGHTS = 0.1, 0.5
"""Distance from the frame's edge within which a track is taken to leave or to have entered, in box heights.
Project default (docs/defaults.md)."""
MIN_REID_LOG_ODDS = 1.0
"""Log odds from which on a new track continues a lost one. Project default (docs/defaults.md)."""
MIN_UNSEEN_US = round(0.4 * SECOND)
"""Microseconds without a detection from which on a person may be elsewhere than the motion predicts. The
detector often misses a visible person for a frame or two. Project default (docs/defaults.md)."""
MAX_OVERLAP_US = SECOND
"""Microseconds by which a lost track may have continued after the new track began: of two people close
together, the lost track may have taken the other person's detections. Project default (docs/defaults.md)."""


def new_person_log_odds(box: Floats, size: Size) -> float:
    """Log odds that a detection `box` (4,) in a frame of `size` (px) is of a person not seen before."""
    return NEW_PERSON_LOG_ODDS_AT_EDGE if near_exit(box, size, ENTRY_HEIGHTS) else NEW_PERSON_LOG_ODDS_INSIDE


def bounded_place_log_odds(log_odds: Floats) -> Floats:
    """Log odds (N,) of a place, bounded by PLACE_LOG_ODDS; above the upper bound they grow by a tenth."""
    low, high = PLACE_LOG_ODDS
    return np.maximum(np.minimum(log_odds, high + (log_odds - high) / 10), low)


def find_lost_track(new: Track, others: Iterable[Track], t: int, floor: Floor) -> Track | None:
    """The track of the lost person that the new track continues, or None."""
    if new.gallery.mean is None:
        return None
    candidates = [
        old
        for old in others
        if old is not new
        and old.identity is not None
        and len(old.gallery)
        and old.first_seen < new.first_seen
        and t - old.last_seen >= MIN_UNSEEN_US
        and old.last_seen <= new.first_seen + MAX_OVERLAP_US
    ]
    if not candidates:
        return None
    similarity = np.array([same_person_log_odds(new.gallery.mean, old.gallery.mean) for old in candidates])
    place = _place_log_odds(new, candidates, floor)
    log_odds = similarity + place - new_person_log_odds(new.first_box, floor.size)
    best = int(log_odds.argmax())
    return candidates[best] if log_odds[best] > MIN_REID_LOG_ODDS else None


def _place_log_odds(new: Track, old: Sequence[Track], floor: Floor) -> Floats:
    """Log odds (N,) of the place where a new track began, for each lost track; -inf where out of reach.

    The probability density of the walk since the last detection, relative to a uniform one over the frame.
    """
    gap = np.array([max(0, new.first_seen - track.last_seen) for track in old]) / SECOND
    means = np.stack([track.anchor[0] for track in old])
    covariances = np.stack([track.anchor[1] for track in old])
    heights = np.maximum(means[:, 4], new.first_box[3] - new.first_box[1])
    foot = np.tile([(new.first_box[0] + new.first_box[2]) / 2, new.first_box[3]], (len(old), 1))
    scale = floor.px_per_metre(means[:, :2], means[:, 4])
    predicted, covariances = motion.predict(means, covariances, gap, scale)
    foot_error = ((FOOT_ERROR_HEIGHTS * heights) ** 2)[:, None, None] * np.eye(2)
    spread = covariances[:, :2, :2] + foot_error
    offset = (foot - predicted[:, :2])[..., None]
    distance = (offset * np.linalg.solve(spread, offset)).sum(axis=(1, 2))
    log_density = -0.5 * (distance + np.log(np.linalg.det(spread))) - np.log(2 * np.pi)
    frame_areas = np.array([motion.frame_area(floor.size, height) * height**2 for height in heights.tolist()])
    exited = [
        any(near_exit(box, floor.size, EXIT_HEIGHTS) for box in pair)
        for pair in zip(motion.boxes(means), motion.boxes(predicted), strict=True)
    ]
    log_odds = bounded_place_log_odds(log_density + np.log(frame_areas))
    log_odds = log_odds - np.where(exited, EXITED_LOG_ODDS, 0.0)
    reach = MAX_PLACE_ERROR_M + MAX_SPEED * gap
    return np.where(floor.distances(means[:, :2], foot, heights) > reach, -np.inf, log_odds)
