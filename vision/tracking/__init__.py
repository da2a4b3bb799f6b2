"""Tracking people in one camera view: motion, association with detections, and re-identification."""

from vision.tracking.choosing import choose_tracker
from vision.tracking.protocol import Embed, Tracker, frame_size, person_detections, scores, tracker_ids
from vision.tracking.settings import OUR_TRACKER, TRACKERS, TrackerSettings
from vision.tracking.tracker import PersonTracker

__all__ = [
    "OUR_TRACKER",
    "TRACKERS",
    "Embed",
    "PersonTracker",
    "Tracker",
    "TrackerSettings",
    "choose_tracker",
    "frame_size",
    "person_detections",
    "scores",
    "tracker_ids",
]
