"""`lazaretto watch`: a real server, a real process, real kills."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evaluation.streaming import Login, RtspServer
from incidents.coverage import WATCHED, State
from incidents.ledger import Ledger
from incidents.record import Incident
from pipelines.home import Home
from pipelines.locks import Use, holders
from tests.running import ROOT, YARD, command, lazaretto
from vision import observations
from vision.frames import SECOND
from vision.observations import ALL_TIME
from zones.facility import parse_facility

PASSWORD = "p@ss:word/1"
LAWN = "{id: lawn, type: staff_only, polygon: [[0.02, 0.3], [0.98, 0.3], [0.98, 0.98], [0.02, 0.98]]}"


@dataclass
class Site:
    """A facility with one camera.

    Attributes:
        facility: its file.
        home: of the watch.
    """

    facility: Path
    home: Path

    def command(self, port: int) -> list[str]:
        words = command("watch", "--facility", self.facility, "--home", self.home)
        return [*words, "--health", f"127.0.0.1:{port}", "--log-format", "json"]

    def incidents(self, home: Path | None = None) -> tuple[Incident, ...]:
        with Ledger.open((home or self.home) / "ledger.db", create=False) as ledger:
            return ledger.incidents.find()


@pytest.fixture(scope="module")
def server() -> Iterator[RtspServer]:
    with RtspServer() as running:
        running.mount("/yard", YARD, login=Login("watch", PASSWORD), live=False)
        yield running


@pytest.fixture
def site(tmp_path: Path, server: RtspServer) -> Site:
    address = server.url("/yard").rpartition("@")[2].removeprefix("rtsp://")
    facility = tmp_path / "facility.yaml"
    facility.write_text(
        "schema: 2\nfacility: {code: L-1, name: Live, managing_body: Test}\ncameras:\n"
        "  - id: yard\n    places: [yard]\n    default_role: resident\n"
        f"    source: rtsp://${{CAM_USER}}:${{CAM_PASSWORD}}@{address}\n    zones: [{LAWN}]\n",
        "utf-8",
    )
    return Site(facility, tmp_path / "home")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here: that takes the rights of an administrator")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def watching(site: Site, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A watch at work; ended by SIGTERM where the block has not ended it."""
    port = free_port()
    environment = {**os.environ, "CAM_USER": "watch", "CAM_PASSWORD": PASSWORD}
    with log.open("ab") as lines:
        process = subprocess.Popen(site.command(port), stdout=lines, stderr=lines, cwd=ROOT, env=environment)
        try:
            yield process, port
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def asked(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        content = answer.read().decode()
    return content if path == "/metrics" else json.loads(content)


def wait_for(what: str, condition: Any, seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"expected {what} within {seconds:.0f} s")


def analysed_frames(port: int) -> int:
    return int(asked(port, "/status")["cameras"]["yard"]["analysed"])


def wait_until_analysed(process: subprocess.Popen[bytes], port: int, frames: int) -> None:
    wait_for("analysed frames", lambda: process.poll() is not None or analysed_frames(port) > frames)
    assert process.poll() is None, "the watch goes on"


def levels(log: Path, words: str) -> set[str]:
    """The levels of the lines of a log with these words; every line is an object."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return {line["level"] for line in lines if words in line["message"]}


def check_home(site: Site) -> None:
    """Every moment is in one interval, and no observation or incident is there twice."""
    with Ledger.open(site.home / "ledger.db", create=False) as ledger:
        recorded = ledger.coverage.recorded("yard")
        assert ledger.faults() == ()
    assert recorded
    for before, after in itertools.pairwise(recorded):
        assert before.end == after.start, "time is accounted for without a hole"
    rows = observations.read(site.home, "yard", *ALL_TIME)
    assert len(rows) == len(rows.unique(["t", "track"]))
    verified = lazaretto("verify", "--home", site.home)
    # A clip that was cut while the watch ended is sealed by the next run.
    assert verified.code == 0 or " unsealed" in verified.out, verified.out


def test_what_is_watched_live_is_what_an_analysis_of_its_recording_finds(site: Site, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with watching(site, log) as (process, port):
        wait_until_analysed(process, port, 5)
        begun = time.monotonic()
        status = asked(port, "/status")
        assert status["healthy"] and status["cameras"]["yard"]["streams"]["detection"]["codec"] == "h264"
        assert 'lazaretto_camera_state{camera="yard",state="offline"} ' in asked(port, "/metrics")
        wait_for("two incidents", lambda: len(site.incidents()) >= 2)
        told = asked(port, "/status?latency=600")["ledger"]["latency_s"]
        assert told["window_s"] == 600 and told["results"]["count"] >= told["alerts"]["count"] >= 1
        assert 0 < told["results"]["p50"] <= told["results"]["p95"] <= told["results"]["max"]
        assert told["alerts"]["max"] <= told["results"]["max"]
        assert asked(port, "/status?latency=0")["ledger"]["latency_s"]["results"] is None
        time.sleep(max(0.0, 30 - (time.monotonic() - begun)))
        assert asked(port, "/healthz") == {"healthy": True, "faults": []}
        dropped = asked(port, "/status")["cameras"]["yard"]["dropped"]
        # The minute that goes on can be evaluated, too.
        replayed = lazaretto("replay", "--facility", site.facility, "--home", site.home)
        assert replayed.code == 0, replayed.err
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    check_home(site)
    assert "opened: suspected zone crossing" in log.read_text()
    ordinary = ("watching yard", "stream: connected", "opened: suspected", "stopping, and")
    for words in ordinary:
        assert levels(log, words) == {"info"}, words
    assert PASSWORD not in log.read_text() and "p%40ss" not in log.read_text()
    assert PASSWORD.encode() not in (site.home / "ledger.db").read_bytes()
    live = site.incidents()
    with Ledger.open(site.home / "ledger.db", create=False) as ledger:
        watched = [i for i in ledger.coverage.recorded("yard") if i.state in WATCHED]
    assert sum(i.length for i in watched) > 20 * SECOND

    footage = site.home / "footage" / "yard"
    batch = tmp_path / "batch"
    ran = lazaretto("analyze", f"yard={footage}", "--facility", site.facility, "--home", batch)
    assert ran.code == 0, ran.err
    recorded = [one for one in site.incidents(batch) if one.kind != "camera_health"]
    seen = [one for one in live if one.kind != "camera_health"]
    if not dropped:  # On a busy machine some are, which the analysis sees.
        for one, other in zip(sorted(seen, key=_by), sorted(recorded, key=_by), strict=True):
            assert (one.kind, one.zone) == (other.kind, other.zone)
            assert abs(one.start - other.start) <= SECOND

    again = lazaretto("analyze", f"yard={footage}", "--facility", site.facility, "--home", site.home)
    assert again.code == 0 and "watched live" in again.err, again.err

    def told(incidents: tuple[Incident, ...]) -> list[tuple[str, int, int, bool]]:
        return sorted((one.id, one.start, one.end, one.ongoing) for one in incidents)

    assert told(site.incidents()) == told(live), "nothing is entered twice, and nothing is opened again"
    check_home(site)


def _by(incident: Incident) -> tuple[str, str, int]:
    return incident.kind, incident.zone or "", incident.start


def test_kills_lose_no_more_than_a_second_and_double_nothing(site: Site, tmp_path: Path) -> None:
    rng, log, reached = random.Random(5), tmp_path / "log", 0
    for _ in range(2):
        with watching(site, log) as (process, port):
            wait_until_analysed(process, port, 10)
            time.sleep(rng.uniform(0, 4))
            process.kill()
            process.wait()
        killed = time.time_ns() // 1000
        with Ledger.open(site.home / "ledger.db", create=False) as ledger:
            covered = ledger.coverage.recorded("yard")
            assert covered[-1].end > max(reached, killed - 4 * SECOND), "all but the last seconds is there"
            reached = covered[-1].end
    with watching(site, log) as (process, port):
        wait_until_analysed(process, port, 10)
        # What was cut when it was killed is sealed by the next run.
        wait_for("sealed evidence", lambda: lazaretto("verify", "--home", site.home).code == 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    check_home(site)
    with Ledger.open(site.home / "ledger.db", create=False) as ledger:
        causes = {item.cause for item in ledger.coverage.recorded("yard") if item.state not in WATCHED}
    assert "the watch was not running" in causes


def test_a_locked_ledger_delays_what_is_found_and_loses_nothing(site: Site, tmp_path: Path) -> None:
    with watching(site, tmp_path / "log") as (process, port):
        wait_until_analysed(process, port, 5)
        with sqlite3.connect(site.home / "ledger.db", timeout=30) as other:
            other.execute("BEGIN IMMEDIATE")
            before = analysed_frames(port)
            wait_for("results that wait", lambda: asked(port, "/status")["ledger"]["waiting"] >= 3)
            assert analysed_frames(port) > before, "the camera goes on"
            other.rollback()
        wait_for("an empty queue", lambda: asked(port, "/status")["ledger"]["waiting"] == 0)
    check_home(site)


def test_a_full_disk_is_told_and_what_follows_is_recorded_again(
    site: Site, small_disk: Path, tmp_path: Path
) -> None:
    on_disk = Site(site.facility, small_disk / "home")
    with watching(on_disk, tmp_path / "log") as (process, port):
        wait_until_analysed(process, port, 5)
        filler = small_disk / "filler"
        with filler.open("wb") as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(1 << 20))
                file.flush()
        wait_for("the fault", lambda: asked(port, "/status")["cameras"]["yard"]["footage_fault"])
        time.sleep(5)
        assert process.poll() is None, "the watch goes on"
        filler.unlink()
        before = analysed_frames(port)
        wait_for("frames again", lambda: analysed_frames(port) > before + 10)
        wait_for("footage again", lambda: not asked(port, "/status")["cameras"]["yard"]["footage_fault"])
        wait_for("an empty queue", lambda: asked(port, "/status")["ledger"]["waiting"] == 0)
    assert levels(tmp_path / "log", "footage is not kept") == {"error"}
    assert levels(tmp_path / "log", "footage is kept again") == {"info"}
    check_home(on_disk)


def test_pictures_that_a_reader_cannot_hand_over_are_counted_as_dropped(site: Site, tmp_path: Path) -> None:
    with watching(site, tmp_path / "log") as (process, port):
        wait_until_analysed(process, port, 5)
        process.send_signal(signal.SIGSTOP)  # As a machine that is too busy; its reader goes on.
        time.sleep(6)
        process.send_signal(signal.SIGCONT)
        camera = wait_for(
            "dropped frames",
            lambda: (one := asked(port, "/status")["cameras"]["yard"])["dropped"] >= 10 and one,
            15,
        )
        assert camera["frames"] >= camera["dropped"] + camera["analysed"] - 1
    check_home(site)


def test_maintenance_and_a_published_facility_file_are_taken_up_without_a_restart(
    site: Site, server: RtspServer, tmp_path: Path
) -> None:
    mount = server.mount("/gate", YARD, live=False)
    text = site.facility.read_text("utf-8")
    site.facility.write_text(
        text + "  - id: gate\n    places: [gate]\n    source: " + server.url("/gate") + "\n", "utf-8"
    )
    changed = parse_facility(site.facility.read_text("utf-8").replace("staff_only", "common"), "changed")
    with watching(site, tmp_path / "log") as (process, port):
        wait_until_analysed(process, port, 5)
        with Ledger.open(site.home / "ledger.db") as ledger:
            until = ledger.clock() + 600 * SECOND
            ledger.maintenance.announce(["gate"], None, until, "a new lens", "Lan")
        time.sleep(6)  # It looks every 5 s.
        mount.faults.close_at_once = True
        mount.close_clients()

        def gate() -> Any:
            return asked(port, "/status")["cameras"]["gate"]

        wait_for("planned time", lambda: (gate()["state"], gate()["cause"]) == ("planned", "a new lens"))
        assert asked(port, "/healthz")["healthy"], "a camera that is away is no fault of the program"
        time.sleep(2)
        shown = lazaretto("coverage", "--camera", "gate", "--home", site.home).out
        assert "What was not watched" in shown and "planned a new lens" in " ".join(shown.split())
        mount.faults.clear()
        wait_for("the camera again", lambda: gate()["state"] in ("analysed", "idle"))
        with Ledger.open(site.home / "ledger.db") as ledger:
            ledger.publications.publish(changed, "Lan", "the lawn is open", None, None)
        wait_for("the new file", lambda: asked(port, "/status")["facility_version"] == changed.version)
        before = analysed_frames(port)
        wait_for("frames under it", lambda: analysed_frames(port) > before + 10)
    with Ledger.open(site.home / "ledger.db", create=False) as ledger:
        states = {item.state for item in ledger.coverage.recorded("gate")}
        health = [one for one in ledger.incidents.find() if one.kind == "camera_health"]
    assert State.PLANNED in states and not [one for one in health if one.camera == "gate"]


def test_a_camera_without_its_password_is_refused_before_anything_is_written(site: Site) -> None:
    ran = lazaretto("watch", "--facility", site.facility, "--home", site.home, CAM_USER="watch")
    assert ran.code == 2
    assert ran.err == (
        "lazaretto: camera yard: expected the environment to set CAM_PASSWORD, which the address "
        f"{ran.err.split('address ')[1].split(' names')[0]} names, got none\n"
    )
    assert not site.home.exists()


def test_a_camera_of_a_published_file_that_is_in_use_is_watched_later_and_may_go_and_come_back(
    site: Site, server: RtspServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(20)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    server.mount("/gate", YARD, live=False)
    alone = site.facility.read_text("utf-8")
    both = alone + "  - id: gate\n    places: [gate]\n    source: " + server.url("/gate") + "\n"

    def publish(text: str, name: str) -> None:
        with Ledger.open(site.home / "ledger.db") as ledger:
            facility = parse_facility(text.replace("name: Live", f"name: {name}"), name)
            before = ledger.publications.in_force(facility.code)
            ledger.publications.publish(
                facility, "Lan", name, None if before is None else before.version, None
            )

    def gate() -> Any:
        return asked(port, "/status")["cameras"].get("gate", {})

    with watching(site, tmp_path / "log") as (process, port):
        wait_until_analysed(process, port, 5)
        home = Home(site.home)
        with home.lock(Use("gate", "analysis", time.time_ns() // 1000)):
            publish(both, "with a gate")
            wait_for("the fault", lambda: "camera gate is not" in str(asked(port, "/status")["faults"]))
            assert process.poll() is None, "the watch goes on"
            # A new start would not end that fault, and is not asked for.
            while not (told := manager.recv(4096)).startswith(b"WATCHDOG=1") or b"gate is not" not in told:
                pass
        manager.close()
        wait_for("the gate", lambda: gate().get("analysed", 0) > 5)
        assert asked(port, "/status")["healthy"]
        publish(alone, "without a gate")
        wait_for("no gate", lambda: not gate())
        wait_for("free hours", lambda: "gate" not in {one.use.camera for one in holders(site.home / "locks")})
        publish(both, "with a gate again")
        wait_for("the gate", lambda: gate().get("analysed", 0) > 5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    check_home(site)
    with Ledger.open(site.home / "ledger.db", create=False) as ledger:
        recorded = ledger.coverage.recorded("gate")
    for before, after in itertools.pairwise(recorded):
        assert before.end == after.start, "time is accounted for without a hole"
    assert (tmp_path / "log").read_text().count("is not watched yet") == 1
