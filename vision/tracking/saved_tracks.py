"""Tracks as arrays, in which they are saved and from which they are restored exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vision.state import State
from vision.tracking.gallery import Gallery
from vision.tracking.track import Track

NONE = np.iinfo(np.int64).min
"""Stands for None among integers."""


def pack(tracks: Sequence[Track]) -> State:
    """Save tracks as arrays.

    Returns:
        `integers` (T, 10), the fields of `Track` that are integers, in their order; `first_box` (T, 4),
        `mean` (T, 6), `covariance` (T, 6, 6), and the same two of the anchor; `embedded` (T, 2), how many of
        the `embeddings` (E, D) are in the gallery of each track, and how many are pending; `crossings`
        (C, 3), the row of a track, the key of the other and the time. Embeddings are in half precision
        (fp16) where that loses nothing.
    """
    embeddings = [e for track in tracks for g in (track.gallery, track.pending) for e in g.embeddings]
    crossings = [(row, *item) for row, track in enumerate(tracks) for item in track.crossings.items()]
    return {
        "integers": np.array([_integers(track) for track in tracks], np.int64).reshape(-1, 10),
        "first_box": np.array([track.first_box for track in tracks], np.float64).reshape(-1, 4),
        "mean": np.array([track.mean for track in tracks], np.float64).reshape(-1, 6),
        "covariance": np.array([track.covariance for track in tracks], np.float64).reshape(-1, 6, 6),
        "anchor_mean": np.array([track.anchor[0] for track in tracks], np.float64).reshape(-1, 6),
        "anchor_covariance": np.array([track.anchor[1] for track in tracks], np.float64).reshape(-1, 6, 6),
        "embedded": np.array([[len(t.gallery), len(t.pending)] for t in tracks], np.int64).reshape(-1, 2),
        "embeddings": _smallest(np.stack(embeddings)) if embeddings else np.zeros((0, 0), np.float16),
        "crossings": np.array(crossings, np.int64).reshape(-1, 3),
    }


def unpack(state: State) -> list[Track]:
    """The tracks that `pack` saved."""
    embeddings = iter(state["embeddings"].astype(np.float32))
    tracks = []
    for row, integers in enumerate(state["integers"].tolist()):
        key, first_seen, state_time, last_seen, last_strong, examined, hits, *others = integers
        identity, last_embedded, done = others
        in_gallery, pending = state["embedded"][row].tolist()
        tracks.append(
            Track(
                key=key,
                first_box=state["first_box"][row],
                first_seen=first_seen,
                mean=state["mean"][row],
                covariance=state["covariance"][row],
                state_time=state_time,
                anchor=(state["anchor_mean"][row], state["anchor_covariance"][row]),
                last_seen=last_seen,
                last_strong=last_strong,
                last_examined=examined,
                hits=hits,
                identity=or_none(identity),
                gallery=_gallery(embeddings, in_gallery),
                pending=_gallery(embeddings, pending),
                last_embedded=or_none(last_embedded),
                reid_done=bool(done),
            )
        )
    for row, key, t in state["crossings"].tolist():
        tracks[row].crossings[key] = t
    return tracks


def or_none(value: int) -> int | None:
    """The integer, or None where NONE stands for it."""
    return None if value == NONE else value


def _integers(track: Track) -> list[int]:
    one = [track.key, track.first_seen, track.state_time, track.last_seen, track.last_strong]
    one += [track.last_examined, track.hits]
    other = [track.identity, track.last_embedded, track.reid_done]
    return [*one, *(NONE if value is None else int(value) for value in other)]


def _gallery(embeddings: Iterator[np.ndarray], count: int) -> Gallery:
    gallery = Gallery()
    for _ in range(count):
        gallery.add(next(embeddings))
    return gallery


def _smallest(embeddings: np.ndarray) -> np.ndarray:
    half = embeddings.astype(np.float16)
    return half if np.array_equal(half.astype(embeddings.dtype), embeddings) else embeddings
