"""How people moved in front of a camera: their trajectories on the ground, and when it was watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from incidents.rules.machines.plan import Bools, Floats, Ints, microseconds
from pipelines.suggestion.tracks import MAX_GAP_S, Samples, read_samples
from vision.frames import SECOND
from vision.ground import Foot, calibration_of
from zones.facility import Camera, Facility
from zones.people import MEAN_HEIGHT_M

MAX_POSITION_SE_M = 1.0
"""Largest standard error of a ground position that is used: the floor is made of smaller cells.

Project default (docs/defaults.md).
"""
MIN_WALK_DISTANCE_M = 1.0
"""A person walked if they got at least this far from their first position; others sit, or are a poster.

Project default (docs/defaults.md).
"""
MIN_WALK_DURATION_S = 2.0
"""A person walked if they were seen for at least this long.

Project default (docs/defaults.md).
"""
END_ROWS = 3
"""Foot points whose median is the first, or last, position of a trajectory, so that jitter has less effect.

Project default (docs/defaults.md).
"""


@dataclass(frozen=True)
class GroundPlane:
    """The ground in front of a camera, in metres.

    Without a calibration it is the image itself, scaled so that a person of the median height in the image
    is MEAN_HEIGHT_M tall. Lengths are then too short far from the camera and too long near it.

    Attributes:
        camera: the camera.
        aspect: width over height of its frames.
        height_px: height of its frames, px.
        calibrated: whether metres come from a calibration.
        metres_per_height: metres per frame height, where they do not.
    """

    camera: Camera
    aspect: float
    height_px: int
    calibrated: bool
    metres_per_height: float

    def to_floor(self, image: npt.ArrayLike) -> Floats:
        """Ground positions (N, 2), m, of normalised image points (N, 2); NaN above the horizon."""
        if self.calibrated and self.camera.calibration is not None:
            return calibration_of(self.camera.calibration, self.aspect).ground(image)
        return np.asarray(image, dtype=np.float64) * (self.aspect, 1) * self.metres_per_height

    def to_image(self, floor: npt.ArrayLike) -> Floats:
        """Normalised image points (N, 2) of ground positions (N, 2), m."""
        if self.calibrated and self.camera.calibration is not None:
            return calibration_of(self.camera.calibration, self.aspect).image(floor)
        return np.asarray(floor, dtype=np.float64) / self.metres_per_height / (self.aspect, 1)


@dataclass(frozen=True)
class Trajectories:
    """The trajectories of the P persons in front of a camera; a person is one or more linked tracks.

    Attributes:
        ground: the ground that they walked on.
        samples: N rows, sorted by (person, t).
        position: (N, 2) m on the ground; NaN where it is not known well enough.
        duration_s: (N,) time until the person's next row; 0 over a gap.
        first_row, last_row: (P,) rows at which each trajectory begins and ends.
        walked: (P,) whether the person walked.
        watched_intervals: intervals [start, end) in which the camera was watched, microseconds UTC.
        tracks: number of tracks in the log, before any were linked.
    """

    ground: GroundPlane
    samples: Samples
    position: Floats
    duration_s: Floats
    first_row: Ints
    last_row: Ints
    walked: Bools
    watched_intervals: tuple[tuple[int, int], ...]
    tracks: int

    def __len__(self) -> int:
        """The number of persons."""
        return len(self.first_row)

    @property
    def walker_count(self) -> int:
        """The number of persons who walked."""
        return int(self.walked.sum())

    @property
    def watched_hours(self) -> float:
        """How long the camera was watched, h."""
        return sum(end - start for start, end in self.watched_intervals) / SECOND / 3600

    def walking_rows(self) -> Bools:
        """Which rows (N,) are of persons who walked and have a known position."""
        return np.asarray(self.walked[self.samples.person] & np.isfinite(self.position[:, 0]))


def read_trajectories(
    observations: pl.DataFrame,
    facility: Facility,
    camera: Camera,
    watched_intervals: Sequence[tuple[int, int]],
) -> Trajectories:
    """The trajectories in a camera's observations, which must not be empty.

    Raises:
        RuleError: they are of another camera, or have no time.
        CalibrationError: the camera's calibration does not determine the ground plane.
    """
    samples = read_samples(observations, facility, camera)
    first = np.flatnonzero(np.diff(samples.person, prepend=-1))
    last = np.append(first, len(samples))[1:] - 1
    ground = _ground_plane(samples, camera, _size(observations))
    known = np.isin(samples.found, (Foot.SEEN, Foot.INFERRED))
    if ground.calibrated:
        position, known = samples.ground, known & (samples.ground_se <= MAX_POSITION_SE_M)
    else:
        isotropic = samples.foot * np.column_stack([samples.aspect, np.ones(len(samples))])
        position = isotropic * ground.metres_per_height
    position = np.where(known[:, None], position, np.nan)
    step = np.append(np.diff(samples.t), 0)
    step[last] = 0
    duration_s = np.where(step <= microseconds(MAX_GAP_S), step, 0) / SECOND
    walked = _walked(position, samples, first, last)
    return Trajectories(
        ground=ground,
        samples=samples,
        position=position,
        duration_s=duration_s,
        first_row=first,
        last_row=last,
        walked=walked,
        watched_intervals=tuple(watched_intervals),
        tracks=observations["track"].n_unique(),
    )


def _size(observations: pl.DataFrame) -> tuple[int, int]:
    """The most frequent size of the frames, px."""
    sizes = observations.group_by("width", "height").len().sort("len", "width", descending=True)
    width, height = sizes.select("width", "height").row(0)
    return int(width), int(height)


def _ground_plane(samples: Samples, camera: Camera, size: tuple[int, int]) -> GroundPlane:
    aspect = size[0] / size[1]
    calibrated = camera.calibration is not None and np.isfinite(
        calibration_of(camera.calibration, aspect).check_error
    )
    height = float(np.median(samples.box[:, 3] - samples.box[:, 1]))
    return GroundPlane(camera, aspect, size[1], bool(calibrated), MEAN_HEIGHT_M / max(height, 1e-3))


def _walked(position: Floats, samples: Samples, first: Ints, last: Ints) -> Bools:
    """Which persons (P,) got MIN_WALK_DISTANCE_M from their first position and stayed MIN_WALK_DURATION_S."""
    spans = zip(first, np.minimum(first + END_ROWS - 1, last), strict=True)
    begin = np.array([_median(position, span) for span in spans])
    distance = np.hypot(*(position - begin[samples.person]).T)
    furthest = np.fmax.reduceat(np.nan_to_num(distance), first)
    long_enough = samples.t[last] - samples.t[first] >= microseconds(MIN_WALK_DURATION_S)
    return np.asarray((furthest >= MIN_WALK_DISTANCE_M) & long_enough)


def _median(position: Floats, rows: tuple[int, int]) -> Floats:
    known = position[rows[0] : rows[1] + 1]
    known = known[np.isfinite(known[:, 0])]
    return np.median(known, axis=0) if len(known) else np.full(2, np.nan)


def end_points(trajectories: Trajectories, begin: bool) -> Floats:
    """First, or last, position (P, 2), m, of each trajectory: the median of its END_ROWS outermost rows."""
    first, last = trajectories.first_row, trajectories.last_row
    if begin:
        spans = zip(first, np.minimum(first + END_ROWS - 1, last), strict=True)
    else:
        spans = zip(np.maximum(last - END_ROWS + 1, first), last, strict=True)
    return np.array([_median(trajectories.position, span) for span in spans]).reshape(-1, 2)
