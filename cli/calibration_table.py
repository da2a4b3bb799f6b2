"""The table of the errors of a calibration for a terminal."""

from __future__ import annotations

import math

from rich.table import Table

from pipelines.calibration.report import Report
from zones.calibration.plane import REFERENCE_DISTANCE_M
from zones.calibration.survey import ACCEPTED_SE_M


def error_table(result: Report) -> Table:
    """The image in cells: the error of REFERENCE_DISTANCE_M, and below it the error of a position."""
    shown = Table(
        title=f"Standard error, m: of a distance of {REFERENCE_DISTANCE_M:g} m; below it, of a position",
        title_justify="left",
        show_header=False,
        show_lines=True,
    )
    grid = result.coarse
    for _ in range(grid.distance_se.shape[1]):
        shown.add_column(justify="center", no_wrap=True)
    for distance, position, inside in zip(grid.distance_se, grid.position_se, grid.inside, strict=True):
        cells = []
        for distance_se, position_se, within in zip(
            distance.tolist(), position.tolist(), inside.tolist(), strict=True
        ):
            if not math.isfinite(distance_se):
                cells.append("-")
                continue
            style = "red"
            if distance_se <= 2 * ACCEPTED_SE_M:
                style = "green" if distance_se <= ACCEPTED_SE_M else "yellow"
            mark = "" if within else "*"
            cells.append(f"[{style}]{distance_se:.2f}[/]{mark}\n{position_se:.2f}")
        shown.add_row(*cells)
    return shown
