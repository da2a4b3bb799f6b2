"""Faces from the larger of two streams of a camera, while the smaller one is analysed.

The streams have clocks of their own, and their pictures are not of the same moments. So a person is found in
a picture of the larger stream where the line between the boxes before and after it leads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from vision.frames import SECOND, Frame

WAITING = 4
"""Pictures that wait for the frame after them, at most."""
MAX_STEP_US = SECOND
"""Frames of the smaller stream that are further apart than this say nothing of what is between them,
microseconds. Project default (docs/defaults.md)."""


class DetailPictures:
    """The pictures of the larger stream of a camera, and the people in them."""

    def __init__(self) -> None:
        """Begin without pictures."""
        self._waiting: deque[Frame] = deque(maxlen=WAITING)
        self._boxes: dict[int, np.ndarray] = {}
        self._t: int | None = None

    def add(self, frame: Frame) -> None:
        """Take a picture, in order of time."""
        self._waiting.append(frame)

    def people(
        self, frame: Frame, boxes: np.ndarray, tracks: Sequence[int]
    ) -> tuple[Frame, dict[int, np.ndarray]] | None:
        """The newest picture between the frame before and this one, and who is where in it.

        Args:
            frame: the next frame of the smaller stream.
            boxes: of the people in it, xyxy px.
            tracks: their tracks.

        Returns:
            The picture, and by the place of a person in `tracks` the box in the picture, xyxy px; of people
            who were in the frame before. None where there is no such picture.
        """
        before, self._boxes = self._boxes, dict(zip(tracks, np.asarray(boxes, np.float64), strict=True))
        t, self._t = self._t, frame.t
        found: Frame | None = None
        while self._waiting and self._waiting[0].t <= frame.t:
            found = self._waiting.popleft()
        if found is None or t is None or not t < found.t or frame.t - t > MAX_STEP_US:
            return None
        share = (found.t - t) / (frame.t - t)
        (width, height), (detailed_width, detailed_height) = frame.size, found.size
        scale = np.array([detailed_width / width, detailed_height / height] * 2)
        return found, {
            place: (before[track] + (self._boxes[track] - before[track]) * share) * scale
            for place, track in enumerate(tracks)
            if track in before
        }
