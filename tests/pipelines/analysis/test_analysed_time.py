from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.analysis.analysed_time import AnalysedTime

EDGES = st.lists(st.integers(0, 60), max_size=8, unique=True).map(sorted)


def intervals(edges: list[int]) -> list[tuple[int, int]]:
    return list(zip(edges[::2], edges[1::2], strict=False))


@given(EDGES, st.integers(0, 60), st.integers(0, 60))
def test_every_moment_is_either_free_or_analysed(edges: list[int], start: int, end: int) -> None:
    known = AnalysedTime(intervals(edges))
    free = list(known.free(start, end))
    for t in range(start, end):
        assert any(low <= t < high for low, high in free) != known.holds(t)
    assert all(low < high for low, high in free) and free == sorted(free)


def test_a_frame_just_before_the_end_is_not_of_the_time_before_it() -> None:
    known = AnalysedTime([(0, 1000)], slack=20)
    assert known.holds(979) and not known.holds(980) and not known.holds(1000)
    assert list(known.free(0, 2000)) == [(1000, 2000)]
