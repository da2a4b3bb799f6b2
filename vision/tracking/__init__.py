"""Following people: how they move, which detection is whose, and who came back from behind a post."""

from vision.tracking.settings import TrackerSettings
from vision.tracking.tracker import Look, PersonTracker

__all__ = ["Look", "PersonTracker", "TrackerSettings"]
