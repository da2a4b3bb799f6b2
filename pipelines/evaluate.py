"""Accuracy against truth, measured through the code that runs in production."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vision.decoding import Loss
from vision.files import open_source
from vision.frames import SECOND, Frame
from vision.perception import Eyes, Perception, Row
from vision.timeline import SourceError
from zones.errors import LazarettoError
from zones.facility import Camera, Place


@dataclass(frozen=True)
class TrackingFigures:
    """How well people are found and kept apart, on the analysed frames alone, IoU 0.5.

    Attributes:
        frames: analysed, and the rate at which they were analysed, per second of footage.
        mota, idf1: CLEAR MOT accuracy (Bernardin and Stiefelhagen 2008) and identity F1 (Ristani 2016).
        hota: higher order tracking accuracy (Luiten 2021), mean over IoU thresholds.
        switches, false_positives, misses: counts; truth: number of true boxes.
    """

    frames: int
    rate: float
    mota: float
    idf1: float
    hota: float
    switches: int
    false_positives: int
    misses: int
    truth: int


def track(
    video: Path, eyes: Eyes, source_fps: float | None = None
) -> tuple[NDArray[np.int64], float, pl.DataFrame]:
    """Follow people through a video: indices of the analysed frames, their rate per second, observations.

    Raises:
        SourceError: the video cannot be read, or a part of it cannot.
    """
    camera = Camera(id="evaluated", place=Place.OTHER_PUBLIC)
    source = open_source(video, camera.id, 0, source_fps)
    perception = Perception(eyes, camera, "evaluation")
    indices: list[int] = []
    rows: list[Row] = []
    last = 0
    batch: list[Frame] = []
    for item in source.frames(None, round(SECOND / eyes.settings.fps)):
        if isinstance(item, Loss):
            raise SourceError(f"{video}: expected a video without faults, got one: {item.cause}")
        batch.append(item)
        indices.append(item.index)
        last = item.t
        if len(batch) == eyes.detector.batch:
            rows += perception.observe(batch, perception.detect(batch))
            batch = []
    rows += perception.observe(batch, perception.detect(batch))
    rate = (len(indices) - 1) / (last / SECOND) if last else 0.0
    return np.array(indices), rate, perception.tabulate(rows)


def tracking(video: Path, truth: Path, eyes: Eyes, source_fps: float | None = None) -> TrackingFigures:
    """Compare tracks with truth in MOT text (frame from 1, id, left, top, width, height, px).

    Raises:
        SourceError: the video cannot be read.
        LazarettoError: the truth cannot be read, or is of no analysed frame.
    """
    from trackers.eval import evaluate_mot_sequence

    try:
        true = np.loadtxt(truth, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise LazarettoError(f"{truth}: expected truth in MOT text, got {error}") from error
    indices, rate, seen = track(video, eyes, source_fps)
    number = {int(index): position + 1 for position, index in enumerate(indices)}
    kept = [[number[int(row[0]) - 1], *row[1:]] for row in true if int(row[0]) - 1 in number]
    if not kept:
        raise LazarettoError(f"{truth}: expected truth of the {len(indices)} analysed frames, got none")
    people = {track: position + 1 for position, track in enumerate(seen["track"].unique(maintain_order=True))}
    rows = [
        [number[frame], people[track], x1, y1, x2 - x1, y2 - y1, score, -1, -1, -1]
        for frame, track, x1, y1, x2, y2, score in seen.select(
            "frame", "track", "x1", "y1", "x2", "y2", "score"
        ).iter_rows()
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, table in (("truth.txt", kept), ("found.txt", rows)):
            np.savetxt(Path(folder) / name, np.array(table).reshape(len(table), -1), delimiter=",", fmt="%g")
        result = evaluate_mot_sequence(
            Path(folder) / "truth.txt", Path(folder) / "found.txt", ["CLEAR", "Identity", "HOTA"]
        )
    clear = result.CLEAR
    return TrackingFigures(
        frames=len(indices),
        rate=round(rate, 2),
        mota=round(float(clear.MOTA), 4),
        idf1=round(float(result.Identity.IDF1), 4),
        hota=round(float(result.HOTA.HOTA), 4),
        switches=int(clear.IDSW),
        false_positives=int(clear.CLR_FP),
        misses=int(clear.CLR_FN),
        truth=len(kept),
    )
