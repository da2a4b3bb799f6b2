from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.frames import SECOND
from vision.tracking import PersonTracker

STEP = SECOND // 5


def person(x: float, score: float = 0.9) -> np.ndarray:
    return np.array([[x, 100, x + 40, 200, score]], dtype=np.float32)


def walk(
    tracker: PersonTracker, xs: list[float | None], start: int = 0, score: float = 0.9
) -> list[list[int]]:
    none = np.zeros((0, 5), np.float32)
    return [
        tracker.update(none if x is None else person(x, score), start + n * STEP)[1].tolist()
        for n, x in enumerate(xs)
    ]


def test_a_walking_person_is_one_track_from_the_second_sight_on() -> None:
    seen = walk(PersonTracker("s", 5), [100 + 4 * n for n in range(20)])
    assert seen[0] == []
    assert len({track for ids in seen[1:] for track in ids}) == 1
    assert all(len(ids) == 1 for ids in seen[1:])


def test_a_single_flash_of_the_detector_is_nobody() -> None:
    assert walk(PersonTracker("s", 5), [100.0, None, None, None]) == [[], [], [], []]


def test_weak_detections_begin_no_track() -> None:
    assert walk(PersonTracker("s", 5), [100.0] * 5, score=0.2) == [[]] * 5


def test_a_person_hidden_for_a_second_keeps_the_track_and_one_gone_for_long_does_not() -> None:
    short = walk(PersonTracker("s", 5), [100.0] * 5 + [None] * 5 + [100.0] * 5)
    assert short[4] == short[-1]
    long = walk(PersonTracker("s", 5), [100.0] * 5 + [None] * 30 + [100.0] * 5)
    assert long[4] != long[-1]


def test_ids_are_the_same_for_the_same_stream_and_others_for_another() -> None:
    first, again, other = (walk(PersonTracker(name, 5), [100.0] * 3)[-1] for name in ("a", "a", "b"))
    assert first == again != other
    assert 0 <= first[0] < 2**63


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**15))
def test_when_the_stream_began_does_not_matter(start: int) -> None:
    xs: list[float | None] = [100.0, 104.0, None, 112.0, 116.0]
    assert walk(PersonTracker("s", 5), xs, start) == walk(PersonTracker("s", 5), xs, 0)
