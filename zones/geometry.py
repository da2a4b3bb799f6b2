"""Points, polygons and directed lines in the plane, vectorised; image coordinates have y down."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def _points(value: npt.ArrayLike, name: str) -> Array:
    array = np.asarray(value, dtype=np.float64)
    if array.size == 0 and array.ndim < 2:
        array = array.reshape(0, 2)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"{name}: expected points of shape (N, 2), got {array.shape}")
    return array


def _polygon(value: npt.ArrayLike) -> Array:
    polygon = _points(value, "polygon")
    if len(polygon) < 3:
        raise ValueError(f"polygon: expected at least 3 points, got {len(polygon)}")
    return polygon


def _cross(u: Array, v: Array) -> Array:
    return np.asarray(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0], dtype=np.float64)


def area(polygon: npt.ArrayLike) -> float:
    """The area (shoelace formula) enclosed by a simple polygon (M, 2), never negative."""
    ring = _polygon(polygon)
    ring = ring - ring[0]
    return abs(float(_cross(ring, np.roll(ring, -1, axis=0)).sum())) / 2


def signed_distance(points: npt.ArrayLike, polygon: npt.ArrayLike) -> Array:
    """Distance (N,) of points (N, 2) from the edge of a polygon (M, 2): positive inside, negative outside.

    In the unit of the coordinates. Concave polygons are fine: inside follows the even-odd rule.
    A point with NaN has the distance NaN.
    """
    p = _points(points, "points")
    ring = _polygon(polygon)
    best = np.full(len(p), np.inf)
    inside = np.zeros(len(p), dtype=np.bool_)
    # The loop is over the few edges, so that memory stays proportional to the number of points.
    for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        edge = b - a
        length2 = float(edge @ edge)
        along = np.clip((p - a) @ edge / length2, 0.0, 1.0) if length2 > 0 else np.zeros(len(p))
        best = np.minimum(best, np.hypot(*(p - a - along[:, None] * edge).T))
        if a[1] != b[1]:
            # Half-open in y, so that a ray through a vertex meets exactly one of its two edges.
            spans = (a[1] <= p[:, 1]) != (b[1] <= p[:, 1])
            inside ^= spans & (p[:, 0] < a[0] + (p[:, 1] - a[1]) * (edge[0] / edge[1]))
    return np.where(inside, best, -best)


def inradius(polygon: npt.ArrayLike, precision: float = 1e-3) -> float:
    """Radius of the largest circle inside a polygon (M, 2).

    Never too large, and too small by at most `precision` of the larger side of the polygon's box.

    Squares that may still hold a better centre are quartered until none can improve the radius.
    """
    ring = _polygon(polygon)
    low, high = ring.min(axis=0), ring.max(axis=0)
    size = float((high - low).max())
    if size == 0:
        return 0.0
    half = size / 16
    steps = [np.arange(low[i] + half, high[i] + half, 2 * half) for i in (0, 1)]
    centres = np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 2)
    best = 0.0
    while len(centres):
        distance = signed_distance(centres, ring)
        best = max(best, float(distance.max()))
        # No point of a square is further from its centre than half its diagonal.
        centres = centres[distance + half * np.sqrt(2) > best + precision * size]
        half /= 2
        corners = half * np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)])
        centres = (centres[:, None, :] + corners).reshape(-1, 2)
    return best


def crossing_edges(polygon: npt.ArrayLike) -> tuple[int, int] | None:
    """The first two edges (i, j) of a polygon (M, 2) that meet where they should not; None when simple.

    Edge i runs from point i to the next. Neighbours may share their common point only, others nothing.
    """
    ring = _polygon(polygon)
    count = len(ring)
    ends = np.roll(ring, -1, axis=0)
    for i in range(count):
        a, b = ring[i], ends[i]
        if np.array_equal(a, b):
            return i, (i + 1) % count
        j = np.arange(i + 1, count)
        c, d = ring[j], ends[j]
        side_c, side_d = np.sign(_cross(b - a, c - a)), np.sign(_cross(b - a, d - a))
        side_a, side_b = np.sign(_cross(d - c, a - c)), np.sign(_cross(d - c, b - c))
        meet = (side_c * side_d < 0) & (side_a * side_b < 0)
        for point, side, start, end in (
            (c, side_c, a, b),
            (d, side_d, a, b),
            (a, side_a, c, d),
            (b, side_b, c, d),
        ):
            meet |= (side == 0) & _between(point, start, end)
        following, closing = j == i + 1, (j == count - 1) & (i == 0)
        # Neighbours always meet in the shared point; they are at fault only where one turns straight back.
        meet[following] = [_folds(a, b, ends[k]) for k in j[following]]
        meet[closing] = [_folds(ring[k], a, b) for k in j[closing]]
        if meet.any():
            return i, int(j[np.argmax(meet)])
    return None


def _between(point: Array, start: Array, end: Array) -> npt.NDArray[np.bool_]:
    low, high = np.minimum(start, end), np.maximum(start, end)
    return np.asarray(((point >= low) & (point <= high)).all(axis=-1), dtype=np.bool_)


def _folds(a: Array, b: Array, c: Array) -> bool:
    return bool(_cross(b - a, c - b) == 0 and (b - a) @ (c - b) < 0)


def is_simple(polygon: npt.ArrayLike) -> bool:
    """Whether no edge of a polygon (M, 2) crosses or touches another beyond the corners they share."""
    return crossing_edges(polygon) is None


def extents(points: npt.ArrayLike) -> tuple[float, float]:
    """The longest and shortest extent of points (N, 2): root sums of squares about their mean, by direction.

    The second is 0 exactly when all points lie on one line.
    """
    p = _points(points, "points")
    if len(p) < 2:
        return 0.0, 0.0
    longest, shortest = np.linalg.svd(p - p.mean(axis=0), compute_uv=False)
    return float(longest), float(shortest)


def spread(points: npt.ArrayLike) -> float:
    """How well points (N, 2) determine a homography: 0 when all but one of them lie on one line.

    The least, over every set with one point left out, of the ratio of its shortest to its longest extent.
    """
    p = _points(points, "points")
    if len(p) < 4:
        return 0.0
    rests = [extents(np.delete(p, i, axis=0)) for i in range(len(p))]
    return min(shortest / longest if longest > 0 else 0.0 for longest, shortest in rests)


def line_offset(points: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike) -> Array:
    """Signed distance (N,) of points (N, 2) from the infinite line through a and b.

    Positive to the right of the direction from a to b, as seen in the image (y down).
    """
    p = _points(points, "points")
    start, edge = _direction(a, b)
    return _cross(np.broadcast_to(edge, p.shape), p - start) / float(np.hypot(*edge))


def _direction(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Array, Array]:
    start, end = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if start.shape != (2,) or end.shape != (2,) or np.array_equal(start, end):
        raise ValueError(
            f"line: expected two distinct points of shape (2,), got {start.tolist()} and {end.tolist()}"
        )
    return start, end - start


def segments_cross(
    p0: npt.ArrayLike, p1: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike
) -> npt.NDArray[np.int8]:
    """For each step p0 -> p1 (N, 2): +1 where it crosses a-b from left to right, -1 right to left, else 0.

    Left and right are those of the direction from a to b, as seen in the image (y down). A point exactly
    on the line counts as left of it: a path with a vertex on the line crosses it once, moving along the line
    is no crossing, a step from the left that ends on the line is none yet. Of the ends, a belongs to the line
    and b does not, so that of two lines drawn end to end a path through the joint crosses one. NaN gives 0.
    """
    start, edge = _direction(a, b)
    before, after = _points(p0, "p0"), _points(p1, "p1")
    if before.shape != after.shape:
        raise ValueError(f"p1: expected the shape of p0 {before.shape}, got {after.shape}")
    with np.errstate(invalid="ignore"):
        d0, d1 = line_offset(before, a, b), line_offset(after, a, b)
    # A step from or to an unknown position crosses nothing.
    rows = np.flatnonzero(((d0 > 0) != (d1 > 0)) & ~np.isnan(d0) & ~np.isnan(d1))
    d0, d1, before = d0[rows], d1[rows], before[rows]
    meeting = before + (d0 / (d0 - d1))[:, None] * (after[rows] - before)
    along = (meeting - start) @ edge / float(edge @ edge)
    within = (along >= 0) & (along < 1)
    result = np.zeros(len(after), dtype=np.int8)
    result[rows[within]] = np.where(d1[within] > 0, 1, -1)
    return result
