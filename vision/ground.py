"""Foot points to metres on the ground, with the error that a distance rule needs to know."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl

from zones.calibration import Calibration
from zones.facility import CalibrationSpec, Camera

FOOT_SIGMA = 0.03
"""Standard deviation of a detected foot point, as a share of the box height. A box bottom moves by a
few percent of a person's height from frame to frame (shadow, stride); [D], refined by `calibrate`."""


@lru_cache(maxsize=256)
def calibration_of(spec: CalibrationSpec, aspect: float) -> Calibration:
    """The homography fitted to a camera's calibration points, fitted once per specification."""
    return Calibration.from_spec(spec, aspect)


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
        sigma_px = FOOT_SIGMA * (part["y2"] - part["y1"]).to_numpy()
        sigma = np.column_stack([sigma_px / width, sigma_px / height])
        where, error = calibration_of(camera.calibration, float(width / height)).locate(points, sigma)
        ground[rows] = np.column_stack([where, error])
    columns = [
        pl.Series(name, ground[:, i], dtype=pl.Float32).fill_nan(None)
        for i, name in enumerate(("ground_x", "ground_y", "ground_se"))
    ]
    return observations.with_columns(columns)
