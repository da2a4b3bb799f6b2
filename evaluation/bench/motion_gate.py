"""A motion gate with square regions, written from the description of Frigate's (docs.frigate.video).

A small grey picture is compared with a running background. Boxes of what changed, and boxes of tracked
people, are clustered; people are detected in a square region of at least 320 px around each cluster, so that
the network sees them at the scale of the camera. A region map that is learned over days, as Frigate keeps
one, is left out: footage of minutes would teach it nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""x1, y1, x2, y2, px."""
Region = tuple[int, int, int, int]
"""x1, y1, x2, y2, px, within the frame."""

MOTION_HEIGHT = 100
"""Height of the small picture, px (Frigate's default)."""
THRESHOLD = 30
"""Least change that is motion, grey levels of 255 (Frigate's default)."""
CONTOUR_AREA = 10
"""Least area that is motion, px of the small picture (Frigate's default)."""
FRAME_ALPHA = 0.01
"""Share of a new picture in the background (Frigate's default)."""
SETTLING_ALPHA = 0.2
"""The same while the background settles, in the first pictures and after the whole picture has changed.
Project default (docs/defaults.md)."""
SETTLING_FRAMES = 30
"""Pictures in which the background settles. Project default (docs/defaults.md)."""
LIGHTNING_SHARE = 0.8
"""Share of the picture above which motion is a change of the light (Frigate's default)."""
REGION_PX = 320
"""Least side of a region, px: the input of Frigate's default network."""
REGION_MARGIN = 1.2
"""Side of a region, in sides of the cluster in it. Project default (docs/defaults.md)."""


class MotionDetector:
    """Finds what moves in the pictures of one camera."""

    def __init__(self) -> None:
        """Begin without a background."""
        self._background: npt.NDArray[np.float32] | None = None
        self._settling = SETTLING_FRAMES

    @property
    def settling(self) -> bool:
        """Whether the background is still settling."""
        return self._settling > 0

    def __call__(self, luma: Grey) -> list[Box]:
        """Boxes of what moves.

        Args:
            luma: (H, W) grey picture; pictures of a camera have one size and come in order of time.

        Returns:
            Boxes in px of the picture; none while the background settles.
        """
        height, width = luma.shape
        scale = height / MOTION_HEIGHT
        small = cv2.resize(luma, (round(width / scale), MOTION_HEIGHT), interpolation=cv2.INTER_LINEAR)
        small = cv2.GaussianBlur(small, (3, 3), 0)
        if self._background is None:
            self._background = small.astype(np.float32)
        change = cv2.absdiff(small, cv2.convertScaleAbs(self._background))
        mask = cv2.threshold(change, THRESHOLD, 255, cv2.THRESH_BINARY)[1]
        mask = cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=1)
        if np.count_nonzero(mask) > LIGHTNING_SHARE * mask.size:
            self._settling = SETTLING_FRAMES
        settling = self.settling
        cv2.accumulateWeighted(small, self._background, SETTLING_ALPHA if settling else FRAME_ALPHA)
        if settling:
            self._settling -= 1
            return []
        contours = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
        boxes = (cv2.boundingRect(item) for item in contours if cv2.contourArea(item) > CONTOUR_AREA)
        return [(x * scale, y * scale, (x + w) * scale, (y + h) * scale) for x, y, w, h in boxes]


def regions_around(boxes: Sequence[Box], width: int, height: int) -> list[Region]:
    """Square regions that hold all boxes, several in one where that is not larger than its largest alone.

    Args:
        boxes: px of the frame.
        width: of the frame, px.
        height: of the frame, px.

    Returns:
        Regions, cut at the edges of the frame where it is smaller than they are.
    """
    # Large boxes first: small ones join their regions.
    waiting = sorted(boxes, key=lambda box: max(box[2] - box[0], box[3] - box[1]), reverse=True)
    regions: list[Region] = []
    while waiting:
        cluster = waiting.pop(0)
        limit = _side(cluster)
        kept = []
        for box in waiting:
            joint = (
                min(cluster[0], box[0]),
                min(cluster[1], box[1]),
                max(cluster[2], box[2]),
                max(cluster[3], box[3]),
            )
            if _side(joint) <= limit:
                cluster = joint
            else:
                kept.append(box)
        waiting = kept
        regions.append(square(cluster, width, height))
    return regions


def _side(box: Box) -> float:
    return max(REGION_PX, REGION_MARGIN * max(box[2] - box[0], box[3] - box[1]))


def square(box: Box, width: int, height: int) -> Region:
    """The square region around a box, moved into the frame."""
    side = round(_side(box))
    region = []
    for low, high, size in ((box[0], box[2], width), (box[1], box[3], height)):
        length = min(side, size)
        first = min(max(round((low + high - length) / 2), 0), size - length)
        region.append((first, first + length))
    (x1, x2), (y1, y2) = region
    return x1, y1, x2, y2


def cut_off(box: Box, region: Region, width: int, height: int, slack: float = 2.0) -> bool:
    """Whether a box ends at an edge of its region that is not an edge of the frame."""
    x1, y1, x2, y2 = region
    return (
        (x1 > 0 and box[0] <= x1 + slack)
        or (y1 > 0 and box[1] <= y1 + slack)
        or (x2 < width and box[2] >= x2 - slack)
        or (y2 < height and box[3] >= y2 - slack)
    )
