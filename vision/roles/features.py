"""Features for the role classifier: the embedding of a person, and colour histograms of the clothes.

The embedding network was trained to distinguish people under random colour shifts, but uniforms also differ
by plain colour. On people in protective clothing, both together are better than either alone (see the card
of `ppe`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from models.registry import Weights
from vision.roles.model import FeatureIdentity

COLOUR_VERSION = "lab-thirds-1"
"""Name of this version of the colour histograms; role models record it."""
HEIGHT_BANDS = ((0.15, 0.5), (0.5, 0.75), (0.75, 1.0))
"""Bands of a box, as shares of its height: trunk, hips and thighs, legs. The head is left out."""
SIDE_MARGIN_SHARE = 0.15
"""Share of a box's width that is left out on each side, because it shows mostly background."""
LIGHTNESS_EDGES = (0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 100.01)
"""Bin edges of L in CIE Lab."""
CHROMA_EDGES = (-128.0, -25.0, -8.0, 8.0, 25.0, 128.0)
"""Bin edges of a and b in CIE Lab: grey in the middle, then muted and strong colours."""
CROP_WIDTH, CROP_HEIGHT = 32, 96
"""Size (px) to which crops are resized before their colours are counted."""
COLOUR_DIMENSION = len(HEIGHT_BANDS) * (len(LIGHTNESS_EDGES) - 1 + (len(CHROMA_EDGES) - 1) ** 2)


class Appearance(Protocol):
    """A reader of embeddings, such as `vision.appearance.AppearanceReader`."""

    weights: Weights
    dimension: int

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Embeddings (N, dimension) of people, float32 unit vectors; each is an image and a box in it."""
        ...


class RoleFeatures:
    """Computes the features of people."""

    def __init__(self, appearance: Appearance) -> None:
        """Prepare with a reader of embeddings."""
        self._appearance = appearance
        self.dimension_of_appearance = appearance.dimension
        self.dimension = appearance.dimension + COLOUR_DIMENSION
        self.identity = FeatureIdentity(
            appearance=appearance.weights.sha256, colour=COLOUR_VERSION, dimension=self.dimension
        )

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Features (N, dimension) of people, float32; each is an image (H x W x 3, BGR) and a box in it (px).

        The first columns are the embedding.
        """
        if not people:
            return np.zeros((0, self.dimension), np.float32)
        colours = np.stack([colour_statistics(image, box) for image, box in people])
        return np.hstack([self._appearance.read(people), colours]).astype(np.float32)


def colour_statistics(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Square roots of colour histograms of a person, one per band of height; (COLOUR_DIMENSION,), float32.

    With square roots, the Euclidean distance is the Hellinger distance, in which rare colours count too.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in box[:4])
    aside = SIDE_MARGIN_SHARE * (x2 - x1)
    left, top = int(np.clip(x1 + aside, 0, width - 1)), int(np.clip(y1, 0, height - 1))
    right = int(np.clip(np.ceil(x2 - aside), left + 1, width))
    bottom = int(np.clip(np.ceil(y2), top + 1, height))
    crop = cv2.resize(image[top:bottom, left:right], (CROP_WIDTH, CROP_HEIGHT), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    parts = []
    for begin, end in HEIGHT_BANDS:
        pixels = lab[round(begin * CROP_HEIGHT) : round(end * CROP_HEIGHT)].reshape(-1, 3)
        light = np.histogram(pixels[:, 0], bins=LIGHTNESS_EDGES)[0]
        chroma = np.histogram2d(pixels[:, 1], pixels[:, 2], bins=[CHROMA_EDGES, CHROMA_EDGES])[0]
        parts += [np.sqrt(light / len(pixels)), np.sqrt(chroma.ravel() / len(pixels))]
    return np.concatenate(parts).astype(np.float32)
