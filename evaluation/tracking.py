"""How well people are found and kept apart in a video: HOTA, MOTA and IDF1 against true tracks.

On the analysed frames alone, at IoU 0.5 (HOTA: over 0.05 to 0.95): CLEAR MOT (Bernardin and Stiefelhagen
2008), identity F1 (Ristani et al. 2016), HOTA (Luiten et al. 2021), by `trackers.eval`.

The intervals come from blocks of consecutive frames (10 s) drawn anew (Carlstein 1986): frames that
follow each other show nearly the same, so drawing single frames would make the intervals far too narrow.
People keep their ids in all blocks. False boxes, misses and switches are counted once, where they happen
in the whole video, and added up over the blocks drawn; HOTA and IDF1, which ask what an id was over all
frames but not in which order, are computed anew on the blocks drawn. The limit: the blocks are of one
scene, seen by one camera on one day, and people stay longer than a block. An interval says how much the
figure owes to the moments of this video, not what another camera would give; it is rather too narrow. And
a draw holds fewer different moments of each person than the video does, so that its ids agree better: the
intervals of HOTA and IDF1 lean upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import linear_sum_assignment

from evaluation.bootstrap import draws, figure
from evaluation.formats import Tracks, TruthError
from evaluation.precision import overlaps
from incidents.intervals import Estimate
from pipelines.observe_footage import ObservedFootage
from vision.frames import SECOND

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]
"""Told, as draws are computed: how many are done, and of how many."""

BLOCK_S = 10.0
IOU = 0.5
COUNTED = ("switches", "false_positives", "misses")
"""Figures that are counts."""
COUNTS = ("CLR_TP", "CLR_FP", "CLR_FN", "IDSW")


@dataclass(frozen=True)
class Scene:
    """True and found people frame by frame: F frames.

    Attributes:
        true: per frame, ids (G,) of the true people.
        found: per frame, ids (D,) of the people found.
        overlap: per frame, intersection over union (G, D).
        block: (F,) number of the block of each frame, from 0, not decreasing.
    """

    true: Sequence[Ints]
    found: Sequence[Ints]
    overlap: Sequence[Floats]
    block: Ints

    @property
    def blocks(self) -> int:
        """How many there are."""
        return int(self.block[-1]) + 1

    def frames(self, rows: Sequence[int]) -> tuple[list[Ints], list[Ints], list[Floats]]:
        """The given frames in the given order, as `trackers.eval` takes them."""
        return [self.true[r] for r in rows], [self.found[r] for r in rows], [self.overlap[r] for r in rows]


@dataclass(frozen=True)
class TrackingFigures:
    """See the module for what they mean.

    Attributes:
        frames: analysed; rate: of them, per second of footage; truth: true boxes in them; people: true ids.
        figures: hota, det_a, ass_a, mota, idf1 (0..1), switches, false_positives, misses (counts).
        blocks: how many the intervals were drawn from.
    """

    frames: int
    rate: float
    truth: int
    people: int
    blocks: int
    figures: dict[str, Estimate]


def measure(
    observed: ObservedFootage,
    truth: Tracks,
    *,
    block_s: float = BLOCK_S,
    resamples: int,
    seed: int,
    progress: Progress = lambda *_: None,
) -> TrackingFigures:
    """Compare what was followed in a video with the truth of its analysed frames.

    Raises:
        TruthError: the truth is of no analysed frame.
    """
    scene = align(observed, truth, block_s)
    figures = score(scene, resamples, seed, progress)
    return TrackingFigures(
        frames=len(scene.true),
        rate=observed.rate,
        truth=sum(map(len, scene.true)),
        people=len(np.unique(np.concatenate(scene.true))),
        blocks=scene.blocks,
        figures=figures,
    )


def align(observed: ObservedFootage, truth: Tracks, block_s: float) -> Scene:
    """Bring observations and truth together, frame by frame.

    Raises:
        TruthError: the truth is of no analysed frame.
    """
    true: list[Ints] = []
    found: list[Ints] = []
    overlap: list[Floats] = []
    seen = {int(key): part for (key,), part in observed.observations.group_by("frame")}
    of_frame = {int(f): np.flatnonzero(truth.frame == f) for f in np.unique(truth.frame)}
    nobody = observed.observations.clear()
    for index in observed.indices.tolist():
        part: pl.DataFrame = seen.get(index, nobody)
        rows = of_frame.get(index, np.zeros(0, dtype=np.int64))
        boxes = part.select(pl.col("x1", "y1", "x2", "y2").cast(pl.Float64)).to_numpy().reshape(-1, 4)
        iou = overlaps(truth.boxes[rows], boxes)
        ignored = truth.ignored[rows]
        keep = ~_on_ignored(iou, ignored)
        true.append(truth.track[rows][~ignored])
        found.append(part["track"].to_numpy().astype(np.int64)[keep])
        overlap.append(iou[~ignored][:, keep])
    if not sum(map(len, true)):
        raise TruthError(f"expected truth of the {len(true)} analysed frames, got none: frame 1 is the first")
    block = (observed.times - observed.times[0]) // round(block_s * SECOND)
    return Scene(true, found, overlap, np.unique(block, return_inverse=True)[1].astype(np.int64))


def _on_ignored(iou: Floats, ignored: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which of the found boxes, matched with all true ones, fall on one that is to be ignored: (D,)."""
    result = np.zeros(iou.shape[1], dtype=np.bool_)
    if ignored.any() and iou.size:
        rows, columns = linear_sum_assignment(-np.where(iou >= IOU, iou, 0.0))
        result[columns] = ignored[rows] & (iou[rows, columns] >= IOU)
    return result


def score(
    scene: Scene, resamples: int, seed: int, progress: Progress = lambda *_: None
) -> dict[str, Estimate]:
    """The figures of a scene, with intervals from its blocks."""
    frames = [np.flatnonzero(scene.block == b).tolist() for b in range(scene.blocks)]
    counts = _counts(scene)
    drawn = draws(scene.blocks, resamples, seed)
    whole = _identity(scene, range(len(scene.true)))
    again = np.zeros((len(drawn), len(whole)))
    for number, times in enumerate(drawn.tolist()):
        rows = [row for block, n in zip(frames, times, strict=True) for row in block * n]
        again[number] = list(_identity(scene, rows).values())
        progress(number + 1, len(drawn))
    result = {name: figure(value, again[:, i], scene.blocks) for i, (name, value) in enumerate(whole.items())}
    totals, sums = counts.sum(axis=0), (drawn @ counts).astype(np.float64)
    result["mota"] = figure(float(_mota(totals[None])[0]), _mota(sums), scene.blocks)
    for name, column in zip(COUNTED, (3, 1, 2), strict=True):
        result[name] = figure(float(totals[column]), sums[:, column], scene.blocks)
    order = ("hota", "det_a", "ass_a", "mota", "idf1", *COUNTED)
    return {name: result[name] for name in order}


def _counts(scene: Scene) -> Ints:
    """COUNTS per block, (B, 4), as they add up to those of the whole: by what each block adds.

    CLEAR MOT goes through the frames in order and never back, so its counts up to the end of a block are
    those of the video cut off there.
    """
    from trackers.eval import compute_clear_metrics

    upto = []
    for last in np.flatnonzero(np.diff(scene.block, append=scene.blocks)).tolist():
        clear = compute_clear_metrics(*scene.frames(range(last + 1)), threshold=IOU)
        upto.append([clear[name] for name in COUNTS])
    ends = np.array(upto, dtype=np.int64)
    ends[1:] -= ends[:-1].copy()
    return ends


def _mota(counts: npt.NDArray[Any]) -> Floats:
    right, false, missed, switches = counts.T
    truth = right + missed
    return np.where(truth > 0, (right - false - switches) / np.maximum(truth, 1), np.nan)


def _identity(scene: Scene, rows: Sequence[int]) -> dict[str, float]:
    from trackers.eval import compute_hota_metrics, compute_identity_metrics

    frames = scene.frames(rows)
    hota, identity = compute_hota_metrics(*frames), compute_identity_metrics(*frames, threshold=IOU)
    return {"hota": hota["HOTA"], "det_a": hota["DetA"], "ass_a": hota["AssA"], "idf1": identity["IDF1"]}
