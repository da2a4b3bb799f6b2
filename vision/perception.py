"""Frames in, observations out: detection, tracking, attributes, foot point and ground position."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import polars as pl

from models.devices import Device
from models.registry import Weights
from vision import observations
from vision.detection import PersonDetector
from vision.frames import SECOND, Frame
from vision.ground import locate
from vision.masks import MaskReader, MaskReading
from vision.tracking import PersonTracker, TrackerSettings
from zones.facility import Camera

NOT_SAMPLED = "not_sampled"


@dataclass(frozen=True)
class PerceptionSettings:
    """How closely the pipeline looks.

    Attributes:
        fps: analysed frames per second, at most.
        imgsz: px of the longer side for person detection.
        head_imgsz: px of the longer side of a head region for the mask detector.
        mask_hz: looks at each head per second, at most.
        tracker: see `TrackerSettings`.
    """

    fps: float = 5.0
    imgsz: int = 416
    head_imgsz: int = 192
    mask_hz: float = 2.0
    tracker: TrackerSettings = field(default_factory=TrackerSettings)

    def fingerprint(self, *weights: Weights) -> str:
        """What, beside the pixels, decides the observations: settings and weights, as 16 hex digits."""
        text = json.dumps([asdict(self), [w.sha256 for w in weights]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Eyes:
    """The models, loaded once and shared by every camera of a run."""

    def __init__(
        self, person: Weights, face_mask: Weights, device: Device, settings: PerceptionSettings
    ) -> None:
        """Load both detectors.

        Raises:
            ModelError: weights cannot be loaded or have other classes.
        """
        self.settings = settings
        self.device = device
        self.detector = PersonDetector(person, device, settings.imgsz)
        self.masks = MaskReader(face_mask, device, settings.head_imgsz)

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

    def detect(self, frames: Sequence[Frame]) -> list[np.ndarray]:
        """Find people in frames of one size: per frame, float32 rows of x1, y1, x2, y2 (px), score."""
        found = []
        for first in range(0, len(frames), self._eyes.detector.batch):
            found += self._eyes.detector(frames[first : first + self._eyes.detector.batch])
        return found

    def observe(self, frames: Sequence[Frame], detections: Sequence[np.ndarray]) -> pl.DataFrame:
        """Follow people over frames, given what `detect` found in them, and look at heads that are due."""
        tables = []
        for frame, rows in zip(frames, detections, strict=True):
            tracked, tracks = self._tracker.update(rows, frame.t)
            readings = self._look(frame, tracked, tracks)
            tables.append(_table(frame, tracked, tracks, readings))
        filled = [table for table in tables if len(table)]
        return locate(pl.concat(filled) if filled else observations.empty(), self._camera)

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
            readings[number] = reading
            self._last_look[int(tracks[number])] = frame.t
        return readings


def _table(
    frame: Frame, boxes: np.ndarray, tracks: np.ndarray, readings: Sequence[MaskReading]
) -> pl.DataFrame:
    height, width = frame.image.shape[:2]
    count = len(tracks)
    probabilities = [reading.probabilities or (None, None, None) for reading in readings]
    columns: dict[str, object] = {name: [None] * count for name in observations.SCHEMA}
    columns.update(
        camera=[frame.camera] * count,
        t=pl.Series([frame.t] * count, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
        frame=[frame.index] * count,
        track=tracks,
        width=[width] * count,
        height=[height] * count,
        x1=boxes[:, 0],
        y1=boxes[:, 1],
        x2=boxes[:, 2],
        y2=boxes[:, 3],
        score=boxes[:, 4],
        foot_x=(boxes[:, 0] + boxes[:, 2]) / 2,
        foot_y=boxes[:, 3],
        face_height=[reading.face_height for reading in readings],
        mask_masked=[p[0] for p in probabilities],
        mask_unmasked=[p[1] for p in probabilities],
        mask_incorrect=[p[2] for p in probabilities],
        mask_reason=[reading.reason for reading in readings],
    )
    return pl.DataFrame(columns, schema=observations.SCHEMA)
