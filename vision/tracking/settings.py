"""Settings of the tracker, with the reason of each value."""

from __future__ import annotations

from dataclasses import dataclass

from zones.errors import LazarettoError

OUR_TRACKER = "lazaretto"
"""Name of `PersonTracker`, the default."""
TRACKERS = (OUR_TRACKER, "bytetrack", "sort", "ocsort", "botsort", "cbiou")
"""Trackers that can be chosen: ours and those of the `trackers` package that need neither network nor
downloads."""


@dataclass(frozen=True)
class TrackerSettings:
    """Which tracker, and its scores and seconds. No value was fitted to footage.

    The trackers of the `trackers` package use `new_track_score`, `confirm_frames` and `coast_s` (see
    `package_trackers`); the other values are for our tracker alone.

    Attributes:
        name: one of TRACKERS.
        new_track_score: least score of a detection that begins a track. Chosen as the score at which the
            person detector's F1 peaks on held-out images, where misses and false detections balance.
        strong_score: detections below it keep a track alive only for `coast_s` after the last one above it.
            Weak detections bridge an occlusion, but an object that only resembles a person gives nothing
            else.
        confirm_frames: consecutive frames with a detection before a track is confirmed. One false
            detection makes no track.
        coast_s: seconds for which a track without detections is predicted by its motion; the same as the
            gap that the rules bridge. Afterwards only re-identification continues the track.
        lost_s: seconds for which a lost track is kept, with its embeddings, for re-identification.
        reid_hz: embeddings read per second of each person whose identity is not in doubt, at most.
        reid_window_s: seconds after its first detection within which a new track may be re-identified as a
            lost one. The first detections may show only a part of the person.
    """

    name: str = OUR_TRACKER
    new_track_score: float = 0.4
    strong_score: float = 0.3
    confirm_frames: int = 2
    coast_s: float = 3.0
    lost_s: float = 60.0
    reid_hz: float = 1.0
    reid_window_s: float = 2.0

    def __post_init__(self) -> None:
        """Check the name.

        Raises:
            LazarettoError: there is no such tracker.
        """
        if self.name not in TRACKERS:
            raise LazarettoError(f"expected a tracker among {', '.join(TRACKERS)}, got {self.name!r}")
