"""Packing rows of the observation log: values are rounded and stored as small integers.

Rounding is coarser than float32 but finer than what a camera measures. Boxes are rounded to 1/2048 to 1/1024
of the frame's height: half a pixel at 576 or 720 lines, one pixel at 1080 lines. Detected boxes jitter by
several times that from frame to frame (`vision.ground.FOOT_SIGMA`: 3 % of a person's height). Time, frame
number and track id stay exact. Rounding is idempotent: rounded rows stay as they are.

Packed rows are sorted by track and time, because consecutive rows of a track differ little. Columns that
change steadily are stored as differences from the previous row. Columns that follow from others are not
stored as they are: foot points are stored as offsets from the box, usually zero; ground positions are left
out, because rules compute them from the camera's calibration in force at that time (`vision.ground.locate`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
import polars as pl

from vision.observations.schema import SCHEMA, ObservationError

Constant: TypeAlias = str | int | float | None
"""Value of a column that has the same value in all rows."""

SHARE_STEPS = 250
"""Steps from 0 to 1 of scores and probabilities: 0.004 each; their calibration error is 0.018 at best."""
FACE_CHANGE_STEPS = 1000
"""Steps from 0 to 1 of `face_change`; the smallest threshold of a rule is 0.01."""
FACE_HEIGHT_STEPS = 4
"""Steps per pixel of `face_height`; thresholds of rules are whole pixels."""
MIN_LINES = 1024
"""Boxes are rounded to the power of two (px) that divides the frame's height into this many steps, or into
fewer than twice as many. Project default (docs/defaults.md)."""
MAX_STEPS = 2**22
"""Largest value that can be stored, in steps of its column; float32 still represents every step below it."""

BOX = ("x1", "y1", "x2", "y2")
_ROLES = ("role_resident", "role_staff_ppe", "role_staff_no_ppe", "role_outsider")
_STEPS = {
    **dict.fromkeys(("score", "mask_masked", "mask_unmasked", "mask_incorrect", *_ROLES), SHARE_STEPS),
    "face_height": FACE_HEIGHT_STEPS,
    "face_change": FACE_CHANGE_STEPS,
}
"""Columns that are stored as whole numbers of steps, with the steps per unit."""
_DELTA_CODED = ("t", "frame", *BOX)
"""Columns that are stored as the difference from the previous row that has a value."""
_FEET = {"foot_x": ("x1", "x2"), "foot_y": ("y2",)}
"""Foot columns, stored as the offset (in steps) from the mean of these box columns; nearly always 0."""
DERIVED = ("ground_x", "ground_y", "ground_se")
"""Columns that are not stored: they follow from the others and from the camera's calibration."""


def pack(rows: pl.DataFrame) -> pl.DataFrame:
    """Round and pack rows of `SCHEMA`, sorted by track and time; rows that tie keep their order.

    Columns beyond the schema are kept as they are.

    Raises:
        ObservationError: a row has no time, or a value beyond `MAX_STEPS`.
    """
    if rows["t"].null_count():
        raise ObservationError("expected a time in every row of the observation log, got a row without")
    rows = rows.sort("track", "t", maintain_order=True)
    unit = _box_unit(rows["height"])
    exact = rows.select(pl.col(*BOX, *_FEET, *_STEPS).cast(pl.Float64).fill_nan(None))
    boxes = exact.select((pl.col(name) / unit).round() for name in BOX)
    feet = [
        (
            pl.when((pl.col(name) - pl.mean_horizontal(base, ignore_nulls=False)).abs() <= unit / 4)
            .then(0.0)
            .otherwise(pl.col(name) / unit - boxes.select(_foot_base(base)).to_series())
            .alias(name)
        )
        for name, base in _FEET.items()
    ]
    steps = exact.select(*feet, *(pl.col(name) * per for name, per in _STEPS.items())).select(
        pl.all().round()
    )
    steps = pl.concat([boxes, steps], how="horizontal")
    too_large = steps.select((pl.all().abs() > MAX_STEPS).any()).row(0, named=True)
    if any(too_large.values()):
        raise ObservationError(
            f"expected no value in the observation log beyond {MAX_STEPS} steps of its column, got "
            + ", ".join(name for name, is_too_large in too_large.items() if is_too_large)
        )
    steps = steps.cast(pl.Int32).with_columns(mask_incorrect=_mask_remainder())
    others = rows.drop(*steps.columns, *DERIVED).with_columns(pl.col("t").dt.timestamp("us"))
    packed = pl.concat([others, steps], how="horizontal")
    return packed.with_columns(
        pl.col(name) - pl.col(name).forward_fill().shift(1).fill_null(0) for name in _DELTA_CODED
    )


def check_storable(rows: pl.DataFrame) -> None:
    """Refuse the rows that `pack` refuses; takes a tenth of its time unless a value is very large.

    Raises:
        ObservationError: see `pack`.
    """
    # A unit is more than a 2048th of the height, so places up to `sure` are up to MAX_STEPS / 2 steps, and
    # a foot point differs from its box by up to MAX_STEPS. A height that is no height leaves nothing sure.
    height = rows["height"].min()
    lines = min(height if isinstance(height, int) else MIN_LINES, MIN_LINES)
    sure = MAX_STEPS / 2 * lines / (2 * MIN_LINES)
    if (
        rows["t"].null_count()
        or _magnitude(rows, (*BOX, *_FEET)) > sure
        or _magnitude(rows, _STEPS) > MAX_STEPS / max(_STEPS.values()) - 1
    ):
        pack(rows)


def rounded(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of `SCHEMA` as they are read back from the log: packed and unpacked."""
    return unpack(pack(rows), {})


def constant_columns(packed: pl.DataFrame) -> dict[str, Constant]:
    """The columns of packed rows that have the same value in all rows, with that value.

    `unpack` restores them. Time and track are never among them; a difference only if it is always 0.
    """
    alike = [name for name in packed.columns if name not in ("t", "track") and packed[name].n_unique() <= 1]
    values: dict[str, Constant] = {name: packed[name][0] if len(packed) else None for name in alike}
    return {name: value for name, value in values.items() if name not in _DELTA_CODED or not value}


def unpack(packed: pl.DataFrame, constant: Mapping[str, Constant]) -> pl.DataFrame:
    """Restore packed rows, sorted by time and track; columns beyond the schema come last.

    Ground positions are null.

    Args:
        packed: the columns that are not `constant`.
        constant: the others, as `constant_columns` gave them.
    """
    rows = packed.with_columns(pl.col(name).cum_sum() for name in _DELTA_CODED if name in packed.columns)
    # A stable sort is fast here: the rows of each track are already in order of time.
    rows = rows[np.argsort(rows["t"].to_numpy(), kind="stable")]
    # A column that an older version did not write holds unknown values.
    unwritten = [name for name in SCHEMA if name not in (*packed.columns, *constant, *DERIVED)]
    filled = {**constant, **dict.fromkeys(unwritten)}
    rows = rows.with_columns(pl.lit(value, _packed_type(name)).alias(name) for name, value in filled.items())
    unit = _box_unit(rows["height"])
    values = {
        **{name: pl.col(name) * unit for name in BOX},
        **{name: (pl.col(name) + _foot_base(base)) * unit for name, base in _FEET.items()},
        **{name: pl.col(name) / per for name, per in _STEPS.items()},
        "mask_incorrect": _mask_remainder() / SHARE_STEPS,
        **{name: pl.lit(None) for name in DERIVED},
        "t": pl.from_epoch("t", "us").dt.replace_time_zone("UTC"),
    }
    more = [name for name in rows.columns if name not in SCHEMA]
    return rows.select(
        *(values.get(name, pl.col(name)).cast(kind).alias(name) for name, kind in SCHEMA.items()), *more
    )


def _magnitude(rows: pl.DataFrame, names: Iterable[str]) -> float:
    """The largest magnitude in columns of rows, 0 if they have no value; NaN does not count."""
    values = np.stack([rows[name].to_numpy() for name in names])
    return float(np.fmax.reduce(np.abs(values), axis=None, initial=0))


def _packed_type(name: str) -> pl.DataType:
    return pl.Int32() if name in (*BOX, *_FEET, *_STEPS) else SCHEMA.get(name, pl.Int32())


def _foot_base(base: tuple[str, ...]) -> pl.Expr:
    return pl.mean_horizontal(base, ignore_nulls=False).fill_null(0)


def _mask_remainder() -> pl.Expr:
    """What the three mask probabilities lack to a sum of 1, in steps; it is stored as `mask_incorrect`.

    The three usually sum to 1, so that the stored value is nearly always 0. The same expression restores
    `mask_incorrect` from the stored value.
    """
    return SHARE_STEPS - pl.sum_horizontal("mask_masked", "mask_unmasked") - pl.col("mask_incorrect")


def _box_unit(heights: pl.Series) -> pl.Expr:
    """The unit (px) to which the boxes of each row are rounded, from the height of its frame."""
    units = {h: 2.0 ** (math.frexp((h or MIN_LINES) / MIN_LINES)[1] - 1) for h in heights.unique().to_list()}
    if len(units) <= 1:
        return pl.lit(next(iter(units.values()), 1.0))
    return pl.lit(heights.replace_strict(units, return_dtype=pl.Float64))
