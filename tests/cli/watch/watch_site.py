"""A facility with one camera, and a watch of it: a real process that is asked over HTTP."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incidents.ledger import Ledger
from incidents.record import Incident
from tests.running import ROOT, command, lazaretto
from vision import observations
from vision.observations import ALL_TIME

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
