"""Messages to the service manager, as a socket of systemd's kind receives them."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.service_manager import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket that listens as systemd does, and its name in NOTIFY_SOCKET."""
    name = str(tmp_path / "n") if request.param == "path" else f"@lazaretto-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name[1:] if name.startswith("@") else name)
        listening.settimeout(10)
        yield listening, name


def test_each_state_is_one_datagram(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    found = ServiceManager.from_environment({"NOTIFY_SOCKET": name})
    assert found.watchdog_s is None
    assert found.ready("3 cameras\nWATCHDOG=1") and found.alive() and found.stopping("asked to stop")
    received = [listening.recv(1000).decode() for _ in range(3)]
    assert received == [
        "READY=1\nSTATUS=3 cameras WATCHDOG=1",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=asked to stop",
    ]


def test_the_watchdog_is_of_this_process_alone() -> None:
    allowed = {"WATCHDOG_USEC": "60000000"}
    mine, other = str(os.getpid()), str(os.getpid() + 1)
    assert ServiceManager.from_environment(allowed).watchdog_s == 30
    assert ServiceManager.from_environment({**allowed, "WATCHDOG_PID": mine}).watchdog_s == 30
    assert ServiceManager.from_environment({**allowed, "WATCHDOG_PID": other}).watchdog_s is None
    assert ServiceManager.from_environment({"WATCHDOG_USEC": "0"}).watchdog_s is None


def test_without_a_service_manager_nothing_is_sent() -> None:
    none = ServiceManager.from_environment({})
    assert not (none.ready() or none.alive() or none.stopping())


def test_one_that_is_gone_or_does_not_read_stops_nothing_and_is_named_once(
    manager: tuple[socket.socket, str], caplog: pytest.LogCaptureFixture
) -> None:
    listening, name = manager
    found = ServiceManager.from_environment({"NOTIFY_SOCKET": name})
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING):
        sent = [found.alive("x" * 1000) for _ in range(2000)]
        assert sent[0] and not sent[-1], "its queue is full"
        listening.close()
        assert not found.alive() and not found.alive()
    assert time.monotonic() - begun < 5
    assert len(caplog.records) == 2
