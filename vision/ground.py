"""Where people stand: foot points to metres on the ground, with the error that a distance rule needs.

The feet are at the bottom of the box, unless that is the lower edge of the frame or lies on furniture: then
they are hidden, and who stands is placed by the head, as far as people differ in height. Everything follows
from the box and the facility file alone, so that replay has it as analysis had.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
import polars as pl

from zones.calibration import Calibration, calibrate
from zones.calibration.vertical import Vertical, vertical
from zones.facility import CalibrationSpec, Camera
from zones.geometry import signed_distance
from zones.people import FRAME_EDGE_SHARE, MEAN_HEIGHT_M, STANDING_SD_M

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FOOT_SIGMA = 0.03
"""Standard deviation of a detected foot point, as a share of the box height. A box bottom moves by a
few percent of a person's height from frame to frame (shadow, stride); [D]. On 187 people of 159 still
images that the detector was not trained on, at 416 px: 0.019 down the picture by the median deviation, but
0.053 by the root mean square, for a few boxes miss the feet altogether; 0.023 across."""
LEAST_STATURE_M = 1.1
"""Who looks shorter than this where the box ends is a child, sits, or is hidden up to there [D]."""
CHUNK, AT_ONCE = 65_536, 2
"""People placed at once, on each of so many threads."""


class Foot(IntEnum):
    """How a foot point was found: the codes of the column `foot`."""

    SEEN = 0
    INFERRED = 1
    """Hidden, and placed by the head."""
    DOUBTFUL = 2
    """Where the box ends, unless whoever looks so short stands hidden: the error covers both."""
    UNPLACED = 3
    """Hidden, and nothing tells where."""


@lru_cache(maxsize=256)
def calibration_of(spec: CalibrationSpec, aspect: float) -> Calibration:
    """The plane of a camera's calibration, fitted once per specification."""
    return calibrate(spec, aspect)


@lru_cache(maxsize=256)
def vertical_of(spec: CalibrationSpec, aspect: float) -> Vertical | None:
    """The heights above that plane, or None where the calibration does not determine them."""
    return vertical(calibration_of(spec, aspect))


def foot_sigma(box_height: Floats, aspect: float) -> Floats:
    """Standard deviation (N, 2) of foot points, normalised, from box heights (N,) in frame heights."""
    sigma = FOOT_SIGMA * box_height
    return np.column_stack([sigma / aspect, sigma])


def locate(observations: pl.DataFrame, camera: Camera) -> pl.DataFrame:
    """Place people on the ground by the camera's calibration.

    Fills ground_x, ground_y (m) and ground_se (m, one standard error), and adds columns that are no part
    of the log: `foot` (a code of `Foot`), and stand_x, stand_y (px), where the feet are or, hidden, would be
    seen, possibly below the frame. Ground columns are null for foot points at or above the horizon, for
    hidden ones that cannot be placed, and for every row of an uncalibrated camera.
    """
    count = len(observations)
    ground, stand = np.full((count, 3), np.nan), np.full((count, 2), np.nan)
    foot = np.zeros(count, dtype=np.int8)
    for width, height in observations.select("width", "height").unique().iter_rows():
        rows = np.flatnonzero((observations["width"] == width) & (observations["height"] == height))
        chunks = [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]
        place = partial(_place_rows, observations, (width, height), camera)
        with ThreadPoolExecutor(AT_ONCE) as pool:  # numpy lets go of the interpreter while it computes
            for chunk, placed in zip(chunks, pool.map(place, chunks), strict=True):
                # Nearly always one size, and a slice is filled ten times as fast as a list of rows.
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
    """What `_place` says of rows of one frame size, with feet in px."""
    part = observations[int(rows[0]) : int(rows[-1]) + 1]
    if len(part) > len(rows):
        part = observations[rows]
    box = part.select("x1", "y1", "x2", "y2").to_numpy().astype(np.float64) / (*size, *size)
    feet = part.select("foot_x", "foot_y").to_numpy().astype(np.float64) / size
    ground, foot, stand = _place(box, feet, size[0] / size[1], camera)
    return ground, foot, stand * size


def _place(
    box: Floats, feet: Floats, aspect: float, camera: Camera
) -> tuple[Floats, npt.NDArray[np.int8], Floats]:
    """Positions and errors (N, 3), m, codes (N,), and where the feet are (N, 2), normalised like `feet`."""
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
        short = np.flatnonzero(~hidden & (stature > 0) & (stature < LEAST_STATURE_M))
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
    """Position (N, 2) and error (N,), m, of people who stand, seen in boxes (N, 4) from the head down."""
    aspect, heads, tall = upright.plane.aspect, upright.heads(box), box[:, 3] - box[:, 1]
    first = upright.below(heads, foot_sigma(tall, aspect), MEAN_HEIGHT_M, STANDING_SD_M)[0]
    whole = np.fmax(upright.plane.image(first)[:, 1] - heads[:, 1], tall)
    return upright.below(heads, foot_sigma(whole, aspect), MEAN_HEIGHT_M, STANDING_SD_M)


def _hidden(box: Floats, tall: Floats, aspect: float, camera: Camera) -> Bools:
    """Boxes (N, 4), normalised, that the lower edge of the frame or furniture cuts off above the feet."""
    hidden = np.asarray(box[:, 3] > 1 - FRAME_EDGE_SHARE, dtype=np.bool_)
    bottom = np.column_stack([(box[:, 0] + box[:, 2]) / 2 * aspect, box[:, 3]])
    for polygon in camera.occluders:
        ring = np.asarray(polygon) * (aspect, 1.0)
        # A bottom moves about the furniture's upper edge as much as about feet.
        margin = FOOT_SIGMA * tall
        low, high = ring.min(axis=0), ring.max(axis=0)
        near = np.flatnonzero(
            ((bottom >= low - margin[:, None]) & (bottom <= high + margin[:, None])).all(axis=1)
        )
        hidden[near] |= signed_distance(bottom[near], ring) >= -margin[near]
    return hidden
