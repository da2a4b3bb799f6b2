"""The size of the picture in which people are looked for, as it is advised."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

MAX_IMGSZ = 1920
"""Longest side of the picture for person detection that an analysis takes, px."""
IMGSZ_STEP = 32
"""The side of the picture is a multiple of this, the stride of the detector, px."""


@dataclass(frozen=True, slots=True)
class DetectorView:
    """How the detector saw the picture.

    Attributes:
        imgsz: px of the longer side, to which the whole picture was scaled.
        regions: whether small people were also looked for in regions at the picture's own scale (the gate).
    """

    imgsz: int
    regions: bool = False

    def scale(self, longer: float) -> float:
        """The largest scale at which a small person was seen, px of the input per px of the picture.

        Args:
            longer: longer side of the picture, px.
        """
        scaled = self.imgsz / longer
        return max(1.0, scaled) if self.regions else scaled


def whole_picture_advice(rows: pl.DataFrame, imgsz: int) -> str:
    """The advice to look for people in the picture at its own size, followed by "or"; "" where that is done.

    Args:
        rows: observations, one at least.
        imgsz: px of the longer side of the picture in which people were detected.
    """
    longer = max(int(rows["width"][-1]), int(rows["height"][-1]))
    whole = min(MAX_IMGSZ, IMGSZ_STEP * math.ceil(longer / IMGSZ_STEP))
    return f"--imgsz {whole} into another home, or " if whole > imgsz else ""
