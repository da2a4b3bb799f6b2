"""What a calibration is worth: figures, warnings, a table of the picture, and a picture of it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rich.table import Table

from incidents.files import write_atomic
from vision.ground import FOOT_SIGMA
from zones.calibration import Calibration, calibrate
from zones.calibration.marks import rectangle_marks
from zones.calibration.spec import CalibrationSpec
from zones.calibration.survey import DISTANCE_M, GOOD_M, Survey, survey
from zones.errors import LazarettoError
from zones.geometry import extents
from zones.thresholds import ContactRule

Size = tuple[int, int]
Image = npt.NDArray[np.uint8]

NARROW = 0.15
"""Marks whose shortest extent is less than this share of their longest lie nearly in a line [D]."""
MUCH_BEYOND = 0.5
"""Share of the floor in view beyond the marks that is worth a warning [D]."""
FOCAL_UNSURE = 0.15
"""Relative error of a focal length that is worth a warning [D]."""


@dataclass(frozen=True)
class Report:
    """A calibration with what can be said of it.

    Attributes:
        spec, plane, size: what it is of, px.
        coarse: 8 x 6 cells; fine: 64 x 48.
        residuals: distance, m, of each mark from where the calibration puts it; of a rectangle's check
            lengths, found less measured; None for walking people.
        warnings: sentences.
    """

    spec: CalibrationSpec
    plane: Calibration
    size: Size
    coarse: Survey
    fine: Survey
    residuals: tuple[float, ...] | None
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON; errors by row of the picture, null where no floor can be judged."""

        def grid(values: npt.NDArray[np.float64]) -> list[list[float | None]]:
            return [[round(v, 4) if math.isfinite(v) else None for v in row] for row in values.tolist()]

        error = self.plane.check_error
        return {
            "calibration": self.spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
            "check_error_m": round(error, 4) if math.isfinite(error) else None,
            "residuals_m": None if self.residuals is None else [round(value, 4) for value in self.residuals],
            "distance_m": DISTANCE_M,
            "good_m": GOOD_M,
            "floor_share": round(self.fine.floor_share, 4),
            "good_share": round(self.fine.good_share, 4),
            "extrapolated_share": round(self.fine.extrapolated_share, 4),
            "position_se_m": grid(self.coarse.position_se),
            "distance_se_m": grid(self.coarse.distance_se),
            "calibration_se_m": grid(self.coarse.calibration_se),
            "warnings": list(self.warnings),
        }


def report(spec: CalibrationSpec, size: Size, more: tuple[str, ...] = ()) -> Report:
    """Judge a calibration for frames of `size`, px; `more` are warnings known from its making.

    Raises:
        CalibrationError: it does not fix the plane.
    """
    plane = calibrate(spec, size[0] / size[1])
    marks = _marks(spec)
    coarse, fine = survey(plane, FOOT_SIGMA, marks), survey(plane, FOOT_SIGMA, marks, 64, 48)
    warnings = [*more, *_warnings(spec, plane, fine)]
    return Report(spec, plane, size, coarse, fine, _residuals(spec, plane), tuple(warnings))


def _marks(spec: CalibrationSpec) -> npt.NDArray[np.float64] | None:
    if spec.points is not None:
        return np.array([mark.image for mark in spec.points], dtype=np.float64)
    return rectangle_marks(spec.rectangle)[0] if spec.rectangle is not None else None


def _residuals(spec: CalibrationSpec, plane: Calibration) -> tuple[float, ...] | None:
    if spec.points is not None:
        found = plane.ground([mark.image for mark in spec.points])
        offset = found - np.array([mark.ground for mark in spec.points])
        return tuple(np.hypot(offset[:, 0], offset[:, 1]).tolist())
    if spec.rectangle is None:
        return None
    lengths = spec.rectangle.check
    ends = [plane.ground(np.array([length.image[i] for length in lengths])) for i in (0, 1)]
    apart = np.hypot(*(ends[1] - ends[0]).T) if lengths else np.zeros(0)
    return tuple((apart - np.array([length.length for length in lengths])).tolist())


def _warnings(spec: CalibrationSpec, plane: Calibration, fine: Survey) -> list[str]:
    found = []
    limit = ContactRule().max_calibration_error_m
    if not math.isfinite(plane.check_error):
        needed = "a length measured on the floor" if spec.rectangle else "check marks, or a fifth mark"
        found.append(f"the error is not checked: give {needed}; until then no contact is judged")
    elif plane.check_error > limit:
        found.append(
            f"the check error of {plane.check_error:.2f} m is over {limit:.2f} m: no contact is judged "
            "(unless the facility's rules allow more)"
        )
    if spec.points is not None:
        for name in ("image", "ground"):
            long, short = extents([getattr(mark, name) for mark in spec.points])
            if short < NARROW * long:
                found.append(
                    f"the marks lie nearly in a line ({name}): across it, positions are poorly known"
                )
                break
    if fine.extrapolated_share > MUCH_BEYOND:
        found.append(
            f"{fine.extrapolated_share:.0%} of the floor in view lies beyond the marks, where errors that no "
            "mark shows (lens, slope) grow: put marks farther apart"
        )
    return found


def table(judged: Report) -> Table:
    """The picture in cells: the error of a distance of DISTANCE_M, and below it that of a position."""
    shown = Table(
        title=f"Standard error, m: of a distance of {DISTANCE_M:g} m between people; below it, of a place",
        title_justify="left",
        show_header=False,
        show_lines=True,
    )
    grid = judged.coarse
    for _ in range(grid.distance_se.shape[1]):
        shown.add_column(justify="center", no_wrap=True)
    for distance, position, inside in zip(grid.distance_se, grid.position_se, grid.inside, strict=True):
        cells = []
        for near, place, within in zip(distance.tolist(), position.tolist(), inside.tolist(), strict=True):
            if not math.isfinite(near):
                cells.append("-")
                continue
            style = "green" if near <= GOOD_M else "yellow" if near <= 2 * GOOD_M else "red"
            mark = "" if within else "*"
            cells.append(f"[{style}]{near:.2f}[/]{mark}\n{place:.2f}")
        shown.add_row(*cells)
    return shown


def summary(judged: Report) -> list[str]:
    """The figures in sentences."""
    lines = []
    error = judged.plane.check_error
    lines.append("Check error: " + (f"{error:.3f} m" if math.isfinite(error) else "not known"))
    if judged.residuals:
        if judged.spec.rectangle is not None:
            listed = ", ".join(f"{value:+.3f}" for value in judged.residuals)
            lines.append(f"Check lengths, found less measured, m: {listed}")
        else:
            worst = int(np.argmax(judged.residuals))
            mean = float(np.mean(judged.residuals))
            lines.append(
                f"Marks are missed by {mean:.3f} m on average, at most {judged.residuals[worst]:.3f} m "
                f"(mark {worst + 1})"
            )
    lines.append(
        f"A distance of {DISTANCE_M:g} m is known to within {GOOD_M:g} m (one standard error) on "
        f"{judged.fine.good_share:.0%} of the picture; floor that can be judged fills "
        f"{judged.fine.floor_share:.0%}"
    )
    if not judged.coarse.inside.all():
        lines.append("* beyond the marks")
    return lines


def draw(judged: Report, path: Path, frame: Image | None = None) -> None:
    """Write a picture of the errors, over a frame where there is one.

    Raises:
        LazarettoError: it cannot be written, or the name is not that of a PNG or JPEG.
    """
    width, height = judged.size
    canvas = np.full((height, width, 3), 60, np.uint8) if frame is None else frame.copy()
    fine = judged.fine.distance_se
    colour = np.zeros((*fine.shape, 3), np.uint8)
    colour[fine > 2 * GOOD_M] = (60, 60, 220)
    colour[fine <= 2 * GOOD_M] = (60, 200, 230)
    colour[fine <= GOOD_M] = (80, 180, 60)
    over = cv2.resize(colour, (width, height), interpolation=cv2.INTER_NEAREST)
    known = (
        cv2.resize(np.isfinite(fine).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    )
    blended = cv2.addWeighted(canvas, 0.65, over, 0.35, 0)
    canvas[known] = blended[known]
    scale = max(0.35, height / 1100)
    for centre, se in zip(
        judged.coarse.centres.reshape(-1, 2).tolist(), judged.coarse.distance_se.ravel().tolist(), strict=True
    ):
        if math.isfinite(se):
            text = f"{se:.2f}"
            (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
            at = (int(centre[0] * width - wide / 2), int(centre[1] * height + high / 2))
            for shade, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
                cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, shade, thick, cv2.LINE_AA)
    marks = _marks(judged.spec)
    for x, y in [] if marks is None else marks.tolist():
        cv2.drawMarker(canvas, (int(x * width), int(y * height)), (255, 255, 255), cv2.MARKER_CROSS, 14, 2)
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise LazarettoError(f"expected the map as a .png or .jpg file, got {path}")
    _, data = cv2.imencode(path.suffix, canvas)
    try:
        write_atomic(path, data.tobytes())
    except OSError as error:
        raise LazarettoError(f"cannot write {path}: {error.strerror or error}") from error


def as_json(judged: Report, more: dict[str, Any]) -> str:
    """The report as JSON text, with further entries."""
    return json.dumps({**judged.to_dict(), **more}, ensure_ascii=False, indent=1)
