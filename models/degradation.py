"""Whole pictures as cameras deliver them at night, in bad light, over thin lines and through wet glass.

Each kind is one fixed strength, so that figures of different weights compare; the same picture, kind and seed
give the same result. Training has its own, random degradations (`models.faces`, `models.appearance`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.images import Image

CLEAN = "clean"
"""Name of the picture as it is."""
PICTURE_PX = 640
"""Longer side, px, to which a larger picture is reduced before it is degraded: that of a camera's second
stream. Noise and blur then have the same strength in all pictures. Project default (docs/defaults.md)."""
DARK_LIGHT = 1 / 16
"""Light of a dark picture as a share of the full light (four stops). Project default (docs/defaults.md)."""
DARK_GAIN = 4.0
"""Gain by which the camera brightens a dark picture, its noise included. Project default
(docs/defaults.md)."""
FULL_WELL_ELECTRONS = 4000.0
"""Electrons of a white pixel in full light: sensors with pixels of 2 to 3 um hold 4,000 to 10,000. Project
default (docs/defaults.md)."""
READ_NOISE_ELECTRONS = 4.0
"""Standard deviation of the noise of reading a pixel; 2 to 5 are usual for such sensors. Project default
(docs/defaults.md)."""
NOISE_LEVELS = 20.0
"""Standard deviation of the noise of a noisy picture, of 255 levels. Project default (docs/defaults.md)."""
JPEG_QUALITY = 12
"""JPEG quality of a compressed picture: blocks of 8 px show. Project default (docs/defaults.md)."""
MOTION_SHARE = 0.015
"""Length of the motion blur as a share of the longer side: 10 px of 640, a person who walks past at 3 m
from a wide lens with 1/15 s of exposure. Project default (docs/defaults.md)."""
DROPS = 14
"""Drops on the lens. Project default (docs/defaults.md)."""
DROP_RADIUS = (0.02, 0.06)
"""Least and largest radius of a drop as a share of the longer side. Project default (docs/defaults.md)."""

Degrade = Callable[[Image, np.random.Generator], Image]


def kinds() -> tuple[str, ...]:
    """Names of the kinds of degradation, without `CLEAN`."""
    return tuple(_KINDS)


def reduce(image: Image) -> Image:
    """A picture (H x W x 3 BGR) reduced to PICTURE_PX on its longer side; smaller ones stay as they are."""
    scale = PICTURE_PX / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def degrade(image: Image, kind: str, seed: int) -> Image:
    """Degrade a picture (H x W x 3 BGR); the shape stays, and so does the argument.

    Args:
        image: the picture, as `reduce` gives it.
        kind: one of `kinds`, or `CLEAN`.
        seed: of what is random: noise, the direction of motion, the places of drops.

    Raises:
        ModelError: there is no such kind.
    """
    if kind == CLEAN:
        return image.copy()
    if kind not in _KINDS:
        raise ModelError(f"expected a degradation among {', '.join((CLEAN, *_KINDS))}, got {kind!r}")
    return _KINDS[kind](image, np.random.default_rng(seed))


def _infrared(image: Image, rng: np.random.Generator) -> Image:
    """Grey, lit by the camera's own lamp: bright in the middle, dark at the edges, somewhat noisy."""
    height, width = image.shape[:2]
    # Under infrared light clothes reflect about alike, whatever their colour: red counts most.
    grey = image.astype(np.float64) @ np.array([0.1, 0.3, 0.6])
    y, x = np.mgrid[:height, :width]
    away = np.hypot((x - width / 2) / (width / 2), (y - height / 2) / (height / 2)) / np.sqrt(2)
    lit = grey * (1.15 - 0.75 * away**2) + rng.normal(0, 5, grey.shape)
    return _levels(np.repeat(lit[..., None], 3, axis=2))


def _dark(image: Image, rng: np.random.Generator) -> Image:
    """Little light: the shot noise of few electrons and the noise of reading them, partly brightened."""
    linear = (image.astype(np.float64) / 255) ** 2.2
    electrons = rng.poisson(linear * DARK_LIGHT * FULL_WELL_ELECTRONS).astype(np.float64)
    electrons += rng.normal(0, READ_NOISE_ELECTRONS, electrons.shape)
    bright = np.clip(electrons / FULL_WELL_ELECTRONS * DARK_GAIN, 0, 1)
    return _levels(255 * bright ** (1 / 2.2))


def _noise(image: Image, rng: np.random.Generator) -> Image:
    return _levels(image + rng.normal(0, NOISE_LEVELS, image.shape))


def _compression(image: Image, _: np.random.Generator) -> Image:
    packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def _motion_blur(image: Image, rng: np.random.Generator) -> Image:
    """Blur along a line of random direction, as of a camera or a scene that moves during the exposure."""
    length = max(3, round(MOTION_SHARE * max(image.shape[:2])) | 1)
    middle, angle = length // 2, rng.uniform(0, np.pi)
    kernel = np.zeros((length, length), np.float32)
    reach = middle * np.array([np.cos(angle), np.sin(angle)])
    ends = [tuple(int(v) for v in np.rint(middle + side * reach)) for side in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def _drops(image: Image, rng: np.random.Generator) -> Image:
    """Drops on the glass: each shows the scene upside down, small and out of focus."""
    height, width = image.shape[:2]
    side = max(height, width)
    result = image.astype(np.float32)
    for _ in range(DROPS):
        centre = rng.uniform([0, 0], [width, height])
        radius = max(2.0, rng.uniform(*DROP_RADIUS) * side)
        x1, y1 = (int(max(0, v)) for v in centre - radius)
        x2, y2 = int(min(width, centre[0] + radius + 1)), int(min(height, centre[1] + radius + 1))
        y, x = np.mgrid[y1:y2, x1:x2].astype(np.float32)
        # A drop is a strong lens: its middle shows the middle of what lies around it, turned over.
        map_x = np.clip(centre[0] - 3 * (x - centre[0]), 0, width - 1).astype(np.float32)
        map_y = np.clip(centre[1] - 3 * (y - centre[1]), 0, height - 1).astype(np.float32)
        seen = cv2.GaussianBlur(
            cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR), (0, 0), max(1.0, radius / 6)
        )
        away = np.hypot(x - centre[0], y - centre[1]) / radius
        opacity = np.clip((1 - away) / 0.25, 0, 1)[..., None]
        part = result[y1:y2, x1:x2]
        part += opacity * (seen.astype(np.float32) - part)
    return _levels(result)


def _levels(values: NDArray[np.floating]) -> Image:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


_KINDS: Mapping[str, Degrade] = MappingProxyType(
    {
        "infrared": _infrared,
        "dark": _dark,
        "noise": _noise,
        "compression": _compression,
        "motion": _motion_blur,
        "drops": _drops,
    }
)
