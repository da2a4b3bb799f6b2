"""The state of one track."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from vision.tracking.gallery import Gallery
from vision.tracking.motion import Floats


@dataclass(eq=False)
class Track:
    """Detections of one person, their motion and their embeddings. Times are microseconds.

    Attributes:
        key: number of the track. Unlike the identity, it never changes.
        first_box: (4,) box of the first detection.
        first_seen: time of the first detection.
        mean, covariance: motion state (6,) and (6, 6) at `state_time`; see `motion`.
        state_time: time of the motion state.
        anchor: mean and covariance right after the last detection.
        last_seen: time of the last detection.
        last_strong: time of the last detection that was not weak (`TrackerSettings.strong_score`).
        last_examined: time of the last frame in which a detection could have been made.
        hits: number of detections.
        identity: number of the person; None until the track is confirmed.
        gallery: embeddings of the person.
        pending: embeddings since the boxes of two people last overlapped, until it is known whose they are.
        crossings: key of each track that this track crosses -> time at which the boxes last overlapped.
        last_embedded: time of the last embedding.
        reid_done: whether the track is no longer compared with lost tracks.
    """

    key: int
    first_box: Floats
    first_seen: int
    mean: Floats
    covariance: Floats
    state_time: int
    anchor: tuple[Floats, Floats]
    last_seen: int
    last_strong: int
    last_examined: int
    hits: int = 1
    identity: int | None = None
    gallery: Gallery = field(default_factory=Gallery)
    pending: Gallery = field(default_factory=Gallery)
    crossings: dict[int, int] = field(default_factory=dict)
    last_embedded: int | None = None
    reid_done: bool = False

    def add_embedding(self, embedding: np.ndarray, t: int) -> None:
        """Add an embedding (D,) of the unoccluded person at `t`: to `pending` while there are crossings."""
        (self.pending if self.crossings else self.gallery).add(embedding)
        self.last_embedded = t

    def end_crossing(self, key: int) -> None:
        """End the crossing with the track `key`. After the last one, pending embeddings are the person's."""
        self.crossings.pop(key, None)
        if not self.crossings:
            self.gallery.extend(self.pending)
            self.pending = Gallery()

    def continue_with(self, later: Track) -> None:
        """Continue this lost track with a later one of the same person."""
        self.mean, self.covariance, self.state_time = later.mean, later.covariance, later.state_time
        self.anchor = later.anchor
        self.last_seen, self.last_strong = later.last_seen, later.last_strong
        self.last_examined = later.last_examined
        self.last_embedded = later.last_embedded
        self.hits += later.hits
        self.reid_done = True
        (self.pending if self.crossings else self.gallery).extend(later.gallery)


def stream_id(stream: str, number: int) -> int:
    """The id of a person or track in the observation log, from the stream's name and the number in it.

    A hash, so that ids are the same whenever the same stream is analysed and differ between streams. It has
    63 bits and fits a signed column.
    """
    digest = hashlib.blake2b(f"{stream}|{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
