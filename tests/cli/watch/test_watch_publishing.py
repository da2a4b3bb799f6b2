"""Announced maintenance and published facility files, which a watch takes up while it goes on."""

from __future__ import annotations

import itertools
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from evaluation.streaming import RtspServer
from incidents.coverage import State
from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.locks import Use, holders
from tests.cli.watch.watch_site import (
    Site,
    analysed_frames,
    asked,
    check_home,
    wait_for,
    wait_until_analysed,
    watching,
)
from tests.running import YARD, lazaretto
from vision.frames import SECOND
from zones.facility import parse_facility


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
