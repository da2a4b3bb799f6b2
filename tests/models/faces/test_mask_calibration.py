from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from models.faces.calibration import calibration_error, fit


def drawn(seed: int, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits of four classes and labels drawn from the probabilities that they stand for."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, 4))
    labels = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return logits, labels


@settings(max_examples=8, deadline=None)
@given(st.floats(0.4, 3.0), st.lists(st.floats(-2, 2), min_size=4, max_size=4), st.integers(0, 100))
def test_the_scaling_that_distorted_the_logits_is_recovered(
    temperature: float, shift: list[float], seed: int
) -> None:
    logits, labels = drawn(seed)
    spoilt = (logits - np.array(shift)) * temperature
    scaling = fit(spoilt, labels)
    assert scaling.temperature == pytest.approx(temperature, rel=0.08)
    # Only differences between classes matter.
    found, true = scaling.shift - scaling.shift[0], np.array(shift) - shift[0]
    assert found == pytest.approx(true, abs=0.15)
    assert calibration_error(scaling(spoilt), labels) < 0.02


def test_a_class_without_labels_keeps_the_shift_of_the_rarest() -> None:
    logits, labels = drawn(0)
    seen = labels < 3
    scaling = fit(logits[seen], labels[seen])
    rarest = np.bincount(labels[seen]).argmin()
    assert scaling.shift[3] == scaling.shift[rarest] == 0


def test_true_probabilities_have_no_calibration_error_and_overconfident_ones_have() -> None:
    logits, labels = drawn(0)
    assert calibration_error(softmax(logits, axis=1), labels) < 0.012
    assert calibration_error(softmax(3 * logits, axis=1), labels) > 0.1
    assert calibration_error(np.eye(4)[labels], labels) == 0
