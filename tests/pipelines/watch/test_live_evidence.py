"""Evidence that is sealed while cameras are watched: when, from what, and after whatever goes wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import pytest

from incidents.evidence.boxes import BoxesFile
from incidents.ledger import Ledger, LedgerError
from incidents.record import Incident, incident_from
from incidents.rules.events import Event, EventType, Finding
from pipelines.home import Home
from pipelines.incident_review import decide
from pipelines.verify import verify
from pipelines.watch.footage.evidence import LiveEvidence
from tests.footage import number_of, write_video
from tests.incidents.ledger.ledger_samples import MODELS, T0, facility, finding
from tests.pipelines.watch.ring_feed import RingFeed
from tests.said import Said
from vision.clock import Stop, SystemClock
from vision.frames import SECOND
from vision.live.ring.writer import RingSettings, Room
from vision.notices import Level

BEGIN = T0 - 20 * SECOND
ALERT = T0 + 10 * SECOND
FIRST = (ALERT - 5 * SECOND, ALERT + 10 * SECOND)
FINAL = (T0 - 5 * SECOND, T0 + 30 * SECOND)


class SetClock:
    """A clock that a test sets."""

    def __init__(self, t: int = BEGIN) -> None:
        self.t = t

    def now(self) -> int:
        return self.t

    def wait(self, seconds: float, stop: Stop) -> bool:
        return stop.wait(0.001)


@pytest.fixture(scope="module")
def h264(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("camera") / "camera.ts", 700)


@pytest.fixture(scope="module")
def h265(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {"x265-params": "keyint=12:min-keyint=12:bframes=0:log-level=none"}
    return write_video(tmp_path_factory.mktemp("camera") / "265.ts", 700, codec="libx265", options=options)


@dataclass
class Site:
    """A home with a ledger, a ring, and the worker that is tested."""

    home: Home
    ring: Path
    ledger: Ledger
    run: str
    clock: SetClock
    said: Said
    room: Room

    def worker(self) -> LiveEvidence:
        return LiveEvidence(self.home, self.ring, self.clock, self.said, RingSettings(), lambda _: self.room)

    def at(self, t: int, worker: LiveEvidence, *feeds: RingFeed) -> None:
        """Let time pass up to `t`: the cameras write, and the worker does what is due."""
        self.clock.t = t
        for feed in feeds:
            feed.until(t)
        for _ in range(3):
            worker.step(self.ledger)
            worker.settle(self.ledger)

    def event(self, kind: EventType, t: int, **changes: Any) -> str:
        return self.enter(Event(kind, t, finding(**{"alerts": (ALERT,), **changes})))

    def enter(self, event: Event, camera: str = "yard") -> str:
        made = incident_from(
            event,
            facility=facility(),
            camera=facility().camera(camera),
            run=self.run,
            models=MODELS,
            coverage_share=1.0,
            ongoing=True,
        )
        self.ledger.incidents.record_event(event, made, self.run)
        return event.incident

    def alert(self, **changes: Any) -> str:
        self.event(EventType.OPENED, ALERT, **changes)
        return self.event(EventType.ALERTED, ALERT, **changes)

    def close(self, **changes: Any) -> str:
        return self.event(EventType.CLOSED, T0 + 26 * SECOND, end=T0 + 20 * SECOND, **changes)

    def windows(self, name: str) -> list[tuple[int, int]]:
        """The windows of the evidence that is sealed, oldest first."""
        sealed = self.ledger.incidents.evidence_revisions(name)
        paths = [self.home.path / item.path for item in sealed if item.kind == "boxes"]
        return [BoxesFile.model_validate_json(path.read_bytes()).window for path in paths]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    home, clock = Home(tmp_path / "home"), SetClock()
    home.prepare()
    (tmp_path / "ring").mkdir()
    with Ledger.open(home.ledger, clock=clock.now) as ledger:
        run = ledger.runs.start(facility(), MODELS, {})
        yield Site(home, tmp_path / "ring", ledger, run, clock, Said(), Room(10**12, 10**12))


def shown(path: Path) -> list[int]:
    with av.open(str(path)) as clip:
        return [number_of(frame.to_ndarray(format="bgr24")) for frame in clip.decode(video=0)]


def frames_of(window: tuple[int, int]) -> range:
    """Numbers of the frames in a window; the camera gives ten a second from `BEGIN` on."""
    return range((window[0] - BEGIN) // 100_000, (window[1] - BEGIN) // 100_000 + 1)


def test_a_first_clip_is_sealed_when_its_footage_is_there_and_the_whole_one_when_it_is_known(
    site: Site, h264: Path
) -> None:
    feed, worker = RingFeed(site.ring, "yard", h264, BEGIN), site.worker()
    site.at(ALERT, worker, feed)
    name = site.alert()
    site.at(FIRST[1] - SECOND, worker, feed)
    assert site.windows(name) == [] and worker.waiting == 1

    site.at(FIRST[1] + SECOND, worker, feed)
    assert site.windows(name) == [FIRST]
    folder = site.home.evidence_folder(site.ledger.incidents.get(name))
    numbers = shown(folder / "clip.mp4")
    assert numbers[-1] == frames_of(FIRST)[-1]
    # From the key frame before the window on, bit for bit.
    assert numbers == list(range(frames_of(FIRST)[0] // 12 * 12, numbers[-1] + 1))
    assert BoxesFile.model_validate_json((folder / "boxes.json").read_bytes()).clip.mode == "copied"

    site.close()
    site.at(FINAL[1] - SECOND, worker, feed)
    assert site.windows(name) == [FIRST]
    site.at(FINAL[1] + SECOND, worker, feed)
    assert site.windows(name) == [FIRST, FINAL] and worker.waiting == 0
    assert set(frames_of(FINAL)) <= set(shown(folder / "2" / "clip.mp4"))

    site.at(FINAL[1] + 60 * SECOND, worker, feed)
    assert site.windows(name) == [FIRST, FINAL] and site.said == []
    assert verify(site.home).sound


def test_what_is_being_cut_when_the_watch_ends_is_sealed(site: Site, h265: Path) -> None:
    """Files that the ledger does not know would be told by `verify` until the next start."""
    RingFeed(site.ring, "yard", h265, BEGIN).until(FIRST[1] + SECOND)
    name, stop = site.alert(), Stop()
    site.clock.t = FIRST[1] + SECOND
    worker = site.worker()
    working = threading.Thread(target=worker.run, args=(stop,))
    working.start()
    deadline = time.monotonic() + 30
    while not list(site.home.evidence.rglob(".*")) and time.monotonic() < deadline:
        time.sleep(0.001)
    stop.set()
    working.join(30)
    assert site.windows(name) == [FIRST] and verify(site.home).sound


def test_a_restart_at_any_moment_loses_nothing_and_repeats_nothing(site: Site, h264: Path) -> None:
    feed = RingFeed(site.ring, "yard", h264, BEGIN)
    site.at(ALERT, site.worker(), feed)
    name = site.alert()
    for t in range(ALERT, FINAL[1] + 5 * SECOND, SECOND):
        if t == T0 + 26 * SECOND:
            site.close()
        # The worker forgets everything once a second.
        site.at(t, site.worker(), feed)
    assert site.windows(name) == [FIRST, FINAL] and site.said == []
    assert len(site.ledger.incidents.evidence_revisions(name)) == 6 and verify(site.home).sound


def test_files_that_a_kill_left_unsealed_are_sealed(site: Site, h264: Path) -> None:
    feed, worker = RingFeed(site.ring, "yard", h264, BEGIN), site.worker()
    name = site.alert()
    site.clock.t = FIRST[1] + SECOND
    feed.until(site.clock.t)
    worker.step(site.ledger)  # begins to cut, and is never asked for the result: it was killed
    worker._pool.shutdown(wait=True)
    assert (site.home.evidence_folder(site.ledger.incidents.get(name)) / "clip.mp4").exists()
    assert site.windows(name) == []

    site.at(site.clock.t + SECOND, site.worker(), feed)
    assert site.windows(name) == [FIRST] and verify(site.home).sound


def test_a_ledger_that_refuses_an_entry_seals_all_files_later(
    site: Site, h264: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, worker = RingFeed(site.ring, "yard", h264, BEGIN), site.worker()
    name = site.alert()
    attach, calls = site.ledger.incidents.attach_evidence, Said()

    def refuse_the_second(incident: str, kind: Any, *arguments: Any) -> Any:
        calls.append(kind)
        if len(calls) == 2:
            raise LedgerError("the disk is full")
        return attach(incident, kind, *arguments)

    monkeypatch.setattr(site.ledger.incidents, "attach_evidence", refuse_the_second)
    with pytest.raises(LedgerError):
        site.at(FIRST[1] + SECOND, worker, feed)
    assert site.ledger.incidents.get(name).evidence == ()
    site.at(FIRST[1] + 2 * SECOND, worker, feed)
    assert site.windows(name) == [FIRST] and verify(site.home).sound


def test_an_incident_that_lasts_gets_its_longest_clip_before_it_ends(site: Site, h264: Path) -> None:
    feed, worker = RingFeed(site.ring, "yard", h264, BEGIN - 20 * SECOND), site.worker()
    name = site.alert()
    site.at(ALERT + SECOND, worker, feed)
    site.event(EventType.EXTENDED, T0 + 70 * SECOND, end=T0 + 70 * SECOND)
    feed.end()
    site.at(T0 + 70 * SECOND, worker)
    site.at(T0 + 71 * SECOND, worker)
    assert site.windows(name)[-1] == (T0 - 5 * SECOND, T0 + 55 * SECOND)
    assert worker.waiting == 0


def test_a_full_disk_delays_a_clip_and_is_said_once(site: Site, h264: Path) -> None:
    feed, worker = RingFeed(site.ring, "yard", h264, BEGIN), site.worker()
    name = site.alert()
    site.room = Room(100_000_000, 10**12)
    for t in range(FIRST[1] + SECOND, FIRST[1] + 20 * SECOND, SECOND):
        site.at(t, worker, feed)
    assert site.windows(name) == []
    [said] = site.said
    assert said.startswith(f"incident {name}: ") and "the disk is full (100 MB free" in said
    assert worker.faults == {name: said.removeprefix(f"incident {name}: ")}

    site.room = Room(10**12, 10**12)
    site.at(FIRST[1] + 90 * SECOND, worker, feed)
    assert site.windows(name) == [FIRST] and worker.faults == {}


def test_footage_of_one_camera_that_is_missing_delays_no_other(site: Site, h264: Path) -> None:
    feed, worker = RingFeed(site.ring, "gate", h264, BEGIN), site.worker()
    name = site.alert()
    other = finding(camera="gate", alerts=(ALERT,))
    site.enter(Event(EventType.OPENED, ALERT, other), "gate")
    site.at(FIRST[1] + SECOND, worker, feed)
    assert site.windows(other.id) == [FIRST] and site.windows(name) == [] and site.said == []

    site.at(FIRST[1] + 6 * SECOND, worker, feed)
    site.at(FIRST[1] + 60 * SECOND, worker, feed)
    [said] = site.said
    assert said.startswith(f"incident {name}: no clip of ") and "no footage of camera yard" in said
    assert site.said.levels == [Level.ERROR], "a clip is lost"


def test_footage_that_ends_early_gives_the_clip_that_there_is(site: Site, h264: Path) -> None:
    feed, worker = RingFeed(site.ring, "yard", h264, BEGIN), site.worker()
    name = site.alert()
    feed.until(ALERT + 3 * SECOND)  # then the camera is lost
    site.at(FIRST[1] + 4 * SECOND, worker)
    assert site.windows(name) == []
    site.at(FIRST[1] + 5 * SECOND, worker)
    assert site.windows(name) == [FIRST]
    folder = site.home.evidence_folder(site.ledger.incidents.get(name))
    # The newest packet waits for the next one.
    assert shown(folder / "clip.mp4")[-1] == (ALERT + 3 * SECOND - BEGIN) // 100_000 - 1


def test_an_original_that_browsers_do_not_play_is_sealed_beside_its_clip(site: Site, h265: Path) -> None:
    feed, worker = RingFeed(site.ring, "yard", h265, BEGIN), site.worker()
    name = site.alert()
    site.at(FIRST[1] + SECOND, worker, feed)
    incident = site.ledger.incidents.get(name)
    assert [item.kind for item in incident.evidence] == ["boxes", "clip", "keyframe", "original"]
    original, clip = incident.evidence_of_kind("original"), incident.evidence_of_kind("clip")
    assert original is not None and clip is not None
    assert shown(site.home.path / clip.path) == list(frames_of(FIRST))
    numbers = shown(site.home.path / original.path)
    assert numbers == list(range(frames_of(FIRST)[0] // 12 * 12, frames_of(FIRST)[-1] + 1))
    found = verify(site.home)
    assert found.sound and len(found.checked) == 4


def test_the_first_clip_is_encoded_quickly_and_the_final_one_well(site: Site, h265: Path) -> None:
    """What the encoder spends on the search for motion; it writes its settings into the clip."""
    feed, worker = RingFeed(site.ring, "yard", h265, BEGIN), site.worker()
    name = site.alert()
    site.at(FIRST[1] + SECOND, worker, feed)
    site.close()
    site.at(FINAL[1] + SECOND, worker, feed)
    assert site.windows(name) == [FIRST, FINAL]
    folder = site.home.evidence_folder(site.ledger.incidents.get(name))
    first, final = ((folder / part / "clip.mp4").read_bytes() for part in ("", "2"))
    assert b" subme=0 " in first and b" subme=2 " in final


def test_what_a_reviewer_decided_on_is_not_replaced(site: Site, h264: Path) -> None:
    feed, worker = RingFeed(site.ring, "yard", h264, BEGIN), site.worker()
    name = site.alert()
    site.at(FIRST[1] + SECOND, worker, feed)
    decide(site.ledger, name, "confirmed", "An", "seen")
    site.close()
    site.at(FINAL[1] + SECOND, worker, feed)
    assert site.windows(name) == [FIRST] and worker.waiting == 0


def test_nothing_is_cut_for_faults_of_cameras_nor_for_what_was_withdrawn(site: Site, h264: Path) -> None:
    feed, worker = RingFeed(site.ring, "yard", h264, BEGIN), site.worker()
    health = replace(
        finding(alerts=(ALERT,)), kind="camera_health", subkind="dark", people=(), identity=(), measure=None
    )
    for kind in (EventType.OPENED, EventType.ALERTED):
        site.enter(Event(kind, ALERT, health))
    name = site.alert()
    site.event(EventType.WITHDRAWN, ALERT + SECOND)
    site.at(FINAL[1] + 9 * SECOND, worker, feed)
    assert site.windows(name) == site.windows(health.id) == [] and worker.waiting == 0
    assert site.said == [] and not site.home.evidence.exists()


def test_incidents_of_an_archive_are_left_to_its_analysis(site: Site, h264: Path) -> None:
    worker = site.worker()
    site.clock.t = T0 + 86_400 * SECOND
    site.alert()
    site.at(site.clock.t + SECOND, worker)
    assert site.said == [] and worker.waiting == 0


@contextmanager
def running(worker: LiveEvidence) -> Iterator[None]:
    stop = Stop()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def test_a_worker_that_ended_can_be_begun_again(site: Site, h264: Path) -> None:
    feed, worker = RingFeed(site.ring, "yard", h264, BEGIN), site.worker()
    with running(worker):
        pass
    name = site.alert()
    site.clock.t = FIRST[1] + SECOND
    feed.until(site.clock.t)
    with running(worker):
        deadline = time.monotonic() + 20
        while not site.windows(name):
            time.sleep(0.01)
            assert time.monotonic() < deadline, site.said
    assert site.windows(name) == [FIRST] and site.said == []


def test_a_clip_is_sealed_within_three_seconds_of_its_last_frame(tmp_path: Path, h264: Path) -> None:
    home, ring, said = Home(tmp_path / "home"), tmp_path / "ring", Said()
    home.prepare()
    alert = time.time_ns() // 1000 - 9 * SECOND
    seen: Finding = finding(start=alert - 10 * SECOND, end=alert, alerts=(alert,))
    feed = RingFeed(ring, "yard", h264, alert - 20 * SECOND)
    feed.until(alert + 9 * SECOND)
    with Ledger.open(home.ledger) as ledger:
        run = ledger.runs.start(facility(), MODELS, {})
        with running(LiveEvidence(home, ring, SystemClock(), said)):
            made: Incident = incident_from(
                seen,
                facility=facility(),
                camera=facility().camera("yard"),
                run=run,
                models=MODELS,
                coverage_share=1.0,
                ongoing=True,
            )
            for kind in (EventType.OPENED, EventType.ALERTED):
                ledger.incidents.record_event(Event(kind, alert, seen), made, run)
            while not (sealed := ledger.incidents.get(seen.id).evidence):
                time.sleep(0.05)
                feed.until(time.time_ns() // 1000)
                assert time.time_ns() // 1000 < alert + 13 * SECOND, said
    assert time.time_ns() // 1000 >= alert + 10 * SECOND
    assert {item.kind for item in sealed} == {"clip", "keyframe", "boxes"} and said == []
