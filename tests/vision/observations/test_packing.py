from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.observing import START, rows
from vision.frames import SECOND
from vision.observations import HOUR, SCHEMA, ObservationError, read, rounded, write_part
from vision.observations.packing import pack, unpack

FIRST = START // HOUR * HOUR
SHARES = [n for n in SCHEMA if n.startswith(("mask_m", "mask_u", "mask_i", "role_"))] + ["score"]
share = st.one_of(st.none(), st.just(math.nan), st.floats(0, 1, width=32))
px = st.one_of(st.none(), st.floats(-(2.0**15), 2.0**15, width=32))
whole = st.integers(-(2**63), 2**63 - 1)
ROW = st.fixed_dictionaries(
    {
        "t": st.one_of(st.sampled_from([FIRST, FIRST + HOUR - 1]), st.integers(FIRST, FIRST + HOUR - 1)),
        "frame": st.one_of(st.none(), whole),
        "track": st.one_of(st.none(), st.sampled_from([-(2**63), 2**63 - 1, 0, 7]), whole),
        "width": st.sampled_from([None, 320, 1920]),
        "height": st.sampled_from([None, 240, 576, 1080]),
        **dict.fromkeys(("x1", "y1", "x2", "y2", "foot_x", "foot_y"), px),
        **dict.fromkeys((*SHARES, "face_change"), share),
        "face_height": st.one_of(st.none(), st.floats(0, 2000, width=32)),
        "mask_reason": st.sampled_from([None, "", "not_sampled", "too_small", 'é"crc":"00000000"']),
        "on_box": st.booleans(),
    }
)


def table(values: list[dict[str, object]]) -> pl.DataFrame:
    columns: dict[str, object] = {n: [row.get(n) for row in values] for n in SCHEMA}
    columns.update(camera=["yard"] * len(values), t=pl.Series([r["t"] for r in values], dtype=pl.Int64))
    made = pl.DataFrame(columns, schema={**SCHEMA, "t": pl.Int64()}).cast({"t": SCHEMA["t"]})
    on_box = pl.Series("on_box", [row["on_box"] for row in values], dtype=pl.Boolean)
    middle = (pl.col("x1") + pl.col("x2")) / 2
    return made.with_columns(
        foot_x=pl.when(on_box).then(middle).otherwise("foot_x"),
        foot_y=pl.when(on_box).then("y2").otherwise("foot_y"),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=12))
def test_rounding_is_bounded_idempotent_and_leaves_exact_columns(
    values: list[dict[str, object]],
) -> None:
    given = table(values)
    once = rounded(given)
    assert once.schema == pl.Schema(SCHEMA)
    assert rounded(once).equals(once)
    ordered = given.sort("t", "track", maintain_order=True)
    exact = ["camera", "t", "frame", "track", "width", "height", "mask_reason"]
    assert once.select(exact).equals(ordered.select(exact))
    unit = ordered["height"].replace_strict(
        {240: 0.125, 576: 0.5, 1080: 1.0, None: 1.0}, return_dtype=pl.Float64
    )
    limits = {
        **dict.fromkeys(("x1", "y1", "x2", "y2"), unit / 2),
        **dict.fromkeys(("foot_x", "foot_y"), unit),
        **dict.fromkeys(SHARES, 0.002),
        "face_change": 0.0005,
        "face_height": 0.125,
    }
    for name, limit in limits.items():
        before = ordered[name].fill_nan(None).cast(pl.Float64)
        assert before.is_null().equals(once[name].is_null()), name
        # The resolution of float32 adds to the rounding.
        slack = before.abs() * 2.0**-22 + 1e-6
        assert ((once[name].cast(pl.Float64) - before).abs() <= limit + slack).all(), name


@settings(max_examples=20, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12))
def test_rows_read_from_the_log_are_the_rounded_rows(
    tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, object]]
) -> None:
    home = tmp_path_factory.mktemp("home")
    given = table(values)
    write_part(home, given, "yard", FIRST)
    assert read(home, "yard", FIRST, FIRST + HOUR).equals(rounded(given))


@pytest.mark.parametrize(
    ("lines", "unit"), [(240, 1 / 8), (480, 1 / 4), (576, 1 / 2), (1023, 1 / 2), (1024, 1), (2160, 2)]
)
def test_the_rounding_unit_of_boxes_grows_with_the_frame(lines: int, unit: float) -> None:
    given = rows([START]).with_columns(height=pl.lit(lines, pl.Int32), x1=pl.lit(unit * 0.51, pl.Float32))
    assert rounded(given)["x1"].to_list() == [unit]


def test_a_foot_point_off_its_box_is_kept_and_one_on_its_box_is_stored_as_zero() -> None:
    box = {"height": 576, "x1": 100.2, "x2": 140.4, "y1": 50.0, "y2": 200.3}
    on = rows([START]).with_columns(
        **{n: pl.lit(v, SCHEMA[n]) for n, v in {**box, "foot_x": 120.3, "foot_y": 200.3}.items()}
    )
    off = on.with_columns(foot_x=pl.lit(90.1, pl.Float32))
    assert pack(on).select("foot_x", "foot_y").row(0) == (0, 0)
    assert rounded(on).select("foot_x", "foot_y").row(0) == (120.25, 200.5)
    assert rounded(off)["foot_x"][0] == pytest.approx(90.1, abs=0.5)


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e30])
def test_a_value_too_large_to_store_is_refused(value: float) -> None:
    with pytest.raises(ObservationError, match=r"beyond .* got x1"):
        pack(rows([START, START + SECOND]).with_columns(x1=pl.Series([1.0, value], dtype=pl.Float32)))


def test_a_row_without_a_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ObservationError, match="expected a time"):
        write_part(tmp_path, rows([START]).with_columns(t=pl.lit(None, SCHEMA["t"])), "yard", START)
    assert not list(tmp_path.rglob("*.parquet"))


def test_rows_of_a_track_at_the_same_time_keep_their_order() -> None:
    given = pl.concat([rows([START])] * 3).with_columns(frame=pl.Series([5, 1, 3]), track=pl.lit(9, pl.Int64))
    assert rounded(given)["frame"].to_list() == [5, 1, 3]


def test_rounding_adds_less_error_than_detection() -> None:
    """Rounding moves a foot point by under 1 % of a person's height, detection by 3 %, at any frame size."""
    generator = np.random.default_rng(3)
    for lines in (240, 576, 720, 1080, 2160):
        high = generator.uniform(0.06, 0.9, 500) * lines
        top = generator.uniform(0, 0.1, 500) * lines
        given = (
            rows([START] * 500)
            .with_columns(
                height=pl.lit(lines, pl.Int32),
                **{
                    n: pl.Series(v, dtype=pl.Float32)
                    for n, v in {"y1": top, "y2": top + high, "foot_y": top + high}.items()
                },
            )
            .with_columns(track=pl.int_range(500))
        )
        error = rounded(given)["foot_y"].to_numpy() - (top + high)
        assert np.abs(error / high).max() < 0.01


def test_a_column_that_an_older_version_did_not_write_is_null() -> None:
    packed = pack(rows([START, START + SECOND]).with_columns(score=pl.lit(0.5, pl.Float32)))
    seen = unpack(packed.drop("score", "mask_reason", "foot_x"), {"height": None})
    assert seen.schema == pl.Schema(SCHEMA)
    assert seen.select("score", "mask_reason", "foot_x").null_count().row(0) == (2, 2, 2)


@pytest.mark.parametrize("kind", [pl.Float32(), pl.Int64(), pl.String()])
def test_a_column_of_a_later_version_is_kept_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: pl.DataType
) -> None:
    monkeypatch.setitem(SCHEMA, "to_come", kind)
    for value in (0.3, None):
        given = rows([START, START + SECOND]).with_columns(to_come=pl.lit(value).cast(kind))
        write_part(tmp_path, given.select(list(SCHEMA)), "yard", START)
        assert read(tmp_path, "yard", START, START + SECOND + 1)["to_come"].equals(given["to_come"])
