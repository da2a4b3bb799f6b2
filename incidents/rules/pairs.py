"""Pairs of people near each other at the same instant, and whether a camera can measure distances."""

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
    """P pairs of rows of `Samples`, each of two persons at the same instant.

    Attributes:
        a: (P,) rows of the person with the smaller code.
        b: (P,) rows of the other person.
        distance: (P,) on the ground, m.
        se: (P,) standard error of the distance, m, from both foot points and from the calibration, which
            moves both together; see `Calibration.distances`.
    """

    a: Ints
    b: Ints
    distance: Floats
    se: Floats

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.a)

    def take(self, keep: Bools | Ints) -> Pairs:
        """The pairs of a mask (P,), or of indices, in their order."""
        return Pairs(self.a[keep], self.b[keep], self.distance[keep], self.se[keep])

    def probability_under(self, limit_m: float) -> Floats:
        """Probability (P,) that the true distance is under a limit, for normal errors."""
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (limit_m - self.distance) / self.se
        # With no error, a distance equal to the limit (0 / 0) is not under it.
        return np.asarray(ndtr(np.where(np.isnan(z), -np.inf, z)), dtype=np.float64)

    def uncertain(self, apart_m: float, max_se_m: float) -> Bools:
        """Pairs (P,) that are not assessable: an error over `max_se_m`, and not clearly apart.

        Clearly apart is a distance over `apart_m` by two standard errors, however large these are.
        """
        return np.asarray(~(self.se <= max_se_m) & ~(self.distance - 2 * self.se > apart_m), dtype=np.bool_)


def near_pairs(samples: Samples, camera: Camera, eligible: Bools, wanted: Bools, reach_m: float) -> Pairs:
    """All pairs of eligible people nearer than `reach_m` at the same instant.

    Each row is compared with the next row of its instant, then with the one after that, and so on. Each round
    keeps the near pairs only, so memory grows with the rows and the pairs found, not with the square of a
    crowd.

    Args:
        samples: N rows.
        camera: its calibration gives the error of a distance.
        eligible: (N,) rows to compare; those without a ground position are left out.
        wanted: (R, R) symmetric, by role code: whether two roles make a pair.
        reach_m: distances under this one are near.
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

    Where feet were not seen, the whole error of the position is added, as if it were along the line between
    the two persons. This is an upper bound.
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
    """Rows (N,) whose positions are accurate enough for distances, and the reason why others are not.

    The reason is None if the camera is calibrated with a check error up to the limit of the rule.
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
