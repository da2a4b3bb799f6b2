"""Frames in, observations out: detection, tracking, attributes, foot point and ground position."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import polars as pl

from models.devices import Device
from models.registry import Weights, resolve
from vision import observations
from vision.appearance import AppearanceReader
from vision.detection import PersonDetector
from vision.frames import SECOND, Frame
from vision.ground import locate
from vision.liveness import Liveness
from vision.masks import MaskReader, MaskReading
from vision.roles.model import ROLE_COLUMNS, read_model
from vision.roles.reading import RoleReader, clothes_visible
from vision.tracking import PersonTracker, TrackerSettings
from zones.facility import Camera
from zones.thresholds import MASK_CHECK_HZ

NOT_SAMPLED = "not_sampled"
COMPARABLE_S = 3.0
"""Looks at a face further apart than this say nothing of life: the light has changed, or the camera moved."""


@dataclass(frozen=True)
class PerceptionSettings:
    """How closely the pipeline looks.

    Attributes:
        fps: analysed frames per second, at most.
        imgsz: px of the longer side for person detection.
        head_imgsz: px of the longer side of a head region, in which the face is looked for.
        face_imgsz: px of the square around a face for the mask classifier.
        mask_check_hz: looks at each head per second, at most.
        role_check_hz: looks at what each person wears per second, at most.
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
    """Which weights a run uses, each by our name, by the path of a file, or by an ultralytics name.

    `roles` is the file of a role model, or None: then roles come from zones and cameras alone.
    """

    person: str = "person"
    face: str = "face"
    mask: str = "mask"
    appearance: str = "appearance"
    roles: Weights | None = None


class ModelBundle:
    """The models, loaded once and shared by every camera of a run."""

    def __init__(
        self,
        person: Weights,
        face: Weights,
        mask: Weights,
        appearance: Weights,
        device: Device,
        settings: PerceptionSettings,
    ) -> None:
        """Load the models.

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
            ModelError: weights are missing, tampered with, or of another kind.
            RoleError: the role model is none, or was trained on other features.
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
        """The weights in use, by what they are for; all of them decide the observations."""
        face, mask = self.masks.weights
        return {
            "person": self.detector.weights,
            "face": face,
            "mask": mask,
            "appearance": self.appearance.weights,
            **({"roles": self.roles.weights} if self.roles is not None else {}),
        }

    def faces(self, image: np.ndarray) -> np.ndarray:
        """Every face that the pipeline would look at in an image (H x W x 3 BGR); see `MaskReader.faces`."""
        [people] = self.detector([Frame(image, 0, 0, "")])
        return self.masks.faces(image, people)

    def warm_up(self) -> None:
        """Run each model once, so that compiling is over before footage arrives."""
        blank = np.zeros((96, 128, 3), np.uint8)
        self.detector([Frame(blank, 0, 0, "")])
        self.masks.read([(blank, np.array([0.0, 0.0, 96.0, 96.0]))])
        self.appearance.read([(blank, np.array([0.0, 0.0, 96.0, 96.0]))])
        if self.roles is not None:
            self.roles.read([(blank, np.array([0.0, 0.0, 96.0, 96.0]))])


@dataclass(frozen=True)
class TrackerInput:
    """What the tracker was given of one analysed frame: enough to follow people again without its pixels.

    Attributes:
        t: stream time, microseconds; index: of the frame in its source.
        size: of the frame, width and height, px.
        rows: (N, 5) what `detect` found.
        numbers: of the rows whose appearance was looked at.
        looks: (len(numbers), D) float16, what they look like.
    """

    t: int
    index: int
    size: tuple[int, int]
    rows: np.ndarray
    numbers: tuple[int, ...]
    looks: np.ndarray

    def look(self, numbers: Sequence[int]) -> np.ndarray:
        """What was seen when these rows were looked at."""
        assert tuple(numbers) == self.numbers, "the tracker asks the same of the same frames"
        return self.looks.astype(np.float32)


class _Looks:
    """Looks at the people of a frame, and keeps what was seen.

    In half precision: what is kept must be the very thing that the tracker was told, and small.
    """

    def __init__(self, reader: AppearanceReader, frame: Frame, rows: np.ndarray) -> None:
        self._reader, self._frame, self._rows = reader, frame, rows
        self.numbers: tuple[int, ...] = ()
        self.vectors = np.zeros((0, reader.dimension), np.float16)

    def __call__(self, numbers: Sequence[int]) -> np.ndarray:
        self.numbers = tuple(numbers)
        people = [(self._frame.image, self._rows[number, :4]) for number in numbers]
        self.vectors = self._reader.read(people).astype(np.float16)
        return self.vectors.astype(np.float32)


class Perception:
    """One camera's stream, from its first frame on; frames must come in order of time."""

    def __init__(self, bundle: ModelBundle, camera: Camera, stream: str) -> None:
        """Begin a stream of a camera; `stream` names it, for ids that are stable over repeated runs."""
        self._bundle = bundle
        self._camera = camera
        self._tracker = PersonTracker(stream, bundle.settings.tracker, camera.calibration)
        self._last_look: dict[int, int] = {}
        self._last_role: dict[int, int] = {}
        self._liveness = Liveness(round(COMPARABLE_S * SECOND))

    def detect(self, frames: Sequence[Frame]) -> list[np.ndarray]:
        """Find people in frames of one size: per frame, float32 rows of x1, y1, x2, y2 (px), score."""
        found = []
        for first in range(0, len(frames), self._bundle.detector.batch):
            found += self._bundle.detector(frames[first : first + self._bundle.detector.batch])
        return found

    def observe(
        self,
        frames: Sequence[Frame],
        detections: Sequence[np.ndarray],
        record: list[TrackerInput] | None = None,
    ) -> list[Row]:
        """Follow people over frames, given what `detect` found in them; look at heads and clothes as due.

        Args:
            frames: in order of time.
            detections: what `detect` found in each.
            record: what the tracker was given of each frame is added to it, for `restore`.

        Returns:
            Rows for `tabulate`: a table for every frame would cost more than following its people.
        """
        rows: list[Row] = []
        for frame, found in zip(frames, detections, strict=True):
            looks = _Looks(self._bundle.appearance, frame, found)
            size = frame.image.shape[1], frame.image.shape[0]
            tracked, tracks = self._tracker.update(found, frame.t, size, looks)
            if record is not None:
                record.append(TrackerInput(frame.t, frame.index, size, found, looks.numbers, looks.vectors))
            roles = self._read_roles(frame, tracked, tracks)
            rows += _rows(frame, tracked, tracks, self._look(frame, tracked, tracks), roles)
        return rows

    def tabulate(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Rows of `observe` as the observation log gives them back, but with ground positions."""
        table = pl.DataFrame(rows, schema=_ROW_SCHEMA, orient="row").cast({"t": observations.SCHEMA["t"]})
        empty = [
            pl.lit(None, kind).alias(n) for n, kind in observations.SCHEMA.items() if n not in _ROW_SCHEMA
        ]
        logged = observations.rounded(table.with_columns(empty).select(list(observations.SCHEMA)))
        return locate(logged, self._camera).select(list(observations.SCHEMA))

    def restore(self, tracker_inputs: Sequence[TrackerInput], seen: pl.DataFrame) -> None:
        """Bring the state to where an interrupted run left it, from what that run wrote down.

        Args:
            tracker_inputs: what `observe` recorded of every analysed frame since the stream began.
            seen: the observations made of them.
        """
        for tracker_input in tracker_inputs:
            self._tracker.update(tracker_input.rows, tracker_input.t, tracker_input.size, tracker_input.look)
        looked = seen.filter(pl.col("mask_reason").is_null() | (pl.col("mask_reason") != NOT_SAMPLED))
        for track, t in looked.group_by("track").agg(pl.col("t").max().dt.timestamp("us")).iter_rows():
            self._last_look[track] = t
        read = seen.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in ROLE_COLUMNS))
        for track, t in read.group_by("track").agg(pl.col("t").max().dt.timestamp("us")).iter_rows():
            self._last_role[track] = t

    def _read_roles(self, frame: Frame, boxes: np.ndarray, tracks: np.ndarray) -> list[RoleShares]:
        """What people wear says of their roles, where it is due and can be seen; else nothing."""
        shares: list[RoleShares] = [(None,) * len(ROLE_COLUMNS)] * len(tracks)
        if self._bundle.roles is None or not len(tracks):
            return shares
        interval = round(0.9 * SECOND / self._bundle.settings.role_check_hz)
        due = [
            n
            for n in np.flatnonzero(clothes_visible(boxes)).tolist()
            if frame.t - self._last_role.get(int(tracks[n]), -(SECOND**2)) >= interval
        ]
        for n, row in zip(
            due, self._bundle.roles.read([(frame.image, boxes[n, :4]) for n in due]).tolist(), strict=True
        ):
            shares[n] = tuple(None if np.isnan(share) else share for share in row)
            self._last_role[int(tracks[n])] = frame.t
        return shares

    def _look(self, frame: Frame, boxes: np.ndarray, tracks: np.ndarray) -> list[MaskReading]:
        # 10 % early is on time: at 3.5 analysed frames/s a strict half second would halve the rate.
        interval = round(0.9 * SECOND / self._bundle.settings.mask_check_hz)
        due = [
            n
            for n, track in enumerate(tracks)
            if frame.t - self._last_look.get(int(track), -(SECOND**2)) >= interval
        ]
        readings = [MaskReading(None, NOT_SAMPLED, None)] * len(tracks)
        for number, reading in zip(
            due, self._bundle.masks.read([(frame.image, boxes[n, :4]) for n in due]), strict=True
        ):
            track = int(tracks[number])
            change = self._liveness.change(track, frame.t, frame.image, reading.face)
            readings[number] = replace(reading, change=change)
            self._last_look[track] = frame.t
        self._liveness.forget_before(frame.t)
        return readings


Row = tuple[object, ...]
"""One person in one frame: the values of `_ROW_SCHEMA`, in its order."""

RoleShares = tuple[float | None, ...]
"""Probabilities of the roles of ROLE_COLUMNS; None = not known."""

_LATER = ("ground_x", "ground_y", "ground_se")
_ROW_SCHEMA = {n: kind for n, kind in observations.SCHEMA.items() if n not in _LATER} | {"t": pl.Int64()}


def _rows(
    frame: Frame,
    boxes: np.ndarray,
    tracks: np.ndarray,
    readings: Sequence[MaskReading],
    roles: Sequence[RoleShares],
) -> Iterator[Row]:
    height, width = frame.image.shape[:2]
    for box, track, reading, shares in zip(boxes.tolist(), tracks.tolist(), readings, roles, strict=True):
        x1, y1, x2, y2, score = box
        seen = (frame.camera, frame.t, frame.index, track, width, height, x1, y1, x2, y2, score)
        masks = reading.probabilities or (None, None, None)
        change = reading.change
        yield (*seen, (x1 + x2) / 2, y2, reading.face_height, change, *masks, reading.reason, *shares)
