"""From frames to observations: detection, tracking, mask state, role, foot point and ground position."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import numpy.typing as npt
import polars as pl
import supervision as sv

from models.devices import Device
from models.registry import Weights, resolve
from vision import observations
from vision.appearance import AppearanceReader
from vision.detection import PersonDetector
from vision.frames import DUE_SHARE, SECOND, Frame
from vision.ground import locate
from vision.liveness import Liveness
from vision.masks import MaskReader, MaskReading
from vision.roles.model import ROLE_COLUMNS, read_model
from vision.roles.reading import RoleReader, clothes_visible
from vision.tracking import TrackerSettings, choose_tracker, scores, tracker_ids
from zones.facility import Camera
from zones.thresholds import MASK_CHECK_HZ

MASK_NOT_CHECKED = "not_sampled"
"""Reason in the observation log where the face was not checked in this frame, because it was not due."""


@dataclass(frozen=True)
class PerceptionSettings:
    """How often and at which sizes the pipeline analyses frames, faces and clothes.

    Attributes:
        fps: analysed frames per second, at most.
        imgsz: px of the longer side for person detection.
        head_imgsz: px of the longer side of a head region, in which the face is looked for.
        face_imgsz: px of the square around a face for the mask classifier.
        mask_check_hz: checks of the face of each person per second, at most.
        role_check_hz: readings of the clothes of each person per second, at most.
        tracker: see `TrackerSettings`.
    """

    fps: float = 5.0
    imgsz: int = 416
    head_imgsz: int = 192
    face_imgsz: int = 96
    mask_check_hz: float = MASK_CHECK_HZ
    role_check_hz: float = 0.5
    tracker: TrackerSettings = field(default_factory=TrackerSettings)

    def fingerprint(self, *weights: Weights) -> str:
        """Key of what, beside the pixels, decides the observations; 16 hexadecimal digits.

        It covers the settings, and of all weights the digest and the form (format and precision) in which
        they run.
        """
        text = json.dumps([asdict(self), [[w.sha256, w.runtime] for w in weights]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Models:
    """Weights of a run, each by our name, by the path of a file, or by an ultralytics name.

    `roles` is the file of a role model, or None: then roles come from zones and cameras alone.
    """

    person: str = "person"
    face: str = "face"
    mask: str = "mask"
    appearance: str = "appearance"
    roles: Weights | None = None


class ModelBundle:
    """All networks of a run, loaded once and shared by its cameras."""

    def __init__(
        self,
        person: Weights,
        face: Weights,
        mask: Weights,
        appearance: Weights,
        device: Device,
        settings: PerceptionSettings,
    ) -> None:
        """Load the networks.

        Raises:
            ModelError: weights cannot be loaded or have other classes.
        """
        self.settings = settings
        self.device = device
        self.detector = PersonDetector(person, device, settings.imgsz)
        self.masks = MaskReader(face, mask, device, settings.head_imgsz, settings.face_imgsz)
        self.appearance = AppearanceReader(appearance, device)
        self.roles: RoleReader | None = None

    @classmethod
    def load(cls, device: Device, settings: PerceptionSettings, models: Models | None = None) -> ModelBundle:
        """Find the named weights, ours by default, and load them.

        Raises:
            ModelError: weights are missing, differ from their recorded hash, or are of another kind.
            RoleError: the role model cannot be read, or was trained on other features.
        """
        models = models or Models()
        bundle = cls(
            resolve(models.person),
            resolve(models.face),
            resolve(models.mask),
            resolve(models.appearance),
            device,
            settings,
        )
        if models.roles is not None:
            bundle.roles = RoleReader(read_model(models.roles.path), models.roles, bundle.appearance)
        return bundle

    @property
    def weights(self) -> dict[str, Weights]:
        """The weights in use, by purpose; all of them decide the observations."""
        face, mask = self.masks.weights
        return {
            "person": self.detector.weights,
            "face": face,
            "mask": mask,
            "appearance": self.appearance.weights,
            **({"roles": self.roles.weights} if self.roles is not None else {}),
        }

    def with_tracker(self, name: str) -> ModelBundle:
        """The same networks with another tracker.

        Raises:
            LazarettoError: there is no such tracker.
        """
        bundle = copy.copy(self)
        bundle.settings = replace(self.settings, tracker=replace(self.settings.tracker, name=name))
        return bundle

    def faces(self, image: np.ndarray) -> np.ndarray:
        """All faces that the pipeline would find in an image (H x W x 3 BGR); see `MaskReader.faces`."""
        [people] = self.detector([Frame(image, 0, 0, "")])
        return self.masks.faces(image, people.xyxy)

    def warm_up(self) -> None:
        """Run each network once, so that compilation is over before footage arrives."""
        blank = np.zeros((96, 128, 3), np.uint8)
        box = np.array([0.0, 0.0, 96.0, 96.0])
        self.detector([Frame(blank, 0, 0, "")])
        self.masks.read([(blank, box)])
        self.appearance.read([(blank, box)])
        if self.roles is not None:
            self.roles.read([(blank, box)])


@dataclass(frozen=True)
class TrackerInput:
    """What the tracker was given of one analysed frame: enough to track again without its pixels.

    Attributes:
        t: stream time, microseconds.
        index: of the frame in its source.
        detections: people found in the frame, with its size; see `vision.tracking.person_detections`.
        embedded: row numbers of the detections whose embeddings the tracker asked for.
        embeddings: (len(embedded), D) float16.
    """

    t: int
    index: int
    detections: sv.Detections
    embedded: tuple[int, ...]
    embeddings: np.ndarray

    def embed(self, numbers: Sequence[int]) -> np.ndarray:
        """The recorded embeddings (N, D) of detections, float32."""
        assert tuple(numbers) == self.embedded, "the tracker asks for the same embeddings of the same frames"
        return self.embeddings.astype(np.float32)


class _EmbeddingSource:
    """Gives the tracker embeddings of detections in the current frame: computed, or recorded earlier.

    Computed embeddings are rounded to half precision (fp16), in which they are recorded. So the tracker gets
    the same values when the record is replayed.
    """

    def __init__(self, reader: AppearanceReader) -> None:
        self._reader = reader
        self._frame: Frame | None = None
        self._boxes: npt.NDArray[np.number] = np.zeros((0, 4), np.float32)
        self._replayed: TrackerInput | None = None
        self.embedded: tuple[int, ...] = ()
        self.embeddings = np.zeros((0, reader.dimension), np.float16)

    def begin(self, frame: Frame, detections: sv.Detections) -> None:
        """Compute the embeddings of detections in this frame from now on."""
        self._frame, self._boxes, self._replayed = frame, detections.xyxy, None
        self.embedded = ()
        self.embeddings = np.zeros((0, self._reader.dimension), np.float16)

    def replay(self, tracker_input: TrackerInput) -> None:
        """Give the recorded embeddings of this frame from now on."""
        self._frame, self._replayed = None, tracker_input

    def __call__(self, numbers: Sequence[int]) -> np.ndarray:
        if self._replayed is not None:
            return self._replayed.embed(numbers)
        assert self._frame is not None, "a frame was begun"
        self.embedded = tuple(numbers)
        people = [(self._frame.image, self._boxes[number]) for number in numbers]
        self.embeddings = self._reader.read(people).astype(np.float16)
        return self.embeddings.astype(np.float32)


class Perception:
    """One stream of one camera, from its first frame on; frames must come in order of time."""

    def __init__(self, bundle: ModelBundle, camera: Camera, stream: str) -> None:
        """Begin a stream of a camera; `stream` names it, for track ids that repeated runs reproduce."""
        self._bundle = bundle
        self._camera = camera
        self._embeddings = _EmbeddingSource(bundle.appearance)
        settings = bundle.settings
        self._tracker = choose_tracker(
            stream, settings.tracker, settings.fps, camera.calibration, self._embeddings
        )
        self._last_mask_check: dict[int, int] = {}
        self._last_role_check: dict[int, int] = {}
        self._liveness = Liveness()

    def detect(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        """Find people in frames of one size; see `PersonDetector`."""
        found: list[sv.Detections] = []
        batch = self._bundle.detector.batch
        for first in range(0, len(frames), batch):
            found += self._bundle.detector(frames[first : first + batch])
        return found

    def track(
        self, frame: Frame, detections: sv.Detections, record: list[TrackerInput] | None = None
    ) -> sv.Detections:
        """Track the people of the next frame.

        Args:
            frame: after those before.
            detections: what `detect` found in it.
            record: the tracker's input is appended to it, for `restore`.

        Returns:
            The detections of confirmed tracks, with `tracker_id`.
        """
        self._embeddings.begin(frame, detections)
        tracked = self._tracker.update(detections, timestamp=frame.t / SECOND)
        if record is not None:
            source = self._embeddings
            record.append(TrackerInput(frame.t, frame.index, detections, source.embedded, source.embeddings))
        return tracked

    def observe(
        self,
        frames: Sequence[Frame],
        detections: Sequence[sv.Detections],
        record: list[TrackerInput] | None = None,
    ) -> list[Row]:
        """Track people over frames, given what `detect` found in them; check faces and clothes where due.

        Args:
            frames: in order of time.
            detections: what `detect` found in each.
            record: the tracker's input of each frame is appended to it, for `restore`.

        Returns:
            Rows for `tabulate`. A table for each frame would take longer than tracking.
        """
        rows: list[Row] = []
        for frame, found in zip(frames, detections, strict=True):
            tracked = self.track(frame, found, record)
            boxes, tracks = tracked.xyxy, tracker_ids(tracked).tolist()
            roles = self._check_roles(frame, boxes, tracks)
            rows += _rows(frame, tracked, self._check_masks(frame, boxes, tracks), roles)
        return rows

    def tabulate(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Rows of `observe` as the observation log returns them, with ground positions."""
        table = pl.DataFrame(rows, schema=_ROW_SCHEMA, orient="row").cast({"t": observations.SCHEMA["t"]})
        empty = [
            pl.lit(None, kind).alias(n) for n, kind in observations.SCHEMA.items() if n not in _ROW_SCHEMA
        ]
        logged = observations.rounded(table.with_columns(empty).select(list(observations.SCHEMA)))
        return locate(logged, self._camera).select(list(observations.SCHEMA))

    def restore(self, tracker_inputs: Sequence[TrackerInput], seen: pl.DataFrame) -> None:
        """Restore the state in which an interrupted analysis was, from what it has written.

        Args:
            tracker_inputs: recorded by `observe`, of every analysed frame since the stream began.
            seen: the observations made of these frames.
        """
        for tracker_input in tracker_inputs:
            self._embeddings.replay(tracker_input)
            self._tracker.update(tracker_input.detections, timestamp=tracker_input.t / SECOND)
        reason = pl.col("mask_reason")
        self._last_mask_check |= _last_times(seen.filter(reason.is_null() | (reason != MASK_NOT_CHECKED)))
        with_roles = pl.any_horizontal(pl.col(name).is_not_null() for name in ROLE_COLUMNS)
        self._last_role_check |= _last_times(seen.filter(with_roles))

    def _check_roles(self, frame: Frame, boxes: np.ndarray, tracks: Sequence[int]) -> list[RoleShares]:
        """Role probabilities of the people whose clothes are visible and due; None for the others."""
        shares: list[RoleShares] = [(None,) * len(ROLE_COLUMNS)] * len(tracks)
        if self._bundle.roles is None or not tracks:
            return shares
        visible = np.flatnonzero(clothes_visible(boxes)).tolist()
        due = self._due(visible, tracks, frame.t, self._last_role_check, self._bundle.settings.role_check_hz)
        read = self._bundle.roles.read([(frame.image, boxes[n]) for n in due])
        for n, row in zip(due, read.tolist(), strict=True):
            shares[n] = tuple(None if np.isnan(share) else share for share in row)
            self._last_role_check[tracks[n]] = frame.t
        return shares

    def _check_masks(self, frame: Frame, boxes: np.ndarray, tracks: Sequence[int]) -> list[MaskReading]:
        """Mask readings of the people whose faces are due; MASK_NOT_CHECKED for the others."""
        rows = range(len(tracks))
        rate = self._bundle.settings.mask_check_hz
        due = self._due(rows, tracks, frame.t, self._last_mask_check, rate)
        readings = [MaskReading(None, MASK_NOT_CHECKED, None)] * len(tracks)
        read = self._bundle.masks.read([(frame.image, boxes[n]) for n in due])
        for n, reading in zip(due, read, strict=True):
            change = self._liveness.change(tracks[n], frame.t, frame.image, reading.face)
            readings[n] = replace(reading, change=change)
            self._last_mask_check[tracks[n]] = frame.t
        self._liveness.drop_before(frame.t)
        return readings

    @staticmethod
    def _due(
        numbers: Sequence[int], tracks: Sequence[int], t: int, last: dict[int, int], rate: float
    ) -> list[int]:
        """Those of the row numbers whose tracks are due for a check at `t`, given the `rate` in Hz."""
        interval = round(DUE_SHARE * SECOND / rate)
        return [n for n in numbers if tracks[n] not in last or t - last[tracks[n]] >= interval]


Row = tuple[object, ...]
"""One person in one frame: the values of `_ROW_SCHEMA`, in its order."""

RoleShares = tuple[float | None, ...]
"""Probabilities of the roles of ROLE_COLUMNS; None = not known."""

_LATER = ("ground_x", "ground_y", "ground_se")
_ROW_SCHEMA = {n: kind for n, kind in observations.SCHEMA.items() if n not in _LATER} | {"t": pl.Int64()}


def _last_times(rows: pl.DataFrame) -> dict[int, int]:
    """Of each track, the time of its last row, microseconds."""
    return dict(rows.group_by("track").agg(pl.col("t").max().dt.timestamp("us")).iter_rows())


def _rows(
    frame: Frame,
    tracked: sv.Detections,
    readings: Sequence[MaskReading],
    roles: Sequence[RoleShares],
) -> Iterator[Row]:
    height, width = frame.image.shape[:2]
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
