"""The calibration of a camera as the facility file holds it: marks, a rectangle, or a fitted camera."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from zones.errors import FaultCode
from zones.fields import Number, Point
from zones.geometry import area, crossing_edges, spread
from zones.validation import Model, refuse

MIN_SPREAD = 2e-3
"""Least `zones.geometry.spread` of calibration points: points nearer to one line determine no homography."""
MIN_RECTANGLE_SHARE = 1e-3
"""Smallest rectangle, as a share of the frame: 24 x 18 px of 768 x 576. The error of the corners of a smaller
one is too large."""

Length = Annotated[float, Field(strict=True, gt=0, le=1000, allow_inf_nan=False)]


class CalibrationPoint(Model):
    """A mark on the floor: where it is in the image, and where it was measured on the ground."""

    image: Point = Field(title="Image", description="[x, y], 0..1 of the frame, x right, y down.")
    ground: tuple[Number, Number] = Field(
        title="Ground", description="[x, y] in metres, any origin and axes."
    )


class MeasuredLength(Model):
    """A length on the floor that was measured with a tape, between two places seen in the image."""

    image: tuple[Point, Point] = Field(title="Image", description="Its two ends, [x, y] each, 0..1.")
    length: Length = Field(title="Length", description="Measured on the ground, m.")

    @model_validator(mode="after")
    def _has_two_ends(self) -> Self:
        if self.image[0] == self.image[1]:
            refuse("two distinct ends", "one point twice", "image", code=FaultCode.GEOMETRY)
        return self


class RectangleSpec(Model):
    """A rectangle on the floor whose sides are known: tiles, a mat, a marked bay."""

    corners: Annotated[tuple[Point, ...], Field(min_length=4, max_length=4)] = Field(
        title="Corners", description="Four, in order around the rectangle, [x, y], 0..1 of the frame."
    )
    width: Length = Field(title="Width", description="From the first to the second corner, m.")
    length: Length = Field(title="Length", description="From the second to the third corner, m.")
    check: tuple[MeasuredLength, ...] = Field(
        default=(),
        max_length=200,
        title="Check lengths",
        description="Other lengths measured on the floor; their mean error is reported.",
    )

    @model_validator(mode="after")
    def _is_convex_and_large_enough(self) -> Self:
        ring = np.asarray(self.corners)
        turns = np.roll(ring, -1, axis=0) - ring
        after = np.roll(turns, -1, axis=0)
        sense = np.sign(turns[:, 0] * after[:, 1] - turns[:, 1] * after[:, 0])
        if crossing_edges(ring) is not None or abs(sense.sum()) != 4:
            expected = "four corners in order around a rectangle, which make a convex shape"
            refuse(expected, "a shape that is not convex", "corners", code=FaultCode.GEOMETRY)
        if (size := area(ring)) < MIN_RECTANGLE_SHARE:
            expected = f"a rectangle of at least {MIN_RECTANGLE_SHARE:g} of the frame"
            refuse(expected, f"{size:.2g}", "corners", code=FaultCode.GEOMETRY)
        return self


class WalkingSpec(Model):
    """A camera found from people who walked in its view, and how well they determine it.

    A pinhole with square pixels and its principal point at the centre of the frame, over a level floor.
    Ground axes: x to the right, y away from the camera, from the point below it.
    """

    focal: Annotated[float, Field(strict=True, gt=0.1, lt=50)] = Field(
        title="Focal length", description="In frame heights."
    )
    pitch_deg: Annotated[float, Field(strict=True, gt=-45, lt=90)] = Field(
        title="Pitch", description="Angle of the viewing direction below the horizontal, degrees."
    )
    roll_deg: Annotated[float, Field(strict=True, gt=-45, lt=45)] = Field(
        title="Roll", description="Turn about the viewing direction, clockwise in the image, degrees."
    )
    height_m: Annotated[float, Field(strict=True, gt=0.3, lt=200)] = Field(
        title="Height", description="Of the camera above the floor, m."
    )
    mean_height_m: Annotated[float, Field(strict=True, ge=0.5, le=2.5)] = Field(
        title="Mean height", description="Of the people, as assumed, shoes included, m."
    )
    height_sd_m: Annotated[float, Field(strict=True, gt=0, le=0.5)] = Field(
        title="Spread of heights", description="Standard deviation between people, m."
    )
    people: Annotated[int, Field(strict=True, ge=1)] = Field(title="PersonBoxes", description="Tracks used.")
    boxes: Annotated[int, Field(strict=True, ge=1)] = Field(title="Boxes", description="Boxes used.")
    residual: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] = Field(
        title="Residual", description="Root mean square of the boxes' relative height residuals."
    )
    check_error_m: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] = Field(
        title="Check error", description="Expected error of a distance of 2 m among the people, m."
    )
    covariance: tuple[tuple[Number, Number, Number, Number], ...] = Field(
        min_length=4,
        max_length=4,
        title="Covariance",
        description="Of ln focal, pitch and roll in radians, ln height: four rows of four.",
    )

    @model_validator(mode="after")
    def _covariance_is_valid(self) -> Self:
        matrix = np.asarray(self.covariance)
        size = float(np.abs(matrix).max())
        symmetric = np.allclose(matrix, matrix.T, atol=1e-6 * size)
        if not symmetric or np.linalg.eigvalsh(matrix)[0] < -1e-4 * size:
            expected, got = "a symmetric matrix", "a matrix that is not"
            if symmetric:
                expected, got = "a matrix without negative variances", "a negative eigenvalue"
            refuse(expected, got, "covariance", code=FaultCode.GEOMETRY)
        return self


class CalibrationSpec(Model):
    """What determines the ground plane of a camera: marks, a rectangle, or people who walked."""

    points: tuple[CalibrationPoint, ...] | None = Field(
        default=None, min_length=4, max_length=200, title="Points", description="Marks on the floor."
    )
    check: tuple[CalibrationPoint, ...] = Field(
        default=(),
        max_length=200,
        title="Check points",
        description="Marks not used in the fit; their mean error is reported.",
    )
    rectangle: RectangleSpec | None = Field(
        default=None, title="Rectangle", description="A known rectangle on the floor, in place of points."
    )
    walking: WalkingSpec | None = Field(
        default=None,
        title="Walking people",
        description="Written by `lazaretto calibrate walking`, in place of points.",
    )

    @model_validator(mode="after")
    def _determines_a_plane(self) -> Self:
        ways = ("points", "rectangle", "walking")
        given = [name for name in ways if getattr(self, name) is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none"
            refuse(f"exactly one of {', '.join(ways)}", got, code=FaultCode.CONFLICT)
        if self.points is None:
            if self.check:
                got = f"check points with {given[0]}"
                refuse("check points only with points", got, "check", code=FaultCode.CONFLICT)
            return self
        for field in ("image", "ground"):
            if spread([getattr(point, field) for point in self.points]) < MIN_SPREAD:
                expected = "4 points of which no 3 lie on one line"
                got = f"{field} points that lie too near to one line"
                refuse(expected, got, "points", code=FaultCode.GEOMETRY)
        return self
