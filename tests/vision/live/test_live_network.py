"""A pulled cable: a camera in a network of its own, whose link goes down."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evaluation.streaming import RtspServer
from tests.live_watching import TIMEOUTS_S, watching
from tests.streaming import clip
from vision.live.causes import Cause
from vision.live.status import StreamState

ROOT = Path(__file__).parents[3]
OURS, THEIRS = "10.213.77.1", "10.213.77.2"


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)


@dataclass
class Cable:
    """A camera behind a cable.

    Attributes:
        url: of the camera.
        space: name of its network.
    """

    url: str
    space: str

    def pull(self, pulled: bool = True) -> None:
        ran = _run("ip", "-n", self.space, "link", "set", "camera", "down" if pulled else "up")
        assert ran.returncode == 0, ran.stderr


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    space, link = f"camera{os.getpid()}", f"cam{os.getpid()}"
    steps = [
        ["ip", "netns", "add", space],
        ["ip", "link", "add", link, "type", "veth", "peer", "name", "camera", "netns", space],
        ["ip", "addr", "add", f"{OURS}/30", "dev", link],
        ["ip", "link", "set", link, "up"],
        ["ip", "-n", space, "addr", "add", f"{THEIRS}/30", "dev", "camera"],
        ["ip", "-n", space, "link", "set", "camera", "up"],
    ]
    try:
        for step in steps:
            try:
                ran = _run(*step)
            except FileNotFoundError:
                pytest.skip("expected the command ip to make a network, found none")
            if ran.returncode:
                pytest.skip(f"expected to be allowed to make a network, got: {ran.stderr.strip()}")
        file = clip(tmp_path / "clip.mp4")
        program = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from evaluation.streaming import RtspServer
server = RtspServer({THEIRS!r}).start()
server.mount("/yard", Path({str(file)!r}))
print(server.url("/yard"), flush=True)
time.sleep(600)
"""
        command = ["ip", "netns", "exec", space, sys.executable, "-c", program]
        serving = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert serving.stdout is not None
        try:
            yield Cable(serving.stdout.readline().strip(), space)
        finally:
            serving.kill()
            serving.wait()
            serving.stdout.close()
    finally:
        _run("ip", "link", "del", link)
        _run("ip", "netns", "del", space)


def test_a_pulled_cable_stops_one_camera_and_no_other(cable: Cable, tmp_path: Path) -> None:
    with RtspServer() as server:
        server.mount("/other", clip(tmp_path / "other.mp4"))
        with watching(server.url("/other"), "other") as other, watching(cable.url) as watched:
            watched.until_frames(5)
            other.until_frames(5)
            gaps = len(other.gaps)
            cable.pull()
            assert watched.until_state(StreamState.OFFLINE) < TIMEOUTS_S[1] + 1.0
            assert watched.stream.cause is Cause.TIMEOUT
            watched.until(lambda: watched.stream.failures >= 2, "another failure")
            assert watched.stream.cause in (Cause.TIMEOUT, Cause.UNREACHABLE)
            cable.pull(False)
            connections = watched.stream.connections
            watched.until(lambda: watched.stream.connections > connections, "a connection")
            assert watched.until_frames() < 10
            assert other.gaps[gaps:] == [] and other.stream.failures == 0
            assert other.camera.status.dropped == 0
