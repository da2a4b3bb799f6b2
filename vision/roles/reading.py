"""Looks at people with a role model: which are worth a look, and what it says of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.registry import Weights
from vision.roles.features import Appearance, RoleFeatures
from vision.roles.model import RoleClassifier, RoleError, RoleModel

LEAST_HEIGHT = 48
"""px: what is smaller shows too little cloth [D]."""
MOST_HIDDEN = 0.4
"""Share of a box that the box of a person in front may cover: beyond, the crop shows the other [D]."""


class RoleReader:
    """Reads roles with a site's model, or with a general one."""

    def __init__(self, model: RoleModel, weights: Weights, appearance: Appearance) -> None:
        """Put a model to work.

        Args:
            model: the model.
            weights: its file, as runs and incidents record it.
            appearance: reads the vectors it was trained on.

        Raises:
            RoleError: it was trained on other features.
        """
        self.weights = weights
        self.model = model
        self._features = RoleFeatures(appearance)
        ours, theirs = self._features.identity, model.features
        if ours != theirs:
            raise RoleError(
                f"{weights.path}: expected a role model trained on the features in use (appearance "
                f"{ours.appearance[:12]}..., {ours.colour}), got one for appearance "
                f"{theirs.appearance[:12]}..., {theirs.colour}: train it anew from its labels "
                "(lazaretto roles train)"
            )
        self._classifier = RoleClassifier(model)

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Probabilities (N, R) of ROLES of people, each an image (H x W x 3 BGR) and a box (px) in it.

        See `RoleClassifier.roles` for NaN and zeros.
        """
        return self._classifier.roles(self._features.read(people))


def clothes_visible(boxes: np.ndarray) -> np.ndarray:
    """Which of the people in a frame (N, >= 4: x1, y1, x2, y2, px) show their clothes; (N,) bool.

    Not those too small, or hidden behind a person whose box ends lower: on a floor seen from above, who
    stands nearer ends lower.
    """
    x1, y1, x2, y2 = (boxes[:, n].astype(np.float64) for n in range(4))
    wide = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    tall = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)
    covered = np.clip(wide, 0, None) * np.clip(tall, 0, None)
    covered[y2[:, None] >= y2] = 0  # by oneself, or by someone further away
    area = np.maximum((x2 - x1) * (y2 - y1), 1e-9)
    hidden = covered.max(axis=1, initial=0) / area > MOST_HIDDEN
    return np.asarray((y2 - y1 >= LEAST_HEIGHT) & ~hidden)
