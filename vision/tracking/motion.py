"""Motion of people and the errors of their detections: a Kalman filter over a person's box, in seconds.

Velocity is an Ornstein-Uhlenbeck process (Uhlenbeck and Ornstein 1930; in tracking, Singer 1970): it decays
within VELOCITY_MEMORY_S and its standard deviation is that of walking people. So the uncertainty of a
prediction over a long occlusion grows as fast as people can walk, and no faster.

State of a person: centre x, foot y (px), their velocities (px/s), height, width (px).
A detection measures the four edges of the box. An edge may be hidden, by another person, a post, a sink or
the end of the frame. Each of the VISIBILITIES is a set of hidden edges, with the noise of the others.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vision.tracking.boxes import Size

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SPEED_SD = 0.67
"""Standard deviation of a person's velocity along one axis, m/s: people who walk half of the time, at 1.34
m/s (Weidmann 1993) in any direction, and stand otherwise."""
VELOCITY_MEMORY_S = 3.0
"""Time constant with which a person's velocity decays, s. Project default (docs/defaults.md)."""
EDGE_NOISE = {"left": 0.04, "right": 0.04, "top": 0.03, "bottom": 0.03}
"""Standard deviation of a detected edge, as a share of the box height. Measured as the median deviation on
people 30 to 100 px high in the network's input, in still images that the detector was not trained on (55 of
246 people): 0.042, 0.031, 0.020, 0.030."""
HIDDEN_EDGE_NOISE = 0.4
"""The same for a hidden edge, which carries almost no information."""
HEIGHT_CHANGE = 0.08
"""Standard deviation of the change of height within a second, as a share of the height: from walking towards
the camera and from bending. Project default (docs/defaults.md)."""
WIDTH_CHANGE = 0.12
"""Standard deviation of the change of width within a second, as a share of the height.
Project default (docs/defaults.md)."""
UNKNOWN_FRAME_AREA, MIN_FRAME_AREA = 64.0, 16.0
"""Area in which another person may stand, in squared heights of the person: where the size of the frame is
not known, and the least."""
OTHER_SIZE_LOG_DENSITY = 1.36
"""Mean log density, in heights, of the box size of another person at the same place: normal, with a standard
deviation of 0.1 for the width and 0.15 for the height. Project default (docs/defaults.md)."""
INEXACT_BOX_FACTOR = 3.0
"""Factor of the edge noise of an inexact box. On the images of EDGE_NOISE, one edge in eight is off by more
than three standard deviations; a normal distribution alone would assign such a box to another person."""
VISIBILITIES: dict[str, tuple[tuple[str, ...], float, float]] = {
    "whole": ((), 1.0, 0.70),
    "without legs": (("bottom",), 1.0, 0.05),
    "without left": (("left",), 1.0, 0.05),
    "without right": (("right",), 1.0, 0.05),
    "inexact": ((), INEXACT_BOX_FACTOR, 0.15),
}
"""Hidden edges, noise factor of the other edges, prior probability. Project default (docs/defaults.md)."""
MIN_SIZE_PX = 2.0
"""Least height and width of a state, px."""

_EDGES = ("left", "right", "top", "bottom")
_MEASURES = np.array(
    [
        [1, 0, 0, 0, 0, -0.5],
        [1, 0, 0, 0, 0, 0.5],
        [0, 1, 0, 0, -1, 0],
        [0, 1, 0, 0, 0, 0],
    ]
)
"""Measurement matrix: the four edges of a state's box."""
_NOISE = np.array(
    [
        [HIDDEN_EDGE_NOISE if edge in hidden else factor * EDGE_NOISE[edge] for edge in _EDGES]
        for hidden, factor, _ in VISIBILITIES.values()
    ]
)
"""Standard deviation (V, 4) of each edge in each visibility, as a share of the height."""
_VARIANCE = np.array([np.diag(noise**2) for noise in _NOISE])
"""Covariance (V, 4, 4) of the edges in each visibility, in squared heights."""
_PRIOR_COST = -2 * np.log([prior for _, _, prior in VISIBILITIES.values()])


def frame_area(size: Size, height: float) -> float:
    """Area of a frame of `size` (px) in squared heights of a person `height` px high."""
    return max(size[0] * size[1] / height**2, MIN_FRAME_AREA) if size[1] else UNKNOWN_FRAME_AREA


def edges(boxes: Floats) -> Floats:
    """Boxes (N, 4) x1, y1, x2, y2 as measurements (N, 4): left, right, top, bottom."""
    return boxes[:, [0, 2, 1, 3]]


def boxes(means: Floats) -> Floats:
    """Boxes (N, 4) x1, y1, x2, y2 of states (N, 6)."""
    return np.asarray((means @ _MEASURES.T)[:, [0, 2, 1, 3]])


def initial_state(box: Floats, px_per_metre: Floats) -> tuple[Floats, Floats]:
    """State (6,) and covariance (6, 6) of a person first detected in `box` (4,).

    `px_per_metre` (2, 2) is the scale of the floor there; see `Floor`.
    """
    x1, y1, x2, y2 = box
    height = y2 - y1
    mean = np.array([(x1 + x2) / 2, y2, 0.0, 0.0, height, x2 - x1])
    covariance = np.zeros((6, 6))
    covariance[0, 0] = covariance[1, 1] = (0.04 * height) ** 2
    covariance[2:4, 2:4] = SPEED_SD**2 * px_per_metre @ px_per_metre.T
    covariance[4, 4] = covariance[5, 5] = (0.08 * height) ** 2
    return mean, covariance


def predict(means: Floats, covariances: Floats, dt: Floats, px_per_metre: Floats) -> tuple[Floats, Floats]:
    """States (N, 6) and covariances (N, 6, 6) after `dt` (N,) seconds.

    `px_per_metre` (N, 2, 2) is the scale of the floor at each foot point.
    """
    decay = np.exp(-dt / VELOCITY_MEMORY_S)
    step = np.tile(np.eye(6), (len(dt), 1, 1))
    step[:, 0, 2] = step[:, 1, 3] = VELOCITY_MEMORY_S * (1 - decay)
    step[:, 2, 2] = step[:, 3, 3] = decay
    velocity = px_per_metre @ px_per_metre.transpose(0, 2, 1) * SPEED_SD**2
    noise = np.zeros_like(covariances)
    spread = VELOCITY_MEMORY_S**2 * (2 * dt / VELOCITY_MEMORY_S - 3 + 4 * decay - decay**2)
    noise[:, :2, :2] = spread[:, None, None] * velocity
    shared = (VELOCITY_MEMORY_S * (1 - decay) ** 2)[:, None, None] * velocity
    noise[:, :2, 2:4] = noise[:, 2:4, :2] = shared
    noise[:, 2:4, 2:4] = (1 - decay**2)[:, None, None] * velocity
    heights = means[:, 4]
    noise[:, 4, 4] = dt * (HEIGHT_CHANGE * heights) ** 2
    noise[:, 5, 5] = dt * (WIDTH_CHANGE * heights) ** 2
    means = np.einsum("nij,nj->ni", step, means)
    return means, step @ covariances @ step.transpose(0, 2, 1) + noise


def log_densities(
    means: Floats, covariances: Floats, detected: Floats
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """How well detections fit predictions.

    Args:
        means: (T, 6) predicted states.
        covariances: (T, 6, 6).
        detected: (D, 4) boxes.

    Returns:
        Log density (T, D) of each detection under each prediction, in units of the predicted height, in the
        visibility that fits best; and the index (T, D) of that visibility.
    """
    heights = np.maximum(means[:, 4], 1.0)
    offset = (edges(detected)[None] - (means @ _MEASURES.T)[:, None]) / heights[:, None, None]  # (T, D, 4)
    spread = _MEASURES @ covariances @ _MEASURES.T / (heights**2)[:, None, None]
    total = spread + _VARIANCE[:, None]  # (V, T, 4, 4)
    distance = np.einsum("tdi,vtdi->vtd", offset, offset @ np.linalg.inv(total))
    costs = distance + (np.linalg.slogdet(total)[1] + _PRIOR_COST[:, None])[:, :, None]
    # A hidden edge makes a box smaller, never larger.
    costs[1][offset[..., 3] > 0] = np.inf
    costs[2][offset[..., 0] < 0] = np.inf
    costs[3][offset[..., 1] > 0] = np.inf
    best = costs.argmin(axis=0)
    lowest = np.take_along_axis(costs, best[None], 0)[0]
    return -0.5 * (lowest + 4 * np.log(2 * np.pi)), best.astype(np.int64)


def correct(means: Floats, covariances: Floats, detected: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """States (N, 6) and covariances (N, 6, 6) of people after a detection of each.

    Args:
        means: (N, 6) predicted states.
        covariances: (N, 6, 6).
        detected: (N, 4) boxes.
        noise: (N, 4) as of `edge_noise`.
    """
    heights = np.maximum(means[:, 4], 1.0)
    deviation = ((noise * heights[:, None]) ** 2)[:, :, None] * np.eye(4)
    measured = _MEASURES @ covariances
    gain = np.linalg.solve(measured @ _MEASURES.T + deviation, measured).transpose(0, 2, 1)
    residual = edges(detected) - means @ _MEASURES.T
    means = means + (gain @ residual[:, :, None])[:, :, 0]
    means[:, 4:] = np.maximum(means[:, 4:], MIN_SIZE_PX)
    kept = np.eye(6) - gain @ _MEASURES
    # The Joseph form keeps the covariance positive definite.
    covariances = kept @ covariances @ kept.transpose(0, 2, 1) + gain @ deviation @ gain.transpose(0, 2, 1)
    return means, covariances


def edge_noise(visibilities: npt.NDArray[np.int64], cut_off: Bools) -> Floats:
    """Standard deviation (N, 4) of left, right, top, bottom of boxes, as a share of the height.

    Args:
        visibilities: (N,) indices among VISIBILITIES.
        cut_off: (N, 4) edges that lie at the edge of the frame and carry no information.
    """
    return np.where(cut_off, HIDDEN_EDGE_NOISE, _NOISE[visibilities])
