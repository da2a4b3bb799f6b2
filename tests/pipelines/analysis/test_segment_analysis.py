"""The analysis of sources that fail, fall silent and are stopped; people and networks are simulated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import polars as pl
import pytest

from incidents.coverage import NO_RECORD, State
from incidents.ledger import Ledger
from pipelines.analysis.segments import SegmentSink, Stream, StreamAnalysis
from tests.faults import FakeClock, ListSource, ScriptedConnect, Step
from tests.pipelines.simulated import found, number
from tests.running import FACILITY
from vision import observations
from vision.clock import Stop
from vision.frames import SECOND, SEGMENT, Frame
from vision.gate.planner import DetectionPlan, GateSettings
from vision.masks import MaskReading
from vision.networks import ModelBundle, PerceptionSettings
from vision.perception import Perception
from vision.sources.gaps import Gap, GapKind
from vision.sources.protocol import Heartbeat, Source, SourceItem
from vision.sources.reopening import ReopeningSource
from vision.sources.timeline import SourceError
from zones.facility import Camera, load_facility

CAMERA = Camera.model_validate({"id": "yard", "places": ["yard"]})
MINUTE = 27_295_200 * 60 * SECOND
"""A whole minute, and a whole hour, of stream time."""
IMAGE = np.full((240, 320, 3), 128, np.uint8)


def find_people(image: np.ndarray, plan: DetectionPlan) -> Future[tuple[np.ndarray, np.ndarray]]:
    """Two people who walk: found in every frame, by its number."""
    x = 20 + number(image) % 200 * 0.4
    return found(np.array([[x, 40, x + 40, 160, 0.9], [280 - x, 30, 325 - x, 180, 0.9]]))


def find_no_people(image: np.ndarray, plan: DetectionPlan) -> Future[tuple[np.ndarray, np.ndarray]]:
    return found(np.zeros((0, 5)))


def bundle(*, gate: bool = False) -> ModelBundle:
    embed = np.array([1, 0, 0, 0], np.float32)
    parts = {
        "settings": PerceptionSettings(gate=GateSettings(on=gate)),
        "start_detection": find_no_people if gate else find_people,
        "masks": SimpleNamespace(read=lambda heads: [MaskReading(None, "no_face", None)] * len(heads)),
        "appearance": SimpleNamespace(dimension=4, read=lambda people: np.tile(embed, (len(people), 1))),
        "roles": None,
    }
    return cast(ModelBundle, SimpleNamespace(**parts))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., tuple[StreamAnalysis, Ledger]]]:
    """Analyse a source in a home of the given name, as one process does from its start to its end."""

    def analyse(
        source: Source, home: str = "home", stop: Stop | None = None, *, gate: bool = False
    ) -> tuple[StreamAnalysis, Ledger]:
        path = tmp_path / home
        path.mkdir(exist_ok=True)
        ledger = ledgers.enter_context(Ledger.open(path / "ledger.db"))
        number = ledger.runs.start(load_facility(FACILITY), {}, {})
        sink = SegmentSink(path, ledger, number, lambda *_: None, pytest.fail)
        networks = bundle(gate=gate)
        perception = Perception(networks, CAMERA, "stream")
        analysis = StreamAnalysis(sink, Stream(source, "stream"), perception, networks, None, stop)
        analysis.run()
        return analysis, ledger

    with ExitStack() as ledgers:
        yield analyse


def numbered(n: int) -> np.ndarray:
    """A grey picture whose first pixel says its number."""
    image = IMAGE.copy()
    image[0, 0] = n % 256, n // 256, 0
    return image


def frames(*offsets: float) -> list[SourceItem]:
    return [Frame(numbered(n), MINUTE + round(s * SECOND), n, "yard") for n, s in enumerate(offsets)]


def covered(ledger: Ledger) -> list[tuple[float, float, State, str]]:
    """What the ledger holds of the hour, in seconds from its start."""
    found = [i for i in ledger.coverage.of("yard", MINUTE, MINUTE + 3600 * SECOND) if i.cause != NO_RECORD]
    return [((i.start - MINUTE) / SECOND, (i.end - MINUTE) / SECOND, i.state, i.cause) for i in found]


def logged(analysis_home: Path) -> pl.DataFrame:
    return observations.read(analysis_home, "yard", MINUTE, MINUTE + 3600 * SECOND)


def steady(start: int, end: int) -> list[SourceItem]:
    """Five frames a second."""
    return frames(*[n / 5 for n in range(start * 5, end * 5)])


def test_a_stop_commits_what_was_read_and_the_rest_can_be_analysed_later(
    run: Callable[..., tuple[StreamAnalysis, Ledger]], tmp_path: Path
) -> None:
    items = steady(55, 65)
    whole, expected = run(ListSource(items, MINUTE), "whole")
    assert whole.ended and whole.frames == 50
    for cut in (0, 12, 25, 49):  # frame 25 begins a minute
        home, stop = f"cut-{cut}", Stop()

        first, ledger = run(ListSource(items, MINUTE, stop, cut), home, stop)
        assert not first.ended and first.frames == cut + 1
        # Every frame that was read is committed.
        assert covered(ledger) == [(55, (55 * SECOND + cut * 200_000 + 1) / SECOND, State.ANALYSED, "")]

        second, ledger = run(ListSource(items, MINUTE), home)
        assert second.ended and first.frames + second.frames == whole.frames
        assert covered(ledger) == covered(expected) == [(55, 65, State.ANALYSED, "")]
        assert logged(tmp_path / home).equals(logged(tmp_path / "whole")), f"cut behind frame {cut}"


def test_seconds_in_which_nothing_reaches_the_detector_are_idle_and_watched(
    run: Callable[..., tuple[StreamAnalysis, Ledger]],
) -> None:
    whole, ledger = run(ListSource(steady(0, 75), MINUTE), gate=True)
    assert whole.frames == 375
    spans = covered(ledger)
    assert {state for *_, state, _ in spans} == {State.ANALYSED, State.IDLE}
    # Every second is in one interval, from the first to the last.
    assert spans[0][0] == 0 and spans[-1][1] == 75
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    # The whole picture is detected in at the start, and about every ten seconds.
    analysed = [(start, end) for start, end, state, _ in spans if state is State.ANALYSED]
    assert analysed[0] == (0, 1) and 6 <= len(analysed) <= 9
    assert all(end - start <= 1 for start, end in analysed)


def test_a_stop_within_a_second_leaves_its_coverage_as_it_would_have_been(
    run: Callable[..., tuple[StreamAnalysis, Ledger]],
) -> None:
    # The whole picture is detected in once, about 10 s after the start, in one of the frames of a second.
    items = steady(0, 15)
    _, ledger = run(ListSource(items, MINUTE), "whole", gate=True)
    expected = covered(ledger)
    [looked] = [start for start, _, state, _ in expected if state is State.ANALYSED and start > 1]
    for cut in range(round(looked) * 5 - 1, round(looked) * 5 + 6):
        home, stop = f"cut-{cut}", Stop()
        run(ListSource(items, MINUTE, stop, cut), home, stop, gate=True)
        _, ledger = run(ListSource(items, MINUTE), home, gate=True)
        assert covered(ledger) == expected, f"cut behind frame {cut}"
        one, other = ledger.segments.of_stream("stream")
        assert one.end == other.start, "segments do not overlap"


def test_a_stop_before_the_first_frame_writes_nothing(
    run: Callable[..., tuple[StreamAnalysis, Ledger]],
) -> None:
    stop = Stop()
    stop.set()
    analysis, ledger = run(ListSource(steady(0, 3), MINUTE), stop=stop)
    assert analysis.frames == 0 and not analysis.ended
    assert ledger.segments.of_stream("stream") == () and covered(ledger) == []


def test_a_stop_within_a_gap_gives_the_gap_once_when_it_goes_on(
    run: Callable[..., tuple[StreamAnalysis, Ledger]],
) -> None:
    gap = Gap(GapKind.UNDECODABLE, MINUTE + 2 * SECOND, MINUTE + 5 * SECOND, 15, "damage")
    items: list[SourceItem] = [*frames(0, 1, 2), gap, *frames(5, 6)]
    stop = Stop()
    run(ListSource(items, MINUTE, stop, 3, rate=1), stop=stop)
    _, ledger = run(ListSource(items, MINUTE, rate=1))
    assert covered(ledger) == [
        (0, 2, State.ANALYSED, ""),
        (2, 5, State.UNDECODABLE, "damage"),
        (5, 7, State.ANALYSED, ""),
    ]


def test_heartbeats_cover_time_without_frames_and_commit_it_by_the_minute(
    run: Callable[..., tuple[StreamAnalysis, Ledger]],
) -> None:
    beats: list[SourceItem] = [Heartbeat(MINUTE + n * 10 * SECOND) for n in range(1, 20)]
    analysis, ledger = run(ListSource([*frames(5), *beats[1:], *frames(195)], rate=1))
    assert covered(ledger) == [(5, 196, State.ANALYSED, "")]
    ends = [(segment.end - MINUTE) / SECOND for segment in ledger.segments.of_stream("stream")]
    assert ends == [60, 120, 180, 196] and analysis.frames == 2


def test_a_source_that_cannot_tell_its_start_is_covered_from_its_first_item(
    run: Callable[..., tuple[StreamAnalysis, Ledger]],
) -> None:
    for home, first in (("frame", frames(7)[0]), ("beat", Heartbeat(MINUTE + 7 * SECOND))):
        _, ledger = run(ListSource([first, *frames(8, 9)], rate=1), home)
        assert covered(ledger) == [(7, 10, State.ANALYSED, "")]


def test_a_camera_that_fails_is_offline_meanwhile_and_is_analysed_until_it_is_stopped(
    run: Callable[..., tuple[StreamAnalysis, Ledger]],
) -> None:
    clock, stop = FakeClock(MINUTE), Stop()
    refused = SourceError("yard: expected a stream that can be opened, got Connection refused")
    offsets = [n / 5 for n in range(201)]
    script = [
        Step([Frame(numbered(n), round(s * SECOND), n, "yard") for n, s in enumerate(offsets)]),
        *[Step(error=refused)] * 8,
        Step([Frame(numbered(n), round(s * SECOND), n, "yard") for n, s in enumerate(offsets)], hangs=True),
    ]
    connect = ScriptedConnect(clock, script)

    # The stop comes from outside, once the last connection hangs.
    with connect.hanging.calling(stop.set):
        analysis, ledger = run(ReopeningSource("yard", "yard", connect, clock, rate=5), stop=stop)

    assert analysis.frames == 402 and not analysis.ended and connect.open == 0
    # Waits of 1, 2, 5, 10, 20, 30, 60, 60 and 60 s.
    intervals = covered(ledger)
    assert all(left[1] == right[0] for left, right in pairwise(intervals))
    states = [(start, end, state) for start, end, state, _ in intervals]
    offline = [(start, end) for start, end, state in states if state is State.OFFLINE]
    begin, back = offline[0][0], offline[-1][1]
    assert states[0] == (0, 40, State.ANALYSED) and begin == 40
    assert back == 40 + 248
    assert states[-1] == (back, back + 40 + 1e-6, State.ANALYSED)
    assert {cause for *_, state, cause in intervals if state is State.OFFLINE} == {
        "the stream ended",
        str(refused),
    }
    # While it was offline, the ledger knew it no later than a minute after.
    ends = [segment.end for segment in ledger.segments.of_stream("stream")]
    assert all(later - earlier <= SEGMENT + 10 * SECOND for earlier, later in pairwise(ends))


def test_an_error_of_the_source_leaves_only_whole_segments(
    run: Callable[..., tuple[StreamAnalysis, Ledger]], tmp_path: Path
) -> None:
    class Breaking(ListSource):
        def _read(self, stop, after):  # type: ignore[no-untyped-def]
            yield from super()._read(stop, after)
            raise SourceError("the drive is gone")

    with pytest.raises(SourceError, match="the drive is gone"):
        run(Breaking(steady(55, 65), MINUTE))
    with Ledger.open(tmp_path / "home" / "ledger.db") as ledger:
        assert covered(ledger) == [(55, 60, State.ANALYSED, "")]
    _, ledger = run(ListSource(steady(55, 65), MINUTE))
    assert covered(ledger) == [(55, 65, State.ANALYSED, "")]
