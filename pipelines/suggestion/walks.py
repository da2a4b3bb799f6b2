"""How people moved before a camera: their paths on the floor, in metres, and when it was watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from incidents.rules.episode import Bools, Floats, Ints, microseconds
from incidents.rules.samples import Samples, read_samples
from incidents.rules.stitching import MAX_GAP_S, stitch_tracklets
from vision.frames import SECOND
from vision.ground import Foot, calibration_of, locate
from vision.roles import assign_roles
from zones.facility import Camera, Facility
from zones.people import MEAN_HEIGHT_M

UNSURE_M = 1.0
"""A place on the ground whose standard error is larger says nothing of a floor in cells [D]."""
WALKER_M = 1.0
"""Who never gets this far from where they began is no walker: seated, or a picture of a person [D]."""
WALKER_S = 2.0
"""Nor is who is seen for less than this [D]."""
STEPS = 3
"""A path begins and ends at the median of so many foot points: one jittery box must not move it [D]."""


@dataclass(frozen=True)
class Surface:
    """The floor before a camera, in metres.

    Where the camera is not calibrated, it is the picture itself, scaled so that a person of the middle
    height seen is MEAN_HEIGHT_M tall: too small a scale near the camera and too large far from it.

    Attributes:
        camera: whose floor it is.
        aspect: width over height of its frames; lines: their height, px.
        calibrated: whether metres are measured.
        scale: metres to a frame height, where they are not.
    """

    camera: Camera
    aspect: float
    lines: int
    calibrated: bool
    scale: float

    def to_floor(self, image: npt.ArrayLike) -> Floats:
        """Places (N, 2), m, of normalised image points (N, 2); NaN above the horizon."""
        if self.calibrated and self.camera.calibration is not None:
            return calibration_of(self.camera.calibration, self.aspect).ground(image)
        return np.asarray(image, dtype=np.float64) * (self.aspect * self.scale, self.scale)

    def to_image(self, floor: npt.ArrayLike) -> Floats:
        """Normalised image points (N, 2) of places (N, 2), m."""
        if self.calibrated and self.camera.calibration is not None:
            return calibration_of(self.camera.calibration, self.aspect).image(floor)
        return np.asarray(floor, dtype=np.float64) / (self.aspect * self.scale, self.scale)


@dataclass(frozen=True)
class Walks:
    """The people before a camera, each as one path, switches of their track mended where that is sure.

    Attributes:
        surface: the floor that they walked on.
        samples: N rows, sorted by (path, t).
        place: (N, 2) m on the surface; NaN where it is not known well enough.
        seconds: (N,) how long the person was there, until the next row; 0 over a gap.
        first, last: (P,) rows at which each path begins and ends.
        walker: (P,) whether it is somebody who walked.
        watched: stretches [start, end) in which the camera was watched, microseconds UTC.
        tracks: how many tracks the log held before they were mended to paths.
    """

    surface: Surface
    samples: Samples
    place: Floats
    seconds: Floats
    first: Ints
    last: Ints
    walker: Bools
    watched: tuple[tuple[int, int], ...]
    tracks: int

    def __len__(self) -> int:
        """How many paths there are."""
        return len(self.first)

    @property
    def walkers(self) -> int:
        """How many of them are of people who walked."""
        return int(self.walker.sum())

    @property
    def hours(self) -> float:
        """How long the camera was watched."""
        return sum(end - start for start, end in self.watched) / SECOND / 3600

    def of_walkers(self) -> Bools:
        """Rows (N,) of people who walked, at known places."""
        return np.asarray(self.walker[self.samples.person] & np.isfinite(self.place[:, 0]))


def walks(
    observations: pl.DataFrame,
    facility: Facility,
    camera: Camera,
    watched: Sequence[tuple[int, int]],
) -> Walks:
    """The paths in a camera's observations, which must not be empty.

    Raises:
        RuleError: they are of another camera, or the time of a track goes backwards.
        CalibrationError: the camera's calibration does not fix the ground plane.
    """
    known_from = facility.rules.role_confidence
    complete = assign_roles(locate(observations, camera), camera, known_from)
    loose, _ = read_samples(complete, camera.id, facility.rules.mask.min_face_px)
    samples = stitch_tracklets(loose, known_from)
    first = np.flatnonzero(np.diff(samples.person, prepend=-1))
    last = np.append(first, len(samples))[1:] - 1
    surface = _surface(samples, camera, _size(observations))
    known = np.isin(samples.found, (Foot.SEEN, Foot.INFERRED))
    if surface.calibrated:
        place, known = samples.ground, known & (samples.ground_se <= UNSURE_M)
    else:
        place = samples.isotropic() * surface.scale
    place = np.where(known[:, None], place, np.nan)
    step = np.append(np.diff(samples.t), 0)
    step[last] = 0
    seconds = np.where(step <= microseconds(MAX_GAP_S), step, 0) / SECOND
    walker = _walkers(place, samples, first, last)
    return Walks(
        surface, samples, place, seconds, first, last, walker, tuple(watched), len(np.unique(loose.person))
    )


def _size(observations: pl.DataFrame) -> tuple[int, int]:
    """The most frequent size of the frames, px."""
    sizes = observations.group_by("width", "height").len().sort("len", "width", descending=True)
    width, height = sizes.select("width", "height").row(0)
    return int(width), int(height)


def _surface(samples: Samples, camera: Camera, size: tuple[int, int]) -> Surface:
    aspect = size[0] / size[1]
    calibrated = camera.calibration is not None and np.isfinite(
        calibration_of(camera.calibration, aspect).check_error
    )
    height = float(np.median(samples.box[:, 3] - samples.box[:, 1]))
    return Surface(camera, aspect, size[1], bool(calibrated), MEAN_HEIGHT_M / max(height, 1e-3))


def _walkers(place: Floats, samples: Samples, first: Ints, last: Ints) -> Bools:
    """Which paths (P,) get WALKER_M from where they began, and last WALKER_S."""
    spans = zip(first, np.minimum(first + STEPS - 1, last), strict=True)
    begin = np.array([_middle(place, span) for span in spans])
    off = np.hypot(*(place - begin[samples.person]).T)
    far = np.fmax.reduceat(np.nan_to_num(off), first)
    return np.asarray((far >= WALKER_M) & (samples.t[last] - samples.t[first] >= microseconds(WALKER_S)))


def _middle(place: Floats, rows: tuple[int, int]) -> Floats:
    some = place[rows[0] : rows[1] + 1]
    some = some[np.isfinite(some[:, 0])]
    return np.median(some, axis=0) if len(some) else np.full(2, np.nan)


def ends_of(walk: Walks, begin: bool) -> Floats:
    """Where each path (P, 2) begins, or ends, m: the median of its STEPS outermost foot points."""
    if begin:
        spans = zip(walk.first, np.minimum(walk.first + STEPS - 1, walk.last), strict=True)
    else:
        spans = zip(np.maximum(walk.last - STEPS + 1, walk.first), walk.last, strict=True)
    return np.array([_middle(walk.place, span) for span in spans]).reshape(-1, 2)
