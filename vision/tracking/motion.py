"""How people move and how a detector sees them: a Kalman filter over the box of a person, in seconds.

Velocity is an Ornstein-Uhlenbeck process (Uhlenbeck and Ornstein 1930; in tracking, Singer 1970): it
forgets itself within VELOCITY_S and stays within walking speed, so that a prediction over a long
occlusion grows vague at the pace at which people can walk, and no faster.

State, per person: centre x, foot y (px), their velocities (px/s), height, width (px).
A detection measures the four edges of the box. An edge may be hidden, by another person, a post, a sink
or the end of the frame: each of the `VIEWS` is a way to see a person, with its own trust in the edges.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vision.tracking.boxes import Size

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SPEED = 0.67
"""m/s, standard deviation of a person's velocity along one axis: people who walk half of the time, at
1.34 m/s (Weidmann 1993), in any direction, and stand otherwise."""
VELOCITY_S = 3.0
"""s, after which a person's velocity says little about what it will be [D]."""
EDGE_NOISE = {"left": 0.04, "right": 0.04, "top": 0.03, "bottom": 0.03}
"""Standard deviation of a detected edge, as a share of the box height. Of people 30 to 100 px high in the
network's input, in still images that the detector was not trained on (55 of 246 people), by the median
deviation: 0.042, 0.031, 0.020, 0.030."""
HIDDEN_NOISE = 0.4
"""The same for an edge that is hidden: it says next to nothing."""
GROWTH = 0.08
"""Standard deviation of the change of height within a second, as a share of it: walking towards the camera,
bending [D]."""
SWAY = 0.12
"""The same for the width."""
ROOM, LEAST_ROOM = 64.0, 16.0
"""Area in which another person may as well be, in squared heights of the person: where the frame's size is
not known, and at least."""
OTHER_SIZE = 1.36
"""Mean log density, in heights, of the size of another person at the same place: normal with a standard
deviation of 0.1 for the width and 0.15 for the height [D]."""
LOOSE = 3.0
"""Factor of the noise of a box that lies badly: on the same images, one edge in eight is off by more than
three standard deviations, so that a normal distribution alone would take such a box for another person."""
VIEWS: dict[str, tuple[tuple[str, ...], float, float]] = {
    "whole": ((), 1.0, 0.70),
    "without legs": (("bottom",), 1.0, 0.05),
    "without left": (("left",), 1.0, 0.05),
    "without right": (("right",), 1.0, 0.05),
    "badly": ((), LOOSE, 0.15),
}
"""Ways to see a person: hidden edges, factor of the noise of the others, how likely it is [D]."""

_EDGES = ("left", "right", "top", "bottom")
_MEASURES = np.array(
    [
        [1, 0, 0, 0, 0, -0.5],
        [1, 0, 0, 0, 0, 0.5],
        [0, 1, 0, 0, -1, 0],
        [0, 1, 0, 0, 0, 0],
    ]
)
_NOISE = np.array(
    [
        [HIDDEN_NOISE if edge in hidden else factor * EDGE_NOISE[edge] for edge in _EDGES]
        for hidden, factor, _ in VIEWS.values()
    ]
)
"""Standard deviation (V, 4) of each edge in each view, as a share of the height."""
_COST = -2 * np.log([likely for _, _, likely in VIEWS.values()])


def room(size: Size, tall: float) -> float:
    """Area of a frame of `size` (px) in squared heights of a person `tall` px high."""
    return max(size[0] * size[1] / tall**2, LEAST_ROOM) if size[1] else ROOM


def edges(boxes: Floats) -> Floats:
    """Boxes (N, 4) x1, y1, x2, y2 as measurements: left, right, top, bottom."""
    return boxes[:, [0, 2, 1, 3]]


def boxes(means: Floats) -> Floats:
    """States (N, 6) as boxes (N, 4) x1, y1, x2, y2."""
    return np.asarray((means @ _MEASURES.T)[:, [0, 2, 1, 3]])


def begin(box: Floats, px_per_metre: Floats) -> tuple[Floats, Floats]:
    """State (6,) and covariance (6, 6) of a person first seen in `box` (4,)."""
    x1, y1, x2, y2 = box
    tall = y2 - y1
    mean = np.array([(x1 + x2) / 2, y2, 0.0, 0.0, tall, x2 - x1])
    covariance = np.zeros((6, 6))
    covariance[0, 0] = covariance[1, 1] = (0.04 * tall) ** 2
    covariance[2:4, 2:4] = SPEED**2 * px_per_metre @ px_per_metre.T
    covariance[4, 4] = covariance[5, 5] = (0.08 * tall) ** 2
    return mean, covariance


def predict(means: Floats, covariances: Floats, dt: Floats, px_per_metre: Floats) -> tuple[Floats, Floats]:
    """States (N, 6) and covariances (N, 6, 6) after `dt` (N,) seconds."""
    keeps = np.exp(-dt / VELOCITY_S)
    carries = VELOCITY_S * (1 - keeps)
    step = np.tile(np.eye(6), (len(dt), 1, 1))
    step[:, 0, 2] = step[:, 1, 3] = carries
    step[:, 2, 2] = step[:, 3, 3] = keeps
    metric = px_per_metre @ px_per_metre.transpose(0, 2, 1) * SPEED**2
    noise = np.zeros_like(covariances)
    spread = VELOCITY_S**2 * (2 * dt / VELOCITY_S - 3 + 4 * keeps - keeps**2)
    noise[:, :2, :2] = spread[:, None, None] * metric
    noise[:, :2, 2:4] = noise[:, 2:4, :2] = (VELOCITY_S * (1 - keeps) ** 2)[:, None, None] * metric
    noise[:, 2:4, 2:4] = (1 - keeps**2)[:, None, None] * metric
    tall = means[:, 4]
    noise[:, 4, 4] = dt * (GROWTH * tall) ** 2
    noise[:, 5, 5] = dt * (SWAY * tall) ** 2
    means = np.einsum("nij,nj->ni", step, means)
    return means, step @ covariances @ step.transpose(0, 2, 1) + noise


def fit(means: Floats, covariances: Floats, seen: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """How well detections fit predictions.

    Args:
        means: (T, 6).
        covariances: (T, 6, 6).
        seen: (D, 4) boxes.

    Returns:
        Log density (T, D) of each detection under each prediction, in units of the predicted height, under
        the best view; and the number (T, D) of that view.
    """
    tall = np.maximum(means[:, 4], 1.0)
    off = (edges(seen)[None] - (means @ _MEASURES.T)[:, None]) / tall[:, None, None]  # (T, D, 4)
    spread = _MEASURES @ covariances @ _MEASURES.T / (tall**2)[:, None, None]
    costs = np.empty((len(VIEWS), len(means), len(seen)))
    for view, noise in enumerate(_NOISE):
        total = spread + np.diag(noise**2)
        distance = np.einsum("tdi,tij,tdj->td", off, np.linalg.inv(total), off)
        costs[view] = distance + np.linalg.slogdet(total)[1][:, None] + _COST[view]
    # A hidden edge makes a box smaller, never larger.
    costs[1][off[..., 3] > 0] = np.inf
    costs[2][off[..., 0] < 0] = np.inf
    costs[3][off[..., 1] > 0] = np.inf
    best = costs.argmin(axis=0)
    lowest = np.take_along_axis(costs, best[None], 0)[0]
    return -0.5 * (lowest + 4 * np.log(2 * np.pi)), best.astype(np.int64)


def correct(mean: Floats, covariance: Floats, box: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """State and covariance of a person after a detection `box` (4,), see `noise_of` for `noise` (4,)."""
    tall = max(float(mean[4]), 1.0)
    deviation = np.diag((noise * tall) ** 2)
    spread = _MEASURES @ covariance @ _MEASURES.T + deviation
    gain = np.linalg.solve(spread, _MEASURES @ covariance).T
    mean = mean + gain @ (edges(box[None])[0] - _MEASURES @ mean)
    mean[4:] = np.maximum(mean[4:], 2.0)
    kept = np.eye(6) - gain @ _MEASURES
    return mean, kept @ covariance @ kept.T + gain @ deviation @ gain.T  # Joseph form: stays positive


def noise_of(view: int, cut_off: Bools) -> Floats:
    """Standard deviation (4,) of left, right, top, bottom of a box in a view, as a share of the height.

    `cut_off` (4,): edges that lie at the edge of the frame, and say nothing.
    """
    return np.where(cut_off, HIDDEN_NOISE, _NOISE[view])
