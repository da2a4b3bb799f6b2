"""What every tracker takes and gives: detections of a frame in, the same with track ids out.

Detections travel as `supervision.Detections`: `xyxy` (N, 4) float32 px, `confidence` (N,) float32 and
`class_id` (N,). The size of the frame is in their metadata, because the tracker needs it where no pixels are
left: when an interrupted analysis replays what was detected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import supervision as sv

from vision.state import State
from vision.tracking.boxes import Size

PERSON_CLASS = 0
"""Index of the class person in our weights and in every COCO model."""
FRAME_SIZE = "frame_size"
"""Key of the frame's size (width, height, px) in the metadata of detections."""
EXAMINED = "examined"
"""Key of the parts of the frame that were detected in, (N, 4) px, in the metadata of detections. None, or no
such key: all of it."""

Embed = Callable[[Sequence[int]], npt.NDArray[np.float32]]
"""Reads the embeddings of detections of the current frame, given their row numbers: unit vectors (N, D)."""


class Tracker(Protocol):
    """Gives the detections of one camera view track ids. The trackers of the `trackers` package are such."""

    def update(
        self,
        detections: sv.Detections,
        frame: npt.NDArray[np.uint8] | None = None,
        timestamp: float | None = None,
    ) -> sv.Detections:
        """Track the people of the next frame.

        Args:
            detections: of the frame.
            frame: H x W x 3 BGR. None, except for a tracker that reads pixels itself.
            timestamp: stream time of the frame, seconds since the epoch; never decreasing.

        Returns:
            Detections with `tracker_id`. Negative ids mark detections without a confirmed track.
        """
        ...


class ResumableTracker(Tracker, Protocol):
    """A tracker of one stream whose state can be saved and restored."""

    def state(self) -> State:
        """The state after the last frame; its size does not grow with time."""
        ...

    def restore(self, state: State) -> None:
        """Take over a state: the frames that followed it then give the same tracks again.

        Raises:
            StateError: the state cannot be restored.
        """
        ...


def person_detections(rows: npt.NDArray[np.floating], size: Size) -> sv.Detections:
    """Detections of people in a frame.

    Args:
        rows: (N, 5 or more) x1, y1, x2, y2 (px), score.
        size: width and height of the frame, px; (0, 0) where it is not known.
    """
    return sv.Detections(
        xyxy=rows[:, :4].astype(np.float32, copy=False),
        confidence=rows[:, 4].astype(np.float32, copy=False),
        class_id=np.full(len(rows), PERSON_CLASS),
        metadata={FRAME_SIZE: size},
    )


def frame_size(detections: sv.Detections) -> Size:
    """Width and height (px) of the frame of these detections; (0, 0) where it is not known."""
    width, height = detections.metadata.get(FRAME_SIZE, (0, 0))
    return int(width), int(height)


def examined(detections: sv.Detections) -> npt.NDArray[np.float64] | None:
    """The parts of the frame that were detected in, (N, 4) px; None = all of it."""
    parts: npt.NDArray[np.float64] | None = detections.metadata.get(EXAMINED)
    return parts


def scores(detections: sv.Detections) -> npt.NDArray[np.float32]:
    """Scores (N,) of the detections; 1 where the detector gave none."""
    if detections.confidence is None:
        return np.ones(len(detections), np.float32)
    return detections.confidence.astype(np.float32, copy=False)


def tracker_ids(detections: sv.Detections) -> npt.NDArray[np.int64]:
    """Track ids (N,) of tracked detections; -1 for each where there are none."""
    if detections.tracker_id is None:
        return np.full(len(detections), -1, np.int64)
    return detections.tracker_id.astype(np.int64, copy=False)
