"""Crops of heads and faces, for training and for the pipeline.

A crop of a face is square. Its side is a multiple of the face's longer side, so that what is around the face
(a mask under the chin, a hand, a collar) is in the crop whatever the shape of the box.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.images import Image

CONTEXT = 1.6
"""Side of a crop over the longer side of the face. With 2.2 the classifier was less accurate.

Project default (docs/defaults.md).
"""

MIN_FACE_PX = 20
"""Lower faces are never assessed, and are left out of figures. Project default (docs/defaults.md)."""


def head_region(box: NDArray[np.floating], width: int, height: int) -> tuple[int, int, int, int]:
    """The region of a frame (width x height px) with the head of a person in `box` (x1, y1, x2, y2).

    It is the top third of a standing person, or most of a bust: 1.1 times as high as the box is wide, but at
    least 0.35 of its height, with a margin because a detector's boxes are tight.
    """
    x1, y1, x2, y2 = (float(v) for v in box)
    across, tall = x2 - x1, y2 - y1
    bottom = y1 + min(tall, max(0.35 * tall, 1.1 * across))
    left, right = x1 - 0.1 * across, x2 + 0.1 * across
    top = y1 - 0.06 * tall
    return max(0, int(left)), max(0, int(top)), min(width, int(right) + 1), min(height, int(bottom) + 1)


def square(image: Image, box: NDArray[np.float64], side: int, context: float = CONTEXT) -> Image:
    """Cut the square around a face out of an image (H x W x 3) and resize it to side x side px.

    Beyond the image, its edge is repeated.

    Args:
        image: BGR.
        box: x1, y1, x2, y2 of the face, px; may reach beyond the image.
        side: px of the result.
        context: side of the square over the longer side of the face.
    """
    centre = (box[:2] + box[2:]) / 2
    half = max(1.0, context * float(max(box[2:] - box[:2])) / 2)
    return warp(image, centre, 2 * half, side)


def warp(image: Image, centre: NDArray[np.float64], across: float, side: int, degrees: float = 0.0) -> Image:
    """The square of `across` px around a point, rotated by `degrees`, resized to side x side px.

    Shrinking averages areas; an affine warp alone would alias.
    """
    margin = across * (1.0 if degrees else 0.55)
    x1, y1 = (int(max(0, v)) for v in np.floor(centre - margin))
    x2, y2 = (int(max(0, v)) for v in np.ceil(centre + margin) + 1)
    part = image[y1:y2, x1:x2]
    if part.size == 0:  # the face is entirely outside the image: use its edge
        part, x1, y1 = image, 0, 0
    scale = side / across
    if scale < 0.75:
        size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        shrunk = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        steps = np.array([size[0] / part.shape[1], size[1] / part.shape[0]])
        part = shrunk
    else:
        steps = np.ones(2)
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    # Pixel centres have integer coordinates in cv2; boxes are measured from pixel edges.
    matrix = turn / steps
    at = (centre - (x1, y1)) * steps - 0.5
    shift = np.array([side / 2 - 0.5] * 2) - matrix @ at
    warped = cv2.warpAffine(
        part,
        np.column_stack([matrix, shift]),
        (side, side),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(warped, np.uint8)
