"""The geometry of the machines, one point at a time, against that of `zones` over many."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from incidents.rules.machines.geometry import (
    crossing,
    distance_error,
    is_vague,
    line_offset,
    probability_under,
    signed_distance,
)
from tests.incidents.rules.rule_scenes import plane
from vision.ground import calibration_of
from zones import geometry

unit = st.floats(0, 1)
points = st.tuples(unit, unit)
PLANE = calibration_of(plane(0.1), 4 / 3)


@settings(max_examples=200, deadline=None)
@given(st.lists(points, min_size=3, max_size=8), points)
def test_the_distance_from_the_edge_of_a_polygon(polygon, point):
    corners = np.column_stack([np.zeros((len(polygon), 2)), np.array(polygon)])
    found = signed_distance(*point, corners, 0, len(polygon), 2)
    expected = geometry.signed_distance([point], polygon)[0]
    assert abs(found) == pytest.approx(abs(expected), abs=1e-12)
    # On the edge itself, rounding decides the side.
    assert found == pytest.approx(expected, abs=1e-12) or abs(found) < 1e-9


@settings(max_examples=200, deadline=None)
@given(points, points, points)
def test_the_offset_from_a_line(point, a, b):
    assume(math.dist(a, b) > 1e-6)
    expected = geometry.line_offset([point], a, b)[0]
    assert line_offset(*point, *a, *b) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=300, deadline=None)
@given(points, points, points, points)
def test_a_step_across_a_segment(start, end, a, b):
    assume(math.dist(a, b) > 1e-3)
    assume(all(abs(line_offset(*point, *a, *b)) > 1e-9 for point in (start, end)))
    expected = geometry.segments_cross([start], [end], a, b)[0]
    assert crossing(*start, *end, *a, *b) == expected


@settings(max_examples=200, deadline=None)
@given(points, points, st.floats(0, 0.05), st.floats(0, 0.05))
def test_the_error_of_a_distance(one, other, sigma, tau):
    def seen(point, deviation):
        image = np.array([point])
        x, y = PLANE.ground(image)[0]
        return point[0] * 4 / 3, point[1], float(x), float(y), deviation

    found = distance_error(
        np.ascontiguousarray(PLANE.homography),
        np.ascontiguousarray(PLANE.factor),
        PLANE.unexplained,
        seen(one, sigma),
        seen(other, tau),
    )
    # A deviation is equal in both directions in frame heights: less in widths.
    sigmas = [np.array([[deviation / (4 / 3), deviation]]) for deviation in (sigma, tau)]
    distances, errors = PLANE.distances([one], [other], *sigmas)
    assume(distances[0] > 1e-6)
    assert found == pytest.approx(errors[0], rel=1e-6, abs=1e-9)


def test_the_probability_that_a_distance_is_under_a_limit():
    pairs = [(2.0, 0.1), (1.9, 0.1), (2.0, 0.0), (1.0, 0.0)]
    found = [probability_under(2.0, distance, error) for distance, error in pairs]
    assert found == pytest.approx([0.5, 0.8413447, 0.0, 1.0])


def test_a_distance_is_vague_where_its_error_is_large_and_the_two_are_not_clearly_apart():
    assert not is_vague(1.0, 0.5, 2.3, 0.5)
    assert is_vague(1.0, 0.501, 2.3, 0.5)
    assert not is_vague(3.4, 0.54, 2.3, 0.5)
    assert is_vague(1.0, math.nan, 2.3, 0.5)
