"""Measures that only the notebooks show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from incidents.comparison import Comparison
from zones.calibration import Calibration


def rule_name(kind: str, zone: str | None, camera: str = "") -> str:
    """The name of a rule for people, such as `zone crossing: yard west-gate`."""
    place = " ".join(part for part in (camera, zone) if part)
    return kind.replace("_", " ") + (f": {place}" if place else "")


def scores_table(comparison: Comparison) -> pl.DataFrame:
    """The scores of both files by the verdicts, a row for each rule and file; undefined shares are null."""
    rows = []
    for (kind, zone), (old, new) in comparison.scores.items():
        for file, score in (("old", old), ("new", new)):
            values = score.to_payload().to_dict()
            shown = ("raised", "confirmed", "missed", "false_alarms", "undecided", "precision", "recall")
            rows.append(
                {"rule": rule_name(kind, zone) or "all", "file": file, **{n: values[n] for n in shown}}
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def distances(
    observations: pl.DataFrame, planes: Sequence[Calibration], max_pairs: int = 4000
) -> list[npt.NDArray[np.float64]]:
    """Distances (N,), m, between two people in one frame, by each calibration.

    Args:
        observations: rows of the log, of one frame size.
        planes: the calibrations.
        max_pairs: most pairs; of more, a random sample that is always the same.
    """
    size = observations.select("width", "height").row(0)
    feet = observations.select("t", "track", "foot_x", "foot_y")
    pairs = feet.join(feet, on="t", suffix="_b").filter(pl.col("track") < pl.col("track_b"))
    if len(pairs) > max_pairs:
        pairs = pairs.sample(max_pairs, seed=0)
    ends = [
        pairs.select(names).to_numpy() / size for names in (("foot_x", "foot_y"), ("foot_x_b", "foot_y_b"))
    ]
    found = [np.hypot(*(plane.ground(ends[0]) - plane.ground(ends[1])).T) for plane in planes]
    known = np.all([np.isfinite(apart) for apart in found], axis=0)
    return [np.asarray(apart[known], dtype=np.float64) for apart in found]
