"""Crops of people for the appearance network."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from models.appearance.sizes import HEIGHT, WIDTH

MARGIN_SHARE = 0.04
"""Share of the box added on each side, because a detector's tight box cuts off shoulders and feet.

Project default (docs/defaults.md).
"""


def cut(image: NDArray[np.uint8], box: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The crop (HEIGHT x WIDTH x 3) of a person in `box` (x1, y1, x2, y2, px) of an image (H x W x 3 BGR).

    Parts of the box outside the image are cut off.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in box[:4])
    aside, above = MARGIN_SHARE * (x2 - x1), MARGIN_SHARE * (y2 - y1)
    left, top = int(min(max(x1 - aside, 0), width - 2)), int(min(max(y1 - above, 0), height - 2))
    right = min(max(math.ceil(x2 + aside), left + 2), width)
    bottom = min(max(math.ceil(y2 + above), top + 2), height)
    crop = image[top:bottom, left:right]
    interpolation = cv2.INTER_AREA if crop.shape[0] > HEIGHT else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (WIDTH, HEIGHT), interpolation=interpolation), dtype=np.uint8)
