"""Calibration of probabilities: of faces called masked with probability 0.8, eight in ten are masked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Scaling:
    """Scaling of logits that calibrates them: logits / temperature + shift.

    Attributes:
        temperature: above 1 where the network is overconfident.
        shift: (C,) by class; compensates that rare classes are drawn more often than they occur.
    """

    temperature: float
    shift: Floats

    def __call__(self, logits: Floats) -> Floats:
        """Calibrated probabilities (N, C) of logits (N, C)."""
        return np.asarray(softmax(logits / self.temperature + self.shift, axis=1))


def fit(logits: Floats, labels: Labels) -> Scaling:
    """The scaling that makes the labels likeliest (Guo et al. 2017: one temperature, and a shift by class).

    Classes without labels keep the shift of the rarest class that has labels.

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


def calibration_error(probabilities: Floats, labels: Labels, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015): mean gap of confidence and accuracy, equal bins.

    Args:
        probabilities: (N, C), rows sum to 1.
        labels: (N,).
        bins: of the confidence of the likeliest class.
    """
    confidence, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = 0.0
    for number in range(bins):
        rows = bin_of == number
        if rows.any():
            gap += rows.mean() * abs(
                float((predicted == labels)[rows].mean()) - float(confidence[rows].mean())
            )
    return float(gap)


def fold(model: Any, scaling: Scaling) -> None:
    """Change the last layer of an ultralytics classifier so that its softmax comes out calibrated."""
    import torch

    last = model.model[-1].linear
    with torch.no_grad():
        last.weight.div_(scaling.temperature)
        last.bias.div_(scaling.temperature).add_(torch.tensor(scaling.shift, dtype=last.bias.dtype))
