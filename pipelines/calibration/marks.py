"""Files of marks on the floor: tables in pixels, or YAML as in a facility file."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zones.calibration.spec import CalibrationPoint, CalibrationSpec
from zones.errors import LazarettoError
from zones.facility import json_schema
from zones.loading import read_document
from zones.validation import explain

COLUMNS = ("x", "y", "ground_x", "ground_y")
"""Required columns of a table of marks: px, px, m, m."""
Size = tuple[int, int]


def read_marks(path: Path, size: Size) -> tuple[tuple[CalibrationPoint, ...], tuple[CalibrationPoint, ...]]:
    """The marks and check marks of a file.

    CSV: columns x, y (px of the frame), ground_x, ground_y (m), and, where wanted, use (fit or check).
    YAML: `points` and `check` as in a facility file, shares of the frame.

    Raises:
        LazarettoError: the file cannot be read, or a line has no mark inside the frame.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LazarettoError(f"{path}: expected a file of marks, got {error}") from error
    if path.suffix.lower() in (".yaml", ".yml", ".json"):
        document = read_document(text, str(path))
        data = document.data.get("calibration", document.data)
        try:
            spec = CalibrationSpec.model_validate(data)
        except ValidationError as error:
            nested = data is not document.data
            raise explain(
                error,
                str(path),
                lambda loc: document.line(("calibration", *loc) if nested else loc),
                calibration_schema(),
            ) from None
        if spec.points is None:
            raise LazarettoError(f"{path}: expected `points`, got another kind of calibration")
        return spec.points, spec.check
    return _read_table(text, path, size)


def _read_table(
    text: str, path: Path, size: Size
) -> tuple[tuple[CalibrationPoint, ...], tuple[CalibrationPoint, ...]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if missing := [name for name in COLUMNS if name not in names]:
        raise LazarettoError(
            f"{path}: expected a table with the columns {', '.join(COLUMNS)} (x and y in px), "
            f"got none named {missing[0]}"
        )
    reader.fieldnames = names
    marks: dict[str, list[CalibrationPoint]] = {"fit": [], "check": []}
    for row in reader:
        where = f"{path}: line {reader.line_num}"
        use = (row.get("use") or "fit").strip().lower()
        if use not in marks:
            raise LazarettoError(f"{where}: expected fit or check in column use, got {use!r}")
        try:
            x, y, ground_x, ground_y = (float(row[name] or "") for name in COLUMNS)
        except ValueError:
            raise LazarettoError(f"{where}: expected four numbers, got {list(row.values())[:4]}") from None
        if not all(map(math.isfinite, (ground_x, ground_y))):
            raise LazarettoError(f"{where}: expected finite numbers, got {ground_x:g}, {ground_y:g}")
        marks[use].append(CalibrationPoint(image=normalise((x, y), size, where), ground=(ground_x, ground_y)))
    return tuple(marks["fit"]), tuple(marks["check"])


def calibration_schema() -> dict[str, Any]:
    """The JSON Schema of a calibration."""
    return {"$ref": "#/$defs/CalibrationSpec", "$defs": json_schema()["$defs"]}


def normalise(point: tuple[float, float], size: Size, where: str) -> tuple[float, float]:
    """A point in px as shares of the frame, to a tenth of a pixel of the largest frames.

    Raises:
        LazarettoError: the point lies outside the frame; `where` begins the message.
    """
    if not (0 <= point[0] <= size[0] and 0 <= point[1] <= size[1]):
        raise LazarettoError(
            f"{where}: expected a point inside the frame of {size[0]} x {size[1]} px, "
            f"got {point[0]:g}, {point[1]:g}"
        )
    return round(point[0] / size[0], 5), round(point[1] / size[1], 5)


def parse_points(text: str, count: int, size: Size, option: str) -> tuple[tuple[float, float], ...]:
    """Read `count` points in px, written `x,y x,y ...`, as shares of the frame.

    Raises:
        LazarettoError: the text has another form, or a point lies outside the frame.
    """
    try:
        points = [tuple(float(value) for value in part.split(",")) for part in text.split()]
    except ValueError:
        points = []
    if len(points) != count or any(len(point) != 2 for point in points):
        raise LazarettoError(
            f'{option}: expected {count} points in px, as in "120,340 600,338", got {text!r}'
        )
    return tuple(normalise((point[0], point[1]), size, option) for point in points)
