from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from review.role_session import SKIPPED, LabelError, LabelSession
from zones.facility import Role

TRACKS = ["a", "a", "b", "c", "c", "c", "d"]
GROUPS = [["c", "a"], ["b"], ["d"]]


def halves(tracks: Sequence[str]) -> list[list[str]]:
    middle = len(tracks) // 2
    return [part for part in (list(tracks[:middle]), list(tracks[middle:])) if part]


def session() -> LabelSession:
    return LabelSession(TRACKS, GROUPS, halves)


def test_one_answer_labels_all_crops_of_a_group_and_shows_the_next_group() -> None:
    work = session()
    work.answer(0, "resident")
    state = work.state()
    assert state["at"] == 1
    assert work.labels() == dict.fromkeys([0, 1, 3, 4, 5], Role.RESIDENT)
    assert state["counts"]["resident"] == {"crops": 5, "people": 2}


def test_a_mixed_group_is_split_and_a_group_of_one_track_is_skipped() -> None:
    work = session()
    work.split(0)
    assert [group["people"] for group in work.state()["groups"]] == [1, 1, 1, 1]
    assert work.state()["at"] == 0
    work.split(1)
    assert work.state()["groups"][2]["answer"] == SKIPPED
    assert work.labels() == {}


def test_after_the_last_group_the_first_without_an_answer_is_shown() -> None:
    work = session()
    work.answer(2, "outsider")
    assert work.state()["at"] == 0


def test_an_answer_can_be_changed() -> None:
    work = session()
    work.answer(1, "resident")
    work.answer(1, "staff_ppe")
    assert work.labels() == {2: Role.STAFF_PPE}


@pytest.mark.parametrize(("group", "role"), [(9, "resident"), (0, "unknown"), (0, "king"), ("0", "resident")])
def test_an_unknown_group_or_role_is_refused_and_changes_nothing(group: int, role: str) -> None:
    work = session()
    before = work.state()
    with pytest.raises(LabelError, match="expected"):
        work.answer(group, role)
    assert work.state() == before


step = st.tuples(st.sampled_from(["answer", "split"]), st.integers(0, 6), st.sampled_from(Role))


@settings(max_examples=60, deadline=None)
@given(st.lists(step, max_size=8))
def test_every_step_can_be_undone(taken: list[tuple[str, int, Role]]) -> None:
    work = session()
    states = [work.state()]
    for what, number, role in taken:
        groups = work.state()["groups"]
        group = groups[number % len(groups)]["id"]
        try:
            if what == "answer":
                work.answer(group, role.value)
            else:
                work.split(group)
        except LabelError:
            assert role is Role.UNKNOWN
            continue
        states.append(work.state())
        assert sorted(n for g in work.state()["groups"] for n in g["crops"]) == list(range(len(TRACKS)))
    for before in reversed(states[:-1]):
        work.undo()
        assert work.state() == before
    work.undo()
    assert not work.state()["can_undo"]
