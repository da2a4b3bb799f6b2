"""Resolves id swaps: two tracks whose boxes overlapped may have exchanged people.

While boxes overlap, only motion tells people apart, and it can be wrong. Once both people are seen apart
again, the embeddings since the overlap are compared with those before it. If the exchanged assignment fits
clearly better, the two tracks exchange identities. Until then, new embeddings are kept apart
(`Track.pending`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vision.frames import SECOND
from vision.tracking import motion
from vision.tracking.boxes import overlaps
from vision.tracking.gallery import Gallery, same_person_log_odds
from vision.tracking.track import Track

CROSSING_IOU = 0.2
"""Least IoU of two boxes whose tracks cross. Project default (docs/defaults.md)."""
MIN_PENDING_EMBEDDINGS = 2
"""Embeddings needed of each person after a crossing; a single one may be bad.
Project default (docs/defaults.md)."""
MIN_SWAP_LOG_ODDS = 2.0
"""Log odds from which on identities are exchanged. Project default (docs/defaults.md)."""
MAX_CROSSING_US = 6 * SECOND
"""Microseconds after the last overlap at which a crossing ends without a decision.
Project default (docs/defaults.md)."""
MAX_UNSEEN_US = round(0.8 * SECOND)
"""Microseconds without a detection of one of the two people after which the decision is made without
embeddings of that person. Project default (docs/defaults.md)."""


def begin_crossings(tracks: Sequence[Track], t: int) -> None:
    """Record which tracks overlap at `t`."""
    confirmed = [track for track in tracks if track.identity is not None]
    if len(confirmed) < 2:
        return
    boxes = motion.boxes(np.stack([track.mean for track in confirmed]))
    for i, j in np.argwhere(np.triu(overlaps(boxes, boxes) > CROSSING_IOU, 1)).tolist():
        for one, other in ((confirmed[i], confirmed[j]), (confirmed[j], confirmed[i])):
            one.crossings[other.key] = t
            one.pending = Gallery()  # it is no longer known whose the earlier pending embeddings are


def resolve_crossings(tracks: Sequence[Track], known: Mapping[int, Track], t: int) -> None:
    """End the crossings of tracks detected at `t` that can be decided, or are too old to be.

    Args:
        tracks: current tracks.
        known: all tracks in memory by key, lost ones included.
        t: microseconds.
    """
    for one in tracks:
        if one.last_seen != t:
            continue
        for key, overlapped in list(one.crossings.items()):
            other = known.get(key)
            if other is None:
                one.end_crossing(key)
            elif t - overlapped > MAX_CROSSING_US or _decided(one, other, overlapped, t):
                one.end_crossing(key)
                other.end_crossing(one.key)


def _decided(one: Track, other: Track, overlapped: int, t: int) -> bool:
    """Whether the crossing of two tracks can be decided at `t`. If so, swapped identities are exchanged."""
    unseen = t - other.last_seen >= MAX_UNSEEN_US
    if t == overlapped or len(one.pending) < MIN_PENDING_EMBEDDINGS:
        return False
    if len(other.pending) < MIN_PENDING_EMBEDDINGS and not unseen:
        return False
    if not (len(one.gallery) and len(other.gallery)):
        return True
    swap = sum(
        same_person_log_odds(now.pending.mean, before.gallery.mean)
        - same_person_log_odds(now.pending.mean, now.gallery.mean)
        for now, before in ((one, other), (other, one))
    )
    if swap > MIN_SWAP_LOG_ODDS:
        one.identity, other.identity = other.identity, one.identity
        one.gallery, other.gallery = other.gallery, one.gallery
    return True
