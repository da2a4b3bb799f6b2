"""One identity per person for as long as the person is in view."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from trackers import ByteTrackTracker

from vision.detection import as_detections
from vision.frames import SECOND


@dataclass(frozen=True)
class TrackerSettings:
    """What the tracker trades off.

    Attributes:
        new_track_score: a detection begins a track from this score on. Chosen as the score at which the
            person detector's F1 peaks on held-out images, so that neither misses nor ghosts dominate.
        strong_score: matched in the first pass from this score on, in the second pass below.
        lost_s: seconds for which an unseen track waits for its person to come back.
        min_iou: least overlap of a prediction with a detection.
        confirm_frames: detections in a row before a track counts: one flash of the detector is nobody.
    """

    new_track_score: float = 0.4
    strong_score: float = 0.3
    lost_s: float = 2.0
    min_iou: float = 0.1
    confirm_frames: int = 2


class PersonTracker:
    """ByteTrack over stream time, with track ids that are the same whenever the same stream is analysed."""

    def __init__(self, stream: str, fps: float, settings: TrackerSettings | None = None) -> None:
        """Begin a stream.

        Args:
            stream: names the stream (camera and its start); ids of different streams do not collide.
            fps: analysed frames per second, at most.
            settings: see `TrackerSettings`.
        """
        settings = settings or TrackerSettings()
        self._stream = stream
        self._origin: int | None = None
        self._ids: dict[int, int] = {}
        self._tracker = ByteTrackTracker(
            lost_track_buffer=round(settings.lost_s * 30),  # the package counts this in frames of 1/30 s
            frame_rate=fps,
            track_activation_threshold=settings.new_track_score,
            minimum_consecutive_frames=settings.confirm_frames,
            minimum_iou_threshold=settings.min_iou,
            high_conf_det_threshold=settings.strong_score,
        )

    def update(self, rows: np.ndarray, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Take one frame's detections (x1, y1, x2, y2, score) at `t` (microseconds, increasing).

        Returns:
            The rows that belong to confirmed tracks, in the order of track ids, and those ids (int64).
            Unconfirmed detections are left out: they share no identity yet.
        """
        if self._origin is None:
            self._origin = t
        found = self._tracker.update(as_detections(rows), timestamp=(t - self._origin) / SECOND)
        if found.tracker_id is None or found.confidence is None or not len(found):
            return np.zeros((0, 5), np.float32), np.zeros(0, np.int64)
        local = np.asarray(found.tracker_id)
        tracked = np.column_stack([found.xyxy, found.confidence]).astype(np.float32)
        order = np.argsort(local, kind="stable")
        order = order[local[order] >= 0]
        ids = np.array([self._global(int(number)) for number in local[order]], dtype=np.int64)
        return tracked[order], ids

    def _global(self, local: int) -> int:
        if local not in self._ids:
            digest = hashlib.blake2b(f"{self._stream}|{local}".encode(), digest_size=8).digest()
            self._ids[local] = int.from_bytes(digest, "big") >> 1  # 63 bits: fits a signed column
        return self._ids[local]
