"""Types of the fields of a facility file: numbers, shares, seconds, metres and image points."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from zones.errors import FaultCode
from zones.validation import refuse

_SURELY_PX = 2
"""A coordinate from here on is taken for pixels: it lies a whole picture outside, too far for a slip."""


def _check_point(point: tuple[float, float]) -> tuple[float, float]:
    if not all(0 <= value <= 1 for value in point):
        refuse(
            "a point inside the frame (x and y from 0 to 1)",
            str(list(point)),
            code=FaultCode.OUT_OF_RANGE,
            hint="points are shares of the picture, not pixels" if max(point) >= _SURELY_PX else "",
        )
    return point


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(strict=True, ge=0, le=86_400, allow_inf_nan=False)]
Metres = Annotated[float, Field(strict=True, gt=0, le=100, allow_inf_nan=False)]
Coordinate = Annotated[Number, Field(json_schema_extra={"minimum": 0, "maximum": 1})]
"""Without bounds of its own: `Point` checks both coordinates, so that the error shows the whole point."""
Point = Annotated[tuple[Coordinate, Coordinate], AfterValidator(_check_point)]
"""[x, y], shares of the frame, x right, y down."""
