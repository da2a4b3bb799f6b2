"""The watch of a camera across restarts: scripted cameras, a real ledger, a real log."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

from incidents.coverage import WATCHED, State
from incidents.evaluate_log import LOOK_BACK_US
from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.locks import HourLock, Use
from pipelines.watch.beginning import GO_ON_US, go_on_from_home
from pipelines.watch.camera_pass import WatchSetup
from pipelines.watch.camera_watch import CameraWatch
from pipelines.watch.status import status_of
from pipelines.watch.writing import Found, LedgerWriter
from tests.observing import rows
from tests.pipelines.simulated import CROWD, frames_of, simulated_bundle
from tests.said import Said
from tests.vision.tracking.crowd import View
from vision import observations
from vision.clock import Stop
from vision.frames import SECOND
from vision.live.camera import CameraStatus, LiveCamera
from vision.live.clocks.steady import SteadyClock
from vision.notices import Level
from vision.observations import ALL_TIME, AppendLog
from vision.sources.gaps import Gap, GapKind
from vision.sources.protocol import Heartbeat, SourceItem
from zones.facility import Facility, parse_facility

BEGIN = 1_700_000_000 * SECOND
YARD = """schema: 2
facility: {code: L-1, name: Live, managing_body: Test}
cameras: [{id: yard, places: [yard], source: "rtsp://camera/yard"}]
"""


class SetClock:
    """A time of day that is set."""

    def __init__(self, t: int) -> None:
        self.t = t

    def now(self) -> int:
        return self.t

    def wait(self, seconds: float, stop: Stop) -> bool:
        return stop.wait(min(seconds, 0.01))


class Script:
    """A camera that gives these items, and then nothing."""

    name, has_detail = "rtsp://camera/yard", False

    def __init__(self, items: Sequence[SourceItem]) -> None:
        self.status, self.given = CameraStatus(), list(items)

    def items(
        self, stop: Stop, after: int | None, min_interval_us: int, tick_s: float = 0.5
    ) -> Iterator[SourceItem | None]:
        for item in self.given:
            if stop.is_set():
                return
            yield item
        stop.wait()


@dataclass
class Site:
    """A home in which a camera is watched."""

    home: Home
    facility: Facility
    said: Said = field(default_factory=Said)
    locks: dict[str, HourLock] = field(default_factory=dict)

    @contextmanager
    def run(self, facility: Facility, t: int) -> Iterator[Run]:
        """A run of the watch that begins at `t`, with a ledger that takes everything."""
        with Ledger.open(self.home.ledger, clock=lambda: t) as ledger:
            run = ledger.runs.start(facility, {}, {"live": True})
        clock = SetClock(t)
        writer = LedgerWriter(self.home, self.home.ledger, run, {}, clock, self.said)
        writer.start()
        with self.home.lock(Use("yard", "watch", t, reads_from=t - LOOK_BACK_US)) as locks:
            yield Run(self, run, clock, writer, locks["yard"])
        assert writer.end(), writer.status.fault

    def covered(self) -> list[tuple[float, float, State]]:
        """The coverage, in seconds from `BEGIN`; it has no hole."""
        with Ledger.open(self.home.ledger) as ledger:
            recorded = ledger.coverage.recorded("yard")
        for before, after in itertools.pairwise(recorded):
            assert before.end == after.start, "time is accounted for without a hole"
        return [((i.start - BEGIN) / SECOND, (i.end - BEGIN) / SECOND, i.state) for i in recorded]


@dataclass
class Run:
    """A run of the watch."""

    site: Site
    id: str
    clock: SetClock
    writer: LedgerWriter
    lock: HourLock
    found: list[Found] = field(default_factory=list)
    loses: bool = False

    def watch(self, facility: Facility, *items: SourceItem, views: Sequence[View] = ()) -> CameraWatch:
        """Begin to watch the camera; its frames show `views`."""
        setup = WatchSetup(
            self.site.home,
            simulated_bundle(views),
            self.id,
            self.clock,
            self._put,
            lambda _, text, level=Level.WARNING: self.site.said(text, level),
            self.writer.status.committed.get,
            self.lock,
        )
        watch = CameraWatch(
            setup, facility, facility.camera("yard"), cast(LiveCamera, cast(Any, Script(items)))
        )
        watch.start()
        return watch

    def until(self, watch: CameraWatch, t: int) -> None:
        """Let the camera get to `t`, and end it."""
        for _ in range(9000):
            if (watch.progress.until or 0) >= t:
                break
            Stop().wait(0.01)
        assert (watch.progress.until or 0) >= t, self.site.said
        watch.ask_to_end()
        assert watch.join(30)

    def _put(self, found: Found) -> None:
        self.found.append(found)
        if not self.loses:
            self.writer.put(found)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    home = Home(tmp_path / "home")
    home.prepare()
    return Site(home, parse_facility(YARD, "facility.yaml"))


def seconds(first: int, last: int) -> list[SourceItem]:
    """A sign of life each second."""
    return [Heartbeat(BEGIN + n * SECOND) for n in range(first, last + 1)]


def outage(first: int, last: int) -> Gap:
    return Gap(GapKind.OFFLINE, BEGIN + first * SECOND, BEGIN + last * SECOND, 0, "the camera is away")


def test_a_watch_that_begins_again_judges_by_the_facility_file_it_is_given(site: Site) -> None:
    with site.run(site.facility, BEGIN) as run:
        run.until(run.watch(site.facility, *seconds(1, 70)), BEGIN + 70 * SECOND)
    edited = parse_facility(YARD.replace("name: Live", "name: Edited"), "facility.yaml")
    with site.run(edited, BEGIN + 80 * SECOND) as run:
        run.until(run.watch(edited, *seconds(81, 90)), BEGIN + 90 * SECOND)
    assert {found.facility.version for found in run.found[1:]} == {edited.version}
    with site.run(edited, BEGIN + 100 * SECOND) as run:
        run.until(run.watch(edited, *seconds(101, 110)), BEGIN + 110 * SECOND)
    assert {found.facility.version for found in run.found} == {edited.version}


def test_a_camera_may_be_watched_anew_within_a_run(site: Site) -> None:
    with site.run(site.facility, BEGIN) as run:
        run.until(run.watch(site.facility, *seconds(1, 70)), BEGIN + 70 * SECOND)
        run.clock.t = BEGIN + 72 * SECOND
        run.until(run.watch(site.facility, *seconds(73, 140)), BEGIN + 140 * SECOND)
    assert site.covered()[-1][1] == 140


def test_time_that_the_ledger_did_not_take_is_not_said_to_be_watched(site: Site) -> None:
    with site.run(site.facility, BEGIN) as run:
        run.until(run.watch(site.facility, *seconds(1, 10)), BEGIN + 10 * SECOND)
    # The next one is killed while the ledger is locked: an hour in which nothing ran, and an outage.
    with site.run(site.facility, BEGIN + 3600 * SECOND) as run:
        run.loses = True
        run.until(run.watch(site.facility, outage(3600, 3630), *seconds(3631, 3640)), BEGIN + 3640 * SECOND)
    with site.run(site.facility, BEGIN + 3650 * SECOND) as run:
        run.until(run.watch(site.facility, *seconds(3651, 3660)), BEGIN + 3660 * SECOND)
    watched = [(start, end) for start, end, state in site.covered() if state in WATCHED]
    assert watched[0] == (0, 10)
    assert not [one for one in watched if one[0] < 3630 and one[1] > 10]


def test_a_second_in_which_someone_was_seen_was_watched_although_the_ledger_did_not_take_it(
    site: Site,
) -> None:
    with site.run(site.facility, BEGIN) as run:
        run.until(run.watch(site.facility, *seconds(1, 10)), BEGIN + 10 * SECOND)
    with AppendLog(site.home.path, "yard") as log:
        seen = rows([BEGIN + 12 * SECOND + 200_000]).with_columns(score=pl.lit(0.9, pl.Float32))
        log.append(seen, BEGIN + 14 * SECOND)
    with site.run(site.facility, BEGIN + 20 * SECOND) as run:
        run.until(run.watch(site.facility, *seconds(21, 30)), BEGIN + 30 * SECOND)
    watched = [(start, end) for start, end, state in site.covered() if state in WATCHED]
    assert watched == [(0, 10), (12, 13), (20, 30)]


def test_time_goes_on_after_a_restart_where_the_computers_clock_was_set_back(site: Site) -> None:
    with site.run(site.facility, BEGIN) as run:
        run.until(run.watch(site.facility, *seconds(1, 10)), BEGIN + 10 * SECOND)
    told: list[tuple[str, str]] = []

    def begun(wall: int) -> SteadyClock:
        clock = SteadyClock(lambda: wall, lambda: 0)
        with Ledger.open(site.home.ledger) as ledger:
            go_on_from_home(site.home, ledger, ["yard"], clock, lambda *words: told.append(words))
        return clock

    assert begun(BEGIN + 20 * SECOND).now() == BEGIN + 20 * SECOND and not told
    assert begun(BEGIN - 3600 * SECOND).now() == BEGIN + 10 * SECOND
    assert told.pop() == (
        "yard",
        "what is recorded reaches 3610.0 s beyond the computer's clock: times go on from there, and are "
        "drawn to the clock slowly",
    )
    assert begun(BEGIN - GO_ON_US).now() == BEGIN - GO_ON_US, "further ahead, no clock was corrected"
    assert "nothing of the camera is recorded until that time" in told.pop()[1]


def test_a_camera_whose_log_is_ahead_of_the_clock_is_a_fault(site: Site) -> None:
    with site.run(site.facility, BEGIN) as run:
        run.until(run.watch(site.facility, *seconds(1, 10)), BEGIN + 10 * SECOND)
    with site.run(site.facility, BEGIN - 3600 * SECOND) as run:
        watch = run.watch(site.facility)
        for _ in range(3000):
            if watch.progress.begun is not None:
                break
            Stop().wait(0.01)
        status = status_of("L-1", "", {"yard": watch}, run.writer, run.clock, 0.0)
        assert status.faults == (
            "camera yard: what is recorded reaches 3610 s beyond the clock; nothing is added until then",
        )
        assert not status.standing_still
        watch.ask_to_end()
        assert watch.join(30)


def test_people_keep_their_track_across_a_gap_that_is_no_longer_than_allowed(site: Site) -> None:
    views = CROWD.views(4, 5)
    frames = frames_of(views, BEGIN)
    for frame in frames[10:]:
        frame.t += 1_700_000  # The frames before and after are 1.9 s apart.
    lost = Gap(GapKind.OFFLINE, frames[9].t, frames[10].t, 0, "the camera is away")
    items = [*frames[:10], lost, *frames[10:], Heartbeat(BEGIN + 8 * SECOND)]
    with site.run(site.facility, BEGIN) as run:
        run.until(run.watch(site.facility, *items, views=views), BEGIN + 8 * SECOND)
    rows = observations.read(site.home.path, "yard", *ALL_TIME)
    times = rows["t"].to_physical()
    before, after = (set(rows.filter(part)["track"]) for part in (times < frames[10].t, times > frames[11].t))
    assert before and after <= before


def test_the_minute_that_a_kill_cut_off_is_a_segment_of_the_run_that_watched_it(site: Site) -> None:
    with site.run(site.facility, BEGIN) as killed:
        watch = killed.watch(site.facility, *seconds(1, 90))
        for _ in range(3000):
            if killed.writer.status.committed.get("yard", 0) >= BEGIN + 90 * SECOND:
                break
            Stop().wait(0.01)
        killed.loses = True
        killed.until(watch, BEGIN + 90 * SECOND)
    with site.run(site.facility, BEGIN + 100 * SECOND) as run:
        run.until(run.watch(site.facility, *seconds(101, 110)), BEGIN + 110 * SECOND)
    with Ledger.open(site.home.ledger) as ledger:
        runs = [ledger.segments.at("yard", BEGIN + n * SECOND).run_id for n in (10, 85, 105)]
        assert not ledger.segments.not_evaluated("yard", BEGIN, BEGIN + 110 * SECOND)
    assert runs == [killed.id, killed.id, run.id]
