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
from vision.detection import PersonDetector
from vision.frames import SECOND, Frame
from vision.ground import locate
from vision.masks import MaskReader, MaskReading
from vision.stillness import Stillness
from vision.tracking import PersonTracker, TrackerSettings
from zones.facility import Camera

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
        mask_hz: looks at each head per second, at most.
        tracker: see `TrackerSettings`.
    """

    fps: float = 5.0
    imgsz: int = 416
    head_imgsz: int = 192
    face_imgsz: int = 96
    mask_hz: float = 2.0
    tracker: TrackerSettings = field(default_factory=TrackerSettings)

    def fingerprint(self, *weights: Weights) -> str:
        """What, beside the pixels, decides the observations: settings, weights, their form; 16 hex digits."""
        text = json.dumps([asdict(self), [[w.sha256, w.runtime] for w in weights]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Models:
    """Which weights a run uses, each by our name, by the path of a file, or by an ultralytics name."""

    person: str = "person"
    face: str = "face"
    mask: str = "mask"


class Eyes:
    """The models, loaded once and shared by every camera of a run."""

    def __init__(
        self, person: Weights, face: Weights, mask: Weights, device: Device, settings: PerceptionSettings
    ) -> None:
        """Load the models.

        Raises:
            ModelError: weights cannot be loaded or have other classes.
        """
        self.settings = settings
        self.device = device
        self.detector = PersonDetector(person, device, settings.imgsz)
        self.masks = MaskReader(face, mask, device, settings.head_imgsz, settings.face_imgsz)

    @classmethod
    def load(cls, device: Device, settings: PerceptionSettings, models: Models | None = None) -> Eyes:
        """Find the named weights, ours by default, and load them.

        Raises:
            ModelError: weights are missing, tampered with, or of another kind.
        """
        models = models or Models()
        return cls(resolve(models.person), resolve(models.face), resolve(models.mask), device, settings)

    @property
    def weights(self) -> dict[str, Weights]:
        """What is loaded, by purpose."""
        face, mask = self.masks.weights
        return {"person": self.detector.weights, "face": face, "mask": mask}

    def faces(self, image: np.ndarray) -> np.ndarray:
        """Every face that the pipeline would look at in an image (H x W x 3 BGR); see `MaskReader.faces`."""
        [people] = self.detector([Frame(image, 0, 0, "")])
        return self.masks.faces(image, people)

    def warm_up(self) -> None:
        """Run each model once, so that compiling is over before footage arrives."""
        blank = np.zeros((96, 128, 3), np.uint8)
        self.detector([Frame(blank, 0, 0, "")])
        self.masks.read([(blank, np.array([0.0, 0.0, 96.0, 96.0]))])


class Perception:
    """One camera's stream, from its first frame on; frames must come in order of time."""

    def __init__(self, eyes: Eyes, camera: Camera, stream: str) -> None:
        """Begin a stream of a camera; `stream` names it, for ids that are stable over repeated runs."""
        self._eyes = eyes
        self._camera = camera
        self._tracker = PersonTracker(stream, eyes.settings.fps, eyes.settings.tracker)
        self._last_look: dict[int, int] = {}
        self._stillness = Stillness(round(COMPARABLE_S * SECOND))

    def detect(self, frames: Sequence[Frame]) -> list[np.ndarray]:
        """Find people in frames of one size: per frame, float32 rows of x1, y1, x2, y2 (px), score."""
        found = []
        for first in range(0, len(frames), self._eyes.detector.batch):
            found += self._eyes.detector(frames[first : first + self._eyes.detector.batch])
        return found

    def observe(self, frames: Sequence[Frame], detections: Sequence[np.ndarray]) -> list[Row]:
        """Follow people over frames, given what `detect` found in them, and look at heads that are due.

        Returns:
            Rows for `tabulate`: a table for every frame would cost more than following its people.
        """
        rows: list[Row] = []
        for frame, found in zip(frames, detections, strict=True):
            tracked, tracks = self._tracker.update(found, frame.t)
            rows += _rows(frame, tracked, tracks, self._look(frame, tracked, tracks))
        return rows

    def tabulate(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Rows of `observe` as a table of the observation log, with ground positions."""
        table = pl.DataFrame(rows, schema=_ROW_SCHEMA, orient="row").cast({"t": observations.SCHEMA["t"]})
        empty = [
            pl.lit(None, kind).alias(n) for n, kind in observations.SCHEMA.items() if n not in _ROW_SCHEMA
        ]
        return locate(table.with_columns(empty), self._camera).select(list(observations.SCHEMA))

    def retrace(self, times: Sequence[int], detections: Sequence[np.ndarray], seen: pl.DataFrame) -> None:
        """Bring the state to where an interrupted run left it, from what that run wrote down.

        Args:
            times: of every analysed frame since the stream began, microseconds.
            detections: what `detect` found in each.
            seen: the observations made of them.
        """
        for t, rows in zip(times, detections, strict=True):
            self._tracker.update(rows, t)
        looked = seen.filter(pl.col("mask_reason").is_null() | (pl.col("mask_reason") != NOT_SAMPLED))
        for track, t in looked.group_by("track").agg(pl.col("t").max().dt.timestamp("us")).iter_rows():
            self._last_look[track] = t

    def _look(self, frame: Frame, boxes: np.ndarray, tracks: np.ndarray) -> list[MaskReading]:
        # 10 % early is on time: at 3.5 analysed frames/s a strict half second would halve the rate.
        interval = round(0.9 * SECOND / self._eyes.settings.mask_hz)
        due = [
            n
            for n, track in enumerate(tracks)
            if frame.t - self._last_look.get(int(track), -(SECOND**2)) >= interval
        ]
        readings = [MaskReading(None, NOT_SAMPLED, None)] * len(tracks)
        for number, reading in zip(
            due, self._eyes.masks.read([(frame.image, boxes[n, :4]) for n in due]), strict=True
        ):
            track = int(tracks[number])
            change = self._stillness.change(track, frame.t, frame.image, reading.face)
            readings[number] = replace(reading, change=change)
            self._last_look[track] = frame.t
        self._stillness.forget_before(frame.t)
        return readings


Row = tuple[object, ...]
"""One person in one frame: the values of `_ROW_SCHEMA`, in its order."""

_LATER = ("ground_x", "ground_y", "ground_se", *(n for n in observations.SCHEMA if n.startswith("role_")))
_ROW_SCHEMA = {n: kind for n, kind in observations.SCHEMA.items() if n not in _LATER} | {"t": pl.Int64()}


def _rows(
    frame: Frame, boxes: np.ndarray, tracks: np.ndarray, readings: Sequence[MaskReading]
) -> Iterator[Row]:
    height, width = frame.image.shape[:2]
    for box, track, reading in zip(boxes.tolist(), tracks.tolist(), readings, strict=True):
        x1, y1, x2, y2, score = box
        seen = (frame.camera, frame.t, frame.index, track, width, height, x1, y1, x2, y2, score)
        masks = reading.probabilities or (None, None, None)
        yield (*seen, (x1 + x2) / 2, y2, reading.face_height, reading.change, *masks, reading.reason)
