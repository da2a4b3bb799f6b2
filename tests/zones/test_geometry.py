"""Polygons and directed lines, against OpenCV and against what their docstrings promise."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from zones.geometry import (
    area,
    crossing_edges,
    extents,
    inradius,
    is_simple,
    line_offset,
    segments_cross,
    signed_distance,
    spread,
)

Array = npt.NDArray[np.float64]

SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]
ELL = [(0, 0), (4, 0), (4, 1), (1, 1), (1, 4), (0, 4)]


@st.composite
def star_polygons(draw: st.DrawFn) -> Array:
    """Simple, mostly concave polygons: corners at rising angles round (50, 50), at any distance from it."""
    count = draw(st.integers(3, 12))
    steps = np.array(draw(st.lists(st.floats(0.2, 1), min_size=count, max_size=count)))
    radii = np.array(draw(st.lists(st.floats(5, 45), min_size=count, max_size=count)))
    angles = np.cumsum(steps) / steps.sum() * 2 * np.pi
    # OpenCV reads single precision.
    corners = 50 + radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    polygon: Array = corners.astype(np.float32).astype(np.float64)
    return polygon[::-1] if draw(st.booleans()) else polygon


@settings(max_examples=100, deadline=None)
@given(
    star_polygons(), st.lists(st.tuples(st.floats(0, 100, width=32), st.floats(0, 100, width=32)), min_size=1)
)
def test_signed_distance_agrees_with_opencv(polygon: Array, points: list[tuple[float, float]]) -> None:
    found = signed_distance(points, polygon)
    contour = polygon.astype(np.float32)[:, None]
    for point, distance in zip(points, found, strict=True):
        reference = cv2.pointPolygonTest(contour, point, True)
        if abs(reference) < 1e-3:  # on the edge, rounding decides the sign
            assert abs(distance) < 2e-3
        else:
            assert distance == pytest.approx(reference, abs=1e-3)


def test_signed_distance_of_a_concave_polygon_by_hand() -> None:
    points = [(0.5, 0.5), (2, 2), (3, 0.5), (-3, -4), (0, 2), (1, 1), (np.nan, 1)]
    expected = [0.5, -1, 0.5, -5, 0, 0, np.nan]
    assert signed_distance(points, ELL) == pytest.approx(expected, nan_ok=True)


def test_a_ray_through_a_corner_does_not_turn_inside_out() -> None:
    diamond = [(0, -1), (1, 0), (0, 1), (-1, 0)]
    found = signed_distance([(-2, 0), (0, 0), (2, 0), (-1, -1), (-1, 1)], diamond)
    assert np.sign(found).tolist() == [-1, 1, -1, -1, -1]


def test_a_repeated_corner_changes_nothing() -> None:
    assert signed_distance([(1, 1)], [*SQUARE, (0, 4)]).tolist() == [1]


def test_shapes_are_checked() -> None:
    assert signed_distance(np.empty((0, 2)), SQUARE).shape == (0,)
    assert signed_distance([], SQUARE).shape == (0,)
    with pytest.raises(ValueError, match=r"points: expected points of shape \(N, 2\), got \(3,\)"):
        signed_distance([1, 2, 3], SQUARE)
    with pytest.raises(ValueError, match="polygon: expected at least 3 points, got 2"):
        signed_distance([(1, 2)], SQUARE[:2])


def test_area() -> None:
    assert area(SQUARE) == area(SQUARE[::-1]) == 16
    assert area(ELL) == 7
    assert area([(0, 0), (1, 1), (2, 2)]) == 0


def test_inradius_of_known_shapes() -> None:
    assert inradius(SQUARE) == pytest.approx(2, abs=4e-3)
    assert inradius([(0, 0), (3, 0), (0, 4)]) == pytest.approx(1, abs=4e-3)
    # The circle in the corner of the L touches both outer sides and the inner corner.
    assert inradius(ELL) == pytest.approx(2 - np.sqrt(2), abs=4e-3)
    assert inradius([(0, 0), (100, 0), (100, 1), (0, 1)], precision=1e-5) == pytest.approx(0.5, abs=1e-3)
    assert inradius([(1, 1), (1, 1), (1, 1)]) == 0


@settings(max_examples=30, deadline=None)
@given(star_polygons())
def test_no_point_is_deeper_than_the_inradius(polygon: Array) -> None:
    grid = np.stack(np.meshgrid(np.linspace(0, 100, 60), np.linspace(0, 100, 60)), axis=-1).reshape(-1, 2)
    deepest = signed_distance(grid, polygon).max()
    found = inradius(polygon)
    assert found >= deepest - 0.1
    assert found <= max(deepest, 0) + 100 / 60


@pytest.mark.parametrize(
    ("polygon", "edges"),
    [
        (SQUARE, None),
        (ELL, None),
        ([(0, 0), (2, 0), (1, 1)], None),
        ([(0, 0), (1, 0), (2, 0), (2, 2)], None),
        ([(0, 0), (4, 4), (4, 0), (0, 4)], (0, 2)),
        ([(0, 0), (4, 0), (4, 4), (2, 0), (0, 4)], (0, 2)),
        ([(0, 0), (4, 0), (2, 0), (2, 3)], (0, 1)),
        ([(0, 0), (0, 0), (4, 0), (4, 4)], (0, 1)),
        ([(0, 0), (2, 2), (4, 0), (4, 4), (2, 2), (0, 4)], (0, 3)),
        ([(2, 0), (4, 0), (4, 4), (0, 0)], None),
        ([(1, 0), (4, 4), (3, 0), (0, 0), (2, 0)], (0, 2)),
    ],
)
def test_polygons_that_meet_themselves(
    polygon: list[tuple[float, float]], edges: tuple[int, int] | None
) -> None:
    found = crossing_edges(polygon)
    assert (found is None) == (edges is None) == is_simple(polygon)
    if edges is not None:
        assert found == edges


@settings(max_examples=60, deadline=None)
@given(star_polygons(), st.data())
def test_swapping_two_corners_of_a_simple_polygon_is_noticed(polygon: Array, data: st.DataObject) -> None:
    assert is_simple(polygon)
    # Of a convex polygon with four corners or more, exchanging neighbours always makes a bow.
    count = data.draw(st.integers(4, 10))
    angles = np.arange(count) / count * 2 * np.pi
    convex = np.column_stack([np.cos(angles), np.sin(angles)])
    i = data.draw(st.integers(0, count - 1))
    convex[[i, (i + 1) % count]] = convex[[(i + 1) % count, i]]
    assert not is_simple(convex)


def test_spread_is_none_when_all_but_one_lie_on_a_line() -> None:
    assert spread([(0, 0), (1, 1), (2, 2), (0, 1)]) == pytest.approx(0, abs=1e-12)
    assert spread([(0, 0), (1, 1), (2, 2), (3, 3), (0, 1)]) == pytest.approx(0, abs=1e-12)
    assert spread([(0, 0), (0, 0), (1, 1), (0, 1)]) == pytest.approx(0, abs=1e-12)
    assert spread([(0, 0)] * 4) == 0
    assert spread(SQUARE[:3]) == 0
    assert spread(SQUARE) > 0.5


def test_extents() -> None:
    assert extents(SQUARE) == pytest.approx((4, 4))
    assert extents([(0, 0), (3, 4)]) == pytest.approx((12.5**0.5, 0), abs=1e-12)
    assert extents([(5, 5)]) == (0, 0)


def test_right_is_the_right_hand_as_seen_in_the_image() -> None:
    # Walking to the right of the image, whose y points down, the lower half is on the right hand.
    assert line_offset([(5, 3), (5, -2), (-50, 1), (0, 0)], (0, 0), (10, 0)).tolist() == [3, -2, 1, 0]
    # Walking up the image, its right half is.
    assert line_offset([(4, 5)], (1, 9), (1, 0)).tolist() == [3]
    with pytest.raises(ValueError, match="line: expected two distinct points"):
        line_offset([(1, 1)], (2, 2), (2, 2))


A, B = (0.0, 0.0), (10.0, 0.0)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((5, -1), (5, 1), 1),
        ((5, 1), (5, -1), -1),
        ((5, 1), (6, 2), 0),
        ((11, -1), (11, 1), 0),
        ((-1, -1), (-1, 1), 0),
        ((9, -1), (13, 1), 0),
        # On the line counts as left of it.
        ((5, -1), (5, 0), 0),
        ((5, 0), (5, 1), 1),
        ((5, 1), (5, 0), -1),
        ((5, 0), (5, -1), 0),
        # Along the line, wholly or in part.
        ((2, 0), (7, 0), 0),
        ((-5, 0), (15, 0), 0),
        # Through the ends: a belongs to the line, b does not.
        ((0, -1), (0, 1), 1),
        ((-1, 1), (1, -1), -1),
        ((10, -1), (10, 1), 0),
        ((5, 5), (5, 5), 0),
        ((np.nan, -1), (5, 1), 0),
        ((5, -1), (np.inf, 1), 0),
    ],
)
def test_what_counts_as_a_crossing(
    start: tuple[float, float], end: tuple[float, float], expected: int
) -> None:
    found = segments_cross([start], [end], A, B)
    assert found.dtype == np.int8
    assert found.tolist() == [expected]


def test_a_path_with_a_vertex_on_the_line_crosses_once() -> None:
    path = np.array([(5, -2), (5, 0), (6, 0), (6, 2), (7, 0), (7, -2)])
    assert segments_cross(path[:-1], path[1:], A, B).tolist() == [0, 0, 1, -1, 0]


def test_of_two_lines_end_to_end_a_path_through_the_joint_crosses_one() -> None:
    first = segments_cross([(10, -1)], [(10, 1)], A, B)
    second = segments_cross([(10, -1)], [(10, 1)], B, (20, 0))
    assert (first + second).tolist() == [1]


coordinate = st.integers(-8, 8).map(float)
coordinates = st.tuples(coordinate, coordinate)


@settings(max_examples=150, deadline=None)
@given(st.lists(coordinates, min_size=2, max_size=30), coordinates, coordinates)
def test_crossings_follow_the_sides_and_reverse_with_the_line(
    path: list[tuple[float, float]], a: tuple[float, float], b: tuple[float, float]
) -> None:
    assume(a != b)
    p = np.array(path)
    found = segments_cross(p[:-1], p[1:], a, b)
    right = line_offset(p, a, b) > 0
    change = right[1:].astype(int) - right[:-1].astype(int)
    assert ((found == 0) | (found == change)).all()
    # A line that goes on far beyond the path is crossed exactly as often as the sides change.
    direction = np.array(b) - np.array(a)
    far = segments_cross(p[:-1], p[1:], a - 1000 * direction, a + 1000 * direction)
    off = line_offset(p, a - 1000 * direction, a + 1000 * direction)
    if (np.abs(off) > 1e-9).all():
        assert far.tolist() == change.tolist()
        turned = segments_cross(p[:-1], p[1:], b, a)
        ends = np.abs(line_offset([a, b], p[0], p[1])).min() if (p[0] != p[1]).any() else 1
        if len(p) == 2 and ends > 1e-9:
            assert turned.tolist() == (-found).tolist()


def test_paths_must_match() -> None:
    with pytest.raises(ValueError, match=r"p1: expected the shape of p0 \(2, 2\), got \(1, 2\)"):
        segments_cross([(0, 0), (1, 1)], [(0, 0)], A, B)
    assert segments_cross(np.empty((0, 2)), np.empty((0, 2)), A, B).shape == (0,)
