"""Liveness of a face: a painted or printed face never changes.

Of each face that is checked, a small grey picture of the face and its surroundings is kept until the next
check of the same track. How much that place in the frame has changed since, regardless of the light, is
written to the observation log. The mask rule decides what it means.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vision.frames import SECOND, SEGMENT
from vision.state import State

MAX_GAP_US = 3 * SECOND
"""Longest time between two pictures that are compared, microseconds: over a longer time the light changes or
the camera moves. Project default (docs/defaults.md)."""
PICTURE_SIDE_PX = 16
"""Side of the kept picture, px: so small that the noise of the camera averages out. Each of its pixels covers
six to seven pixels of the smallest face that is assessed, 32 px. Noise of 8 grey levels on a contrast of 40
then changes the picture by 0.006."""
FACE_MARGIN = 0.15
"""Margin of the picture around the face, as a share of its size: a head that turns changes its outline."""
MIN_PLACE_SIDE_PX = 4
"""Least width and height, px, of a place in the frame that is compared."""
MIN_CONTRAST = 2.0
"""Least standard deviation of a picture, grey levels; below it there is nothing to compare."""


@dataclass(frozen=True)
class _FacePicture:
    """A face at `t` (microseconds): its place in the frame (x1, y1, x2, y2, px) and the picture there."""

    t: int
    place: tuple[int, int, int, int]
    picture: np.ndarray


class Liveness:
    """Compares each picture of a track's face with the one before."""

    def __init__(self, max_gap_us: int = MAX_GAP_US) -> None:
        """Compare pictures that are at most `max_gap_us` microseconds apart.

        Pictures of different segments are never compared, as in every log so far.
        """
        self._max_gap_us = max_gap_us
        self._last: dict[int, _FacePicture] = {}

    def change(self, track: int, t: int, image: np.ndarray, face: np.ndarray | None) -> float | None:
        """How much the place of the face before has changed since: 0 (not at all) to 1.

        One minus the correlation of the two pictures, which brightness and contrast do not affect.

        Args:
            track: id of the track.
            t: of the frame, microseconds.
            image: H x W x 3 BGR.
            face: x1, y1, x2, y2, px. None where no face was found: the picture before is then dropped.

        Returns:
            None where there is nothing to compare.
        """
        last = self._last.pop(track, None)
        if face is None:
            return None
        place = _place(face, image)
        if place is None:
            return None
        self._last[track] = _FacePicture(t, place, _picture(image, place))
        if last is None or t - last.t > self._max_gap_us or t // SEGMENT != last.t // SEGMENT:
            return None
        now = _picture(image, last.place)
        contrast = float(last.picture.std()), float(now.std())
        if min(contrast) < MIN_CONTRAST:
            return None
        covariance = float(((last.picture - last.picture.mean()) * (now - now.mean())).mean())
        return float(np.clip(1 - covariance / (contrast[0] * contrast[1]), 0, 1))

    def drop_before(self, t: int) -> None:
        """Drop pictures that are too old to be compared at `t`, so that memory does not grow with time."""
        self._last = {track: kept for track, kept in self._last.items() if t - kept.t <= self._max_gap_us}

    def state(self) -> State:
        """The kept pictures: `tracks` (N,), `times` (N,), `places` (N, 4) and `pictures` (N, side, side).

        300 bytes of each face that was checked in the last `max_gap_us` microseconds.
        """
        kept, side = self._last.values(), PICTURE_SIDE_PX
        return {
            "tracks": np.array(list(self._last), np.int64),
            "times": np.array([face.t for face in kept], np.int64),
            "places": np.array([face.place for face in kept], np.int64).reshape(-1, 4),
            # Grey levels are whole numbers.
            "pictures": np.array([face.picture for face in kept], np.uint8).reshape(-1, side, side),
        }

    def restore(self, state: State) -> None:
        """Take over the pictures of `state`."""
        places = [(x1, y1, x2, y2) for x1, y1, x2, y2 in state["places"].tolist()]
        pictures = state["pictures"].astype(np.float32)
        faces = map(_FacePicture, state["times"].tolist(), places, pictures)
        self._last = dict(zip(state["tracks"].tolist(), faces, strict=True))


def _place(face: np.ndarray, image: np.ndarray) -> tuple[int, int, int, int] | None:
    """The face with its margin, cut to the image; None where too little is left."""
    margin = FACE_MARGIN * (face[2:] - face[:2])
    x1, y1 = (int(max(0, v)) for v in face[:2] - margin)
    x2, y2 = (int(min(side, v)) for v, side in zip(face[2:] + margin, image.shape[1::-1], strict=True))
    return (x1, y1, x2, y2) if min(x2 - x1, y2 - y1) >= MIN_PLACE_SIDE_PX else None


def _picture(image: np.ndarray, place: tuple[int, int, int, int]) -> np.ndarray:
    x1, y1, x2, y2 = place
    grey = cv2.cvtColor(image[y1:y2, x1:x2], cv2.COLOR_BGR2GRAY)
    size = PICTURE_SIDE_PX, PICTURE_SIDE_PX
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
