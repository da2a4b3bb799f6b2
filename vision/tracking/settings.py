"""What the tracker trades off, and why each value is what it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrackerSettings:
    """Scores and seconds of the tracker. None was fitted to footage; see the model card for what they give.

    Attributes:
        new_track_score: a detection begins a track from this score on. Chosen as the score at which the
            person detector's F1 peaks on held-out images, so that neither misses nor ghosts dominate.
        strong_score: detections below it keep a track alive only for `coast_s` since one above it: weak
            detections bridge an occlusion, but a lamp that looks a little like a person is none.
        confirm_frames: detections in a row before a track counts: one flash of the detector is nobody.
        coast_s: seconds for which an unseen person is expected where the motion leads; the same as the
            gap that the rules bridge. Afterwards only `returning` brings the person back.
        lost_s: seconds for which a lost person is remembered, with what was worn.
        reid_hz: looks at the appearance of each undisturbed person per second, at most.
        reid_window_s: seconds after its first sight within which a new track may turn out to be somebody who
            was lost: at first it may show a sleeve behind a post, later the whole coat.
    """

    new_track_score: float = 0.4
    strong_score: float = 0.3
    confirm_frames: int = 2
    coast_s: float = 3.0
    lost_s: float = 60.0
    reid_hz: float = 1.0
    reid_window_s: float = 2.0
