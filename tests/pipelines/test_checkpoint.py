from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import checkpoint
from tests.vision.tracking.crowd import DIMENSION, HEIGHT, WIDTH, Crowd, Post, View, Walker
from vision.frames import Frame
from vision.observations import SCHEMA as OBSERVATIONS
from vision.observations import ObservationError
from vision.perception import ModelBundle, Perception, PerceptionSettings, TrackerInput
from vision.tracking import TRACKERS, TrackerSettings, frame_size, person_detections
from zones.facility import Camera

CAMERA = Camera.model_validate({"id": "yard", "places": ["yard"]})
rows = st.lists(st.tuples(*[st.floats(0, 4000, width=32)] * 4, st.floats(0, 1, width=32)), max_size=3)
frames = st.lists(st.tuples(rows, st.booleans()), max_size=6)


def tracker_input(t: int, people: list[tuple[float, ...]], embedded: bool) -> TrackerInput:
    numbers = tuple(range(len(people))) if embedded else ()
    embeddings = np.random.default_rng(t).normal(size=(len(numbers), 8)).astype(np.float16)
    detections = person_detections(np.array(people, np.float32).reshape(-1, 5), (640, 480))
    return TrackerInput(t, t // 7, detections, numbers, embeddings)


@settings(max_examples=30, deadline=None)
@given(frames)
def test_tracker_inputs_are_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, seen: list[tuple[list[tuple[float, ...]], bool]]
) -> None:
    home = tmp_path_factory.mktemp("home")
    given = [tracker_input(200_000 * n, *frame) for n, frame in enumerate(seen)]
    checkpoint.write(home, "stream", 3, given)
    back = checkpoint.read(home, "stream", 3)
    assert len(back) == len(given)
    for one, other in zip(given, back, strict=True):
        assert (one.t, one.index, one.embedded) == (other.t, other.index, other.embedded)
        assert one.detections == other.detections and frame_size(other.detections) == (640, 480)
        assert one.detections.xyxy.dtype == other.detections.xyxy.dtype
        if one.embedded:
            assert np.array_equal(one.embed(one.embedded), other.embed(other.embedded))


def test_a_removed_checkpoint_is_named_in_the_error_and_can_be_removed_twice(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, "stream", 0, [tracker_input(0, [], False)])
    checkpoint.remove(tmp_path, "stream")
    checkpoint.remove(tmp_path, "stream")
    with pytest.raises(ObservationError, match=r"000000\.parquet: expected the detections of a segment"):
        checkpoint.read(tmp_path, "stream", 0)


@pytest.mark.parametrize("name", TRACKERS)
def test_an_analysis_resumed_from_its_checkpoint_continues_the_same_tracks(name: str, tmp_path: Path) -> None:
    crowd = Crowd([Walker([(0, -4, 11), (8, 4, 12)]), Walker([(1, 4, 16), (8, -3, 14)])], [Post(0, 10, 0.7)])
    views = crowd.views(8, 5)
    parts = {
        "settings": PerceptionSettings(tracker=TrackerSettings(name=name)),
        "appearance": AppearanceOf(views),
    }
    bundle = cast(ModelBundle, SimpleNamespace(**parts))
    frames = [Frame(np.full((1, 1, 3), n, np.uint8), 10**15 + v.t, n, "yard") for n, v in enumerate(views)]
    found = [person_detections(v.rows, (WIDTH, HEIGHT)) for v in views]

    whole = Perception(bundle, CAMERA, "stream")
    expected = [whole.track(frame, item) for frame, item in zip(frames, found, strict=True)]
    record: list[TrackerInput] = []
    interrupted = Perception(bundle, CAMERA, "stream")
    for frame, item in zip(frames[:17], found[:17], strict=True):
        interrupted.track(frame, item, record)
    checkpoint.write(tmp_path, "stream", 0, record)
    resumed = Perception(bundle, CAMERA, "stream")
    resumed.restore(checkpoint.read(tmp_path, "stream", 0), pl.DataFrame(schema=OBSERVATIONS))
    later = [resumed.track(frame, item) for frame, item in zip(frames[17:], found[17:], strict=True)]
    assert later == expected[17:] and sum(map(len, later)) > 20


class AppearanceOf:
    """Reads embeddings of simulated people; the value of the pixels is the number of the frame."""

    dimension = DIMENSION

    def __init__(self, views: Sequence[View]) -> None:
        self.views = views

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        read = []
        for image, box in people:
            view = self.views[int(image[0, 0, 0])]
            [row] = np.flatnonzero((view.rows[:, :4] == box).all(axis=1))
            read.append(view.embeddings[row])
        return np.array(read, np.float32).reshape(-1, DIMENSION)
