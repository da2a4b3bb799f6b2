"""The trackers of the `trackers` package (Roboflow), for comparison with ours or in its place.

The package counts patience in frames of a video at 30 frames/s (`lost_track_buffer`) and motion in frames at
`frame_rate`. Given the time of each frame, it converts elapsed seconds to both, so uneven frames and gaps
are tracked as they are.
"""

from __future__ import annotations

import json
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import supervision as sv

from vision.state import State, StateError, text_array, text_of
from vision.tracking.protocol import Tracker, tracker_ids
from vision.tracking.saved_objects import PACKAGE, from_json, to_json
from vision.tracking.settings import TrackerSettings
from vision.tracking.track import stream_id

BUFFER_RATE = 30.0
"""Frames per second in which the package counts `lost_track_buffer`."""


class StreamTracker:
    """A tracker of the package over one stream: reports confirmed tracks alone, under ids of the stream.

    Implements `ResumableTracker`.
    """

    def __init__(self, stream: str, tracker: Tracker) -> None:
        """Wrap a tracker; `stream` names the stream, as for `PersonTracker`."""
        self._stream, self._tracker = stream, tracker

    def update(
        self,
        detections: sv.Detections,
        frame: npt.NDArray[np.uint8] | None = None,
        timestamp: float | None = None,
    ) -> sv.Detections:
        """Track the people of the next frame; see `Tracker.update`.

        Returns:
            The detections with a confirmed track, in the order of the tracks' first confirmation.
        """
        tracked = self._tracker.update(detections, frame, timestamp)
        ids = tracker_ids(tracked)
        rows = np.flatnonzero(ids >= 0)
        rows = rows[np.argsort(ids[rows], kind="stable")]
        # Built anew: of a frame without detections the package returns neither scores nor metadata.
        return sv.Detections(
            xyxy=tracked.xyxy[rows],
            confidence=np.zeros(0, np.float32) if tracked.confidence is None else tracked.confidence[rows],
            class_id=np.zeros(0, np.int64) if tracked.class_id is None else tracked.class_id[rows],
            tracker_id=np.array([stream_id(self._stream, number) for number in ids[rows].tolist()], np.int64),
            metadata=detections.metadata,
        )

    def state(self) -> State:
        """The state after the last frame; see `ResumableTracker.state`.

        About 10 kB of each current track. The fields of the tracker that hold classes and the measure of
        overlap belong to the settings and are not saved.
        """
        fields = vars(self._tracker).items()
        saved = {n: to_json(v) for n, v in fields if n == "tracks" or isinstance(v, (int, float, type(None)))}
        return {
            "stream": text_array(self._stream),
            "version": text_array(version(PACKAGE)),
            "fields": text_array(json.dumps(saved)),
        }

    def restore(self, state: State) -> None:
        """Take over a state; see `ResumableTracker.restore`.

        Raises:
            StateError: the state is of another version of the package, whose objects may differ.
        """
        if (theirs := text_of(state["version"])) != (ours := version(PACKAGE)):
            raise StateError(
                f"expected tracks of version {ours} of {PACKAGE}, got tracks of version {theirs}"
            )
        self._stream = text_of(state["stream"])
        saved = json.loads(text_of(state["fields"]))
        vars(self._tracker).update({name: from_json(value) for name, value in saved.items()})


def package_tracker(settings: TrackerSettings, frame_rate: float) -> Tracker:
    """A tracker of the package by `settings.name`.

    What our settings have in common with the tracker's is taken from them, because it belongs to the
    detector (scores) or to the rules (seconds); all else is the package's default. Camera motion is not
    compensated: the cameras are fixed, and without it a tracker needs no pixels.

    Args:
        settings: with the name of one of the package's trackers.
        frame_rate: analysed frames per second.
    """
    import trackers  # a second to import, for a choice that is rarely made

    common = {
        "frame_rate": frame_rate,
        "lost_track_buffer": round(settings.coast_s * BUFFER_RATE),
        "minimum_consecutive_frames": settings.confirm_frames,
    }
    activation = {"track_activation_threshold": settings.new_track_score}
    strong = {"high_conf_det_threshold": settings.new_track_score}
    # By default BoT-SORT and C-BIoU confirm every detection of a stream's first frame at once.
    confirm = {"instant_first_frame_activation": False}
    if settings.name == "bytetrack":
        tracker = trackers.ByteTrackTracker(**common, **activation, **strong)
    elif settings.name == "sort":
        tracker = trackers.SORTTracker(**common, **activation)
    elif settings.name == "ocsort":
        tracker = trackers.OCSORTTracker(**common, **strong)
    elif settings.name == "botsort":
        tracker = trackers.BoTSORTTracker(**common, **activation, **strong, **confirm, enable_cmc=False)
    elif settings.name == "cbiou":
        tracker = trackers.CBIoUTracker(**common, **activation, **strong, **confirm)
    else:
        raise AssertionError(f"{settings.name} is no tracker of the package")
    return tracker  # type: ignore[no-any-return]
