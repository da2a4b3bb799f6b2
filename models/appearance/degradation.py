"""Random degradation of a crop, as a surveillance camera and a detector degrade it."""

from __future__ import annotations

import cv2
import numpy as np

from models.appearance.crop_set import SURROUND_SHARE
from models.appearance.sizes import HEIGHT, WIDTH
from models.images import Image


def degrade(crop: Image, other: Image, rng: np.random.Generator) -> Image:
    """A stored crop as the pipeline would get it: HEIGHT x WIDTH x 3.

    The box is shifted; a post or `other`, the crop of another person, may hide a part; the crop may be small,
    blurred, compressed, in other light, and mirrored.
    """
    image = _shifted(crop, rng)
    if rng.random() < 0.4:
        image = _hidden(image, other, rng)
    tall = int(np.exp(rng.uniform(np.log(24), np.log(HEIGHT))))
    if tall < HEIGHT:
        image = _resize(image, max(8, tall // 2), tall)
    if rng.random() < 0.4:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2)), np.uint8)
    if rng.random() < 0.7:
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 92))])
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    gain, lift = rng.uniform(0.75, 1.3), rng.uniform(-20, 20)
    balance = rng.uniform(0.94, 1.06, 3)
    lit = np.clip(image.astype(np.float32) * gain * balance + lift, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        lit = lit[:, ::-1]
    return _resize(np.ascontiguousarray(lit), WIDTH, HEIGHT)


def _shifted(crop: Image, rng: np.random.Generator) -> Image:
    """The person's box, displaced and scaled as a detector does: by a few percent, rarely more."""
    height, width = crop.shape[:2]
    share = SURROUND_SHARE / (1 + 2 * SURROUND_SHARE)
    edges = np.array([share, share, 1 - share, 1 - share]) + rng.normal(0, 0.04, 4)
    if rng.random() < 0.15:
        edges[3] -= rng.uniform(0, 0.3)  # legs behind furniture: the box ends above them
    x1, y1, x2, y2 = (np.clip(edges, 0, 1) * (width, height, width, height)).astype(int)
    return crop[y1:y2, x1:x2]


def _hidden(image: Image, other: Image, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    image = image.copy()
    if rng.random() < 0.35:  # a post
        left, across = int(rng.uniform(0, 0.8) * width), max(2, int(rng.uniform(0.1, 0.3) * width))
        image[:, left : left + across] = rng.integers(0, 255, 3)
        return image
    patch = _resize(other, width, height)
    shift = int(rng.uniform(0.55, 0.95) * width) * (1 if rng.random() < 0.5 else -1)
    if shift > 0:
        image[:, shift:] = patch[:, : width - shift]
    else:
        image[:, :shift] = patch[:, -shift:]
    return image


def _resize(image: Image, width: int, height: int) -> Image:
    shrinks = height < image.shape[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8)
