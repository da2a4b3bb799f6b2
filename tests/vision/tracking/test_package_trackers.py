"""The trackers of the `trackers` package in place of ours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import supervision as sv

from tests.vision.tracking.crowd import HEIGHT, SECOND, WIDTH, Crowd, Walker
from vision.tracking import (
    OUR_TRACKER,
    TRACKERS,
    TrackerSettings,
    choose_tracker,
    frame_size,
    person_detections,
    tracker_ids,
)
from zones.errors import LazarettoError

FPS = 5.0
PACKAGE_TRACKERS = [name for name in TRACKERS if name != OUR_TRACKER]
CROWD = Crowd([Walker([(0, -4, 11), (8, 4, 12)]), Walker([(1, 4, 16), (8, -3, 14)])], ghosts=0.3)


def track(
    name: str, frames: Sequence[tuple[np.ndarray, int]], stream: str = "s", coast_s: float = 3.0
) -> list[sv.Detections]:
    """The output for frames, each rows x1, y1, x2, y2, score and its time, microseconds."""
    tracker = choose_tracker(stream, TrackerSettings(name=name, coast_s=coast_s), FPS)
    return [
        tracker.update(person_detections(rows, (WIDTH, HEIGHT)), timestamp=t / SECOND) for rows, t in frames
    ]


def crowd_frames() -> list[tuple[np.ndarray, int]]:
    return [(view.rows, 10**15 + view.t) for view in CROWD.views(8, FPS)]


def still(seconds: Sequence[float]) -> list[tuple[np.ndarray, int]]:
    """A person who stands still, detected at these seconds."""
    rows = np.array([[100, 100, 140, 200, 0.9]], np.float32)
    return [(rows, round(second * SECOND)) for second in seconds]


@pytest.mark.parametrize("name", TRACKERS)
def test_only_confirmed_tracks_of_detected_people_are_reported(name: str) -> None:
    frames = crowd_frames()
    reported = 0
    for (rows, _), tracked in zip(frames, track(name, frames), strict=True):
        ids = tracker_ids(tracked)
        assert (ids >= 0).all() and len(set(ids.tolist())) == len(ids) <= len(rows)
        assert tracked.confidence is not None and frame_size(tracked) == (WIDTH, HEIGHT)
        reported += len(ids)
    assert reported > 0.7 * sum((rows[:, 4] >= 0.4).sum() for rows, _ in frames)


@pytest.mark.parametrize("name", TRACKERS)
def test_a_single_detection_is_never_reported(name: str) -> None:
    nothing = np.zeros((0, 5), np.float32)
    frames = [*still([0.0]), *((nothing, n * SECOND // 5) for n in range(1, 10))]
    assert [len(tracked) for tracked in track(name, frames)] == [0] * 10


@pytest.mark.parametrize("name", TRACKERS)
def test_ids_are_the_same_in_every_run_and_differ_between_streams(name: str) -> None:
    frames = crowd_frames()
    first, again, other = track(name, frames), track(name, frames), track(name, frames, stream="other")
    for one, two, three in zip(first, again, other, strict=True):
        assert one == two
        assert not set(tracker_ids(one).tolist()) & set(tracker_ids(three).tolist())


@pytest.mark.parametrize("name", PACKAGE_TRACKERS)
def test_the_seconds_for_which_a_track_is_kept_do_not_depend_on_the_frame_rate(name: str) -> None:
    for rate in (2.0, 5.0, 15.0):
        before = [n / rate for n in range(10)]
        for gap, kept in ((1.5, True), (4.0, False)):
            after = [before[-1] + gap + n / rate for n in range(10)]
            found = track(name, still([*before, *after]), coast_s=2.5)
            ids = [set(tracker_ids(found[at]).tolist()) for at in (9, -1)]
            assert all(len(one) == 1 for one in ids)
            assert (ids[0] == ids[1]) is kept, (rate, gap)


def test_an_unknown_tracker_is_refused_with_the_names_of_the_known_ones() -> None:
    with pytest.raises(LazarettoError, match=r"expected a tracker among lazaretto, .*cbiou, got 'deepsort'"):
        TrackerSettings(name="deepsort")
