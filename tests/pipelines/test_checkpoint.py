from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import checkpoint
from vision.observations import ObservationError
from vision.perception import TrackerInput
from vision.tracking import frame_size, person_detections

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
