"""The start of a watch over a ledger that another process has locked."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.locks import Use
from pipelines.watch.request import WatchRequest
from pipelines.watch.watch import Watch
from tests.pipelines.simulated import simulated_bundle
from tests.running import lazaretto_here
from tests.said import Said
from vision.clock import Stop
from vision.live.camera import preload_readers
from vision.notices import Level
from zones.facility import parse_facility

FACILITY = parse_facility(
    "schema: 2\nfacility: {code: L-1, name: Live, managing_body: Test}\ncameras:\n"
    "  - {id: yard, places: [yard], source: 'rtsp://127.0.0.1:9/yard'}\n",
    "facility.yaml",
)
LOCKED = "is being written by another process; the watch begins when that ends"


@contextmanager
def beginning(home: Home) -> Iterator[tuple[Said, Stop, threading.Thread]]:
    """A watch that begins in a thread; at the end of the block it ends."""
    said, stop = Said(), Stop()

    def notice(camera: str, text: str, level: Level = Level.WARNING, /) -> None:
        said(text, level)

    preload_readers()
    watch = Watch(WatchRequest(FACILITY, home), simulated_bundle(()), notice)
    thread = threading.Thread(target=watch.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield said, stop, thread
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def until(said: Said, words: str) -> Level:
    for _ in range(600):
        for text, level in zip(list(said), said.levels, strict=False):
            if words in text:
                return level
        Stop().wait(0.1)
    raise AssertionError(f"expected {words!r} within a minute, got {said}")


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[tuple[Home, sqlite3.Connection]]:
    """A home whose ledger another connection writes."""
    home = Home(tmp_path / "home")
    home.prepare()
    Ledger.open(home.ledger).close()
    with closing(sqlite3.connect(home.ledger)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield home, other


def test_a_ledger_that_is_locked_at_the_start_is_said_and_waited_for(
    locked: tuple[Home, sqlite3.Connection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, other = locked
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(60)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with manager, beginning(home) as (said, _, _):
        assert until(said, LOCKED) is Level.WARNING
        for _ in range(2):
            assert manager.recv(4096).startswith(b"EXTEND_TIMEOUT_USEC=60000000\nSTATUS=the ledger ")
        other.rollback()
        assert until(said, "watching yard of L-1") is Level.INFO
        while (told := manager.recv(4096)).startswith(b"EXTEND"):
            pass
        assert told.startswith(b"READY=1")
        assert sum(LOCKED in text for text in said) == 1


def test_doctor_says_what_a_watch_with_a_file_of_its_own_watches(tmp_path: Path) -> None:
    home, version = Home(tmp_path / "home"), FACILITY.version[:12]

    def told() -> str:
        ran = lazaretto_here("doctor", "--home", home.path, "--json")
        [text] = [one["text"] for one in ran.json["findings"] if one["subject"] == "watch"]
        return str(text)

    home.prepare()
    assert told() == "none is at work on this home"
    with home.lock(Use("yard", "watch", time.time_ns() // 1000)):
        who = f"process {os.getpid()} watches yard"
        assert told() == f"{who}; with which facility file it began is not known"
    with beginning(home) as (said, _, _):
        until(said, "watching yard of L-1")
        began = f"{who} of L-1, and began with facility file {version}"
        assert told() == f"{began}; no file of L-1 is in force"
        with Ledger.open(home.ledger) as ledger:
            ledger.publications.publish(FACILITY, "An", "first", None, None)
        assert told() == f"{began}, which is in force"
        other = parse_facility(FACILITY.text.replace("name: Live", "name: Later"), "other")
        with Ledger.open(home.ledger) as ledger:
            ledger.publications.publish(other, "An", "later", FACILITY.version, None)
        assert told() == f"{began}; {other.version[:12]} is in force, and is taken up"
    assert told() == "none is at work on this home"


def test_a_watch_that_waits_for_the_ledger_ends_when_it_is_asked_to(
    locked: tuple[Home, sqlite3.Connection],
) -> None:
    home, other = locked
    with beginning(home) as (said, stop, thread):
        until(said, LOCKED)
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
    other.rollback()
    with Ledger.open(home.ledger) as ledger:
        assert ledger.runs.watching(2**62) is None, "no run was begun"
