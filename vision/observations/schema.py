"""The columns of the observation log, its place on disk and its errors."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from vision.frames import SECOND, to_iso
from zones.errors import LazarettoError

SCHEMA: dict[str, pl.DataType] = {
    "camera": pl.String(),
    "t": pl.Datetime("us", "UTC"),
    "frame": pl.Int64(),
    "track": pl.Int64(),
    "width": pl.Int32(),
    "height": pl.Int32(),
    "x1": pl.Float32(),
    "y1": pl.Float32(),
    "x2": pl.Float32(),
    "y2": pl.Float32(),
    "score": pl.Float32(),
    "foot_x": pl.Float32(),
    "foot_y": pl.Float32(),
    "ground_x": pl.Float32(),
    "ground_y": pl.Float32(),
    "ground_se": pl.Float32(),
    "face_height": pl.Float32(),
    "face_change": pl.Float32(),
    "mask_masked": pl.Float32(),
    "mask_unmasked": pl.Float32(),
    "mask_incorrect": pl.Float32(),
    "mask_reason": pl.String(),
    "role_resident": pl.Float32(),
    "role_staff_ppe": pl.Float32(),
    "role_staff_no_ppe": pl.Float32(),
    "role_outsider": pl.Float32(),
}
"""Columns of the log. Boxes, foot points and face heights are in px of the frame, ground positions in metres;
null = not known. `face_change` is the change of the image around the face since the previous reading
(`vision.liveness`)."""

LOG_FOLDER = "observations"
"""Folder of the log below the home folder."""
HOUR = 3600 * SECOND
"""Microseconds in an hour, the time that one folder of the log covers."""
ALL_TIME = (0, 4_102_444_800 * SECOND)
"""A time range (microseconds UTC, 1970 to 2100) that covers every row of a log."""


class ObservationError(LazarettoError):
    """The observation log cannot be read or written."""


class TornError(ObservationError):
    """A file of the log is torn (corrupt): truncated, overwritten, or not a file of the log at all.

    Attributes:
        path: the file.
        why: what is wrong with the file.
    """

    def __init__(self, path: Path, why: str) -> None:
        """Build the message."""
        super().__init__(
            f"{path}: expected a whole file of the observation log, got one that is torn ({why}); "
            "`lazaretto observations recover` sets it aside and says what is lost"
        )
        self.path, self.why = path, why


def stamp(t: int) -> str:
    """A time (microseconds UTC) as file names of the log give it; such names sort by time."""
    return re.sub(r"[-:]", "", to_iso(t))


def check_rows(rows: pl.DataFrame, camera: str) -> None:
    """Refuse rows that are not observations of that camera.

    Raises:
        ObservationError: the rows do not have the log's schema or are of another camera.
    """
    if rows.columns != list(SCHEMA) or rows.dtypes != list(SCHEMA.values()):
        raise ObservationError(f"expected the columns {list(SCHEMA)}, got {rows.columns}")
    if others := set(rows["camera"].to_list()) - {camera}:
        raise ObservationError(f"expected observations of camera {camera!r}, got some of {others.pop()!r}")


def empty() -> pl.DataFrame:
    """Return a table with the columns of the log and no rows."""
    return pl.DataFrame(schema=SCHEMA)
