"""Probabilities that mean what they say: of faces called masked with 0.8, eight in ten are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Scaling:
    """What turns logits into calibrated ones: logits / temperature + shift.

    Attributes:
        temperature: above 1 where the network is too sure of itself.
        shift: (C,) by class: undoes that rare classes were drawn more often than they occur.
    """

    temperature: float
    shift: Floats

    def __call__(self, logits: Floats) -> Floats:
        """Calibrated probabilities (N, C) of logits (N, C)."""
        return softmax(logits / self.temperature + self.shift)


def fit(logits: Floats, labels: Labels) -> Scaling:
    """The scaling that makes the labels likeliest (Guo et al. 2017: one temperature, and a shift by class).

    Classes of which no label speaks keep the shift of the rarest class that has labels.

    Args:
        logits: (N, C).
        labels: (N,), of at least one class.
    """
    counts = np.bincount(labels, minlength=logits.shape[1])
    present = np.flatnonzero(counts)
    free = present[np.argsort(-counts[present], kind="stable")][:-1]  # the rarest is the reference

    def scaling(parameters: Floats) -> Scaling:
        shift = np.zeros(logits.shape[1])
        shift[free] = parameters[1:]
        return Scaling(float(np.exp(parameters[0])), shift)

    def loss(parameters: Floats) -> float:
        chosen = scaling(parameters)(logits)[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(chosen, 1e-300)).mean())

    return scaling(minimize(loss, np.zeros(1 + len(free)), method="BFGS").x)


def softmax(logits: Floats) -> Floats:
    """Shares (N, C), rows sum to 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def calibration_error(probabilities: Floats, labels: Labels, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015): mean gap of confidence and accuracy, equal bins.

    Args:
        probabilities: (N, C), rows sum to 1.
        labels: (N,).
        bins: of the confidence of the likeliest class.
    """
    confidence, said = probabilities.max(axis=1), probabilities.argmax(axis=1)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = 0.0
    for number in range(bins):
        rows = place == number
        if rows.any():
            gap += rows.mean() * abs(float((said == labels)[rows].mean()) - float(confidence[rows].mean()))
    return float(gap)


def fold(model: Any, scaling: Scaling) -> None:
    """Change the last layer of an ultralytics classifier so that its softmax comes out calibrated."""
    import torch

    last = model.model[-1].linear
    with torch.no_grad():
        last.weight.div_(scaling.temperature)
        last.bias.div_(scaling.temperature).add_(torch.tensor(scaling.shift, dtype=last.bias.dtype))
