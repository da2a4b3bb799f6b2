"""Pairs at the same instant, against comparing everybody with everybody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_scenes import Person, samples_of, scene, stay

from incidents.rules.pairs import Pairs, metric_rows, near_pairs
from incidents.rules.samples import ROLES
from zones.facility import Role

ANY = np.ones((len(ROLES), len(ROLES)), dtype=bool)
spots = st.tuples(st.integers(0, 6), st.integers(2, 8), st.integers(3, 7), st.sampled_from(list(Role)))


@settings(max_examples=40, deadline=None)
@given(st.lists(spots, max_size=9))
def test_near_pairs_are_those_of_a_plain_comparison(people):
    samples = samples_of(
        [stay(i, x, y, start / 2, 3, role=role) for i, (start, x, y, role) in enumerate(people)], scene(), 2.0
    )
    eligible = samples.role != ROLES.index(Role.UNKNOWN)
    wanted = ANY.copy()
    wanted[0, 0] = False
    found = near_pairs(samples, scene().cameras[0], eligible, wanted, 2.5)
    expected = {
        (a, b)
        for a in range(len(samples))
        for b in range(a + 1, len(samples))
        if samples.t[a] == samples.t[b] and eligible[a] and eligible[b]
        and wanted[samples.role[a], samples.role[b]]
        and np.hypot(*(samples.ground[a] - samples.ground[b])) < 2.5
    }  # fmt: skip
    assert set(zip(found.a.tolist(), found.b.tolist(), strict=True)) == expected
    assert len(found) == len(expected)


def test_people_without_a_ground_position_make_no_pair():
    bare = scene(calibrated=False)
    samples = samples_of([stay(1, 6, 6, 0, 1), stay(2, 7, 6, 0, 1)], bare)
    assert len(near_pairs(samples, bare.cameras[0], np.ones(len(samples), bool), ANY, 5.0)) == 0


def test_the_probability_that_a_distance_is_under_a_limit():
    none = np.zeros(4, dtype=np.int64)
    pairs = Pairs(none, none, np.array([2.0, 1.9, 2.0, 1.0]), np.array([0.1, 0.1, 0.0, 0.0]))
    assert pairs.probability_under(2.0) == pytest.approx([0.5, 0.8413447, 0.0, 1.0])


def test_a_reason_is_given_where_distances_cannot_be_measured():
    samples = samples_of([Person(1, [(0, 6, 6), (1, 6, 6)])], scene())
    good, reason = metric_rows(samples, scene().cameras[0], scene().rules.contact)
    assert good.all() and reason is None
    good, reason = metric_rows(samples, scene(calibrated=False).cameras[0], scene().rules.contact)
    assert not good.any() and reason == "no calibration points"
