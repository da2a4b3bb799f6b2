"""People of the smaller stream in pictures of the larger one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.detail import DetailPictures
from vision.frames import SECOND, Frame

SMALL, LARGE = np.zeros((180, 320, 3), np.uint8), np.zeros((720, 1280, 3), np.uint8)
FIFTH = SECOND // 5


def small(t: int) -> Frame:
    return Frame(SMALL, t, 0, "lobby")


def large(t: int) -> Frame:
    return Frame(LARGE, t, 0, "lobby")


def box(x: float) -> np.ndarray:
    return np.array([[x, 20.0, x + 30, 120.0]])


@given(st.floats(0.01, 1.0))
def test_a_person_is_between_the_frames_before_and_after(share: float) -> None:
    pictures = DetailPictures()
    assert pictures.people(small(0), box(100), [7]) is None
    t = max(1, round(FIFTH * share))
    pictures.add(large(t))
    found = pictures.people(small(FIFTH), box(110), [7])
    assert found is not None and found[0].t == t
    assert found[1][0][0] == pytest.approx((100 + 10 * t / FIFTH) * 4) and found[1][0][3] == 480


def test_of_several_pictures_the_newest_counts_and_later_ones_wait() -> None:
    pictures = DetailPictures()
    pictures.people(small(0), box(100), [7])
    for t in (FIFTH // 4, FIFTH // 2, FIFTH + 1):
        pictures.add(large(t))
    found = pictures.people(small(FIFTH), box(100), [7])
    assert found is not None and found[0].t == FIFTH // 2
    later = pictures.people(small(2 * FIFTH), box(100), [7])
    assert later is not None and later[0].t == FIFTH + 1


def test_who_is_new_has_no_place_and_a_gap_says_nothing() -> None:
    pictures = DetailPictures()
    pictures.people(small(0), box(100), [7])
    pictures.add(large(FIFTH // 2))
    found = pictures.people(small(FIFTH), np.vstack([box(100), box(200)]), [7, 8])
    assert found is not None and list(found[1]) == [0]
    pictures.add(large(3 * SECOND))
    assert pictures.people(small(5 * SECOND), box(100), [7]) is None
