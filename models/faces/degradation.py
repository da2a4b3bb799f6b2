"""Random degradation of a face image as in a CCTV stream: blur, noise, light, compression.

Every function takes and returns H x W x 3 BGR uint8 and draws from the given generator.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.images import Image

Random = np.random.Generator


def degrade(image: Image, rng: Random) -> Image:
    """Apply blur, light, colour, noise and compression at random; ranges set by eye on public CCTV stills."""
    if rng.random() < 0.35:
        image = _u8(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.1)))
    if rng.random() < 0.12:
        image = _motion_blur(image, rng)
    return compress(_relight(image, rng), rng)


def compress(image: Image, rng: Random) -> Image:
    """Compress as JPEG of quality 25 to 92, in six cases of ten."""
    if rng.random() >= 0.6:
        return image
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 92))]
    return _u8(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR))


def _motion_blur(image: Image, rng: Random) -> Image:
    kernel = np.zeros((5, 5), np.float32)
    if rng.random() < 0.5:
        kernel[2] = 0.2
    else:
        kernel[:, 2] = 0.2
    return _u8(cv2.filter2D(image, -1, kernel))


def _relight(image: Image, rng: Random) -> Image:
    light = (image.astype(np.float32) / 255) ** np.exp(rng.uniform(-0.5, 0.5)) * 255
    light = light * rng.uniform(0.7, 1.2) + rng.uniform(-15, 15)
    if rng.random() < 0.4:  # white balance
        light *= rng.uniform(0.85, 1.15, 3)
    if rng.random() < 0.08:  # infrared cameras give grey images
        light = np.repeat(light.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.4:
        light += rng.normal(0, rng.uniform(2, 10), light.shape)
    return _u8(np.clip(light, 0, 255))


def _u8(image: object) -> Image:
    return np.asarray(image).astype(np.uint8)
