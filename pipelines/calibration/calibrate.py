"""Finding a calibration by marks, a rectangle or walking people, and writing it to the facility file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.calibration.marks import calibration_schema, read_marks
from pipelines.calibration.report import Report, Size, report
from pipelines.facilities.writing import write_facility
from zones.calibration import CalibrationError, calibrate
from zones.calibration.people import PersonBoxes
from zones.calibration.spec import CalibrationSpec, MeasuredLength
from zones.calibration.walking import Assumptions, WalkingFit, fit_walking
from zones.editing import with_calibration
from zones.errors import LazarettoError
from zones.facility import load_facility
from zones.validation import explain

MAX_FOCAL_SE = 0.15
"""Relative standard error of a focal length above which there is a warning.

Project default (docs/defaults.md).
"""
WORSE_BY_M = 0.01
"""How much larger than that of the calibration in the facility file a check error may be, m: marks that are
clicked a pixel beside make as much. Project default (docs/defaults.md)."""
MAX_FOCAL_DEVIATION = 2.0
"""Deviation of a focal length from what is usual, in standard deviations, above which there is a warning."""


@dataclass(frozen=True)
class WalkingReport:
    """A calibration from walking people.

    Attributes:
        fit: the camera that was found, and how well the people determine it.
        report: the errors of the calibration.
    """

    fit: WalkingFit
    report: Report

    def to_dict(self) -> dict[str, Any]:
        """The report, ready for JSON."""
        fit = self.fit
        return {
            **self.report.to_dict(),
            "people": fit.spec.people,
            "boxes_seen": fit.seen,
            "boxes_whole": fit.usable,
            "boxes_used": fit.spec.boxes,
            "strides": fit.strides,
            "height_residual": fit.spec.residual,
            "height_residual_left_out": round(fit.shape_residual, 4),
            "focal_se": round(fit.focal_se, 4),
        }


def calibrate_by_marks(marks: Path, size: Size, check: Path | None = None) -> Report:
    """Calibrate a camera by marks on the floor.

    Args:
        marks: a file of marks, as `read_marks` reads it.
        size: width and height of the frames, px.
        check: a file of further marks, all of which are used to check the calibration only.

    Raises:
        LazarettoError: a file cannot be read, or the marks determine no ground plane.
    """
    fit, checks = read_marks(marks, size)
    if check is not None:
        for part in read_marks(check, size):
            checks = (*checks, *part)
    return report(_spec(points=fit, check=checks), size)


def calibrate_by_rectangle(
    corners: Sequence[tuple[float, float]],
    width_m: float,
    length_m: float,
    size: Size,
    check: Sequence[MeasuredLength] = (),
) -> Report:
    """Calibrate a camera by a rectangle on the floor.

    Args:
        corners: four image points in order around the rectangle, normalised.
        width_m: from the first to the second corner, m.
        length_m: from the second to the third corner, m.
        size: width and height of the frames, px.
        check: other measured lengths on the floor.

    Raises:
        LazarettoError: the corners determine no ground plane.
    """
    rectangle = {"corners": tuple(corners), "width": width_m, "length": length_m, "check": tuple(check)}
    return report(_spec(rectangle=rectangle), size)


def calibrate_by_walking(people: PersonBoxes, size: Size, assumed: Assumptions) -> WalkingReport:
    """Calibrate a camera by people who walk.

    Args:
        people: their boxes.
        size: width and height of the frames, px.
        assumed: what is known about the people and the lens.

    Raises:
        LazarettoError: the people determine no ground plane.
    """
    fit = fit_walking(people, assumed)
    warnings = []
    if fit.focal_se > MAX_FOCAL_SE:
        warnings.append(
            f"the focal length has a standard error of {fit.focal_se:.0%}, and so has depth: "
            "give the field of view of the camera"
        )
    if assumed.view_deg is None and fit.focal_unusual > MAX_FOCAL_DEVIATION:
        warnings.append(
            f"the focal length found, {fit.spec.focal:.2f} frame heights, is unusual for a surveillance "
            "camera: compare a measured distance, or give the field of view"
        )
    return WalkingReport(fit, report(CalibrationSpec(walking=fit.spec), size, tuple(warnings)))


def stored_calibration(facility: Path, camera: str) -> CalibrationSpec:
    """The calibration that a camera has in a facility file.

    Raises:
        LazarettoError: the file cannot be read, or the camera is unknown or has no calibration.
    """
    spec = load_facility(facility).camera(camera).calibration
    if spec is None:
        raise LazarettoError(f"expected a calibration of camera {camera!r} in {facility}, got none")
    return spec


def store_calibration(facility: Path, camera: str, found: Report, force: bool = False) -> None:
    """Write a calibration to a facility file; every other byte stays the same.

    Args:
        facility: the file.
        camera: id of the camera.
        found: the calibration, with its errors.
        force: replace a better calibration, too, as after a camera was moved.

    Raises:
        CalibrationError: the camera has a better calibration: its check error is smaller by over
            `WORSE_BY_M`, or is known where that of this one is not.
        LazarettoError: the file cannot be read, changed or written.
    """
    spec, known = found.spec, load_facility(facility)
    stored = known.camera(camera).calibration
    if stored is not None and not force:
        better = _check_error(stored, found.size)
        if math.isfinite(better) and found.plane.check_error > better + WORSE_BY_M:
            error = found.plane.check_error
            told = f"one of {error:.3f} m" if math.isfinite(error) else "one whose error is not checked"
            raise CalibrationError(
                f"camera {camera}: expected a check error of at most {better:.3f} m, that of the calibration "
                f"in {facility}, got {told}; it stays. --force replaces it, as after the camera was moved"
            )
    text = known.text
    write_facility(facility, with_calibration(text, camera, spec, str(facility)))


def _check_error(spec: CalibrationSpec, size: Size) -> float:
    """The check error of a calibration, m; infinite where it is not known, or there is no ground plane."""
    try:
        return calibrate(spec, size[0] / size[1]).check_error
    except CalibrationError:
        return math.inf


def _spec(**parts: Any) -> CalibrationSpec:
    try:
        return CalibrationSpec.model_validate(parts)
    except ValidationError as error:
        first = explain(error, "", lambda loc: 1, calibration_schema())
        where = f"{first.field}: " if first.field else ""
        raise CalibrationError(f"{where}{first.fault.sentence}") from None
