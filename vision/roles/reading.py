"""Reading roles from clothes: which people show their clothes, and the role probabilities of a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.registry import Weights
from vision.roles.features import Appearance, RoleFeatures
from vision.roles.model import RoleClassifier, RoleError, RoleModel

MIN_PERSON_HEIGHT_PX = 48
"""Minimum height of a person's box whose clothes are read. Project default (docs/defaults.md)."""
MAX_HIDDEN_SHARE = 0.4
"""Maximum share of a box that the box of a person in front may cover. Project default (docs/defaults.md)."""


class RoleReader:
    """Reads roles with a facility's model, or with the general one."""

    def __init__(self, model: RoleModel, weights: Weights, appearance: Appearance) -> None:
        """Prepare a model.

        Args:
            model: the model.
            weights: the file of the model, as runs and incidents record it.
            appearance: reader of the embeddings on which the model was trained.

        Raises:
            RoleError: the model was trained on other features.
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
        """Probabilities (N, R) of ROLES of people; each is an image (H x W x 3, BGR) and a box (px) in it.

        See `RoleClassifier.roles` for NaN and zeros.
        """
        return self._classifier.roles(self._features.read(people))


def clothes_visible(boxes: np.ndarray) -> np.ndarray:
    """Which people in a frame show their clothes, as a mask (N,); boxes (N, >= 4) are x1, y1, x2, y2 in px.

    People are left out if they are too small, or hidden behind a person in front. The person in front is the
    one whose box ends lower, because a camera sees the floor from above.
    """
    x1, y1, x2, y2 = (boxes[:, n].astype(np.float64) for n in range(4))
    wide = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    tall = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)
    covered = np.clip(wide, 0, None) * np.clip(tall, 0, None)
    covered[y2[:, None] >= y2] = 0  # a person is not hidden by itself or by people further away
    area = np.maximum((x2 - x1) * (y2 - y1), 1e-9)
    hidden = covered.max(axis=1, initial=0) / area > MAX_HIDDEN_SHARE
    return np.asarray((y2 - y1 >= MIN_PERSON_HEIGHT_PX) & ~hidden)
