"""What people look like, as vectors that can be compared: the same clothes, a cosine near 1.

For telling apart people in view of one camera, and for learning what a role wears at a site. Vectors
live with a track in memory; none enters the observation log or the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from models.appearance.inference import Embedder
from models.appearance.network import DIMENSION, HEIGHT, WIDTH
from models.devices import Device
from models.registry import Weights

MARGIN = 0.04
"""Of the box, added on each side: a detector's tight box cuts off shoulders and feet."""


class AppearanceReader:
    """Reads the appearance of people."""

    dimension = DIMENSION

    def __init__(self, weights: Weights, device: Device) -> None:
        """Load `weights` on `device`.

        Raises:
            ModelError: they are not those of an appearance network.
        """
        self.weights = weights
        self._batch = max(8, device.batch)
        self._embed = Embedder(weights, device)

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Unit vectors (N, dimension), float32, of people, each an image and a box in it.

        Args:
            people: images (H x W x 3 BGR uint8) and boxes (x1, y1, x2, y2, px); parts of a box outside
                its image are cut off.
        """
        vectors = [np.zeros((0, DIMENSION), np.float32)]
        for first in range(0, len(people), self._batch):
            part = people[first : first + self._batch]
            vectors.append(self._embed(np.stack([cut(image, box) for image, box in part])))
        return np.concatenate(vectors)


def cut(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The crop (HEIGHT x WIDTH x 3) of a person in `box` (x1, y1, x2, y2, px) of an image."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in box[:4])
    aside, above = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
    left, top = int(np.clip(x1 - aside, 0, width - 2)), int(np.clip(y1 - above, 0, height - 2))
    right = int(np.clip(np.ceil(x2 + aside), left + 2, width))
    bottom = int(np.clip(np.ceil(y2 + above), top + 2, height))
    crop = image[top:bottom, left:right]
    shrinks = crop.shape[0] > HEIGHT
    return cv2.resize(crop, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
