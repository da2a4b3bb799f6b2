"""Several trackers over the same detections of one video."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from evaluation.trackers import detect_footage, track_footage
from tests.footage import number_of, write_video
from tests.pipelines.simulated import found
from vision.gate.planner import DetectionPlan, GateSettings
from vision.masks import MaskReading
from vision.networks import ModelBundle, PerceptionSettings
from vision.sources.timeline import SourceError
from vision.tracking import TRACKERS, TrackerSettings
from zones.facility import Camera

CAMERA = Camera.model_validate({"id": "yard", "places": ["yard"]})


class WalkerDetector:
    """Finds one person, who walks right by 2 px a frame; counts the frames it was given."""

    def __init__(self) -> None:
        self.frames: list[int] = []

    def start(self, image: np.ndarray, plan: DetectionPlan) -> Future[tuple[np.ndarray, np.ndarray]]:
        number = number_of(image)
        self.frames.append(number)
        return found(np.array([[2.0 * number, 20, 2 * number + 30, 100, 0.9]]))


def read_no_faces(heads: Sequence[object]) -> list[MaskReading]:
    return [MaskReading(None, "no_face", None)] * len(heads)


class OneAppearance:
    """Gives every person the same embedding."""

    dimension = 4

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        return np.tile(np.eye(1, 4, dtype=np.float32), (len(people), 1))


class Bundle(SimpleNamespace):
    def with_tracker(self, name: str) -> Bundle:
        settings = PerceptionSettings(fps=self.settings.fps, tracker=TrackerSettings(name=name))
        return Bundle(**{**vars(self), "settings": settings})


def made_bundle(fps: float) -> tuple[ModelBundle, WalkerDetector]:
    detector = WalkerDetector()
    parts = {
        "settings": PerceptionSettings(fps=fps, gate=GateSettings(on=False)),
        "start_detection": detector.start,
        "appearance": OneAppearance(),
        "masks": SimpleNamespace(read=read_no_faces),
        "roles": None,
    }
    return cast(ModelBundle, Bundle(**parts)), detector


@pytest.mark.parametrize(("first", "expected"), [(0, range(0, 40, 2)), (1, range(1, 40, 2))])
def test_every_tracker_gets_the_detections_of_one_pass(tmp_path: Path, first: int, expected: range) -> None:
    video = write_video(tmp_path / "v.mp4", 40, fps=10)
    bundle, detector = made_bundle(fps=5)
    detected = detect_footage(video, bundle, CAMERA, first_frame=first)
    assert list(detected.times) == detector.frames == list(expected)
    for name in TRACKERS:
        tracked = track_footage(detected, bundle, CAMERA, name)
        table = tracked.observed.observations
        assert table["track"].n_unique() == 1 and len(table) >= len(expected) - 3
        assert table["frame"].to_list() == list(expected)[-len(table) :]
        assert tracked.frame_ms >= tracked.embedding_ms >= 0
    assert detector.frames == list(expected), "the detector ran once"


def test_a_first_frame_behind_the_end_of_the_video_is_refused(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", 10, fps=10)
    with pytest.raises(SourceError, match="expected a video with more than 10 frames"):
        detect_footage(video, made_bundle(5)[0], CAMERA, first_frame=10)
