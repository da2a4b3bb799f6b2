from __future__ import annotations

import polars as pl
import pytest

from tests.observing import START, rows
from vision import ground, parallel
from vision.ground import Foot, calibration_of, locate
from zones.facility import CalibrationSpec, Camera

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
    return Camera.model_validate({"id": "yard", "places": ["yard"], "calibration": calibration})


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


def test_without_calibration_no_position_is_known() -> None:
    placed = locate(at(50, 80), camera(PLAN))
    seen = locate(placed, camera(None))
    assert seen.select("ground_x", "ground_y", "ground_se").row(0) == (None, None, None)


def test_an_empty_log_stays_empty() -> None:
    assert locate(rows([]), camera(PLAN)).is_empty()


# A camera 3.2 m above the floor that looks down by 22 degrees; 1600 x 900 px.
TILTED = {
    "walking": {
        "focal": 1.2, "pitch_deg": 22.0, "roll_deg": 0.0, "height_m": 3.2, "mean_height_m": 1.65,
        "height_sd_m": 0.08, "people": 20, "boxes": 200, "residual": 0.05, "check_error_m": 0.1,
        "covariance": [[1e-6 if i == j else 0.0 for j in range(4)] for i in range(4)],
    }
}  # fmt: skip
WIDTH, HEIGHT = 1600, 900
DESK = [[0.3, 0.5], [0.7, 0.5], [0.7, 0.75], [0.3, 0.75]]


def boxed(*boxes: tuple[float, float, float]) -> pl.DataFrame:
    """People in boxes of centre x, top and bottom, px."""
    x, top, bottom = (pl.Series(column, dtype=pl.Float32) for column in zip(*boxes, strict=True))
    return rows([START] * len(boxes)).with_columns(
        width=pl.lit(WIDTH, pl.Int32), height=pl.lit(HEIGHT, pl.Int32),
        x1=x - 40, x2=x + 40, y1=top, y2=bottom, foot_x=x, foot_y=bottom,
    )  # fmt: skip


def box_of(x_m: float, y_m: float, height_m: float) -> tuple[float, float, float]:
    """Where a person of a height who stands there is seen: centre x, top and bottom, px."""
    plane = calibration_of(CalibrationSpec.model_validate(TILTED), WIDTH / HEIGHT)
    far = 3.2 / (3.2 - height_m)
    foot, head = plane.image([(x_m, y_m), (x_m * far, y_m * far)]) * (WIDTH, HEIGHT)
    return foot[0], head[1], foot[1]


def test_a_person_with_feet_below_the_frame_is_placed_by_the_head() -> None:
    x, top, bottom = box_of(0.0, 2.0, 1.65)
    assert bottom > HEIGHT
    cut = boxed((x, top, HEIGHT - 2.0))
    seen = locate(cut, camera(TILTED))
    assert seen["foot"].to_list() == [Foot.INFERRED]
    assert (seen["ground_x"][0], seen["ground_y"][0]) == pytest.approx((0, 2), abs=0.01)
    assert seen["stand_y"][0] == pytest.approx(bottom, abs=1), "where the feet would be seen"
    # The head of a person 0.1 m taller is seen there if the person is nearer by that share of the way.
    assert seen["ground_se"][0] > 2 * 0.1 / (3.2 - 1.65)
    assert (seen["foot_x"][0], seen["foot_y"][0]) == (pytest.approx(x), HEIGHT - 2.0), (
        "the log stays as it is"
    )


@pytest.mark.parametrize(("occluders", "found"), [([], Foot.SEEN), ([DESK], Foot.INFERRED)])
def test_a_person_behind_marked_furniture_is_placed_by_the_head(occluders: list[object], found: Foot) -> None:
    x, top, bottom = box_of(0.0, 6.0, 1.65)
    reception = camera(TILTED).model_copy(
        update={"occluders": tuple(tuple(map(tuple, o)) for o in occluders)}
    )
    behind = boxed((x, top, bottom - 0.25 * (bottom - top)))
    assert DESK[0][1] * HEIGHT < behind["y2"][0] < DESK[2][1] * HEIGHT
    seen = locate(behind, reception)
    assert seen["foot"].to_list() == [found]
    off = abs(seen["ground_y"][0] - 6)
    assert (off < 0.02) is (found == Foot.INFERRED) and (off > 0.9) is (found == Foot.SEEN)
    # Beside the desk nothing changes.
    beside = boxed(box_of(4.0, 6.0, 1.65))
    assert locate(beside, reception)["foot"].to_list() == [Foot.SEEN]


@pytest.mark.parametrize(("height_m", "found"), [(1.15, Foot.SEEN), (1.05, Foot.DOUBTFUL)])
def test_the_error_of_a_person_who_looks_too_short_covers_hidden_feet(height_m: float, found: Foot) -> None:
    seen = locate(boxed(box_of(0.5, 6.0, height_m)), camera(TILTED))
    assert seen["foot"].to_list() == [found]
    assert (seen["ground_x"][0], seen["ground_y"][0]) == pytest.approx((0.5, 6), abs=0.01)
    # Standing with feet hidden, the same head is much nearer to the camera.
    nearer = 6 * (1 - (3.2 - 1.65) / (3.2 - height_m))
    assert (seen["ground_se"][0] > nearer) is (found == Foot.DOUBTFUL)


@pytest.mark.parametrize("calibration", [None, PLAN], ids=["uncalibrated", "from straight above"])
def test_hidden_feet_that_cannot_be_placed_have_no_position(calibration: object) -> None:
    seen = locate(boxed((800, 300, 895), (800, 300, 700)), camera(calibration))
    assert seen["foot"].to_list() == [Foot.UNPLACED, Foot.SEEN]
    assert seen["ground_x"][0] is None and seen["ground_se"][0] is None


def test_positions_do_not_depend_on_the_number_of_threads_or_rows_per_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd = boxed(*(box_of(x / 10, 4 + x / 20, 1.5 + x / 200) for x in range(-30, 31)))
    expected = locate(crowd, camera(TILTED))
    monkeypatch.setattr(ground, "CHUNK_ROWS", 7)
    for cores in (1, 4):
        monkeypatch.setattr(parallel, "core_count", lambda cores=cores: cores)
        monkeypatch.setattr(parallel, "_pool", None)
        assert locate(crowd, camera(TILTED)).equals(expected)
