"""Several trackers over the same detections of one video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import supervision as sv

from evaluation.trackers import detect_footage, track_footage
from tests.footage import number_of, write_video
from vision.frames import Frame
from vision.networks import ModelBundle, PerceptionSettings
from vision.sources.timeline import SourceError
from vision.tracking import TRACKERS, TrackerSettings, person_detections
from zones.facility import Camera

CAMERA = Camera.model_validate({"id": "yard", "places": ["yard"]})


class WalkerDetector:
    """Finds one person, who walks right by 2 px a frame; counts the frames it was given."""

    batch = 1

    def __init__(self) -> None:
        self.frames: list[int] = []

    def __call__(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        self.frames += [number_of(frame.image) for frame in frames]
        return [
            person_detections(np.array([[2.0 * f.index, 20, 2 * f.index + 30, 100, 0.9]]), (160, 120))
            for f in frames
        ]


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
    parts = {"settings": PerceptionSettings(fps=fps), "detector": detector, "appearance": OneAppearance()}
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
