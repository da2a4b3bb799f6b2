"""A look at a camera ends, whatever becomes of the process that looks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.streaming import RtspServer
from pipelines.camera_check import CameraTest, check_cameras, named_address
from tests.live_watching import PATIENCE_S
from tests.streaming import clip
from vision.live.camera import preload_readers
from vision.live.causes import Cause

PAUSE_S = 0.02


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    with RtspServer() as running:
        running.mount("/yard", clip(tmp_path_factory.mktemp("clips") / "yard.mp4"))
        yield running


def reader() -> int:
    """The process that looks at the camera."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE_S:
        for one in multiprocessing.active_children():
            if one.name.startswith("test of camera") and one.pid:
                return one.pid
        time.sleep(PAUSE_S)
    raise AssertionError("expected a process that looks at the camera")


def signalled(number: signal.Signals, server: RtspServer) -> CameraTest:
    """Look at a camera, and send the process a signal once it is connected."""
    found: list[CameraTest] = []
    camera = named_address(server.url("/yard"))
    looking = threading.Thread(
        target=lambda: found.extend(check_cameras([camera], 30.0, timeouts_s=(2.0, 2.0))), daemon=True
    )
    looking.start()
    pid, begun = reader(), time.monotonic()
    while not server.mounts["/yard"].clients and time.monotonic() - begun < PATIENCE_S:
        time.sleep(PAUSE_S)
    os.kill(pid, number)
    looking.join(PATIENCE_S + 36)
    assert found, "expected the look to end"
    return found[0]


def test_a_process_that_hangs_is_ended(server: RtspServer, monkeypatch: pytest.MonkeyPatch) -> None:
    preload_readers()
    monkeypatch.setattr("vision.live.probing.PICTURE_S", 0.0)
    monkeypatch.setattr("vision.live.probing.SPARE_S", -25.0)
    test = signalled(signal.SIGSTOP, server)
    assert test.streams["main"].cause is Cause.TIMEOUT
    assert "hung" in test.findings[0].text and test.findings[0].advice


def test_a_process_that_crashes_is_told(server: RtspServer) -> None:
    preload_readers()
    test = signalled(signal.SIGSEGV, server)
    assert test.streams["main"].cause is Cause.READER
    assert test.findings[0].advice


def test_a_recorded_file_is_read_to_its_end(tmp_path: Path) -> None:
    preload_readers()
    [test] = check_cameras([named_address(str(clip(tmp_path / "rehearsal.mp4")))], 30.0)
    assert test.streams["main"].cause is None, test.findings
    assert test.streams["main"].pictures > 40
