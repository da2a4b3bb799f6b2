"""Where people stand: foot points as ground positions in metres, with their standard errors.

The feet are at the bottom of the box, unless the box ends at the lower edge of the frame or on furniture.
Then the feet are hidden, and the person is placed by the head, as accurately as the spread of human heights
allows. The position depends on the box and the facility file only, so replay computes the same as analysis.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
import polars as pl

from vision.parallel import map_threads
from zones.calibration import Calibration, calibrate
from zones.calibration.vertical import Vertical, vertical
from zones.facility import CalibrationSpec, Camera
from zones.geometry import signed_distance
from zones.people import FRAME_EDGE_SHARE, MEAN_HEIGHT_M, STANDING_SD_M

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FOOT_SIGMA = 0.03
"""Standard deviation of a detected foot point, as a share of the box height. The bottom of a box moves by a
few percent of a person's height from frame to frame, by shadows and stride. Measured on 187 people in 159
still images that the detector was not trained on, at 416 px: vertically 0.019 by the median deviation and
0.053 by the root mean square, because a few boxes miss the feet altogether; horizontally 0.023.
Project default (docs/defaults.md)."""
MIN_STANDING_HEIGHT_M = 1.1
"""A person who looks shorter than this, if the feet are where the box ends, is a child, sits, or has hidden
feet, m. Project default (docs/defaults.md)."""
CHUNK_ROWS = 65_536
"""Number of observations that one task places. Project default (docs/defaults.md)."""


class Foot(IntEnum):
    """How a foot point was found: the codes of the column `foot`."""

    SEEN = 0
    INFERRED = 1
    """Hidden; placed by the head."""
    DOUBTFUL = 2
    """Placed where the box ends, but the person looks too short and may have hidden feet. The standard error
    covers both cases."""
    UNPLACED = 3
    """Hidden, and cannot be placed."""


@lru_cache(maxsize=256)
def calibration_of(spec: CalibrationSpec, aspect: float) -> Calibration:
    """Ground plane of a camera's calibration, fitted once for each specification and aspect."""
    return calibrate(spec, aspect)


@lru_cache(maxsize=256)
def vertical_of(spec: CalibrationSpec, aspect: float) -> Vertical | None:
    """Heights above that plane, or None if the calibration does not determine them."""
    return vertical(calibration_of(spec, aspect))


def foot_sigma(box_height: Floats, aspect: float) -> Floats:
    """Standard deviation (N, 2) of foot points, normalised, from box heights (N,) in frame heights."""
    sigma = FOOT_SIGMA * box_height
    return np.column_stack([sigma / aspect, sigma])


def locate(observations: pl.DataFrame, camera: Camera) -> pl.DataFrame:
    """Place people on the ground by the camera's calibration.

    Fills ground_x, ground_y (m) and ground_se (m, one standard error). Adds columns that are not part of the
    log: `foot` (a code of `Foot`), and stand_x, stand_y (px), where the feet are seen or, if hidden, would be
    seen, possibly below the frame. Ground columns are null for foot points at or above the horizon,
    for hidden feet that cannot be placed, and for all rows of an uncalibrated camera.
    """
    count = len(observations)
    ground, stand = np.full((count, 3), np.nan), np.full((count, 2), np.nan)
    foot = np.zeros(count, dtype=np.int8)
    for width, height in observations.select("width", "height").unique().iter_rows():
        rows = np.flatnonzero((observations["width"] == width) & (observations["height"] == height))
        chunks = [rows[first : first + CHUNK_ROWS] for first in range(0, len(rows), CHUNK_ROWS)]
        place = partial(_place_rows, observations, (width, height), camera)
        for chunk, placed in zip(chunks, map_threads(place, chunks), strict=True):
            # Nearly always all rows are of one size, and filling a slice is ten times faster.
            first, last = int(chunk[0]), int(chunk[-1])
            where = slice(first, last + 1) if last - first < len(chunk) else chunk
            ground[where], foot[where], stand[where] = placed
    columns = [
        pl.Series(name, values[:, i], dtype=pl.Float32).fill_nan(None)
        for values, names in (
            (ground, ("ground_x", "ground_y", "ground_se")),
            (stand, ("stand_x", "stand_y")),
        )
        for i, name in enumerate(names)
    ]
    return observations.with_columns(*columns, pl.Series("foot", foot, dtype=pl.Int8))


def _place_rows(
    observations: pl.DataFrame, size: tuple[int, int], camera: Camera, rows: npt.NDArray[np.int64]
) -> tuple[Floats, npt.NDArray[np.int8], Floats]:
    """Result of `place` for rows of one frame size, with the feet in px."""
    part = observations[int(rows[0]) : int(rows[-1]) + 1]
    if len(part) > len(rows):
        part = observations[rows]
    box = part.select("x1", "y1", "x2", "y2").to_numpy().astype(np.float64) / (*size, *size)
    feet = part.select("foot_x", "foot_y").to_numpy().astype(np.float64) / size
    ground, foot, stand = place(box, feet, size[0] / size[1], camera)
    return ground, foot, stand * size


def place(
    box: Floats, feet: Floats, aspect: float, camera: Camera
) -> tuple[Floats, npt.NDArray[np.int8], Floats]:
    """Positions with standard errors (N, 3), m; codes of `Foot` (N,); feet (N, 2), normalised like `feet`."""
    tall = box[:, 3] - box[:, 1]
    hidden = _hidden(box, tall, aspect, camera)
    code = np.where(hidden, Foot.UNPLACED, Foot.SEEN).astype(np.int8)
    if camera.calibration is None:
        return np.full((len(box), 3), np.nan), code, feet
    plane = calibration_of(camera.calibration, aspect)
    upright = vertical_of(camera.calibration, aspect)
    position, error = plane.locate(feet, foot_sigma(tall, aspect))
    if upright is not None:
        stature = upright.statures(position, box[:, 1])
        short = np.flatnonzero(~hidden & (stature > 0) & (stature < MIN_STANDING_HEIGHT_M))
        off = _by_head(upright, box[short])[0] - position[short]
        error[short] = np.hypot(error[short], np.hypot(off[:, 0], off[:, 1]))
        code[short] = Foot.DOUBTFUL
    rows = np.flatnonzero(hidden)
    position[rows], error[rows] = np.nan, np.nan
    if upright is not None and len(rows):
        position[rows], error[rows] = _by_head(upright, box[rows])
        feet = feet.copy()
        feet[rows] = plane.image(position[rows])
        code[rows[np.isfinite(error[rows])]] = Foot.INFERRED
    return np.column_stack([position, error]), code, feet


def _by_head(upright: Vertical, box: Floats) -> tuple[Floats, Floats]:
    """Positions (N, 2) and standard errors (N,), m, of standing people whose heads are at the tops of boxes
    (N, 4)."""
    aspect, heads, tall = upright.plane.aspect, upright.heads(box), box[:, 3] - box[:, 1]
    first = upright.below(heads, foot_sigma(tall, aspect), MEAN_HEIGHT_M, STANDING_SD_M)[0]
    whole = np.fmax(upright.plane.image(first)[:, 1] - heads[:, 1], tall)
    return upright.below(heads, foot_sigma(whole, aspect), MEAN_HEIGHT_M, STANDING_SD_M)


def _hidden(box: Floats, tall: Floats, aspect: float, camera: Camera) -> Bools:
    """Whether the lower edge of the frame or furniture hides the feet of boxes (N, 4), normalised."""
    hidden = np.asarray(box[:, 3] > 1 - FRAME_EDGE_SHARE, dtype=np.bool_)
    bottom = np.column_stack([(box[:, 0] + box[:, 2]) / 2 * aspect, box[:, 3]])
    for polygon in camera.occluders:
        ring = np.asarray(polygon) * (aspect, 1.0)
        # The bottom of a box varies as much at the edge of furniture as it does at feet.
        margin = FOOT_SIGMA * tall
        low, high = ring.min(axis=0), ring.max(axis=0)
        near = np.flatnonzero(
            ((bottom >= low - margin[:, None]) & (bottom <= high + margin[:, None])).all(axis=1)
        )
        hidden[near] |= signed_distance(bottom[near], ring) >= -margin[near]
    return hidden
