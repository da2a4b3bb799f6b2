"""Numbers and image points as the facility file holds them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from zones.validation import refuse


def _check_point(point: tuple[float, float]) -> tuple[float, float]:
    if not all(0 <= value <= 1 for value in point):
        refuse(f"expected a point inside the frame (x and y from 0 to 1), got {list(point)}")
    return point


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Unit = Annotated[Number, Field(json_schema_extra={"minimum": 0, "maximum": 1})]
Point = Annotated[tuple[Unit, Unit], AfterValidator(_check_point)]
"""[x, y], shares of the frame, x right, y down."""
