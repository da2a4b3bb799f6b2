"""The camera found from people who walk in its view, knowing how tall people are on the whole.

A person of known height shows, wherever they stand, the scale there; how it changes over the picture gives
the horizon, and with it pitch, roll and height of the camera. The focal length shows in how heights bend
away from a straight line towards the horizon, which is little, and in that a person who turns keeps their
pace: a wrong focal length stretches the floor away from the camera but not across. What lenses there are
says the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from zones.calibration import pinhole
from zones.calibration.homography import Array, CalibrationError
from zones.calibration.people import Ints, People, long_enough, spread_out, steadied, strides, whole
from zones.calibration.pinhole import FOCAL, HEIGHT, ROLL
from zones.calibration.spec import WalkingSpec

MIN_PEOPLE = 5
"""Fewest people [D]: of five, the mean height is off by about 4 cm."""
MIN_RANGE = 1.15
"""Least ratio of the 95th to the 5th percentile of box heights [D]: with less, people of different heights
are not told from people at different distances."""
BOX_SIGMA = 0.04
"""Standard deviation of a box height, relative: both ends by the 3 % that a foot point has [D]."""
BOX_BIAS = 0.02
"""How far all boxes may be too long or too short by the same number of pixels, relative to the median
height [D]: the habit of a detector, which no number of people averages out."""
HEIGHT_BIAS_M = 0.03
"""How far the mean height of the people seen may be from the stated one, beside chance, m [D]."""
LENSES = (1.61, 0.36)
"""Focal length expected without other knowledge: median, in frame heights, and standard deviation of its
logarithm. 95 % are 2.8 to 12 mm over a sensor 3.6 mm high (1/3 inch), the usual range of lenses for video
surveillance [D]."""
ROLL_SIGMA = math.radians(5)
"""Cameras are mounted level to within this, one standard deviation [D]."""
STEADY_S = 1.0
"""Boxes are averaged over this time: about two steps [D]."""
STRIDE_S = 2.0
"""Pace is taken over this time: long against a step, short against a turn [D]."""
PACE_MIN_M_S = 0.5
"""Slower people stand or shuffle, and the noise of their foot points is taken for movement [D]."""
PACE_SIGMA = 0.2
"""Standard deviation of the logarithm of one person's pace, turns included [D]."""
FOLDS = 20
"""Groups of people left out, one at a time, to see how much the result hangs on who was seen."""
REFERENCE_M = 2.0
"""The distance that the check error is stated for: that of the contact rule."""


@dataclass(frozen=True)
class Assumed:
    """What is known beforehand.

    Attributes:
        mean_height_m: of the people, shoes included, m.
        height_sd_m: standard deviation between people, m.
        view_deg: horizontal field of view from the data sheet of the camera, degrees, or None.
    """

    mean_height_m: float
    height_sd_m: float
    view_deg: float | None = None

    def focal(self, aspect: float) -> tuple[float, float]:
        """Mean and standard deviation of the logarithm of the focal length in frame heights."""
        if self.view_deg is None:
            return math.log(LENSES[0]), LENSES[1]
        # Data sheets are off by a few percent [D]: lenses vary, and so does the crop of the sensor.
        return math.log(aspect / 2 / math.tan(math.radians(self.view_deg) / 2)), 0.05


@dataclass(frozen=True)
class Walked:
    """A camera found from people.

    Attributes:
        spec: for the facility file.
        seen: boxes given; usable: of those, whole and upright ones of lasting tracks.
        strides: stretches of pace used.
        shape_residual: root mean square relative height residual by place, of people left out of the fit.
        distance_se_m: expected error of a distance of REFERENCE_M among the people, from the covariance.
        focal_se: standard error of the focal length, relative.
        focal_unusual: how many standard deviations it lies from what was expected beforehand.
    """

    spec: WalkingSpec
    seen: int
    usable: int
    strides: int
    shape_residual: float
    distance_se_m: float
    focal_se: float
    focal_unusual: float


@dataclass(frozen=True)
class _Data:
    boxes: Array
    """(N, 4) centred."""
    who: Ints
    """(N,) code 0, 1, ... of the person."""
    before: Array
    after: Array
    """(M, 4) centred boxes at both ends of a stride."""
    seconds: Array
    """(M,) between them."""
    walker: Ints
    """(M,) code of the person."""

    def without(self, people: Ints) -> _Data:
        keep, stay = ~np.isin(self.who, people), ~np.isin(self.walker, people)
        return _Data(
            self.boxes[keep],
            self.who[keep],
            self.before[stay],
            self.after[stay],
            self.seconds[stay],
            self.walker[stay],
        )


def fit_walking(people: People, assumed: Assumed) -> Walked:
    """Find the camera.

    Raises:
        CalibrationError: too few people, all at one distance, or nothing that a level floor explains.
    """
    if not (0.5 <= assumed.mean_height_m <= 2.5 and 0 < assumed.height_sd_m <= 0.5):
        raise CalibrationError(
            "expected a mean height of 0.5 to 2.5 m and a spread above 0 and at most 0.5 m, "
            f"got {assumed.mean_height_m:g} and {assumed.height_sd_m:g}"
        )
    if assumed.view_deg is not None and not 5 <= assumed.view_deg <= 150:
        raise CalibrationError(f"expected a field of view of 5 to 150 degrees, got {assumed.view_deg:g}")
    usable = people.take(whole(people))
    usable = steadied(usable.take(long_enough(usable)), STEADY_S)
    data = _prepare(usable)
    p = _solve(data, assumed, people.aspect, _start(data, assumed, people.aspect))
    covariance, shape = _errors(data, assumed, people.aspect, p)
    residual = _heights(p, data, assumed)[0]
    count = len(np.unique(data.who))
    spec = _spec(p, covariance, assumed, count, len(data.boxes), float(np.sqrt((residual**2).mean())), 1.0)
    expected = _distance_se(spec, data, people.aspect)
    expected_focal, focal_sigma = assumed.focal(people.aspect)
    # What the people left out show beside what the covariance expects: heights, the one thing that is known.
    check = math.hypot(expected, REFERENCE_M * shape)
    return Walked(
        spec=spec.model_copy(update={"check_error_m": float(f"{check:.4g}")}),
        seen=len(people.boxes),
        usable=len(usable.boxes),
        strides=len(data.seconds),
        shape_residual=shape,
        distance_se_m=expected,
        focal_se=math.sqrt(covariance[FOCAL, FOCAL]),
        focal_unusual=abs(p[FOCAL] - expected_focal) / focal_sigma,
    )


def _prepare(usable: People) -> _Data:
    rows = spread_out(usable)
    names, who = np.unique(usable.track[rows], return_inverse=True)
    if len(names) < MIN_PEOPLE:
        raise CalibrationError(
            f"expected at least {MIN_PEOPLE} people who are seen from head to foot, got {len(names)}"
        )
    boxes = usable.centred()
    height = boxes[rows, 3] - boxes[rows, 1]
    low, high = np.quantile(height, (0.05, 0.95))
    if high < MIN_RANGE * low:
        raise CalibrationError(
            f"expected people at different distances (the nearest at least {MIN_RANGE:g} times as high as "
            f"the farthest), got {high / low:.2f} times: no perspective to see"
        )
    first, last = strides(usable, STRIDE_S)
    kept = np.isin(usable.track[first], names)
    first, last = first[kept], last[kept]
    return _Data(
        boxes=boxes[rows],
        who=who.astype(np.int64),
        before=boxes[first],
        after=boxes[last],
        seconds=(usable.t[last] - usable.t[first]) / 1e6,
        walker=np.searchsorted(names, usable.track[first]).astype(np.int64),
    )


def _start(data: _Data, assumed: Assumed, aspect: float) -> Array:
    """Closed form: box heights as a straight line over the picture give the horizon and the height."""
    focal = math.exp(assumed.focal(aspect)[0])
    foot = np.column_stack([(data.boxes[:, 0] + data.boxes[:, 2]) / 2, data.boxes[:, 3]])
    height = data.boxes[:, 3] - data.boxes[:, 1]
    line = np.linalg.lstsq(np.column_stack([foot, np.ones(len(foot))]), height, rcond=None)[0]
    if line[1] <= 0:
        raise CalibrationError(
            "expected people who stand lower in the picture to be larger, got the contrary: no level floor"
        )
    roll = float(np.clip(-math.atan2(line[0], line[1]), -0.2, 0.2))
    horizon = -line[2] / line[1]
    pitch = float(np.clip(math.atan2(-horizon, focal), -0.2, 1.2))
    # Near the horizon a person covers height / camera height of the way from their feet to it.
    ratio = float(np.clip(line[1] * math.cos(pitch) ** 2, 0.05, 1.2))
    return np.array([math.log(focal), pitch, roll, math.log(assumed.mean_height_m / ratio)])


def _solve(data: _Data, assumed: Assumed, aspect: float, start: Array, rounds: int = 8) -> Array:
    """Parameters (4,), by least squares in which what does not fit loses its weight (soft L1)."""
    p = start
    for turn in range(rounds):
        weights = _weights(p, data, assumed)
        found = least_squares(
            lambda q, w=weights: _residuals(q, data, assumed, aspect, *w), p, x_scale=(0.2, 0.05, 0.02, 0.1)
        )
        step, p = float(np.abs(found.x - p).max()), np.asarray(found.x, dtype=np.float64)
        if turn > 1 and step < 1e-5:
            break
    if not np.isfinite(p).all() or not _plausible(p, data):
        raise CalibrationError(
            "expected people whose heights agree with a level floor below a camera, got none that does"
        )
    return p


def _plausible(p: Array, data: _Data) -> bool:
    foot = pinhole.ends(p, data.boxes)[0]
    below = np.isfinite(pinhole.ground(p, foot)).all() and (pinhole.ground(p, foot)[:, 1] > 0).mean() > 0.9
    return bool(below and 0.15 < math.exp(p[FOCAL]) < 40 and 0.5 < math.exp(p[HEIGHT]) < 150 and p[1] < 1.5)


def _weights(p: Array, data: _Data, assumed: Assumed) -> tuple[Array, Array]:
    """Weights (N,) of boxes and (M,) of strides for the next round; a stride too slow has none."""
    height = _heights(p, data, assumed)[0] / BOX_SIGMA
    speed = _speeds(p, data)
    moving = speed > PACE_MIN_M_S
    pace = _paces(speed, data, moving.astype(np.float64)) / PACE_SIGMA
    return _soft(height), np.where(moving, _soft(pace), 0.0)


def _soft(residual: Array) -> Array:
    return np.asarray((1 + residual**2) ** -0.25, dtype=np.float64)


def _residuals(p: Array, data: _Data, assumed: Assumed, aspect: float, boxes: Array, paces: Array) -> Array:
    height, person = _heights(p, data, assumed, boxes)
    focal, sigma = assumed.focal(aspect)
    pace = _paces(_speeds(p, data), data, paces)
    relative = assumed.height_sd_m / assumed.mean_height_m
    return np.concatenate(
        [
            boxes * height / BOX_SIGMA,
            person / relative,
            paces * pace / PACE_SIGMA,
            [(p[FOCAL] - focal) / sigma, p[ROLL] / ROLL_SIGMA],
        ]
    )


def _heights(p: Array, data: _Data, assumed: Assumed, weights: Array | None = None) -> tuple[Array, Array]:
    """Residuals (N,) of ln height, and how much taller (K,) each person is than the mean, in ln.

    A person's own height is the weighted mean of what their boxes say, drawn towards the mean of all.
    """
    said = np.log(np.clip(pinhole.statures(p, data.boxes) / assumed.mean_height_m, 0.05, 20))
    own = np.ones(len(said)) if weights is None else weights**2
    relative = assumed.height_sd_m / assumed.mean_height_m
    total = np.bincount(data.who, own) + (BOX_SIGMA / relative) ** 2
    person = np.bincount(data.who, own * said) / total
    return said - person[data.who], person[np.bincount(data.who) > 0]


def _speeds(p: Array, data: _Data) -> Array:
    if not len(data.seconds):
        return np.zeros(0)
    step = pinhole.ground(p, pinhole.ends(p, data.after)[0]) - pinhole.ground(
        p, pinhole.ends(p, data.before)[0]
    )
    return np.asarray(np.hypot(step[:, 0], step[:, 1]) / data.seconds, dtype=np.float64)


def _paces(speed: Array, data: _Data, weights: Array) -> Array:
    """How far (M,) ln speed is from the weighted mean of that person's."""
    if not len(speed):
        return np.zeros(0)
    said = np.log(np.clip(speed, 0.01, 50))
    own = weights**2
    total = np.bincount(data.walker, own)
    mean = np.divide(np.bincount(data.walker, own * said), total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(said - mean[data.walker], dtype=np.float64)


def _errors(data: _Data, assumed: Assumed, aspect: float, p: Array) -> tuple[Array, float]:
    """Covariance (4, 4) of the parameters, and the height residual by place of people left out of the fit.

    The covariance is the larger, in every direction, of two: that of the model, which counts what was
    assumed of lenses and mounting; and that of leaving people out by groups (a delete-a-group jackknife),
    which counts that the boxes of one person err together. Added to it is what neither can see: a habit of
    the detector, and a stated mean height that is not that of these people.
    """
    weights = _weights(p, data, assumed)
    slope = np.column_stack(
        [
            (
                _residuals(p + h, data, assumed, aspect, *weights)
                - _residuals(p - h, data, assumed, aspect, *weights)
            )
            / 2e-5
            for h in np.eye(4) * 1e-5
        ]
    )
    model = np.linalg.inv(slope.T @ slope)
    names = np.unique(data.who)
    groups = [names[start :: min(FOLDS, len(names))] for start in range(min(FOLDS, len(names)))]
    left_out, said, place = [], [], []
    for group in groups:
        q = _solve(data.without(group), assumed, aspect, p)
        left_out.append(q)
        out = np.isin(data.who, group)
        said.append(np.log(np.clip(pinhole.statures(q, data.boxes[out]) / assumed.mean_height_m, 0.05, 20)))
        place.append(_cells(data.boxes[out]))
    shift = np.array(left_out) - np.mean(left_out, axis=0)
    jackknife = shift.T @ shift * (len(groups) - 1) / len(groups)
    covariance = _larger(np.asarray(model, dtype=np.float64), jackknife)
    height = np.median(data.boxes[:, 3] - data.boxes[:, 1])
    longer = data.boxes + np.array([0, -0.5, 0, 0.5]) * BOX_BIAS * height
    biased = _Data(longer, data.who, data.before, data.after, data.seconds, data.walker)
    habit = _solve(biased, assumed, aspect, p) - p
    covariance = covariance + np.outer(habit, habit)
    covariance[HEIGHT, HEIGHT] += (HEIGHT_BIAS_M / assumed.mean_height_m) ** 2
    return covariance, _by_place(np.concatenate(said), np.concatenate(place))


def _larger(one: Array, other: Array) -> Array:
    """The least covariance that is, in the axes in which both are diagonal, no smaller than either."""
    root = np.linalg.cholesky(one)
    inverse = np.linalg.inv(root)
    value, vector = np.linalg.eigh(inverse @ other @ inverse.T)
    wide = root @ vector
    return np.asarray(wide * np.maximum(value, 1.0) @ wide.T, dtype=np.float64)


def _cells(boxes: Array) -> Ints:
    column = np.floor((boxes[:, 0] + boxes[:, 2]) / 2 * 6).astype(np.int64)
    return column * 1000 + np.floor(boxes[:, 3] * 6).astype(np.int64)


def _by_place(said: Array, place: npt.NDArray[np.int64]) -> float:
    """Root mean square, over places a sixth of the frame height wide, of the median of ln height there."""
    medians = [
        float(np.median(said[place == cell])) for cell in np.unique(place) if (place == cell).sum() >= 3
    ]
    return float(np.sqrt(np.mean(np.square(medians)))) if medians else float(np.sqrt(np.mean(said**2)))


def _spec(
    p: Array, covariance: Array, assumed: Assumed, people: int, boxes: int, residual: float, check: float
) -> WalkingSpec:
    rows = [[float(f"{value:.4g}") for value in row] for row in (covariance + covariance.T) / 2]
    try:
        return WalkingSpec(
            focal=round(math.exp(p[FOCAL]), 4),
            pitch_deg=round(math.degrees(p[1]), 3),
            roll_deg=round(math.degrees(p[ROLL]), 3),
            height_m=round(math.exp(p[HEIGHT]), 3),
            mean_height_m=assumed.mean_height_m,
            height_sd_m=assumed.height_sd_m,
            people=people,
            boxes=boxes,
            residual=float(f"{residual:.3g}"),
            check_error_m=check,
            covariance=tuple((a, b, c, d) for a, b, c, d in rows),
        )
    except ValueError as error:
        raise CalibrationError(
            "expected people who tell where the camera is, got a camera that cannot be "
            f"(focal length {math.exp(p[FOCAL]):.2f} frame heights, pitch {math.degrees(p[1]):.0f} degrees)"
        ) from error


def _distance_se(spec: WalkingSpec, data: _Data, aspect: float) -> float:
    """Root mean square error, m, of a distance of REFERENCE_M at the people's feet, in four directions."""
    plane = pinhole.plane(spec, aspect)
    foot = pinhole.ends(pinhole.parameters(spec), data.boxes)[0] / (aspect, 1) + 0.5
    centre = plane.ground(foot)
    centre = centre[np.isfinite(centre).all(axis=1)]
    square = []
    for angle in np.arange(4) * math.pi / 4:
        half = np.array([math.cos(angle), math.sin(angle)]) * REFERENCE_M / 2
        _, se = plane.distances(plane.image(centre - half), plane.image(centre + half), (0, 0), (0, 0))
        square.append(se[np.isfinite(se)] ** 2)
    return float(np.sqrt(np.median(np.concatenate(square))))
