"""Decides for each frame of a camera what the detector is given: nothing, some regions, or the whole picture.

What moved is detected in, and the place of every person in view: at once where something moves there or
anything about the person is undecided, at least once a second where the person keeps still. Motion that never
shows a person (a clock in the picture, a tree) is detected in once a second. From time to time the whole
picture is detected in at several scales, so that a person whom motion never showed is found.

The plan of a frame rests on the people tracked up to two frames before, on what was detected in the frame
before, and on the motion in the frame itself. So the network can work on a frame while the people of the
frame before are tracked, and the result does not depend on whether it does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from supervision import box_iou_batch

from models.runtimes.network import INPUT_STRIDE_PX
from vision.frames import DUE_SHARE, SECOND, Frame
from vision.gate.motion import FutileMotion, MotionDetector, reduced_size
from vision.gate.people import PeopleInView, PersonHeights, Update
from vision.gate.regions import Packed, Region, join, pack, region_around
from vision.state import State, as_part, part_of

Boxes = npt.NDArray[np.float64]

TARGET_HEIGHT_PX = 64
"""Height that a person has in the input of a region, px, if the picture shows as much. Of people of 48, 64,
96 and 128 px in packed regions of PennFudan's pictures, 0.68, 0.79, 0.87 and 0.92 were found with the score
that begins a track, for 25, 31, 58 and 82 thousand pixels a picture. Project default (docs/defaults.md)."""
MAX_TARGET_HEIGHT_PX = 96
"""Height in the input of a region up to which a person is at least as large as the whole picture would show
the person, px: what a full-frame detection sees well, a region does not see worse for the sake of pixels.
Project default (docs/defaults.md)."""
MIN_NEEDED_HEIGHT_PX = 40
"""Height in the input, px, that the smallest person of a camera needs in a full-frame detection: of people of
32 - 40 px 0.82 are found (docs/accuracy.md), above that no scale finds many more. Project default
(docs/defaults.md)."""
SCALES_PX = (416, 640, 960, 1280)
"""Longer sides of the inputs of a full-frame detection at several scales, px: each half as long again as the
one before, so that each person is 24 - 160 px high in two of them. Project default (docs/defaults.md)."""
MAX_ENLARGED = 1.1
"""Scale of a picture beyond which it is not enlarged for a full-frame detection: it shows no more. Project
default (docs/defaults.md)."""
FULL_FRAME_S = 10.0
"""Seconds between full-frame detections at several scales, at least. Project default (docs/defaults.md)."""
FULL_FRAME_BUDGET = 0.15
"""Share of the pixel budget that they may take; a camera that needs large scales has them less often.
Project default (docs/defaults.md)."""
HELD_HZ = 1.0
"""Detections per second of a person who keeps still, of whom nothing is undecided. Project default
(docs/defaults.md)."""
SAME_PERSON_IOU = 0.4
"""IoU of a detection with the place where a person is expected, from which on it is taken for that person.
Project default (docs/defaults.md)."""
MAX_PARTS = 30
"""Parts that are joined, at most; where more moves, the whole picture is detected in. Project default
(docs/defaults.md)."""
MARGIN_HEIGHTS = 0.3
"""Margin of a region around a person, heights of the person. Project default (docs/defaults.md)."""


DEFAULT_PIXELS_PER_SECOND = 1_250_000.0
"""Pixels of the detector's input per camera and second, at most: a wide picture at 640 px, five times a
second. Project default (docs/defaults.md)."""


@dataclass(frozen=True)
class GateSettings:
    """How much of the footage reaches the detector.

    Attributes:
        on: whether there is a gate; without it, every analysed frame is detected in as a whole.
        pixels_per_second: pixels of the detector's input per camera and second, at most; each analysed frame
            as a whole at the given `imgsz` is always allowed. The load of the device never changes what a
            camera yields.
    """

    on: bool = True
    pixels_per_second: float = DEFAULT_PIXELS_PER_SECOND


@dataclass(frozen=True)
class DetectionPlan:
    """What of a frame the detector is given.

    Attributes:
        scales: longer sides of the inputs for the whole picture, px; () = it is not detected in as a whole.
        regions: parts of the picture.
        packed: their places in the inputs.
    """

    scales: tuple[int, ...] = ()
    regions: tuple[Region, ...] = ()
    packed: Packed | None = None

    @property
    def empty(self) -> bool:
        """Whether the detector is given nothing: nothing moved, and no person is due."""
        return not self.scales and not self.regions

    def boxes(self) -> Boxes | None:
        """The parts that are detected in, (N, 4) px of the picture; None = all of it."""
        if self.scales:
            return None
        return np.array([[r.x1, r.y1, r.x2, r.y2] for r in self.regions], np.float64).reshape(-1, 4)


class Gate:
    """Plans the detection in the frames of one camera.

    For each frame in order of time: `plan`, then `detected` before the plan of the next frame, then `tracked`
    before the plan of the frame after that.
    """

    def __init__(self, settings: GateSettings, fps: float, imgsz: int) -> None:
        """Begin a stream.

        Args:
            settings: see `GateSettings`.
            fps: analysed frames per second, at most.
            imgsz: longer side of the input for a whole picture, px.
        """
        self._settings = settings
        self._frame_budget = settings.pixels_per_second / fps
        self._imgsz = imgsz
        self._motion = MotionDetector()
        self._people = PeopleInView()
        self._heights = PersonHeights()
        self._seen: Boxes = np.zeros((0, 4))
        self._updates: deque[tuple[int, Update]] = deque()
        self._futile = FutileMotion()
        self._last_futile = 0
        self._moved: tuple[Boxes, tuple[int, int], int] = np.zeros((0, 4)), (0, 0), 0
        self._planned = 0
        self._tracked = 0
        self._next_full = 0
        self._full_frames = 0

    def plan(self, frame: Frame) -> DetectionPlan:
        """Decide what of the next frame the detector is given."""
        size, t = frame.size, frame.t
        number, self._planned = self._planned, self._planned + 1
        if not self._settings.on:
            return DetectionPlan(scales=(self._imgsz,))
        while self._updates and self._updates[0][0] <= number - 2:
            _, update = self._updates.popleft()
            self._people.update(update)
            self._heights.update(update, size[1])
        places, active, waited = self._people.places(t)
        motion = self._motion.detect(frame.grey(reduced_size(size)), size, t, np.vstack([places, self._seen]))
        if motion.whole or t >= self._next_full:
            self._people.examine(np.ones(len(places), np.bool_), t)
            # Light that flickers must not cost more than the budget: then one scale has to do.
            return self._full_frame(size, t, len(places)) if t >= self._next_full else self._whole(size)
        due = active | _meet(places, motion.boxes) | (waited >= DUE_SHARE * SECOND / HELD_HZ)
        self._people.examine(due, t)
        # A detection of the frame before may be a person of whom the tracker has not told yet.
        known = box_iou_batch(places, self._seen) > SAME_PERSON_IOU
        unknown = self._seen[~known.any(axis=0)]
        people = np.vstack([places[due], unknown])
        heights = people[:, 3] - people[:, 1]
        around = _with_margin(people, heights)
        other = motion.boxes[~_held_by(motion.boxes, around)]
        futile = self._futile.at(other, size)
        if t - self._last_futile < DUE_SHARE * SECOND / HELD_HZ:
            other = other[~futile]
        elif futile.any():
            self._last_futile = t
        self._moved = other, size, t
        moving = [self._around_motion(box, size) for box in other]
        parts = np.vstack([around, *(part for part, _ in moving)])
        if not len(parts):
            return DetectionPlan()
        return self._regions(parts, np.concatenate([heights, [height for _, height in moving]]), size)

    def detected(self, boxes: Boxes, cut: Boxes) -> None:
        """Take what was detected in the last planned frame.

        Args:
            boxes: (N, 4) of the detections that can begin a track, px.
            cut: (M, 4) of detections that a region cut off: there, more of the picture is needed.
        """
        moved, size, t = self._moved
        if len(moved):
            self._futile.enter(moved, np.vstack([boxes, cut]), size, t)
            self._moved = moved[:0], size, t
        heights = (cut[:, 3] - cut[:, 1])[:, None]
        self._seen = np.vstack([boxes, cut + np.array([-1, -1, 1, 1]) * heights / 2]).astype(np.float64)

    def tracked(self, update: Update | None) -> None:
        """Take the people tracked in the earliest frame of which they are not known yet; None = no change."""
        if update is not None and self._settings.on:
            self._updates.append((self._tracked, update))
        self._tracked += 1

    def state(self) -> State:
        """All that decides the next plans."""
        updates = [
            np.column_stack([np.full(len(u.boxes), n), np.full(len(u.boxes), u.t), u.tracks, u.checked])
            for n, u in self._updates
        ]
        numbers = [self._planned, self._tracked, self._next_full, self._full_frames, self._last_futile]
        return {
            **as_part("motion", self._motion.state()),
            **as_part("futile", self._futile.state()),
            **as_part("people", self._people.state()),
            **as_part("heights", self._heights.state()),
            "numbers": np.array(numbers, np.int64),
            "seen": self._seen,
            "update_times": np.array([[n, u.t] for n, u in self._updates], np.int64).reshape(-1, 2),
            "update_rows": np.concatenate([*updates, np.zeros((0, 4), np.int64)]).astype(np.int64),
            "update_boxes": np.concatenate([*(u.boxes for _, u in self._updates), np.zeros((0, 4))]),
        }

    def restore(self, state: State) -> None:
        """Take over a state: the plans of the frames that followed it are the same again."""
        self._motion.restore(part_of(state, "motion"))
        self._futile.restore(part_of(state, "futile"))
        self._people.restore(part_of(state, "people"))
        self._heights.restore(part_of(state, "heights"))
        numbers = state["numbers"].tolist()
        self._planned, self._tracked, self._next_full, self._full_frames, self._last_futile = numbers
        self._seen = state["seen"].astype(np.float64)
        rows, boxes = state["update_rows"].astype(np.int64), state["update_boxes"].astype(np.float64)
        self._updates = deque(
            (n, Update(t, rows[own, 2], boxes[own], rows[own, 3] > 0))
            for n, t in state["update_times"].tolist()
            for own in [rows[:, 0] == n]
        )

    def _full_frame(self, size: tuple[int, int], t: int, people: int) -> DetectionPlan:
        """A full-frame detection at the scales that the people of this camera need.

        While no person is in view, the finer scales take turns: one that motion never showed is then found
        two or three full-frame detections later, and a quiet camera costs a third.
        """
        scales = full_frame_scales(size, self._imgsz, self._heights.smallest())
        if not people and self._full_frames and len(scales) > 2:
            finer = scales[1:]
            scales = scales[0], finer[self._full_frames % len(finer)]
        self._full_frames += 1
        pixels = sum(_pixels(scale, size) for scale in scales)
        waits = pixels / (FULL_FRAME_BUDGET * self._settings.pixels_per_second)
        self._next_full = t + round(SECOND * max(FULL_FRAME_S, waits))
        return DetectionPlan(scales=scales)

    def _around_motion(self, box: Boxes, size: tuple[int, int]) -> tuple[Boxes, float]:
        """The part of the picture in which the person is who may have moved there, and the height."""
        height = self._heights.expected(float(box[3]), float(box[3] - box[1]), size[1])
        middle = (box[:2] + box[2:]) / 2
        half = np.maximum((box[2:] - box[:2]) / 2, np.array([height / 2, height * 0.75]))
        part = np.concatenate([middle - half, middle + half])[None]
        return _with_margin(part, np.array([height / 2])), height

    def _whole(self, size: tuple[int, int]) -> DetectionPlan:
        """The whole picture, at the largest scale that its people need and the budget allows."""
        needed = full_frame_scales(size, self._imgsz, self._heights.smallest() or float(max(size)))
        allowed = [scale for scale in needed if _pixels(scale, size) <= self._frame_budget]
        return DetectionPlan(scales=(max([self._imgsz, *allowed]),))

    def _regions(
        self, parts: Boxes, heights: npt.NDArray[np.float64], size: tuple[int, int]
    ) -> DetectionPlan:
        """Regions of the parts (N, 4), with people of these heights; all of it where that costs less."""
        whole = self._whole(size)
        if len(parts) > MAX_PARTS:
            return whole
        in_whole = whole.scales[0] / max(size)
        # The whole of a small picture shows its people as large as regions could, and all around them.
        if self._imgsz >= max(size):
            return whole
        heights = np.maximum(heights, 1.0)
        scales = np.maximum(
            np.minimum(TARGET_HEIGHT_PX / heights, max(1.0, in_whole)),
            np.minimum(MAX_TARGET_HEIGHT_PX / heights, in_whole),
        )
        parts, scales = join(np.clip(parts, 0, np.array(size * 2, np.float64)), scales)
        chosen = zip(parts.tolist(), scales.tolist(), strict=True)
        regions = [region_around(part, scale, size) for part, scale in chosen]
        packed = pack(regions)
        if packed.pixels >= _pixels(whole.scales[0], size):
            return whole
        return DetectionPlan(regions=tuple(regions), packed=packed)


def full_frame_scales(size: tuple[int, int], imgsz: int, smallest: float | None = None) -> tuple[int, ...]:
    """Longer sides of the inputs, px, for a full-frame detection of a picture of that width and height.

    Args:
        size: of the picture, px.
        imgsz: the smallest of them.
        smallest: height of the smallest person who counts, px of the picture; None = not known: the largest
            scales are used.
    """
    longest = max(size)
    needed = longest if smallest is None else MIN_NEEDED_HEIGHT_PX / max(smallest, 1.0) * longest
    scales = [imgsz]
    for scale in SCALES_PX:
        if scales[-1] < min(scale, needed) and scale <= MAX_ENLARGED * longest:
            scales.append(scale)
    return tuple(scales)


def _pixels(scale: int, size: tuple[int, int]) -> int:
    """Pixels of the input for a whole picture with that longer side."""
    shrink = scale / max(size)
    return _round_up(size[0] * shrink) * _round_up(size[1] * shrink)


def _round_up(side: float) -> int:
    return -(-round(side) // INPUT_STRIDE_PX) * INPUT_STRIDE_PX


def _with_margin(boxes: Boxes, heights: npt.NDArray[np.float64]) -> Boxes:
    """Boxes (N, 4) with a margin that suits people of these heights (N,)."""
    margin = MARGIN_HEIGHTS * heights
    return np.asarray(boxes + np.column_stack([-margin, -margin, margin, margin]), np.float64)


def _held_by(boxes: Boxes, others: Boxes) -> npt.NDArray[np.bool_]:
    """For each box (N, 4) whether one of the others (M, 4) holds all of it, (N,)."""
    low = (others[None, :, :2] <= boxes[:, None, :2]).all(axis=2)
    high = (others[None, :, 2:] >= boxes[:, None, 2:]).all(axis=2)
    held = np.asarray(low & high, np.bool_)
    return np.asarray(held.any(axis=1), np.bool_)


def _meet(boxes: Boxes, others: Boxes) -> npt.NDArray[np.bool_]:
    """For each box whether another one meets it, (N,)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    inside = np.asarray(high > low, np.bool_)
    return np.asarray((inside[..., 0] & inside[..., 1]).any(axis=1), np.bool_)
