"""A tracker whose state was saved and restored goes on with the same tracks, bit for bit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from crowd import HEIGHT, WIDTH, Crowd, Post, TrackerRun, View, wanderers
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.state import State, StateError, text_array, text_of
from vision.tracking import TrackerSettings, choose_tracker, person_detections

BRIEF = TrackerSettings(coast_s=1.0, lost_s=5.0)
"""People are lost and forgotten soon, so that a short scene has all of it."""


def update(run: TrackerRun, view: View, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return run.update(view.rows, view.t, size, view.embed)


def equal(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(
        a.dtype == other[name].dtype and a.shape == other[name].shape and a.tobytes() == other[name].tobytes()
        for name, a in one.items()
    )


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    fps=st.sampled_from([1.0, 3.5, 5.0]),
    share=st.floats(0, 1),
    pause=st.sampled_from([0, 0, 2_000_000, 90_000_000]),
    metres=st.booleans(),
    embeds=st.booleans(),
    sized=st.booleans(),
)
def test_a_restored_tracker_gives_the_same_boxes_ids_and_state(
    seed: int, fps: float, share: float, pause: int, metres: bool, embeds: bool, sized: bool
) -> None:
    crowd = Crowd(wanderers(6, 15, seed), [Post(0, 9, 0.35), Post(2.5, 11, 0.5)], seed=seed)
    views = crowd.views(15, fps)
    cut = round(share * len(views))
    views = [*views[:cut], *(View(v.t + pause, v.truth, v.rows, v.whose, v.embeddings) for v in views[cut:])]
    size = (WIDTH, HEIGHT) if sized else (0, 0)
    whole = TrackerRun("s", BRIEF, metres, embeds)
    for view in views[:cut]:
        update(whole, view, size)
    state = whole.tracker.state()
    restored = TrackerRun("another", BRIEF, metres, embeds)
    restored.tracker.restore(state)
    assert equal(restored.tracker.state(), state)
    for view in views[cut:]:
        for one, other in zip(update(whole, view, size), update(restored, view, size), strict=True):
            assert np.array_equal(one, other)
    assert equal(restored.tracker.state(), whole.tracker.state())


def test_scenes_of_that_kind_hold_lost_tracks_crossings_and_pending_embeddings() -> None:
    most = dict[str, int]()
    for seed in range(4):
        crowd = Crowd(wanderers(6, 15, seed), [Post(0, 9, 0.35), Post(2.5, 11, 0.5)], seed=seed)
        run = TrackerRun("s", BRIEF, True, True)
        for view in crowd.views(15, 5):
            update(run, view, (WIDTH, HEIGHT))
            state = run.tracker.state()
            counts = {
                "lost": len(state["tracks.integers"]) - int(state["numbers"][0]),
                "crossings": len(state["tracks.crossings"]),
                "pending": int(state["tracks.embedded"][:, 1].sum()),
            }
            most = {name: max(count, most.get(name, 0)) for name, count in counts.items()}
    assert all(most.values()), most


def test_embeddings_in_half_precision_are_saved_in_half_precision() -> None:
    for kind in (np.float16, np.float32):
        run = TrackerRun(embeds=True)
        rows = np.array([[100, 100, 140, 200, 0.9]], np.float32)
        vector = np.random.default_rng(0).normal(size=(1, 64)).astype(kind).astype(np.float32)
        run.update(rows, 0, (WIDTH, HEIGHT), lambda _, v=vector: v)  # type: ignore[misc]
        saved = run.tracker.state()["tracks.embeddings"]
        assert saved.dtype == kind and np.array_equal(saved.astype(np.float32), vector)


def package_state() -> State:
    tracker = choose_tracker("s", TrackerSettings(name="sort"), 5.0)
    rows = np.array([[100, 100, 140, 200, 0.9]], np.float32)
    for n in range(3):
        tracker.update(person_detections(rows, (WIDTH, HEIGHT)), timestamp=n / 5)
    return tracker.state()


def test_tracks_of_another_version_of_the_package_are_refused() -> None:
    state = package_state() | {"version": text_array("0.1")}
    with pytest.raises(StateError, match=r"expected tracks of version .* of trackers, got .* version 0\.1"):
        choose_tracker("s", TrackerSettings(name="sort"), 5.0).restore(state)


@pytest.mark.parametrize(
    ("module", "name"), [("subprocess", "Popen"), ("trackers.core.base", "Path"), ("trackers", "nothing")]
)
def test_a_state_makes_no_object_but_those_of_the_package(module: str, name: str) -> None:
    state = package_state()
    fields = json.loads(text_of(state["fields"]))
    fields["tracks"][0] |= {"module": module, "class": name}
    state["fields"] = text_array(json.dumps(fields))
    with pytest.raises(StateError, match="expected a saved object of trackers"):
        choose_tracker("s", TrackerSettings(name="sort"), 5.0).restore(state)
