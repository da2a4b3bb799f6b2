"""Foot points to metres on the ground, with the error that a distance rule needs to know."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from zones.calibration import Calibration
from zones.facility import CalibrationSpec, Camera

FOOT_SIGMA = 0.03
"""Standard deviation of a detected foot point, as a share of the box height. A box bottom moves by a
few percent of a person's height from frame to frame (shadow, stride); [D]. On 187 people of 159 still
images that the detector was not trained on, at 416 px: 0.019 down the picture by the median deviation, but
0.053 by the root mean square, for a few boxes miss the feet altogether; 0.023 across."""


@lru_cache(maxsize=256)
def calibration_of(spec: CalibrationSpec, aspect: float) -> Calibration:
    """The plane of a camera's calibration, fitted once per specification."""
    return Calibration.from_spec(spec, aspect)


def foot_sigma(box_height: npt.NDArray[np.float64], aspect: float) -> npt.NDArray[np.float64]:
    """Standard deviation (N, 2) of foot points, normalised, from box heights (N,) in frame heights."""
    sigma = FOOT_SIGMA * box_height
    return np.column_stack([sigma / aspect, sigma])


def locate(observations: pl.DataFrame, camera: Camera) -> pl.DataFrame:
    """Fill ground_x, ground_y (m) and ground_se (m, one standard error) from the camera's calibration.

    Foot points at or above the horizon, and every row of an uncalibrated camera, get nulls.
    """
    missing = {name: pl.lit(None, pl.Float32).alias(name) for name in ("ground_x", "ground_y", "ground_se")}
    if camera.calibration is None or observations.is_empty():
        return observations.with_columns(**missing)
    ground = np.full((len(observations), 3), np.nan)
    for width, height in observations.select("width", "height").unique().iter_rows():
        rows = ((observations["width"] == width) & (observations["height"] == height)).to_numpy()
        part = observations if rows.all() else observations.filter(rows)
        points = part.select("foot_x", "foot_y").to_numpy() / (width, height)
        aspect = float(width / height)
        sigma = foot_sigma((part["y2"] - part["y1"]).to_numpy().astype(np.float64) / height, aspect)
        where, error = calibration_of(camera.calibration, aspect).locate(points, sigma)
        ground[rows] = np.column_stack([where, error])
    columns = [
        pl.Series(name, ground[:, i], dtype=pl.Float32).fill_nan(None)
        for i, name in enumerate(("ground_x", "ground_y", "ground_se"))
    ]
    return observations.with_columns(columns)
