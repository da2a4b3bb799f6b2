from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vision.check_times import CheckTimes
from vision.frames import DUE_SHARE, SECOND

RATE = 2.0
steps = st.lists(st.tuples(st.integers(0, SECOND), st.lists(st.integers(0, 5), unique=True)), max_size=40)


@given(steps, st.integers(0, 40))
def test_tracks_are_due_by_their_last_check_however_long_ago_and_also_after_a_restart(
    seen: list[tuple[int, list[int]]], restart: int
) -> None:
    times, t, last = CheckTimes(RATE), 0, dict[int, int]()
    for n, (step, tracks) in enumerate(seen):
        t += step
        if n == restart:
            state, times = times.state(), CheckTimes(RATE)
            times.restore(state)
        interval = round(DUE_SHARE * SECOND / RATE)
        due = [row for row, track in enumerate(tracks) if t - last.get(track, -SECOND) >= interval]
        assert times.due(range(len(tracks)), tracks, t) == due
        for row in due:
            times.checked(tracks[row], t)
            last[tracks[row]] = t


def test_memory_does_not_grow_with_the_number_of_tracks() -> None:
    times = CheckTimes(RATE)
    for track in range(10_000):
        times.due([0], [track], track * SECOND // 10)
        times.checked(track, track * SECOND // 10)
    assert len(times) <= 6, "those of the last half second"
    assert {len(array) for array in times.state().values()} == {len(times)}
