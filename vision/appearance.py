"""Appearance embeddings of people: unit vectors, whose cosine is near 1 for the same clothes.

They re-identify people in the view of one camera and describe what each role wears at a facility. The
embeddings of a track are kept in memory with it; the observation log and the ledger hold none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.appearance.cropping import cut
from models.appearance.inference import Embedder
from models.appearance.sizes import DIMENSION
from models.devices import Device
from models.registry import Weights

MIN_BATCH = 8
"""Crops per call on any device, at least."""


class AppearanceReader:
    """Computes the appearance embeddings of people.

    Attributes:
        dimension: length of an embedding.
        weights: in use, with the form in which they run.
    """

    dimension = DIMENSION

    def __init__(self, weights: Weights, device: Device) -> None:
        """Load `weights` on `device`.

        Raises:
            ModelError: they are not those of an appearance network.
        """
        self._batch = max(MIN_BATCH, device.batch)
        self._embed = Embedder(weights, device)
        self.weights = self._embed.weights

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Embeddings (N, dimension), float32 unit vectors, of people, each an image and a box in it.

        Args:
            people: images (H x W x 3 BGR uint8) and boxes (x1, y1, x2, y2, px); parts of a box outside
                its image are cut off.
        """
        embeddings = [np.zeros((0, DIMENSION), np.float32)]
        for first in range(0, len(people), self._batch):
            batch = people[first : first + self._batch]
            embeddings.append(self._embed(np.stack([cut(image, box) for image, box in batch])))
        return np.concatenate(embeddings)
