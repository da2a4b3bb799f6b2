"""Rows of the observation log as small integers, and back: what is rounded is rounded here, once.

What a camera cannot know is not kept: boxes are rounded to 1/2048 to 1/1024 of the frame's height, half a
pixel at 576 or 720 lines, one at 1080. What detected boxes jump by from frame to frame is several times that
(`vision.ground.FOOT_SIGMA`: 3 % of a person's height). Time, frame and track stay exact.

Rows are sorted by track and time, so that a row differs little from the one before; of what moves, that
difference is kept. What follows from other columns is not kept at all: the foot point from the box, and the
position on the ground, which depends on the camera's calibration as it is when rules judge
(`vision.ground.locate`). Rounding what is rounded already changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from vision.observations.schema import SCHEMA, ObservationError

SHARE = 250
"""Steps from 0 to 1 of scores and probabilities: 0.004 each; their calibration error is 0.018 at best."""
CHANGE = 1000
"""Steps from 0 to 1 of `face_change`, of which rules ask for as little as 0.01."""
FACE = 4
"""Steps to a pixel of `face_height`: rules ask for whole pixels."""
LINES = 1024
"""A box is rounded to the power of two px that divides the frame's height into this many steps, or less than
twice as many [D]."""
MOST = 2**22
"""Steps: farther than this no value can be, and float32 still tells the steps apart."""

BOX = ("x1", "y1", "x2", "y2")
_ROLES = ("role_resident", "role_staff_ppe", "role_staff_no_ppe", "role_outsider")
_STEPS = {
    **dict.fromkeys(("score", "mask_masked", "mask_unmasked", "mask_incorrect", *_ROLES), SHARE),
    "face_height": FACE,
    "face_change": CHANGE,
}
_MOVING = ("t", "frame", *BOX)
"""Kept as the difference from the row before that has a value."""
_FEET = {"foot_x": ("x1", "x2"), "foot_y": ("y2",)}
"""Kept as steps from the mean of these, nearly always none."""
_DERIVED = ("ground_x", "ground_y", "ground_se")


def pack(rows: pl.DataFrame) -> pl.DataFrame:
    """Round rows of `SCHEMA` and pack them, sorted by track and time; rows that tie stay in their order.

    Columns beyond the schema are taken along as they are.

    Raises:
        ObservationError: a row has no time, or a number beyond all measure.
    """
    if rows["t"].null_count():
        raise ObservationError("expected a time in every row of the observation log, got a row without")
    rows = rows.sort("track", "t", maintain_order=True)
    unit = _unit(rows["height"])
    exact = rows.select(pl.col(*BOX, *_FEET, *_STEPS).cast(pl.Float64).fill_nan(None))
    boxes = exact.select((pl.col(name) / unit).round() for name in BOX)
    feet = [
        (
            pl.when((pl.col(name) - pl.mean_horizontal(base, ignore_nulls=False)).abs() <= unit / 4)
            .then(0.0)
            .otherwise(pl.col(name) / unit - boxes.select(_middle(base)).to_series())
            .alias(name)
        )
        for name, base in _FEET.items()
    ]
    steps = exact.select(*feet, *(pl.col(name) * per for name, per in _STEPS.items())).select(
        pl.all().round()
    )
    steps = pl.concat([boxes, steps], how="horizontal")
    beyond = steps.select((pl.all().abs() > MOST).any()).row(0, named=True)
    if any(beyond.values()):
        raise ObservationError(
            f"expected no value in the observation log beyond {MOST} steps of its column, got "
            + ", ".join(name for name, is_beyond in beyond.items() if is_beyond)
        )
    steps = steps.cast(pl.Int32).with_columns(mask_incorrect=_rest())
    others = rows.drop(*steps.columns, *_DERIVED).with_columns(pl.col("t").dt.timestamp("us"))
    packed = pl.concat([others, steps], how="horizontal")
    return packed.with_columns(
        pl.col(name) - pl.col(name).forward_fill().shift(1).fill_null(0) for name in _MOVING
    )


def rounded(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of `SCHEMA` as the log gives them back; see `pack` and `unpack`."""
    return unpack(pack(rows), {})


def constant_columns(packed: pl.DataFrame) -> dict[str, Any]:
    """The columns of which every row says the same, with what they say; `unpack` fills them in again."""
    alike = [name for name in packed.columns if name not in ("t", "track") and packed[name].n_unique() <= 1]
    values = {name: packed[name][0] if len(packed) else None for name in alike}
    return {name: value for name, value in values.items() if name not in _MOVING or not value}


def unpack(packed: pl.DataFrame, constant: Mapping[str, Any]) -> pl.DataFrame:
    """What `pack` packed, sorted by time and track, with columns beyond the schema last.

    What is derived from the calibration is null.

    Args:
        packed: the columns that are not `constant`, which was said by `same`.
    """
    rows = packed.with_columns(pl.col(name).cum_sum() for name in _MOVING if name in packed.columns)
    # Stable, and fast on what consists of runs in order of time.
    rows = rows[np.argsort(rows["t"].to_numpy(), kind="stable")]
    # A column that an older version did not write is one that is not known.
    unwritten = [name for name in SCHEMA if name not in (*packed.columns, *constant, *_DERIVED)]
    filled = {**constant, **dict.fromkeys(unwritten)}
    rows = rows.with_columns(pl.lit(value, _kind(name)).alias(name) for name, value in filled.items())
    unit = _unit(rows["height"])
    values = {
        **{name: pl.col(name) * unit for name in BOX},
        **{name: (pl.col(name) + _middle(base)) * unit for name, base in _FEET.items()},
        **{name: pl.col(name) / per for name, per in _STEPS.items()},
        "mask_incorrect": _rest() / SHARE,
        **{name: pl.lit(None) for name in _DERIVED},
        "t": pl.from_epoch("t", "us").dt.replace_time_zone("UTC"),
    }
    more = [name for name in rows.columns if name not in SCHEMA]
    return rows.select(
        *(values.get(name, pl.col(name)).cast(kind).alias(name) for name, kind in SCHEMA.items()), *more
    )


def _kind(name: str) -> pl.DataType:
    return pl.Int32() if name in (*BOX, *_FEET, *_STEPS) else SCHEMA.get(name, pl.Int32())


def _middle(base: tuple[str, ...]) -> pl.Expr:
    return pl.mean_horizontal(base, ignore_nulls=False).fill_null(0)


def _rest() -> pl.Expr:
    """Probabilities of masks add up to 1: what the third lacks to that. Its own inverse."""
    return SHARE - pl.sum_horizontal("mask_masked", "mask_unmasked") - pl.col("mask_incorrect")


def _unit(heights: pl.Series) -> pl.Expr:
    """What boxes are rounded to, px, by the frame's height."""
    units = {h: 2.0 ** (math.frexp((h or LINES) / LINES)[1] - 1) for h in heights.unique().to_list()}
    if len(units) <= 1:
        return pl.lit(next(iter(units.values()), 1.0))
    return pl.lit(heights.replace_strict(units, return_dtype=pl.Float64))
