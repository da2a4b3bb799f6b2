"""Masks painted on bare faces by their landmarks: worn correctly, below the nose, or under the chin.

Photographs of incorrectly worn masks are rare. The method follows MaskedFace-Net (Cabani et al. 2021); the
shapes and textures are our own.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from models.faces.degradation import Random
from models.images import Image

Wear = Literal["masked", "nose", "chin"]
"""Worn correctly; with the nose bare; under the chin with nose and mouth bare."""

MIN_LANDMARK_DISTANCE_PX = 1.0
"""Eyes or mouth corners nearer to each other than this do not say where a mask would sit."""


def paint(crop: Image, landmarks: NDArray[np.float64], wear: Wear, rng: Random) -> Image | None:
    """A copy of a square crop (S x S x 3) in which the face wears a mask.

    Args:
        crop: with a bare face.
        landmarks: (5, 2) px: eyes (image left, right), nose tip, mouth corners (left, right).
        wear: how the mask is worn.
        rng: random generator of shapes and textures.

    Returns:
        The copy, or None where the landmarks are too close together.
    """
    outline = _outline(landmarks.astype(np.float64), wear, rng)
    if outline is None:
        return None
    points, down, across = outline
    side = crop.shape[0]
    cover = np.zeros((side, side), np.uint8)
    cv2.fillPoly(cover, [np.round(points * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    if int((cover > 0).sum()) < 20:
        return None
    # The edge is as soft as the rest of the image.
    alpha = cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.6, 1.4)).astype(np.float32)[..., None] / 255
    left, right = points[0], points[4]
    corners = np.array([left - down * 0.3, right - down * 0.3, right + down * 0.9, left + down * 0.9])
    source = np.array([[0, 0], [63, 0], [63, 63], [0, 63]], np.float32)
    onto = cv2.getPerspectiveTransform(source, corners.astype(np.float32))
    cloth = cv2.warpPerspective(_cloth(rng), onto, (side, side), borderMode=cv2.BORDER_REFLECT)
    lit = cloth.astype(np.float32) * _light(crop, cover, float(np.linalg.norm(across)), rng)
    painted = (crop * (1 - alpha) + np.clip(lit, 0, 255) * alpha).astype(np.uint8)
    if rng.random() < 0.6:
        _loops(painted, points, down, across, rng)
    return np.asarray(painted, np.uint8)


def _outline(
    landmarks: NDArray[np.float64], wear: Wear, rng: Random
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """The mask's outline (8, 2) px, the vector from the eyes to the mouth, and that from eye to eye."""
    left_eye, right_eye, nose, left_mouth, right_mouth = landmarks
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    down = mouth - eyes
    apart = float(np.linalg.norm(right_eye - left_eye))
    length = float(np.linalg.norm(down))
    if apart < MIN_LANDMARK_DISTANCE_PX or length < MIN_LANDMARK_DISTANCE_PX:
        return None
    right = np.array([down[1], -down[0]]) / length
    if right @ (right_eye - left_eye) < 0:
        right = -right
    across = right * apart
    if wear == "masked":
        top, sides = nose - down * rng.uniform(0.12, 0.32), 0.35
    elif wear == "nose":
        top, sides = nose + down * rng.uniform(0.14, 0.3), 0.5
    else:
        top, sides = mouth + down * rng.uniform(0.15, 0.35), 0.95
    jaw_left = left_eye - across * rng.uniform(0.38, 0.55) + down * rng.uniform(sides, sides + 0.25)
    jaw_right = right_eye + across * rng.uniform(0.38, 0.55) + down * rng.uniform(sides, sides + 0.25)
    low_left = left_mouth - across * rng.uniform(0.1, 0.35) + down * rng.uniform(0.45, 0.7)
    low_right = right_mouth + across * rng.uniform(0.1, 0.35) + down * rng.uniform(0.45, 0.7)
    chin = mouth + down * rng.uniform(0.6, 0.85)
    bend = down * rng.uniform(0, 0.08)
    points = [
        jaw_left,
        (jaw_left + top) / 2 - bend,
        top,
        (jaw_right + top) / 2 - bend,
        jaw_right,
        low_right,
        chin,
        low_left,
    ]
    return np.array(points), down, across


def _cloth(rng: Random) -> Image:
    """A texture of 64 x 64 px: surgical blue, white, black or any colour; folds, prints, stains."""
    kind = rng.random()
    if kind < 0.35:
        colour = np.array([rng.uniform(180, 230), rng.uniform(160, 210), rng.uniform(90, 170)])
    elif kind < 0.6:
        colour = rng.uniform(200, 250) + rng.uniform(-8, 8, 3)
    elif kind < 0.8:
        colour = rng.uniform(15, 70) + rng.uniform(-8, 8, 3)
    else:
        colour = rng.uniform(20, 235, 3)
    cloth = np.ones((64, 64, 3)) * colour
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(2, 5))):
            fold = int(rng.integers(5, 60))
            cloth[fold : fold + 2] *= rng.uniform(0.75, 0.92)
    if rng.random() < 0.15:
        cloth += rng.normal(0, 30, (8, 8, 3)).repeat(8, axis=0).repeat(8, axis=1)
    cloth += cv2.GaussianBlur(rng.normal(0, 18, (64, 64)), (0, 0), 6)[..., None]
    return np.asarray(np.clip(cloth, 0, 255), np.uint8)


def _light(crop: Image, cover: NDArray[np.uint8], apart: float, rng: Random) -> NDArray[np.float32]:
    """Brightness of the face under the mask, per pixel, relative to cloth in good light."""
    grey = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), (0, 0), max(1.0, apart * 0.18))
    mean = max(float(grey[cover > 0].mean()), 1.0)
    shade = np.clip(grey.astype(np.float32) / mean, 0.6, 1.35)[..., None] ** rng.uniform(0.5, 1)
    return np.asarray(float(np.clip(mean / 140, 0.35, 1.15)) * shade, np.float32)


def _loops(
    painted: Image,
    points: NDArray[np.float64],
    down: NDArray[np.float64],
    across: NDArray[np.float64],
    rng: Random,
) -> None:
    shade = int(rng.uniform(150, 240)) if rng.random() < 0.7 else 40
    for jaw, side in ((points[0], -1), (points[4], 1)):
        ear = jaw - down * 0.3 + across * side * 0.12
        start, end = (tuple(int(v) for v in np.round(p)) for p in (jaw, ear))
        cv2.line(painted, start, end, (shade,) * 3, 1, cv2.LINE_AA)
