"""Two people crossed: are they still who they were?

While boxes overlap, motion decides who is who, and it can be wrong. Once both are seen apart again, what
they look like now is compared with what each looked like before; if the other way round fits clearly
better, they change identities. What was seen in between is kept aside until then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vision.frames import SECOND
from vision.tracking import motion
from vision.tracking.boxes import overlap
from vision.tracking.gallery import Gallery, log_odds
from vision.tracking.track import Track

MET = 0.2
"""Overlap (IoU) from which on two people cross [D]."""
VIEWS = 2
"""Clear views of a person after a crossing before a verdict: one may be a bad one [D]."""
ENOUGH = 2.0
"""Log odds from which on identities are changed: less likely than not to be wrong twice in a row [D]."""
WITHIN = 6 * SECOND
"""Without clear views for this long, the crossing is closed as it stands [D]."""
VANISHED = round(0.8 * SECOND)
"""Somebody unseen for this long after a crossing is not waited for: the other may have been taken for them
all along, or they for the other until they left [D]."""


def meet(tracks: Sequence[Track], t: int) -> None:
    """Note who crosses whom now."""
    named = [track for track in tracks if track.identity is not None]
    if len(named) < 2:
        return
    boxes = motion.boxes(np.stack([track.mean for track in named]))
    for i, j in np.argwhere(np.triu(overlap(boxes, boxes) > MET, 1)).tolist():
        for one, other in ((named[i], named[j]), (named[j], named[i])):
            one.met[other.key] = t
            one.aside = Gallery()  # whose views those were is what is in doubt


def settle(tracks: Sequence[Track], known: Mapping[int, Track], t: int) -> None:
    """Judge the crossings of tracks seen at `t`; `known` holds all tracks that are remembered, by key."""
    for one in tracks:
        if one.seen != t:
            continue
        for key, last in list(one.met.items()):
            other = known.get(key)
            if other is None:
                one.part(key)
            elif t - last > WITHIN or _judged(one, other, last, t):
                one.part(key)
                other.part(one.key)


def _judged(one: Track, other: Track, last: int, t: int) -> bool:
    """Whether a crossing that ended at `last` can be judged at `t`; if so, identities are put right."""
    vanished = t - other.seen >= VANISHED
    if t == last or len(one.aside) < VIEWS or (len(other.aside) < VIEWS and not vanished):
        return False
    if not (len(one.gallery) and len(other.gallery)):
        return True
    pairs = [(one, other), (other, one)]
    odds = sum(
        log_odds(person.aside.mean, partner.gallery.mean) - log_odds(person.aside.mean, person.gallery.mean)
        for person, partner in pairs
    )
    if odds > ENOUGH:
        one.identity, other.identity = other.identity, one.identity
        one.gallery, other.gallery = other.gallery, one.gallery
    return True
