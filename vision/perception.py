"""From frames to observations: detection, tracking, mask state, role, foot point and ground position."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl
import supervision as sv

from vision import observations
from vision.appearance import AppearanceReader
from vision.check_times import CheckTimes
from vision.detail import DetailPictures
from vision.frames import SECOND, Frame
from vision.gate.people import Update
from vision.gate.planner import DetectionPlan, Gate
from vision.ground import locate
from vision.liveness import Liveness
from vision.masks import MaskReading
from vision.networks import ModelBundle
from vision.roles.model import ROLE_COLUMNS
from vision.roles.reading import clothes_visible
from vision.state import State, StateError, as_part, part_of
from vision.tracking import choose_tracker, scores, tracker_ids
from vision.tracking.protocol import EXAMINED, person_detections
from zones.facility import Camera

MASK_NOT_CHECKED = "not_sampled"
"""Reason in the observation log where the face was not checked in this frame, because it was not due."""


class _EmbeddingSource:
    """Gives the tracker embeddings of detections in the current frame.

    They are rounded to half precision (fp16), in which a checkpoint holds them without loss.
    """

    def __init__(self, reader: AppearanceReader) -> None:
        self._reader = reader
        self._frame: Frame | None = None
        self._boxes: npt.NDArray[np.number] = np.zeros((0, 4), np.float32)

    def begin(self, frame: Frame, detections: sv.Detections) -> None:
        """Compute the embeddings of detections in this frame from now on."""
        self._frame, self._boxes = frame, detections.xyxy

    def __call__(self, numbers: Sequence[int]) -> np.ndarray:
        assert self._frame is not None, "a frame was begun"
        people = [(self._frame.image, self._boxes[number]) for number in numbers]
        return self._reader.read(people).astype(np.float16).astype(np.float32)


@dataclass(frozen=True)
class PendingFrame:
    """A frame in which people are being detected.

    Attributes:
        frame: the frame.
        plan: what the detector is given of it.
        detections: the result: what was found, and what a region cut off.
    """

    frame: Frame
    plan: DetectionPlan
    detections: Future[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]


@dataclass(frozen=True)
class AnalysedFrame:
    """What a frame gave.

    Attributes:
        frame: the frame.
        rows: for `Perception.tabulate`.
        detections: what was found in it. None if nothing of it reached the detector: it was checked for
            motion alone.
    """

    frame: Frame
    rows: list[Row]
    detections: sv.Detections | None


class Perception:
    """One stream of one camera, from its first frame on; frames must come in order of time."""

    def __init__(self, bundle: ModelBundle, camera: Camera, stream: str, detailed: bool = False) -> None:
        """Begin a stream of a camera.

        Args:
            bundle: the networks.
            camera: the camera.
            stream: names the stream, for track ids that repeated runs reproduce.
            detailed: faces are read from pictures of a larger stream alone, see `add_detail`.
        """
        self._bundle = bundle
        self._detail = DetailPictures() if detailed else None
        self._camera = camera
        self._embeddings = _EmbeddingSource(bundle.appearance)
        self.begin_again(stream)

    def begin_again(self, stream: str) -> None:
        """Forget all that was seen, and go on with new tracks, whose ids are those of `stream`."""
        settings = self._bundle.settings
        self._tracker = choose_tracker(
            stream, settings.tracker, settings.fps, self._camera.calibration, self._embeddings
        )
        self._gate = Gate(settings.gate, settings.fps, settings.imgsz)
        self._pending: deque[PendingFrame] = deque()
        self._mask_checks = CheckTimes(settings.mask_check_hz)
        self._role_checks = CheckTimes(settings.role_check_hz)
        self._liveness = Liveness()

    def analyse(self, frame: Frame) -> AnalysedFrame | None:
        """Begin with the next frame, and complete the one before: its people are tracked meanwhile.

        Returns:
            What the frame before gave; None if there is none.
        """
        if self._pending:
            self._take_detections(self._pending[-1])
        plan = self._gate.plan(frame)
        image = None if plan.empty else frame.image
        self._pending.append(PendingFrame(frame, plan, self._bundle.start_detection(image, plan)))
        return self._complete() if len(self._pending) > 1 else None

    def add_detail(self, frame: Frame) -> None:
        """Take a picture of the camera's larger stream; faces are read from it.

        Its time need not be that of a frame: people are found in it between the frames before and after.
        """
        assert self._detail is not None, "the perception was begun with detail"
        self._detail.add(frame)

    def complete(self) -> AnalysedFrame | None:
        """Complete the last frame, so that the state can be saved; None if it is complete."""
        if not self._pending:
            return None
        self._take_detections(self._pending[-1])
        return self._complete()

    def _take_detections(self, pending: PendingFrame) -> None:
        """Tell the gate what was detected in the last planned frame, once."""
        found, cut = pending.detections.result()
        strong = found[found[:, 4] >= self._bundle.settings.tracker.strong_score]
        self._gate.detected(strong[:, :4].astype(np.float64), cut[:, :4].astype(np.float64))

    def _complete(self) -> AnalysedFrame:
        pending = self._pending.popleft()
        frame = pending.frame
        if pending.plan.empty:
            self._gate.tracked(None)
            return AnalysedFrame(frame, [], None)
        found, _ = pending.detections.result()
        people = person_detections(found, frame.size)
        people.metadata[EXAMINED] = pending.plan.boxes()
        return AnalysedFrame(frame, self._observe_one(frame, people, planned=True), people)

    def detect(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        """Find people in whole frames of one size, past the gate; see `PersonDetector`."""
        found: list[sv.Detections] = []
        batch = self._bundle.detector.batch
        for first in range(0, len(frames), batch):
            found += self._bundle.detector(frames[first : first + batch])
        return found

    def track(self, frame: Frame, detections: sv.Detections) -> sv.Detections:
        """Track the people of the next frame.

        Args:
            frame: after those before.
            detections: what `detect` found in it.

        Returns:
            The detections of confirmed tracks, with `tracker_id`.
        """
        self._embeddings.begin(frame, detections)
        return self._tracker.update(detections, timestamp=frame.t / SECOND)

    def observe(self, frames: Sequence[Frame], detections: Sequence[sv.Detections]) -> list[Row]:
        """Track people over frames, given what `detect` found in them; check faces and clothes where due.

        Args:
            frames: in order of time.
            detections: what `detect` found in each.

        Returns:
            Rows for `tabulate`. A table for each frame would take longer than tracking.
        """
        rows: list[Row] = []
        for frame, found in zip(frames, detections, strict=True):
            rows += self._observe_one(frame, found, planned=False)
        return rows

    def _observe_one(self, frame: Frame, found: sv.Detections, *, planned: bool) -> list[Row]:
        """The rows of the people in a frame; the gate is told if it planned the frame."""
        tracked = self.track(frame, found)
        boxes, tracks = tracked.xyxy, tracker_ids(tracked).tolist()
        roles = self._check_roles(frame, boxes, tracks)
        readings = self._check_masks(frame, boxes, tracks)
        if planned:
            checked = np.array([reading.reason != MASK_NOT_CHECKED for reading in readings], np.bool_)
            ids = np.array(tracks, np.int64)
            self._gate.tracked(Update(frame.t, ids, boxes.astype(np.float64), checked))
        return list(_rows(frame, tracked, readings, roles))

    def tabulate(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Rows of `observe` as the observation log returns them, with ground positions."""
        table = pl.DataFrame(rows, schema=_ROW_SCHEMA, orient="row").cast({"t": observations.SCHEMA["t"]})
        empty = [
            pl.lit(None, kind).alias(n) for n, kind in observations.SCHEMA.items() if n not in _ROW_SCHEMA
        ]
        logged = observations.rounded(table.with_columns(empty).select(list(observations.SCHEMA)))
        return locate(logged, self._camera).select(list(observations.SCHEMA))

    def state(self) -> State:
        """All that decides what the next frames give: tracks, times of checks, and the faces last checked.

        It holds embeddings of the people in view and of those who can still be re-identified, and small
        grey pictures of the faces checked in the last seconds. Its size does not grow with time.
        """
        return {
            **as_part("gate", self._gate.state()),
            **as_part("tracker", self._tracker.state()),
            **as_part("mask_checks", self._mask_checks.state()),
            **as_part("role_checks", self._role_checks.state()),
            **as_part("liveness", self._liveness.state()),
        }

    def restore(self, state: State) -> None:
        """Take over a state, in place of what was seen: the frames that followed it give the same rows again.

        Raises:
            StateError: the state cannot be restored.
        """
        try:
            self._gate.restore(part_of(state, "gate"))
            self._tracker.restore(part_of(state, "tracker"))
            self._mask_checks.restore(part_of(state, "mask_checks"))
            self._role_checks.restore(part_of(state, "role_checks"))
            self._liveness.restore(part_of(state, "liveness"))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise StateError(f"expected a state of this version, got another ({error!r})") from error

    def _check_roles(self, frame: Frame, boxes: np.ndarray, tracks: Sequence[int]) -> list[RoleShares]:
        """Role probabilities of the people whose clothes are visible and due; None for the others."""
        shares: list[RoleShares] = [(None,) * len(ROLE_COLUMNS)] * len(tracks)
        if self._bundle.roles is None or not tracks:
            return shares
        visible = np.flatnonzero(clothes_visible(boxes)).tolist()
        due = self._role_checks.due(visible, tracks, frame.t)
        read = self._bundle.roles.read([(frame.image, boxes[n]) for n in due])
        for n, row in zip(due, read.tolist(), strict=True):
            shares[n] = tuple(None if np.isnan(share) else share for share in row)
            self._role_checks.checked(tracks[n], frame.t)
        return shares

    def _check_masks(self, frame: Frame, boxes: np.ndarray, tracks: Sequence[int]) -> list[MaskReading]:
        """Mask readings of the people whose faces are due; MASK_NOT_CHECKED for the others."""
        readings = [MaskReading(None, MASK_NOT_CHECKED, None)] * len(tracks)
        shown, visible = frame, {n: boxes[n] for n in range(len(tracks))}
        if self._detail is not None:
            found = self._detail.people(frame, boxes, tracks)
            if found is None:
                return readings
            shown, visible = found
        due = self._mask_checks.due(list(visible), tracks, frame.t)
        read = self._bundle.masks.read([(shown.image, visible[n]) for n in due])
        for n, reading in zip(due, read, strict=True):
            change = self._liveness.change(tracks[n], frame.t, shown.image, reading.face)
            readings[n] = replace(reading, change=change)
            self._mask_checks.checked(tracks[n], frame.t)
        self._liveness.drop_before(frame.t)
        return readings


Row = tuple[object, ...]
"""One person in one frame: the values of `_ROW_SCHEMA`, in its order."""

RoleShares = tuple[float | None, ...]
"""Probabilities of the roles of ROLE_COLUMNS; None = not known."""

_LATER = ("ground_x", "ground_y", "ground_se")
_ROW_SCHEMA = {n: kind for n, kind in observations.SCHEMA.items() if n not in _LATER} | {"t": pl.Int64()}


def _rows(
    frame: Frame,
    tracked: sv.Detections,
    readings: Sequence[MaskReading],
    roles: Sequence[RoleShares],
) -> Iterator[Row]:
    width, height = frame.size
    people = zip(
        tracked.xyxy.tolist(),
        scores(tracked).tolist(),
        tracker_ids(tracked).tolist(),
        readings,
        roles,
        strict=True,
    )
    for (x1, y1, x2, y2), score, track, reading, shares in people:
        seen = (frame.camera, frame.t, frame.index, track, width, height, x1, y1, x2, y2, score)
        masks = reading.probabilities or (None, None, None)
        change = reading.change
        yield (*seen, (x1 + x2) / 2, y2, reading.face_height, change, *masks, reading.reason, *shares)
