"""The tracker that the settings name."""

from __future__ import annotations

from vision.tracking.package_trackers import StreamTracker, package_tracker
from vision.tracking.protocol import Embed, ResumableTracker
from vision.tracking.settings import OUR_TRACKER, TrackerSettings
from vision.tracking.tracker import PersonTracker
from zones.facility import CalibrationSpec


def choose_tracker(
    stream: str,
    settings: TrackerSettings,
    frame_rate: float,
    calibration: CalibrationSpec | None = None,
    embed: Embed | None = None,
) -> ResumableTracker:
    """Begin a stream with the tracker that the settings name.

    Args:
        stream: name of the stream; ids of different streams do not collide.
        settings: see `TrackerSettings`.
        frame_rate: analysed frames per second, at most.
        calibration: of the camera's floor, for our tracker.
        embed: reads embeddings, for our tracker.
    """
    if settings.name == OUR_TRACKER:
        return PersonTracker(stream, settings, calibration, embed)
    return StreamTracker(stream, package_tracker(settings, frame_rate))
