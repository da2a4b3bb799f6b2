"""Checkpoints: read back exactly, refused where they are not whole, and no larger with time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.analysis import checkpoint
from pipelines.analysis.checkpoint import Checkpoint, CheckpointError
from tests.pipelines.simulated import CAMERA, CROWD, frames_of, simulated_bundle
from tests.vision.tracking.crowd import DIMENSION, View
from vision.frames import SECOND
from vision.perception import Perception
from vision.sources.gaps import ResumePoint
from vision.tracking import TRACKERS

START = 10**15
names = st.text("abc._", min_size=1, max_size=8)
kinds = st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.uint8])
states = st.dictionaries(names, arrays.arrays(kinds, arrays.array_shapes(min_side=0, max_side=3)), max_size=4)
points = st.none() | st.builds(ResumePoint, st.integers(0, 2**40), st.integers(0, 2**60))


@settings(max_examples=30, deadline=None)
@given(states, points, st.integers(0, 10**6))
def test_a_checkpoint_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory,
    state: dict[str, np.ndarray],
    after: ResumePoint | None,
    seq: int,
) -> None:
    home = tmp_path_factory.mktemp("home")
    checkpoint.write(home, Checkpoint("stream", seq, after, state))
    back = checkpoint.read(home, "stream", seq)
    assert (back.stream, back.seq, back.after, set(back.state)) == ("stream", seq, after, set(state))
    for name, array in state.items():
        assert back.state[name].dtype == array.dtype and back.state[name].shape == array.shape
        assert back.state[name].tobytes() == array.tobytes()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A checkpoint of people in view: its file, and what is in it."""
    home = tmp_path_factory.mktemp("home")
    views = CROWD.views(2, 5)
    bundle = simulated_bundle(views)
    perception, frames = Perception(bundle, CAMERA, "stream"), frames_of(views, START)
    perception.observe(frames, perception.detect(frames))
    checkpoint.write(home, Checkpoint("stream", 3, ResumePoint(10, START), perception.state()))
    return home, (home / "resume" / "stream" / "000003.checkpoint").read_bytes()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_checkpoint_that_is_torn_or_altered_anywhere_is_refused(
    written: tuple[Path, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = written[1]
    at = data.draw(st.integers(0, len(whole) - 1))
    altered = bytes([whole[at] ^ data.draw(st.integers(1, 255))])
    torn = data.draw(
        st.sampled_from([whole[:at], whole[:at] + altered + whole[at + 1 :], whole + whole[at:]])
    )
    home = tmp_path_factory.mktemp("home")
    path = home / "resume" / "stream" / "000003.checkpoint"
    path.parent.mkdir(parents=True)
    path.write_bytes(torn)
    with pytest.raises(CheckpointError, match=r"000003\.checkpoint: expected a (whole )?checkpoint"):
        checkpoint.read(home, "stream", 3)


def test_a_checkpoint_that_is_none_or_another_is_refused_in_one_sentence(
    written: tuple[Path, bytes], tmp_path: Path
) -> None:
    def refusal(make: Callable[[Path], object]) -> str:
        path = tmp_path / "resume" / "stream" / "000007.checkpoint"
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)
        with pytest.raises(CheckpointError) as caught:
            checkpoint.read(tmp_path, "stream", 7)
        text = str(caught.value)
        assert text.startswith(f"{path}: ") and "\n" not in text
        return text.removeprefix(f"{path}: ")

    whole = written[1]
    this, next_one = checkpoint.VERSION, checkpoint.VERSION + 1
    assert refusal(lambda path: None) == f"expected a checkpoint of version {this}, found none"
    assert (
        refusal(lambda path: path.with_suffix(".parquet").write_bytes(b"PAR1"))
        == f"expected a checkpoint of version {this}, found one that an earlier version of this program wrote"
    )
    head = b"lazaretto-checkpoint %d"
    later = whole.replace(head % this, head % next_one, 1)
    assert (
        refusal(lambda path: path.write_bytes(later))
        == f"expected a checkpoint of version {this}, got version {next_one}"
    )
    assert refusal(lambda path: path.write_bytes(b"PK\3\4")) == "expected a checkpoint, got another file"
    assert (
        refusal(lambda path: path.write_bytes(whole))
        == "expected the checkpoint of segment 7 of stream stream, got that of segment 3 of stream stream"
    )


def test_the_checkpoint_of_the_last_segment_alone_is_kept_and_can_be_removed_twice(tmp_path: Path) -> None:
    state = {"name": np.arange(3)}
    for seq in range(3):
        checkpoint.write(tmp_path, Checkpoint("stream", seq, None, state))
    folder = tmp_path / "resume" / "stream"
    (folder / "000000.parquet").write_bytes(b"of an earlier version")
    (folder / ".000002.checkpoint.tmp").write_bytes(b"of a kill")
    checkpoint.keep_only(tmp_path, "stream", 2)
    assert [path.name for path in folder.iterdir()] == ["000002.checkpoint"]
    assert np.array_equal(checkpoint.read(tmp_path, "stream", 2).state["name"], state["name"])
    checkpoint.remove(tmp_path, "stream")
    checkpoint.remove(tmp_path, "stream")
    assert not folder.exists()


@pytest.mark.parametrize("name", TRACKERS)
@settings(max_examples=3, deadline=None)
@given(cut=st.integers(1, 39))
@example(cut=17)
def test_an_analysis_resumed_from_its_checkpoint_gives_the_same_rows(
    name: str, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    views = CROWD.views(8, 5)
    bundle, frames = simulated_bundle(views, name), frames_of(views, START)

    whole = Perception(bundle, CAMERA, "stream")
    expected = whole.tabulate(whole.observe(frames, whole.detect(frames)))
    first = Perception(bundle, CAMERA, "stream")
    before = first.tabulate(first.observe(frames[:cut], first.detect(frames[:cut])))
    checkpoint.write(home, Checkpoint("stream", 0, None, first.state()))

    second = Perception(bundle, CAMERA, "another stream")
    second.restore(checkpoint.read(home, "stream", 0).state)
    after = second.tabulate(second.observe(frames[cut:], second.detect(frames[cut:])))
    assert len(expected) > 20 and expected["face_change"].count() > 5, "changes of faces were measured"
    assert before.vstack(after).equals(expected)


@pytest.mark.parametrize("name", TRACKERS)
def test_a_checkpoint_is_no_larger_after_many_people_than_after_a_few(name: str, tmp_path: Path) -> None:
    """Five people stay for two seconds, and the next five come when those are forgotten."""
    rng = np.random.default_rng(0)
    views = []
    for visit in range(40):
        rows = np.array([[100 * n, 200, 100 * n + 40, 300, 0.9] for n in range(5)], np.float32)
        for step in range(10):
            vectors = rng.normal(size=(5, DIMENSION)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            t = (visit * 90 * SECOND) + step * SECOND // 5
            views.append(View(t, {}, rows, np.arange(5), vectors))
    bundle, frames = simulated_bundle(views, name), frames_of(views, START)
    perception = Perception(bundle, CAMERA, "stream")
    sizes, tracks = [], set()
    for visit in range(40):
        part = frames[10 * visit : 10 * visit + 10]
        tracks |= {row[3] for row in perception.observe(part, perception.detect(part))}
        checkpoint.write(tmp_path, Checkpoint("stream", 0, None, perception.state()))
        sizes.append((tmp_path / "resume" / "stream" / "000000.checkpoint").stat().st_size)
    assert len(tracks) >= 150, "people who came are new people"
    assert max(sizes) <= 1.01 * sizes[0] < 150_000
