"""Pairs of people near each other at the same instant, and whether a camera may judge distances at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from incidents.rules.episode import Bools, Floats, Ints
from incidents.rules.samples import Samples
from vision.ground import Foot, calibration_of, foot_sigma
from zones.facility import Camera, ContactRule


@dataclass(frozen=True)
class Pairs:
    """Two rows of `Samples` each, of the same instant, P in all.

    Attributes:
        a: (P,) rows of the one, b: of the other; a person's code (`person`) is the smaller in a.
        b: (P,).
        distance: (P,) on the ground, m.
        se: (P,) standard error of the distance, m: of both foot points and of the calibration, which moves
            both together; see `zones.calibration.Calibration.distances`.
    """

    a: Ints
    b: Ints
    distance: Floats
    se: Floats

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self.a)

    def take(self, keep: Bools | Ints) -> Pairs:
        """The given ones, by mask or in the given order."""
        return Pairs(self.a[keep], self.b[keep], self.distance[keep], self.se[keep])

    def probability_under(self, limit_m: float) -> Floats:
        """Probability (P,) that the true distance is under a limit, for normal errors."""
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (limit_m - self.distance) / self.se
        # Without any error, a distance on the limit itself (0 / 0) is not under it.
        return np.asarray(ndtr(np.where(np.isnan(z), -np.inf, z)), dtype=np.float64)

    def uncertain(self, apart_m: float, max_se_m: float) -> Bools:
        """Pairs (P,) that cannot be judged: an error over `max_se_m`, and not clearly over `apart_m`.

        Clearly is by two standard errors: such a pair is known to be apart however large its error.
        """
        return np.asarray(~(self.se <= max_se_m) & ~(self.distance - 2 * self.se > apart_m), dtype=np.bool_)


def near_pairs(samples: Samples, camera: Camera, eligible: Bools, wanted: Bools, reach_m: float) -> Pairs:
    """All pairs of eligible people nearer than `reach_m` at the same instant.

    Memory grows with the rows and with the pairs found, not with the square of a crowd: neighbours in
    time are compared with the next, the one after, and so on, and each round keeps what is near.

    Args:
        samples: N rows.
        camera: whose calibration tells the error of a distance.
        eligible: (N,) rows to look at; those without a ground position are left out.
        wanted: (R, R) symmetric, by role code: which roles make a pair.
        reach_m: upper bound, not included.
    """
    rows = np.flatnonzero(eligible & np.isfinite(samples.ground).all(axis=1))
    rows = rows[np.argsort(samples.t[rows], kind="stable")]
    t, role, x, y = samples.t[rows], samples.role[rows], samples.ground[rows, 0], samples.ground[rows, 1]
    here = np.arange(len(rows))
    found: list[tuple[Ints, Ints, Floats]] = []
    step = 0
    while len(here):
        step += 1
        here = here[here < len(rows) - step]
        here = here[t[here + step] == t[here]]
        mates = here[wanted[role[here], role[here + step]]]
        distance = np.hypot(x[mates] - x[mates + step], y[mates] - y[mates + step])
        near = distance < reach_m
        found.append((rows[mates[near]], rows[mates[near] + step], distance[near]))
    parts = [np.concatenate(column) for column in zip(*found, strict=True)] if found else [np.zeros(0)] * 3
    a, b = parts[0].astype(np.int64), parts[1].astype(np.int64)
    # The rows are sorted by person, so the lower row is the lower code.
    a, b = np.minimum(a, b), np.maximum(a, b)
    return Pairs(a, b, parts[2].astype(np.float64), _errors(samples, camera, a, b))


def _errors(samples: Samples, camera: Camera, a: Ints, b: Ints) -> Floats:
    """Standard error (P,), m, of the distance between rows `a` and `b`; NaN without a calibration.

    Where feet were not seen, the whole error of the position is added, as if it lay along the line between
    the two: no less than the truth.
    """
    error = np.full(len(a), np.nan)
    if camera.calibration is None or len(a) == 0:
        return error
    height, seen = samples.box[:, 3] - samples.box[:, 1], samples.found == Foot.SEEN
    for aspect in samples.aspects():
        here = np.flatnonzero(samples.aspect[a] == aspect)
        one, other = a[here], b[here]
        _, error[here] = calibration_of(camera.calibration, aspect).distances(
            samples.foot[one],
            samples.foot[other],
            foot_sigma(height[one], aspect) * seen[one, None],
            foot_sigma(height[other], aspect) * seen[other, None],
        )
    if not seen.all():
        vague = np.where(seen, 0.0, samples.ground_se)
        error = np.sqrt(error**2 + vague[a] ** 2 + vague[b] ** 2)
    return error


def metric_rows(samples: Samples, camera: Camera, rule: ContactRule) -> tuple[Bools, str | None]:
    """Which rows (N,) have positions good enough to judge distances, and why some, or all, have not.

    The reason is None when the camera is calibrated with a check error of at most the rule's limit.
    """
    good = np.zeros(len(samples), dtype=np.bool_)
    if camera.calibration is None:
        return good, "no calibration points"
    reason = None
    for aspect in samples.aspects() or [4 / 3]:
        error = calibration_of(camera.calibration, aspect).check_error
        if error <= rule.max_calibration_error_m:
            good |= samples.aspect == aspect
        elif np.isfinite(error):
            reason = f"check error {error:.2f} m, expected at most {rule.max_calibration_error_m:.2f} m"
        else:
            reason = (
                "check error not known: expected check points, or more than four calibration points, "
                "or check lengths beside a rectangle"
            )
    return good, reason
