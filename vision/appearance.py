"""What people look like, as vectors that can be compared: the same clothes, a cosine near 1.

For telling apart people in view of one camera, and for learning what a role wears at a site. Vectors
live with a track in memory; none enters the observation log or the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.appearance.cutting import cut
from models.appearance.inference import Embedder
from models.appearance.sizes import DIMENSION
from models.devices import Device
from models.registry import Weights


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
