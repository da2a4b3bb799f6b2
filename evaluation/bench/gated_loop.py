"""The loop of a recorder with a motion gate: detection in 320 px regions around motion and tracked people.

Frames at the analysed rate; motion against a background; square regions around motion and tracked people
(`motion_gate`); detection in the regions, at 320 px, in the fastest form that runs here; a box that is cut
off by its region is detected again, once, in a region around it; ByteTrack. In the frames in which the
background settles, people are detected in the whole frame. A person who has not moved for ten seconds is
stationary: detected again every ten seconds, or when something moves there, and kept until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np
import numpy.typing as npt

from evaluation.bench.motion_gate import (
    REGION_PX,
    Box,
    MotionDetector,
    Region,
    cut_off,
    regions_around,
    square,
)
from evaluation.bench.rows import BoxRow
from evaluation.bench.video_files import FrameTimes
from evaluation.bench.work import Job, Run, Work, rows_of, stride_of

if TYPE_CHECKING:
    import supervision as sv
    from trackers import ByteTrackTracker

    from models.devices import Detector

Image = npt.NDArray[np.uint8]

LEAST_SCORE = 0.25
"""Least score of a detection, as in the other loops (ultralytics' default)."""
SAME_IOU = 0.4
"""IoU from which boxes of several regions are one person's. Project default (docs/defaults.md)."""
STATIONARY_S = 10.0
"""Seconds without motion after which a person is stationary, and between detections of one (Frigate: 50
frames at 5 frames/s)."""
STILL_IOU = 0.75
"""IoU of a person's box with an earlier one from which the person has not moved. Project default
(docs/defaults.md)."""


FORGET_S = 1.0
"""Seconds without a detection after which a person is no longer sought (the patience of ByteTrack)."""


@dataclass
class Stay:
    """Where a tracked person was last seen, and since when the person has been there."""

    box: Box
    anchor: Box
    since: float
    seen: float
    detected: float


def load_gate(job: Job) -> Run:
    """Load the loop.

    Raises:
        LazarettoError: footage or weights cannot be read.
    """
    from trackers import ByteTrackTracker

    from models.devices import Detector, Device
    from models.registry import resolve

    settings = job.settings
    device = Device.choose(settings.device, settings.runtime)
    detector = Detector(resolve(settings.person), device, REGION_PX, LEAST_SCORE, [0])
    detector([np.zeros((REGION_PX, REGION_PX, 3), np.uint8)])

    cameras = list(job.cameras())

    def work() -> Work:
        rows: dict[str, list[BoxRow]] = {}
        frames = regions = 0
        for item, _, times in cameras:
            stride = stride_of(times, settings.fps)
            loop = GatedLoop(detector, ByteTrackTracker(frame_rate=times.rate / stride), times)
            own = rows[item.id] = []
            with av.open(str(item.video)) as container:
                container.streams.video[0].thread_type = "AUTO"
                for index, frame in enumerate(container.decode(video=0)):
                    if index % stride == 0:
                        frames += 1
                        own += rows_of(index, loop.take(frame, times.offsets[index] / 1e6))
            regions += loop.regions
        return Work(frames, rows, {"regions": regions})

    return work


class GatedLoop:
    """The loop over one camera.

    Attributes:
        regions: in which people were detected until now.
    """

    def __init__(self, detector: Detector, tracker: ByteTrackTracker, times: FrameTimes) -> None:
        """Begin a camera."""
        self._detector, self._tracker = detector, tracker
        self._width, self._height = times.width, times.height
        self._motion = MotionDetector()
        self._stays: dict[int, Stay] = {}
        self.regions = 0

    def take(self, frame: av.VideoFrame, t: float) -> sv.Detections:
        """The tracked people of the next frame; `t` is its time, seconds."""
        import supervision as sv

        settling = self._motion.settling
        motion = self._motion(luma_of(frame))
        stationary = {
            number: stay
            for number, stay in self._stays.items()
            if t - stay.since >= STATIONARY_S
            and t - stay.detected < STATIONARY_S
            and not any(overlap(stay.box, box) > 0 for box in motion)
        }
        moving = [stay.box for number, stay in self._stays.items() if number not in stationary]
        if settling:
            regions: list[Region] = [(0, 0, self._width, self._height)]
        else:
            regions = regions_around([*motion, *moving], self._width, self._height)
        found = self._detect(frame, regions) if regions else np.zeros((0, 5), np.float32)
        held = np.array([[*stay.box, 1.0] for stay in stationary.values()], np.float32).reshape(-1, 5)
        both = np.concatenate([held, found])  # of a stationary person, the box that is held comes first
        people = sv.Detections(xyxy=both[:, :4], confidence=both[:, 4], class_id=np.zeros(len(both), int))
        tracked: sv.Detections = self._tracker.update(people.with_nms(SAME_IOU, class_agnostic=True))
        self._note(tracked, stationary, t)
        return tracked

    def _detect(self, frame: av.VideoFrame, regions: Sequence[Region]) -> npt.NDArray[np.float32]:
        """Rows of x1, y1, x2, y2 (px of the frame), score."""
        image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        first = self._in_regions(image, regions)
        size = (self._width, self._height)
        kept, again = [], []
        for row, region in first:
            box: Box = (row[0], row[1], row[2], row[3])
            if cut_off(box, region, *size):
                again.append(square(box, *size))
            else:
                kept.append(row)
        kept += [row for row, _ in self._in_regions(image, list(dict.fromkeys(again)))]
        return np.array(kept, np.float32).reshape(-1, 5)

    def _in_regions(
        self, image: Image, regions: Sequence[Region]
    ) -> list[tuple[tuple[float, float, float, float, float], Region]]:
        if not regions:
            return []
        self.regions += len(regions)
        crops = [np.ascontiguousarray(image[y1:y2, x1:x2]) for x1, y1, x2, y2 in regions]
        rows = []
        for (x, y, _, _), region, found in zip(regions, regions, self._detector(crops), strict=True):
            for x1, y1, x2, y2, score, _ in found.tolist():
                rows.append(((x1 + x, y1 + y, x2 + x, y2 + y, score), region))
        return rows

    def _note(self, tracked: sv.Detections, stationary: dict[int, Stay], t: float) -> None:
        """Note where the tracked people are, and forget those who were not seen for a second."""
        ids = [] if tracked.tracker_id is None else tracked.tracker_id.tolist()
        for number, corners in zip(ids, tracked.xyxy.tolist(), strict=True):
            if number < 0:
                continue
            x1, y1, x2, y2 = corners
            box: Box = (x1, y1, x2, y2)
            stay = self._stays.get(number)
            if stay is None or overlap(stay.anchor, box) < STILL_IOU:
                stay = self._stays[number] = Stay(box, box, t, t, t)
            stay.box, stay.seen = box, t
            if number not in stationary:
                stay.detected = t
        self._stays = {number: stay for number, stay in self._stays.items() if t - stay.seen <= FORGET_S}


def luma_of(frame: av.VideoFrame) -> Image:
    """The grey picture of a frame (H x W); of the usual formats, without a conversion."""
    if not frame.format.name.startswith("yuv") or frame.format.components[0].bits != 8:
        return np.asarray(frame.to_ndarray(format="gray"), np.uint8)
    plane = frame.planes[0]
    rows = np.asarray(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def overlap(a: Box, b: Box) -> float:
    """IoU of two boxes."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
