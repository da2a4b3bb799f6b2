"""Retention of live footage: what goes, what never does, and what the ledger knows of recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from incidents.record import incident_from
from incidents.rules.events import Event, EventType
from pipelines.footage import clip_sources
from pipelines.home import Home
from pipelines.watch.footage.evidence import LiveEvidence
from pipelines.watch.footage.retention import Retention, RetentionSettings
from tests.footage import write_video
from tests.incidents.ledger.ledger_samples import MODELS, facility, finding
from tests.pipelines.watch.ring_feed import RingFeed
from tests.running import FACILITY, YARD, lazaretto
from tests.said import Said
from vision.clock import Stop
from vision.frames import SECOND, from_iso
from vision.live.ring.files import ring_files
from vision.live.ring.writer import Room
from zones.facility import load_facility

START = from_iso("2026-11-24T08:00:00Z")
END = START + 60 * SECOND


class SetClock:
    """A clock that a test sets."""

    def __init__(self, t: int) -> None:
        self.t = t

    def now(self) -> int:
        return self.t

    def wait(self, seconds: float, stop: Stop) -> bool:
        return stop.wait(0.001)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("camera") / "camera.ts", 600)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def ring(tmp_path: Path, video: Path) -> Path:
    """A minute of two cameras in files of 6 s; the second one begins 3 s later."""
    for number, camera in enumerate(("gate", "yard")):
        RingFeed(tmp_path / "ring", camera, video, START + 3 * number * SECOND, segment_s=6).end()
    return tmp_path / "ring"


def starts(ring: Path, camera: str) -> list[float]:
    """Starts of the files that are there, seconds."""
    return [(file.start - START) / SECOND for file in ring_files(ring, camera)]


def retention(home: Home, ring: Path, t: int, room: Room | None = None, **settings: Any) -> Retention:
    plenty = room or Room(10**12, 10**12)
    said = Said()
    kept = RetentionSettings(**settings)
    return Retention(home, ring, SetClock(t), said, kept, room=lambda _: plenty)


def test_a_ring_keeps_its_last_minutes(home: Home, ring: Path) -> None:
    with Ledger.open(home.ledger) as ledger:
        state = retention(home, ring, START + 330 * SECOND, keep_s=300).step(ledger)
        # The oldest of each ends 300 s ago, or later.
        assert (starts(ring, "gate")[0], starts(ring, "yard")[0]) == (24, 27)
        assert state.deleted == 8 and state.held == 0
        assert state.oldest == START + 24 * SECOND
        left = sum(path.stat().st_size for path in ring.rglob("*.mp4"))
        assert state.bytes == left
        assert retention(home, ring, START + 330 * SECOND, keep_s=300).step(ledger).deleted == 0


def test_the_last_two_minutes_stay_whatever_the_disk_says(home: Home, ring: Path) -> None:
    with Ledger.open(home.ledger) as ledger:
        full = Room(0, 10**12)
        state = retention(home, ring, END, full, keep_s=300).step(ledger)
        assert state.deleted == 0 and len(starts(ring, "gate")) == 10


def alerted(ledger: Ledger, camera: str = "yard") -> str:
    """An incident of 12 s, 20 s after the start of the footage, closed, whose clip shows 15 s to 42 s."""
    found = finding(
        camera=camera,
        start=START + 20 * SECOND,
        end=START + 32 * SECOND,
        alerts=(START + 30 * SECOND,),
    )
    made = incident_from(
        found,
        facility=facility(),
        camera=facility().camera(camera),
        run=ledger.runs.start(facility(), MODELS, {}),
        models=MODELS,
        coverage_share=1.0,
        ongoing=True,
    )
    run = made.run or ledger.runs.start(facility(), MODELS, {})
    for kind in (EventType.OPENED, EventType.ALERTED, EventType.CLOSED):
        ledger.incidents.record_event(Event(kind, START + 40 * SECOND, found), made, run)
    return found.id


def test_footage_that_an_undecided_incident_needs_stays_until_its_evidence_is_sealed(
    home: Home, ring: Path
) -> None:
    t = START + 3600 * SECOND
    with Ledger.open(home.ledger) as ledger:
        alerted(ledger)
        state = retention(home, ring, t, keep_s=300).step(ledger)
        assert starts(ring, "gate") == [], "the incident is of another camera"
        assert starts(ring, "yard") == [9, 15, 21, 27, 33, 39] and state.held == 6

        worker = LiveEvidence(home, ring, SetClock(t), print)
        for _ in range(2):
            worker.step(ledger)
            worker.settle(ledger)
        assert worker.waiting == 0
        state = retention(home, ring, t, keep_s=300).step(ledger)
        assert starts(ring, "yard") == [] and (state.held, state.bytes, state.oldest) == (0, 0, None)


def test_recordings_go_by_age(home: Home, ring: Path) -> None:
    with Ledger.open(home.ledger) as ledger:
        settings = {"continuous": True, "max_age_s": 3600.0}
        assert retention(home, ring, END + 3500 * SECOND, **settings).step(ledger).deleted == 0
        assert retention(home, ring, START + 3633 * SECOND, **settings).step(ledger).deleted == 9
        assert (starts(ring, "gate")[0], starts(ring, "yard")[0]) == (30, 27)


def test_recordings_go_by_size_the_oldest_of_all_cameras_first(home: Home, ring: Path) -> None:
    with Ledger.open(home.ledger) as ledger:
        sizes = sorted(
            (file.start, file.path.stat().st_size) for c in ("gate", "yard") for file in ring_files(ring, c)
        )
        most = sum(size for _, size in sizes[5:])
        state = retention(home, ring, END + 3600 * SECOND, continuous=True, max_bytes=most).step(ledger)
        left = sorted(file.start for c in ("gate", "yard") for file in ring_files(ring, c))
        assert left == [start for start, _ in sizes[5:]]
        assert state.bytes == most and state.oldest == sizes[5][0]


def test_a_disk_that_fills_up_makes_room_for_new_footage(home: Home, ring: Path) -> None:
    with Ledger.open(home.ledger) as ledger:
        total = sum(path.stat().st_size for path in ring.rglob("*.mp4"))
        first = ring_files(ring, "gate")[0].path.stat().st_size
        # Twice the reserve of 500 MB is to be free.
        room = Room(1_000_000_000 - first - 1, 10**12)
        state = retention(home, ring, END + 3600 * SECOND, room, continuous=True).step(ledger)
        assert state.deleted == 2 and starts(ring, "gate")[0] > 0 and starts(ring, "yard")[0] > 3
        assert state.bytes < total and state.free > 1_000_000_000


def test_days_left_follow_from_the_rate_of_writing(home: Home, ring: Path) -> None:
    total = sum(path.stat().st_size for path in ring.rglob("*.mp4"))
    room = Room(500_000_000 + 30 * total, 10**12)
    with Ledger.open(home.ledger) as ledger:
        open_end = retention(home, ring, END, room, continuous=True).step(ledger)
        assert open_end.rate == pytest.approx(total / 60)
        assert open_end.days_left == pytest.approx(30 * 60 / 86_400)
        bounded = {"continuous": True, "max_bytes": 10 * total}
        assert retention(home, ring, END, room, **bounded).step(ledger).days_left is None
        assert retention(home, ring, END, room, keep_s=300).step(ledger).days_left is None
        # 60 minutes at this rate need 60 times the room of the minute that is there.
        late = retention(home, ring, END, room, continuous=True, max_age_s=3600.0).step(ledger)
        assert late.days_left == pytest.approx(30 * 60 / 86_400)


def test_recordings_are_indexed_once_and_forgotten_when_they_are_deleted(home: Home, ring: Path) -> None:
    with Ledger.open(home.ledger) as ledger:
        retention(home, ring, END + 10 * SECOND, continuous=True).step(ledger)
        indexed = ledger.recordings.between("gate", 0, 2**62)
        assert [item.path for item in indexed] == [file.path for file in ring_files(ring, "gate")[:-1]]
        retention(home, ring, END + 600 * SECOND, continuous=True).step(ledger)
        files = ring_files(ring, "gate")
        indexed = ledger.recordings.between("gate", 0, 2**62)
        assert [(item.path, item.start, item.end) for item in indexed] == [
            (file.path, file.start, file.end()) for file in files
        ]
        sources = clip_sources(ledger, "gate", START + 20 * SECOND, START + 30 * SECOND)
        assert [source.start_us - START for source in sources] == [18 * SECOND, 24 * SECOND]
        retention(home, ring, END + 3600 * SECOND, continuous=True, max_age_s=3630.0).step(ledger)
        left = [file.path for file in ring_files(ring, "gate")]
        assert 0 < len(left) < len(files)
        assert [item.path for item in ledger.recordings.between("gate", 0, 2**62)] == left


def test_a_ring_that_is_not_there_yet_is_empty(home: Home, tmp_path: Path) -> None:
    with Ledger.open(home.ledger) as ledger:
        state = retention(home, tmp_path / "none", END, continuous=True).step(ledger)
        assert (state.bytes, state.oldest, state.rate, state.days_left) == (0, None, 0.0, None)


def test_recorded_footage_of_watched_time_is_not_analysed_again(home: Home, tmp_path: Path) -> None:
    """The watch entered the minute; `lazaretto analyze` is given its recording afterwards."""
    RingFeed(tmp_path / "ring", "yard", YARD, START, segment_s=600).end()
    [file] = ring_files(tmp_path / "ring", "yard")
    end = file.end()
    assert end is not None
    with Ledger.open(home.ledger) as ledger:
        run = ledger.runs.start(load_facility(FACILITY), MODELS, {})
        watched = Interval("yard", START, end + SECOND, State.ANALYSED, "")
        ledger.segments.commit(
            "live", "yard", 0, "rtsp://camera", START, end + SECOND, 100, "", [watched], run
        )
        retention(home, tmp_path / "ring", END + 3600 * SECOND, continuous=True).step(ledger)
    before = everything(home)

    lazaretto("analyze", f"yard={file.path}", "--facility", FACILITY, "--home", home.path)

    assert everything(home) == before


def everything(home: Home) -> Any:
    with Ledger.open(home.ledger, create=False) as ledger:
        return (
            ledger.incidents.find(),
            ledger.coverage.of("yard", 0, 2**62),
            ledger.segments.of_stream("live"),
            sorted(path.name for path in (home.path / "observations").rglob("*.parquet")),
        )
