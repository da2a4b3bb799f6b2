from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import retrace
from vision.observations import ObservationError

frames = st.lists(
    st.lists(st.tuples(*[st.floats(0, 4000, width=32)] * 4, st.floats(0, 1, width=32)), max_size=3),
    max_size=6,
)


@settings(max_examples=30, deadline=None)
@given(frames)
def test_detections_come_back_to_the_last_bit(tmp_path_factory: pytest.TempPathFactory, people: list) -> None:  # type: ignore[type-arg]
    home = tmp_path_factory.mktemp("home")
    rows = [np.array(frame, dtype=np.float32).reshape(-1, 5) for frame in people]
    times = list(range(0, 200_000 * len(rows), 200_000))
    retrace.write(home, "stream", 3, times, list(range(len(rows))), rows)
    read_times, indices, read = retrace.read(home, "stream", 3)
    assert (read_times, indices) == (times, list(range(len(rows))))
    assert len(read) == len(rows) and all(np.array_equal(a, b) for a, b in zip(read, rows, strict=True))


def test_what_is_gone_is_named_and_forgetting_twice_is_no_fault(tmp_path: Path) -> None:
    retrace.write(tmp_path, "stream", 0, [0], [0], [np.zeros((0, 5), np.float32)])
    retrace.forget(tmp_path, "stream")
    retrace.forget(tmp_path, "stream")
    with pytest.raises(ObservationError, match=r"000000\.parquet: expected the detections of a stretch"):
        retrace.read(tmp_path, "stream", 0)
