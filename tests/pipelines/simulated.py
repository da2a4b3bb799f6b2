"""Perception and sources over a simulated crowd: real tracking and real files, without networks or pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import supervision as sv

from tests.vision.tracking.crowd import DIMENSION, HEIGHT, WIDTH, Crowd, Post, View, Walker
from vision.clock import Stop
from vision.frames import Frame
from vision.gate.planner import GateSettings
from vision.masks import MaskReading
from vision.networks import ModelBundle, PerceptionSettings
from vision.sources.files import FileSource
from vision.sources.gaps import ResumePoint
from vision.tracking import TrackerSettings, person_detections
from zones.facility import Camera

CAMERA = Camera.model_validate({"id": "yard", "places": ["yard"]})
CROWD = Crowd([Walker([(0, -4, 11), (8, 4, 12)]), Walker([(1, 4, 16), (8, -3, 14)])], [Post(0, 10, 0.7)])
FACE = np.array([0.0, 0.0, 8.0, 8.0])


class SimulatedFrame(Frame):
    """A frame whose small picture stands for one of WIDTH x HEIGHT px."""

    __slots__ = ()

    @property
    def size(self) -> tuple[int, int]:
        return WIDTH, HEIGHT


def found(rows: np.ndarray) -> Future[tuple[np.ndarray, np.ndarray]]:
    """The result of a detection that found these rows, and nothing that is cut off."""
    future: Future[tuple[np.ndarray, np.ndarray]] = Future()
    future.set_result((rows[:, :5].astype(np.float32), np.zeros((0, 5), np.float32)))
    return future


def frames_of(views: Sequence[View], start: int) -> list[Frame]:
    """A small picture for each view: its first pixel says the number of the view, the others are noise."""
    frames = []
    for n, view in enumerate(views):
        image = np.random.default_rng(n).integers(0, 256, (8, 8, 3), np.uint8)
        image[0, 0] = n % 256, n // 256, 0
        frames.append(SimulatedFrame(image, start + view.t, n, CAMERA.id))
    return frames


def number(image: np.ndarray) -> int:
    return int(image[0, 0, 0]) + 256 * int(image[0, 0, 1])


def simulated_bundle(views: Sequence[View], tracker: str = "lazaretto", fps: float = 5.0) -> ModelBundle:
    """Networks that find what the views show; of every face they find the same place."""

    def detect(frames: Sequence[Frame]) -> list[sv.Detections]:
        return [person_detections(views[number(frame.image)].rows, (WIDTH, HEIGHT)) for frame in frames]

    def read(heads: Sequence[object]) -> list[MaskReading]:
        return [MaskReading(None, "too_small", 8.0, face=FACE)] * len(heads)

    detect.batch = 4  # type: ignore[attr-defined]
    parts = {
        "settings": PerceptionSettings(
            fps=fps, tracker=TrackerSettings(name=tracker), gate=GateSettings(on=False)
        ),
        "detector": detect,
        "start_detection": lambda image, plan: found(views[number(image)].rows),
        "masks": SimpleNamespace(read=read),
        "appearance": AppearanceOf(views),
        "roles": None,
        "weights": {},
        "device": "none",
    }
    return cast(ModelBundle, SimpleNamespace(**parts))


class AppearanceOf:
    """Reads the embeddings of simulated people."""

    dimension = DIMENSION

    def __init__(self, views: Sequence[View]) -> None:
        self.views = views

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        read = []
        for image, box in people:
            view = self.views[number(image)]
            [row] = np.flatnonzero((view.rows[:, :4] == box).all(axis=1))
            read.append(view.embeddings[row])
        return np.array(read, np.float32).reshape(-1, DIMENSION)


def simulated_source(frames: Sequence[Frame], name: str = "yard.mp4") -> FileSource:
    """A source that gives these frames, after a resume point those behind it."""

    def give(stop: Stop, after: ResumePoint | None, interval: int) -> Iterator[Frame]:
        yield from (frame for frame in frames if after is None or frame.index > after.index)

    info = SimpleNamespace(path=Path(name), fingerprint="made")
    stated = {"start_us": frames[0].t, "duration_us": None, "rate": 5.0, "fps": None}
    return cast(FileSource, SimpleNamespace(info=info, name=name, camera=CAMERA.id, open=give, **stated))
