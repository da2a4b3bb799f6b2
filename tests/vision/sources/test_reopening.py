from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults import Account, FakeClock, ScriptedConnect, Step, account, frame
from vision.clock import Stop
from vision.frames import SECOND, Frame
from vision.sources.gaps import Gap, GapKind, ResumePoint
from vision.sources.prefetch import Prefetch
from vision.sources.protocol import Heartbeat, Source, SourceItem, read
from vision.sources.reopening import BACK_OFF_S, REPORT_S, ReopeningSource
from vision.sources.timeline import SourceError

NOW = 1_637_712_000_000_000
REFUSED = SourceError("yard camera: expected a stream that can be opened, got Connection refused")
TIMEOUT_S = 60
"""Bound of waits that end early; it is reached only if a test fails."""


def source(clock: FakeClock, *script: Step) -> tuple[Source, ScriptedConnect]:
    connect = ScriptedConnect(clock, script)
    return ReopeningSource("yard", "yard camera", connect, clock), connect


def frames(*seconds: float) -> list[SourceItem]:
    return [frame(round(s * SECOND), n) for n, s in enumerate(seconds)]


def gaps(items: list[SourceItem]) -> list[tuple[GapKind, float, float, str]]:
    return [
        (i.kind, (i.start - NOW) / SECOND, (i.end - NOW) / SECOND, i.cause)
        for i in items
        if isinstance(i, Gap)
    ]


def times(items: list[SourceItem]) -> list[float]:
    return [(i.t - NOW) / SECOND for i in items if isinstance(i, Frame)]


def test_a_stream_that_breaks_is_opened_again_and_the_time_between_is_offline_with_its_cause() -> None:
    clock = FakeClock(NOW)
    camera, connect = source(
        clock,
        Step(frames(0, 1, 2), OSError(5, "Input/output error"), after_s=0.5),
        Step(error=REFUSED, after_s=3),
        Step(frames(0.25, 1.25), after_s=1),
    )

    items = list(camera.open(Stop()))

    # Broken at 2.5 s. Then 1 s wait, 3 s until the refusal, 2 s wait, 1.25 s until a frame; at last 5 s wait.
    assert times(items) == [0.5, 1.5, 2.5, 9.75, 10.75]
    assert gaps(items) == [
        (GapKind.OFFLINE, 0, 0.5, "not connected yet"),
        (GapKind.OFFLINE, 2.5, 3.5, "Input/output error"),
        (GapKind.OFFLINE, 3.5, 6.5, str(REFUSED)),
        (GapKind.OFFLINE, 6.5, 8.5, str(REFUSED)),
        (GapKind.OFFLINE, 8.5, 9.75, str(REFUSED)),
        (GapKind.OFFLINE, 10.75, 15.75, "the stream ended"),
    ]
    assert connect.open == 0


def test_waits_grow_to_a_minute_and_the_silence_is_reported_meanwhile() -> None:
    clock = FakeClock(NOW, patience_s=400)
    camera, connect = source(clock, *[Step(error=REFUSED)] * 100)

    items = list(camera.open(Stop()))

    seen = account(items)
    starts = [0.0]
    for wait in [*BACK_OFF_S, BACK_OFF_S[-1], BACK_OFF_S[-1], BACK_OFF_S[-1], BACK_OFF_S[-1]]:
        starts.append(starts[-1] + wait)
    assert BACK_OFF_S[-1] == 60 and connect.connections == sum(start < 400 for start in starts)
    assert {gap.kind for gap in seen.gaps} == {GapKind.OFFLINE} and seen.watched == []
    assert max(gap.end - gap.start for gap in seen.gaps) <= REPORT_S * SECOND
    beats = [item.t for item in items if isinstance(item, Heartbeat)]
    assert beats == [gap.end for gap in seen.gaps]


@pytest.mark.parametrize(("lasts", "second_wait"), [(5, 2.0), (15, 1.0)])
def test_only_a_connection_that_lasted_sets_the_wait_back(lasts: int, second_wait: float) -> None:
    clock = FakeClock(NOW)
    camera, _ = source(clock, Step(error=REFUSED), Step(frames(*range(lasts))), Step(frames(0)))

    list(camera.open(Stop()))

    assert clock.waits[:2] == [1.0, second_wait]


def test_frames_that_go_back_are_dropped_and_counted() -> None:
    camera, _ = source(FakeClock(NOW), Step(frames(0, 1, 2, 0.5, 1.5, 2, 3, 4)))

    items = list(camera.open(Stop()))

    assert times(items) == [0, 1, 2, 3, 4]
    disorder = [item for item in items if isinstance(item, Gap) and item.kind is GapKind.DISORDER]
    assert [(gap.frames, gap.cause) for gap in disorder] == [(3, "timestamps go back by 1.500 s")]
    assert (disorder[0].start, disorder[0].end) == (NOW + 2 * SECOND, NOW + 3 * SECOND)


def test_resumed_it_says_that_nothing_was_watched_since() -> None:
    camera, _ = source(FakeClock(NOW), Step(frames(0, 1)))

    items = list(camera.open(Stop(), after=ResumePoint(7, NOW - 90 * SECOND)))

    assert gaps(items)[0] == (GapKind.OFFLINE, -90, 0, "not connected yet")
    assert times(items) == [0, 1]


def test_a_clock_that_steps_back_gives_no_time_twice() -> None:
    clock = FakeClock(NOW)

    class SteppedBack(ScriptedConnect):
        def __call__(self, stop: Stop, min_interval_us: int):  # type: ignore[no-untyped-def]
            if self.connections == 1:
                clock.time -= 20 * SECOND
            return super().__call__(stop, min_interval_us)

    connect = SteppedBack(clock, [Step(frames(0, 1, 2)), Step(frames(*[n + 0.5 for n in range(40)]))])
    seen = account(ReopeningSource("yard", "yard camera", connect, clock).open(Stop()))

    # Broken at 2 s, and 1 s later at -17 s by the clock. The camera then counts from there.
    assert times(list(seen.frames))[:5] == [0, 1, 2, 3.5, 4.5] and seen.frames[-1].t == NOW + 22.5 * SECOND
    assert [(gap.kind, gap.frames) for gap in seen.gaps][-2:] == [
        (GapKind.DISORDER, 20),
        (GapKind.OFFLINE, 0),
    ]


@pytest.mark.parametrize("delivered", [0, 3])
def test_a_hanging_stream_ends_when_it_is_stopped_from_another_thread(delivered: int) -> None:
    clock, stop = FakeClock(NOW), Stop()
    camera, connect = source(clock, Step(frames(*range(delivered)), hangs=True))
    items: list[SourceItem] = []

    def consume() -> None:
        with Prefetch(read(camera, stop), stop=stop) as ahead:
            items.extend(ahead)

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    assert connect.hanging.wait(TIMEOUT_S)
    stop.set()
    consumer.join(TIMEOUT_S)

    assert not consumer.is_alive() and connect.open == 0
    assert times(items) == list(range(delivered))


def test_a_fault_of_the_program_is_not_taken_for_a_fault_of_the_stream() -> None:
    camera, connect = source(FakeClock(NOW), Step(frames(0), ValueError("a bug")))

    with pytest.raises(ValueError, match="a bug"):
        list(camera.open(Stop()))
    assert connect.open == 0


def test_closing_the_iterator_disconnects() -> None:
    camera, connect = source(FakeClock(NOW), Step(frames(0, 1, 2)))

    items = read(camera, Stop())
    assert isinstance(next(items), Frame) and connect.open == 1
    items.close()  # type: ignore[attr-defined]

    assert connect.open == 0


steps_us = st.integers(-3 * SECOND, 4 * SECOND)


@st.composite
def connections(draw: st.DrawFn) -> Step:
    """A connection whose items mostly go forward, with gaps, heartbeats and frames that go back."""
    items: list[SourceItem] = []
    latest = t = draw(st.integers(-2 * SECOND, 3 * SECOND))
    for step, kind in draw(st.lists(st.tuples(steps_us, st.sampled_from("ffffgh")), max_size=8)):
        if kind == "f":
            t += step
            items.append(frame(t))
        elif kind == "h":
            items.append(Heartbeat(max(latest, t) + abs(step)))
            t = max(latest, t) + abs(step)
        else:
            t = max(latest, t)
            items.append(Gap(GapKind.UNDECODABLE, t, t + abs(step) + 1, 1, "damage"))
            t += abs(step) + 1
        latest = max(latest, t)
    error = draw(st.sampled_from([None, REFUSED, OSError(110, "Connection timed out")]))
    return Step(items, error, draw(st.sampled_from([0.0, 0.5, 12.0])))


@settings(max_examples=100, deadline=None)
@given(st.lists(connections(), max_size=6))
def test_whatever_fails_every_moment_is_watched_or_in_one_gap(script: list[Step]) -> None:
    clock = FakeClock(NOW)
    camera, connect = source(clock, *script)

    items = list(camera.open(Stop()))
    seen: Account = account(items)  # checks order, and that no gap overlaps anything

    covered = seen.covered()
    assert len(covered) <= 1, "expected no hole"
    if covered:
        assert covered[0] == (NOW, seen.known)
    # Time counts as watched only between items of one connection.
    for start, end in seen.watched:
        assert any(first <= start and end <= last for first, last in connect.spans)
    # A frame is lost only if its time had passed before it was given.
    assert set(connect.fresh) <= {item.t for item in seen.frames}
    assert connect.open == 0
