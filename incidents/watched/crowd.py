"""People who hide each other: how many were seen so, and what is said of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from incidents.watched.picture import whole_picture_advice

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MIN_OVERLAP = 0.1
"""Share of a person's box within the box of another one from which the person counts as overlapped. At 416 px
of PETS 2009 S2.L1, 0.55 of such people are found and 0.89 of the others (docs/accuracy.md, "People").
Project default (docs/defaults.md)."""
MIN_CROWD_SHARE = 0.1
"""Share of person-seconds of overlapped people from which advice is given: as about half of them are missed,
about as many people are missing as are seen overlapped. Project default (docs/defaults.md)."""


def overlapped(rows: pl.DataFrame) -> Bools:
    """Whether the box of each person (N,) is overlapped by another box of the same instant.

    Args:
        rows: observations of one camera (N), in any order.
    """
    if rows.is_empty():
        return np.zeros(0, np.bool_)
    t = rows["t"].dt.timestamp("us").to_numpy()
    order = np.argsort(t, kind="stable")
    t, box = t[order], rows.select("x1", "y1", "x2", "y2").to_numpy().astype(np.float64)[order]
    area = np.maximum((box[:, 2:] - box[:, :2]).prod(axis=1), 1e-9)
    share = np.zeros(len(t))
    # Rows of one instant stand together: each is compared with those one place on, then two, and so on.
    for step in range(1, len(t)):
        first = np.flatnonzero(t[step:] == t[:-step])
        if not len(first):
            break
        second = first + step
        size = np.minimum(box[first, 2:], box[second, 2:]) - np.maximum(box[first, :2], box[second, :2])
        common = np.maximum(size, 0).prod(axis=1)
        share[first] = np.maximum(share[first], common / area[first])
        share[second] = np.maximum(share[second], common / area[second])
    result = np.zeros(len(t), np.bool_)
    result[order] = share >= MIN_OVERLAP
    return result


def crowd_advice(rows: pl.DataFrame, imgsz: int) -> str:
    """What is said where many people hide each other; "" where few do.

    Args:
        rows: the observations of an hour.
        imgsz: px of the longer side of the picture in which people were detected.
    """
    share = float(overlapped(rows).mean()) if len(rows) else 0.0
    if share < MIN_CROWD_SHARE:
        return ""
    return (
        f"camera {rows['camera'][0]}: people hide each other: {100 * share:.0f} % of the person-seconds are "
        "of people whose box another one overlaps, and about as many people were not found at all: counts "
        f"are too low; use {whole_picture_advice(rows, imgsz)}a view from higher up"
    )
