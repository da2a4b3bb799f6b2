"""Points, polygons, lines and the error of distances, one point at a time.

The formulas are those of `zones.geometry` and `zones.calibration.plane`, with which tests compare them. Taken
one by one, points give the same result in every chunk; a matrix product of many may round differently.
"""

from __future__ import annotations

import math

from incidents.rules.compiling import compiled
from incidents.rules.machines.plan import Floats


@compiled
def signed_distance(x: float, y: float, corners: Floats, low: int, high: int, column: int) -> float:
    """Distance of a point from the edge of the polygon corners[low:high]: positive inside.

    x of the corners is in `column`, y in the next one.
    """
    best = math.inf
    inside = False
    for k in range(low, high):
        ax, ay = corners[k, column], corners[k, column + 1]
        n = k + 1 if k + 1 < high else low
        bx, by = corners[n, column], corners[n, column + 1]
        ex, ey = bx - ax, by - ay
        length = ex * ex + ey * ey
        along = 0.0
        if length > 0:
            along = min(1.0, max(0.0, ((x - ax) * ex + (y - ay) * ey) / length))
        distance = math.hypot(x - ax - along * ex, y - ay - along * ey)
        if not distance >= best:
            best = distance
        if ay != by and (ay <= y) != (by <= y) and x < ax + (y - ay) * (ex / ey):
            inside = not inside
    return best if inside else -best


@compiled
def line_offset(x: float, y: float, ax: float, ay: float, bx: float, by: float) -> float:
    """Signed distance of a point from the line through a and b: positive to the right, in the image."""
    ex, ey = bx - ax, by - ay
    return (ex * (y - ay) - ey * (x - ax)) / math.hypot(ex, ey)


@compiled
def crossing(x0: float, y0: float, x1: float, y1: float, ax: float, ay: float, bx: float, by: float) -> int:
    """+1 where the step from point 0 to point 1 crosses the segment a-b from left to right, -1 the other way,
    else 0; see `zones.geometry.segments_cross`."""
    d0, d1 = line_offset(x0, y0, ax, ay, bx, by), line_offset(x1, y1, ax, ay, bx, by)
    if math.isnan(d0) or math.isnan(d1) or (d0 > 0) == (d1 > 0):
        return 0
    share = d0 / (d0 - d1)
    mx, my = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
    ex, ey = bx - ax, by - ay
    along = ((mx - ax) * ex + (my - ay) * ey) / (ex * ex + ey * ey)
    if not 0 <= along < 1:
        return 0
    return 1 if d1 > 0 else -1


@compiled
def distance_error(
    homography: Floats,
    factor: Floats,
    unexplained: float,
    one: tuple[float, float, float, float, float],
    other: tuple[float, float, float, float, float],
) -> float:
    """Standard error, m, of the distance between two people; see `Calibration.distances`.

    Each is (x * aspect, y, ground x, ground y, deviation of both image coordinates in frame heights).
    """
    h = homography
    px, py, gx, gy, sigma = one
    qx, qy, hx, hy, tau = other
    scale_p = px * h[2, 0] + py * h[2, 1] + h[2, 2]
    scale_q = qx * h[2, 0] + qy * h[2, 1] + h[2, 2]
    dx, dy = hx - gx, hy - gy
    distance = math.hypot(dx, dy)
    ux, uy = 0.0, 0.0
    if distance > 0:
        ux, uy = dx / distance, dy / distance
    along, every = 0.0, 0.0
    for axis in range(2):
        mx = (h[0, axis] - gx * h[2, axis]) / scale_p * sigma
        my = (h[1, axis] - gy * h[2, axis]) / scale_p * sigma
        nx = (h[0, axis] - hx * h[2, axis]) / scale_q * tau
        ny = (h[1, axis] - hy * h[2, axis]) / scale_q * tau
        along += (ux * mx + uy * my) ** 2 + (ux * nx + uy * ny) ** 2
        every += mx * mx + my * my + nx * nx + ny * ny
    for k in range(factor.shape[1]):
        p2 = px * factor[6, k] + py * factor[7, k] + factor[8, k]
        q2 = qx * factor[6, k] + qy * factor[7, k] + factor[8, k]
        sx = (qx * factor[0, k] + qy * factor[1, k] + factor[2, k] - hx * q2) / scale_q
        sx -= (px * factor[0, k] + py * factor[1, k] + factor[2, k] - gx * p2) / scale_p
        sy = (qx * factor[3, k] + qy * factor[4, k] + factor[5, k] - hy * q2) / scale_q
        sy -= (px * factor[3, k] + py * factor[4, k] + factor[5, k] - gy * p2) / scale_p
        along += (ux * sx + uy * sy) ** 2
        every += sx * sx + sy * sy
    square = along if distance > 0 else every / 2
    return math.sqrt(square + unexplained * unexplained)


@compiled
def probability_under(limit: float, distance: float, error: float) -> float:
    """Probability that the true distance is under a limit, for normal errors."""
    if not error > 0:
        return 1.0 if distance < limit else 0.0
    return 0.5 * math.erfc((distance - limit) / error / math.sqrt(2.0))


@compiled
def is_vague(distance: float, error: float, apart: float, limit: float) -> bool:
    """Whether a distance is not assessable: an error over `limit`, and not over `apart` by two errors."""
    return not error <= limit and not distance - 2 * error > apart
