"""Does a face show signs of life: a painted or printed one never changes.

Of every look at a face, the picture around it is kept, small and grey, until the next look. How much that
place of the frame has changed since, whatever the light, goes into the observation log; the mask rule
decides what it means.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vision.frames import SEGMENT

SIDE = 16
"""px of the kept picture: small enough that the noise of a camera averages out. Of the smallest face that is
judged, 32 px, six to seven pixels make one of these: noise of 8 grey levels on a contrast of 40 changes the
picture by 0.006."""
MARGIN = 0.15
"""How far around a face the picture reaches, over its size: a head that turns changes its outline."""
FLAT = 2.0
"""Grey levels: a picture of less contrast than this has nothing that could be compared."""


@dataclass(frozen=True)
class _Look:
    t: int
    place: tuple[int, int, int, int]
    picture: np.ndarray


class Liveness:
    """Compares each look at a track's face with the look before."""

    def __init__(self, apart_us: int) -> None:
        """Compare looks that are at most `apart_us` microseconds apart.

        Looks of different whole minutes are never compared, so that an analysis that goes on at a minute
        gives what an uninterrupted one gives.
        """
        self._apart_us = apart_us
        self._last: dict[int, _Look] = {}

    def change(self, track: int, t: int, image: np.ndarray, face: np.ndarray | None) -> float | None:
        """How much the place where the face was has changed, 0 (not at all) to 1.

        One minus the correlation of the two pictures, which brightness and contrast do not touch.

        Args:
            track: whose face.
            t: of the frame, microseconds.
            image: H x W x 3 BGR.
            face: x1, y1, x2, y2, px; None where none was seen, which forgets the look before.

        Returns:
            None where there is nothing to compare with.
        """
        last = self._last.pop(track, None)
        if face is None:
            return None
        place = _place(face, image)
        if place is None:
            return None
        self._last[track] = _Look(t, place, _picture(image, place))
        if last is None or t - last.t > self._apart_us or t // SEGMENT != last.t // SEGMENT:
            return None
        now = _picture(image, last.place)
        spread = float(last.picture.std()), float(now.std())
        if min(spread) < FLAT:
            return None
        covariance = float(((last.picture - last.picture.mean()) * (now - now.mean())).mean())
        return float(np.clip(1 - covariance / (spread[0] * spread[1]), 0, 1))

    def forget_before(self, t: int) -> None:
        """Forget looks that can no longer be compared at `t`, so that memory does not grow with time."""
        self._last = {track: look for track, look in self._last.items() if t - look.t <= self._apart_us}


def _place(face: np.ndarray, image: np.ndarray) -> tuple[int, int, int, int] | None:
    margin = MARGIN * (face[2:] - face[:2])
    x1, y1 = (int(max(0, v)) for v in face[:2] - margin)
    x2, y2 = (int(min(most, v)) for v, most in zip(face[2:] + margin, image.shape[1::-1], strict=True))
    return (x1, y1, x2, y2) if x2 - x1 >= 4 and y2 - y1 >= 4 else None


def _picture(image: np.ndarray, place: tuple[int, int, int, int]) -> np.ndarray:
    x1, y1, x2, y2 = place
    grey = cv2.cvtColor(image[y1:y2, x1:x2], cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
