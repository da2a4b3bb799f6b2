"""What a role classifier sees of a person: the appearance vector, and the colours of the clothes by height.

The appearance network was made to tell people apart, with colours shifted at random; uniforms are told
by plain colour as well. Measured on people in protective clothing (the card of `ppe`): both together are
better than either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from models.registry import Weights
from vision.roles.model import FeatureIdentity

COLOUR = "lab-thirds-1"
BANDS = ((0.15, 0.5), (0.5, 0.75), (0.75, 1.0))
"""Shares of a box's height: trunk, hips and thighs, legs. The head is left out: a face is no uniform."""
ASIDE = 0.15
"""Share of the box's width left out on each side, where the background shows most."""
LIGHTNESS = (0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 100.01)
CHROMA = (-128.0, -25.0, -8.0, 8.0, 25.0, 128.0)
"""Edges of the histograms, in CIE Lab: grey in the middle bin, then muted and strong colours."""
WIDTH, HEIGHT = 32, 96
COLOURS = len(BANDS) * (len(LIGHTNESS) - 1 + (len(CHROMA) - 1) ** 2)


class Appearance(Protocol):
    """What is asked of a reader of appearances, such as `vision.appearance.AppearanceReader`."""

    weights: Weights
    dimension: int

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Unit vectors (N, dimension), float32, of people, each an image and a box in it."""
        ...


class RoleFeatures:
    """Reads the features of people."""

    def __init__(self, appearance: Appearance) -> None:
        """Use a reader of appearances."""
        self._appearance = appearance
        self.dimension_of_appearance = appearance.dimension
        self.dimension = appearance.dimension + COLOURS
        self.identity = FeatureIdentity(
            appearance=appearance.weights.sha256, colour=COLOUR, dimension=self.dimension
        )

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Features (N, dimension), float32, of people, each an image (H x W x 3 BGR) and a box in it (px).

        The first columns are the unit vector of the appearance.
        """
        if not people:
            return np.zeros((0, self.dimension), np.float32)
        colours = np.stack([colour_statistics(image, box) for image, box in people])
        return np.hstack([self._appearance.read(people), colours]).astype(np.float32)


def colour_statistics(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Square roots of histograms (COLOURS,) of a person's colours, by band of height.

    The root makes Euclidean distances Hellinger's, in which rare colours count too.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in box[:4])
    aside = ASIDE * (x2 - x1)
    left, top = int(np.clip(x1 + aside, 0, width - 1)), int(np.clip(y1, 0, height - 1))
    right = int(np.clip(np.ceil(x2 - aside), left + 1, width))
    bottom = int(np.clip(np.ceil(y2), top + 1, height))
    crop = cv2.resize(image[top:bottom, left:right], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    parts = []
    for begin, end in BANDS:
        pixels = lab[round(begin * HEIGHT) : round(end * HEIGHT)].reshape(-1, 3)
        light = np.histogram(pixels[:, 0], bins=LIGHTNESS)[0]
        chroma = np.histogram2d(pixels[:, 1], pixels[:, 2], bins=[CHROMA, CHROMA])[0]
        parts += [np.sqrt(light / len(pixels)), np.sqrt(chroma.ravel() / len(pixels))]
    return np.concatenate(parts).astype(np.float32)
