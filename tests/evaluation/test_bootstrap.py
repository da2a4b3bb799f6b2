from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.bootstrap import draws, figure, per_hour, ratio, share
from incidents.intervals import Estimate

NONE = np.zeros(0)


@given(st.integers(0, 30), st.integers(1, 20), st.integers(0, 5))
def test_each_draw_has_as_many_units_as_there_are(units: int, resamples: int, seed: int) -> None:
    drawn = draws(units, resamples, seed)
    assert drawn.shape == (resamples, units)
    assert (drawn.sum(axis=1) == units).all() and (drawn >= 0).all()
    assert (drawn == draws(units, resamples, seed)).all()


def test_another_seed_draws_otherwise() -> None:
    assert (draws(20, 10, 0) != draws(20, 10, 1)).any()


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(5, 2, size=400)
    drawn = draws(400, 4000)
    found = figure(float(values.mean()), drawn @ values / 400, 400)
    error = values.std() / 20
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert found.interval == "bootstrap"


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    drawn = draws(40, 400)
    held = 0
    for _ in range(300):
        hits = rng.random(40) < 0.7
        found = share(int(hits.sum()), 40, drawn @ hits / 40, 40)
        assert found.low is not None and found.high is not None
        held += found.low <= 0.7 <= found.high
    assert 0.89 <= held / 300 <= 0.99


def test_three_of_three_is_no_proof_of_perfection() -> None:
    found = share(3, 3, np.ones(100), 3)
    assert found == Estimate(1.0, pytest.approx(0.025 ** (1 / 3)), 1.0, "exact")
    none = share(0, 3, np.zeros(100), 3)
    assert none.low == 0.0 and none.high == pytest.approx(1 - 0.025 ** (1 / 3))


def test_no_false_alarm_in_two_hours_bounds_the_rate() -> None:
    found = per_hour(0, 2.0, np.zeros(100), 60)
    # -ln(0.025) events are the most that give none with 2.5 % probability.
    assert found.value == 0.0 and found.low == 0.0
    assert found.high == pytest.approx(3.6889 / 2, abs=1e-3) and found.interval == "exact"


def test_a_few_units_give_no_bootstrap() -> None:
    assert figure(0.7, np.full(10, 0.7), 4) == Estimate(0.7)
    assert per_hour(2, 1.0, np.full(10, 2.0), 4).interval == "exact"
    assert share(1, 2, np.full(10, 0.5), 1).interval == "exact"


def test_what_is_not_known_stays_so() -> None:
    assert share(0, 0, NONE, 0) == Estimate(None)
    assert per_hour(0, 0.0, NONE, 0) == Estimate(None)
    assert figure(float("nan"), np.zeros(3), 3) == Estimate(None)
    assert figure(None, np.zeros(3), 3).to_dict() == {
        "value": None,
        "low": None,
        "high": None,
        "interval": None,
    }


def test_draws_that_are_all_alike_tell_nothing() -> None:
    assert figure(1.0, np.ones(100), 50) == Estimate(1.0)
    # One of two, both of one block: every draw that has any has both.
    assert share(1, 2, np.full(100, 0.5), 50).interval == "exact"


def test_draws_without_a_figure_are_left_out() -> None:
    found = figure(0.5, np.array([np.nan, 0.4, 0.6, np.nan]), 5)
    assert (found.low, found.high) == (pytest.approx(0.405), pytest.approx(0.595))


def test_nothing_divided_by_nothing_is_not_a_number() -> None:
    assert np.isnan(ratio(np.array([0.0]), np.array([0.0]))).all()
    assert ratio(np.array([1.0]), np.array([4.0])).tolist() == [0.25]
