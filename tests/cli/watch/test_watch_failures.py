"""What goes wrong while `lazaretto watch` is at work: kills, a full disk, too little memory."""

from __future__ import annotations

import random
import resource
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from incidents.coverage import WATCHED
from incidents.ledger import Ledger
from tests.cli.watch.watch_site import (
    Site,
    analysed_frames,
    asked,
    check_home,
    levels,
    wait_for,
    wait_until_analysed,
    watching,
)
from tests.running import lazaretto
from vision.frames import SECOND


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
    site: Site, disk: Path, tmp_path: Path
) -> None:
    on_disk = Site(site.facility, disk / "home")
    with watching(on_disk, tmp_path / "log") as (process, port):
        wait_until_analysed(process, port, 5)
        filler = disk / "filler"
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


def test_where_memory_is_short_a_camera_or_the_watch_begins_anew_and_nothing_is_lost(
    site: Site, tmp_path: Path
) -> None:
    """Python and the networks raise errors, which end one camera's turn; Rust and C++ may end the process."""
    log = tmp_path / "log"
    with watching(site, log) as (process, port):
        wait_until_analysed(process, port, 10)
        usual = resource.prlimit(process.pid, resource.RLIMIT_AS)
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[0])
        resource.prlimit(process.pid, resource.RLIMIT_AS, (pages * resource.getpagesize(), usual[1]))
        wait_for(
            "what memory is missing for", lambda: process.poll() or "the program failed" in log.read_text()
        )
        short = time.time_ns() // 1000
        time.sleep(8)
        if process.poll() is None:
            resource.prlimit(process.pid, resource.RLIMIT_AS, usual)
            before = analysed_frames(port)
            wait_for("frames again", lambda: analysed_frames(port) > before + 10)
    with watching(site, log) as (process, port):
        wait_until_analysed(process, port, 10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    check_home(site)
    with Ledger.open(site.home / "ledger.db", create=False) as ledger:
        missed = [item for item in ledger.coverage.recorded("yard") if item.state not in WATCHED]
    told = [item for item in missed if item.start < short + SECOND and item.end > short - 4 * SECOND]
    assert any(
        item.cause == "the watch was not running" or item.cause.startswith("the watch of the camera failed")
        for item in told
    ), missed


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
