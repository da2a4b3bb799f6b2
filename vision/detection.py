"""Person detection in frames: in the whole picture at one or several scales, or in regions of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import supervision as sv

from models.devices import Detector, Device
from models.errors import ModelError
from models.registry import Weights
from vision.frames import Frame
from vision.gate.planner import DetectionPlan
from vision.gate.regions import Packed, Region, draw
from vision.tracking.protocol import PERSON_CLASS, person_detections

if TYPE_CHECKING:
    from models.runtimes.network import Picture

MIN_CANDIDATE_SCORE = 0.1
"""Least score of a detection that reaches the tracker, which lets weak detections continue tracks but not
begin them (the low threshold of ByteTrack, Zhang et al. 2022)."""
SAME_PERSON_IOU = 0.5
"""IoU from which on the weaker of two detections of different scales or regions is of the same person: their
boxes agree less than those of one input, where the detector's own limit is 0.7. Project default
(docs/defaults.md)."""
MAX_FINE_HEIGHT_PX = 150
"""Height in the input up to which a detection counts at all scales but the coarsest: taller people are taken
from a coarser one, which sees them whole. Project default (docs/defaults.md)."""
MIN_COARSE_HEIGHT_PX = 24
"""Height in the input from which on a detection counts at all scales but the finest. Project default
(docs/defaults.md)."""
CUT_PX = 2.0
"""A detection that ends within so many px of the input from the edge of its region is cut off by it.
Project default (docs/defaults.md)."""

Rows = npt.NDArray[np.float32]
"""(N, 5) x1, y1, x2, y2 (px of the picture), score."""
NOTHING: Rows = np.zeros((0, 5), np.float32)


class PersonDetector:
    """Finds people; the scores are the network's, uncalibrated. Threads may call it at the same time.

    Attributes:
        batch: frames per call that suit the device.
        weights: in use.
    """

    def __init__(
        self, weights: Weights, device: Device, imgsz: int = 416, min_score: float = MIN_CANDIDATE_SCORE
    ) -> None:
        """Load `weights` on `device` for frames scaled to `imgsz` px on the longer side.

        Raises:
            ModelError: the weights cannot be loaded, or their class 0 is not a person.
        """
        self.batch = device.batch
        self._imgsz = imgsz
        self._predict = Detector(weights, device, imgsz, min_score, [PERSON_CLASS])
        self.weights = self._predict.weights
        if self._predict.classes[PERSON_CLASS] != "person":
            raise ModelError(
                f"{weights.name}: expected weights whose class 0 is 'person', "
                f"got {self._predict.classes[PERSON_CLASS]!r}"
            )

    def __call__(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        """The people of each frame, found in the whole picture; see `person_detections`."""
        found = self._predict([frame.image for frame in frames])
        return [
            person_detections(rows, (frame.image.shape[1], frame.image.shape[0]))
            for frame, rows in zip(frames, found, strict=True)
        ]

    def planned(self, image: Picture, plan: DetectionPlan) -> tuple[Rows, Rows]:
        """The people of a picture in what a plan names.

        Args:
            image: H x W x 3 BGR; where the network runs in torch, a tensor on the device, too.
            plan: what of it is given to the network.

        Returns:
            The detections; and those that the edge of a region cuts off, which are not among them.
        """
        if plan.packed is not None:
            return self._in_regions(image, plan.regions, plan.packed)
        parts = [self._predict([image], scale)[0][:, :5] for scale in plan.scales]
        if len(parts) < 2:
            return (parts[0] if parts else NOTHING), NOTHING
        return merge_scales(parts, [scale / max(image.shape[:2]) for scale in plan.scales]), NOTHING

    def _in_regions(self, image: Picture, regions: Sequence[Region], packed: Packed) -> tuple[Rows, Rows]:
        found = self._predict(draw(image, regions, packed), packed.side)
        whole, cut = [NOTHING], [NOTHING]
        for region, (number, left, top) in zip(regions, packed.places, strict=True):
            rows, ends = _of_region(found[number][:, :5], region, (left, top), image.shape[:2])
            whole.append(rows[~ends])
            cut.append(rows[ends])
        people, cut_off = without_duplicates(np.concatenate(whole)), np.concatenate(cut)
        # Another region may show the person whole.
        known = sv.box_iou_batch(cut_off[:, :4], people[:, :4]).max(axis=1, initial=0.0) > SAME_PERSON_IOU
        return people, cut_off[~known]


def _of_region(
    found: Rows, region: Region, place: tuple[int, int], shape: Sequence[int]
) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Detections of an input that lie in a region, as px of the picture; whether the region cuts them off."""
    size = np.array(region.input_size)
    start = np.array(place)
    centre = (found[:, :2] + found[:, 2:4]) / 2
    rows = found[((centre >= start) & (centre < start + size)).all(axis=1)]
    boxes = np.clip(rows[:, :4].reshape(-1, 2, 2), start, start + size) - start
    inner = np.array([[region.x1 > 0, region.y1 > 0], [region.x2 < shape[1], region.y2 < shape[0]]])
    near = np.stack([boxes[:, 0] <= CUT_PX, boxes[:, 1] >= size - CUT_PX], axis=1)
    width, height = region.x2 - region.x1, region.y2 - region.y1
    boxes = boxes * (np.array([width, height]) / size) + [region.x1, region.y1]
    return (
        np.column_stack([boxes.reshape(-1, 4), rows[:, 4]]).astype(np.float32),
        np.asarray((near & inner).reshape(-1, 4).any(axis=1), np.bool_),
    )


def merge_scales(parts: Sequence[Rows], scales: Sequence[float]) -> Rows:
    """Merge the detections of one picture at several scales.

    Args:
        parts: (N, 5) of each scale, from the coarsest on.
        scales: px of the input per px of the picture.
    """
    kept = []
    for number, (rows, scale) in enumerate(zip(parts, scales, strict=True)):
        height = (rows[:, 3] - rows[:, 1]) * scale
        counts = np.ones(len(rows), np.bool_)
        if number > 0:
            counts &= height <= MAX_FINE_HEIGHT_PX
        if number < len(parts) - 1:
            counts &= height >= MIN_COARSE_HEIGHT_PX
        kept.append(rows[counts])
    return without_duplicates(np.concatenate(kept))


def without_duplicates(rows: Rows) -> Rows:
    """Rows (N, 5) without the weaker of those that overlap by SAME_PERSON_IOU, the highest score first."""
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    if len(rows) < 2:
        return rows
    overlaps = sv.box_iou_batch(rows[:, :4], rows[:, :4]) > SAME_PERSON_IOU
    kept = np.ones(len(rows), np.bool_)
    for number in range(len(rows)):
        if kept[number]:
            kept[number + 1 :] &= ~overlaps[number, number + 1 :]
    return rows[kept]
