from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.bootstrap import (
    bootstrap_estimate,
    rate_estimate,
    resample_counts,
    safe_ratio,
    share_estimate,
)
from incidents.intervals import Estimate

NONE = np.zeros(0)


@given(st.integers(0, 30), st.integers(1, 20), st.integers(0, 5))
def test_each_resample_has_as_many_units_as_the_data(units: int, resamples: int, seed: int) -> None:
    resampled = resample_counts(units, resamples, seed)
    assert resampled.shape == (resamples, units)
    assert (resampled.sum(axis=1) == units).all() and (resampled >= 0).all()
    assert (resampled == resample_counts(units, resamples, seed)).all()


def test_another_seed_gives_other_resamples() -> None:
    assert (resample_counts(20, 10, 0) != resample_counts(20, 10, 1)).any()


def test_the_interval_of_a_mean_agrees_with_theory() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(5, 2, size=400)
    resampled = resample_counts(400, 4000)
    found = bootstrap_estimate(float(values.mean()), resampled @ values / 400, 400)
    error = values.std() / 20
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert found.interval == "bootstrap"


def test_intervals_cover_the_truth_at_about_their_level() -> None:
    rng = np.random.default_rng(2)
    resampled = resample_counts(40, 400)
    held = 0
    for _ in range(300):
        hits = rng.random(40) < 0.7
        found = share_estimate(int(hits.sum()), 40, resampled @ hits / 40, 40)
        assert found.low is not None and found.high is not None
        held += found.low <= 0.7 <= found.high
    assert 0.89 <= held / 300 <= 0.99


def test_three_of_three_has_an_exact_interval_below_one() -> None:
    found = share_estimate(3, 3, np.ones(100), 3)
    assert found == Estimate(1.0, pytest.approx(0.025 ** (1 / 3)), 1.0, "exact")
    none = share_estimate(0, 3, np.zeros(100), 3)
    assert none.low == 0.0 and none.high == pytest.approx(1 - 0.025 ** (1 / 3))


def test_no_false_alarm_in_two_hours_bounds_the_rate() -> None:
    found = rate_estimate(0, 2.0, np.zeros(100), 60)
    # -ln(0.025) events are the most that give none with 2.5 % probability.
    assert found.value == 0.0 and found.low == 0.0
    assert found.high == pytest.approx(3.6889 / 2, abs=1e-3) and found.interval == "exact"


def test_few_units_give_no_bootstrap_interval() -> None:
    assert bootstrap_estimate(0.7, np.full(10, 0.7), 4) == Estimate(0.7)
    assert rate_estimate(2, 1.0, np.full(10, 2.0), 4).interval == "exact"
    assert share_estimate(1, 2, np.full(10, 0.5), 1).interval == "exact"


def test_an_undefined_value_has_no_estimate() -> None:
    assert share_estimate(0, 0, NONE, 0) == Estimate(None)
    assert rate_estimate(0, 0.0, NONE, 0) == Estimate(None)
    assert bootstrap_estimate(float("nan"), np.zeros(3), 3) == Estimate(None)
    assert bootstrap_estimate(None, np.zeros(3), 3).to_dict() == {
        "value": None,
        "low": None,
        "high": None,
        "interval": None,
    }


def test_resamples_that_are_all_alike_give_no_interval() -> None:
    assert bootstrap_estimate(1.0, np.ones(100), 50) == Estimate(1.0)
    # One of two, both in one block: every resample that has the block has both.
    assert share_estimate(1, 2, np.full(100, 0.5), 50).interval == "exact"


def test_resamples_without_a_value_are_left_out() -> None:
    found = bootstrap_estimate(0.5, np.array([np.nan, 0.4, 0.6, np.nan]), 5)
    assert (found.low, found.high) == (pytest.approx(0.405), pytest.approx(0.595))


def test_a_ratio_over_zero_is_not_a_number() -> None:
    assert np.isnan(safe_ratio(np.array([0.0]), np.array([0.0]))).all()
    assert safe_ratio(np.array([1.0]), np.array([4.0])).tolist() == [0.25]
