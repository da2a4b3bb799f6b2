from __future__ import annotations

import polars as pl
import pytest

from tests.observing import START, rows
from vision.ground import locate
from zones.facility import Camera

# A camera that looks straight down on 10 m x 5 m: the ground is the image, stretched.
PLAN = {
    "points": [
        {"image": [x, y], "ground": [10 * x, 5 * y]}
        for x, y in ((0, 0), (1, 0), (1, 1), (0, 1), (0.5, 0.3), (0.2, 0.7))
    ]
}


def at(x: float, y: float, width: int = 200, height: int = 100) -> pl.DataFrame:
    return rows([START]).with_columns(
        width=pl.lit(width, pl.Int32),
        height=pl.lit(height, pl.Int32),
        foot_x=pl.lit(x, pl.Float32),
        foot_y=pl.lit(y, pl.Float32),
        y1=pl.lit(0.0, pl.Float32),
        y2=pl.lit(y, pl.Float32),
    )


def camera(calibration: object) -> Camera:
    return Camera.model_validate({"id": "yard", "place": "yard", "calibration": calibration})


def test_a_foot_point_in_pixels_becomes_metres() -> None:
    seen = locate(at(50, 80), camera(PLAN))
    assert seen["ground_x"][0] == pytest.approx(2.5, abs=1e-3)
    assert seen["ground_y"][0] == pytest.approx(4.0, abs=1e-3)
    assert 0 < seen["ground_se"][0] < 0.5


def test_the_size_of_the_frame_may_change_in_a_stream() -> None:
    both = pl.concat(
        [at(50, 80), at(100, 160, 400, 200).with_columns(t=pl.col("t") + pl.duration(seconds=1))]
    )
    seen = locate(both, camera(PLAN))
    assert seen["ground_x"].to_list() == [pytest.approx(2.5, abs=1e-3)] * 2


def test_without_calibration_nothing_is_known() -> None:
    placed = locate(at(50, 80), camera(PLAN))
    seen = locate(placed, camera(None))
    assert seen.select("ground_x", "ground_y", "ground_se").row(0) == (None, None, None)


def test_an_empty_log_stays_empty() -> None:
    assert locate(rows([]), camera(PLAN)).is_empty()
