"""A pulled cable: a camera in a network of its own, whose link goes down."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.streaming import RtspServer
from tests.cable import Cable, NoNetworkError, camera_behind_cable
from tests.live_watching import TIMEOUTS_S, watching
from tests.streaming import clip
from vision.live.causes import Cause
from vision.live.status import StreamState


def test_a_pulled_cable_stops_one_camera_and_no_other(tmp_path: Path) -> None:
    file = clip(tmp_path / "clip.mp4")
    try:
        with camera_behind_cable(file) as cable, RtspServer() as server:
            _pull(cable, server, file)
    except NoNetworkError as error:
        pytest.skip(str(error))


def _pull(cable: Cable, server: RtspServer, file: Path) -> None:
    server.mount("/other", file)
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
